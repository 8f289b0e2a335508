/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From the text of a zone file to entries: the words of one record or directive, with parentheses,
 * comments and quotes resolved. What the words mean is master.c's business.
 */
#ifndef ZONE_MASTER_LEXER_IMPL_H
#define ZONE_MASTER_LEXER_IMPL_H

#include "base/error.h"
#include "base/slice.h"
#include "wire/rdata.h"

enum lexer_step {
    LEXER_ENTRY, /* `tokens` hold an entry with at least one word */
    LEXER_END,   /* the text is over */
    LEXER_BAD,   /* a lexical error: bad_* say where and what; the next call goes on behind it */
    LEXER_FATAL, /* as LEXER_BAD, but there is no use in going on (a binary file, a read error) */
};

struct master_lexer;

/* The entry of the line at the cursor, where that holds nothing but words and blanks; false: look at
 * it octet by octet. */
typedef bool master_plain_line(struct master_lexer *lexer);
/* The way of this processor, or NULL: it has none. */
master_plain_line *master_lexer_plain(void);

struct master_lexer {
    /* The entry. Tokens point into the window and are valid until the next call. */
    struct token *tokens;
    size_t count;
    uint32_t entry_line;
    bool starts_blank; /* the entry's first line starts with a blank: no owner given */
    bool has_pairs;    /* some token has the form key="value", quotes included */
    bool has_bom;      /* the text began with a UTF-8 byte order mark, which was skipped */

    /* What a LEXER_BAD or LEXER_FATAL is about. */
    enum result bad_code;
    uint32_t bad_line;
    uint32_t bad_column;
    char bad_text[320];

    /* The rest belongs to the lexer. */
    int fd;            /* -1: the text comes from `rest` */
    struct slice rest; /* what is still to be copied into the window */
    char *window;
    size_t window_size; /* room for text; LEXER_PADDING zero octets follow the text */
    const char *entry;  /* first octet of the entry; always at the start of a line */
    const char *entry_end;
    const char *cursor; /* the next entry starts here */
    const char *limit;  /* end of the text in the window; *limit is NUL */
    const char *open;   /* the outermost parenthesis that is open, or NULL */
    uint32_t line;      /* of the cursor */
    bool is_last;       /* no text follows that in the window */
    size_t expected;    /* octets of the file; 0: not known */
    size_t read_count;  /* octets that came from it */
    bool is_one_piece;  /* one read gave as many octets as were expected */
    size_t token_room;
    master_plain_line *plain; /* may be NULL */
};

/* `fd` is borrowed until deinit, read from where it stands. `expected`: octets that a regular file
 * has there, which saves the read that finds its end, and most of the window where they are few; 0:
 * not known. */
void master_lexer_init_fd(struct master_lexer *lexer, int fd, size_t expected);
/* `text` is borrowed until deinit. */
void master_lexer_init_text(struct master_lexer *lexer, struct slice text);
/* Another text for a lexer of texts; its memory is used again. */
void master_lexer_restart_text(struct master_lexer *lexer, struct slice text);
void master_lexer_deinit(struct master_lexer *lexer); /* safe on a zeroed one */

enum lexer_step master_lexer_next(struct master_lexer *lexer);

/* Where `at` (in the present entry, or its end) stands; lines and columns count from 1, columns in
 * octets. O(size of the entry). */
void master_lexer_locate(const struct master_lexer *lexer, const char *at, uint32_t *out_line,
                         uint32_t *out_column);
/* Where the word that is missing at the end of the entry should stand. */
const char *master_lexer_entry_end(const struct master_lexer *lexer);
/*
 * Makes key="value" two words again, as every type but SVCB and its kin reads it. Tokens before
 * `first` stay.
 */
void master_lexer_split_pairs(struct master_lexer *lexer, size_t first);

#endif
