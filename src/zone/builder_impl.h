/* SPDX-License-Identifier: BSD-3-Clause */
/* The builder from the inside: gathering (builder.c) and making the version (builder_finish.c). */
#ifndef ZONE_BUILDER_IMPL_H
#define ZONE_BUILDER_IMPL_H

#include "zone/builder.h"
#include "zone/version_impl.h"

enum { BUILDER_RUNS = 64, BUILDER_FEW = 16 };

struct builder {
    struct builder_options options;
    finding_report *report;
    void *report_context;
    struct zone_version *base; /* a reference, or NULL */
    struct zone_cursor base_cursor;
    uint16_t class;
    uint8_t apex_labels;
    uint64_t apex_hash;
    struct name apex;
    struct name last; /* the owner being gathered; size 0: none */
    uint64_t last_hash;
    uint8_t last_labels;
    struct name flushed;   /* the owner before: what missing ancestors are found by */
    uint64_t flushed_head; /* its tree_head() */
    bool unsorted;         /* owners did not come in ascending order ... */
    bool scattered;        /* ... all over: ancestors wait for the end */
    bool refused;          /* an error was reported; finish says no */
    bool finished;
    struct error first_error;
    struct gather gather;
    struct pool_cache cache;    /* of owners */
    struct tree_entry *entries; /* starts as `few` */
    size_t count;
    size_t capacity;
    size_t run_ends[BUILDER_RUNS]; /* of the ascending runs of entries before the present one */
    unsigned run_count;
    uint64_t added; /* records so far, duplicates among them too */
    struct totals totals;
    uint8_t *scratch; /* an owner to be compared with the base's */
    size_t scratch_size;
    /* From here on not zeroed. A small zone needs no more. */
    struct tree_entry few[BUILDER_FEW];
    struct gather_room room;
};

/* The owner being gathered becomes an entry. */
MUST_CHECK enum result builder_flush(struct builder *builder, struct error *err);
/* An owner of what was gathered, under `name`; shared with the base where that has an equal one. */
MUST_CHECK enum result builder_pack(struct builder *builder, const uint8_t *name, size_t name_size,
                                    uint64_t hash, const struct owner **out, struct error *err);
/* Room for twice as many entries. */
void builder_grow(struct builder *builder);
/* Adds an entry; counts its owner. */
void builder_push(struct builder *builder, const struct owner *owner);
/* An owner that no version will have: given back unless it is the base's; uncounted. */
void builder_drop_owner(struct builder *builder, const struct owner *owner);
/* Reports with the owner's name before `text`; an error makes finish refuse. Returns ERR_FORMAT. */
enum result builder_finding(struct builder *builder, enum finding_code code,
                            enum finding_severity severity, const uint8_t *owner, const char *file,
                            uint32_t line, struct error *err, const char *text);
/* Entries for the ancestors of `name` that are not there, given that all of those of `before`, the
 * entry before it in order, are. */
void builder_add_ancestors(struct builder *builder, const uint8_t *before, const uint8_t *name);

#endif
