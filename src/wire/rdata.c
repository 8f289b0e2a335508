/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rdata by the table of record types: each operation walks the fields of the type and leaves the
 * fields to rdata_text.c, rdata_print.c and rdata_check.c.
 *
 * Rules that hold for all of them: what is parsed or read has passed the rules of its type, so what
 * a zone holds is always valid; printing checks again, and prints in the form of RFC 3597 what it
 * cannot trust or what has no other form; names inside rdata are followed only where the table says
 * that there are any.
 */
#include "wire/rdata.h"

#include "wire/message.h"
#include "wire/rdata_impl.h"

enum { NAMES_MAX = 4 };

/* "\# size hex" (RFC 3597 5); the size is the token in hand. */
static enum result parse_generic(struct rdata_parser *p)
{
    static const char form[] = "as many octets in hex as the number behind \\# says";
    uint64_t size = 0;
    const struct token *word = parser_word(p, "a number of octets from 0 to 65535");
    if (word == NULL) {
        return ERR_FORMAT;
    }
    if (!number_parse(word->data, word->size, RDATA_MAX_SIZE, &size)) {
        return parser_expected(p, "a number of octets from 0 to 65535");
    }
    p->next++;
    if (!parser_at_end(p) && parse_hex(p, SIZE_MAX) != OK) {
        return ERR_FORMAT;
    }
    return p->size == size ? OK : parser_expected(p, form);
}

static bool is_generic(const struct token *tokens, size_t count)
{
    return count > 1 && !tokens[0].quoted && tokens[0].size == 2 && tokens[0].data[0] == '\\' &&
           tokens[0].data[1] == '#';
}

static enum result parse_fields(struct rdata_parser *p, const struct rrtype *type)
{
    for (const uint8_t *field = type->fields; *field != FIELD_END; field++) {
        if (UNLIKELY(rdata_field_parse(p, (enum rdata_field) * field) != OK)) {
            return ERR_FORMAT;
        }
    }
    return LIKELY(parser_at_end(p)) ? OK : parser_expected(p, "the end of the record");
}

HOT enum result rdata_parse(uint16_t type, const struct token *tokens, size_t count,
                            const uint8_t *origin, uint8_t *out, size_t *out_size, size_t *bad,
                            struct error *err)
{
    struct rdata_parser p = {tokens, count, 0, origin, out, 0, err};
    enum result result;
    if (UNLIKELY(is_generic(tokens, count))) {
        p.next = 1;
        result = parse_generic(&p);
        if (result == OK) {
            result = rdata_check(type, slice_of(out, p.size), err);
            p.next = result == OK ? p.next : 1;
        }
    } else {
        result = parse_fields(&p, rrtype_get(type));
        if (LIKELY(result == OK)) {
            result = rdata_check_rules(type, slice_of(out, p.size), err);
            p.next -= result != OK; /* the last token, where what the rules hold stands */
        }
    }
    if (UNLIKELY(result != OK)) {
        *bad = p.next;
        return result;
    }
    *out_size = p.size;
    return OK;
}

static void format_generic(struct slice rdata, struct text *out)
{
    text_printf(out, rdata.size == 0 ? "\\# %zu" : "\\# %zu ", rdata.size);
    format_hex(rdata, out);
}

static void text_cut(struct text *text, size_t size)
{
    if (text->size > size) {
        text->size = size;
        text->bytes[size] = '\0';
    }
}

/* False where the rdata has no text form but the generic one. */
static bool format_fields(const struct rrtype *type, struct slice rdata, struct text *out)
{
    struct rdata_cursor c = {rdata, 0, NULL, false};
    bool is_first = true;
    for (const uint8_t *field = type->fields; *field != FIELD_END; field++) {
        size_t before = out->size;
        if (!is_first) {
            text_add_char(out, ' ');
        }
        size_t start = out->size;
        if (!rdata_field_format(&c, (enum rdata_field) * field, out)) {
            return false;
        }
        if (out->size == start) {
            text_cut(out, before); /* an optional field that is not there */
        }
        is_first = false;
    }
    return true;
}

void rdata_format(uint16_t type, struct slice rdata, struct text *out)
{
    size_t start = out->size;
    if (rdata_check(type, rdata, NULL) != OK || !format_fields(rrtype_get(type), rdata, out)) {
        text_cut(out, start);
        format_generic(rdata, out);
    }
}

/* Behind the last field nothing may be left. */
static enum result check_end(uint16_t type, struct rdata_cursor *c)
{
    if (c->at != c->rdata.size) {
        return cursor_bad(c, "the end");
    }
    return rdata_check_rules(type, c->rdata, c->err);
}

enum result rdata_check(uint16_t type, struct slice rdata, struct error *err)
{
    struct rdata_cursor c = {rdata, 0, err, false};
    if (rdata.size > RDATA_MAX_SIZE) {
        return error_set(err, ERR_FORMAT, "rdata is longer than 65535 octets");
    }
    for (const uint8_t *field = rrtype_get(type)->fields; *field != FIELD_END; field++) {
        if (UNLIKELY(rdata_field_check(&c, (enum rdata_field) * field) != OK)) {
            return ERR_FORMAT;
        }
    }
    return check_end(type, &c);
}

static bool is_name(uint8_t field)
{
    return field == FIELD_NAME || field == FIELD_NAME_COMPRESS;
}

static bool has_compressed_names(const struct rrtype *type)
{
    if ((type->flags & RRTYPE_DECOMPRESS) != 0) {
        return true;
    }
    for (const uint8_t *field = type->fields; *field != FIELD_END; field++) {
        if (*field == FIELD_NAME_COMPRESS) {
            return true;
        }
    }
    return false;
}

/*
 * Fields are checked where they lie in the message and copied, names expanded. A pointer may lead
 * anywhere before it in the message, but the octets of the name that stand here end with the rdata.
 */
static enum result read_fields(const struct rrtype *type, struct slice message, size_t offset,
                               struct rdata_cursor *c, uint8_t *out, size_t *out_size)
{
    size_t size = 0;
    for (const uint8_t *field = type->fields; *field != FIELD_END; field++) {
        size_t start = c->at;
        struct name name;
        const uint8_t *bytes = c->rdata.data + start;
        size_t bytes_size;
        if (is_name(*field)) {
            size_t at = offset + start;
            struct slice up_to_end = slice_of(message.data, offset + c->rdata.size);
            if (message_name_read(up_to_end, &at, &name, c->err) != OK) {
                return ERR_FORMAT;
            }
            c->at = at - offset;
            bytes = name.wire;
            bytes_size = name.size;
        } else {
            if (rdata_field_check(c, (enum rdata_field) * field) != OK) {
                return ERR_FORMAT;
            }
            bytes_size = c->at - start;
        }
        if (RDATA_MAX_SIZE - size < bytes_size) {
            return error_set(c->err, ERR_FORMAT, "rdata is longer than 65535 octets");
        }
        if (bytes_size != 0) {
            memcpy(out + size, bytes, bytes_size);
        }
        size += bytes_size;
    }
    if (c->at != c->rdata.size) {
        return cursor_bad(c, "the end");
    }
    *out_size = size;
    return OK;
}

enum result rdata_read(uint16_t type, struct slice message, size_t offset, size_t size,
                       uint8_t *out, size_t *out_size, struct error *err)
{
    REQUIRE(offset <= message.size && size <= message.size - offset);
    const struct rrtype *rrtype = rrtype_get(type);
    struct rdata_cursor c = {slice_of(message.data + offset, size), 0, err, false};
    if (!has_compressed_names(rrtype)) {
        enum result result = rdata_check(type, c.rdata, err);
        if (result == OK) {
            if (size != 0) {
                memcpy(out, c.rdata.data, size);
            }
            *out_size = size;
        }
        return result;
    }
    size_t expanded = 0;
    enum result result = read_fields(rrtype, message, offset, &c, out, &expanded);
    if (result == OK) {
        result = rdata_check_rules(type, slice_of(out, expanded), err);
    }
    if (result == OK) {
        *out_size = expanded;
    }
    return result;
}

/* Names inside a field that is more than one: the gateways, HIP's servers and A6's prefix name. */
static size_t field_names(enum rdata_field field, struct slice rdata, size_t start, size_t end,
                          uint16_t *out, size_t room)
{
    const uint8_t *data = rdata.data + start;
    size_t at = end; /* of the first name */
    if (field == FIELD_IPSECKEY_GATEWAY && rdata.data[start - 2] == 3) {
        at = start;
    } else if (field == FIELD_AMT_RELAY && (data[0] & 0x7f) == 3) {
        at = start + 1;
    } else if (field == FIELD_A6 && data[0] != 0) {
        at = start + 1 + (16 - data[0] / 8u);
    } else if (field == FIELD_HIP) {
        at = start + 4 + data[0] + get_u16(data + 2);
    }
    size_t count = 0;
    while (at < end && count < room) {
        out[count++] = (uint16_t)at;
        at += name_size(rdata.data + at);
    }
    return count;
}

size_t rdata_name_offsets(uint16_t type, struct slice rdata, uint16_t *out)
{
    struct rdata_cursor c = {rdata, 0, NULL, false};
    size_t count = 0;
    if (rdata.size == 0) {
        return 0; /* in UPDATE messages (RFC 2136 2.5.2) */
    }
    for (const uint8_t *field = rrtype_get(type)->fields; *field != FIELD_END; field++) {
        size_t start = c.at;
        bool is_valid = rdata_field_check(&c, (enum rdata_field) * field) == OK;
        REQUIRE(is_valid);
        if (is_name(*field)) {
            out[count++] = (uint16_t)start;
        } else {
            count += field_names((enum rdata_field) * field, rdata, start, c.at, out + count,
                                 NAMES_MAX - count);
        }
    }
    return count;
}

void rdata_canonicalize(uint16_t type, uint8_t *rdata, size_t size)
{
    if ((rrtype_get(type)->flags & RRTYPE_CANONICAL_NAMES) == 0) {
        return;
    }
    uint16_t offsets[NAMES_MAX];
    size_t count = rdata_name_offsets(type, slice_of(rdata, size), offsets);
    for (size_t i = 0; i < count; i++) {
        name_lower(rdata + offsets[i]);
    }
}

static uint8_t lower(uint8_t c)
{
    return (uint8_t)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

/*
 * Octet by octet, letters folded inside the names of `a`. Up to the first difference `b` has the
 * same names at the same places, so its own need not be found.
 */
int rdata_compare(uint16_t type, struct slice a, struct slice b)
{
    if ((rrtype_get(type)->flags & RRTYPE_CANONICAL_NAMES) == 0 || slice_equal(a, b)) {
        return slice_compare(a, b);
    }
    uint16_t offsets[NAMES_MAX];
    size_t count = rdata_name_offsets(type, a, offsets);
    size_t shorter = a.size < b.size ? a.size : b.size;
    size_t at = 0;
    for (size_t i = 0; i <= count; i++) {
        size_t name = i < count ? offsets[i] : a.size;
        size_t plain = name < shorter ? name : shorter;
        int order = plain > at ? memcmp(a.data + at, b.data + at, plain - at) : 0;
        if (order != 0) {
            return order;
        }
        if (name >= shorter) {
            break;
        }
        size_t end = name + name_size(a.data + name);
        for (at = name; at < end && at < shorter; at++) {
            order = (int)lower(a.data[at]) - (int)lower(b.data[at]);
            if (order != 0) {
                return order;
            }
        }
    }
    return a.size < b.size ? -1 : a.size > b.size;
}

const uint8_t *rdata_additional_name(uint16_t type, struct slice rdata)
{
    uint16_t offsets[NAMES_MAX];
    if ((rrtype_get(type)->flags & RRTYPE_ADDITIONAL) == 0 ||
        rdata_name_offsets(type, rdata, offsets) == 0) {
        return NULL;
    }
    const uint8_t *name = rdata.data + offsets[0];
    return *name == 0 ? NULL : name;
}
