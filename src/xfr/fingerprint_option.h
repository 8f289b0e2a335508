/* SPDX-License-Identifier: BSD-3-Clause */
/* The EDNS option FINGERPRINT (docs/formats.md) in transfers, refreshes and NOTIFY. */
#ifndef XFR_FINGERPRINT_OPTION_H
#define XFR_FINGERPRINT_OPTION_H

#include "wire/message.h"
#include "zone/zone_set.h"

enum { FINGERPRINT_OPTION_WIRE_SIZE = 4 + 5 + FINGERPRINT_DIGEST_SIZE };

/* The option with a value, as a wire run, into `out`. */
struct slice fingerprint_option_write(uint8_t out[FINGERPRINT_OPTION_WIRE_SIZE],
                                      const struct zone_fingerprint *fingerprint);
/* The value of one in a message. False: there is none, or it is not ours. */
bool fingerprint_option_read(const struct edns *edns, struct zone_fingerprint *out);

#endif
