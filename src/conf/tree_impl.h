/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Statements before they mean anything: words, strings and blocks up to a ";". One statement of the
 * top level at a time is handed over and forgotten, so a million zones need no tree of a million.
 */
#ifndef CONF_TREE_IMPL_H
#define CONF_TREE_IMPL_H

#include "base/error.h"
#include "conf/findings_impl.h"

enum item_kind { ITEM_WORD, ITEM_QUOTED, ITEM_NOT, ITEM_BLOCK };

struct item {
    enum item_kind kind;
    bool secret; /* must not get into a message */
    char *text;  /* NULL for a block */
    struct conf_where where;
    uint32_t end_line; /* the place behind it */
    uint32_t end_column;
    struct block *block;
};

struct statement {
    struct item *items;
    uint32_t count; /* at least 1 */
    struct statement *next;
};

struct block {
    struct statement *first;
    struct conf_where close;
};

/* Everything is borrowed for the call. */
typedef void tree_handler(void *context, const struct statement *statement);

struct tree_options {
    struct findings *findings;
    bool allow_include;
    tree_handler *handler;
    void *context;
};

/* Reads a file and what it includes; mistakes in the grammar become findings.
 * ERR_IO: the file itself could not be read (what an include names is a finding). */
MUST_CHECK enum result tree_read_file(const struct tree_options *options, const char *path,
                                      struct error *err);
void tree_read_text(const struct tree_options *options, const char *name, struct slice text);

/* The place behind an item, where something is missing. */
struct conf_where item_end(const struct item *item);

#endif
