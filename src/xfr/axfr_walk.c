/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Through a version as AXFR goes. Within an RRset a step is an addition (axfr_walk_next in the
 * header); what is here comes once an RRset or less often.
 */
#include "xfr/axfr_walk_impl.h"

struct record version_soa_record(const struct zone_version *version)
{
    const struct owner *apex = zone_version_apex(version);
    struct rrset rrset;
    size_t offset = 0;
    struct slice rdata;
    bool found =
        owner_find_rrset(apex, TYPE_SOA, &rrset) && rrset_next_rdata(&rrset, &offset, &rdata);
    REQUIRE(found);
    return (struct record){
        .owner = owner_name(apex),
        .type = TYPE_SOA,
        .class = zone_version_class(version),
        .ttl = rrset.ttl,
        .rdata = rdata,
    };
}

static void enter_owner(struct axfr_walk *walk)
{
    walk->rrset = (struct rrset){0};
    walk->rrset_offset = 0;
    walk->rdata_offset = 0;
    walk->index = 0;
}

void axfr_walk_begin(struct axfr_walk *walk, struct zone_version *version)
{
    walk->version = version;
    walk->phase = AXFR_FIRST_SOA;
    walk->record = version_soa_record(version);
    zone_cursor_first(&walk->cursor, version);
    enter_owner(walk);
}

/* The owner's next RRset but the SOA; false: it has no more. */
static bool next_rrset_here(struct axfr_walk *walk)
{
    const struct owner *owner = walk->cursor.owner;
    do {
        if (!owner_next_rrset(owner, &walk->rrset_offset, &walk->rrset)) {
            return false;
        }
    } while (walk->rrset.type == TYPE_SOA);
    walk->record.owner = owner_name(owner);
    walk->record.type = walk->rrset.type;
    walk->record.ttl = walk->rrset.ttl;
    walk->rdata_offset = 0;
    return rrset_next_rdata(&walk->rrset, &walk->rdata_offset, &walk->record.rdata);
}

HOT void axfr_walk_next_rrset(struct axfr_walk *walk)
{
    if (walk->phase == AXFR_FIRST_SOA) {
        walk->phase = AXFR_OWNERS;
    } else if (walk->phase != AXFR_OWNERS) {
        walk->phase = AXFR_END;
        return;
    } else {
        walk->index++;
    }
    while (walk->cursor.owner != NULL) {
        if (next_rrset_here(walk)) {
            return;
        }
        zone_cursor_next(&walk->cursor);
        enter_owner(walk);
    }
    walk->phase = AXFR_LAST_SOA;
    walk->record = version_soa_record(walk->version);
}

struct axfr_position axfr_walk_position(const struct axfr_walk *walk)
{
    bool is_owner = walk->phase == AXFR_OWNERS;
    return (struct axfr_position){
        .owner = is_owner ? walk->cursor.owner : NULL,
        .index = is_owner ? walk->index : 0,
        .phase = walk->phase,
    };
}

void axfr_walk_seek(struct axfr_walk *walk, const struct axfr_position *position)
{
    if (position->phase == AXFR_FIRST_SOA) {
        axfr_walk_begin(walk, walk->version);
        return;
    }
    walk->record = version_soa_record(walk->version);
    walk->phase = position->phase;
    if (position->phase == AXFR_OWNERS) {
        zone_cursor_seek(&walk->cursor, walk->version, owner_name(position->owner));
        REQUIRE(walk->cursor.owner == position->owner);
        enter_owner(walk);
        bool found = next_rrset_here(walk);
        REQUIRE(found);
        while (walk->index < position->index) {
            axfr_walk_next(walk);
            REQUIRE(walk->cursor.owner == position->owner);
        }
    }
}
