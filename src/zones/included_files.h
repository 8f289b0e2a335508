/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The files that a zone file took in by $INCLUDE, as they were when they were read: a change of any
 * of them is a change of the zone. One owner at a time.
 */
#ifndef ZONES_INCLUDED_FILES_H
#define ZONES_INCLUDED_FILES_H

#include <stdbool.h>
#include <stdint.h>

struct stat;
struct included_file;

/* Zeroed is empty. */
struct included_files {
    struct included_file *files;
    uint32_t count, room;
};

/* A master_included callback; `context` is the struct included_files. stat: NULL for a file that
 * was not there. */
void included_files_note(void *context, const char *path, const struct stat *stat);
/* Is one of them other than it was, gone, or come? One stat(2) a file. */
bool included_files_changed(const struct included_files *included);
/* The i-th path, as it was opened. */
const char *included_files_path(const struct included_files *included, uint32_t i);
/* Empty again; its memory is freed. */
void included_files_clear(struct included_files *included);

#endif
