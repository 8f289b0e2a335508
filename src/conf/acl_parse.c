/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Address match lists from text, and the statements that are little more than one. The names in
 * them (lists, keys) are noted for later; an IP address and a key in one element
 * (`192.0.2.0/24 key k;`) asks for both, which BIND can say only by nesting negations. `tls-client
 * "NAME"` asks for a client certificate, alone or behind an address or a key.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "conf/statement_impl.h"

enum { ELEMENT_TEXT_SIZE = 320 };

static const char *element_text(struct cursor *cursor)
{
    char text[ELEMENT_TEXT_SIZE];
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < cursor->statement->count && used < sizeof(text); i++) {
        const struct item *item = &cursor->statement->items[i];
        bool tight = i == 0 || cursor->statement->items[i - 1].kind == ITEM_NOT;
        int n = snprintf(text + used, sizeof(text) - used, "%s%s", tight ? "" : " ",
                         item->kind == ITEM_BLOCK ? "{ ... }" : item->text);
        used += n < 0 ? 0 : (size_t)n;
    }
    return loader_keep(cursor->loader, text);
}

static bool refer_key(struct cursor *cursor, const struct item *item, struct acl_element *out)
{
    out->key = loader_keep(cursor->loader, item->text);
    out->key_name = loader_keep_name(cursor->loader, item->text, item->where, "key name");
    if (out->key_name == NULL) {
        return false;
    }
    loader_refer(cursor->loader, REFERENCE_KEY, out->key, item->where, NULL);
    return true;
}

/* "10/8" may be written "10 / 8": the lexer leaves "/" to us. */
static const char *joined_prefix(struct cursor *cursor, const struct item *item, char *out,
                                 size_t size)
{
    snprintf(out, size, "%s", item->text);
    const struct item *more = cursor_peek(cursor);
    size_t length = strlen(out); /* a longer text is cut, and no address */
    while (more != NULL && more->kind == ITEM_WORD &&
           (more->text[0] == '/' || (length > 0 && out[length - 1] == '/'))) {
        snprintf(out + length, size - length, "%s", more->text);
        length = strlen(out);
        cursor->at++;
        more = cursor_peek(cursor);
    }
    return out;
}

static bool read_prefix_or_name(struct cursor *cursor, const struct item *item,
                                struct acl_element *out)
{
    char text[128];
    struct error err = {0};
    joined_prefix(cursor, item, text, sizeof(text));
    if (prefix_parse(text, &out->prefix, &err) == OK) {
        out->kind = ACL_PREFIX;
        if (cursor_skip_word(cursor, "key")) {
            const struct item *key = cursor_text(cursor, "the name of a key");
            out->kind = ACL_PREFIX_KEY;
            return key != NULL && refer_key(cursor, key, out);
        }
        return true;
    }
    bool looks_like_address = strchr(text, ':') != NULL || strchr(text, '/') != NULL ||
                              strspn(text, "0123456789.") == strlen(text);
    if (looks_like_address) {
        loader_error(cursor->loader, item->where, "%s", err.text);
        return false;
    }
    out->kind = ACL_LIST;
    out->key = loader_keep(cursor->loader, item->text); /* until it is looked up */
    return true;
}

/* tls-client "NAME", where it stands. */
static bool read_tls_client(struct cursor *cursor, struct acl_element *out)
{
    if (!cursor_skip_word(cursor, "tls-client")) {
        return true;
    }
    const struct item *name = cursor_text(cursor, "the name in the client's certificate");
    if (name == NULL) {
        return false;
    }
    if (name->text[0] == '\0' || strcmp(name->text, ".") == 0) {
        loader_error(cursor->loader, name->where, "an empty name");
        return false;
    }
    out->tls_client = loader_keep(cursor->loader, name->text);
    return true;
}

static bool read_element_alone(struct cursor *cursor, struct acl_element *out)
{
    *out = (struct acl_element){.where = cursor_where(cursor), .text = element_text(cursor)};
    const struct item *item = cursor_peek(cursor);
    while (item != NULL && item->kind == ITEM_NOT) {
        if (out->negated) {
            loader_error(cursor->loader, item->where, "`!` stands here twice");
            return false;
        }
        out->negated = true;
        cursor->at++;
        item = cursor_peek(cursor);
    }
    if (cursor_at_block(cursor)) {
        out->kind = ACL_LIST;
        out->list = acl_read(cursor);
        return out->list != NULL;
    }
    if (cursor_at_word(cursor, "tls-client")) {
        out->kind = ACL_TLS_CLIENT;
        return true; /* its name is read behind */
    }
    item = cursor_text(cursor, "an address, network, key or list");
    if (item == NULL) {
        return false;
    }
    if (strcasecmp(item->text, "any") == 0) {
        out->kind = ACL_ANY;
    } else if (strcasecmp(item->text, "none") == 0) {
        out->kind = ACL_ANY;
        out->negated = !out->negated;
    } else if (strcasecmp(item->text, "localhost") == 0) {
        out->kind = ACL_LOCALHOST;
    } else if (strcasecmp(item->text, "localnets") == 0) {
        out->kind = ACL_LOCALNETS;
    } else if (strcasecmp(item->text, "key") == 0) {
        const struct item *key = cursor_text(cursor, "the name of a key");
        out->kind = ACL_KEY;
        return key != NULL && refer_key(cursor, key, out);
    } else if (strcasecmp(item->text, "geoip") == 0) {
        loader_error(cursor->loader, item->where,
                     "`geoip` is not supported: list the networks instead");
        return false;
    } else {
        return read_prefix_or_name(cursor, item, out);
    }
    return true;
}

static bool read_element(struct cursor *cursor, struct acl_element *out)
{
    if (!read_element_alone(cursor, out)) {
        return false;
    }
    if (out->kind == ACL_LIST && cursor_at_word(cursor, "tls-client")) {
        loader_error(cursor->loader, cursor_where(cursor),
                     "`tls-client` goes with an address or a key, not with a list");
        return false;
    }
    return read_tls_client(cursor, out);
}

struct acl *acl_read(struct cursor *cursor)
{
    struct loader *loader = cursor->loader;
    struct acl *acl = loader_alloc(loader, sizeof(*acl));
    struct list elements = {0};
    acl->where = cursor_where(cursor);
    const struct block *block = cursor_block(cursor, "a list of addresses between braces");
    if (block == NULL) {
        return NULL;
    }
    for (const struct statement *s = block->first; s != NULL; s = s->next) {
        struct cursor inner = cursor_into(cursor, s);
        struct acl_element element;
        while (read_element(&inner, &element)) {
            *(struct acl_element *)list_add(&elements, sizeof(element)) = element;
            if (cursor_end(&inner)) {
                break;
            }
        }
    }
    acl->count = elements.count;
    struct acl_element *moved = list_move(&elements, sizeof(*moved), &loader->conf->arena);
    acl->elements = moved;
    for (uint32_t i = 0; i < acl->count; i++) {
        if (moved[i].kind == ACL_LIST && moved[i].list == NULL) {
            const char *name = moved[i].key;
            moved[i].key = NULL;
            loader_refer(loader, REFERENCE_ACL, name, moved[i].where,
                         (const void **)&moved[i].list);
        }
    }
    *(struct acl **)list_add(&loader->acls, sizeof(acl)) = acl;
    return acl;
}

bool parse_acl(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    const struct acl *acl = acl_read(cursor);
    if (acl == NULL) {
        return false;
    }
    if (row->state == ONLY_NO) {
        out->number = !acl_is_none(acl);
        return true;
    }
    out->acl = acl;
    return true;
}

/* [ port N ] [ transport ( tls | tcp ) ] { ... } */
bool parse_transfer_acl(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    static const struct keyword transports[] = {{"tcp", ACL_TCP}, {"tls", ACL_TLS}, {NULL, 0}};
    uint16_t port = 0;
    int transport = 0;
    (void)row;
    if (!cursor_port(cursor, &port) ||
        (cursor_skip_word(cursor, "transport") && !keyword_parse(cursor, transports, &transport))) {
        return false;
    }
    struct acl *acl = acl_read(cursor);
    if (acl == NULL) {
        return false;
    }
    acl->port = port;
    acl->transports = (uint8_t)transport;
    out->acl = acl;
    return true;
}

bool parse_acl_definition(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    static const char *const built_in[] = {"any", "none", "localhost", "localnets"};
    (void)row;
    (void)out;
    const struct item *name = cursor_text(cursor, "the name of the list");
    if (name == NULL) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(built_in); i++) {
        if (strcasecmp(name->text, built_in[i]) == 0) {
            loader_error(cursor->loader, name->where, "`%s` is built in and cannot be redefined",
                         built_in[i]);
            return false;
        }
    }
    struct acl *acl = acl_read(cursor);
    if (acl == NULL) {
        return false;
    }
    acl->name = loader_keep(cursor->loader, name->text);
    acl->where = name->where;
    loader_define(cursor->loader, REFERENCE_ACL, acl->name, name->where, acl);
    return true;
}

static bool read_proxy(struct cursor *cursor, enum conf_proxy *out)
{
    if (cursor_skip_word(cursor, "plain")) {
        *out = CONF_PROXY_PLAIN;
    } else if (cursor_skip_word(cursor, "encrypted")) {
        *out = CONF_PROXY_ENCRYPTED;
    } else {
        cursor_expected(cursor, "`plain` or `encrypted`");
        return false;
    }
    return true;
}

/* NULL, or why they cannot be had together. */
static const char *contradiction(const struct conf_listen *listen, bool has_tls)
{
    if (listen->xdp && has_tls) {
        return "`xdp` is for UDP: it cannot be had with `tls`";
    }
    if (listen->xdp && listen->proxy != CONF_PROXY_NO) {
        return "`xdp` cannot be had with `proxy`: what comes by AF_XDP is answered as it is";
    }
    if (listen->proxy == CONF_PROXY_ENCRYPTED && !has_tls) {
        return "`proxy encrypted` is a header within TLS: it needs `tls`; without TLS it is "
               "`proxy plain`";
    }
    return NULL;
}

/* [ port N ] [ proxy ( plain | encrypted ) ] [ tls NAME ] [ xdp ] { ... } */
bool parse_listen(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    struct loader *loader = cursor->loader;
    struct conf_listen listen = {.v6 = strcasecmp(row->name, "listen-on-v6") == 0,
                                 .where = out->where};
    const struct item *tls = NULL;
    while (!cursor_at_block(cursor)) {
        if (cursor_at_word(cursor, "port")) {
            if (!cursor_port(cursor, &listen.port)) {
                return false;
            }
        } else if (cursor_skip_word(cursor, "tls")) {
            if ((tls = cursor_text(cursor, "the name of a `tls` block")) == NULL) {
                return false;
            }
        } else if (cursor_skip_word(cursor, "proxy")) {
            if (!read_proxy(cursor, &listen.proxy)) {
                return false;
            }
        } else if (cursor_skip_word(cursor, "xdp")) {
            listen.xdp = true;
        } else if (cursor_at_word(cursor, "http")) {
            loader_error(loader, cursor_where(cursor), "DNS over HTTPS is not supported");
            return false;
        } else {
            cursor_expected(cursor,
                            "`port`, `proxy`, `tls`, `xdp` or a list of addresses between braces");
            return false;
        }
    }
    listen.addresses = acl_read(cursor);
    if (listen.addresses == NULL) {
        return false;
    }
    const char *why = contradiction(&listen, tls != NULL);
    if (why != NULL) {
        loader_error(loader, out->where, "%s", why);
        return false;
    }
    struct conf_listen *kept = loader_alloc(loader, sizeof(*kept));
    *kept = listen;
    if (tls != NULL) {
        loader_refer(loader, REFERENCE_TLS, loader_keep(loader, tls->text), tls->where,
                     (const void **)&kept->tls);
    }
    *(struct conf_listen **)list_add(&loader->listens, sizeof(kept)) = kept;
    return true;
}
