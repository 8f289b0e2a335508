/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory for secrets: pages of its own that a core dump leaves out, wiped when they go back. For
 * what lives long (keys); each costs at least a page.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stddef.h>

/* Zeroed. Where the system has no pages left, ordinary memory; aborts where there is none. */
void *secret_new(size_t size);
/* Wipes it. NULL is fine. */
void secret_free(void *secret);

#endif
