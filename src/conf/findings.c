/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading goes on after a mistake, and names are looked up only once everything has been read, so
 * mistakes are not found in the order of the text. They are kept, sorted by file, line and column,
 * and only then handed on. A file of nonsense must not fill memory: only so many are kept.
 */
#include "conf/findings_impl.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct noted {
    struct conf_finding finding;
    unsigned file;
    unsigned order;
};

void findings_init(struct findings *findings, struct arena *names)
{
    *findings = (struct findings){.names = names};
    arena_init(&findings->arena, 0);
}

void findings_deinit(struct findings *findings)
{
    memory_free(findings->noted);
    memory_free(findings->files);
    arena_deinit(&findings->arena);
    *findings = (struct findings){0};
}

const char *findings_add_file(struct findings *findings, const char *name)
{
    if (name == NULL) {
        return NULL;
    }
    if (findings->file_count == findings->file_capacity) {
        findings->file_capacity = findings->file_capacity == 0 ? 8 : findings->file_capacity * 2;
        findings->files =
            memory_resize(findings->files, findings->file_capacity * sizeof(*findings->files));
    }
    const char *copy = arena_strdup(findings->names, name);
    findings->files[findings->file_count++] = copy;
    return copy;
}

void findings_note(struct findings *findings, enum conf_severity severity, struct conf_where where,
                   const char *format, ...)
{
    if (severity == CONF_ERROR) {
        findings->errors++;
    }
    if (findings->count == FINDINGS_MAX) {
        findings->left_out += severity == CONF_ERROR;
        return;
    }
    if (findings->count == findings->capacity) {
        findings->capacity = findings->capacity == 0 ? 16 : findings->capacity * 2;
        findings->noted =
            memory_resize(findings->noted, findings->capacity * sizeof(*findings->noted));
    }
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    for (char *p = text; *p != '\0'; p++) {
        *p = iscntrl((unsigned char)*p) ? '?' : *p;
    }
    unsigned file = 0;
    while (file < findings->file_count && findings->files[file] != where.file) {
        file++;
    }
    unsigned order = findings->count++;
    findings->noted[order] = (struct noted){
        .finding = {severity, where, arena_strdup(&findings->arena, text)},
        .file = file,
        .order = order,
    };
}

static int compare_noted(const void *a, const void *b)
{
    const struct noted *x = a;
    const struct noted *y = b;
    if (x->file != y->file) {
        return x->file < y->file ? -1 : 1;
    }
    if (x->finding.where.line != y->finding.where.line) {
        return x->finding.where.line < y->finding.where.line ? -1 : 1;
    }
    if (x->finding.where.column != y->finding.where.column) {
        return x->finding.where.column < y->finding.where.column ? -1 : 1;
    }
    return x->order < y->order ? -1 : 1;
}

bool findings_send(struct findings *findings, unsigned errors_max, conf_report *report,
                   void *context, struct error *err)
{
    unsigned sent = 0;
    unsigned held = findings->left_out;
    const struct conf_finding *last = NULL;
    if (findings->count > 1) {
        qsort(findings->noted, findings->count, sizeof(*findings->noted), compare_noted);
    }
    for (unsigned i = 0; i < findings->count; i++) {
        const struct conf_finding *finding = &findings->noted[i].finding;
        if (finding->severity == CONF_ERROR) {
            if (sent == errors_max) {
                held++;
                continue;
            }
            if (sent++ == 0) {
                error_set(err, ERR_FORMAT, "%s", finding->text);
                error_at(err, finding->where.file, finding->where.line, finding->where.column);
            }
            last = finding;
        }
        if (report != NULL) {
            report(context, finding);
        }
    }
    if (held != 0 && last != NULL && report != NULL) {
        char text[64];
        snprintf(text, sizeof(text), "%u more errors are not shown", held);
        struct conf_finding more = {CONF_ERROR, {last->where.file, 0, 0}, text};
        report(context, &more);
    }
    return findings->errors != 0;
}

const char *quoted_text(const char *text, char out[QUOTED_TEXT_SIZE])
{
    size_t at = 0;
    for (; *text != '\0' && at < 60; text++) {
        out[at++] = (unsigned char)*text >= 0x80 || isprint((unsigned char)*text) ? *text : '?';
    }
    if (*text != '\0') {
        memcpy(out + at, "...", 3);
        at += 3;
    }
    out[at] = '\0';
    return out;
}
