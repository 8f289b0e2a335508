/* SPDX-License-Identifier: BSD-3-Clause */
/* Where all versions live: the one pool of the process, made at first use. */
#ifndef ZONE_VERSION_POOL_H
#define ZONE_VERSION_POOL_H

#include "base/pool.h"

/* Any thread; never freed. For metrics, pool_trim() and tests that count. */
struct pool *version_pool(void);

#endif
