/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A primary's zone file on disk: known by time, size and inode, read whole, and replaced so that an
 * edit of its author is never lost.
 */
#ifndef ZONES_ZONE_FILE_H
#define ZONES_ZONE_FILE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

struct stat;
struct file_mark;

/* Time, size and inode; the rest of the mark is zero. */
struct file_mark file_mark_of(const struct stat *stat);
/* The mark is of a file that was read, and this is it. */
bool file_mark_is(const struct file_mark *mark, const struct stat *stat);

/* All of the file into `out` (initialised). ERR_STALE: it is not the one of the mark, or not any more
 * when it had been read. ERR_NOT_FOUND, ERR_IO. */
MUST_CHECK enum result zone_file_read(const char *path, const struct file_mark *expected,
                                      struct text *out, struct error *err);

/*
 * The file that the mark knows becomes `text`: at once, durably, with its mode and owner; through a
 * link, what it points to.
 * out        given: the new file's mark.
 * ERR_STALE  it is another one by now, and stays as it is
 * ERR_BUSY   somebody has it open for writing; it stays as it is
 * ERR_IO     `err` says what stands in the way
 */
MUST_CHECK enum result zone_file_replace(const char *path, const struct file_mark *expected,
                                         const struct text *text, struct file_mark *out,
                                         struct error *err);

#endif
