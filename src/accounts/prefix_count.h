/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How many of something each network has: TCP connections by address prefix, transfers by client.
 * Bounded by what is counted, since a network with none has no place in it. Any thread.
 */
#ifndef ACCOUNTS_PREFIX_COUNT_H
#define ACCOUNTS_PREFIX_COUNT_H

#include "base/address.h"

struct prefix_count;

struct prefix_count *prefix_count_new(void);
void prefix_count_free(struct prefix_count *counts); /* NULL is fine */

/* The network of an address: its first `bits4` or `bits6` bits. */
struct prefix prefix_of(const struct address *address, unsigned bits4, unsigned bits6);

/* One more for the network, or false where it has `limit` already. */
bool prefix_count_take(struct prefix_count *counts, const struct prefix *network, uint32_t limit);
/* The other end of a successful take. */
void prefix_count_release(struct prefix_count *counts, const struct prefix *network);
/* The most that any network has; O(networks). */
uint32_t prefix_count_most(struct prefix_count *counts, struct prefix *out_network);

#endif
