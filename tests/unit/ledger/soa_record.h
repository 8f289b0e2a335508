/* SPDX-License-Identifier: BSD-3-Clause */
/* For the tests of the ledger: an SOA of which nothing counts but its serial. */
#ifndef TEST_LEDGER_SOA_RECORD_H
#define TEST_LEDGER_SOA_RECORD_H

#include <string.h>

#include "wire/record.h"
#include "wire/rrtype.h"

enum { SOA_RECORD_SIZE = 22 };

/* owner  borrowed, in wire form
 * rdata  written, and borrowed by the record */
static inline struct record soa_record(const uint8_t *owner, uint32_t serial,
                                       uint8_t rdata[SOA_RECORD_SIZE])
{
    memset(rdata, 0, SOA_RECORD_SIZE);
    put_u32(rdata + 2, serial);
    return (struct record){owner, TYPE_SOA, CLASS_IN, 60, slice_of(rdata, SOA_RECORD_SIZE)};
}

#endif
