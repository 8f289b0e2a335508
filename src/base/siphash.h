/* SPDX-License-Identifier: BSD-3-Clause */
/* SipHash-2-4 with 64 bits of output: a keyed hash for short input, as RFC 9018 wants it. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include "base/slice.h"

enum { SIPHASH_KEY_SIZE = 16, SIPHASH_SIZE = 8 };

/* Writes the eight octets in the order the reference implementation gives them. Any thread. */
void siphash24(const uint8_t key[SIPHASH_KEY_SIZE], struct slice data, uint8_t out[SIPHASH_SIZE]);

#endif
