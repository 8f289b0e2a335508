/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Natural merge sort. Ascending runs are found in one pass (short ones made longer by insertion, so
 * that random input does not start from runs of two), then neighbours are merged, run by run and
 * back and forth between the items and a second array, until one run is left. A zone file in
 * order is one run, an IXFR two (removals, additions), an AXFR with its NSEC3 records behind two.
 */
#include "base/sort.h"

#include <string.h>

#include "base/attr.h"
#include "base/memory.h"

enum { SHORT_RUN = 8 };

struct sorter {
    size_t size;
    sort_compare *compare;
    void *context;
};

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

static void merge(const struct sorter *s, const uint8_t *a, size_t a_count, const uint8_t *b,
                  size_t b_count, uint8_t *out)
{
    while (a_count > 0 && b_count > 0) {
        if (s->compare(a, b, s->context) <= 0) {
            memcpy(out, a, s->size);
            a += s->size;
            a_count--;
        } else {
            memcpy(out, b, s->size);
            b += s->size;
            b_count--;
        }
        out += s->size;
    }
    memcpy(out, a, a_count * s->size);
    memcpy(out + a_count * s->size, b, b_count * s->size);
}

void sort_stable(void *items, size_t count, size_t size, sort_compare *compare, void *context)
{
    const struct sorter s = {size, compare, context};
    uint8_t *from = items;
    if (count < 2 || run_length(&s, from, count) == count) {
        return;
    }
    uint8_t *buffer = memory_new((count + 1) * size);
    size_t capacity = 64;
    size_t run_count = 0;
    size_t *ends = memory_new(capacity * sizeof(*ends)); /* where each run ends */
    for (size_t at = 0; at < count;) {
        size_t length = run_length(&s, item(from, at, size), count - at);
        if (length < SHORT_RUN && at + length < count) {
            size_t longer = count - at < SHORT_RUN ? count - at : SHORT_RUN;
            insert_rest(&s, item(from, at, size), length, longer, buffer);
            length = longer;
        }
        if (run_count == capacity) {
            capacity *= 2;
            ends = memory_resize(ends, capacity * sizeof(*ends));
        }
        at += length;
        ends[run_count++] = at;
    }
    uint8_t *to = buffer;
    while (run_count > 1) {
        size_t merged = 0;
        size_t start = 0;
        for (size_t run = 0; run < run_count; run += 2) {
            size_t middle = ends[run];
            size_t end = run + 1 < run_count ? ends[run + 1] : middle;
            merge(&s, item(from, start, size), middle - start, item(from, middle, size),
                  end - middle, item(to, start, size));
            ends[merged++] = end;
            start = end;
        }
        run_count = merged;
        uint8_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != items) {
        memcpy(items, from, count * size);
    }
    memory_free(ends);
    memory_free(buffer);
}
