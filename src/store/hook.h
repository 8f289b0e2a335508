/* SPDX-License-Identifier: BSD-3-Clause */
/* Where tests reach into the store: a call before everything that changes the disk. */
#ifndef STORE_HOOK_H
#define STORE_HOOK_H

#include <stddef.h>

enum store_write {
    STORE_WRITE_CREATE,  /* a journal segment is made */
    STORE_WRITE_JOURNAL, /* one half of a group is written */
    STORE_WRITE_SYNC,    /* fdatasync of the journal */
    STORE_WRITE_COMMIT,  /* commit of the database */
    STORE_WRITE_KINDS
};

/* Returns 0, or the errno with which the write is to fail (it is then not done). May end the
 * process. */
struct store_hook {
    int (*before)(void *context, enum store_write what);
    void *context;
};

static inline int store_hook_call(const struct store_hook *hook, enum store_write what)
{
    return hook->before == NULL ? 0 : hook->before(hook->context, what);
}

#endif
