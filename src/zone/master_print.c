/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Zone files written: what master.c reads back to the same records, and people read as well.
 *
 *   ; example.com. serial 7, 42 records       a comment, for people
 *   $ORIGIN example.com.
 *   @       3600  IN  SOA  ...                the SOA first, then canonical order (RFC 4034 6.1)
 *           3600  IN  NS   ns1.example.com.   an owner once, blanks for its further records
 *   www     300   IN  A    192.0.2.1
 *
 * Owners are relative to $ORIGIN (in the full style each line has its own, absolute, and there is no
 * $ORIGIN); names in rdata are absolute, since a relative one would not say
 * what it means when the line is quoted elsewhere. Every record carries its TTL.
 *
 * Durable: the text goes to a new file beside the old one, is synced, takes the old one's name, and
 * the directory is synced. Whoever looks sees the old file or the new one, whole. The new file's
 * name is fixed, so that a crash leaves one stray file at most, which the next write removes; it is
 * made with O_EXCL and O_NOFOLLOW, so nobody can have it lead elsewhere.
 */
#include "zone/master.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/rdata.h"
#include "zone/master_impl.h"

enum { WRITE_SIZE = 256 * 1024, FILE_MODE = 0644 };

static const char *const new_suffix = ".lockstep-new";

/* Every record has a number; printf would take a third of the time of writing a zone. */
static void print_number(uint32_t number, struct text *out)
{
    char digits[10];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    text_add(out, digits + at, sizeof(digits) - at);
}

void master_print_tail(const struct record *record, struct text *out)
{
    char name[16];
    text_add_char(out, '\t');
    print_number(record->ttl, out);
    if (record->class == CLASS_IN) {
        text_add(out, "\tIN\t", 4);
    } else {
        text_add_char(out, '\t');
        text_add_str(out, rrclass_format(record->class, name));
        text_add_char(out, '\t');
    }
    const struct rrtype *type = rrtype_get(record->type);
    text_add_str(out, type->name[0] != '\0' ? type->name : rrtype_format(record->type, name));
    text_add_char(out, '\t');
    rdata_format(record->type, record->rdata, out);
    text_add_char(out, '\n');
}

void master_print_record(const struct record *record, struct text *out)
{
    char owner[NAME_TEXT_SIZE];
    text_add_str(out, name_format(record->owner, owner));
    master_print_tail(record, out);
}

/* The owner as it is written below $ORIGIN `apex`, which it is in. */
static void print_owner(const uint8_t *owner, const uint8_t *apex, struct text *out)
{
    char text[NAME_TEXT_SIZE];
    unsigned labels = name_label_count(owner) - name_label_count(apex);
    if (labels == 0) {
        text_add_char(out, '@');
        return;
    }
    /* The text of the labels above the apex: a name of its own, less the final dot. */
    struct name relative;
    size_t size = (size_t)(name_skip_labels(owner, labels) - owner);
    memcpy(relative.wire, owner, size);
    relative.wire[size] = 0;
    name_format(relative.wire, text);
    text_add(out, text, strlen(text) - 1);
}

static void print_full_owner(const uint8_t *owner, struct text *out)
{
    char text[NAME_TEXT_SIZE];
    text_add_str(out, name_format(owner, text));
}

struct writer {
    enum master_style style;
    int fd; /* -1: the text stays where it is */
    struct text text;
};

static enum result flush(struct writer *w, const char *path, struct error *err)
{
    if (w->fd < 0) {
        return OK;
    }
    const char *p = text_str(&w->text);
    size_t left = w->text.size;
    while (left > 0) {
        ssize_t size = write(w->fd, p, left);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0) {
            return error_set_os(err, ERR_IO, "cannot write '%s'", path);
        }
        p += size;
        left -= (size_t)size;
    }
    text_reset(&w->text);
    return OK;
}

static enum result write_owner(struct writer *w, const struct zone_version *version,
                               const struct owner *owner, const char *path, struct error *err)
{
    const uint8_t *apex = zone_version_name(version);
    bool is_apex = owner == zone_version_apex(version);
    bool is_first = !is_apex; /* the apex' name went with the SOA */
    struct owner_walk walk = {0};
    struct record record;
    while (owner_next_record(owner, &walk, &record)) {
        if (is_apex && record.type == TYPE_SOA) {
            continue;
        }
        if (w->style == MASTER_FULL) {
            print_full_owner(record.owner, &w->text);
        } else if (is_first) {
            print_owner(record.owner, apex, &w->text);
            is_first = false;
        }
        master_print_tail(&record, &w->text);
        if (w->text.size >= WRITE_SIZE) {
            enum result result = flush(w, path, err);
            if (result != OK) {
                return result;
            }
        }
    }
    return OK;
}

static enum result write_zone(struct writer *w, const struct zone_version *version,
                              const char *path, struct error *err)
{
    char name[NAME_TEXT_SIZE];
    name_format(zone_version_name(version), name);
    text_printf(&w->text, "; %s serial %u, %llu records\n", name,
                zone_version_serial(version).value,
                (unsigned long long)zone_version_record_count(version));
    if (w->style == MASTER_RELATIVE) {
        text_printf(&w->text, "$ORIGIN %s\n", name);
    }
    struct owner_walk walk = {0};
    struct record record;
    while (owner_next_record(zone_version_apex(version), &walk, &record)) {
        if (record.type == TYPE_SOA) {
            text_add_str(&w->text, w->style == MASTER_FULL ? name : "@");
            master_print_tail(&record, &w->text);
        }
    }
    struct zone_cursor cursor;
    for (zone_cursor_first(&cursor, version); cursor.owner != NULL; zone_cursor_next(&cursor)) {
        enum result result = write_owner(w, version, cursor.owner, path, err);
        if (result != OK) {
            return result;
        }
    }
    return flush(w, path, err);
}

void master_print_zone(const struct zone_version *version, enum master_style style,
                       struct text *out)
{
    struct writer w = {.style = style, .fd = -1, .text = *out};
    REQUIRE(write_zone(&w, version, "", NULL) == OK);
    *out = w.text;
}

/* The directory that `path` stands in. */
static enum result sync_directory(const char *path, struct error *err)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        snprintf(directory, sizeof(directory), ".");
    } else {
        int size = slash == path ? 1 : (int)(slash - path);
        snprintf(directory, sizeof(directory), "%.*s", size, path);
    }
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return error_set_os(err, ERR_IO, "cannot open the directory '%s'", directory);
    }
    enum result result = OK;
    if (fsync(fd) != 0) {
        result = error_set_os(err, ERR_IO, "cannot sync the directory '%s'", directory);
    }
    close(fd);
    return result;
}

static enum result write_file(const struct zone_version *version, enum master_style style,
                              const char *path, bool syncs, struct error *err)
{
    char fresh[PATH_MAX];
    int size = snprintf(fresh, sizeof(fresh), "%s%s", path, new_suffix);
    if (size < 0 || (size_t)size >= sizeof(fresh)) {
        return error_set(err, ERR_IO, "the path '%.80s...' is too long", path);
    }
    static const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    struct writer w = {.style = style, .fd = open(fresh, flags, FILE_MODE)};
    if (w.fd < 0 && errno == EEXIST) { /* left over */
        if (unlink(fresh) != 0 && errno != ENOENT) {
            return error_set_os(err, ERR_IO, "cannot remove '%s'", fresh);
        }
        w.fd = open(fresh, flags, FILE_MODE);
    }
    if (w.fd < 0) {
        return error_set_os(err, ERR_IO, "cannot create '%s'", fresh);
    }
    text_init(&w.text, 0);
    enum result result = write_zone(&w, version, fresh, err);
    text_deinit(&w.text);
    if (result == OK && syncs && fsync(w.fd) != 0) {
        result = error_set_os(err, ERR_IO, "cannot sync '%s'", fresh);
    }
    if (close(w.fd) != 0 && result == OK) {
        result = error_set_os(err, ERR_IO, "cannot close '%s'", fresh);
    }
    if (result == OK && rename(fresh, path) != 0) {
        result = error_set_os(err, ERR_IO, "cannot rename '%s' to '%s'", fresh, path);
    }
    if (result != OK) {
        unlink(fresh);
        return result;
    }
    return syncs ? sync_directory(path, err) : OK;
}

enum result master_write_fd(const struct zone_version *version, enum master_style style, int fd,
                            const char *name, struct error *err)
{
    struct writer w = {.style = style, .fd = fd};
    text_init(&w.text, 0);
    enum result result = write_zone(&w, version, name, err);
    text_deinit(&w.text);
    return result;
}

enum result master_write_file(const struct zone_version *version, enum master_style style,
                              const char *path, struct error *err)
{
    return write_file(version, style, path, true, err);
}

enum result master_write_copy(const struct zone_version *version, enum master_style style,
                              const char *path, struct error *err)
{
    return write_file(version, style, path, false, err);
}
