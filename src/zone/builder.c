/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Record stream in. The records of one owner are gathered (owner_build.c) and packed when the next
 * owner begins; an owner becomes an entry of eight octets of key and a pointer, and nothing else
 * happens to it until the end: no search, no tree, no allocation per record. What makes the peers'
 * loading slow is just that.
 *
 * Whether owners ascend is seen by comparing each with the one before. As long as they do, missing
 * ancestors (empty non-terminals) are put in where they belong, by comparing the same two names.
 * Where one does not, another ascending run begins; a few of them are merged at the end (most zone
 * files are in order but for the servers' addresses on top). With many, ancestors are left to the
 * end too and everything is sorted (builder_finish.c).
 *
 * With a base, an owner that the base has in the same octets is not stored again: a refresh by AXFR
 * needs memory for what changed and for the entries. The base is gone through beside the stream.
 */
#include "zone/builder.h"

#include <stdio.h>

#include "base/memory.h"
#include "wire/name_octets.h"
#include "wire/rrtype.h"
#include "zone/builder_impl.h"
#include "zone/zone_set.h"

struct builder *builder_new(const uint8_t *name, uint16_t class,
                            const struct builder_options *options, finding_report *report,
                            void *report_context)
{
    struct builder *builder = memory_new(sizeof(*builder));
    memset(builder, 0, offsetof(struct builder, few));
    if (options != NULL) {
        builder->options = *options;
    }
    if (builder->options.max_records_per_type == 0) {
        builder->options.max_records_per_type = UINT16_MAX;
    }
    builder->report = report;
    builder->report_context = report_context;
    builder->class = class;
    builder->apex_labels = (uint8_t)name_label_count(name);
    builder->apex_hash = name_hash(zone_hash_key(), name);
    name_copy(&builder->apex, name);
    builder->gather.class = class;
    gather_lend(&builder->gather, &builder->room);
    gather_reset(&builder->gather);
    builder->entries = builder->few;
    builder->capacity = BUILDER_FEW;
    pool_cache_init(&builder->cache, version_pool());
    return builder;
}

static bool is_shared(const struct builder *builder, const struct owner *owner)
{
    return builder->base != NULL && hash_index_find(&builder->base->index, owner->hash,
                                                    owner_name(owner), owner->name_size) == owner;
}

void builder_drop_owner(struct builder *builder, const struct owner *owner)
{
    totals_count(&builder->totals, owner, -1);
    builder->totals.records -= owner_record_count(owner);
    if (!is_shared(builder, owner)) {
        pool_release(&builder->cache, unconst(owner), owner_size(owner));
    }
}

void builder_free(struct builder *builder)
{
    if (builder == NULL) {
        return;
    }
    for (size_t i = 0; i < builder->count; i++) {
        builder_drop_owner(builder, builder->entries[i].owner);
    }
    if (builder->entries != builder->few) {
        memory_free(builder->entries);
    }
    memory_free(builder->scratch);
    gather_deinit(&builder->gather);
    pool_cache_deinit(&builder->cache);
    zone_version_unref(builder->base);
    memory_free(builder);
}

void builder_set_base(struct builder *builder, struct zone_version *base)
{
    REQUIRE(builder->base == NULL && builder->added == 0);
    REQUIRE(name_equal(zone_version_name(base), builder->apex.wire));
    builder->base = zone_version_ref(base);
    zone_cursor_first(&builder->base_cursor, base);
}

enum result builder_finding(struct builder *builder, enum finding_code code,
                            enum finding_severity severity, const uint8_t *owner, const char *file,
                            uint32_t line, struct error *err, const char *text)
{
    char name[NAME_TEXT_SIZE];
    char sentence[NAME_TEXT_SIZE + 128];
    snprintf(sentence, sizeof(sentence), "%s: %s", name_format(owner, name), text);
    if (builder->report != NULL) {
        struct finding finding = {
            .code = code,
            .severity = severity,
            .file = file,
            .line = line,
            .owner = owner,
            .text = sentence,
        };
        builder->report(builder->report_context, &finding);
    }
    if (severity == FINDING_ERROR) {
        builder->refused = true;
        error_set(&builder->first_error, ERR_FORMAT, "%s", sentence);
        error_at(&builder->first_error, file, line, 0);
        error_set(err, ERR_FORMAT, "%s", sentence);
        error_at(err, file, line, 0);
    }
    return ERR_FORMAT;
}

COLD void builder_grow(struct builder *builder)
{
    size_t size = builder->capacity * sizeof(*builder->entries);
    builder->capacity *= 2;
    if (builder->entries != builder->few) {
        builder->entries = memory_resize(builder->entries, 2 * size);
        return;
    }
    builder->entries = memory_new(2 * size);
    memcpy(builder->entries, builder->few, size);
}

static ALWAYS_INLINE void push(struct builder *builder, const struct owner *owner, uint64_t head)
{
    if (builder->count == builder->capacity) {
        builder_grow(builder);
    }
    builder->entries[builder->count++] = (struct tree_entry){head, owner};
    totals_count(&builder->totals, owner, 1);
    builder->totals.records += owner_record_count(owner);
}

void builder_push(struct builder *builder, const struct owner *owner)
{
    push(builder, owner, tree_head(owner_name(owner), owner->name_size, builder->apex.size));
}

void builder_add_ancestors(struct builder *builder, const uint8_t *before, const uint8_t *name)
{
    uint8_t offsets[NAME_MAX_LABELS];
    uint8_t before_offsets[NAME_MAX_LABELS];
    unsigned count = name_label_offsets(name, offsets) - 1;
    unsigned before_count = name_label_offsets(before, before_offsets) - 1;
    unsigned common = builder->apex_labels;
    while (common < count && common < before_count) {
        const uint8_t *a = name + offsets[count - common - 1];
        const uint8_t *b = before + before_offsets[before_count - common - 1];
        uint8_t label_a[LABEL_MAX_SIZE + 2];
        uint8_t label_b[LABEL_MAX_SIZE + 2];
        memcpy(label_a, a, 1u + *a);
        memcpy(label_b, b, 1u + *b);
        label_a[1 + *a] = 0;
        label_b[1 + *b] = 0;
        if (!name_equal(label_a, label_b)) {
            break;
        }
        common++;
    }
    uint64_t hash = builder->apex_hash;
    for (unsigned labels = builder->apex_labels + 1; labels < count; labels++) {
        const uint8_t *ancestor = name + offsets[count - labels];
        hash = name_hash_label(hash, ancestor);
        if (labels > common) {
            size_t size = (size_t)offsets[count] + 1 - offsets[count - labels];
            const struct owner *base = NULL;
            if (builder->base != NULL) {
                base = hash_index_find(&builder->base->index, hash, ancestor, size);
            }
            if (base == NULL || !owner_is_empty(base) ||
                memcmp(owner_name(base), ancestor, size) != 0) {
                base = owner_new_empty(&builder->cache, ancestor, size, hash);
            }
            builder_push(builder, base);
        }
    }
}

struct flaw_context {
    struct builder *builder;
    const uint8_t *owner;
};

static COLD void report_flaw(void *context, enum gather_flaw flaw, const struct gathered *record)
{
    struct flaw_context *flaw_context = context;
    char type[16];
    char text[96];
    switch (flaw) {
    case GATHER_DUPLICATE:
        snprintf(text, sizeof(text), "duplicate %s record, kept once",
                 rrtype_format(record->type, type));
        builder_finding(flaw_context->builder, FINDING_DUPLICATE, FINDING_WARNING,
                        flaw_context->owner, record->file, record->line, NULL, text);
        break;
    case GATHER_TTL_MISMATCH:
        snprintf(text, sizeof(text), "TTL of %s record set to that of the first one of its RRset",
                 rrtype_format(record->type, type));
        builder_finding(flaw_context->builder, FINDING_TTL_MISMATCH, FINDING_WARNING,
                        flaw_context->owner, record->file, record->line, NULL, text);
        break;
    }
}

/* The base's owner of that name, by going along with the stream. */
static const struct owner *base_owner(struct builder *builder, const uint8_t *name,
                                      size_t name_size, uint64_t hash)
{
    struct zone_cursor *cursor = &builder->base_cursor;
    if (!builder->unsorted) {
        while (cursor->owner != NULL) {
            const struct owner *here = cursor->owner;
            if (here->hash == hash && name_equal(owner_name(here), name)) {
                zone_cursor_next(cursor); /* where the stream's next owner is likely to be */
                return here;
            }
            if (name_compare(owner_name(cursor->owner), name) >= 0) {
                return NULL;
            }
            zone_cursor_next(cursor);
        }
        return NULL;
    }
    return hash_index_find(&builder->base->index, hash, name, name_size);
}

static enum result check_limits(const struct builder *builder, const struct gather_size *size,
                                const uint8_t *name, struct error *err)
{
    char text[NAME_TEXT_SIZE];
    if (size->largest_rrset > builder->options.max_records_per_type) {
        return error_set(err, ERR_LIMIT, "%s: an RRset of %u records, %u are allowed",
                         name_format(name, text), size->largest_rrset,
                         builder->options.max_records_per_type);
    }
    if (builder->options.max_types_per_name != 0 &&
        size->type_count > builder->options.max_types_per_name) {
        return error_set(err, ERR_LIMIT, "%s: %u types of records, %u are allowed",
                         name_format(name, text), size->type_count,
                         builder->options.max_types_per_name);
    }
    return OK;
}

static COLD void report_conflict(struct builder *builder, const struct owner *owner,
                                 const char *conflict)
{
    enum finding_code code = FINDING_CNAME_AND_OTHER;
    const struct gathered *at = NULL;
    for (size_t i = 0; i < builder->gather.count; i++) {
        if (at == NULL || builder->gather.records[i].type == TYPE_CNAME) {
            at = &builder->gather.records[i];
        }
    }
    if (strncmp(conflict, "SOA", 3) == 0) {
        code = FINDING_SOA_NOT_AT_APEX;
    } else if (strncmp(conflict, "several", 7) == 0) {
        struct rrset rrset;
        code = owner_find_rrset(owner, TYPE_SOA, &rrset) && rrset.count > 1 ? FINDING_SEVERAL_SOA
               : owner_find_rrset(owner, TYPE_CNAME, &rrset) && rrset.count > 1
                   ? FINDING_SEVERAL_CNAME
                   : FINDING_SEVERAL_DNAME;
    }
    builder_finding(builder, code, FINDING_ERROR, owner_name(owner), at == NULL ? NULL : at->file,
                    at == NULL ? 0 : at->line, NULL, conflict);
}

HOT enum result builder_pack(struct builder *builder, const uint8_t *name, size_t name_size,
                             uint64_t hash, const struct owner **out, struct error *err)
{
    struct flaw_context flaws = {builder, name};
    struct gather_size size;
    gather_sort(&builder->gather, report_flaw, &flaws);
    gather_measure(&builder->gather, &size);
    enum result checked = check_limits(builder, &size, name, err);
    if (checked != OK) {
        return checked;
    }
    size_t block_size = owner_block_size(name_size, size.bytes);
    uint8_t flags = owner_flags(name, size.flags, name_size == builder->apex.size);
    struct owner *owner;
    if (builder->base == NULL) {
        owner = pool_alloc(&builder->cache, block_size);
        gather_write(&builder->gather, name, name_size, hash, &size, flags, owner, report_flaw,
                     &flaws);
    } else {
        if (builder->scratch_size < block_size) {
            builder->scratch_size = block_size * 2;
            builder->scratch = memory_resize(builder->scratch, builder->scratch_size);
        }
        struct owner *made = (struct owner *)(void *)builder->scratch;
        gather_write(&builder->gather, name, name_size, hash, &size, flags, made, report_flaw,
                     &flaws);
        const struct owner *base = base_owner(builder, name, name_size, hash);
        if (base != NULL && owner_same(base, made)) {
            *out = base;
            return OK;
        }
        owner = pool_alloc(&builder->cache, block_size);
        memcpy(owner, made, block_size);
    }
    const char *conflict = UNLIKELY(size.has_singleton) ? owner_conflict(owner) : NULL;
    if (UNLIKELY(conflict != NULL)) {
        report_conflict(builder, owner, conflict);
    }
    *out = owner;
    return OK;
}

static ALWAYS_INLINE bool same_octets(const uint8_t *a, size_t a_size, const uint8_t *b,
                                      size_t b_size)
{
    return a_size == b_size && octets_equal(a, b, a_size);
}

/* What is seen at once of a name and the one before: then no ancestor can be missing. */
enum kin { KIN_NONE, KIN_CHILD, KIN_SIBLING };

static ALWAYS_INLINE enum kin kin_of(const struct name *name, const struct name *before)
{
    size_t label = 1u + name->wire[0];
    size_t label_before = 1u + before->wire[0];
    if (before->size == 0) {
        return KIN_NONE;
    }
    if (same_octets(name->wire + label, name->size - label, before->wire, before->size)) {
        return KIN_CHILD;
    }
    return before->size > label_before &&
                   same_octets(name->wire + label, name->size - label, before->wire + label_before,
                               before->size - label_before)
               ? KIN_SIBLING
               : KIN_NONE;
}

/* The name stands behind the one before in canonical order, its head being the same. */
static bool is_behind(const struct name *name, const struct name *before, enum kin kin)
{
    return kin == KIN_CHILD || name_compare(before->wire, name->wire) < 0;
}

/* The next entry does not stand behind the last one. */
static COLD void builder_break(struct builder *builder)
{
    builder->unsorted = true;
    if (builder->run_count == BUILDER_RUNS - 1) {
        builder->scattered = true;
        return;
    }
    builder->run_ends[builder->run_count++] = builder->count;
}

HOT enum result builder_flush(struct builder *builder, struct error *err)
{
    if (builder->last.size == 0) {
        return OK;
    }
    const struct owner *owner = NULL;
    const struct name *name = &builder->last;
    uint64_t head = tree_head(name->wire, name->size, builder->apex.size);
    enum kin kin = builder->last_labels > builder->apex_labels + 1u
                       ? kin_of(name, &builder->flushed)
                       : KIN_NONE;
    if (!builder->scattered && builder->flushed.size != 0 && head <= builder->flushed_head &&
        (head != builder->flushed_head || !is_behind(name, &builder->flushed, kin))) {
        builder_break(builder);
    }
    enum result packed =
        builder_pack(builder, name->wire, name->size, builder->last_hash, &owner, err);
    if (packed != OK) {
        return packed;
    }
    if (!builder->scattered && builder->last_labels > builder->apex_labels + 1u &&
        kin == KIN_NONE) {
        const uint8_t *before =
            builder->flushed.size == 0 ? builder->apex.wire : builder->flushed.wire;
        builder_add_ancestors(builder, before, name->wire);
    }
    push(builder, owner, head);
    if (builder->options.max_bytes != 0 &&
        builder->totals.owner_bytes + builder->count * 32 > builder->options.max_bytes) {
        return error_set(err, ERR_LIMIT, "the zone is larger than %llu bytes",
                         (unsigned long long)builder->options.max_bytes);
    }
    memcpy(builder->flushed.wire, name->wire, name->size);
    builder->flushed.size = name->size;
    builder->flushed_head = head;
    builder->last.size = 0;
    gather_reset(&builder->gather);
    return OK;
}

/* A second record of a type that has only one. */
static COLD enum result refuse_second(struct builder *builder, const struct record *record,
                                      const char *file, uint32_t line, struct error *err)
{
    for (size_t i = 0; i < builder->gather.count; i++) {
        const struct gathered *other = &builder->gather.records[i];
        if (other->type == record->type &&
            rdata_order(record->type, gathered_rdata(&builder->gather, other), record->rdata) !=
                0) {
            bool is_soa = record->type == TYPE_SOA;
            bool is_cname = record->type == TYPE_CNAME;
            return builder_finding(builder,
                                   is_soa     ? FINDING_SEVERAL_SOA
                                   : is_cname ? FINDING_SEVERAL_CNAME
                                              : FINDING_SEVERAL_DNAME,
                                   FINDING_ERROR, record->owner, file, line, err,
                                   is_soa     ? "several SOA records"
                                   : is_cname ? "several CNAME records"
                                              : "several DNAME records");
        }
    }
    return OK;
}

static enum result builder_begin(struct builder *builder, const struct record *record,
                                 struct error *err)
{
    char text[NAME_TEXT_SIZE];
    enum result flushed = builder_flush(builder, err);
    if (flushed != OK) {
        return flushed;
    }
    const uint8_t *name = record->owner;
    uint8_t labels[NAME_MAX_LABELS];
    unsigned count = 0;
    size_t at = 0;
    for (; name[at] != 0; at += 1u + name[at]) {
        labels[count++] = (uint8_t)at;
    }
    unsigned apex_labels = builder->apex_labels;
    labels[count] = (uint8_t)at;
    size_t apex_size = builder->apex.size;
    if (count < apex_labels || labels[count - apex_labels] + apex_size != at + 1 ||
        !octets_equal(name + at + 1 - apex_size, builder->apex.wire, apex_size)) {
        return error_set(err, ERR_NOT_FOUND, "%s is not in the zone", name_format(name, text));
    }
    uint64_t hash = builder->apex_hash;
    for (unsigned left = count - apex_labels; left > 0; left--) {
        hash = name_hash_label(hash, name + labels[left - 1]);
    }
    builder->last.size = (uint8_t)(at + 1);
    memcpy(builder->last.wire, name, at + 1);
    builder->last_hash = hash;
    builder->last_labels = (uint8_t)count;
    return OK;
}

/* A record of the owner that is being gathered. */
static ALWAYS_INLINE enum result add_record(struct builder *builder, const struct record *record,
                                            const char *file, uint32_t line, struct error *err)
{
    if (UNLIKELY(builder->options.max_records != 0 &&
                 builder->added >= builder->options.max_records)) {
        return error_set(err, ERR_LIMIT, "more than %llu records",
                         (unsigned long long)builder->options.max_records);
    }
    if (UNLIKELY(record->type == TYPE_SOA || record->type == TYPE_CNAME ||
                 record->type == TYPE_DNAME)) {
        if (record->type == TYPE_SOA && builder->last_labels != builder->apex_labels) {
            return builder_finding(builder, FINDING_SOA_NOT_AT_APEX, FINDING_ERROR, record->owner,
                                   file, line, err, "SOA below the apex");
        }
        enum result second = refuse_second(builder, record, file, line, err);
        if (second != OK) {
            return second;
        }
    }
    enum result added = gather_add(&builder->gather, record, file, line, err);
    if (added == OK) {
        builder->added++;
    }
    return added;
}

static COLD enum result refuse_class(const struct builder *builder, const struct record *record,
                                     struct error *err)
{
    char text[NAME_TEXT_SIZE];
    return error_set(err, ERR_FORMAT, "%s: class %u in a zone of class %u",
                     name_format(record->owner, text), record->class, builder->class);
}

/* The name is that of the owner being gathered. */
static ALWAYS_INLINE bool is_gathered(const struct builder *builder, const uint8_t *name)
{
    size_t size = 0;
    while (name[size] != 0) {
        size += 1u + name[size];
    }
    return same_octets(name, size + 1, builder->last.wire, builder->last.size);
}

HOT enum result builder_add(struct builder *builder, const struct record *record, const char *file,
                            uint32_t line, struct error *err)
{
    REQUIRE(!builder->finished);
    if (UNLIKELY(record->class != builder->class)) {
        return refuse_class(builder, record, err);
    }
    if (!is_gathered(builder, record->owner)) {
        enum result begun = builder_begin(builder, record, err);
        if (begun != OK) {
            return begun;
        }
    }
    return add_record(builder, record, file, line, err);
}

HOT enum result builder_add_same(struct builder *builder, const struct record *record,
                                 struct error *err)
{
    REQUIRE(!builder->finished && builder->last.size != 0);
    if (UNLIKELY(record->class != builder->class)) {
        return refuse_class(builder, record, err);
    }
    return add_record(builder, record, NULL, 0, err);
}
