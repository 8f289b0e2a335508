/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Zone files: any text is parsed, and what loads as a zone is built, printed, and parsed and built
 * again; both versions must hold the same records.
 *
 * There are no files to include here: $INCLUDE reads from a folder that does not exist.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "zone/builder.h"
#include "zone/check.h"
#include "zone/master.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t apex[] = "\7example\3com";

static enum result add_record(void *context, const struct record *record, const char *file,
                              uint32_t line, struct error *err)
{
    return builder_add(context, record, file, line, err);
}

static void touch_finding(void *context, const struct finding *finding)
{
    *(size_t *)context += strlen(finding->text);
}

static struct zone_version *build(struct slice text)
{
    size_t touched = 0;
    struct error err = {0};
    struct master_options options = {
        .origin = apex, .class = CLASS_IN, .max_generate = 100, .max_errors = 100};
    struct builder *builder = builder_new(apex, CLASS_IN, NULL, touch_finding, &touched);
    struct zone_version *version = NULL;
    if (master_parse_text(text, "text", "/nonexistent", &options, add_record, builder,
                          touch_finding, &touched, &err) != OK ||
        builder_finish(builder, NULL, &version, NULL, &err) != OK) {
        version = NULL;
    }
    builder_free(builder);
    return version;
}

static void print(const struct zone_version *version, struct text *out)
{
    struct zone_cursor cursor;
    for (zone_cursor_first(&cursor, version); cursor.owner != NULL; zone_cursor_next(&cursor)) {
        struct owner_walk walk = {0};
        struct record record;
        while (owner_next_record(cursor.owner, &walk, &record)) {
            master_print_record(&record, out);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zone_version *first = build(slice_of(data, size));
    if (first == NULL) {
        return 0;
    }
    size_t touched = 0;
    struct error err = {0};
    struct check_options options = check_options_default(true);
    enum result checked = zone_check(first, &options, touch_finding, &touched, &err);
    if ((checked == OK) != (err.code == OK)) {
        abort();
    }
    struct text once;
    struct text twice;
    text_init(&once, 0);
    text_init(&twice, 0);
    print(first, &once);
    struct zone_version *second = build(text_slice(&once));
    if (second == NULL) {
        fprintf(stderr, "not read back:\n%s", text_str(&once));
        abort();
    }
    print(second, &twice);
    if (!slice_equal(text_slice(&once), text_slice(&twice))) {
        fprintf(stderr, "first:\n%ssecond:\n%s", text_str(&once), text_str(&twice));
        abort();
    }
    zone_version_unref(first);
    zone_version_unref(second);
    text_deinit(&once);
    text_deinit(&twice);
    return 0;
}
