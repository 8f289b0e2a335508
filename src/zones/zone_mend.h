/* SPDX-License-Identifier: BSD-3-Clause */
/* The zone file, or a secondary's copy, where the stored history of the zone turned out to be damaged. */
#ifndef ZONES_ZONE_MEND_H
#define ZONES_ZONE_MEND_H

#include "ledger/ledger.h"
#include "zones/zone_history.h"

struct server_zone;
struct zone_settings;

/* Loader: the store said what it lost. */
void zone_mend_note(struct server_zone *zone, const struct ledger_restored *restored);
/*
 * The first version after that, read from the file, through the commit door; `mark` gets the serial
 * that is served. `version` is borrowed.
 * ERR_STALE  the file is older than what was served last
 */
MUST_CHECK enum result zone_mend_commit(struct server_zone *zone,
                                        const struct zone_settings *settings,
                                        struct zone_version *version, struct file_mark *mark,
                                        struct error *err);
/* A secondary's readable copy is the version that it served last, as far as the store can tell: nothing
 * went back where it is served again. */
bool zone_mend_is_last(const struct server_zone *zone, const struct zone_version *version);
/* When the zone goes. */
void zone_mend_forget(struct server_zone *zone);

#endif
