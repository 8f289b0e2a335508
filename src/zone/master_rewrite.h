/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A zone file made to say what a version has, with as much of its author's text as can be: comments,
 * layout, directives and every line whose record did not change.
 */
#ifndef ZONE_MASTER_REWRITE_H
#define ZONE_MASTER_REWRITE_H

#include "base/error.h"
#include "base/text.h"
#include "zone/master.h"
#include "zone/version.h"

/* What became of it. */
struct master_rewrite {
    const char *printed_because; /* NULL: the text was edited; else why it is printed anew, without
                                    comments */
    size_t removed, added;       /* records; one that changed counts for both */
    bool is_same;                /* the text says it already; `out` is the text */
};

/*
 * text       the file, which loads as a zone of the version's name and class.
 * path       stands for it in messages.
 * directory  for $INCLUDE; NULL: the working directory.
 * said       what the text is taken for, its serial aside; borrowed, may be NULL.
 * version    borrowed; counted, as it may be shared with for a while.
 * style      of the text where it is printed anew.
 * out        an initialised text, which reads back as exactly the version's records.
 * ERR_FORMAT the text does not load
 * ERR_STALE  it says something else than `said`
 * Any thread. O(n).
 */
MUST_CHECK enum result master_rewrite(struct slice text, const char *path, const char *directory,
                                      const struct zone_version *said, struct zone_version *version,
                                      enum master_style style, struct text *out,
                                      struct master_rewrite *what, struct error *err);

#endif
