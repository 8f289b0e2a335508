/* SPDX-License-Identifier: BSD-3-Clause */
#include "support/zone_text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "zone/builder.h"
#include "zone/master.h"

struct name name_from_text(const char *text)
{
    struct name name;
    struct error err = {0};
    char message[1024];
    if (name_parse_str(text, &name, &err) != OK) {
        fail_msg("name '%s': %s", text, error_format(&err, message, sizeof(message)));
    }
    return name;
}

static enum result add(void *context, const struct record *record, const char *file, uint32_t line,
                       struct error *err)
{
    return builder_add(context, record, file, line, err);
}

struct zone_version *version_from_text(const char *origin, const char *text)
{
    struct name name = name_from_text(origin);
    struct master_options options = {
        .origin = name.wire,
        .class = CLASS_IN,
        .default_ttl = 3600,
        .has_default_ttl = true,
    };
    struct error err = {0};
    char message[1024];
    struct zone_version *version = NULL;
    struct builder *builder = builder_new(name.wire, CLASS_IN, NULL, NULL, NULL);
    if (master_parse_text(slice_str(text), origin, NULL, &options, add, builder, NULL, NULL,
                          &err) != OK ||
        builder_finish(builder, NULL, &version, NULL, &err) != OK) {
        fail_msg("%s", error_format(&err, message, sizeof(message)));
    }
    builder_free(builder);
    return version;
}

struct zone *zone_from_text(struct zone_set *set, const char *origin, uint8_t flags,
                            const char *text)
{
    struct name name = name_from_text(origin);
    struct zone *zone = zone_new(name.wire, CLASS_IN, flags);
    zone_publish(zone, version_from_text(origin, text));
    assert_true(zone_set_insert(set, zone));
    zone_unref(zone);
    return zone;
}
