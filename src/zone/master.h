/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Zone files ("master files", RFC 1035 5; RFC 2308 4 for $TTL; RFC 3597): text to record stream and
 * back. The text goes through a small window in one pass; every word is looked at once.
 */
#ifndef ZONE_MASTER_H
#define ZONE_MASTER_H

#include "base/error.h"
#include "base/text.h"
#include "wire/record.h"
#include "zone/finding.h"
#include "zone/version.h"

/* Called for each file that $INCLUDE names: as it was when it was opened, or NULL where it could not
 * be. `path` is borrowed for the call. */
struct stat;
typedef void master_included(void *context, const char *path, const struct stat *stat);

struct master_options {
    const uint8_t *origin;       /* the zone's name; borrowed for the call */
    uint16_t class;              /* records of another class are an error */
    uint32_t default_ttl;        /* where neither $TTL nor an earlier record gives one ... */
    bool has_default_ttl;        /* ... false: that is an error, unless the SOA minimum can serve */
    uint32_t max_errors;         /* stop after so many; 0: 20 */
    uint32_t max_generate;       /* records a $GENERATE may make; 0: 65536 */
    uint32_t max_include_depth;  /* 0: 16; a file that includes itself is an error at once */
    master_included *on_include; /* may be NULL */
    void *include_context;
    struct stat *out_stat; /* gets what the file was when it was opened; may be NULL */
    /* A file last written before this time (seconds since 1970), and read in one piece, is not
     * looked at again for whether it changed meanwhile; 0: every file is. */
    int64_t quiet_before_s;
};

/*
 * Called for each record in file order; borrowed for the call. `file` is one address for one file
 * during a parse, so comparing pointers tells files apart. Anything but OK stops the parse with
 * that result, except ERR_NOT_FOUND: reported as FINDING_OUT_OF_ZONE (a warning), the record dropped.
 */
typedef enum result master_record(void *context, const struct record *record, const char *file,
                                  uint32_t line, struct error *err);

/*
 * Parses the file at `path` ($INCLUDE relative to `directory`, NULL: the working directory).
 * All errors up to max_errors are reported; ERR_FORMAT with the first in `err` when there was one.
 * ERR_NOT_FOUND, ERR_IO: the file cannot be read. Any thread.
 */
MUST_CHECK enum result master_parse_file(const char *path, const char *directory,
                                         const struct master_options *options,
                                         master_record *on_record, void *context,
                                         finding_report *report, void *report_context,
                                         struct error *err);
/* The same from memory; `name` stands for the file in findings. */
MUST_CHECK enum result master_parse_text(struct slice text, const char *name, const char *directory,
                                         const struct master_options *options,
                                         master_record *on_record, void *context,
                                         finding_report *report, void *report_context,
                                         struct error *err);

/*
 * RELATIVE  for people: an owner once, relative to $ORIGIN, blanks for its further records
 * FULL      for tools: each line stands by itself, its owner absolute
 */
enum master_style { MASTER_RELATIVE, MASTER_FULL };

/* The whole zone as master_write_file writes it. */
void master_print_zone(const struct zone_version *version, enum master_style style,
                       struct text *out);
/* One record as one line with newline: owner TTL class type rdata, names absolute. */
void master_print_record(const struct record *record, struct text *out);

/*
 * Writes the version as a readable zone file beside `path` and renames it over it: the SOA first,
 * canonical order, grouped by owner. Durable when it returns OK
 * (fsync of file and directory). ERR_IO.
 */
MUST_CHECK enum result master_write_file(const struct zone_version *version,
                                         enum master_style style, const char *path,
                                         struct error *err);
/* The same into an open descriptor, from where it stands; `name` is what errors call it. ERR_IO. */
MUST_CHECK enum result master_write_fd(const struct zone_version *version, enum master_style style,
                                       int fd, const char *name, struct error *err);
/* The same for a copy of what is durable elsewhere: not synced, so a power failure may take it. */
MUST_CHECK enum result master_write_copy(const struct zone_version *version,
                                         enum master_style style, const char *path,
                                         struct error *err);

#endif
