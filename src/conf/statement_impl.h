/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of statements, and walking a block by it. To add a statement: an id in conf.h, a row in
 * statement_table.c, and an accessor if its value is of a new kind.
 */
#ifndef CONF_STATEMENT_IMPL_H
#define CONF_STATEMENT_IMPL_H

#include "conf/cursor_impl.h"

/* Where a statement may stand; bits. */
enum context {
    IN_TOP = 1 << 0,
    IN_OPTIONS = 1 << 1,
    IN_PRIMARY = 1 << 2,   /* zone { type primary; } */
    IN_SECONDARY = 1 << 3, /* zone { type secondary; } */
    IN_HINT = 1 << 4,      /* zone { type hint; } */
    IN_SERVER = 1 << 5,
    IN_KEY = 1 << 6,
    IN_TLS = 1 << 7,
    IN_LOGGING = 1 << 8,
    IN_CHANNEL = 1 << 9,
    IN_RATE_LIMIT = 1 << 10,
    IN_CONTROLS = 1 << 11,
    IN_STATISTICS = 1 << 12,
};

/* What becomes of a statement that is understood. */
enum state {
    WORKS,
    LATER,       /* accepted; a later version makes it work; named in one notice at start */
    UNUSED_HERE, /* accepted; has no meaning for an authoritative server */
    NOTED,       /* as WORKS, with a warning: the row's note */
    ONLY_YES,    /* does what `yes` says, whatever it says; where that is not yes, a warning */
    ONLY_NO,     /* accepted where it says no; otherwise an error with the row's note */
    REFUSED,     /* an error with the row's note */
};

struct row;

/* Reads the value behind the word into `out` (id and where are set). False after an error. */
typedef bool parse_value(struct cursor *cursor, const struct row *row, struct conf_setting *out);

struct keyword {
    const char *word;
    int number;
};

struct row {
    const char *name;
    unsigned contexts;
    parse_value *parse;
    enum conf_id id; /* CONF_NONE: nothing is kept (the parser has done all there is to do) */
    enum state state;
    bool many;        /* may stand several times in one block */
    int64_t min, max; /* numbers; max 0: no bound */
    bool clamp; /* out of that range: a warning, and the nearest in it is taken, as BIND does */
    const struct keyword *words; /* ended by a NULL word */
    const char *fallback;        /* the default, as it would be written */
    const char *note;            /* for NOTED, ONLY_YES, ONLY_NO, REFUSED */
};

/* Sorted by name without case. */
extern const struct row statement_table[];
extern const unsigned statement_count;

/* The row for a word in a context, or NULL. */
const struct row *statement_find(const char *word, unsigned context);
/* "in `options`", "in a primary or secondary zone". */
const char *context_text(unsigned contexts, char *out, size_t size);

/* All statements of a block; settings (struct conf_setting) are added to `settings`, which may be
 * NULL where the context has none. */
void block_read(const struct cursor *cursor, const struct block *block, unsigned context,
                struct list *settings);
void statement_read(struct loader *loader, const struct statement *statement, unsigned context,
                    enum conf_zone_type zone_type, struct list *settings);
/* The last setting with this id, or NULL. */
const struct conf_setting *settings_find(const struct list *settings, enum conf_id id);

/* "expected one of a, b, c" with the nearest of them. */
void keyword_error(const struct cursor *cursor, const struct item *item,
                   const struct keyword *words);
bool keyword_parse(struct cursor *cursor, const struct keyword *words, int *out);

/* value.c */
parse_value parse_anything; /* whatever follows */
parse_value parse_bool;
parse_value conf_parse_number;
parse_value parse_seconds; /* 30, 10m, 1h30m, PT1H, unlimited where max is CONF_UNLIMITED */
parse_value parse_minutes; /* a bare number counts minutes */
parse_value parse_tenths;  /* a bare number counts tenths of a second; the value is in ms */
parse_value parse_size;    /* 10M, unlimited, default */
parse_value parse_percent; /* 50%, unlimited */
parse_value parse_word;    /* one of row->words */
parse_value parse_bool_or_word;
parse_value parse_text;
parse_value parse_text_or_none;
parse_value parse_path;
parse_value parse_path_or_none;
parse_value parse_source4; /* an address or "*" */
parse_value parse_source6;
parse_value parse_check_names;
parse_value parse_print_time;
parse_value parse_empty_block; /* for ONLY_NO: number is 1 where the block has something */
parse_value parse_unless_none; /* for ONLY_NO: number is 1 unless it is none, off or insecure */
/* acl_parse.c */
parse_value parse_acl;
parse_value parse_transfer_acl;
parse_value parse_acl_definition;
parse_value parse_listen;
/* remotes_parse.c */
parse_value parse_remotes;
parse_value parse_remotes_definition;
/* zone_block.c */
parse_value parse_options;
parse_value parse_zone;
parse_value parse_zone_type;
parse_value parse_checker;
/* key_block.c */
parse_value parse_key;
parse_value parse_keys;
parse_value parse_server;
/* tls_block.c */
parse_value parse_tls;
parse_value parse_protocols;
parse_value parse_pin;
parse_value parse_response_padding;
/* control_block.c */
parse_value parse_controls;
parse_value parse_control_inet;
parse_value parse_control_unix;
parse_value parse_statistics;
parse_value parse_statistics_inet;
/* logging_block.c */
parse_value parse_logging;
parse_value parse_channel;
parse_value parse_category;
parse_value parse_channel_file;
parse_value parse_channel_severity;
parse_value parse_channel_syslog;
parse_value parse_flag; /* the word alone */
/* policy.c */
parse_value parse_update_policy;
parse_value parse_rate_limit;
parse_value parse_cookie_secret;

/* tls_block.c, for others: behind the word `tls` of a server; the name to refer to. */
struct tls_use {
    const char *name;
    struct conf_where where;
};
bool tls_read_use(struct cursor *cursor, struct tls_use *out);

/* acl_parse.c, for others: the list between braces, kept and resolved later. NULL after an error.
 */
struct acl *acl_read(struct cursor *cursor);

#endif
