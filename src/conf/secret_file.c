/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `secret-file`: the secret of a key in a file of its own, so that the configuration may be shown
 * around, kept in version control, and printed.
 *
 * The file has the secret in base64, as it would stand in `secret`, on one line. A file that others
 * than its owner and group may read or write is refused, whatever the directory above it allows:
 * who has read it once can sign as this server for as long as the key lives. Its octets are wiped
 * when they have been taken.
 */
#include <ctype.h>
#include <sys/stat.h>

#include "conf/loader_impl.h"
#include "conf/source_impl.h"

enum { SECRET_FILE_MAX = 4096 };

static struct slice trimmed(const struct source *source)
{
    size_t from = 0, to = source->size;
    while (from < to && isspace((unsigned char)source->bytes[from])) {
        from++;
    }
    while (to > from && isspace((unsigned char)source->bytes[to - 1])) {
        to--;
    }
    return slice_of(source->bytes + from, to - from);
}

static void read_secret(struct loader *loader, struct conf_key *key)
{
    struct source source = {0};
    struct error err = {0};
    if (!loader->may_read) {
        loader_error(loader, key->where, "the secret of key `%s`: no file is read here", key->name);
        return;
    }
    if (source_read(key->secret_file, &source, &err) != OK) {
        loader_error(loader, key->where, "the secret of key `%s`: %s", key->name, err.text);
        return;
    }
    if ((source.mode & (S_IROTH | S_IWOTH)) != 0) {
        loader_error(loader, key->where,
                     "the secret of key `%s`: anybody may %s `%s` (mode %04o); make a new secret, "
                     "and `chmod 0640` the file",
                     key->name, (source.mode & S_IROTH) != 0 ? "read" : "write", key->secret_file,
                     (unsigned)source.mode & 07777);
    } else if (source.size > SECRET_FILE_MAX) {
        loader_error(loader, key->where,
                     "the secret of key `%s`: `%s` is too large to have one line of base64",
                     key->name, key->secret_file);
    } else {
        (void)loader_take_secret(loader, trimmed(&source), key->where, key);
    }
    source_deinit(&source);
}

void loader_read_secrets(struct loader *loader)
{
    for (uint32_t i = 0; i < loader->conf->key_count; i++) {
        struct conf_key *key = (struct conf_key *)(uintptr_t)loader->conf->keys[i];
        if (key->secret_file != NULL) {
            read_secret(loader, key);
        }
    }
}
