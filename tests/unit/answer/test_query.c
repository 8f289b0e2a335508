/* SPDX-License-Identifier: BSD-3-Clause */
#include "answer/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "support/message_text.h"

/* Parses a copy of exactly its size. What borrows from the message is not looked at afterwards. */
static struct query parse(const uint8_t *bytes, size_t size)
{
    struct query query;
    uint8_t *copy = memory_new(size);
    memcpy(copy, bytes, size);
    struct name_hashes name;
    query_parse(slice_of(copy, size), 1, &name, &query);
    memory_free(copy);
    return query;
}

static struct query parse_text(const char *text)
{
    uint8_t message[QUERY_TEXT_SIZE];
    size_t size = query_from_text(text, message);
    return parse(message, size);
}

static void query_parse_reads_a_plain_question(void **state)
{
    (void)state;
    struct query query = parse_text("WWW.example. AAAA +rd +id=77");
    assert_int_equal(query.kind, QUERY_ASK);
    assert_int_equal(query.id, 77);
    assert_int_equal(query.flags, FLAG_RD);
    assert_int_equal(query.qtype, TYPE_AAAA);
    assert_int_equal(query.qclass, CLASS_IN);
    assert_int_equal(query.qname_size, 13);
    assert_int_equal(query.question_end, 12 + 13 + 4);
    assert_false(query.edns.present);
    assert_int_equal(query.tsig_offset, 0);
}

static void query_parse_reads_edns(void **state)
{
    (void)state;
    struct query query = parse_text(". NS +do +size=4096 +nsid +expire +keepalive +zoneversion "
                                    "+fingerprint");
    assert_int_equal(query.kind, QUERY_ASK);
    assert_true(query.edns.present);
    assert_true(query.edns.dnssec_ok);
    assert_int_equal(query.edns.udp_size, 4096);
    assert_int_equal(query.wants, QUERY_WANTS_NSID | QUERY_WANTS_EXPIRE | QUERY_WANTS_KEEPALIVE |
                                      QUERY_WANTS_ZONEVERSION | QUERY_WANTS_FINGERPRINT);
    query = parse_text("a. A +size=100");
    assert_int_equal(query.edns.udp_size, 512);
    assert_false(query.edns.dnssec_ok);
    query = parse_text("a. A +version=1");
    assert_int_equal(query.kind, QUERY_ERROR);
    assert_int_equal(query.rcode, RCODE_BADVERS);
}

static void query_parse_drops_responses_and_what_has_no_header(void **state)
{
    (void)state;
    uint8_t message[QUERY_TEXT_SIZE];
    size_t size = query_from_text("a. A", message);
    message[2] |= 0x80;
    assert_int_equal(parse(message, size).kind, QUERY_DROP);
    message[2] &= 0x7f;
    for (size_t cut = 0; cut < MESSAGE_HEADER_SIZE; cut++) {
        assert_int_equal(parse(message, cut).kind, QUERY_DROP);
    }
}

static void query_parse_finds_every_cut(void **state)
{
    (void)state;
    uint8_t message[QUERY_TEXT_SIZE];
    size_t size = query_from_text("www.example. A +do +nsid", message);
    for (size_t cut = MESSAGE_HEADER_SIZE; cut < size; cut++) {
        struct query query = parse(message, cut);
        assert_int_equal(query.kind, QUERY_ERROR);
        assert_int_equal(query.rcode, RCODE_FORMERR);
        assert_false(query.edns.present);
        assert_int_equal(query.has_question, cut >= 12 + 13 + 4);
    }
    assert_int_equal(parse(message, size).kind, QUERY_ASK);
    message[size] = 0;
    assert_int_equal(parse(message, size + 1).rcode, RCODE_FORMERR);
}

static void query_parse_wants_exactly_one_question(void **state)
{
    (void)state;
    uint8_t message[QUERY_TEXT_SIZE];
    size_t size = query_from_text("a. A", message);
    put_u16(message + 4, 0);
    assert_int_equal(parse(message, 12).rcode, RCODE_FORMERR);
    memcpy(message + size, message + 12, size - 12);
    put_u16(message + 4, 2);
    struct query query = parse(message, 2 * size - 12);
    assert_int_equal(query.kind, QUERY_ERROR);
    assert_int_equal(query.rcode, RCODE_FORMERR);
    assert_false(query.has_question);
}

static void query_parse_refuses_a_compressed_question(void **state)
{
    (void)state;
    static const uint8_t message[] = {0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 0x0c, 0, 1, 0, 1};
    struct query query = parse(message, sizeof(message));
    assert_int_equal(query.kind, QUERY_ERROR);
    assert_int_equal(query.rcode, RCODE_FORMERR);
}

static void query_parse_knows_opcodes(void **state)
{
    (void)state;
    assert_int_equal(parse_text("a. SOA +opcode=4").kind, QUERY_NOTIFY);
    assert_int_equal(parse_text("a. SOA +opcode=5").kind, QUERY_UPDATE);
    for (unsigned opcode = 1; opcode < 16; opcode++) {
        char text[32];
        snprintf(text, sizeof(text), "a. SOA +opcode=%u", opcode);
        if (opcode != 4 && opcode != 5) {
            assert_int_equal(parse_text(text).kind, QUERY_ERROR);
            assert_int_equal(parse_text(text).rcode, RCODE_NOTIMP);
        }
    }
}

/* One more record of `type` with an owner of one octet, at the end. */
static size_t append(uint8_t *message, size_t size, uint8_t owner, uint16_t type, const char *rdata,
                     size_t rdata_size)
{
    put_u16(message + 10, (uint16_t)(get_u16(message + 10) + 1));
    if (owner != 0) {
        message[size++] = 1;
        message[size++] = owner;
    }
    message[size++] = 0;
    put_u16(message + size, type);
    put_u16(message + size + 2, 1232);
    put_u32(message + size + 4, 0);
    put_u16(message + size + 8, (uint16_t)rdata_size);
    memcpy(message + size + 10, rdata, rdata_size);
    return size + 10 + rdata_size;
}

static void query_parse_refuses_bad_opt_records(void **state)
{
    (void)state;
    uint8_t message[QUERY_TEXT_SIZE];
    size_t size = query_from_text("a. A", message);
    size_t end = append(message, size, 0, TYPE_OPT, "", 0);
    assert_int_equal(parse(message, end).kind, QUERY_ASK);
    end = append(message, end, 0, TYPE_OPT, "", 0);
    assert_int_equal(parse(message, end).rcode, RCODE_FORMERR);

    size = query_from_text("a. A", message);
    end = append(message, size, 'x', TYPE_OPT, "", 0);
    assert_int_equal(parse(message, end).rcode, RCODE_FORMERR);

    size = query_from_text("a. A", message);
    end = append(message, size, 0, TYPE_OPT, "\0\3\0\1", 4);
    assert_int_equal(parse(message, end).rcode, RCODE_FORMERR);

    size = query_from_text("a. A", message);
    end = append(message, size, 0, TYPE_OPT, "", 0);
    put_u16(message + 10, 0);
    put_u16(message + 8, 1); /* in the authority section */
    assert_int_equal(parse(message, end).rcode, RCODE_FORMERR);
    assert_false(parse(message, end).edns.present);
}

/* RFC 6891 6.1.1 and 7: what has OPT is answered with OPT, errors as well. */
static void query_parse_keeps_the_opt_of_what_it_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        size_t size;
    } bad[] = {{"\0\3\0\1", 4}, {"\0\3\0", 3}, {"\0\x0a\0\7cookies", 11}, {"\0\x0a\0\0", 4}};
    uint8_t message[QUERY_TEXT_SIZE];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size_t size = query_from_text("a. A", message);
        size_t end = append(message, size, 0, TYPE_OPT, bad[i].options, bad[i].size);
        struct query query = parse(message, end);
        assert_int_equal(query.rcode, RCODE_FORMERR);
        assert_true(query.edns.present);
    }
    for (unsigned opcode = 1; opcode < 16; opcode++) {
        size_t size = query_from_text("a. A +do", message);
        put_u16(message + 2, (uint16_t)(opcode << 11));
        assert_true(parse(message, size).edns.present);
        put_u16(message + 4, 2); /* then nobody knows where it stands */
        assert_false(parse(message, size).edns.present);
    }
    memcpy(message, "\0\1\0\0\0\0\0\0\0\0\0\1\0\0\x29\4\xd0\0\0\0\0\0\0", 23);
    struct query query = parse(message, 23); /* no question */
    assert_int_equal(query.rcode, RCODE_FORMERR);
    assert_true(query.edns.present);
}

static void query_parse_reads_opt_without_options_as_with_some(void **state)
{
    (void)state;
    static const struct {
        uint8_t size[2], extended_rcode, version, flags[2];
    } opts[] = {
        {{0x04, 0xd0}, 0, 0, {0, 0}},       {{0, 0}, 0, 0, {0x80, 0}},
        {{0xff, 0xff}, 7, 0, {0x7f, 0xff}}, {{0x01, 0xff}, 0xff, 0, {0xff, 0xff}},
        {{0x02, 0x00}, 0, 1, {0, 0}},       {{0x02, 0x01}, 0, 0xff, {0x80, 0}},
    };
    uint8_t message[QUERY_TEXT_SIZE];
    for (size_t i = 0; i < ARRAY_SIZE(opts); i++) {
        size_t size = query_from_text("www.example. A +edns", message);
        uint8_t *opt = message + size - 11;
        memcpy(opt + 3, &opts[i], 6);
        struct query bare = parse(message, size);
        put_u16(opt + 9, 4); /* an option that nobody knows, without a value */
        memcpy(message + size, "\xff\xfe\0\0", 4);
        struct query other = parse(message, size + 4);
        assert_int_equal(bare.kind, opts[i].version == 0 ? QUERY_ASK : QUERY_ERROR);
        assert_int_equal(bare.kind, other.kind);
        assert_int_equal(bare.rcode, other.rcode);
        assert_int_equal(bare.qtype, other.qtype);
        assert_int_equal(bare.question_end, other.question_end);
        assert_true(bare.edns.present);
        assert_int_equal(bare.edns.dnssec_ok, other.edns.dnssec_ok);
        assert_int_equal(bare.edns.dnssec_ok, (opts[i].flags[0] & 0x80) != 0);
        assert_int_equal(bare.edns.version, other.edns.version);
        assert_int_equal(bare.edns.extended_rcode, other.edns.extended_rcode);
        assert_int_equal(bare.edns.udp_size, other.edns.udp_size);
        assert_int_equal(bare.edns.options.size, 0);
    }
}

static void query_parse_refuses_what_only_looks_like_bare_opt(void **state)
{
    (void)state;
    /* Octet of the record and what it is set to: owner, type, length. */
    static const uint8_t changes[][2] = {{0, 1}, {1, 1}, {2, 42}, {9, 1}, {10, 1}, {10, 255}};
    uint8_t message[QUERY_TEXT_SIZE];
    size_t size = query_from_text("www.example. A +edns", message);
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        uint8_t *octet = message + size - 11 + changes[i][0];
        uint8_t before = *octet;
        *octet = changes[i][1];
        struct query query = parse(message, size);
        bool is_other_type = changes[i][0] == 1 || changes[i][0] == 2; /* which may be there */
        assert_int_equal(query.kind, is_other_type ? QUERY_ASK : QUERY_ERROR);
        assert_false(query.edns.present);
        *octet = before;
    }
    message[size] = 0; /* an octet too many */
    assert_int_equal(parse(message, size + 1).rcode, RCODE_FORMERR);
    put_u16(message + 8, 1); /* in the authority section as well, or instead */
    assert_int_equal(parse(message, size).rcode, RCODE_FORMERR);
    put_u16(message + 10, 0);
    assert_int_equal(parse(message, size).rcode, RCODE_FORMERR);
}

static void query_parse_finds_tsig_only_at_the_end(void **state)
{
    (void)state;
    uint8_t message[QUERY_TEXT_SIZE];
    size_t size = query_from_text("a. A +edns", message);
    size_t end = append(message, size, 'k', TYPE_TSIG, "xxxx", 4);
    struct query query = parse(message, end);
    assert_int_equal(query.kind, QUERY_ASK);
    assert_int_equal(query.tsig_offset, size);
    end = append(message, end, 'a', TYPE_A, "xxxx", 4);
    query = parse(message, end);
    assert_int_equal(query.kind, QUERY_ERROR);
    assert_int_equal(query.rcode, RCODE_FORMERR);
}

static void query_parse_never_reads_past_random_bytes(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t message[80];
        for (size_t i = 0; i < sizeof(message); i++) {
            random = random * 1664525 + 1013904223;
            message[i] = (uint8_t)(random >> 24);
        }
        if (round % 2 == 0) { /* nearer to a query */
            message[2] &= 0x01;
            memcpy(message + 4, "\0\1\0\0\0\0\0\1", 8);
            message[12] &= 0x0f;
        }
        parse(message, random % sizeof(message));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(query_parse_reads_a_plain_question),
        cmocka_unit_test(query_parse_reads_edns),
        cmocka_unit_test(query_parse_drops_responses_and_what_has_no_header),
        cmocka_unit_test(query_parse_finds_every_cut),
        cmocka_unit_test(query_parse_wants_exactly_one_question),
        cmocka_unit_test(query_parse_refuses_a_compressed_question),
        cmocka_unit_test(query_parse_knows_opcodes),
        cmocka_unit_test(query_parse_refuses_bad_opt_records),
        cmocka_unit_test(query_parse_keeps_the_opt_of_what_it_refuses),
        cmocka_unit_test(query_parse_reads_opt_without_options_as_with_some),
        cmocka_unit_test(query_parse_refuses_what_only_looks_like_bare_opt),
        cmocka_unit_test(query_parse_finds_tsig_only_at_the_end),
        cmocka_unit_test(query_parse_never_reads_past_random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
