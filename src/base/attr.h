/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiler extensions and the checks on ourselves; everything non-standard lives here. */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_arg)                                                       \
    __attribute__((format(printf, format_index, first_arg)))
#define NORETURN            __attribute__((noreturn))
#define UNUSED              __attribute__((unused))
#define NO_SANITIZE_ADDRESS __attribute__((no_sanitize_address))
#define ALIGNED(bytes)      __attribute__((aligned(bytes)))
#define VECTOR(bytes)       __attribute__((vector_size(bytes)))
#define PACKED              __attribute__((packed))
#define HOT                 __attribute__((hot))
#define COLD                __attribute__((cold))
#define ALWAYS_INLINE       inline __attribute__((always_inline))
#define NOINLINE            __attribute__((noinline))
#define LIKELY(x)           __builtin_expect(!!(x), 1)
#define UNLIKELY(x)         __builtin_expect(!!(x), 0)
#define ARRAY_SIZE(a)       (sizeof(a) / sizeof((a)[0]))

/* A few octets, their number a constant: one or two moves. The fortified memcpy makes a call of it
 * where it knows the size of the object but not where in it the octets go. */
#define COPY_FEW(to, from, size) __builtin_memcpy(to, from, size)

/*
 * Ends the process with a line that names the place. For our own mistakes only: no byte from the
 * network or the disk may be able to reach one. Stays on in release builds.
 */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (UNLIKELY(!(condition))) {                                                              \
            require_failed(#condition, __FILE__, __LINE__);                                        \
        }                                                                                          \
    } while (0)

NORETURN COLD void require_failed(const char *condition, const char *file, int line);

#endif
