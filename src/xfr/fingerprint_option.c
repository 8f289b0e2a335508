/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * FINGERPRINT is ours, with a number anybody may use for something else: what does not look like it
 * in every respect is taken for somebody else's and passed over.
 */
#include "xfr/fingerprint_option.h"

enum { FINGERPRINT_FORMAT = 1 };

struct slice fingerprint_option_write(uint8_t out[FINGERPRINT_OPTION_WIRE_SIZE],
                                      const struct zone_fingerprint *fingerprint)
{
    put_u16(out, EDNS_FINGERPRINT);
    put_u16(out + 2, 5 + FINGERPRINT_DIGEST_SIZE);
    out[4] = FINGERPRINT_FORMAT;
    put_u32(out + 5, fingerprint->serial.value);
    memcpy(out + 9, fingerprint->digest, FINGERPRINT_DIGEST_SIZE);
    return slice_of(out, FINGERPRINT_OPTION_WIRE_SIZE);
}

bool fingerprint_option_read(const struct edns *edns, struct zone_fingerprint *out)
{
    struct slice option;
    if (!edns->present || !edns_find_option(edns, EDNS_FINGERPRINT, &option) ||
        option.size != 5 + FINGERPRINT_DIGEST_SIZE || option.data[0] != FINGERPRINT_FORMAT) {
        return false;
    }
    out->serial.value = get_u32(option.data + 1);
    memcpy(out->digest, option.data + 5, FINGERPRINT_DIGEST_SIZE);
    return true;
}
