/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Natural merge sort. Ascending runs are found in one pass (short ones made longer by insertion, so
 * that random input does not start from runs of two), then neighbours are merged, pair by pair,
 * until one run is left. A zone file in order is one run, an IXFR two (removals, additions), an AXFR
 * with its NSEC3 records behind two, a zone file whose apex has its servers written below it two, one
 * of them of a handful.
 *
 * So most merges have little to do: what of the first run stands before all of the second stays
 * where it is, and so does what of the second stands behind all of the first; only what is left of
 * the first is moved aside. Where one side wins time after time its next winners are looked for in
 * growing steps and moved at once: merging k items into n costs O(k log n) comparisons.
 */
#include "base/sort.h"

#include <string.h>

#include "base/attr.h"
#include "base/memory.h"

/* Few items, as an owner's records or a small zone's owners, are sorted without any allocation. */
enum { SHORT_RUN = 8, MANY_WINS = 8, FEW_RUNS = 32, FEW_BYTES = 512 };

struct sorter {
    size_t size;
    sort_compare *compare;
    void *context;
    uint8_t *held; /* items that others take the place of; starts as `few` */
    size_t held_room;
    ALIGNED(16) uint8_t few[FEW_BYTES];
};

static void sorter_init(struct sorter *s, size_t size, sort_compare *compare, void *context)
{
    s->size = size;
    s->compare = compare;
    s->context = context;
    s->held = s->few;
    s->held_room = sizeof(s->few) / size;
}

static void sorter_deinit(struct sorter *s)
{
    if (s->held != s->few) {
        memory_free(s->held);
    }
}

static inline uint8_t *item(uint8_t *items, size_t index, size_t size)
{
    return items + index * size;
}

/* Makes items[0, count) one run; the first `sorted` already are. */
static void insert_rest(const struct sorter *s, uint8_t *items, size_t sorted, size_t count,
                        uint8_t *held)
{
    for (size_t i = sorted; i < count; i++) {
        size_t at = i;
        while (at > 0 &&
               s->compare(item(items, at - 1, s->size), item(items, i, s->size), s->context) > 0) {
            at--;
        }
        if (at != i) {
            memcpy(held, item(items, i, s->size), s->size);
            memmove(item(items, at + 1, s->size), item(items, at, s->size), (i - at) * s->size);
            memcpy(item(items, at, s->size), held, s->size);
        }
    }
}

/* Length of the run at the start of items[0, count); not lengthened. */
static size_t run_length(const struct sorter *s, uint8_t *items, size_t count)
{
    size_t length = 1;
    while (length < count && s->compare(item(items, length - 1, s->size),
                                        item(items, length, s->size), s->context) <= 0) {
        length++;
    }
    return length;
}

/* How many of items[0, count), a run, go before `other`: those below it, or (at_most) not above.
 * Looks from the start in growing steps, so O(log of the answer). */
static size_t count_before(const struct sorter *s, const uint8_t *items, size_t count,
                           const uint8_t *other, bool at_most)
{
    int limit = at_most ? 0 : -1;
    size_t low = 0;
    size_t high = 1;
    while (high <= count && s->compare(items + (high - 1) * s->size, other, s->context) <= limit) {
        low = high;
        high *= 2;
    }
    high = high > count ? count : high - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->compare(items + middle * s->size, other, s->context) <= limit) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static uint8_t *held_room(struct sorter *s, size_t count)
{
    if (count > s->held_room) {
        sorter_deinit(s);
        s->held_room = count;
        s->held = memory_new(count * s->size);
    }
    return s->held;
}

/* items[0, a_count) and the b_count behind them, two runs, become one. */
static void merge(struct sorter *s, uint8_t *items, size_t a_count, size_t b_count)
{
    size_t size = s->size;
    uint8_t *b = item(items, a_count, size);
    size_t stay = count_before(s, items, a_count, b, true);
    uint8_t *out = item(items, stay, size);
    a_count -= stay;
    if (a_count == 0) {
        return;
    }
    uint8_t *a = held_room(s, a_count);
    memcpy(a, out, a_count * size);
    unsigned wins = 0; /* of one side, in a row */
    bool was_a = true;
    while (a_count > 0 && b_count > 0) {
        bool is_a = s->compare(a, b, s->context) <= 0;
        wins = is_a == was_a ? wins + 1 : 1;
        was_a = is_a;
        size_t take = 1;
        if (wins >= MANY_WINS) {
            take =
                is_a ? count_before(s, a, a_count, b, true) : count_before(s, b, b_count, a, false);
        }
        if (is_a) {
            memcpy(out, a, take * size);
            a += take * size;
            a_count -= take;
        } else {
            memmove(out, b, take * size);
            b += take * size;
            b_count -= take;
        }
        out += take * size;
    }
    memcpy(out, a, a_count * size); /* what is left of the second stands there already */
}

static void merge_all(struct sorter *s, uint8_t *items, size_t *ends, size_t run_count)
{
    while (run_count > 1) {
        size_t merged = 0;
        size_t start = 0;
        for (size_t run = 0; run < run_count; run += 2) {
            size_t end = ends[run];
            if (run + 1 < run_count) {
                merge(s, item(items, start, s->size), end - start, ends[run + 1] - end);
                end = ends[run + 1];
            }
            ends[merged++] = end;
            start = end;
        }
        run_count = merged;
    }
}

void sort_runs(void *items, size_t *ends, size_t run_count, size_t size, sort_compare *compare,
               void *context)
{
    struct sorter s;
    sorter_init(&s, size, compare, context);
    merge_all(&s, items, ends, run_count);
    sorter_deinit(&s);
}

void sort_stable(void *items, size_t count, size_t size, sort_compare *compare, void *context)
{
    struct sorter s;
    sorter_init(&s, size, compare, context);
    if (count < 2 || run_length(&s, items, count) == count) {
        return;
    }
    uint8_t *held = held_room(&s, 1);
    size_t few_ends[FEW_RUNS];
    size_t *ends = few_ends; /* where each run ends */
    size_t capacity = FEW_RUNS;
    size_t run_count = 0;
    for (size_t at = 0; at < count;) {
        uint8_t *run = item(items, at, size);
        size_t length = run_length(&s, run, count - at);
        if (length < SHORT_RUN && at + length < count) {
            size_t longer = count - at < SHORT_RUN ? count - at : SHORT_RUN;
            insert_rest(&s, run, length, longer, held);
            length = longer;
        }
        if (run_count == capacity) {
            size_t *more = memory_new(2 * capacity * sizeof(*ends));
            /* cppcheck-suppress uninitvar; these run_count are written */
            memcpy(more, ends, run_count * sizeof(*ends));
            if (ends != few_ends) {
                memory_free(ends);
            }
            ends = more;
            capacity *= 2;
        }
        at += length;
        ends[run_count++] = at;
    }
    merge_all(&s, items, ends, run_count);
    sorter_deinit(&s);
    if (ends != few_ends) {
        memory_free(ends);
    }
}
