/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A primary's file that was read again meets a zone that has gone on: what changed in the file goes
 * on top (edit/merge.h), through the ledger's door.
 */
#ifndef ZONES_ZONE_MERGE_H
#define ZONES_ZONE_MERGE_H

#include "base/error.h"
#include "zone/version.h"

struct server_zone;
struct zone_settings;
struct file_mark;

/* What the file said when it was last read, with a reference. NULL: that is not known, and no
 * longer in the history. The loader that has the zone. */
struct zone_version *zone_merge_base(struct server_zone *zone, struct zone_version *head);

/*
 * The loader that has the zone. Makes the zone what `file` asks for, and says what there is to say.
 * base      of zone_merge_base; NULL: the file is taken whole where its serial is ahead.
 * last      the file as it was read before
 * mark      its `served`, `pure` and `is_merged` are set
 * A file of another path than the last one is an edit of it only where it says the same: else it
 * is taken whole, too, since nobody can tell two zones of one name from one that moved.
 * ERR_STALE   its serial went back, or is not ahead where it must be
 */
MUST_CHECK enum result zone_merge_commit(struct server_zone *zone,
                                         const struct zone_settings *settings,
                                         struct zone_version *base, struct zone_version *file,
                                         const struct file_mark *last, struct file_mark *mark,
                                         struct error *err);

#endif
