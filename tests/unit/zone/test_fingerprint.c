/* SPDX-License-Identifier: BSD-3-Clause */
#include "zone/fingerprint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "wire/name.h"
#include "wire/rdata.h"
#include "wire/rrtype.h"
#include "zone/builder.h"
#include "zone/delta.h"
#include "zone/fingerprint_impl.h"

/* The vectors of docs/formats.md; their lanes and digests were computed by another program. */
#define DIGEST_EMPTY "e5a00aa9991ac8a5ee3109844d84a55583bd20572ad3ffcd42792f3c36b183ad"
#define KEY_SOA      "31eaa4c89ca7c8be8a4f11fa397dc07f16a3e3d904095fe154735e9f17eae233"
#define DIGEST_SOA   "14153c151b4ff65ec27214c0b3b5c0460acdf0b4fab81749eee887497956dea0"
#define DIGEST_NS    "442821b264e7abcb1945b0eb5c28de8df467b92e87a9cc8aeda687f017a0c8f1"
#define DIGEST_A     "8fbcf6e4e4ec66b8d08948561fae28e072d4fbf4ef5fb4909253bebd73502cde"
#define DIGEST_ALL   "306802cf4c28430e78a781b9ce2407618b9e314dbb2c30117b2a123c69c0faff"

#define SOA_42 "ns1.example. hostmaster.example. 42 7200 900 1209600 300"
#define SOA_43 "ns1.example. hostmaster.example. 43 7200 900 1209600 300"

struct sample {
    struct name owner;
    uint8_t rdata[512];
    struct record record;
};

static const struct record *sample(struct sample *s, const char *owner, uint16_t type, uint32_t ttl,
                                   const char *rdata)
{
    struct token tokens[8];
    size_t count = 0;
    size_t bad;
    size_t size;
    for (const char *p = rdata; *p != '\0';) {
        size_t length = strcspn(p, " ");
        tokens[count++] = (struct token){.data = p, .size = (uint32_t)length};
        p += length;
        p += strspn(p, " ");
    }
    assert_int_equal(name_parse_str(owner, &s->owner, NULL), OK);
    assert_int_equal(rdata_parse(type, tokens, count, NULL, s->rdata, &size, &bad, NULL), OK);
    s->record = (struct record){s->owner.wire, type, CLASS_IN, ttl, slice_of(s->rdata, size)};
    return &s->record;
}

static const char *hex(const uint8_t *bytes, char out[65])
{
    for (unsigned i = 0; i < 32; i++) {
        snprintf(out + (size_t)2 * i, 3, "%02x", bytes[i]);
    }
    return out;
}

static void assert_digest(const struct fingerprint *fp, const char *expected)
{
    uint8_t digest[FINGERPRINT_DIGEST_SIZE];
    char text[65];
    fingerprint_digest(fp, digest);
    assert_string_equal(hex(digest, text), expected);
}

static void fingerprint_matches_the_published_vectors(void **state)
{
    (void)state;
    struct fingerprint all;
    struct fingerprint one;
    struct sample s;
    uint8_t key[FINGERPRINT_KEY_SIZE];
    char text[65];

    fingerprint_init(&all);
    assert_digest(&all, DIGEST_EMPTY);

    sample(&s, "example.", TYPE_SOA, 3600, SOA_42);
    fingerprint_record_key(&s.record, key);
    assert_string_equal(hex(key, text), KEY_SOA);
    fingerprint_init(&one);
    fingerprint_add(&one, &s.record);
    fingerprint_add(&all, &s.record);
    assert_int_equal(one.lanes[0], 0xcf17);
    assert_int_equal(one.lanes[3], 0x9651);
    assert_int_equal(one.lanes[1023], 0x6447);
    assert_digest(&one, DIGEST_SOA);

    fingerprint_init(&one);
    fingerprint_add(&one, sample(&s, "example.", TYPE_NS, 3600, "ns1.example."));
    fingerprint_add(&all, &s.record);
    assert_digest(&one, DIGEST_NS);

    fingerprint_init(&one);
    fingerprint_add(&one, sample(&s, "NS1.Example.", TYPE_A, 300, "192.0.2.1"));
    fingerprint_add(&all, &s.record);
    assert_digest(&one, DIGEST_A);
    assert_digest(&all, DIGEST_ALL);
}

static void fingerprint_ignores_case_of_owner_and_embedded_names(void **state)
{
    (void)state;
    struct fingerprint a;
    struct fingerprint b;
    struct sample s;
    fingerprint_init(&a);
    fingerprint_init(&b);
    fingerprint_add(&a, sample(&s, "www.Example.", TYPE_CNAME, 60, "HOST.example."));
    fingerprint_add(&b, sample(&s, "WWW.example.", TYPE_CNAME, 60, "host.EXAMPLE."));
    assert_true(fingerprint_equal(&a, &b));
    /* Text is data, its case counts. */
    fingerprint_add(&a, sample(&s, "www.example.", TYPE_TXT, 60, "Text"));
    fingerprint_add(&b, sample(&s, "www.example.", TYPE_TXT, 60, "text"));
    assert_false(fingerprint_equal(&a, &b));
}

static void fingerprint_ignores_order_and_sees_every_field(void **state)
{
    (void)state;
    struct sample s[5];
    const struct record *r[5] = {
        sample(&s[0], "a.example.", TYPE_A, 60, "192.0.2.1"),
        sample(&s[1], "b.example.", TYPE_A, 60, "192.0.2.1"),
        sample(&s[2], "a.example.", TYPE_A, 61, "192.0.2.1"),
        sample(&s[3], "a.example.", TYPE_A, 60, "192.0.2.2"),
        sample(&s[4], "a.example.", TYPE_TXT, 60, "x"),
    };
    struct fingerprint there;
    struct fingerprint back;
    fingerprint_init(&there);
    fingerprint_init(&back);
    for (unsigned i = 0; i < 5; i++) {
        fingerprint_add(&there, r[i]);
        fingerprint_add(&back, r[4 - i]);
    }
    assert_true(fingerprint_equal(&there, &back));
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned j = 0; j < i; j++) {
            struct fingerprint a;
            struct fingerprint b;
            fingerprint_init(&a);
            fingerprint_init(&b);
            fingerprint_add(&a, r[i]);
            fingerprint_add(&b, r[j]);
            assert_false(fingerprint_equal(&a, &b));
        }
    }
    s[1].record.class = CLASS_CH;
    fingerprint_remove(&there, &s[1].record);
    fingerprint_remove(&back, sample(&s[1], "b.example.", TYPE_A, 60, "192.0.2.1"));
    assert_false(fingerprint_equal(&there, &back));
}

static void fingerprint_remove_undoes_add_and_combine_adds_sets(void **state)
{
    (void)state;
    struct sample s[2];
    struct fingerprint both;
    struct fingerprint first;
    struct fingerprint second;
    sample(&s[0], "a.example.", TYPE_A, 60, "192.0.2.1");
    sample(&s[1], "b.example.", TYPE_MX, 60, "10 mail.example.");
    fingerprint_init(&both);
    fingerprint_init(&first);
    fingerprint_init(&second);
    fingerprint_add(&both, &s[0].record);
    fingerprint_add(&both, &s[1].record);
    fingerprint_add(&first, &s[0].record);
    fingerprint_add(&second, &s[1].record);
    fingerprint_combine(&second, &first);
    assert_true(fingerprint_equal(&both, &second));
    fingerprint_remove(&both, &s[1].record);
    assert_true(fingerprint_equal(&both, &first));
    fingerprint_remove(&both, &s[0].record);
    assert_digest(&both, DIGEST_EMPTY);
}

static void fingerprint_takes_large_and_empty_rdata(void **state)
{
    (void)state;
    static uint8_t large[65535];
    struct sample s;
    struct fingerprint fp;
    memset(large, 'A', sizeof(large));
    sample(&s, "a.example.", TYPE_TXT, 60, "x");
    s.record.rdata = slice_of(large, sizeof(large));
    fingerprint_init(&fp);
    fingerprint_add(&fp, &s.record);
    s.record.type = 65280;
    s.record.rdata = slice_of(NULL, 0);
    fingerprint_add(&fp, &s.record);
    s.record.type = TYPE_RRSIG; /* a type whose rdata is canonicalized in a copy */
    memset(large, 0, 18);
    memcpy(large + 18, "\3SIG\0", 5);
    s.record.rdata = slice_of(large, sizeof(large));
    fingerprint_add(&fp, &s.record);
    large[19] = 's';
    fingerprint_remove(&fp, &s.record);
    assert_int_equal(large[19], 's');
    assert_int_equal(large[20], 'I');
}

static void kernels_agree_on_random_keys(void **state)
{
    (void)state;
    fingerprint_kernel *fast = fingerprint_kernel_aesni();
    if (fast == NULL) {
        skip();
    }
    static struct fingerprint a;
    static struct fingerprint b;
    for (unsigned round = 0; round < 300; round++) {
        uint8_t key[FINGERPRINT_KEY_SIZE];
        random_bytes(key, sizeof(key));
        fingerprint_kernel_portable(a.lanes, key, round % 3 == 0);
        fast(b.lanes, key, round % 3 == 0);
        assert_memory_equal(a.lanes, b.lanes, sizeof(a.lanes));
    }
}

static void fingerprint_follows_a_delta_to_that_of_the_next_version(void **state)
{
    (void)state;
    struct sample s;
    struct name apex;
    struct zone_version *before;
    struct zone_version *after;
    struct fingerprint walked;
    struct fingerprint followed;
    assert_int_equal(name_parse_str("example.", &apex, NULL), OK);
    struct builder *builder = builder_new(apex.wire, CLASS_IN, NULL, NULL, NULL);
    assert_int_equal(
        builder_add(builder, sample(&s, "example.", TYPE_SOA, 3600, SOA_42), NULL, 0, NULL), OK);
    assert_int_equal(
        builder_add(builder, sample(&s, "example.", TYPE_NS, 3600, "ns1.example."), NULL, 0, NULL),
        OK);
    assert_int_equal(
        builder_add(builder, sample(&s, "NS1.Example.", TYPE_A, 300, "192.0.2.1"), NULL, 0, NULL),
        OK);
    assert_int_equal(builder_finish(builder, NULL, &before, NULL, NULL), OK);
    builder_free(builder);
    fingerprint_of_version(&followed, before);
    assert_digest(&followed, DIGEST_ALL);

    struct delta *delta = delta_new(apex.wire, CLASS_IN);
    assert_int_equal(delta_remove(delta, sample(&s, "example.", TYPE_SOA, 3600, SOA_42), NULL), OK);
    assert_int_equal(delta_add(delta, sample(&s, "example.", TYPE_SOA, 3600, SOA_43), NULL), OK);
    assert_int_equal(
        delta_remove(delta, sample(&s, "ns1.example.", TYPE_A, 300, "192.0.2.1"), NULL), OK);
    assert_int_equal(delta_add(delta, sample(&s, "ns1.example.", TYPE_A, 300, "192.0.2.9"), NULL),
                     OK);
    assert_int_equal(delta_add(delta, sample(&s, "x.example.", TYPE_TXT, 300, "new"), NULL), OK);
    assert_int_equal(delta_seal(delta, NULL), OK);
    assert_int_equal(delta_apply(before, delta, NULL, &after, NULL), OK);
    fingerprint_apply_delta(&followed, delta);
    fingerprint_of_version(&walked, after);
    assert_true(fingerprint_equal(&followed, &walked));
    delta_free(delta);
    zone_version_unref(before);
    zone_version_unref(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fingerprint_matches_the_published_vectors),
        cmocka_unit_test(fingerprint_ignores_case_of_owner_and_embedded_names),
        cmocka_unit_test(fingerprint_ignores_order_and_sees_every_field),
        cmocka_unit_test(fingerprint_remove_undoes_add_and_combine_adds_sets),
        cmocka_unit_test(fingerprint_takes_large_and_empty_rdata),
        cmocka_unit_test(kernels_agree_on_random_keys),
        cmocka_unit_test(fingerprint_follows_a_delta_to_that_of_the_next_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
