/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `keys`: which TSIG keys there are, and who has used each for what since the server's start. A key
 * that is used and no longer configured is told of as well: its users still have to change.
 */
#include <stdlib.h>

#include "accounts/key_usage.h"
#include "base/memory.h"
#include "control/control_impl.h"
#include "hub/server.h"

struct listing {
    struct key_use *uses;
    size_t count, room;
};

static void add_use(void *context, const struct key_use *use)
{
    struct listing *listing = context;
    if (listing->count == listing->room) {
        listing->room = listing->room == 0 ? 32 : listing->room * 2;
        listing->uses = memory_resize(listing->uses, listing->room * sizeof(listing->uses[0]));
    }
    listing->uses[listing->count++] = *use;
}

/* By key, then the last used first. */
static int compare_uses(const void *a, const void *b)
{
    const struct key_use *x = a, *y = b;
    int order = name_compare(x->key.wire, y->key.wire);
    return order != 0 ? order : x->last_s > y->last_s ? -1 : x->last_s < y->last_s;
}

static json_t *use_object(const struct key_use *use)
{
    char address[ADDRESS_TEXT_SIZE];
    return json_pack("{s:s, s:s, s:I, s:I, s:I}", "peer",
                     address_format(&use->peer, false, address), "for",
                     key_purpose_word(use->purpose), "first_at_s", (json_int_t)use->first_s,
                     "last_at_s", (json_int_t)use->last_s, "count", (json_int_t)use->count);
}

/* The uses of the key `name`, from *at on; NULL: no use of any key is left. */
static json_t *key_object(const struct listing *listing, size_t *at, const uint8_t *name)
{
    char text[NAME_TEXT_SIZE];
    json_t *uses = json_array();
    while (*at < listing->count && name_compare(listing->uses[*at].key.wire, name) == 0) {
        json_array_append_new(uses, use_object(&listing->uses[(*at)++]));
    }
    json_t *object = json_object();
    json_object_set_new(object, "name", control_text(name_format_log(name, text)));
    json_object_set_new(object, "uses", uses);
    return object;
}

/* As a key statement has it: "hmac-sha256", "hmac-sha256-128". */
static json_t *algorithm_text(const struct tsig_key *key)
{
    const char *name = hmac_algorithm_name(tsig_key_algorithm(key));
    unsigned bits = tsig_key_digest_bits(key);
    return bits == 0 ? json_string(name) : json_sprintf("%s-%u", name, bits);
}

void control_keys_run(struct control_job *job)
{
    struct server *server = job->control->server;
    struct settings *settings = server_settings(server);
    struct listing listing = {0};
    json_t *keys = json_array();
    key_usage_each(server->key_usage, add_use, &listing);
    if (listing.count > 1) {
        qsort(listing.uses, listing.count, sizeof(listing.uses[0]), compare_uses);
    }
    /* Both are in canonical order of the names. */
    size_t at = 0, next = 0;
    while (at < listing.count || next < settings->keys.count) {
        struct tsig_key *key = next < settings->keys.count ? settings->keys.keys[next] : NULL;
        const uint8_t *used = at < listing.count ? listing.uses[at].key.wire : NULL;
        bool is_configured =
            key != NULL && (used == NULL || name_compare(tsig_key_name(key), used) <= 0);
        struct name name;
        name_copy(&name, is_configured ? tsig_key_name(key) : used);
        json_t *object = key_object(&listing, &at, name.wire);
        json_object_set_new(object, "configured", json_boolean(is_configured));
        if (is_configured) {
            json_object_set_new(object, "algorithm", algorithm_text(key));
            next++;
        }
        json_array_append_new(keys, object);
    }
    memory_free(listing.uses);
    settings_unref(settings);
    control_job_done(job, json_pack("{s:I, s:o, s:I}", "now_s", (json_int_t)clock_wall_s(), "keys",
                                    keys, "uses_not_listed",
                                    (json_int_t)key_usage_overflow(server->key_usage)));
}
