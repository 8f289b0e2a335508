/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole way from a zone file to a version fit to serve: parse, build, check.
 *
 * All errors are to be seen at once, so a record that the builder refuses (a second SOA, another
 * CNAME) is reported and the parse goes on; only a limit, or too many of them, ends it. The file's
 * names are kept here until the builder is gone, since it borrows them for its findings.
 */
#include "base/memory.h"
#include "zone/builder.h"
#include "zone/check.h"
#include "zone/check_report_impl.h"
#include "zone/master.h"

enum { MAX_REFUSED = 20 };

struct load {
    struct builder *builder;
    finding_report *report; /* may be NULL */
    void *report_context;
    uint64_t errors;          /* findings of severity FINDING_ERROR that passed by */
    uint32_t refused_count;   /* records that the builder did not take ... */
    enum result refused;      /* ... what the first was called */
    struct error first;       /* ... and what was said of it */
    struct check_report late; /* findings that wait for their lines */
    const char *path;
    struct arena names;
    const char *file; /* as the parser named it last */
    const char *file_copy;
};

/* The type that a finding of the builder is about, where that can be told; 0: it cannot. */
static uint16_t type_of(enum finding_code code)
{
    return code == FINDING_SEVERAL_SOA                                        ? TYPE_SOA
           : code == FINDING_SEVERAL_DNAME                                    ? TYPE_DNAME
           : code == FINDING_SEVERAL_CNAME || code == FINDING_CNAME_AND_OTHER ? TYPE_CNAME
                                                                              : 0;
}

/*
 * All findings come through here, so it is known whether one was told already. What the builder
 * says at its end about an owner that stands in several places has no line; it waits for one.
 */
static void pass_on(void *context, const struct finding *finding)
{
    struct load *load = context;
    struct finding complete = *finding;
    load->errors += finding->severity == FINDING_ERROR;
    if (finding->line == 0 && finding->owner != NULL && type_of(finding->code) != 0) {
        struct slice owner =
            arena_copy(&load->names, slice_of(finding->owner, name_size(finding->owner)));
        struct record record = {.owner = owner.data, .type = type_of(finding->code)};
        check_report_note(&load->late, finding->code, finding->severity, &record, "%s",
                          finding->text);
        return;
    }
    if (complete.file == NULL) {
        complete.file = load->path;
    }
    if (load->report != NULL) {
        load->report(load->report_context, &complete);
    }
}

static enum finding_code code_of(const struct record *record, enum result result)
{
    if (result == ERR_LIMIT) {
        return FINDING_LIMIT;
    }
    if (record != NULL && record->type == TYPE_SOA) {
        return FINDING_SEVERAL_SOA;
    }
    if (record != NULL && record->type == TYPE_DNAME) {
        return FINDING_SEVERAL_DNAME;
    }
    return record != NULL && record->type == TYPE_CNAME ? FINDING_SEVERAL_CNAME : FINDING_SYNTAX;
}

/* The builder said no. It may have reported why; somebody has to. */
static void tell(struct load *load, uint64_t errors_before, enum finding_code code, uint32_t line,
                 const struct error *err)
{
    if (load->errors != errors_before) {
        return;
    }
    struct finding finding = {
        .code = code,
        .severity = FINDING_ERROR,
        .file = load->file_copy,
        .line = line,
        .text = err->text,
    };
    pass_on(load, &finding);
}

static enum result take_record(void *context, const struct record *record, const char *file,
                               uint32_t line, struct error *err)
{
    struct load *load = context;
    if (UNLIKELY(file != load->file)) {
        load->file = file; /* the path outlives the builder as it is */
        load->file_copy = file == load->path ? file : arena_strdup(&load->names, file);
    }
    uint64_t errors = load->errors;
    enum result result = builder_add(load->builder, record, load->file_copy, line, err);
    if (LIKELY(result == OK) || result == ERR_NOT_FOUND) {
        return result;
    }
    tell(load, errors, code_of(record, result), line, err);
    error_at(err, load->file_copy, line, 0);
    if (load->refused == OK) {
        load->refused = result;
        load->first = *err;
    }
    if (result == ERR_LIMIT || ++load->refused_count == MAX_REFUSED) {
        return result;
    }
    *err = (struct error){0};
    return OK;
}

static enum result build(struct load *load, const struct zone_load_options *options,
                         struct zone_version *base, struct zone_version **out,
                         struct delta **out_delta, struct error *err)
{
    if (base != NULL) {
        builder_set_base(load->builder, base);
    }
    struct master_options master = {
        .origin = options->name,
        .class = options->class,
        .on_include = options->on_include,
        .include_context = options->include_context,
        .out_stat = options->out_stat,
        .quiet_before_s = options->quiet_before_s,
    };
    enum result result = master_parse_file(options->path, options->directory, &master, take_record,
                                           load, pass_on, load, err);
    if (result != OK) {
        return result;
    }
    if (load->refused != OK) {
        error_set(err, load->refused, "%s", load->first.text);
        error_at(err, load->first.file, load->first.line, load->first.column);
        return load->refused;
    }
    uint64_t errors = load->errors;
    result = builder_finish(load->builder, base, out, out_delta, err);
    if (result != OK) {
        struct error copy = {0};
        tell(load, errors, code_of(NULL, result), 0, err == NULL ? &copy : err);
    }
    return result;
}

enum result zone_load_file(const struct zone_load_options *options, struct zone_version *base,
                           struct zone_version **out, struct delta **out_delta,
                           finding_report *report, void *report_context, struct error *err)
{
    struct error own = {0};
    struct error *e = err != NULL ? err : &own;
    struct load own_load = {0};
    struct load *load = &own_load;
    load->report = report;
    load->report_context = report_context;
    arena_init(&load->names, 0);
    check_report_init(&load->late, options->name, options->class);
    load->path = options->path;
    load->file_copy = options->path;
    struct builder_options builder_options = {
        .max_records = options->max_records,
        .max_records_per_type = options->max_records_per_type,
        .max_types_per_name = options->max_types_per_name,
    };
    load->builder = builder_new(options->name, options->class, &builder_options, pass_on, load);
    struct zone_version *version = NULL;
    struct delta *delta = NULL;
    enum result result = build(load, options, base, &version, &delta, e);
    struct error late = {0};
    if (check_report_send(&load->late, options->path, options->directory, report, report_context,
                          &late) != OK) {
        error_at(e, late.file, late.line, 0);
    }
    if (result == OK) {
        struct check_options check = options->check;
        check.file = options->path;
        check.directory = options->directory;
        result = zone_check(version, &check, report, report_context, e);
    }
    if (result == OK) {
        *out = version;
        version = NULL;
        if (out_delta != NULL) {
            *out_delta = delta;
            delta = NULL;
        }
    } else {
        error_at(e, options->path, 0, 0);
    }
    zone_version_unref(version);
    delta_free(delta);
    builder_free(load->builder);
    check_report_deinit(&load->late);
    arena_deinit(&load->names);
    return result;
}
