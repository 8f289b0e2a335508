/* SPDX-License-Identifier: BSD-3-Clause */
#include "support/message_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/zone_text.h"
#include "wire/message.h"
#include "wire/rrtype.h"

struct spec {
    struct name name;
    uint16_t type;
    uint16_t class;
    uint16_t flags;
    uint16_t id;
    bool edns;
    bool dnssec_ok;
    uint16_t udp_size;
    uint8_t version;
    uint8_t options[64];
    size_t options_size;
};

static void add_option(struct spec *spec, uint16_t code)
{
    put_u16(spec->options + spec->options_size, code);
    put_u16(spec->options + spec->options_size + 2, 0);
    spec->options_size += 4;
}

static bool number_after(const char *word, const char *prefix, uint16_t *out)
{
    size_t size = strlen(prefix);
    if (strncmp(word, prefix, size) != 0) {
        return false;
    }
    *out = (uint16_t)strtoul(word + size, NULL, 10);
    return true;
}

static void read_word(struct spec *spec, const char *word, unsigned index)
{
    uint16_t n;
    if (index == 0) {
        spec->name = name_from_text(word);
    } else if (index == 1) {
        assert_true(rrtype_parse(word, strlen(word), &spec->type));
    } else if (word[0] != '+') {
        assert_true(rrclass_parse(word, strlen(word), &spec->class));
    } else if (strcmp(word, "+rd") == 0) {
        spec->flags |= FLAG_RD;
    } else if (strcmp(word, "+cd") == 0) {
        spec->flags |= FLAG_CD;
    } else if (number_after(word, "+opcode=", &n)) {
        spec->flags |= (uint16_t)(n << 11);
    } else if (number_after(word, "+id=", &spec->id)) {
    } else {
        spec->edns = true;
        if (strcmp(word, "+do") == 0) {
            spec->dnssec_ok = true;
        } else if (number_after(word, "+size=", &spec->udp_size)) {
        } else if (number_after(word, "+version=", &n)) {
            spec->version = (uint8_t)n;
        } else if (strcmp(word, "+nsid") == 0) {
            add_option(spec, EDNS_NSID);
        } else if (strcmp(word, "+expire") == 0) {
            add_option(spec, EDNS_EXPIRE);
        } else if (strcmp(word, "+keepalive") == 0) {
            add_option(spec, EDNS_TCP_KEEPALIVE);
        } else if (strcmp(word, "+zoneversion") == 0) {
            add_option(spec, EDNS_ZONEVERSION);
        } else if (strcmp(word, "+fingerprint") == 0) {
            add_option(spec, EDNS_FINGERPRINT);
        } else {
            assert_string_equal(word, "+edns");
        }
    }
}

size_t query_from_text(const char *text, uint8_t out[QUERY_TEXT_SIZE])
{
    struct spec spec = {.class = CLASS_IN, .id = 0x1234, .udp_size = 1232};
    char copy[1200];
    char *rest = NULL;
    unsigned index = 0;
    assert_true(strlen(text) < sizeof(copy));
    memcpy(copy, text, strlen(text) + 1);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        read_word(&spec, word, index++);
    }
    assert_true(index >= 2);
    memset(out, 0, MESSAGE_HEADER_SIZE);
    put_u16(out, spec.id);
    put_u16(out + 2, spec.flags);
    put_u16(out + 4, 1);
    size_t at = MESSAGE_HEADER_SIZE;
    memcpy(out + at, spec.name.wire, spec.name.size);
    at += spec.name.size;
    put_u16(out + at, spec.type);
    put_u16(out + at + 2, spec.class);
    at += 4;
    if (spec.edns) {
        put_u16(out + 10, 1);
        out[at] = 0;
        put_u16(out + at + 1, TYPE_OPT);
        put_u16(out + at + 3, spec.udp_size);
        out[at + 5] = 0;
        out[at + 6] = spec.version;
        put_u16(out + at + 7, spec.dnssec_ok ? 0x8000 : 0);
        put_u16(out + at + 9, (uint16_t)spec.options_size);
        memcpy(out + at + 11, spec.options, spec.options_size);
        at += 11 + spec.options_size;
    }
    return at;
}

static void print_options(const struct edns *edns, struct text *out)
{
    for (size_t at = 0; at < edns->options.size;) {
        uint16_t code = get_u16(edns->options.data + at);
        struct slice value =
            slice_of(edns->options.data + at + 4, get_u16(edns->options.data + at + 2));
        at += 4 + value.size;
        switch (code) {
        case EDNS_NSID:
            text_add_str(out, " nsid=");
            break;
        case EDNS_EXPIRE:
            text_printf(out, " expire=%u", get_u32(value.data));
            continue;
        case EDNS_TCP_KEEPALIVE:
            text_printf(out, " keepalive=%u", get_u16(value.data));
            continue;
        case EDNS_EDE:
            text_printf(out, " ede=%u", get_u16(value.data));
            continue;
        case EDNS_ZONEVERSION:
            text_printf(out, " zoneversion=%u/%u/%u", value.data[0], value.data[1],
                        get_u32(value.data + 2));
            continue;
        default:
            text_printf(out, " %u=", code);
            break;
        }
        for (size_t i = 0; i < value.size; i++) {
            text_printf(out, "%02x", value.data[i]);
        }
    }
}

static void print_record(struct slice message, enum section section,
                         const struct message_record *record, struct text *out)
{
    static const char marks[] = "?=~+";
    static uint8_t rdata[RDATA_MAX_SIZE];
    struct error err = {0};
    size_t size;
    char name[NAME_TEXT_SIZE];
    char type[16];
    char class[16];
    if (rdata_read(record->type, message, record->rdata_offset, record->rdata_size, rdata, &size,
                   &err) != OK) {
        fail_msg("rdata of a %s record: %s", rrtype_format(record->type, type), err.text);
    }
    text_printf(out, "%c %s %u %s %s ", marks[section], name_format(record->owner.wire, name),
                record->ttl, rrclass_format(record->class, class),
                rrtype_format(record->type, type));
    rdata_format(record->type, slice_of(rdata, size), out);
    text_add_char(out, '\n');
}

static void print_header(uint16_t flags, unsigned rcode, struct text *out)
{
    text_printf(out, "%s", rcode == RCODE_BADVERS ? "BADVERS" : rcode_name(rcode));
    text_add_str(out, (flags & FLAG_AA) != 0 ? " aa" : "");
    text_add_str(out, (flags & FLAG_TC) != 0 ? " tc" : "");
    text_add_str(out, (flags & FLAG_RD) != 0 ? " rd" : "");
    text_add_str(out, (flags & FLAG_RA) != 0 ? " ra" : "");
    text_add_str(out, (flags & FLAG_AD) != 0 ? " ad" : "");
    text_add_str(out, (flags & FLAG_CD) != 0 ? " cd" : "");
    text_add_char(out, '\n');
}

void message_to_text(struct slice message, struct text *out)
{
    struct message_header header;
    struct question question;
    struct message_record record;
    struct edns edns = {.present = false};
    struct text body;
    struct error err = {0};
    char name[NAME_TEXT_SIZE];
    char type[16];
    char class[16];
    size_t at = MESSAGE_HEADER_SIZE;
    assert_int_equal(message_header_read(message, &header), OK);
    assert_true((header.flags & 0x8000) != 0);
    text_init(&body, 0);
    for (unsigned n = 0; n < header.counts[SECTION_QUESTION]; n++) {
        assert_int_equal(message_question_read(message, &at, &question, &err), OK);
        text_printf(&body, "? %s %s %s\n", name_format(question.name.wire, name),
                    rrclass_format(question.class, class), rrtype_format(question.type, type));
    }
    for (enum section section = SECTION_ANSWER; section <= SECTION_ADDITIONAL; section++) {
        for (unsigned n = 0; n < header.counts[section]; n++) {
            if (message_record_read(message, &at, &record, &err) != OK) {
                fail_msg("record %u of section %d: %s", n, (int)section, err.text);
            }
            if (record.type == TYPE_OPT) {
                assert_false(edns.present);
                assert_int_equal(edns_read(message, &record, &edns, &err), OK);
            } else {
                print_record(message, section, &record, &body);
            }
        }
    }
    assert_int_equal(at, message.size);
    print_header(header.flags, (header.flags & 15u) | (unsigned)edns.extended_rcode << 4, out);
    text_add_str(out, text_str(&body));
    if (edns.present) {
        text_printf(out, "opt %u%s", edns.udp_size, edns.dnssec_ok ? " do" : "");
        print_options(&edns, out);
        text_add_char(out, '\n');
    }
    text_deinit(&body);
}
