/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Findings about a whole zone, and the lines they belong to.
 *
 * A version does not know where its records came from: a line for each record would cost memory in
 * every zone for the sake of the few with findings. So findings are gathered first, and if there
 * are any, the zone file is read once more and each finding gets the line of the first record that
 * it fits (same owner, same type, same rdata where it names one). A file that changed in between
 * gives fewer lines, nothing worse.
 *
 * Bounded: a zone with more than CHECK_REPORT_MAX findings has them counted, not kept.
 */
#include "zone/check_report_impl.h"

#include <stdio.h>

#include "base/hash.h"
#include "wire/name.h"
#include "zone/master.h"

struct check_noted {
    enum finding_code code;
    enum finding_severity severity;
    uint32_t line;
    uint32_t next; /* in its bucket: index + 1 */
    uint32_t skip; /* fitting records to pass by: the second one is one too many, not the first */
    const char *file;
    const char *text;
    struct record record; /* owner NULL: the zone as a whole */
};

void check_report_init(struct check_report *report, const uint8_t *name, uint16_t class)
{
    *report = (struct check_report){.name = name, .class = class};
    arena_init(&report->arena, 0);
}

void check_report_deinit(struct check_report *report)
{
    arena_deinit(&report->arena);
    memory_free(report->noted);
    *report = (struct check_report){0};
}

void check_report_note(struct check_report *report, enum finding_code code,
                       enum finding_severity severity, const struct record *record,
                       const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    bool is_first_error = severity == FINDING_ERROR && report->first_error == 0;
    if (report->count >= CHECK_REPORT_MAX && !is_first_error) {
        report->left_out++;
        return;
    }
    if (is_first_error) {
        report->first_error = report->count + 1;
    }
    if (report->count == report->room) {
        report->room = report->room == 0 ? 16 : report->room * 2;
        report->noted = memory_resize(report->noted, report->room * sizeof(*report->noted));
    }
    report->noted[report->count++] = (struct check_noted){
        .code = code,
        .severity = severity,
        .text = arena_strdup(&report->arena, text),
        .record = record == NULL ? (struct record){0} : *record,
        .skip = code == FINDING_SEVERAL_SOA || code == FINDING_SEVERAL_CNAME ||
                code == FINDING_SEVERAL_DNAME,
    };
}

/* The second reading: findings in buckets by owner and type. */
struct line_search {
    struct check_report *report;
    uint32_t *buckets; /* index + 1; 0: empty */
    uint64_t mask;
    uint64_t key;
    size_t missing;        /* findings without a line */
    const char *file;      /* as the parser names it */
    const char *file_copy; /* the same for longer */
};

static uint32_t *bucket_of(const struct line_search *search, const uint8_t *owner, uint16_t type)
{
    uint64_t hash = name_hash(search->key, owner) + type * 0x9e3779b97f4a7c15u;
    return &search->buckets[hash_mix(hash, 0xa0761d6478bd642fu) & search->mask];
}

static enum result see_record(void *context, const struct record *record, const char *file,
                              uint32_t line, struct error *err)
{
    struct line_search *search = context;
    for (uint32_t at = *bucket_of(search, record->owner, record->type); at != 0;) {
        struct check_noted *noted = &search->report->noted[at - 1];
        at = noted->next;
        if (noted->line != 0 || noted->record.type != record->type ||
            !name_equal(noted->record.owner, record->owner) ||
            (noted->record.rdata.size != 0 && !slice_equal(noted->record.rdata, record->rdata))) {
            continue;
        }
        if (noted->skip != 0) {
            noted->skip--;
            continue;
        }
        if (search->file != file) {
            search->file = file;
            search->file_copy = arena_strdup(&search->report->arena, file);
        }
        noted->line = line;
        noted->file = search->file_copy;
        search->missing--;
    }
    return search->missing == 0 ? error_set(err, ERR_CLOSED, "all lines are known") : OK;
}

static void find_lines(struct check_report *report, const char *file, const char *directory)
{
    size_t size = 64;
    while (size < report->count) {
        size *= 2;
    }
    struct line_search search = {
        .report = report,
        .buckets = memory_new_zeroed(size, sizeof(*search.buckets)),
        .mask = size - 1,
        .key = random_u64(),
    };
    for (size_t i = 0; i < report->count; i++) {
        struct check_noted *noted = &report->noted[i];
        if (noted->record.owner != NULL) {
            uint32_t *bucket = bucket_of(&search, noted->record.owner, noted->record.type);
            noted->next = *bucket;
            *bucket = (uint32_t)i + 1;
            search.missing++;
        }
    }
    struct master_options options = {
        .origin = report->name,
        .class = report->class,
        .has_default_ttl = true,
    };
    struct error ignored = {0};
    if (search.missing != 0 && master_parse_file(file, directory, &options, see_record, &search,
                                                 NULL, NULL, &ignored) != OK) {
        /* Done early, or the file is another one by now; what was found holds. */
        ignored.code = OK;
    }
    memory_free(search.buckets);
}

static void send_all(const struct check_report *report, const char *file, finding_report *to,
                     void *context)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct check_noted *noted = &report->noted[i];
        struct finding finding = {
            .code = noted->code,
            .severity = noted->severity,
            .file = noted->file != NULL ? noted->file : file,
            .line = noted->line,
            .text = noted->text,
        };
        to(context, &finding);
    }
    if (report->left_out != 0) {
        char text[96];
        snprintf(text, sizeof(text), "%llu more findings are not shown",
                 (unsigned long long)report->left_out);
        struct finding finding = {
            .code = FINDING_LIMIT, .severity = FINDING_INFO, .file = file, .text = text};
        to(context, &finding);
    }
}

enum result check_report_send(struct check_report *report, const char *file, const char *directory,
                              finding_report *to, void *context, struct error *err)
{
    if (report->count != 0 && file != NULL) {
        find_lines(report, file, directory);
    }
    if (to != NULL) {
        send_all(report, file, to, context);
    }
    if (report->first_error == 0) {
        return OK;
    }
    const struct check_noted *first = &report->noted[report->first_error - 1];
    error_set(err, ERR_FORMAT, "%s", first->text);
    error_at(err, first->file != NULL ? first->file : file, first->line, 0);
    return ERR_FORMAT;
}
