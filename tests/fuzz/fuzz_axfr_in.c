/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AXFR from a stranger. Whatever is accepted must be a zone that we can send on: written by
 * axfr_out and received again, it has as many records.
 */
#include "fuzz_transfer.h"
#include "xfr/axfr_in.h"
#include "xfr/axfr_out.h"
#include "zone/delta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum step receive(void *machine, struct slice message, struct error *err)
{
    return axfr_in_receive(machine, message, (struct instant){0}, err);
}

static void send_on(struct zone_version *version)
{
    static uint8_t buffer[MESSAGE_MAX_SIZE];
    struct xfr_request request = {.id = FUZZ_ID, .udp_size = 512};
    name_copy(&request.question.name, fuzz_zone);
    request.question.type = TYPE_AXFR;
    request.question.class = CLASS_IN;
    struct axfr_out *out = axfr_out_new(version, &request, slice_of(NULL, 0), 600);
    struct axfr_in *in =
        axfr_in_new(fuzz_zone, CLASS_IN, FUZZ_ID, NULL, NULL, (struct instant){0}, NULL, NULL);
    enum step sent = STEP_MORE;
    enum step received = STEP_MORE;
    while (sent == STEP_MORE) {
        size_t length = 0;
        struct error err = {0};
        sent = axfr_out_next(out, buffer, sizeof(buffer), 0, &length, &err);
        if (sent == STEP_FAILED) {
            break;
        }
        received = axfr_in_receive(in, slice_of(buffer, length), (struct instant){0}, &err);
        REQUIRE(received == (sent == STEP_DONE ? STEP_DONE : STEP_MORE));
    }
    if (sent == STEP_DONE) {
        struct zone_version *again = NULL;
        axfr_in_take(in, &again, NULL);
        REQUIRE(zone_version_record_count(again) == zone_version_record_count(version));
        zone_version_unref(again);
    }
    axfr_in_free(in);
    axfr_out_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct xfr_in_limits limits = {.max_records = 1000, .max_bytes = 1 << 20};
    struct axfr_in *in = axfr_in_new(fuzz_zone, CLASS_IN, FUZZ_ID, fuzz_base(), &limits,
                                     (struct instant){0}, NULL, NULL);
    if (fuzz_feed(data, size, receive, in) == STEP_DONE) {
        struct zone_version *version = NULL;
        struct delta *delta = NULL;
        axfr_in_take(in, &version, &delta);
        send_on(version);
        delta_free(delta);
        zone_version_unref(version);
    }
    REQUIRE(zone_version_serial(fuzz_base()).value == 1);
    axfr_in_free(in);
    return 0;
}
