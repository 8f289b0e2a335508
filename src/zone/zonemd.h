/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The message digest that a zone may carry of itself (ZONEMD, RFC 8976): whether its records are
 * those that its author published.
 */
#ifndef ZONE_ZONEMD_H
#define ZONE_ZONEMD_H

#include "base/error.h"
#include "zone/version.h"

enum { ZONEMD_SCHEME_SIMPLE = 1, ZONEMD_SHA384 = 1, ZONEMD_SHA512 = 2, ZONEMD_DIGEST_MAX = 64 };

enum zonemd_verdict {
    ZONEMD_ABSENT,      /* the apex has no ZONEMD record */
    ZONEMD_UNSUPPORTED, /* none of them has a scheme and an algorithm that are known here */
    ZONEMD_VERIFIED,    /* one of them fits */
    ZONEMD_WRONG,       /* none that is known here fits; `err` says why of the last one */
};

/*
 * Verifies as RFC 8976 4 says, but for the DNSSEC part: the records are taken as they stand.
 * err  set where the verdict is ZONEMD_WRONG (ERR_FORMAT) or ZONEMD_UNSUPPORTED.
 * Any thread. O(records) where there is a record that can be judged: a hash of all of them.
 */
enum zonemd_verdict zonemd_verify(const struct zone_version *version, struct error *err);

/* The digest of the version, scheme SIMPLE (RFC 8976 3.3). Returns its size in octets, 0 for an
 * algorithm that is not known. O(records). */
size_t zonemd_compute(const struct zone_version *version, uint8_t algorithm,
                      uint8_t out[ZONEMD_DIGEST_MAX]);

#endif
