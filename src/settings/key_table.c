/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From `key` blocks to keys that sign. A reload makes a new table; exchanges that are under way
 * keep the key they began with by a reference of their own, so that a rollover cuts nothing off.
 */
#include "settings/key_table.h"

#include <stdlib.h>

#include "base/memory.h"

static int compare(const void *a, const void *b)
{
    const struct tsig_key *const *left = a;
    const struct tsig_key *const *right = b;
    return name_compare(tsig_key_name(*left), tsig_key_name(*right));
}

enum hmac_algorithm key_algorithm(enum conf_algorithm algorithm)
{
    switch (algorithm) {
    case CONF_HMAC_MD5:
        return HMAC_MD5;
    case CONF_HMAC_SHA1:
        return HMAC_SHA1;
    case CONF_HMAC_SHA224:
        return HMAC_SHA224;
    case CONF_HMAC_SHA256:
        return HMAC_SHA256;
    case CONF_HMAC_SHA384:
        return HMAC_SHA384;
    case CONF_HMAC_SHA512:
        return HMAC_SHA512;
    }
    return HMAC_SHA256;
}

void key_table_init(struct key_table *table, const struct conf *conf, struct tsig_key *extra)
{
    table->count = conf->key_count;
    table->keys = memory_new_zeroed(table->count + 1, sizeof(table->keys[0]));
    for (uint32_t i = 0; i < conf->key_count; i++) {
        const struct conf_key *key = conf->keys[i];
        table->keys[i] = tsig_key_new(key->wire, key_algorithm(key->algorithm),
                                      slice_of(key->secret, key->secret_size), key->digest_bits);
    }
    if (extra != NULL) {
        table->keys[table->count++] = extra;
    }
    if (table->count > 1) {
        qsort(table->keys, table->count, sizeof(table->keys[0]), compare);
    }
}

void key_table_deinit(struct key_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        tsig_key_unref(table->keys[i]);
    }
    memory_free(table->keys);
    *table = (struct key_table){0};
}

struct tsig_key *key_table_find(const struct key_table *table, const uint8_t *name)
{
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = name_compare(tsig_key_name(table->keys[middle]), name);
        if (order == 0) {
            return table->keys[middle];
        }
        *(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
    }
    return NULL;
}
