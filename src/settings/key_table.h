/* SPDX-License-Identifier: BSD-3-Clause */
/* The TSIG keys of a configuration, ready to sign with, found by name. */
#ifndef SETTINGS_KEY_TABLE_H
#define SETTINGS_KEY_TABLE_H

#include "conf/conf.h"
#include "wire/tsig.h"

/* Read-only once made; any thread. */
struct key_table {
    struct tsig_key **keys; /* a reference each; in canonical order of their names */
    size_t count;
};

/* extra: a key of another source (the session key), takes the reference; may be NULL. */
void key_table_init(struct key_table *table, const struct conf *conf, struct tsig_key *extra);
enum hmac_algorithm key_algorithm(enum conf_algorithm algorithm);
/* Drops the references; a key that an exchange still holds lives on. */
void key_table_deinit(struct key_table *table);
/* Borrowed, or NULL. O(log n). */
struct tsig_key *key_table_find(const struct key_table *table, const uint8_t *name);

#endif
