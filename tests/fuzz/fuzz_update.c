/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UPDATE messages from strangers against a small zone: whatever is read and scanned without
 * complaint gives no change, or a delta that applies, raises the serial, and leaves SOA and NS at
 * the apex. The input is copied to memory of its exact size.
 */
#include <stdlib.h>
#include <string.h>

#include "edit/update.h"
#include "zone/builder.h"
#include "zone/master.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char zone_text[] = "@ 300 SOA ns1 host 4294967295 2 3 4 5\n"
                                "@ 300 NS ns1\n"
                                "@ 300 NS ns2\n"
                                "ns1 300 A 192.0.2.1\n"
                                "www 300 A 192.0.2.2\n"
                                "www 300 A 192.0.2.3\n"
                                "www 300 TXT hello\n"
                                "alias 300 CNAME www\n"
                                "*.wild 60 MX 10 www\n"
                                "below.empty 300 AAAA 2001:db8::1\n"
                                "sub 300 NS ns.sub\n"
                                "ns.sub 300 A 192.0.2.4\n"
                                "dname 300 DNAME www\n";

static enum result add(void *context, const struct record *record, const char *file, uint32_t line,
                       struct error *err)
{
    return builder_add(context, record, file, line, err);
}

static struct zone_version *make_zone(void)
{
    struct name apex;
    struct zone_version *version;
    struct error err = {0};
    REQUIRE(name_parse_str("example.", &apex, NULL) == OK);
    struct builder *builder = builder_new(apex.wire, CLASS_IN, NULL, NULL, NULL);
    struct master_options options = {.origin = apex.wire, .class = CLASS_IN};
    REQUIRE(master_parse_text(slice_str(zone_text), "zone", NULL, &options, add, builder, NULL,
                              NULL, &err) == OK);
    REQUIRE(builder_finish(builder, NULL, &version, NULL, &err) == OK);
    builder_free(builder);
    return version;
}

static void apply(struct zone_version *version, const struct update *update)
{
    struct delta *delta = NULL;
    struct zone_version *after;
    struct rrset ns;
    struct error err = {0};
    if (update_check_prerequisites(update, version, &err) != RCODE_NOERROR ||
        update_make_delta(update, version, SERIAL_INCREMENT, 0, &delta, &err) != RCODE_NOERROR ||
        delta == NULL) {
        return;
    }
    enum result result = delta_apply(version, delta, NULL, &after, &err);
    REQUIRE(result == OK || result == ERR_LIMIT);
    if (result == OK) {
        REQUIRE(serial_before(zone_version_serial(version), zone_version_serial(after)));
        REQUIRE(owner_find_rrset(zone_version_apex(after), TYPE_NS, &ns) && ns.count != 0);
        zone_version_unref(after);
    }
    delta_free(delta);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct zone_version *version;
    if (version == NULL) {
        version = make_zone(); /* reachable to the end: no leak */
    }
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    memcpy(copy, data, size);
    struct arena arena;
    struct update update;
    struct error err = {0};
    arena_init(&arena, 16 << 20);
    if (size <= 65535 &&
        update_parse(slice_of(copy, size), &arena, &update, &err) == RCODE_NOERROR &&
        update_prescan(&update, &err) == RCODE_NOERROR && update.class == CLASS_IN &&
        name_equal(update.zone.wire, zone_version_name(version))) {
        apply(version, &update);
    }
    arena_deinit(&arena);
    free(copy);
    return 0;
}
