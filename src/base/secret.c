/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A core dump is written by the kernel to wherever the machine collects them, and read by whoever
 * debugs the crash. What lies in pages marked MADV_DONTDUMP is not in it. A process may have some 65000 mappings: when these run out a
 * secret lies among everything else, which is better than no service.
 */
#include "base/secret.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "base/memory.h"

struct secret {
    size_t size; /* of the whole, this head included */
    bool is_mapped;
    _Alignas(16) unsigned char bytes[];
};

void *secret_new(size_t size)
{
    size_t whole = sizeof(struct secret) + size;
    struct secret *secret =
        mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool is_mapped = secret != MAP_FAILED;
    if (is_mapped) {
        (void)madvise(secret, whole, MADV_DONTDUMP);
    } else {
        secret = memory_new_zeroed(1, whole);
    }
    secret->size = whole;
    secret->is_mapped = is_mapped;
    return secret->bytes;
}

void secret_free(void *bytes)
{
    if (bytes == NULL) {
        return;
    }
    struct secret *secret =
        (struct secret *)(void *)((unsigned char *)bytes - offsetof(struct secret, bytes));
    bool is_mapped = secret->is_mapped;
    size_t size = secret->size;
    explicit_bzero(secret, size);
    if (is_mapped) {
        (void)munmap(secret, size);
    } else {
        memory_free(secret);
    }
}
