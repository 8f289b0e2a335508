/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lists of servers: `primaries`, `also-notify` and the named lists they may hold. A named list is
 * put in place of its name once all lists are known (resolve.c); the position is kept, since the
 * order of primaries is the operator's.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "conf/statement_impl.h"

/* A server before its names are noted: the items of its key and tls. */
struct server_draft {
    const struct item *what, *keys[CONF_KEYS_PER_SERVER];
    unsigned key_count;
    struct tls_use tls; /* name NULL: none */
    uint16_t port;
    bool has_port;
};

static bool is_again(struct cursor *cursor, const struct item *at, bool there, const char *word)
{
    if (there) {
        loader_error(cursor->loader, at->where, "`%s` stands twice at one server", word);
    }
    return there;
}

static bool read_key(struct cursor *cursor, struct server_draft *out)
{
    const struct item *key = cursor_text(cursor, "the name of a key");
    if (key == NULL) {
        return false;
    }
    if (out->key_count == CONF_KEYS_PER_SERVER) {
        loader_error(cursor->loader, key->where,
                     "more than %d keys for one server; two are enough for a rollover",
                     CONF_KEYS_PER_SERVER);
        return false;
    }
    out->keys[out->key_count++] = key;
    return true;
}

/* ADDR [ port N ] [ key K ] ... [ tls T ]: the keys are tried in their order. */
static bool read_server(struct cursor *cursor, struct server_draft *out)
{
    *out = (struct server_draft){0};
    out->what = cursor_text(cursor, "the address of a server or the name of a list");
    if (out->what == NULL) {
        return false;
    }
    for (;;) {
        if (cursor_at_word(cursor, "port")) {
            if (is_again(cursor, out->what, out->has_port, "port") ||
                !cursor_port(cursor, &out->port)) {
                return false;
            }
            out->has_port = true;
        } else if (cursor_skip_word(cursor, "key")) {
            if (!read_key(cursor, out)) {
                return false;
            }
        } else if (cursor_skip_word(cursor, "tls")) {
            if (is_again(cursor, out->what, out->tls.name != NULL, "tls") ||
                !tls_read_use(cursor, &out->tls)) {
                return false;
            }
        } else {
            return true;
        }
    }
}

static bool looks_like_address(const char *text)
{
    return strchr(text, ':') != NULL || strspn(text, "0123456789.") == strlen(text);
}

static void refer_rules(struct loader *loader, const struct server_draft *server,
                        struct conf_remote *out)
{
    const struct conf_key **keys = NULL;
    if (server->key_count > 1) {
        keys = loader_alloc(loader, (server->key_count + 1) * sizeof(keys[0])); /* all NULL */
        out->keys = keys;
    }
    for (unsigned i = 0; i < server->key_count; i++) {
        const char *name = loader_keep(loader, server->keys[i]->text);
        if (i == 0) {
            loader_refer(loader, REFERENCE_KEY, name, server->keys[i]->where,
                         (const void **)&out->key);
        }
        if (keys != NULL) {
            loader_refer(loader, REFERENCE_KEY, name, server->keys[i]->where,
                         (const void **)&keys[i]);
        }
    }
    if (server->tls.name != NULL) {
        loader_refer(loader, REFERENCE_TLS, server->tls.name, server->tls.where,
                     (const void **)&out->tls);
    }
}

/* Puts what was read in place: first addresses and names are told apart, then, the arrays being
 * where they stay, references into them are noted. */
static void place_servers(struct loader *loader, struct list *servers, struct remotes_draft *draft)
{
    const struct server_draft *read = servers->items;
    struct conf_remote *remotes = NULL;
    uint32_t remote_count = 0;
    struct list uses = {0};
    if (servers->count != 0) {
        remotes = loader_alloc(loader, servers->count * sizeof(*remotes));
    }
    for (uint32_t i = 0; i < servers->count; i++) {
        const struct item *what = read[i].what;
        struct error err = {0};
        struct address address;
        if (address_parse(what->text, &address, &err) == OK) {
            struct conf_remote *remote = &remotes[remote_count++];
            remote->address = address;
            remote->address.port = read[i].has_port ? read[i].port : draft->port;
            remote->where = what->where;
            refer_rules(loader, &read[i], remote);
        } else if (looks_like_address(what->text)) {
            loader_error(loader, what->where, "%s", err.text);
        } else if (read[i].has_port) {
            loader_error(loader, what->where, "`port` goes with an address, not with a list");
        } else {
            struct remotes_use *use = list_add(&uses, sizeof(*use));
            use->name = loader_keep(loader, what->text);
            use->position = remote_count;
            use->rules.where = what->where;
            use->rules.address.port = (uint16_t)i; /* which of `read` */
        }
    }
    draft->out->servers = remotes;
    draft->out->count = remote_count;
    draft->use_count = uses.count;
    draft->uses = list_move(&uses, sizeof(*draft->uses), &loader->conf->arena);
    for (uint32_t i = 0; i < draft->use_count; i++) {
        struct remotes_use *use = &draft->uses[i];
        refer_rules(loader, &read[use->rules.address.port], &use->rules);
        loader_refer(loader, REFERENCE_REMOTES, use->name, use->rules.where,
                     (const void **)&use->list);
    }
}

/* [ port N ] [ source A ] [ source-v6 A ] { ... } */
static struct remotes_draft *read_remotes(struct cursor *cursor)
{
    struct loader *loader = cursor->loader;
    struct remotes_draft *draft = loader_alloc(loader, sizeof(*draft));
    draft->out = loader_alloc(loader, sizeof(*draft->out));
    draft->out->where = cursor_where(cursor);
    while (!cursor_at_block(cursor)) {
        bool good;
        if (cursor_at_word(cursor, "port")) {
            good = cursor_port(cursor, &draft->port);
        } else if (cursor_skip_word(cursor, "source")) {
            good = cursor_skip_word(cursor, "*") ||
                   cursor_address(cursor, "an IPv4 address or `*`", &draft->out->source);
        } else if (cursor_skip_word(cursor, "source-v6")) {
            good = cursor_skip_word(cursor, "*") ||
                   cursor_address(cursor, "an IPv6 address or `*`", &draft->out->source_v6);
        } else {
            cursor_expected(cursor, "a list of servers between braces");
            good = false;
        }
        if (!good) {
            return NULL;
        }
    }
    const struct block *block = cursor_block(cursor, "a list of servers between braces");
    struct list servers = {0};
    for (const struct statement *s = block->first; s != NULL; s = s->next) {
        struct cursor inner = cursor_into(cursor, s);
        struct server_draft server;
        while (read_server(&inner, &server)) {
            *(struct server_draft *)list_add(&servers, sizeof(server)) = server;
            if (servers.count > UINT16_MAX) {
                loader_error(loader, s->items[0].where, "more than %u servers", UINT16_MAX);
                list_deinit(&servers);
                return NULL;
            }
            if (cursor_end(&inner)) {
                break;
            }
        }
    }
    place_servers(loader, &servers, draft);
    list_deinit(&servers);
    *(struct remotes_draft **)list_add(&loader->remotes, sizeof(draft)) = draft;
    return draft;
}

bool parse_remotes(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    (void)row;
    struct remotes_draft *draft = read_remotes(cursor);
    if (draft == NULL) {
        return false;
    }
    out->remotes = draft->out;
    return true;
}

bool parse_remotes_definition(struct cursor *cursor, const struct row *row,
                              struct conf_setting *out)
{
    (void)row;
    (void)out;
    const struct item *name = cursor_text(cursor, "the name of the list");
    if (name == NULL) {
        return false;
    }
    struct remotes_draft *draft = read_remotes(cursor);
    if (draft == NULL) {
        return false;
    }
    draft->out->name = loader_keep(cursor->loader, name->text);
    draft->out->where = name->where;
    loader_define(cursor->loader, REFERENCE_REMOTES, draft->out->name, name->where, draft);
    return true;
}
