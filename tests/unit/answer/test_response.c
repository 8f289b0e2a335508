/* SPDX-License-Identifier: BSD-3-Clause */
#include "answer/response.h"

#include "support/ask.h"

struct fixture {
    uint8_t message[QUERY_TEXT_SIZE];
    uint8_t out[2048];
    struct query query;
    struct response response;
};

static void begin(struct fixture *f, const char *question, size_t limit)
{
    size_t size = query_from_text(question, f->message);
    struct name_hashes name;
    query_parse(slice_of(f->message, size), 1, &name, &f->query);
    memset(f->out, 0xee, sizeof(f->out));
    response_begin(&f->response, f->out, limit, &f->query);
    response_know_question(&f->response);
}

/* An RRset of one record; `rdata` is put behind its length in `space`. */
static struct rrset one(uint8_t *space, uint16_t type, const void *rdata, size_t size)
{
    put_u16(space, (uint16_t)size);
    memcpy(space + 2, rdata, size);
    return (struct rrset){.type = type, .count = 1, .records = slice_of(space, 2 + size)};
}

/* The names must stay where they are until the response is finished. */
static struct {
    struct name owner;
    uint8_t rdata[2 + NAME_MAX_SIZE];
} records[6000];
static unsigned record_count;

static bool write_ns(struct fixture *f, const char *owner, const char *target)
{
    unsigned at = record_count++ % ARRAY_SIZE(records);
    struct name target_name = name_from_text(target);
    struct rrset rrset = one(records[at].rdata, TYPE_NS, target_name.wire, target_name.size);
    records[at].owner = name_from_text(owner);
    return response_write_rrset(&f->response, SECTION_ANSWER,
                                (struct response_owner){records[at].owner.wire, 0}, &rrset,
                                CLASS_IN, 60);
}

static void check_text(struct fixture *f, const char *expected)
{
    struct text text;
    size_t size = response_finish(&f->response, 1, FLAG_QR);
    text_init(&text, 0);
    message_to_text(slice_of(f->out, size), &text);
    assert_string_equal(text_str(&text), expected);
    text_deinit(&text);
}

static void response_points_at_the_question(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "www.Example. A", 512);
    size_t before = f.response.size;
    assert_true(write_ns(&f, "example.", "WWW.example."));
    /* owner pointer, fixed part, target pointer */
    assert_int_equal(f.response.size - before, 2 + 10 + 2);
    check_text(&f, "NOERROR\n"
                   "? www.Example. IN A\n"
                   "= Example. 60 IN NS www.Example.\n");
}

static void response_compresses_against_everything_written(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, ". NS", 512);
    assert_true(write_ns(&f, ".", "a.ns.test."));
    size_t before = f.response.size;
    assert_true(write_ns(&f, "test.", "b.NS.test."));
    assert_int_equal(f.response.size - before, 2 + 10 + 2 + 2);
    before = f.response.size;
    assert_true(write_ns(&f, ".", "."));
    assert_int_equal(f.response.size - before, 1 + 10 + 1);
    check_text(&f, "NOERROR\n"
                   "? . IN NS\n"
                   "= . 60 IN NS a.ns.test.\n"
                   "= test. 60 IN NS b.ns.test.\n"
                   "= . 60 IN NS .\n");
}

static void response_finds_tails_behind_pointers(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "x.test. NS", 512);
    assert_true(write_ns(&f, "x.test.", "a.b.c.D.example."));
    assert_true(write_ns(&f, "x.test.", "e.b.c.d.example."));
    size_t before = f.response.size;
    assert_true(write_ns(&f, "e.B.c.d.example.", "f.e.b.c.d.EXAMPLE.")); /* of the second */
    assert_int_equal(f.response.size - before, 2 + 10 + 2 + 2);
    before = f.response.size;
    assert_true(write_ns(&f, "d.example.", "c.d.example.")); /* of the first */
    assert_int_equal(f.response.size - before, 2 + 10 + 2);
    before = f.response.size;
    assert_true(write_ns(&f, "xd.example.", "d.ample.")); /* ends of labels are no labels */
    assert_int_equal(f.response.size - before, 3 + 2 + 10 + 2 + 6 + 1);
    check_text(&f, "NOERROR\n"
                   "? x.test. IN NS\n"
                   "= x.test. 60 IN NS a.b.c.D.example.\n"
                   "= x.test. 60 IN NS e.b.c.D.example.\n"
                   "= e.b.c.D.example. 60 IN NS f.e.b.c.D.example.\n"
                   "= D.example. 60 IN NS c.D.example.\n"
                   "= xd.example. 60 IN NS d.ample.\n");
}

static void response_compresses_below_a_top_level_of_one_letter(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "long.a. NS", 512);
    size_t before = f.response.size;
    assert_true(write_ns(&f, "a.", "b.A."));
    assert_int_equal(f.response.size - before, 2 + 10 + 2 + 2);
    before = f.response.size;
    assert_true(write_ns(&f, "a.", "b."));
    assert_int_equal(f.response.size - before, 2 + 10 + 3);
}

static void response_leaves_names_of_newer_types_alone(void **state)
{
    (void)state;
    struct fixture f;
    uint8_t space[64];
    begin(&f, "www.example. A", 512);
    struct name name = name_from_text("www.example.");
    struct rrset dname = one(space, TYPE_DNAME, name.wire, name.size);
    size_t before = f.response.size;
    assert_true(response_write_rrset(&f.response, SECTION_ANSWER,
                                     response_question_owner(&f.response, name.wire, name.size),
                                     &dname, CLASS_IN, 60));
    assert_int_equal(f.response.size - before, 2 + 10 + name.size);
}

static void response_points_at_whole_names_in_rdata(void **state)
{
    (void)state;
    struct fixture f;
    uint8_t space[300], weighed[6 + NAME_MAX_SIZE];
    begin(&f, "x.d.test. A", 512);
    struct name owner = name_from_text("d.test.");
    struct name target = name_from_text("a.long.target.example.");
    struct response_owner as = {owner.wire, 0};
    struct rrset dname = one(space, TYPE_DNAME, target.wire, target.size);
    assert_true(response_write_rrset(&f.response, SECTION_ANSWER, as, &dname, CLASS_IN, 60));
    size_t before = f.response.size;
    assert_true(write_ns(&f, "x.d.test.", "x.a.long.target.example."));
    assert_int_equal(f.response.size - before, 2 + 10 + 2 + 2);

    struct name server = name_from_text("server.elsewhere.");
    memset(weighed, 0, 6);
    memcpy(weighed + 6, server.wire, server.size);
    struct rrset srv = one(space, TYPE_SRV, weighed, 6u + server.size);
    before = f.response.size;
    assert_true(response_write_rrset(&f.response, SECTION_ANSWER, as, &srv, CLASS_IN, 60));
    assert_int_equal(f.response.size - before, 2 + 10 + 6 + server.size);
    before = f.response.size;
    assert_true(write_ns(&f, "server.elsewhere.", "elsewhere."));
    assert_int_equal(f.response.size - before, 2 + 10 + 2);
    check_text(&f, "NOERROR\n"
                   "? x.d.test. IN A\n"
                   "= d.test. 60 IN DNAME a.long.target.example.\n"
                   "= x.d.test. 60 IN NS x.a.long.target.example.\n"
                   "= d.test. 60 IN SRV 0 0 0 server.elsewhere.\n"
                   "= server.elsewhere. 60 IN NS elsewhere.\n");
}

static void response_rewind_forgets_names(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "www.example. A", 512);
    assert_true(write_ns(&f, "example.", "first.test."));
    struct response_mark mark = response_mark(&f.response);
    assert_true(write_ns(&f, "example.", "second.other."));
    assert_true(write_ns(&f, "x.second.other.", "third.first.test."));
    response_rewind(&f.response, &mark);
    assert_int_equal(f.response.size, mark.size);
    assert_true(write_ns(&f, "second.other.", "third.first.test."));
    check_text(&f, "NOERROR\n"
                   "? www.example. IN A\n"
                   "= example. 60 IN NS first.test.\n"
                   "= second.other. 60 IN NS third.first.test.\n");
}

static void response_writes_whole_rrsets_or_nothing_at_every_limit(void **state)
{
    (void)state;
    struct fixture f;
    for (size_t limit = 12 + 13 + 4; limit < 200; limit++) {
        unsigned written = 0;
        begin(&f, "www.example. A", limit);
        written += write_ns(&f, "example.", "ns1.example.");
        written += write_ns(&f, "sub.example.", "a.long.name.of.a.server.test.");
        written += write_ns(&f, "sub2.example.", "b.long.name.of.a.server.test.");
        written += write_ns(&f, "www.example.", "www.example.");
        assert_int_equal(f.response.counts[SECTION_ANSWER], written);
        size_t size = response_finish(&f.response, 1, FLAG_QR);
        assert_true(size <= limit);
        for (size_t i = limit; i < sizeof(f.out); i++) {
            assert_int_equal(f.out[i], 0xee);
        }
        struct text text;
        text_init(&text, 0);
        message_to_text(slice_of(f.out, size), &text);
        text_deinit(&text);
        assert_int_equal(written == 4, limit >= 29 + 18 + 46 + 21 + 14);
    }
}

static void response_with_very_many_names_stays_correct(void **state)
{
    (void)state;
    struct fixture f;
    uint8_t *large = memory_new(65535);
    struct text expected;
    text_init(&expected, 0);
    text_add_str(&expected, "NOERROR\n? example. IN NS\n");
    begin(&f, "example. NS", 512);
    f.response.data = large;
    memcpy(large, f.out, f.response.size);
    f.response.limit = 65535;
    unsigned count = 0;
    for (;; count++) {
        char target[64];
        snprintf(target, sizeof(target), "n%u.d%u.test.", count, count / 3);
        if (!write_ns(&f, "example.", target)) {
            break;
        }
        text_printf(&expected, "= example. 60 IN NS %s\n", target);
    }
    assert_in_range(count, 1500, 5000);
    struct text text;
    text_init(&text, 0);
    message_to_text(slice_of(large, response_finish(&f.response, 1, FLAG_QR)), &text);
    assert_string_equal(text_str(&text), text_str(&expected));
    text_deinit(&text);
    text_deinit(&expected);
    memory_free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(response_points_at_the_question),
        cmocka_unit_test(response_compresses_against_everything_written),
        cmocka_unit_test(response_finds_tails_behind_pointers),
        cmocka_unit_test(response_compresses_below_a_top_level_of_one_letter),
        cmocka_unit_test(response_leaves_names_of_newer_types_alone),
        cmocka_unit_test(response_points_at_whole_names_in_rdata),
        cmocka_unit_test(response_rewind_forgets_names),
        cmocka_unit_test(response_writes_whole_rrsets_or_nothing_at_every_limit),
        cmocka_unit_test(response_with_very_many_names_stays_correct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
