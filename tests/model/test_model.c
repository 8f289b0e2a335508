/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fast way equals the slow one: random zones, random questions, each response taken apart with
 * wire/message.h and compared with the model's, section by section, as sets of records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "answer/answer.h"
#include "base/memory.h"
#include "model_answer.h"
#include "model_zone.h"
#include "support/message_text.h"
#include "wire/rdata.h"
#include "wire/rrtype.h"
#include "zone/builder.h"

enum { ZONES_PER_SIGNING = 150, QUESTIONS = 60 };

static struct zone_set *build(const struct model_zone *model)
{
    struct error err = {0};
    struct zone_version *version = NULL;
    struct builder *builder = builder_new(model->apex.wire, CLASS_IN, NULL, NULL, NULL);
    for (size_t i = 0; i < model->set.count; i++) {
        const struct model_record *r = &model->set.records[i];
        struct record record = {.owner = r->owner.wire,
                                .type = r->type,
                                .class = CLASS_IN,
                                .ttl = r->ttl,
                                .rdata = slice_of(r->rdata, r->rdata_size)};
        if (builder_add(builder, &record, NULL, 0, &err) != OK) {
            fail_msg("builder_add: %s", err.text);
        }
    }
    if (builder_finish(builder, NULL, &version, NULL, &err) != OK) {
        fail_msg("builder_finish: %s", err.text);
    }
    builder_free(builder);
    struct zone_set *set = zone_set_new();
    struct zone *zone = zone_new(model->apex.wire, CLASS_IN, 0);
    zone_publish(zone, version);
    assert_true(zone_set_insert(set, zone));
    zone_unref(zone);
    return set;
}

static void read_section(struct slice message, size_t *at, unsigned count, struct model_set *out)
{
    struct message_record record;
    struct error err = {0};
    for (; count != 0; count--) {
        struct model_record r;
        assert_int_equal(message_record_read(message, at, &record, &err), OK);
        if (record.type == TYPE_OPT) {
            continue;
        }
        r.owner = record.owner;
        r.type = record.type;
        r.ttl = record.ttl;
        assert_true(record.rdata_size <= 300);
        assert_int_equal(rdata_read(record.type, message, record.rdata_offset, record.rdata_size,
                                    r.rdata, &r.rdata_size, &err),
                         OK);
        model_set_append(out, &r);
    }
}

static void read_response(struct slice message, struct model_response *out)
{
    struct message_header header;
    struct question question;
    struct error err = {0};
    size_t at = MESSAGE_HEADER_SIZE;
    *out = (struct model_response){.rcode = 0};
    assert_int_equal(message_header_read(message, &header), OK);
    assert_int_equal(message_question_read(message, &at, &question, &err), OK);
    out->rcode = header.flags & 15;
    out->authoritative = (header.flags & FLAG_AA) != 0;
    assert_int_equal(header.flags & FLAG_TC, 0);
    read_section(message, &at, header.counts[SECTION_ANSWER], &out->answer);
    read_section(message, &at, header.counts[SECTION_AUTHORITY], &out->authority);
    read_section(message, &at, header.counts[SECTION_ADDITIONAL], &out->additional);
    assert_int_equal(at, message.size);
}

static void print_set(const char *title, const struct model_set *set)
{
    char name[NAME_TEXT_SIZE];
    char type[16];
    for (size_t i = 0; i < set->count; i++) {
        const struct model_record *r = &set->records[i];
        struct text text;
        text_init(&text, 0);
        rdata_format(r->type, slice_of(r->rdata, r->rdata_size), &text);
        print_error("%s %s %u %s %s\n", title, name_format(r->owner.wire, name), r->ttl,
                    rrtype_format(r->type, type), text_str(&text));
        text_deinit(&text);
    }
}

static void print_response(const char *title, const struct model_response *response)
{
    print_error("--- %s: %s%s\n", title, rcode_name(response->rcode),
                response->authoritative ? " aa" : "");
    print_set("=", &response->answer);
    print_set("~", &response->authority);
    print_set("+", &response->additional);
}

static bool responses_equal(const struct model_response *a, const struct model_response *b)
{
    return a->rcode == b->rcode && a->authoritative == b->authoritative &&
           model_set_equal(&a->answer, &b->answer) &&
           model_set_equal(&a->authority, &b->authority) &&
           model_set_equal(&a->additional, &b->additional);
}

static size_t build_query(const uint8_t *qname, uint16_t qtype, bool dnssec_ok, uint8_t *out)
{
    static const uint8_t opt[] = {0, 0, 41, 4, 0xd0, 0, 0, 0x80, 0, 0, 0};
    size_t size = name_size(qname);
    memset(out, 0, MESSAGE_HEADER_SIZE);
    out[5] = 1;
    memcpy(out + 12, qname, size);
    put_u16(out + 12 + size, qtype);
    put_u16(out + 14 + size, CLASS_IN);
    size += 16;
    if (dnssec_ok) {
        out[11] = 1;
        memcpy(out + size, opt, sizeof(opt));
        size += sizeof(opt);
    }
    return size;
}

/* The same octets by the long way, and as often as they are truncated where room is short. */
static void check_short_way(const struct zone_set *set, struct slice message, uint32_t *random)
{
    static uint8_t out[2][65535];
    struct answer_options options = {.extras = model_random(random, 3) == 0 ? ANSWER_MINIMAL
                                                                            : ANSWER_ADDITIONAL};
    struct answer_query asked[2];
    size_t room = model_random(random, 2) == 0 ? sizeof(out[0]) : 512 + model_random(random, 400);
    for (unsigned i = 0; i < 2; i++) {
        options.long_way = i == 1;
        asked[i] = (struct answer_query){
            .message = message, .transport = ANSWER_TCP, .out = out[i], .out_size = room};
        answer_batch(&options, set, 0, &asked[i], 1);
    }
    size_t size = asked[0].response_size;
    if (asked[0].rcode != asked[1].rcode || asked[0].truncated != asked[1].truncated ||
        size != asked[1].response_size || memcmp(out[0], out[1], size) != 0) {
        struct model_response ways[2];
        for (unsigned i = 0; i < 2; i++) {
            read_response(slice_of(out[i], asked[i].response_size), &ways[i]);
            print_response(i == 0 ? "the short way" : "the long way", &ways[i]);
        }
        fail_msg("%zu and %zu octets, TC %d and %d", size, asked[1].response_size,
                 asked[0].truncated, asked[1].truncated);
    }
}

struct asking {
    size_t count;
    size_t sizes[2 * QUESTIONS];
    uint8_t messages[2 * QUESTIONS][QUERY_TEXT_SIZE];
};

/* Questions that are answered together, in another order every time and with other room, get what
 * each gets alone by the long way: what a batch shares is right. */
static void check_together(const struct zone_set *set, const struct asking *asking,
                           uint32_t *random)
{
    enum { ROOM = 2048, ROUNDS = 3 };
    static uint8_t out[2 * QUESTIONS][ROOM];
    static struct answer_query together[2 * QUESTIONS];
    struct answer_options options = {.extras = ANSWER_MINIMAL};
    struct answer_options at_length = {.extras = ANSWER_MINIMAL, .long_way = true};
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t first = model_random(random, (uint32_t)asking->count);
        bool is_narrow = model_random(random, 2) == 0;
        for (size_t i = 0; i < asking->count; i++) {
            size_t n = (first + (1 + 2 * round) * i) % asking->count;
            size_t room =
                is_narrow && model_random(random, 3) == 0 ? 512 + model_random(random, 600) : ROOM;
            together[i] =
                (struct answer_query){.message = slice_of(asking->messages[n], asking->sizes[n]),
                                      .transport = ANSWER_TCP,
                                      .out = out[i],
                                      .out_size = room};
        }
        answer_batch(&options, set, 0, together, asking->count);
        for (size_t i = 0; i < asking->count; i++) {
            static uint8_t own[ROOM];
            struct answer_query alone = together[i];
            alone.out = own;
            answer_batch(&at_length, set, 0, &alone, 1);
            assert_int_equal(alone.rcode, together[i].rcode);
            assert_int_equal(alone.truncated, together[i].truncated);
            assert_int_equal(alone.response_size, together[i].response_size);
            assert_memory_equal(own, out[i], alone.response_size);
        }
    }
}

static void check(const struct model_zone *model, const struct zone_set *set, const uint8_t *qname,
                  uint16_t qtype, bool dnssec_ok, uint32_t seed)
{
    static uint8_t out[65535];
    uint8_t message[QUERY_TEXT_SIZE];
    struct answer_options options = {.udp_size = 0};
    struct answer_query asked = {.transport = ANSWER_TCP, .out = out, .out_size = sizeof(out)};
    struct model_response expected;
    struct model_response got;
    uint32_t random = seed + qtype;
    asked.message = slice_of(message, build_query(qname, qtype, dnssec_ok, message));
    answer_batch(&options, set, 0, &asked, 1);
    assert_int_equal(asked.disposition, ANSWER_SEND);
    read_response(slice_of(out, asked.response_size), &got);
    check_short_way(set, asked.message, &random);
    model_answer(model, qname, qtype, dnssec_ok, &expected);
    if (!responses_equal(&got, &expected)) {
        char name[NAME_TEXT_SIZE];
        char type[16];
        print_error("seed %u: %s %s%s\n", seed, name_format(qname, name),
                    rrtype_format(qtype, type), dnssec_ok ? " DO" : "");
        print_response("expected", &expected);
        print_response("got", &got);
        print_set("zone", &model->set);
        fail();
    }
    model_response_deinit(&expected);
    model_response_deinit(&got);
}

static void compare(enum model_signing signing)
{
    static const uint16_t types[] = {TYPE_A,  TYPE_A,     TYPE_AAAA,  TYPE_TXT,   TYPE_MX,
                                     TYPE_NS, TYPE_SRV,   TYPE_CNAME, TYPE_DNAME, TYPE_DS,
                                     TYPE_DS, TYPE_SOA,   TYPE_ANY,   TYPE_RRSIG, TYPE_NSEC,
                                     65280,   TYPE_NSEC3, TYPE_DNSKEY};
    for (uint32_t n = 0; n < ZONES_PER_SIGNING; n++) {
        struct model_zone model;
        uint32_t seed = n * MODEL_SIGNINGS + signing;
        uint32_t random = seed;
        model_zone_random(&model, seed, signing);
        struct zone_set *set = build(&model);
        static struct asking asking;
        asking.count = 0;
        for (unsigned i = 0; i < QUESTIONS; i++) {
            struct name qname;
            model_random_name(&model, &random, &qname);
            uint16_t qtype = types[model_random(&random, ARRAY_SIZE(types))];
            check(&model, set, qname.wire, qtype, false, seed);
            check(&model, set, qname.wire, qtype, true, seed);
            for (unsigned dnssec_ok = 0; dnssec_ok < 2; dnssec_ok++, asking.count++) {
                asking.sizes[asking.count] =
                    build_query(qname.wire, qtype, dnssec_ok == 1, asking.messages[asking.count]);
            }
        }
        check_together(set, &asking, &random);
        zone_set_unref(set);
        model_zone_deinit(&model);
    }
}

static void answers_of_unsigned_zones_equal_the_models(void **state)
{
    (void)state;
    compare(MODEL_UNSIGNED);
}

static void answers_of_zones_with_nsec_equal_the_models(void **state)
{
    (void)state;
    compare(MODEL_NSEC);
}

static void answers_of_zones_with_nsec3_equal_the_models(void **state)
{
    (void)state;
    compare(MODEL_NSEC3);
}

static void answers_of_zones_with_opt_out_equal_the_models(void **state)
{
    (void)state;
    compare(MODEL_OPT_OUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_of_unsigned_zones_equal_the_models),
        cmocka_unit_test(answers_of_zones_with_nsec_equal_the_models),
        cmocka_unit_test(answers_of_zones_with_nsec3_equal_the_models),
        cmocka_unit_test(answers_of_zones_with_opt_out_equal_the_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
