/* SPDX-License-Identifier: BSD-3-Clause */
/* One configuration file in memory. */
#ifndef CONF_SOURCE_IMPL_H
#define CONF_SOURCE_IMPL_H

#include <sys/types.h>

#include "base/error.h"
#include "base/slice.h"

struct source {
    char *bytes;
    size_t size;
    dev_t device; /* with inode: which file it is, whatever its name */
    ino_t inode;
    mode_t mode;
};

/* Only regular files; at most 1 GiB. ERR_IO, ERR_LIMIT. */
MUST_CHECK enum result source_read(const char *path, struct source *out, struct error *err);
/* Wipes it: it may hold secrets. */
void source_deinit(struct source *source);

#endif
