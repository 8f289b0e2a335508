/* SPDX-License-Identifier: BSD-3-Clause */
/* IXFR from a stranger, in each of its forms; a chain that comes out is applied. */
#include "fuzz_transfer.h"

#include "base/memory.h"
#include "xfr/ixfr_in.h"
#include "zone/delta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum step receive(void *machine, struct slice message, struct error *err)
{
    return ixfr_in_receive(machine, message, (struct instant){0}, err);
}

static void apply_chain(struct ixfr_in *in)
{
    size_t count = 0;
    struct delta **chain = ixfr_in_take_deltas(in, &count);
    REQUIRE(count > 0);
    struct zone_version *version = zone_version_ref(fuzz_base());
    struct serial reached = zone_version_serial(version);
    enum result result = OK;
    for (size_t i = 0; i < count; i++) {
        REQUIRE(serial_equal(reached, delta_from(chain[i])));
        reached = delta_to(chain[i]);
        struct zone_version *next = NULL;
        if (result == OK) {
            result = delta_apply(version, chain[i], NULL, &next, NULL);
        }
        if (next != NULL) {
            zone_version_unref(version);
            version = next;
        }
        delta_free(chain[i]);
    }
    if (result == OK) {
        REQUIRE(serial_equal(zone_version_serial(version), ixfr_in_serial(in)));
    }
    memory_free(chain);
    zone_version_unref(version);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct xfr_in_limits limits = {.max_records = 1000, .max_bytes = 1 << 20};
    bool udp = (data[0] & 1) != 0;
    struct ixfr_in *in =
        ixfr_in_new(fuzz_base(), FUZZ_ID, udp, &limits, (struct instant){0}, NULL, NULL);
    if (fuzz_feed(data + 1, size - 1, receive, in) == STEP_DONE) {
        switch (ixfr_in_outcome(in)) {
        case IXFR_DELTAS:
            apply_chain(in);
            break;
        case IXFR_WHOLE: {
            struct zone_version *version = NULL;
            struct delta *delta = NULL;
            ixfr_in_take_version(in, &version, &delta);
            REQUIRE(serial_equal(zone_version_serial(version), ixfr_in_serial(in)));
            delta_free(delta);
            zone_version_unref(version);
            break;
        }
        case IXFR_UP_TO_DATE:
        case IXFR_BEHIND:
        case IXFR_NOT_OVER_UDP:
            break;
        }
    }
    REQUIRE(zone_version_serial(fuzz_base()).value == 1);
    ixfr_in_free(in);
    return 0;
}
