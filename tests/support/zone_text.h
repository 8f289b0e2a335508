/* SPDX-License-Identifier: BSD-3-Clause */
/* Zones for tests, written down as zone files in the test. A mistake in one fails the test. */
#ifndef SUPPORT_ZONE_TEXT_H
#define SUPPORT_ZONE_TEXT_H

#include "wire/name.h"
#include "zone/version.h"
#include "zone/zone_set.h"

struct name name_from_text(const char *text);

/* The version that `text` spells; names are relative to `origin`, the default TTL is 3600. The
 * caller owns the reference. */
struct zone_version *version_from_text(const char *origin, const char *text);

/* A zone of class IN with that version published, inserted into `set`, which keeps it alive. */
struct zone *zone_from_text(struct zone_set *set, const char *origin, uint8_t flags,
                            const char *text);

#endif
