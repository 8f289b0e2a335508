/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the zone file parser share: the parse under way and how it reports. */
#ifndef ZONE_MASTER_IMPL_H
#define ZONE_MASTER_IMPL_H

#include <sys/stat.h>

#include "base/memory.h"
#include "zone/master.h"
#include "zone/master_lexer_impl.h"

/* A text being read; the innermost $INCLUDE first. */
struct master_source {
    struct master_source *outer;
    const char *file; /* as findings name it; for included files in `names` */
    int fd;           /* -1: text in memory */
    struct stat stat; /* when it was opened; only with an fd */
    struct master_lexer lexer;
};

enum { MASTER_TYPE_CACHE = 64 };

struct master_type {
    uint64_t text; /* the word as written, at most eight octets; 0: free */
    uint16_t number;
    uint8_t flags; /* RRTYPE_… */
    bool has_svc_params;
};

struct master {
    const struct master_options *options;
    const char *directory;
    master_record *on_record;
    void *context;
    finding_report *report; /* may be NULL */
    void *report_context;
    struct error *err;    /* the caller's; gets the first error */
    struct error scratch; /* for one call at a time; cleared when it was used */
    enum result result;   /* code of the first error */
    uint32_t error_count;
    uint32_t max_errors;
    bool is_stopped; /* nothing more is read */

    struct arena names; /* of files; kept to the end, so that each has its own address */
    struct master_source *source;
    struct name origin;
    struct name owner; /* of the last record */
    bool has_owner;
    bool is_owner_bad;        /* records without owner belong to one that could not be read */
    uint32_t owner_text_size; /* 0: the text below says nothing */
    char owner_text[256];     /* how `owner` was written, under `origin` */

    bool has_default_ttl; /* by $TTL, or by the SOA that stood in for one */
    uint32_t default_ttl;
    bool has_last_ttl;
    uint32_t last_ttl; /* of the record before */
    bool has_warned_ttl;

    struct master_type types[MASTER_TYPE_CACHE];
    uint8_t rdata[RDATA_MAX_SIZE]; /* the last member: not zeroed */
};

/* Report about `at`, a place in the present entry. master_fail stops the parse after max_errors. */
void master_fail(struct master *m, enum finding_code code, const char *at, const char *format, ...)
    PRINTF_LIKE(4, 5) COLD;
void master_warn(struct master *m, enum finding_code code, const char *at, const char *format, ...)
    PRINTF_LIKE(4, 5) COLD;
/* As master_fail, with the sentence in `scratch`, which is cleared. */
void master_fail_scratch(struct master *m, const char *at) COLD;
/* For messages: the word, cut where it is long, without what a terminal would act on. */
const char *master_show(const struct token *word, char out[64]);

/* The record in the lexer's present entry. */
void master_take_record(struct master *m);
/* The directive in the lexer's present entry. */
void master_directive(struct master *m);
void master_generate(struct master *m);

/* What follows the owner of a record's line: TTL, class, type, rdata, newline. */
void master_print_tail(const struct record *record, struct text *out);

/* Reads `source` to its end, or until the parse stops. */
void master_read_source(struct master *m, struct master_source *source);
/* Opens the file as the next inner source and reads it. `at`: the word that names it. */
void master_include(struct master *m, const char *path, const char *at);

/* "3600", "1h30m", "1W2D"; false: not a TTL. Values above 2^31 - 1 become 0 with a warning
 * (RFC 2181 8). */
bool master_take_ttl(struct master *m, const struct token *word, uint32_t *out);
/* The TTL of a record that has none, or false (reported at `at`). */
bool master_default_ttl(struct master *m, uint16_t type, struct slice rdata, const char *at,
                        uint32_t *out);
/* A name, with "@"; false: reported. */
bool master_take_name(struct master *m, const struct token *word, const char *at, struct name *out);
/* name_parse for what is common: false means "ask name_parse", nothing else. Up to 16 octets behind
 * the text are read, so it must stand in a lexer's window. `out` is not `origin`. */
bool master_plain_name(const char *text, size_t size, const struct name *origin, struct name *out);
/* The type, or NULL where the word is none. Valid until the next call. */
const struct master_type *master_find_type(struct master *m, const struct token *word);
/* Hands the record to the caller's callback. */
void master_emit(struct master *m, const struct record *record, const char *at);

#endif
