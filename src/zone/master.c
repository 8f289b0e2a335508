/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The zone file parser's frame: sources, includes and reports. master_lexer.c finds the words,
 * master_entry.c makes records of them, master_directive.c follows directives.
 *
 * Sources form a stack, the file that is included on top. A file that is on the stack already (by
 * device and inode, whatever its name) is refused at once; the depth is bounded besides. A regular
 * file must have the same size and time of change when it ends as when it was opened: a zone file
 * that is being copied over while we read it is an error, never half a zone.
 *
 * Every report names file, line and column; the first error is the caller's struct error as well.
 */
#include "zone/master.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "zone/master_impl.h"

enum { DEFAULT_MAX_ERRORS = 20, DEFAULT_MAX_DEPTH = 16 };

/* Findings go to logs and terminals, the words in them come from anybody. */
static void make_printable(char *text)
{
    for (char *p = text; *p != '\0'; p++) {
        if ((uint8_t)*p < ' ' || (uint8_t)*p >= 0x7f) {
            *p = '?';
        }
    }
}

const char *master_show(const struct token *word, char out[64])
{
    int size = word->size < 40 ? (int)word->size : 40;
    snprintf(out, 64, "\"%.*s%s\"", size, word->data, word->size > 40 ? "..." : "");
    make_printable(out);
    return out;
}

static void report(struct master *m, enum finding_code code, enum finding_severity severity,
                   uint32_t line, uint32_t column, const char *text)
{
    struct finding finding = {
        .code = code,
        .severity = severity,
        .file = m->source->file,
        .line = line,
        .column = column,
        .text = text,
    };
    if (m->report != NULL) {
        m->report(m->report_context, &finding);
    }
}

static void fail(struct master *m, enum result code, enum finding_code finding, uint32_t line,
                 uint32_t column, const char *text)
{
    if (m->result == OK) {
        m->result = code;
        error_set(m->err, code, "%s", text);
        error_at(m->err, m->source->file, line, column);
    }
    report(m, finding, FINDING_ERROR, line, column, text);
    m->error_count++;
    if (m->error_count >= m->max_errors && !m->is_stopped) {
        m->is_stopped = true;
        if (m->max_errors > 1) {
            char more[64];
            snprintf(more, sizeof(more), "stopped after %u errors", m->error_count);
            report(m, FINDING_LIMIT, FINDING_INFO, line, 0, more);
        }
    }
}

void master_fail(struct master *m, enum finding_code code, const char *at, const char *format, ...)
{
    char text[400];
    uint32_t line;
    uint32_t column;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    make_printable(text);
    master_lexer_locate(&m->source->lexer, at, &line, &column);
    fail(m, code == FINDING_LIMIT ? ERR_LIMIT : ERR_FORMAT, code, line, column, text);
}

void master_warn(struct master *m, enum finding_code code, const char *at, const char *format, ...)
{
    char text[400];
    uint32_t line;
    uint32_t column;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    make_printable(text);
    master_lexer_locate(&m->source->lexer, at, &line, &column);
    report(m, code, FINDING_WARNING, line, column, text);
}

void master_fail_scratch(struct master *m, const char *at)
{
    struct error copy = m->scratch;
    m->scratch = (struct error){0};
    master_fail(m, copy.code == ERR_LIMIT ? FINDING_LIMIT : FINDING_SYNTAX, at, "%s", copy.text);
}

void master_read_source(struct master *m, struct master_source *source)
{
    source->outer = m->source;
    m->source = source;
    struct master_lexer *lexer = &source->lexer;
    m->owner_text_size = 0;
    enum lexer_step step;
    do {
        step = master_lexer_next(lexer);
        if (UNLIKELY(lexer->has_bom)) {
            lexer->has_bom = false;
            report(m, FINDING_SYNTAX, FINDING_WARNING, 1, 1,
                   "found a UTF-8 byte order mark at the start of the file; it is skipped");
        }
        switch (step) {
        case LEXER_ENTRY:
            if (UNLIKELY(!lexer->starts_blank && lexer->tokens[0].size > 0 &&
                         lexer->tokens[0].data[0] == '$' && !lexer->tokens[0].quoted)) {
                master_directive(m);
            } else {
                master_take_record(m);
            }
            break;
        case LEXER_FATAL:
            m->max_errors = m->error_count + 1;
            fail(m, lexer->bad_code, FINDING_SYNTAX, lexer->bad_line, lexer->bad_column,
                 lexer->bad_text);
            break;
        case LEXER_BAD:
            fail(m, lexer->bad_code, FINDING_SYNTAX, lexer->bad_line, lexer->bad_column,
                 lexer->bad_text);
            break;
        case LEXER_END:
            break;
        }
    } while (step != LEXER_END && !m->is_stopped);
    m->owner_text_size = 0;
    m->source = source->outer;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_unchanged(const struct stat *a, const struct stat *b)
{
    return !S_ISREG(a->st_mode) ||
           (a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
            a->st_mtim.tv_nsec == b->st_mtim.tv_nsec);
}

static enum result open_source(struct master_source *source, const char *path, struct error *err)
{
    *source = (struct master_source){.file = path, .fd = -1};
    source->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (source->fd < 0) {
        return error_set_os(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot open '%s'",
                            path);
    }
    if (fstat(source->fd, &source->stat) != 0) {
        return error_set_os(err, ERR_IO, "cannot look at '%s'", path);
    }
    if (S_ISDIR(source->stat.st_mode)) {
        return error_set(err, ERR_IO, "'%s' is a directory, expected a file", path);
    }
    return OK;
}

/* Nobody was writing the file, and nothing came between the parts of it. A load of a hundred thousand
 * small files is mostly system calls: this one is saved. */
static bool is_surely_whole(const struct master *m, const struct master_source *source)
{
    return source->lexer.is_one_piece && m->options->quiet_before_s != 0 &&
           source->stat.st_mtim.tv_sec < m->options->quiet_before_s;
}

/* A copy of half a file must not become a zone: whoever writes it while we read is caught here. */
static void read_open_source(struct master *m, struct master_source *source)
{
    bool is_file = S_ISREG(source->stat.st_mode);
    master_lexer_init_fd(&source->lexer, source->fd, is_file ? (size_t)source->stat.st_size : 0);
    master_read_source(m, source);
    struct stat after;
    if (!m->is_stopped && !is_surely_whole(m, source) &&
        (fstat(source->fd, &after) != 0 || !is_unchanged(&source->stat, &after))) {
        struct master_source *inner = m->source;
        m->source = source;
        m->max_errors = m->error_count + 1;
        fail(m, ERR_IO, FINDING_SYNTAX, 0, 0, "the file changed while it was read; try again");
        m->source = inner;
    }
    master_lexer_deinit(&source->lexer);
}

void master_include(struct master *m, const char *path, const char *at)
{
    unsigned limit =
        m->options->max_include_depth == 0 ? DEFAULT_MAX_DEPTH : m->options->max_include_depth;
    unsigned depth = 0;
    for (const struct master_source *s = m->source; s != NULL; s = s->outer) {
        depth++;
    }
    if (depth > limit) {
        master_fail(m, FINDING_LIMIT, at, "$INCLUDE nests deeper than %u files", limit);
        return;
    }
    struct master_source source;
    enum result opened = open_source(&source, path, &m->scratch);
    if (m->options->on_include != NULL) {
        m->options->on_include(m->options->include_context, path,
                               opened == OK ? &source.stat : NULL);
    }
    if (opened != OK) {
        master_fail_scratch(m, at);
        goto done;
    }
    source.file = arena_strdup(&m->names, path);
    for (const struct master_source *s = m->source; s != NULL; s = s->outer) {
        if (s->fd >= 0 && is_same_file(&s->stat, &source.stat)) {
            master_fail(m, FINDING_SYNTAX, at, "the file '%s' includes itself", path);
            goto done;
        }
    }
    read_open_source(m, &source);
done:
    if (source.fd >= 0) {
        close(source.fd);
    }
}

/* All but the room for rdata, which is large and needs no zeros. */
static void master_init(struct master *m, const char *directory,
                        const struct master_options *options, master_record *on_record,
                        void *context, finding_report *reporter, void *report_context,
                        struct error *err)
{
    memset(m, 0, offsetof(struct master, rdata));
    m->options = options;
    m->directory = directory;
    m->on_record = on_record;
    m->context = context;
    m->report = reporter;
    m->report_context = report_context;
    m->err = err;
    m->max_errors = options->max_errors == 0 ? DEFAULT_MAX_ERRORS : options->max_errors;
    name_copy(&m->origin, options->origin);
    arena_init(&m->names, 0);
}

enum result master_parse_file(const char *path, const char *directory,
                              const struct master_options *options, master_record *on_record,
                              void *context, finding_report *reporter, void *report_context,
                              struct error *err)
{
    struct master_source source;
    enum result result = open_source(&source, path, err);
    if (result == OK) {
        struct master m;
        if (options->out_stat != NULL) {
            *options->out_stat = source.stat;
        }
        master_init(&m, directory, options, on_record, context, reporter, report_context, err);
        read_open_source(&m, &source);
        result = m.result;
        arena_deinit(&m.names);
    }
    if (source.fd >= 0) {
        close(source.fd);
    }
    return result;
}

enum result master_parse_text(struct slice text, const char *name, const char *directory,
                              const struct master_options *options, master_record *on_record,
                              void *context, finding_report *reporter, void *report_context,
                              struct error *err)
{
    struct master_source source = {.file = name, .fd = -1};
    struct master m;
    master_init(&m, directory, options, on_record, context, reporter, report_context, err);
    master_lexer_init_text(&source.lexer, text);
    master_read_source(&m, &source);
    master_lexer_deinit(&source.lexer);
    arena_deinit(&m.names);
    return m.result;
}
