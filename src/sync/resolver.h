/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses of host names, from the system's resolver, without making anybody wait: one thread of its
 * own. Used for name servers in NS sets that are not in any of our zones.
 */
#ifndef SYNC_RESOLVER_H
#define SYNC_RESOLVER_H

#include "base/address.h"
#include "base/error.h"
#include "wire/name.h"

struct resolver;

MUST_CHECK enum result resolver_new(struct resolver **out, struct error *err);
/* Waits for the question under way (the system's own time limit), drops the others. NULL is fine. */
void resolver_free(struct resolver *resolver);

enum { RESOLVER_NAMES = 32, RESOLVER_ADDRESSES = 64 };

struct resolver_answer {
    size_t count;
    struct address addresses[RESOLVER_ADDRESSES]; /* port 0 */
};

/*
 * Resolves `count` names (at most RESOLVER_NAMES; copied) together. `done` is called once in the
 * resolver's thread with what was found, or with NULL where the resolver is ending or has too much
 * to do.
 */
void resolver_ask(struct resolver *resolver, const struct name *names, size_t count,
                  void (*done)(void *context, const struct resolver_answer *answer), void *context);

#endif
