/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The past of a zone: deltas for IXFR, entries for people, older versions.
 *
 * With a store the history is the store's, and the newest deltas are kept in memory as well, since
 * they are what every secondary asks for a moment after a change. Without one, what is kept is the
 * history.
 */
#include "base/memory.h"
#include "ledger/ledger_impl.h"

enum { ENTRIES_AT_ONCE = 128, CATCH_UP_TRIES = 8 };

/* --- What is kept. --- */

static void drop_first(struct ledger_zone *zone, size_t count)
{
    struct ledger_zone_rare *rare = ledger_zone_own(zone);
    for (size_t i = 0; i < count; i++) {
        struct kept_delta *kept = &rare->kept[i];
        rare->kept_bytes -= kept->chunk->size;
        if (zone->stored != NULL) {
            atomic_fetch_sub(&zone->ledger->recent_bytes, kept->chunk->size);
        }
        chunk_unref(kept->chunk);
    }
    rare->kept_count -= count;
    memmove(rare->kept, rare->kept + count, rare->kept_count * sizeof(*rare->kept));
}

void ledger_drop_kept(struct ledger_zone *zone)
{
    if (ledger_rare(zone)->kept_count != 0) {
        drop_first(zone, ledger_rare(zone)->kept_count);
    }
}

void ledger_keep(struct ledger_zone *zone, const struct store_entry *entry, struct chunk *chunk)
{
    bool has_store = zone->stored != NULL;
    bool catches_up = zone->fingerprint_state == FINGERPRINT_COMPUTING;
    struct ledger_zone_rare *rare = ledger_zone_own(zone);
    if (rare->kept_count != 0 &&
        !serial_equal(rare->kept[rare->kept_count - 1].entry.to, entry->from)) {
        ledger_drop_kept(zone);
    }
    if (has_store && (chunk->size > RECENT_CHUNK_BYTES ||
                      atomic_load(&zone->ledger->recent_bytes) + chunk->size > RECENT_BYTES)) {
        ledger_drop_kept(zone);
        return;
    }
    if (rare->kept_count == rare->kept_room) {
        rare->kept_room = rare->kept_room == 0 ? RECENT_CHUNKS + 1 : 2 * rare->kept_room;
        rare->kept = memory_resize(rare->kept, rare->kept_room * sizeof(*rare->kept));
    }
    rare->kept[rare->kept_count++] = (struct kept_delta){*entry, chunk_ref(chunk)};
    rare->kept_bytes += chunk->size;
    if (has_store) {
        atomic_fetch_add(&zone->ledger->recent_bytes, chunk->size);
    }
    size_t goes = 0;
    uint64_t limit =
        zone->stored_limit != 0 ? zone->stored_limit : zone->ledger->memory_history_bytes;
    uint64_t bytes = rare->kept_bytes;
    while (rare->kept_count - goes > 1) {
        bool is_too_much =
            has_store && !catches_up ? rare->kept_count - goes > RECENT_CHUNKS : bytes > limit;
        if (!is_too_much) {
            break;
        }
        bytes -= rare->kept[goes++].chunk->size;
    }
    /* In batches, so that a long history is not moved for each delta. */
    if (goes != 0 && (rare->kept_count <= 2 * RECENT_CHUNKS || goes > rare->kept_count / 8)) {
        drop_first(zone, goes);
    }
}

/* --- What is published before it is durable. --- */

void ledger_drop_early(struct ledger_zone *zone)
{
    if (ledger_rare(zone)->early == NULL) {
        return;
    }
    struct ledger_zone_rare *rare = ledger_zone_own(zone);
    for (size_t i = 0; i < rare->early_count; i++) {
        chunk_unref(rare->early[i]);
    }
    memory_free(rare->early);
    rare->early = NULL;
    rare->early_count = 0;
}

void ledger_put_early(struct ledger_zone *zone, const struct commit *commit)
{
    if (commit->chunk_count == 0) {
        ledger_drop_early(zone); /* history begins anew */
        return;
    }
    struct ledger_zone_rare *rare = ledger_zone_own(zone);
    rare->early = memory_resize(rare->early,
                                (rare->early_count + commit->chunk_count) * sizeof(*rare->early));
    for (size_t i = 0; i < commit->chunk_count; i++) {
        rare->early[rare->early_count++] = chunk_ref(commit->chunks[i]);
    }
}

void ledger_end_early(struct ledger_zone *zone, struct serial serial)
{
    size_t count = ledger_rare(zone)->early_count;
    while (count > 0 && !serial_equal(ledger_rare(zone)->early[count - 1]->to, serial)) {
        count--;
    }
    if (count == ledger_rare(zone)->early_count) {
        ledger_drop_early(zone);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        chunk_unref(ledger_rare(zone)->early[i]);
    }
    struct ledger_zone_rare *rare = ledger_zone_own(zone);
    rare->early_count -= count;
    if (rare->early_count == 0) {
        ledger_drop_early(zone); /* of many zones most are at rest */
        return;
    }
    memmove(rare->early, rare->early + count, rare->early_count * sizeof(*rare->early));
}

/* --- Chains for IXFR. --- */

void ledger_chain_deinit(struct ledger_chain *chain)
{
    for (size_t i = 0; i < chain->count; i++) {
        chunk_unref(chain->chunks[i]);
    }
    memory_free(chain->chunks);
    *chain = (struct ledger_chain){0};
}

/* Under the zone's lock: the whole chain from what is kept. */
static bool chain_of_kept(const struct ledger_zone *zone, struct ledger_chain *chain)
{
    size_t end = ledger_rare(zone)->kept_count;
    while (end > 0 && !serial_equal(ledger_rare(zone)->kept[end - 1].entry.to, chain->to)) {
        end--;
    }
    size_t first = end;
    while (first > 0 && (first == end ||
                         !serial_equal(ledger_rare(zone)->kept[first].entry.from, chain->from))) {
        first--;
    }
    if (first == end || !serial_equal(ledger_rare(zone)->kept[first].entry.from, chain->from)) {
        return false;
    }
    chain->chunks = memory_new((end - first) * sizeof(struct chunk *));
    for (size_t i = first; i < end; i++) {
        chain->chunks[chain->count++] = chunk_ref(ledger_rare(zone)->kept[i].chunk);
        chain->bytes += ledger_rare(zone)->kept[i].chunk->size;
    }
    return true;
}

/* The newest step that starts at `from`, going back from `last`, and the octets from there. */
static enum result find_step(struct ledger_zone *zone, struct serial from, uint64_t last,
                             uint64_t max_bytes, uint64_t *out_step, struct error *err)
{
    struct store_entry entries[ENTRIES_AT_ONCE];
    uint64_t bytes = 0;
    for (uint64_t end = last + 1; end > 1;) {
        uint64_t first = end > ENTRIES_AT_ONCE ? end - ENTRIES_AT_ONCE : 1;
        size_t count =
            store_history(zone->ledger->store, zone->stored, first, entries, (size_t)(end - first));
        if (count == 0 || entries[0].step >= end) {
            break;
        }
        for (size_t i = count; i > 0; i--) {
            if (entries[i - 1].step >= end) {
                continue;
            }
            bytes += entries[i - 1].size_bytes;
            if (max_bytes != 0 && bytes > max_bytes) {
                return error_set(err, ERR_LIMIT, "the changes since serial %u weigh too much",
                                 from.value);
            }
            if (serial_equal(entries[i - 1].from, from)) {
                *out_step = entries[i - 1].step;
                return OK;
            }
        }
        if (entries[0].step > first) {
            break; /* that is where history begins */
        }
        end = first;
    }
    return error_set(err, ERR_NOT_FOUND, "history does not reach back to serial %u", from.value);
}

static enum result chain_of_store(struct ledger_zone *zone, uint64_t last, uint64_t max_bytes,
                                  struct ledger_chain *chain, struct error *err)
{
    uint64_t step = 0;
    enum result result = find_step(zone, chain->from, last, max_bytes, &step, err);
    if (result != OK) {
        return result;
    }
    chain->chunks = memory_new_zeroed((size_t)(last - step + 1), sizeof(struct chunk *));
    for (; result == OK && step <= last; step++) {
        result = store_read_chunk(zone->ledger->store, zone->stored, step,
                                  &chain->chunks[chain->count], err);
        if (result == OK) {
            chain->bytes += chain->chunks[chain->count++]->size;
        }
    }
    return result;
}

/* Takes the chunks of `part`, which starts where `chain` ends. */
static void append(struct ledger_chain *chain, struct ledger_chain *part)
{
    size_t count = chain->count + part->count;
    chain->chunks = memory_resize(chain->chunks, (count + 1) * sizeof(struct chunk *));
    for (size_t i = 0; i < part->count; i++) {
        chain->chunks[chain->count++] = part->chunks[i];
    }
    chain->bytes += part->bytes;
    chain->to = part->to;
    memory_free(part->chunks);
    *part = (struct ledger_chain){0};
}

/* Under the zone's lock: what is published and not yet durable, where it leads on from the chain. */
static bool append_early(const struct ledger_zone *zone, struct ledger_chain *chain)
{
    size_t first = 0;
    while (first < ledger_rare(zone)->early_count &&
           !serial_equal(ledger_rare(zone)->early[first]->from, chain->to)) {
        first++;
    }
    for (size_t i = first + 1; i < ledger_rare(zone)->early_count; i++) {
        if (!serial_equal(ledger_rare(zone)->early[i]->from, ledger_rare(zone)->early[i - 1]->to)) {
            return false;
        }
    }
    size_t count = ledger_rare(zone)->early_count - first;
    if (count == 0) {
        return false;
    }
    struct ledger_chain part = {.chunks = memory_new(count * sizeof(struct chunk *))};
    for (size_t i = first; i < ledger_rare(zone)->early_count; i++) {
        part.chunks[part.count++] = chunk_ref(ledger_rare(zone)->early[i]);
        part.bytes += ledger_rare(zone)->early[i]->size;
        part.to = ledger_rare(zone)->early[i]->to;
    }
    append(chain, &part);
    return true;
}

static enum result not_found(struct serial from, struct error *err)
{
    return error_set(err, ERR_NOT_FOUND, "history does not reach back to serial %u", from.value);
}

/* The chain to the durable version, which *out_version gets a reference on. */
static enum result durable_history(struct ledger_zone *zone, struct serial from, uint64_t max_bytes,
                                   bool reads_store, struct ledger_chain *chain,
                                   struct zone_version **out_version, struct error *err)
{
    *chain = (struct ledger_chain){.from = from};
    ledger_zone_lock(zone);
    bool has_version = zone->durable != NULL;
    uint64_t last = zone->durable_step;
    chain->to = has_version ? zone_version_serial(zone->durable) : from;
    bool is_done = has_version && (serial_equal(from, chain->to) || chain_of_kept(zone, chain));
    *out_version = has_version ? zone_version_ref(zone->durable) : NULL;
    ledger_zone_unlock(zone);
    if (is_done) {
        return OK;
    }
    return !has_version || zone->stored == NULL || !reads_store
               ? not_found(from, err)
               : chain_of_store(zone, last, max_bytes, chain, err);
}

/* While the past is read the zone goes on: what came meanwhile is at hand, and added. */
static enum result history(struct ledger_zone *zone, struct serial from, uint64_t max_bytes,
                           bool reads_store, struct ledger_chain *out, struct error *err)
{
    struct ledger_chain chain = {.from = from, .to = from};
    enum result result = OK;
    for (unsigned n = 0; n < CATCH_UP_TRIES && result == OK; n++) {
        struct ledger_chain part;
        struct zone_version *version = NULL;
        ledger_zone_lock(zone);
        bool is_done = append_early(zone, &chain) ||
                       (ledger_rare(zone)->early_count == 0 && zone->durable != NULL &&
                        serial_equal(zone_version_serial(zone->durable), chain.to));
        ledger_zone_unlock(zone);
        if (is_done) {
            break;
        }
        result = durable_history(zone, chain.to, max_bytes, reads_store, &part, &version, err);
        zone_version_unref(version);
        if (result == OK && part.count == 0) {
            result = not_found(from, err); /* and what is published stands on something else */
        }
        append(&chain, &part);
    }
    if (result == OK && max_bytes != 0 && chain.bytes > max_bytes) {
        result =
            error_set(err, ERR_LIMIT, "the changes since serial %u weigh too much", from.value);
    }
    if (result != OK) {
        ledger_chain_deinit(&chain);
        return result;
    }
    *out = chain;
    return OK;
}

enum result ledger_history(struct ledger_zone *zone, struct serial from, uint64_t max_bytes,
                           struct ledger_chain *out, struct error *err)
{
    return history(zone, from, max_bytes, true, out, err);
}

enum result ledger_history_at_hand(struct ledger_zone *zone, struct serial from, uint64_t max_bytes,
                                   struct ledger_chain *out, struct error *err)
{
    return history(zone, from, max_bytes, false, out, err);
}

/* --- For people. --- */

size_t ledger_entries(struct ledger_zone *zone, struct store_entry *out, size_t count)
{
    size_t copied = 0;
    if (zone->stored != NULL) {
        struct store_status status;
        if (store_zone_status(zone->ledger->store, zone->stored, &status, NULL) != OK) {
            return 0;
        }
        uint64_t first = status.last_step >= count ? status.last_step - count + 1 : 0;
        return store_history(zone->ledger->store, zone->stored, first, out, count);
    }
    ledger_zone_lock(zone);
    for (size_t i = ledger_rare(zone)->kept_count > count ? ledger_rare(zone)->kept_count - count
                                                          : 0;
         i < ledger_rare(zone)->kept_count; i++) {
        out[copied++] = ledger_rare(zone)->kept[i].entry;
    }
    ledger_zone_unlock(zone);
    return copied;
}

/* What undoes the whole chain, as one delta. The last chunk is undone first. */
static enum result inverse(const struct ledger_chain *chain, const struct zone_version *version,
                           struct delta **out, struct error *err)
{
    struct delta *delta = delta_new(zone_version_name(version), zone_version_class(version));
    enum result result = OK;
    for (size_t i = chain->count; result == OK && i > 0; i--) {
        struct slice run = slice_of(chain->chunks[i - 1]->data, chain->chunks[i - 1]->size);
        struct record record;
        /* What it added goes before what it removed comes. */
        for (unsigned pass = 0; result == OK && pass < 2; pass++) {
            unsigned soa_count = 0;
            size_t offset = 0;
            while (result == OK && wire_records_next(run, &offset, &record)) {
                soa_count += record.type == TYPE_SOA;
                if (soa_count == 2 - pass) {
                    result = pass == 0 ? delta_remove(delta, &record, err)
                                       : delta_add(delta, &record, err);
                }
            }
        }
    }
    if (result == OK) {
        result = delta_compose(delta, err);
    }
    if (result != OK) {
        delta_free(delta);
        return result;
    }
    *out = delta;
    return OK;
}

enum result ledger_version_at(struct ledger_zone *zone, struct serial serial,
                              struct zone_version **out, struct error *err)
{
    struct ledger_chain chain;
    struct zone_version *version = NULL;
    struct zone_version *before = NULL;
    struct delta *delta = NULL;
    enum result result = durable_history(zone, serial, 0, true, &chain, &version, err);
    if (result == OK && chain.count == 0) {
        *out = version;
        return OK;
    }
    if (result == OK) {
        result = inverse(&chain, version, &delta, err);
    }
    if (result == OK) {
        /* Versions of one zone are made one at a time; what takes long was done before. */
        ledger_zone_edit_begin(zone);
        result = delta_apply(version, delta, NULL, &before, err);
        ledger_zone_edit_end(zone);
    }
    delta_free(delta);
    ledger_chain_deinit(&chain);
    zone_version_unref(version);
    if (result == OK) {
        *out = before;
    }
    return result;
}
