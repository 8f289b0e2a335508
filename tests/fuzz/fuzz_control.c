/* SPDX-License-Identifier: BSD-3-Clause */
/* Any line at the control socket: refused with a reason, or a request whose parts are what they
 * claim to be. */
#include <stdlib.h>
#include <string.h>

#include "control/control_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + (size == 0));
    if (size != 0) {
        memcpy(copy, data, size);
    }
    struct control_request request;
    struct error err = {0};
    if (control_request_parse(slice_of(copy, size), &request, &err) != OK) {
        REQUIRE(err.text[0] != '\0');
    } else {
        REQUIRE(request.command[0] != '\0');
        REQUIRE(strnlen(request.command, sizeof(request.command)) < sizeof(request.command));
        if (request.has_zone) {
            REQUIRE(name_check(slice_of(request.zone.wire, request.zone.size)) ==
                    request.zone.size);
        }
        control_request_deinit(&request);
    }
    free(copy);
    return 0;
}
