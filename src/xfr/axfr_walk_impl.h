/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The records of a version in the order of an AXFR (RFC 5936 2.2): the SOA, every owner in
 * canonical order without the SOA, the SOA. A walk can say where it stands, and can be put there
 * again, so that a message in the middle can be made without those before it.
 */
#ifndef XFR_AXFR_WALK_IMPL_H
#define XFR_AXFR_WALK_IMPL_H

#include "zone/version.h"

enum axfr_phase { AXFR_FIRST_SOA, AXFR_OWNERS, AXFR_LAST_SOA, AXFR_END };

struct axfr_walk {
    struct zone_version *version; /* borrowed */
    enum axfr_phase phase;        /* of the record it stands at */
    struct record record;         /* it stands at; borrowed from the version. Not at AXFR_END */
    uint32_t index;               /* which record of its owner */
    struct zone_cursor cursor;
    struct rrset rrset;
    size_t rrset_offset;
    size_t rdata_offset;
};

/* Where a walk stands. Valid as long as the version. */
struct axfr_position {
    const struct owner *owner; /* NULL unless among the owners */
    uint32_t index;
    enum axfr_phase phase;
};

/* At the first SOA. */
void axfr_walk_begin(struct axfr_walk *walk, struct zone_version *version);
struct axfr_position axfr_walk_position(const struct axfr_walk *walk);
/* O(log n), and the records of that owner before it. */
void axfr_walk_seek(struct axfr_walk *walk, const struct axfr_position *position);
/* What axfr_walk_next does at the end of an RRset. */
void axfr_walk_next_rrset(struct axfr_walk *walk);

/* On to the next record. */
static ALWAYS_INLINE void axfr_walk_next(struct axfr_walk *walk)
{
    if (LIKELY(walk->phase == AXFR_OWNERS) &&
        rrset_next_rdata(&walk->rrset, &walk->rdata_offset, &walk->record.rdata)) {
        walk->index++;
    } else {
        axfr_walk_next_rrset(walk);
    }
}

/* The SOA record of a version, borrowed from it. */
struct record version_soa_record(const struct zone_version *version);

#endif
