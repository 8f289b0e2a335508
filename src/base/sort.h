/* SPDX-License-Identifier: BSD-3-Clause */
/* A stable sort that is fast on what is nearly sorted: DNS data usually is. */
#ifndef BASE_SORT_H
#define BASE_SORT_H

#include <stddef.h>

/* Order of two items: negative, 0, positive. */
typedef int sort_compare(const void *a, const void *b, void *context);

/* Sorts `count` items of `size` bytes in place; equal ones keep their order. One pass over sorted
 * input, O(n log runs) for input of so many ascending runs; up to as much memory again while it works. */
void sort_stable(void *items, size_t count, size_t size, sort_compare *compare, void *context);
/* The same for who knows where the ascending runs end (`ends`, run_count of them; used up), without
 * a look at items that stay where they are. */
void sort_runs(void *items, size_t *ends, size_t run_count, size_t size, sort_compare *compare,
               void *context);

#endif
