/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Three-way merge of zones.
 *
 * The unit is the RRset. Where the file changed none of an RRset's records, the head's stay. Where
 * it did, the result is (head - what the file took out) + what the file put in: additions of both
 * sides live together, as records of a set are independent of each other. What cannot be had both
 * ways is a conflict, and the file wins:
 *
 *   TTL        a set has one; changed by both
 *   singleton  CNAME, DNAME: a set of one record
 *   CNAME      beside other data: that of the file stays
 *   apex NS    each side took another half: the file's are put back
 *
 * Of the SOA, the serial is the one thing that always differs, so it is left out of the comparison
 * and chosen apart; the rest is the file's where the file changed it.
 */
#include "edit/merge.h"

#include "base/memory.h"
#include "wire/rdata.h"
#include "wire/rrtype.h"
#include "zone/owner.h"

enum { SOA_SERIAL_FROM_END = 20 };

struct merge {
    const struct zone_version *old, *file, *head;
    const struct merge_options *options;
    struct delta *delta;
    uint16_t class;
    bool changed;
    enum result result;
    struct error *err;
};

static void tell(const struct merge *merge, const uint8_t *owner, uint16_t type, const char *what)
{
    struct merge_conflict conflict = {.owner = owner, .type = type, .what = what};
    if (merge->options->report != NULL) {
        merge->options->report(merge->options->report_context, &conflict);
    }
}

static void put(struct merge *merge, bool removes, const uint8_t *owner, uint16_t type,
                uint32_t ttl, struct slice rdata)
{
    struct record record = {
        .owner = owner, .type = type, .class = merge->class, .ttl = ttl, .rdata = rdata};
    merge->changed = true;
    if (merge->result == OK) {
        merge->result = removes ? delta_remove(merge->delta, &record, merge->err)
                                : delta_add(merge->delta, &record, merge->err);
    }
}

/* ---- one RRset ---- */

/* `covers`: of RRSIG, else 0. An absent set is one without records. */
static struct rrset find_set(const struct owner *owner, uint16_t type, uint16_t covers)
{
    struct rrset set = {.type = type, .covers = covers};
    if (owner != NULL && !(type == TYPE_RRSIG ? owner_find_rrsig(owner, covers, &set)
                                              : owner_find_rrset(owner, type, &set))) {
        set = (struct rrset){.type = type, .covers = covers};
    }
    return set;
}

static bool set_has(const struct rrset *set, struct slice rdata)
{
    size_t offset = 0;
    struct slice present;
    while (rrset_next_rdata(set, &offset, &present)) {
        if (rdata_compare(set->type, present, rdata) == 0) {
            return true;
        }
    }
    return false;
}

static bool sets_equal(const struct rrset *a, const struct rrset *b)
{
    return a->count == b->count && (a->count == 0 || a->ttl == b->ttl) &&
           slice_equal(a->records, b->records);
}

/* The TTL of the merged set. The file's where the file changed it or made the set. */
static uint32_t merged_ttl(const struct merge *merge, const uint8_t *owner, const struct rrset *old,
                           const struct rrset *file, const struct rrset *head)
{
    if (head->count == 0) {
        return file->ttl;
    }
    if (file->count == 0 || (old->count != 0 && old->ttl == file->ttl)) {
        return head->ttl;
    }
    if (head->ttl != file->ttl && (old->count == 0 || head->ttl != old->ttl)) {
        tell(merge, owner, file->type, "another TTL had been set");
    }
    return file->ttl;
}

/* Is the head's record part of the result? */
static bool stays(const struct rrset *old, const struct rrset *file, struct slice rdata,
                  bool is_single)
{
    if (set_has(file, rdata)) {
        return true;
    }
    return !is_single && !set_has(old, rdata);
}

static void merge_set(struct merge *merge, const uint8_t *name, const struct rrset *old,
                      const struct rrset *file, const struct rrset *head)
{
    uint32_t ttl = merged_ttl(merge, name, old, file, head);
    bool is_single = (rrtype_get(file->type)->flags & RRTYPE_SINGLETON) != 0;
    size_t offset = 0;
    struct slice rdata;
    while (rrset_next_rdata(head, &offset, &rdata)) {
        bool remains = stays(old, file, rdata, is_single);
        if (!remains && is_single && !set_has(old, rdata)) {
            tell(merge, name, file->type, "its data had been changed to other data");
        }
        if (!remains || head->ttl != ttl) {
            put(merge, true, name, file->type, head->ttl, rdata);
            if (remains) {
                put(merge, false, name, file->type, ttl, rdata);
            }
        }
    }
    offset = 0;
    while (rrset_next_rdata(file, &offset, &rdata)) {
        /* What was in the file before and is not in the head was deleted by others: it stays so,
         * but for a singleton, where the file's new data needs a place. */
        if (!set_has(head, rdata) && (!set_has(old, rdata) || is_single)) {
            put(merge, false, name, file->type, ttl, rdata);
        }
    }
}

/* ---- one owner ---- */

static bool is_beside_cname(uint16_t type)
{
    return type == TYPE_CNAME || type == TYPE_RRSIG || type == TYPE_NSEC || type == TYPE_KEY ||
           type == TYPE_SIG || type == TYPE_NXT;
}

static void remove_set(struct merge *merge, const uint8_t *name, const struct rrset *set)
{
    size_t offset = 0;
    struct slice rdata;
    while (rrset_next_rdata(set, &offset, &rdata)) {
        put(merge, true, name, set->type, set->ttl, rdata);
    }
}

/* What the file put at the name cannot stand beside what others put there. True: the set was
 * dealt with here. */
static bool gives_way(struct merge *merge, const uint8_t *name, const struct rrset *old,
                      const struct rrset *head, bool file_has_cname, bool file_has_data)
{
    bool clashes = (head->type == TYPE_CNAME && file_has_data && !file_has_cname) ||
                   (!is_beside_cname(head->type) && file_has_cname);
    if (!clashes) {
        return false;
    }
    if (!sets_equal(old, head)) {
        tell(merge, name, head->type, "it cannot stand beside what the file has there");
    }
    remove_set(merge, name, head);
    return true;
}

/* The file has a record at the name that is there now and was not before. */
static void see_file(const struct owner *old, const struct owner *file, bool *has_cname,
                     bool *adds_data)
{
    size_t offset = 0;
    struct rrset set;
    *has_cname = false;
    *adds_data = false;
    while (file != NULL && owner_next_rrset(file, &offset, &set)) {
        struct rrset before = find_set(old, set.type, set.covers);
        bool adds = !sets_equal(&before, &set);
        *has_cname = *has_cname || (set.type == TYPE_CNAME && adds);
        *adds_data = *adds_data || (!is_beside_cname(set.type) && adds);
    }
}

/* Each side took other name servers of the apex away, and none is left. */
static void keep_name_servers(struct merge *merge, const uint8_t *name, const struct rrset *old,
                              const struct rrset *file, const struct rrset *head)
{
    size_t offset = 0;
    struct slice rdata;
    while (rrset_next_rdata(head, &offset, &rdata)) {
        if (stays(old, file, rdata, false)) {
            return;
        }
    }
    offset = 0;
    while (rrset_next_rdata(file, &offset, &rdata)) {
        if (!set_has(old, rdata)) {
            return;
        }
    }
    tell(merge, name, TYPE_NS, "they had been deleted, and none would be left");
    offset = 0;
    while (rrset_next_rdata(file, &offset, &rdata)) {
        put(merge, false, name, TYPE_NS, file->ttl, rdata);
    }
}

static void merge_owner(struct merge *merge, const uint8_t *name)
{
    const struct owner *old = zone_version_find(merge->old, name);
    const struct owner *file = zone_version_find(merge->file, name);
    const struct owner *head = zone_version_find(merge->head, name);
    bool is_apex = name_equal(name, zone_version_name(merge->head));
    bool file_has_cname, file_adds_data;
    see_file(old, file, &file_has_cname, &file_adds_data);
    const struct owner *owners[] = {head, file, old};
    for (unsigned which = 0; which < 3; which++) {
        struct rrset set;
        size_t offset = 0;
        while (owners[which] != NULL && owner_next_rrset(owners[which], &offset, &set)) {
            struct rrset in_head = find_set(head, set.type, set.covers);
            struct rrset in_file = find_set(file, set.type, set.covers);
            struct rrset in_old = find_set(old, set.type, set.covers);
            /* Every set once: in the head, else in the file; one in `old` alone is gone already. */
            if (set.type == TYPE_SOA || (which > 0 && in_head.count != 0) ||
                (which > 1 && in_file.count != 0)) {
                continue;
            }
            if (which == 0 &&
                gives_way(merge, name, &in_old, &in_head, file_has_cname, file_adds_data)) {
                continue;
            }
            if (!sets_equal(&in_old, &in_file)) {
                merge_set(merge, name, &in_old, &in_file, &in_head);
                if (is_apex && set.type == TYPE_NS) {
                    keep_name_servers(merge, name, &in_old, &in_file, &in_head);
                }
            }
        }
    }
}

/* ---- the SOA ---- */

static bool same_but_serial(struct slice a, struct slice b)
{
    if (a.size != b.size) {
        return false;
    }
    size_t names = a.size - SOA_SERIAL_FROM_END;
    return memcmp(a.data, b.data, names) == 0 &&
           memcmp(a.data + names + 4, b.data + names + 4, SOA_SERIAL_FROM_END - 4) == 0;
}

static void get_soa(const struct zone_version *version, uint32_t *ttl, struct slice *rdata)
{
    struct rrset set;
    size_t offset = 0;
    REQUIRE(owner_find_rrset(zone_version_apex(version), TYPE_SOA, &set));
    REQUIRE(rrset_next_rdata(&set, &offset, rdata));
    *ttl = set.ttl;
}

/* Last, when it is known whether anything else changed. */
static void merge_soa(struct merge *merge)
{
    uint32_t old_ttl, file_ttl, head_ttl;
    struct slice old, file, head;
    const uint8_t *apex = zone_version_name(merge->head);
    get_soa(merge->old, &old_ttl, &old);
    get_soa(merge->file, &file_ttl, &file);
    get_soa(merge->head, &head_ttl, &head);
    bool file_changed = !same_but_serial(old, file) || old_ttl != file_ttl;
    bool differs = !same_but_serial(file, head) || file_ttl != head_ttl;
    if (file_changed && differs && (!same_but_serial(old, head) || old_ttl != head_ttl)) {
        tell(merge, apex, TYPE_SOA, "its values had been changed");
    }
    bool takes_file = file_changed && differs;
    struct serial present = zone_version_serial(merge->head);
    struct serial next = zone_version_serial(merge->file);
    bool is_ahead = serial_before(present, next);
    if (!merge->changed && !takes_file && !is_ahead) {
        return;
    }
    if (!is_ahead) {
        next = serial_next(present, merge->options->method, merge->options->now_s);
    }
    struct slice from = takes_file ? file : head;
    uint8_t rdata[2 * NAME_MAX_SIZE + SOA_SERIAL_FROM_END];
    REQUIRE(from.size <= sizeof(rdata));
    memcpy(rdata, from.data, from.size);
    put_u32(rdata + from.size - SOA_SERIAL_FROM_END, next.value);
    put(merge, true, apex, TYPE_SOA, head_ttl, head);
    put(merge, false, apex, TYPE_SOA, takes_file ? file_ttl : head_ttl, slice_of(rdata, from.size));
}

enum result merge_file(const struct zone_version *old, const struct zone_version *file,
                       const struct zone_version *head, const struct merge_options *options,
                       struct delta **out, struct error *err)
{
    struct delta *difference = delta_diff(old, file);
    struct merge merge = {
        .old = old,
        .file = file,
        .head = head,
        .options = options,
        .delta = delta_new(zone_version_name(head), zone_version_class(head)),
        .class = zone_version_class(head),
        .err = err,
    };
    const uint8_t *last = NULL;
    for (size_t i = 0; i < delta_count(difference); i++) {
        struct record record;
        bool removes;
        delta_get(difference, i, &removes, &record);
        if (last == NULL || !name_equal(last, record.owner)) {
            last = record.owner;
            merge_owner(&merge, last);
        }
    }
    merge_soa(&merge);
    delta_free(difference);
    if (merge.result == OK && merge.changed) {
        merge.result = delta_seal(merge.delta, err);
    }
    if (merge.result != OK || !merge.changed) {
        delta_free(merge.delta);
        merge.delta = NULL;
    }
    if (merge.result == OK) {
        *out = merge.delta;
    }
    return merge.result;
}
