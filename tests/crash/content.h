/* SPDX-License-Identifier: BSD-3-Clause */
/* Zones whose records follow from name and serial. */
#ifndef CRASH_CONTENT_H
#define CRASH_CONTENT_H

#include "wire/name.h"
#include "zone/delta.h"
#include "zone/version.h"

/* The whole zone at a serial; `is_large`: some thousand records beside. One reference. */
struct zone_version *content_version(const struct name *apex, uint32_t serial, bool is_large);
/* From one serial to a later one, sealed; the same for large zones. */
struct delta *content_delta(const struct name *apex, uint32_t from, uint32_t to);
bool content_equal(const struct zone_version *a, const struct zone_version *b);

#endif
