/* SPDX-License-Identifier: BSD-3-Clause */
/* What the database's files share. */
#ifndef STORE_DATABASE_IMPL_H
#define STORE_DATABASE_IMPL_H

#include "store/database.h"

/* What every transaction of ours leaves in the table "meta" under "txn": its number. */
enum { DATABASE_MARK_SIZE = 12 };
void database_mark_write(uint64_t transaction, uint8_t out[DATABASE_MARK_SIZE]);

/*
 * Looks at the structure of the file at `path`, before LMDB does. No file, or an empty one: OK.
 * out_mended   the newest state was damaged, the one before it is back
 * ERR_CORRUPT  not for LMDB.   ERR_IO
 * O(pages of keys and small values).
 */
MUST_CHECK enum result database_check(const char *path, bool *out_mended, struct error *err);

#endif
