/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The small things about records that need code: names of response codes (the IANA registry "DNS
 * RCODEs", RFC 6895 2.3) and the fields of an SOA record (RFC 1035 3.3.13).
 *
 * Number 16 is BADVERS in a message and BADSIG in a TSIG record (RFC 6895 2.3); the message's name
 * is given here, since a TSIG error is named where TSIG is handled.
 */
#include "wire/record.h"

#include <stdio.h>

#include "wire/name.h"

enum { SOA_NUMBERS_SIZE = 20 };

static const char *const rcode_names[] = {
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",  "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
    "NXRRSET", "NOTAUTH", "NOTZONE",  "DSOTYPENI", NULL,      NULL,      NULL,       NULL,
    "BADVERS", "BADKEY",  "BADTIME",  "BADMODE",   "BADNAME", "BADALG",  "BADTRUNC", "BADCOOKIE",
};

const char *rcode_name(unsigned rcode)
{
    static _Thread_local char text[24];
    if (rcode < ARRAY_SIZE(rcode_names) && rcode_names[rcode] != NULL) {
        return rcode_names[rcode];
    }
    snprintf(text, sizeof(text), "RCODE%u", rcode);
    return text;
}

struct soa soa_read(struct slice rdata)
{
    size_t mname_size = name_check(rdata);
    REQUIRE(mname_size != 0);
    struct slice rest = slice_of(rdata.data + mname_size, rdata.size - mname_size);
    size_t rname_size = name_check(rest);
    REQUIRE(rname_size != 0 && rest.size == rname_size + SOA_NUMBERS_SIZE);
    const uint8_t *numbers = rest.data + rname_size;
    return (struct soa){
        .mname = rdata.data,
        .rname = rest.data,
        .serial = {get_u32(numbers)},
        .refresh_s = get_u32(numbers + 4),
        .retry_s = get_u32(numbers + 8),
        .expire_s = get_u32(numbers + 12),
        .minimum_s = get_u32(numbers + 16),
    };
}
