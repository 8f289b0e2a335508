/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the entries of a zone file stand in its text. */
#ifndef ZONE_MASTER_LAYOUT_IMPL_H
#define ZONE_MASTER_LAYOUT_IMPL_H

#include "base/error.h"
#include "base/slice.h"

enum layout_kind { LAYOUT_RECORD, LAYOUT_ORIGIN, LAYOUT_INCLUDE, LAYOUT_GENERATE, LAYOUT_OTHER };

/* An entry: whole lines, from the first of its words to the end of the line of the last. */
struct layout_entry {
    size_t start, end; /* octets of the text; the newline is part of it */
    uint32_t line;
    uint32_t origin;   /* which $ORIGIN is in force: entries with the same number have the same */
    uint8_t kind;      /* enum layout_kind */
    bool starts_blank; /* the owner is that of the entry before */
};

struct layout {
    struct slice text; /* borrowed */
    struct layout_entry *entries;
    size_t count, room;
    uint32_t last_origin; /* at the end of the text */
};

/* text  ends with a newline. ERR_FORMAT where it is no zone file. Both ways layout_deinit() is due. */
MUST_CHECK enum result layout_read(struct slice text, struct layout *out, struct error *err);
void layout_deinit(struct layout *layout);

/* The entry that begins in this line, from `*from` on, which moves there; NULL: none does. */
const struct layout_entry *layout_find(const struct layout *layout, size_t *from, uint32_t line);

/* Where the words of a record's entry stand; `end` behind the last, quotes included. */
enum { LAYOUT_WORDS = 16 };
struct layout_word {
    size_t start, end;
};
struct layout_record {
    bool has_owner, has_ttl;
    struct layout_word owner, ttl;
    struct layout_word words[LAYOUT_WORDS]; /* of the rdata, the first ones */
    size_t word_count;                      /* all of them */
    struct layout_word rdata;               /* from the first to the last */
};
/* False: it has no rdata that could be told apart. */
bool layout_record_read(const struct layout *layout, const struct layout_entry *entry,
                        struct layout_record *out);

#endif
