/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Three-way merge: what changed in a zone file since it was last read, applied to a version that
 * went on by other ways meanwhile. Pure.
 */
#ifndef EDIT_MERGE_H
#define EDIT_MERGE_H

#include "base/error.h"
#include "edit/serial.h"
#include "zone/delta.h"
#include "zone/version.h"

/* File and zone changed the same, and not to the same; the file has won. All borrowed for the call.
 */
struct merge_conflict {
    const uint8_t *owner;
    uint16_t type;
    const char *what; /* a sentence: what was lost */
};
typedef void merge_report(void *context, const struct merge_conflict *conflict);

struct merge_options {
    enum serial_method method; /* where the file's serial is not ahead */
    int64_t now_s;
    merge_report *report; /* may be NULL */
    void *report_context;
};

/*
 * old   the version that the file made when it was last read; its own serial does not count.
 * file  what the file says now.
 * head  the version that the change is for; may be `old`.
 * out   a sealed delta from head, freed by the caller; NULL where nothing changes, not even the
 *       serial. Its serial is the file's where that is ahead of head's, else the next by the
 * method. Fails as delta_seal does. O(what differs between old and file), O(n) where they share
 * nothing.
 */
MUST_CHECK enum result merge_file(const struct zone_version *old, const struct zone_version *file,
                                  const struct zone_version *head,
                                  const struct merge_options *options, struct delta **out,
                                  struct error *err);

#endif
