/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the denials of a batch will ask for, looked for together between the lookups and the answers,
 * so that the misses of their searches overlap as those of the lookups do, and the records are here
 * when they are written.
 *
 * Only what the short way is likely to need: the record that covers a name that does not exist, or,
 * with NSEC3, also the one that matches a name without the type asked for, or a delegation without
 * DS. A denial that asks for something else, or finds nothing here, searches by itself.
 */
#include "answer/quick_impl.h"

enum { FORESEEN_MAX = 32 };

/* The name whose place in the chain an answer will be about, or NULL. */
static ALWAYS_INLINE const uint8_t *expect(const struct zone_lookup *lookup,
                                           const struct query *query, enum denial denial)
{
    if (lookup->cut != NULL && (lookup->cut != lookup->match || query->qtype != TYPE_DS)) {
        return denial == DENIAL_NSEC3 && !owner_has_type(lookup->cut, TYPE_DS)
                   ? owner_name(lookup->cut)
                   : NULL;
    }
    if (lookup->match != NULL) {
        /* Signatures stand where an owner of an unsigned zone has ended, which is as far as the
         * lookup asks for. */
        __builtin_prefetch((const uint8_t *)lookup->match + 192);
        __builtin_prefetch((const uint8_t *)lookup->match + 256);
        return denial == DENIAL_NSEC3 && (lookup->match->flags & OWNER_CNAME) == 0 &&
                       !owner_has_type(lookup->match, query->qtype)
                   ? query->qname
                   : NULL;
    }
    if (lookup->dname != NULL) {
        return NULL;
    }
    return denial == DENIAL_NSEC
               ? query->qname
               : next_closer(query->qname, query->qname_size, lookup->encloser->name_size);
}

HOT void denial_foresee(struct denial_memo *memo, const struct zone_lookup_item *items,
                        struct answer_query *const *queries, size_t count, struct foreseen *out)
{
    struct zone_predecessor_item searches[FORESEEN_MAX];
    uint8_t which[FORESEEN_MAX];
    unsigned searched = 0;
    if (count == 1) { /* nothing overlaps */
        out[0].name = NULL;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct query *query = &queries[i]->query;
        const struct zone_version *version = items[i].version;
        out[i].name = NULL;
        if (version == NULL || !query->edns.dnssec_ok || searched == FORESEEN_MAX) {
            continue;
        }
        denial_memo_version(memo, version);
        enum denial denial = denial_memo_denial(memo);
        const uint8_t *name =
            denial == DENIAL_NONE ? NULL : expect(&items[i].result, query, denial);
        if (name == NULL) {
            continue;
        }
        struct zone_predecessor_item *search = &searches[searched];
        *search = (struct zone_predecessor_item){.version = version};
        if (denial == DENIAL_NSEC3) {
            nsec3_hash(&memo->nsec3, name, out[i].hash);
            search->is_hash = true;
            search->name = slice_of(out[i].hash, NSEC3_HASH_SIZE);
        } else {
            search->name = slice_of(name, query->qname_size);
        }
        out[i].version = version;
        out[i].name = name;
        which[searched++] = (uint8_t)i;
    }
    zone_version_predecessors(searches, searched);
    for (unsigned n = 0; n < searched; n++) {
        out[which[n]].owner = searches[n].owner;
        out[which[n]].place = searches[n].place;
    }
}
