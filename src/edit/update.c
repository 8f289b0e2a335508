/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UPDATE (RFC 2136): reading it, and everything that is decided before something changes.
 *
 * The rules of sections 3.1 to 3.4.1 in the RFC's order and words; the tables of classes:
 *
 *     prerequisite  ANY   type ANY: the name is in use      else: the RRset exists
 *                   NONE  type ANY: the name is not in use  else: it does not exist
 *                   zone  the RRset exists with exactly these records (their TTL does not count)
 *     change        ANY   type ANY: delete all of the name  else: delete the RRset
 *                   NONE  delete the record
 *                   zone  add the record
 *
 * "In use" means that the name owns a record: an empty non-terminal does not (2.4.4).
 */
#include "edit/update.h"

#include <stdlib.h>

#include "wire/message.h"
#include "wire/rdata.h"
#include "wire/rrtype.h"
#include "zone/owner.h"

static unsigned refuse(struct error *err, unsigned rcode, const char *text,
                       const struct record *record)
{
    char name[NAME_TEXT_SIZE];
    char type[16];
    enum result code = rcode == RCODE_REFUSED ? ERR_DENIED : ERR_FORMAT;
    if (record == NULL) {
        (void)error_set(err, code, "%s", text);
    } else {
        (void)error_set(err, code, "%s %s: %s", name_format(record->owner, name),
                        rrtype_format(record->type, type), text);
    }
    return rcode;
}

/* --- Reading. --- */

/* Whether the RFC allows the record to carry no data: then none is read. */
static bool may_be_empty(const struct message_record *record, bool is_prerequisite)
{
    return record->rdata_size == 0 &&
           (record->class == CLASS_ANY || (is_prerequisite && record->class == CLASS_NONE));
}

/* Data that is there and must not be: kept as it is, for the prescan to refuse. */
static bool must_be_empty(const struct message_record *record, bool is_prerequisite)
{
    return record->class == CLASS_ANY || (is_prerequisite && record->class == CLASS_NONE);
}

static unsigned read_section(struct slice message, size_t *offset, unsigned count,
                             bool is_prerequisite, struct arena *arena, const struct record **out,
                             struct error *err)
{
    uint8_t rdata[RDATA_MAX_SIZE];
    struct record *records = arena_alloc(arena, (count + 1) * sizeof(*records));
    if (records == NULL) {
        return refuse(err, RCODE_SERVFAIL, "the update is too large", NULL);
    }
    for (unsigned i = 0; i < count; i++) {
        struct message_record in;
        size_t size = 0;
        if (message_record_read(message, offset, &in, err) != OK) {
            return RCODE_FORMERR;
        }
        struct slice data = slice_of(message.data + in.rdata_offset, in.rdata_size);
        if (!may_be_empty(&in, is_prerequisite) && !must_be_empty(&in, is_prerequisite) &&
            (rrtype_get(in.type)->flags & RRTYPE_META) == 0) {
            if (rdata_read(in.type, message, in.rdata_offset, in.rdata_size, rdata, &size, err) !=
                OK) {
                return RCODE_FORMERR;
            }
            data = slice_of(rdata, size);
        }
        struct slice owner = arena_copy(arena, slice_of(in.owner.wire, in.owner.size));
        data = arena_copy(arena, data);
        if (owner.data == NULL || (data.size != 0 && data.data == NULL)) {
            return refuse(err, RCODE_SERVFAIL, "the update is too large", NULL);
        }
        records[i] = (struct record){owner.data, in.type, in.class, in.ttl, data};
    }
    *out = records;
    return RCODE_NOERROR;
}

unsigned update_parse(struct slice message, struct arena *arena, struct update *out,
                      struct error *err)
{
    struct message_header header;
    struct question zone;
    size_t offset = MESSAGE_HEADER_SIZE;
    if (message_header_read(message, &header) != OK ||
        header_opcode(header.flags) != OPCODE_UPDATE) {
        return refuse(err, RCODE_FORMERR, "the message is no UPDATE", NULL);
    }
    if (header.counts[SECTION_QUESTION] != 1) {
        return refuse(err, RCODE_FORMERR, "the zone section must have one record", NULL);
    }
    if (message_question_read(message, &offset, &zone, err) != OK) {
        return RCODE_FORMERR;
    }
    if (zone.type != TYPE_SOA) {
        return refuse(err, RCODE_FORMERR, "the type of the zone section must be SOA", NULL);
    }
    struct update update = {
        .zone = zone.name,
        .class = zone.class,
        .prerequisite_count = header.counts[SECTION_ANSWER],
        .change_count = header.counts[SECTION_AUTHORITY],
    };
    unsigned rcode = read_section(message, &offset, header.counts[SECTION_ANSWER], true, arena,
                                  &update.prerequisites, err);
    if (rcode == RCODE_NOERROR) {
        rcode = read_section(message, &offset, header.counts[SECTION_AUTHORITY], false, arena,
                             &update.changes, err);
    }
    if (rcode == RCODE_NOERROR) {
        *out = update;
    }
    return rcode;
}

/* --- What is wrong whatever the zone holds. --- */

static bool is_meta(uint16_t type)
{
    return (rrtype_get(type)->flags & RRTYPE_META) != 0;
}

static unsigned prescan_prerequisite(const struct update *update, const struct record *record,
                                     struct error *err)
{
    if (record->ttl != 0) {
        return refuse(err, RCODE_FORMERR, "the TTL of a prerequisite must be 0", record);
    }
    if (!name_is_subdomain(record->owner, update->zone.wire)) {
        return refuse(err, RCODE_NOTZONE, "a prerequisite outside of the zone", record);
    }
    if (record->class == CLASS_ANY || record->class == CLASS_NONE) {
        if (record->rdata.size != 0) {
            return refuse(err, RCODE_FORMERR, "a prerequisite of this class has no data", record);
        }
        if (record->type != TYPE_ANY && is_meta(record->type)) {
            return refuse(err, RCODE_FORMERR, "no zone has records of this type", record);
        }
    } else if (record->class != update->class) {
        return refuse(err, RCODE_FORMERR, "a prerequisite of another class", record);
    } else if (is_meta(record->type)) {
        return refuse(err, RCODE_FORMERR, "no zone has records of this type", record);
    }
    return RCODE_NOERROR;
}

static unsigned prescan_change(const struct update *update, const struct record *record,
                               struct error *err)
{
    bool allows_any = record->class == CLASS_ANY;
    if (!name_is_subdomain(record->owner, update->zone.wire)) {
        return refuse(err, RCODE_NOTZONE, "a change outside of the zone", record);
    }
    if (is_meta(record->type) && !(allows_any && record->type == TYPE_ANY)) {
        return refuse(err, RCODE_FORMERR, "no zone has records of this type", record);
    }
    if (record->class == update->class) {
        return record->ttl <= INT32_MAX
                   ? RCODE_NOERROR
                   : refuse(err, RCODE_FORMERR, "the TTL is beyond 2^31 - 1", record);
    }
    if (record->class != CLASS_ANY && record->class != CLASS_NONE) {
        return refuse(err, RCODE_FORMERR, "a change of another class", record);
    }
    if (record->ttl != 0) {
        return refuse(err, RCODE_FORMERR, "the TTL of a deletion must be 0", record);
    }
    if (record->class == CLASS_ANY && record->rdata.size != 0) {
        return refuse(err, RCODE_FORMERR, "the deletion of an RRset has no data", record);
    }
    return RCODE_NOERROR;
}

unsigned update_prescan(const struct update *update, struct error *err)
{
    unsigned rcode = RCODE_NOERROR;
    for (size_t i = 0; rcode == RCODE_NOERROR && i < update->prerequisite_count; i++) {
        rcode = prescan_prerequisite(update, &update->prerequisites[i], err);
    }
    for (size_t i = 0; rcode == RCODE_NOERROR && i < update->change_count; i++) {
        rcode = prescan_change(update, &update->changes[i], err);
    }
    return rcode;
}

/* --- Prerequisites. --- */

static bool has_type(const struct owner *owner, uint16_t type)
{
    struct rrset rrset;
    size_t offset = 0;
    while (owner != NULL && owner_next_rrset(owner, &offset, &rrset)) {
        if (rrset.type == type) {
            return true;
        }
    }
    return false;
}

static int by_rrset_and_data(const void *a, const void *b)
{
    const struct record *x = *(const struct record *const *)a;
    const struct record *y = *(const struct record *const *)b;
    int order = name_compare(x->owner, y->owner);
    if (order == 0 && x->type != y->type) {
        order = x->type < y->type ? -1 : 1;
    }
    return order != 0 ? order : rdata_compare(x->type, x->rdata, y->rdata);
}

/* The records of `type` at the owner are exactly these, sorted and without duplicates. */
static bool is_exactly(const struct owner *owner, const struct record *const *records, size_t count)
{
    struct owner_walk walk = {0};
    struct record record;
    size_t i = 0;
    while (owner != NULL && owner_next_record(owner, &walk, &record)) {
        if (record.type != records[0]->type) {
            continue;
        }
        if (i == count || rdata_compare(record.type, record.rdata, records[i]->rdata) != 0) {
            return false;
        }
        i++;
    }
    return i == count;
}

/* 3.2.3: value-dependent prerequisites, gathered to RRsets. */
static unsigned check_values(const struct update *update, const struct zone_version *version,
                             struct error *err)
{
    struct record const **sorted =
        memory_new((update->prerequisite_count + 1) * sizeof(const struct record *));
    size_t count = 0;
    unsigned rcode = RCODE_NOERROR;
    for (size_t i = 0; i < update->prerequisite_count; i++) {
        if (update->prerequisites[i].class == update->class) {
            sorted[count++] = &update->prerequisites[i];
        }
    }
    if (count != 0) {
        qsort(sorted, count, sizeof(const struct record *), by_rrset_and_data);
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || by_rrset_and_data(&sorted[kept - 1], &sorted[i]) != 0) {
            sorted[kept++] = sorted[i];
        }
    }
    for (size_t start = 0; rcode == RCODE_NOERROR && start < kept;) {
        size_t end = start + 1;
        while (end < kept && sorted[end]->type == sorted[start]->type &&
               name_equal(sorted[end]->owner, sorted[start]->owner)) {
            end++;
        }
        if (!is_exactly(zone_version_find(version, sorted[start]->owner), sorted + start,
                        end - start)) {
            rcode = refuse(err, RCODE_NXRRSET, "the RRset is not as the prerequisite has it",
                           sorted[start]);
        }
        start = end;
    }
    memory_free(sorted);
    return rcode;
}

unsigned update_check_prerequisites(const struct update *update, const struct zone_version *version,
                                    struct error *err)
{
    for (size_t i = 0; i < update->prerequisite_count; i++) {
        const struct record *record = &update->prerequisites[i];
        if (record->class == update->class) {
            continue;
        }
        const struct owner *owner = zone_version_find(version, record->owner);
        bool is_any = record->type == TYPE_ANY;
        bool exists =
            is_any ? owner != NULL && !owner_is_empty(owner) : has_type(owner, record->type);
        if (record->class == CLASS_ANY && !exists) {
            return is_any ? refuse(err, RCODE_NXDOMAIN, "the name is not in use", record)
                          : refuse(err, RCODE_NXRRSET, "the RRset does not exist", record);
        }
        if (record->class == CLASS_NONE && exists) {
            return is_any ? refuse(err, RCODE_YXDOMAIN, "the name is in use", record)
                          : refuse(err, RCODE_YXRRSET, "the RRset exists", record);
        }
    }
    return check_values(update, version, err);
}

/* --- Permission. --- */

static bool allowed(const struct update *update, const struct record *record, uint16_t type,
                    const struct update_policy *policy, const struct policy_client *client,
                    struct error *err)
{
    size_t rule;
    char name[NAME_TEXT_SIZE];
    char text[16];
    if (policy_allows(policy, update->zone.wire, client, record->owner, type, &rule)) {
        if (update->bounds != NULL) {
            bool adds = record->class == update->class;
            update->bounds[record - update->changes] =
                (struct update_bound){.max = adds ? policy_bound(&policy->rules[rule], type) : 0};
        }
        return true;
    }
    if (rule == policy->rule_count) {
        (void)error_set(err, ERR_DENIED, "%s %s: no rule of update-policy grants it",
                        name_format(record->owner, name), rrtype_format(type, text));
    } else {
        (void)error_set(err, ERR_DENIED, "%s %s: denied by rule %zu of update-policy",
                        name_format(record->owner, name), rrtype_format(type, text), rule + 1);
    }
    return false;
}

bool update_is_permitted(const struct update *update, const struct zone_version *version,
                         const struct update_policy *policy, const struct policy_client *client,
                         struct error *err)
{
    for (size_t i = 0; i < update->change_count; i++) {
        const struct record *record = &update->changes[i];
        if (record->class != CLASS_ANY || record->type != TYPE_ANY) {
            if (!allowed(update, record, record->type, policy, client, err)) {
                return false;
            }
            continue;
        }
        const struct owner *owner = zone_version_find(version, record->owner);
        bool is_apex = name_equal(record->owner, update->zone.wire);
        struct rrset rrset;
        size_t offset = 0;
        while (owner != NULL && owner_next_rrset(owner, &offset, &rrset)) {
            if (is_apex && (rrset.type == TYPE_SOA || rrset.type == TYPE_NS)) {
                continue; /* they stay in any case */
            }
            if (!allowed(update, record, rrset.type, policy, client, err)) {
                return false;
            }
        }
    }
    return true;
}
