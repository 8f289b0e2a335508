/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * BIND's session key. Its secret is random and lives as long as the server, over reloads; the file
 * is for people and scripts on this machine, so its mode (0600) is what guards it. It is written
 * beside its place and renamed, so that nobody reads half of it, and removed at the end.
 *
 * It is made only where a zone asks for it by `update-policy local`: a secret that nothing needs is
 * one more to lose.
 */
#include "settings/session_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include "settings/key_table.h"

enum { MAX_SECRET = 64 };

struct session_key {
    struct name name;
    enum conf_algorithm algorithm;
    uint8_t secret[MAX_SECRET];
    size_t secret_size;
    char *path;
};

static bool is_wanted(const struct conf *conf)
{
    for (uint32_t i = 0; i < conf->zone_count; i++) {
        const struct conf_update_policy *policy = conf_update_policy(conf, &conf->zones[i]);
        if (policy != NULL && policy->local) {
            return true;
        }
    }
    return false;
}

static enum result read_algorithm(const struct conf *conf, struct session_key *key,
                                  struct error *err)
{
    static const struct {
        enum conf_algorithm algorithm;
        uint8_t size; /* of its digest: what a secret should have */
    } known[] = {{CONF_HMAC_SHA256, 32}, {CONF_HMAC_SHA384, 48}, {CONF_HMAC_SHA512, 64}};
    const struct conf_setting *setting = conf_find(conf, NULL, CONF_SESSION_KEYALG);
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (strcasecmp(setting->text, conf_algorithm_name(known[i].algorithm)) == 0) {
            key->algorithm = known[i].algorithm;
            key->secret_size = known[i].size;
            return OK;
        }
    }
    return error_set(err, ERR_FORMAT,
                     "%s:%u: session-keyalg `%s`: use hmac-sha256, hmac-sha384 or hmac-sha512",
                     setting->where.file, setting->where.line, setting->text);
}

static enum result read_name(const struct conf *conf, struct session_key *key, struct error *err)
{
    const struct conf_setting *setting = conf_find(conf, NULL, CONF_SESSION_KEYNAME);
    const char *file = setting->where.file == NULL ? "session-keyname" : setting->where.file;
    if (name_parse_str(setting->text, &key->name, err) != OK) {
        return error_set(err, ERR_FORMAT, "%s:%u: session-keyname `%s` is not a domain name", file,
                         setting->where.line, setting->text);
    }
    const struct conf_key *other = conf_key_find(conf, key->name.wire);
    if (other != NULL) {
        return error_set(err, ERR_FORMAT,
                         "%s:%u: key `%s` has the name of the session key: rename it, or set "
                         "session-keyname",
                         other->where.file, other->where.line, other->name);
    }
    return OK;
}

enum result session_key_new(const struct conf *conf, const struct session_key *old,
                            struct session_key **out, struct error *err)
{
    const char *path = conf_text(conf, NULL, CONF_SESSION_KEYFILE);
    *out = NULL;
    if (path == NULL || !is_wanted(conf)) {
        return OK;
    }
    struct session_key *key = memory_new_zeroed(1, sizeof(*key));
    enum result result = read_algorithm(conf, key, err);
    if (result == OK) {
        result = read_name(conf, key, err);
    }
    if (result != OK) {
        session_key_free(key);
        return result;
    }
    key->path = memory_strdup(path);
    if (old != NULL && old->algorithm == key->algorithm &&
        name_equal(old->name.wire, key->name.wire)) {
        memcpy(key->secret, old->secret, key->secret_size);
    } else {
        random_bytes(key->secret, key->secret_size);
    }
    *out = key;
    return OK;
}

void session_key_free(struct session_key *key)
{
    if (key != NULL) {
        explicit_bzero(key->secret, sizeof(key->secret));
        memory_free(key->path);
        memory_free(key);
    }
}

struct tsig_key *session_key_tsig(const struct session_key *key)
{
    return key == NULL ? NULL
                       : tsig_key_new(key->name.wire, key_algorithm(key->algorithm),
                                      slice_of(key->secret, key->secret_size), 0);
}

const char *session_key_path(const struct session_key *key)
{
    return key->path;
}

static bool write_text(int fd, const struct session_key *key)
{
    char name[NAME_TEXT_SIZE], secret[2 * MAX_SECRET], text[NAME_TEXT_SIZE + 2 * MAX_SECRET + 100];
    size_t size = base64_encode(slice_of(key->secret, key->secret_size), secret);
    int length =
        snprintf(text, sizeof(text), "key \"%s\" {\n\talgorithm %s;\n\tsecret \"%.*s\";\n};\n",
                 name_format_log(key->name.wire, name), conf_algorithm_name(key->algorithm),
                 (int)size, secret);
    bool good = length > 0 && write(fd, text, (size_t)length) == length;
    explicit_bzero(secret, sizeof(secret));
    explicit_bzero(text, sizeof(text));
    return good;
}

enum result session_key_write(const struct session_key *key, struct error *err)
{
    struct text beside;
    text_init(&beside, 0);
    text_printf(&beside, "%s.XXXXXX", key->path);
    char *path = memory_strdup(text_str(&beside));
    text_deinit(&beside);
    enum result result = OK;
    int fd = mkstemp(path); /* 0600 */
    if (fd < 0) {
        result = error_set_os(err, ERR_IO, "cannot write the session key beside %s", key->path);
    } else {
        bool good = write_text(fd, key);
        good = close(fd) == 0 && good;
        if (!good || rename(path, key->path) != 0) {
            result = error_set_os(err, ERR_IO, "cannot write the session key to %s", key->path);
            (void)unlink(path);
        }
    }
    memory_free(path);
    return result;
}

void session_key_remove(const struct session_key *key, const struct session_key *successor)
{
    if (key != NULL && (successor == NULL || strcmp(key->path, successor->path) != 0)) {
        (void)unlink(key->path);
    }
}
