/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `key` and `server`. The secret of a key is decoded from the statement into memory of its
 * own, which conf_free wipes; it never becomes a text among others and never part of a message.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "conf/nearest_impl.h"
#include "conf/statement_impl.h"

static const struct {
    const char *name;
    enum conf_algorithm algorithm;
    uint16_t bits;
} algorithms[] = {
    {"hmac-sha256", CONF_HMAC_SHA256, 256},
    {"hmac-sha384", CONF_HMAC_SHA384, 384},
    {"hmac-sha512", CONF_HMAC_SHA512, 512},
    {"hmac-sha224", CONF_HMAC_SHA224, 224},
    {"hmac-sha1", CONF_HMAC_SHA1, 160},
    {"hmac-md5", CONF_HMAC_MD5, 128},
    {"hmac-md5.sig-alg.reg.int", CONF_HMAC_MD5, 128},
};

const char *conf_algorithm_name(enum conf_algorithm algorithm)
{
    for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
        if (algorithms[i].algorithm == algorithm) {
            return algorithms[i].name;
        }
    }
    return "unknown";
}

/* "hmac-sha256", "hmac-sha256-128": the digest cut to so many bits (RFC 8945 5.2.2.1). */
static bool parse_algorithm(struct cursor *cursor, const struct conf_setting *setting,
                            struct conf_key *key)
{
    char quoted[QUOTED_TEXT_SIZE];
    struct nearest nearest;
    nearest_init(&nearest, setting->text);
    for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
        size_t length = strlen(algorithms[i].name);
        const char *rest = setting->text + length;
        int64_t bits;
        nearest_offer(&nearest, algorithms[i].name);
        if (strncasecmp(setting->text, algorithms[i].name, length) != 0 ||
            (*rest != '\0' && (*rest != '-' || !conf_number_parse(rest + 1, 1024, &bits)))) {
            continue;
        }
        key->algorithm = algorithms[i].algorithm;
        if (*rest == '\0') {
            return true;
        }
        if (bits % 8 != 0 || bits > algorithms[i].bits || bits < algorithms[i].bits / 2 ||
            bits < 80) {
            loader_error(cursor->loader, setting->where,
                         "a digest of %lld bits: %s allows a multiple of 8 between %d and %d",
                         (long long)bits, algorithms[i].name,
                         algorithms[i].bits / 2 < 80 ? 80 : algorithms[i].bits / 2,
                         algorithms[i].bits);
            return false;
        }
        key->digest_bits = (uint16_t)bits;
        return true;
    }
    if (nearest.best != NULL) {
        loader_error(cursor->loader, setting->where, "unknown algorithm `%s`; did you mean `%s`?",
                     quoted_text(setting->text, quoted), nearest.best);
    } else {
        /* What stands here is not shown: it may be the secret, mistaken for the algorithm. */
        loader_error(cursor->loader, setting->where,
                     "this is no algorithm; use hmac-sha256, hmac-sha384 or hmac-sha512");
    }
    return false;
}

bool loader_take_secret(struct loader *loader, struct slice text, struct conf_where where,
                        struct conf_key *key)
{
    size_t room = text.size / 4 * 3 + 3;
    uint8_t *secret = loader_alloc_secret(loader, room);
    size_t used;
    if (!base64_decode((const char *)text.data, text.size, secret, room, &used) || used == 0) {
        loader_error(loader, where,
                     "the secret is not base64 (letters, digits, `+`, `/`, ended by `=` to a "
                     "multiple of four)");
        return false;
    }
    key->secret = secret;
    key->secret_size = (uint32_t)used;
    return true;
}

bool parse_key(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    struct loader *loader = cursor->loader;
    char quoted[QUOTED_TEXT_SIZE];
    (void)row;
    (void)out;
    const struct item *name = cursor_text(cursor, "the name of the key");
    const struct block *block =
        name == NULL ? NULL : cursor_block(cursor, "`algorithm` and `secret` between braces");
    if (block == NULL) {
        return false;
    }
    struct list settings = {0};
    struct conf_key *key = loader_alloc(loader, sizeof(*key));
    unsigned errors = loader->findings->errors;
    block_read(cursor, block, IN_KEY, &settings);
    const struct conf_setting *algorithm = settings_find(&settings, CONF_ALGORITHM);
    const struct conf_setting *secret = settings_find(&settings, CONF_SECRET);
    const struct conf_setting *file = settings_find(&settings, CONF_SECRET_FILE);
    key->name = loader_keep(loader, name->text);
    key->where = name->where;
    key->wire = loader_keep_name(loader, name->text, name->where, "key name");
    if ((algorithm == NULL || (secret == NULL && file == NULL)) &&
        loader->findings->errors == errors) {
        loader_error(loader, name->where, "key `%s` has no `%s`", quoted_text(name->text, quoted),
                     algorithm == NULL ? "algorithm" : "secret");
    }
    if (secret != NULL && file != NULL) {
        loader_error(loader, file->where,
                     "key `%s` has both `secret` and `secret-file`; keep one of them",
                     quoted_text(name->text, quoted));
    } else if (algorithm != NULL && parse_algorithm(cursor, algorithm, key)) {
        if (secret != NULL) {
            const struct item *item = secret->object;
            (void)loader_take_secret(loader, slice_str(item->text), item->where, key);
        } else if (file != NULL) {
            key->secret_file = file->text;
            loader_path(loader, &key->secret_file);
        }
    }
    list_deinit(&settings);
    loader_define(loader, REFERENCE_KEY, key->name, key->where, key);
    return true;
}

/* `keys k;` of a server; `keys { k; l; };` there and of controls. The value is an array of
 * references that ends with NULL. */
bool parse_keys(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    struct loader *loader = cursor->loader;
    struct list names = {0};
    (void)row;
    if (cursor_at_block(cursor)) {
        const struct block *block = cursor_block(cursor, "the names of keys between braces");
        for (const struct statement *s = block->first; s != NULL; s = s->next) {
            struct cursor inner = cursor_into(cursor, s);
            const struct item *name = cursor_text(&inner, "the name of a key");
            if (name != NULL && cursor_end(&inner)) {
                *(const struct item **)list_add(&names, sizeof(name)) = name;
            }
        }
    } else {
        const struct item *name = cursor_text(cursor, "the name of a key");
        if (name == NULL) {
            return false;
        }
        *(const struct item **)list_add(&names, sizeof(name)) = name;
    }
    const struct conf_key **keys =
        loader_alloc(loader, (names.count + 1) * sizeof(struct conf_key *));
    const struct item **items = names.items;
    for (uint32_t i = 0; i < names.count; i++) {
        loader_refer(loader, REFERENCE_KEY, loader_keep(loader, items[i]->text), items[i]->where,
                     (const void **)&keys[i]);
    }
    list_deinit(&names);
    out->object = keys;
    return true;
}

/* ---- server ------------------------------------------------------------------------------ */

bool parse_server(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    struct loader *loader = cursor->loader;
    struct error err = {0};
    struct prefix prefix;
    (void)row;
    const struct item *address = cursor_text(cursor, "the address or network of the server");
    const struct block *block =
        address == NULL ? NULL : cursor_block(cursor, "its statements between braces");
    if (block == NULL) {
        return false;
    }
    if (prefix_parse(address->text, &prefix, &err) != OK) {
        loader_error(loader, address->where, "%s", err.text);
        return true;
    }
    struct list settings = {0};
    block_read(cursor, block, IN_SERVER, &settings);
    struct conf_server *server = list_add(&loader->servers, sizeof(*server));
    *server = (struct conf_server){
        .prefix = prefix,
        .setting_count = settings.count,
        .where = out->where,
    };
    server->settings = list_move(&settings, sizeof(struct conf_setting), &loader->conf->arena);
    return true;
}
