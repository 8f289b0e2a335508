/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel of the fingerprint, in each of its forms: adds (or takes away) the 1024 lanes that a
 * 32-octet key expands to. All forms give the same lanes; tests hold them to it.
 */
#ifndef ZONE_FINGERPRINT_IMPL_H
#define ZONE_FINGERPRINT_IMPL_H

#include <stdbool.h>

#include "zone/fingerprint.h"

enum { FINGERPRINT_KEY_SIZE = 32 };

typedef void fingerprint_kernel(uint16_t lanes[FINGERPRINT_LANES],
                                const uint8_t key[FINGERPRINT_KEY_SIZE], bool removes);

/* AES of the crypto library; any machine. */
fingerprint_kernel fingerprint_kernel_portable;

/* NULL where the processor does not have the instructions. */
fingerprint_kernel *fingerprint_kernel_aesni(void);

/* The key of a record: SHA-256 of its canonical form. */
void fingerprint_record_key(const struct record *record, uint8_t out[FINGERPRINT_KEY_SIZE]);

#endif
