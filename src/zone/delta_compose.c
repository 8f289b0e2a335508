/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several deltas as one (RFC 1995 4: versions in between may be left out). All changes stand in one
 * array in the order in which they happened. A stable sort by owner, type and rdata (without case,
 * as records are the same or not) brings together what happened to one record, still in that order:
 * it was there before if its first change removes it, and is there afterwards if its last one adds
 * it. The four cases of these two are all that is left. TTL and spelling are those of these first
 * and last changes, so a record that came back with another TTL is removed and added.
 *
 * Invariant: what results applies wherever the row of deltas applied, with the same outcome.
 */
#include "base/sort.h"
#include "zone/delta_impl.h"

static int record_compare(const void *a, const void *b, void *context)
{
    (void)context;
    int order = change_owner_order(a, b);
    return order != 0 ? order : change_record_order(a, b);
}

/* Keeps the first SOA removed and the last one added. */
static void reduce_soas(struct delta *delta)
{
    struct change *changes = delta->changes;
    size_t last_added = SIZE_MAX;
    bool has_removed = false;
    for (size_t i = 0; i < delta->count; i++) {
        if (changes[i].type == TYPE_SOA && !changes[i].removes) {
            last_added = i;
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < delta->count; i++) {
        bool is_soa = changes[i].type == TYPE_SOA;
        bool stays = !is_soa || (changes[i].removes ? !has_removed : i == last_added);
        has_removed = has_removed || (is_soa && changes[i].removes);
        if (stays) {
            changes[kept++] = changes[i];
        }
    }
    delta->count = kept;
}

enum result delta_compose(struct delta *delta, struct error *err)
{
    REQUIRE(!delta->sealed);
    struct change *changes = delta->changes;
    reduce_soas(delta);
    sort_stable(changes, delta->count, sizeof(*changes), record_compare, NULL);
    size_t kept = 0;
    for (size_t at = 0; at < delta->count;) {
        size_t end = at + 1;
        while (end < delta->count && record_compare(&changes[at], &changes[end], NULL) == 0) {
            end++;
        }
        struct change first = changes[at];
        struct change last = changes[end - 1];
        bool was = first.removes;
        bool is = !last.removes;
        at = end;
        if (was && is && change_same_octets(&first, &last)) {
            continue;
        }
        if (was) {
            changes[kept++] = first;
        }
        if (is) {
            changes[kept++] = last;
        }
    }
    delta->count = kept;
    return delta_seal(delta, err);
}
