/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A delta: what one commit changes, from one serial to another. It removes records and adds
 * records, the two SOAs among them, in the way IXFR (RFC 1995) writes it down.
 * One thread at a time until sealed, then immutable.
 */
#ifndef ZONE_DELTA_H
#define ZONE_DELTA_H

#include "base/error.h"
#include "wire/record.h"

struct delta;
struct zone_version;

struct delta *delta_new(const uint8_t *zone_name, uint16_t class);
void delta_free(struct delta *delta);
/* Records are copied. ERR_LIMIT past `budget` octets where one was set. */
void delta_set_budget(struct delta *delta, size_t budget_bytes);
MUST_CHECK enum result delta_remove(struct delta *delta, const struct record *record,
                                    struct error *err);
MUST_CHECK enum result delta_add(struct delta *delta, const struct record *record,
                                 struct error *err);
/*
 * Sorts (owner, then removals before additions, type, rdata) and checks: exactly one SOA removed
 * and one added, at the apex. A record (SOA apart) both removed and added in the same octets with the
 * same TTL cancels out; what is listed twice counts once.
 */
MUST_CHECK enum result delta_seal(struct delta *delta, struct error *err);

/*
 * Seals a delta that several were put into one after the other, each leading to where the next
 * starts, as the one that does what all of them did: what was added and taken away again (or the
 * other way round) is not in it, of a record that went and came back spelled otherwise both are.
 * Of the SOAs the first removed and the last added count. Errors as delta_seal. O(k log k).
 */
MUST_CHECK enum result delta_compose(struct delta *delta, struct error *err);

/* Of a sealed delta. */
struct serial delta_from(const struct delta *delta);
struct serial delta_to(const struct delta *delta);
size_t delta_count(const struct delta *delta); /* removals and additions, SOAs included */
size_t delta_removed_count(const struct delta *delta);
const uint8_t *delta_zone_name(const struct delta *delta);
/* The n-th change in sealed order. `removes` tells which kind. Borrowed. */
void delta_get(const struct delta *delta, size_t index, bool *removes, struct record *out);
/* In IXFR order, SOAs left out: first all removals, then all additions, each in canonical order. */
void delta_get_ixfr(const struct delta *delta, bool removes, size_t index, struct record *out);
/* The SOA record removed, or added. */
void delta_get_soa(const struct delta *delta, bool removed, struct record *out);

struct delta_limits {
    uint64_t max_records;          /* of the zone afterwards; 0: no limit */
    uint32_t max_records_per_type; /* 0: 65535 */
    uint32_t max_types_per_name;   /* 0: no limit */
};

/*
 * Applies `change` to `from`, making a new version; `from` stays as it was.
 * from    borrowed; its serial is delta_from(change).
 * change  borrowed; sealed.
 * limits  borrowed; NULL: none.
 * out     given one reference; drop with zone_version_unref().
 *
 * ERR_STALE   the delta starts at another serial; ask for AXFR (RFC 1995 4)
 * ERR_FORMAT  it removes a record that is not there, adds one that is, or leaves what no zone may
 *             have: no SOA, no NS at the apex, CNAME beside other data. The TTL is part of the
 *             record: a removal gives the one it has, an addition that of the records of its RRset
 *             that stay (another TTL for an RRset: remove all of it, add all of it)
 * ERR_LIMIT   a limit would be passed, and not because it was already
 * Any thread, one apply at a time for the versions of one zone. O(k log n).
 */
MUST_CHECK enum result delta_apply(struct zone_version *from, const struct delta *change,
                                   const struct delta_limits *limits, struct zone_version **out,
                                   struct error *err);

/*
 * What leads from a to b, sealed. Subtrees that both share are skipped: O(what differs) for
 * versions of one line, O(n) otherwise. The serials may be equal (then the SOAs may be, too). The SOA
 * is always removed and added, so equal versions give a delta_count() of 2.
 */
struct delta *delta_diff(const struct zone_version *a, const struct zone_version *b);

#endif
