/* SPDX-License-Identifier: BSD-3-Clause */
/* Any octets as a PROXY header: refused with a reason, short of something, or whole; and the same
 * when they come one at a time, for as long as they are not whole. */
#include <stdlib.h>
#include <string.h>

#include "net/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum proxy_progress parse(const uint8_t *data, size_t size, struct proxy_header *out,
                                 size_t *out_size)
{
    uint8_t *copy = malloc(size + (size == 0));
    if (size != 0) {
        memcpy(copy, data, size);
    }
    const char *why = NULL;
    *out_size = 0;
    enum proxy_progress progress = proxy_header_parse(slice_of(copy, size), out, out_size, &why);
    REQUIRE((progress == PROXY_BAD) == (why != NULL));
    free(copy);
    return progress;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header header = {0}, again = {0};
    size_t needed, needed_again;
    if (size > 2 * PROXY_HEADER_MAX) {
        return 0;
    }
    enum proxy_progress progress = parse(data, size, &header, &needed);
    REQUIRE(progress != PROXY_INCOMPLETE || (needed > size && needed <= PROXY_HEADER_MAX));
    if (progress == PROXY_WHOLE) {
        REQUIRE(needed >= PROXY_HEADER_MIN && needed <= size && needed <= PROXY_HEADER_MAX);
        REQUIRE(header.is_local || header.source.family == 4 || header.source.family == 6);
        REQUIRE(header.is_local || header.source.port != 0);
    }
    enum proxy_progress piece = PROXY_INCOMPLETE;
    for (size_t n = 0; n <= size && piece == PROXY_INCOMPLETE; n++) {
        piece = parse(data, n, &again, &needed_again);
    }
    REQUIRE(piece == progress);
    if (piece == PROXY_WHOLE) {
        REQUIRE(needed_again == needed && again.is_local == header.is_local);
        REQUIRE(address_equal(&again.source, &header.source));
    }
    return 0;
}
