/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `tls` blocks, and the two forms that a server in `primaries` or `also-notify` may have instead of
 * a block's name: `tls pin "BASE64"` and `tls hostname "NAME"`. Those are what a block with this one
 * statement would be; the text is its name, so that all servers with the same share one.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "conf/statement_impl.h"

enum { PROTOCOL_TLS12 = 1, PROTOCOL_TLS13 = 2 };

bool parse_protocols(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    static const struct keyword words[] = {
        {"TLSv1.2", PROTOCOL_TLS12}, {"TLSv1.3", PROTOCOL_TLS13}, {NULL, 0}};
    (void)row;
    const struct block *block = cursor_block(cursor, "`TLSv1.2` or `TLSv1.3` between braces");
    if (block == NULL) {
        return false;
    }
    for (const struct statement *s = block->first; s != NULL; s = s->next) {
        struct cursor inner = cursor_into(cursor, s);
        int word;
        if (keyword_parse(&inner, words, &word) && cursor_end(&inner)) {
            out->number |= word;
        }
    }
    return true;
}

bool parse_pin(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    (void)row;
    const struct item *item = cursor_text(cursor, "a pin in quotes");
    if (item == NULL) {
        return false;
    }
    uint8_t *pin = loader_alloc(cursor->loader, CONF_PIN_SIZE);
    size_t size = 0;
    if (!base64_decode(item->text, strlen(item->text), pin, CONF_PIN_SIZE, &size) ||
        size != CONF_PIN_SIZE) {
        loader_error(cursor->loader, item->where,
                     "a pin is the base64 text of 32 octets: the SHA-256 of the public key of the "
                     "peer's certificate");
        return true;
    }
    out->object = pin;
    return true;
}

static const char *setting_text(const struct list *settings, enum conf_id id)
{
    const struct conf_setting *setting = settings_find(settings, id);
    return setting != NULL ? setting->text : NULL;
}

static bool setting_bool(const struct list *settings, enum conf_id id, bool otherwise)
{
    const struct conf_setting *setting = settings_find(settings, id);
    return setting != NULL ? setting->number != 0 : otherwise;
}

static void take_pins(struct loader *loader, const struct list *settings, struct conf_tls *tls)
{
    const struct conf_setting *items = settings->items;
    uint8_t(*pins)[CONF_PIN_SIZE] = loader_alloc(loader, (settings->count + 1) * sizeof(*pins));
    for (uint32_t i = 0; i < settings->count; i++) {
        if (items[i].id == CONF_PIN && items[i].object != NULL) {
            memcpy(pins[tls->pin_count++], items[i].object, CONF_PIN_SIZE);
        }
    }
    tls->pins = (const uint8_t(*)[CONF_PIN_SIZE])pins;
}

bool parse_tls(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    struct loader *loader = cursor->loader;
    (void)row;
    (void)out;
    const struct item *name = cursor_text(cursor, "the name of the `tls` block");
    const struct block *block =
        name == NULL ? NULL : cursor_block(cursor, "its statements between braces");
    if (block == NULL) {
        return false;
    }
    if (strcasecmp(name->text, "ephemeral") == 0 || strcasecmp(name->text, "none") == 0) {
        loader_error(loader, name->where, "`%s` is built in and cannot be redefined", name->text);
        return true;
    }
    struct list settings = {0};
    struct conf_tls *tls = loader_alloc(loader, sizeof(*tls));
    block_read(cursor, block, IN_TLS, &settings);
    const struct conf_setting *protocols = settings_find(&settings, CONF_PROTOCOLS);
    *tls = (struct conf_tls){
        .name = loader_keep(loader, name->text),
        .ca_file = setting_text(&settings, CONF_CA_FILE),
        .cert_file = setting_text(&settings, CONF_CERT_FILE),
        .key_file = setting_text(&settings, CONF_KEY_FILE),
        .dhparam_file = setting_text(&settings, CONF_DHPARAM_FILE),
        .remote_hostname = setting_text(&settings, CONF_REMOTE_HOSTNAME),
        .ciphers = setting_text(&settings, CONF_CIPHERS),
        .tls12 = protocols != NULL && (protocols->number & PROTOCOL_TLS12) != 0,
        .tls13 = protocols == NULL || (protocols->number & PROTOCOL_TLS13) != 0,
        .prefer_server_ciphers = setting_bool(&settings, CONF_PREFER_SERVER_CIPHERS, false),
        .session_tickets = setting_bool(&settings, CONF_SESSION_TICKETS, true),
        .where = name->where,
    };
    take_pins(loader, &settings, tls);
    list_deinit(&settings);
    if (!tls->tls12 && !tls->tls13) {
        loader_error(loader, name->where,
                     "`tls` block `%s` allows no protocol; name TLSv1.3 in `protocols`", tls->name);
    }
    if ((tls->cert_file == NULL) != (tls->key_file == NULL)) {
        loader_error(loader, name->where, "`tls` block `%s` has `%s` without `%s`", tls->name,
                     tls->cert_file != NULL ? "cert-file" : "key-file",
                     tls->cert_file != NULL ? "key-file" : "cert-file");
    }
    loader_path(loader, &tls->ca_file);
    loader_path(loader, &tls->cert_file);
    loader_path(loader, &tls->key_file);
    loader_path(loader, &tls->dhparam_file);
    loader_define(loader, REFERENCE_TLS, tls->name, name->where, tls);
    return true;
}

static const char *keep_name(struct loader *loader, const char *word, const char *text)
{
    char name[320];
    snprintf(name, sizeof(name), "%s \"%s\"", word, text);
    return loader_keep(loader, name);
}

bool tls_read_use(struct cursor *cursor, struct tls_use *out)
{
    struct loader *loader = cursor->loader;
    *out = (struct tls_use){.where = cursor_where(cursor)};
    const struct item *word = cursor_text(cursor, "the name of a `tls` block");
    if (word == NULL) {
        return false;
    }
    const struct item *value = cursor_peek(cursor);
    bool is_pin = strcasecmp(word->text, "pin") == 0;
    bool is_name = strcasecmp(word->text, "hostname") == 0;
    if (word->kind != ITEM_WORD || value == NULL || value->kind != ITEM_QUOTED ||
        (!is_pin && !is_name)) {
        out->name = loader_keep(loader, word->text);
        return true;
    }
    out->name = keep_name(loader, is_pin ? "pin" : "hostname", value->text);
    const struct named *known = loader->named[REFERENCE_TLS].items;
    for (uint32_t i = 0; i < loader->named[REFERENCE_TLS].count; i++) {
        if (strcmp(known[i].name, out->name) == 0) {
            cursor->at++;
            return true;
        }
    }
    struct conf_tls *tls = loader_alloc(loader, sizeof(*tls));
    *tls = (struct conf_tls){
        .name = out->name, .tls13 = true, .session_tickets = true, .where = word->where};
    if (is_pin) {
        struct list pins = {0};
        struct conf_setting *pin = list_add(&pins, sizeof(*pin));
        pin->id = CONF_PIN;
        (void)parse_pin(cursor, NULL, pin); /* there is a text: what is wrong with it is reported */
        take_pins(loader, &pins, tls);
        list_deinit(&pins);
    } else {
        tls->remote_hostname = loader_keep(loader, value->text);
        cursor->at++;
    }
    loader_define(loader, REFERENCE_TLS, tls->name, tls->where, tls);
    return true;
}

/* { ... } block-size N */
bool parse_response_padding(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    struct conf_padding *padding = loader_alloc(cursor->loader, sizeof(*padding));
    int64_t block;
    padding->clients = acl_read(cursor);
    if (padding->clients == NULL) {
        return false;
    }
    if (!cursor_skip_word(cursor, "block-size")) {
        cursor_expected(cursor, "`block-size`");
        return false;
    }
    if (!cursor_number(cursor, "a number of octets", 0, row->max, &block)) {
        return false;
    }
    padding->block = (uint32_t)block;
    out->object = padding;
    return true;
}
