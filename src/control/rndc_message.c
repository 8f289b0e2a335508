/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A message, as BIND's libisccc has it:
 *
 *   message  u32 length of the rest, u32 version (1), entries
 *   entry    u8 length of the key, key, u8 kind, u32 length of the value, value
 *   kind     1 octets (all texts; numbers are in decimal), 2 a table: entries again, 3 a list
 *
 * The first entry is the table `_auth`, with the MAC over everything behind it: `hmd5`, 22
 * characters of base64 without padding, or `hsha`, one octet for the algorithm and 88 characters,
 * base64 with padding and filled up with NUL. Then come `_ctrl` (serial number, time, expiry, nonce)
 * and `_data` (`type`: the words of the command; in answers `result`, `text`, `err`).
 *
 * Only what we need is looked at: entries of a table by their key, the first of a name; unknown
 * ones are stepped over, and lists, which nobody sends, likewise. Tables are two deep, so nothing
 * recurses.
 */
#include "control/rndc_message.h"

#include <stdio.h>

#include "base/encode.h"
#include "wire/message.h"

enum {
    KIND_OCTETS = 1,
    KIND_TABLE = 2,
    VERSION = 1,
    MD5_CHARACTERS = 22,
    SHA_CHARACTERS = 88,
    LIFE_S = 60,
    ENTRIES_MAX = 64, /* of one table */
};

static const struct {
    uint8_t octet;
    enum hmac_algorithm algorithm;
} algorithms[] = {
    {157, HMAC_MD5},    {161, HMAC_SHA1},   {162, HMAC_SHA224},
    {163, HMAC_SHA256}, {164, HMAC_SHA384}, {165, HMAC_SHA512},
};

/* ---- reading ---- */

static uint32_t number_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

struct entry {
    struct slice key, value;
    uint8_t kind;
};

/* Takes the first entry off `table`. False: it does not fit. */
static bool next_entry(struct slice *table, struct entry *out)
{
    if (table->size < 1 || table->size < 1u + table->data[0] + 5u) {
        return false;
    }
    size_t key_size = table->data[0];
    const uint8_t *behind = table->data + 1 + key_size;
    uint32_t size = number_at(behind + 1);
    if (table->size - 1 - key_size - 5 < size) {
        return false;
    }
    *out = (struct entry){.key = slice_of(table->data + 1, key_size),
                          .kind = behind[0],
                          .value = slice_of(behind + 5, size)};
    size_t whole = 1 + key_size + 5 + size;
    *table = slice_of(table->data + whole, table->size - whole);
    return true;
}

static bool is_key(const struct entry *entry, const char *key, uint8_t kind)
{
    return entry->kind == kind && entry->key.size == strlen(key) &&
           memcmp(entry->key.data, key, entry->key.size) == 0;
}

/* Sets those of `wanted` that the table has. */
struct wanted {
    const char *key;
    uint8_t kind;
    struct slice *out;
};

static bool read_table(struct slice table, const struct wanted *wanted, size_t count)
{
    unsigned entries = 0;
    while (table.size != 0) {
        struct entry entry;
        if (++entries > ENTRIES_MAX || !next_entry(&table, &entry)) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            if (wanted[i].out->data == NULL && is_key(&entry, wanted[i].key, wanted[i].kind)) {
                *wanted[i].out = entry.value;
            }
        }
    }
    return true;
}

static bool decode_mac(struct slice text, struct rndc_message *message)
{
    size_t size;
    while (text.size != 0 && text.data[text.size - 1] == 0) {
        text.size--;
    }
    return base64_decode((const char *)text.data, text.size, message->mac, sizeof(message->mac),
                         &size) &&
           size == hmac_size(message->algorithm);
}

static bool read_auth(struct slice table, struct rndc_message *message)
{
    struct slice md5 = {0}, sha = {0};
    const struct wanted wanted[] = {{"hmd5", KIND_OCTETS, &md5}, {"hsha", KIND_OCTETS, &sha}};
    if (!read_table(table, wanted, ARRAY_SIZE(wanted))) {
        return false;
    }
    if (md5.size == MD5_CHARACTERS) {
        uint8_t padded[MD5_CHARACTERS + 2];
        memcpy(padded, md5.data, MD5_CHARACTERS);
        padded[MD5_CHARACTERS] = padded[MD5_CHARACTERS + 1] = '=';
        message->algorithm = HMAC_MD5;
        return decode_mac(slice_of(padded, sizeof(padded)), message);
    }
    for (size_t i = 0; sha.size == SHA_CHARACTERS + 1 && i < ARRAY_SIZE(algorithms); i++) {
        if (sha.data[0] == algorithms[i].octet && algorithms[i].algorithm != HMAC_MD5) {
            message->algorithm = algorithms[i].algorithm;
            return decode_mac(slice_of(sha.data + 1, SHA_CHARACTERS), message);
        }
    }
    return false;
}

enum result rndc_message_read(struct slice octets, struct rndc_message *out, struct error *err)
{
    struct rndc_message message = {0};
    struct entry auth;
    struct slice control = {0}, data = {0};
    if (octets.size < 4 || number_at(octets.data) != VERSION) {
        return error_set(err, ERR_FORMAT, "not a message of rndc, or of another version");
    }
    struct slice rest = slice_of(octets.data + 4, octets.size - 4);
    if (!next_entry(&rest, &auth) || !is_key(&auth, "_auth", KIND_TABLE) ||
        !read_auth(auth.value, &message)) {
        return error_set(err, ERR_FORMAT, "the message is not signed, or not by a known algorithm");
    }
    message.signed_part = rest;
    const struct wanted tables[] = {{"_ctrl", KIND_TABLE, &control}, {"_data", KIND_TABLE, &data}};
    const struct wanted controls[] = {
        {"_ser", KIND_OCTETS, &message.serial},   {"_tim", KIND_OCTETS, &message.time},
        {"_exp", KIND_OCTETS, &message.expiry},   {"_nonce", KIND_OCTETS, &message.nonce},
        {"_rpl", KIND_OCTETS, &message.is_reply}, {"_frm", KIND_OCTETS, &message.from},
        {"_to", KIND_OCTETS, &message.to},
    };
    const struct wanted datas[] = {{"type", KIND_OCTETS, &message.command}};
    if (!read_table(rest, tables, ARRAY_SIZE(tables)) || control.data == NULL ||
        data.data == NULL || !read_table(control, controls, ARRAY_SIZE(controls)) ||
        !read_table(data, datas, ARRAY_SIZE(datas)) || message.command.data == NULL) {
        return error_set(err, ERR_FORMAT, "the message is not whole");
    }
    *out = message;
    return OK;
}

bool rndc_message_is_signed(const struct rndc_message *message, const struct hmac_key *key)
{
    uint8_t mac[HMAC_MAX_SIZE];
    struct hmac hmac;
    if (key->algorithm != message->algorithm) {
        return false;
    }
    hmac_begin(&hmac, key);
    hmac_add(&hmac, message->signed_part);
    hmac_end(&hmac, mac, hmac_size(key->algorithm));
    return hmac_equal(mac, message->mac, hmac_size(key->algorithm));
}

bool rndc_number(struct slice text, uint64_t *out)
{
    uint64_t number = 0;
    if (text.size == 0 || text.size > 18) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        number = number * 10 + (text.data[i] - '0');
    }
    *out = number;
    return true;
}

/* ---- writing ---- */

static void add_number(struct text *out, uint32_t number)
{
    const uint8_t octets[] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16),
                              (uint8_t)(number >> 8), (uint8_t)number};
    text_add(out, octets, sizeof(octets));
}

static void add_entry(struct text *out, const char *key, uint8_t kind, struct slice value)
{
    size_t size = strlen(key);
    text_add_char(out, (char)size);
    text_add(out, key, size);
    text_add_char(out, (char)kind);
    add_number(out, (uint32_t)value.size);
    text_add(out, value.data, value.size);
}

static void add_text(struct text *out, const char *key, const char *text)
{
    if (text != NULL) {
        add_entry(out, key, KIND_OCTETS, slice_of(text, strlen(text)));
    }
}

static void add_slice(struct text *out, const char *key, struct slice value)
{
    if (value.data != NULL) {
        add_entry(out, key, KIND_OCTETS, value);
    }
}

static void add_decimal(struct text *out, const char *key, int64_t number)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)number);
    add_text(out, key, text);
}

static void add_auth(struct text *out, struct slice signed_part, const struct hmac_key *key)
{
    uint8_t mac[HMAC_MAX_SIZE];
    char value[1 + SHA_CHARACTERS] = {0};
    struct hmac hmac;
    size_t size = hmac_size(key->algorithm);
    hmac_begin(&hmac, key);
    hmac_add(&hmac, signed_part);
    hmac_end(&hmac, mac, size);
    for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
        if (algorithms[i].algorithm == key->algorithm) {
            value[0] = (char)algorithms[i].octet;
        }
    }
    (void)base64_encode(slice_of(mac, size), value + 1);
    struct text table;
    text_init(&table, 0);
    if (key->algorithm == HMAC_MD5) {
        add_entry(&table, "hmd5", KIND_OCTETS, slice_of(value + 1, MD5_CHARACTERS));
    } else {
        add_entry(&table, "hsha", KIND_OCTETS, slice_of(value, sizeof(value)));
    }
    add_entry(out, "_auth", KIND_TABLE, text_slice(&table));
    text_deinit(&table);
}

void rndc_reply_write(const struct rndc_reply *reply, const struct rndc_message *request,
                      const struct hmac_key *key, struct text *out)
{
    struct text control, data, body, auth;
    text_init(&control, 0);
    text_init(&data, 0);
    text_init(&body, 0);
    text_init(&auth, 0);
    add_slice(&control, "_ser", request->serial);
    add_decimal(&control, "_tim", reply->now_s);
    add_decimal(&control, "_exp", reply->now_s + LIFE_S);
    add_text(&control, "_rpl", "1");
    add_slice(&control, "_to", request->from);
    add_slice(&control, "_frm", request->to);
    add_decimal(&control, "_nonce", reply->nonce);
    add_slice(&data, "type", request->command);
    add_decimal(&data, "result", reply->result);
    add_text(&data, "err", reply->failure);
    add_text(&data, "text", reply->text);
    add_entry(&body, "_ctrl", KIND_TABLE, text_slice(&control));
    add_entry(&body, "_data", KIND_TABLE, text_slice(&data));
    add_auth(&auth, text_slice(&body), key);
    add_number(out, (uint32_t)(4 + auth.size + body.size));
    add_number(out, VERSION);
    text_add(out, auth.bytes, auth.size);
    text_add(out, body.bytes, body.size);
    text_deinit(&control);
    text_deinit(&data);
    text_deinit(&body);
    text_deinit(&auth);
}
