/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a version says about itself, and the changes a step makes to both indexes at once. An owner
 * stands in the hash index and in one of two trees; which one follows from its flags, so a name
 * that gains or loses its last record besides NSEC3 moves over.
 */
#include "zone/version_impl.h"

const uint8_t *zone_version_name(const struct zone_version *version)
{
    return owner_name(version->apex);
}

uint16_t zone_version_class(const struct zone_version *version)
{
    return version->class;
}

struct serial zone_version_serial(const struct zone_version *version)
{
    return version->serial;
}

struct soa zone_version_soa(const struct zone_version *version)
{
    struct rrset soa;
    struct slice rdata;
    size_t offset = 0;
    REQUIRE(owner_find_rrset(version->apex, TYPE_SOA, &soa));
    REQUIRE(rrset_next_rdata(&soa, &offset, &rdata));
    return soa_read(rdata);
}

const struct owner *zone_version_apex(const struct zone_version *version)
{
    return version->apex;
}

uint64_t zone_version_record_count(const struct zone_version *version)
{
    return version->totals.records;
}

uint64_t zone_version_owner_count(const struct zone_version *version)
{
    return version->totals.owners;
}

uint64_t zone_version_bytes(const struct zone_version *version)
{
    return version->totals.owner_bytes + version->index_bytes +
           pool_rounded_size(sizeof(*version)) + pool_rounded_size(sizeof(*version->lineage));
}

bool zone_version_is_signed(const struct zone_version *version)
{
    struct rrset keys;
    return owner_find_rrset(version->apex, TYPE_DNSKEY, &keys);
}

bool zone_version_has_nsec3(const struct zone_version *version)
{
    return version->totals.nsec3 != 0;
}

bool zone_version_has_denial(const struct zone_version *version)
{
    struct rrset params;
    return version->totals.nsec != 0 || version->totals.nsec3 != 0 ||
           owner_find_rrset(version->apex, TYPE_NSEC3PARAM, &params);
}

void totals_count(struct totals *totals, const struct owner *owner, int sign)
{
    uint32_t one = (uint32_t)sign;
    totals->owner_bytes += (uint64_t)((int64_t)pool_rounded_size(owner_size(owner)) * sign);
    totals->owners += one;
    totals->wildcards += (owner->flags & OWNER_WILDCARD) != 0 ? one : 0;
    totals->nsec += (owner->flags & OWNER_NSEC) != 0 ? one : 0;
    totals->nsec3 += (owner->flags & OWNER_NSEC3_ONLY) != 0 ? one : 0;
}

struct version_parts version_parts_of(const struct zone_version *version)
{
    return (struct version_parts){
        .index = version->index,
        .trees = {version->trees[TREE_NAMES], version->trees[TREE_NSEC3]},
        .apex = version->apex,
        .totals = version->totals,
        .class = version->class,
    };
}

void version_insert(struct step *step, struct version_parts *parts, const struct owner *owner)
{
    hash_index_insert(step, &parts->index, owner);
    tree_insert(step, &parts->trees[owner_tree(owner)], owner);
    totals_count(&parts->totals, owner, 1);
}

void version_replace(struct step *step, struct version_parts *parts, const struct owner *before,
                     const struct owner *after)
{
    hash_index_replace(step, &parts->index, before, after);
    if (owner_tree(before) == owner_tree(after)) {
        tree_replace(step, &parts->trees[owner_tree(before)], before, after);
    } else {
        tree_remove(step, &parts->trees[owner_tree(before)], before);
        tree_insert(step, &parts->trees[owner_tree(after)], after);
    }
    totals_count(&parts->totals, before, -1);
    totals_count(&parts->totals, after, 1);
    if (parts->apex == before) {
        parts->apex = after;
    }
    retired_add(&step->retired, before, RETIRED_OWNER);
}

void version_remove(struct step *step, struct version_parts *parts, const struct owner *owner)
{
    hash_index_remove(step, &parts->index, owner);
    tree_remove(step, &parts->trees[owner_tree(owner)], owner);
    totals_count(&parts->totals, owner, -1);
    retired_add(&step->retired, owner, RETIRED_OWNER);
}
