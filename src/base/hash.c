/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random bytes from the kernel. getrandom() without flags blocks only before the system's pool was
 * first filled, takes no descriptor, and works in a chroot and under a system call filter that
 * knows it. Nothing sensible can go on without it: ids, ports and hash keys would be guessable.
 */
#include "base/hash.h"

#include <errno.h>
#include <sys/random.h>

void random_bytes(void *out, size_t size)
{
    uint8_t *p = out;
    while (size > 0) {
        ssize_t got = getrandom(p, size, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        REQUIRE(got > 0);
        p += got;
        size -= (size_t)got;
    }
}

uint64_t random_u64(void)
{
    uint64_t value;
    random_bytes(&value, sizeof(value));
    return value;
}
