/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records of one RRset that mean the same and are not the same (check-dup-records): only the case of
 * a name in them differs, in a type whose canonical form keeps that case (RFC 6840 5.1). DNSSEC takes
 * them for two, everything else for one.
 */
#ifndef ZONE_ALIKE_H
#define ZONE_ALIKE_H

#include "zone/owner.h"

/* Types that have such names. */
static inline bool alike_type(uint16_t type)
{
    return type == TYPE_NSEC || type == TYPE_HIP || type == TYPE_IPSECKEY || type == TYPE_TALINK ||
           type == TYPE_SVCB || type == TYPE_HTTPS || type == TYPE_LP || type == TYPE_AMTRELAY;
}

/* The second of the first two that are alike; borrowed. False: there are none. O(records ^ 2) in an
 * RRset of the types above. */
bool alike_find(const struct rrset *rrset, struct slice *out);

#endif
