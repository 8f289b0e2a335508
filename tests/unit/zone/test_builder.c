/* SPDX-License-Identifier: BSD-3-Clause */
#include "zone/builder.h"

#include "zone/owner_impl.h"

#include "naive.h"

struct heard {
    unsigned counts[FINDING_CODES];
    unsigned errors;
    const char *file;
    uint32_t line;
    char text[256];
};

static void hear(void *context, const struct finding *finding)
{
    struct heard *heard = context;
    heard->counts[finding->code]++;
    heard->errors += finding->severity == FINDING_ERROR;
    heard->file = finding->file;
    heard->line = finding->line;
    snprintf(heard->text, sizeof(heard->text), "%s", finding->text);
}

struct line {
    const char *owner;
    uint16_t type;
    uint32_t ttl;
    const char *rdata; /* as C octets */
    uint16_t size;
};

#define SOA_RDATA "\2ns\0\4host\0\0\0\0\7\0\0\16\20\0\0\16\20\0\0\16\20\0\0\16\20"
#define SOA_LINE                                                                                   \
    {                                                                                              \
        "example.", TYPE_SOA, 60, SOA_RDATA, 30                                                    \
    }
#define NS_LINE                                                                                    \
    {                                                                                              \
        "example.", TYPE_NS, 60, "\2ns\0", 4                                                       \
    }

static struct builder *fill(const struct line *lines, size_t count,
                            const struct builder_options *options, struct heard *heard,
                            enum result *out)
{
    struct name apex = naive_name("example.");
    struct builder *builder = builder_new(apex.wire, CLASS_IN, options, hear, heard);
    *out = OK;
    for (size_t i = 0; i < count && *out == OK; i++) {
        struct name owner = naive_name(lines[i].owner);
        struct record record = {owner.wire, lines[i].type, CLASS_IN, lines[i].ttl,
                                slice_of(lines[i].rdata, lines[i].size)};
        struct error err = {0};
        *out = builder_add(builder, &record, "zone.db", (uint32_t)i + 1, &err);
    }
    return builder;
}

/* Adds and finishes; NULL where it is refused, with why in `result`. */
static struct zone_version *build(const struct line *lines, size_t count,
                                  const struct builder_options *options, struct heard *heard,
                                  enum result *result)
{
    *heard = (struct heard){{0}, 0, NULL, 0, ""};
    struct builder *builder = fill(lines, count, options, heard, result);
    struct zone_version *version = NULL;
    struct error err = {0};
    if (*result == OK) {
        *result = builder_finish(builder, NULL, &version, NULL, &err);
        assert_int_equal(*result == OK, version != NULL);
        assert_true(*result == OK || err.text[0] != '\0');
    }
    builder_free(builder);
    return version;
}

#define BUILD(lines, options) build(lines, ARRAY_SIZE(lines), options, &heard, &result)

static void builder_refuses_a_zone_without_soa_or_ns(void **state)
{
    (void)state;
    struct heard heard;
    enum result result;
    static const struct line no_soa[] = {NS_LINE};
    static const struct line no_ns[] = {SOA_LINE};
    static const struct line other_only[] = {{"www.example.", TYPE_A, 60, "\1\2\3\4", 4}};
    assert_null(BUILD(no_soa, NULL));
    assert_int_equal(result, ERR_FORMAT);
    assert_int_equal(heard.counts[FINDING_NO_SOA], 1);
    assert_null(BUILD(no_ns, NULL));
    assert_int_equal(heard.counts[FINDING_NO_NS], 1);
    assert_null(BUILD(other_only, NULL));
    assert_int_equal(heard.counts[FINDING_NO_SOA], 1);
    assert_null(build(NULL, 0, NULL, &heard, &result));
    assert_int_equal(heard.counts[FINDING_NO_SOA], 1);
}

static void builder_merges_duplicates_and_tells(void **state)
{
    (void)state;
    struct heard heard;
    enum result result;
    static const struct line lines[] = {
        SOA_LINE, NS_LINE, NS_LINE, SOA_LINE, {"example.", TYPE_NS, 60, "\2NS\0", 4}};
    struct zone_version *version = BUILD(lines, NULL);
    assert_non_null(version);
    assert_int_equal(heard.counts[FINDING_DUPLICATE], 3);
    assert_int_equal(heard.errors, 0);
    assert_string_equal(heard.file, "zone.db");
    assert_int_equal(zone_version_record_count(version), 2);
    struct rrset rrset;
    assert_true(owner_find_rrset(zone_version_apex(version), TYPE_NS, &rrset));
    assert_memory_equal(rrset.records.data + 2, "\2ns\0", 4);
    zone_version_unref(version);
}

static void builder_takes_the_first_ttl_of_an_rrset(void **state)
{
    (void)state;
    struct heard heard;
    enum result result;
    static const struct line lines[] = {
        SOA_LINE,
        NS_LINE,
        {"www.example.", TYPE_A, 300, "\7\0\0\7", 4},
        {"www.example.", TYPE_A, 100, "\1\0\0\7", 4},
        {"www.example.", TYPE_AAAA, 50, "\1\0\0\7\1\0\0\7\1\0\0\7\1\0\0\7", 16},
        {"zzz.example.", TYPE_A, 200, "\1\0\0\7", 4},
        {"www.example.", TYPE_A, 200, "\3\0\0\7", 4}, /* once more, later */
    };
    for (size_t count = 5; count <= ARRAY_SIZE(lines); count += 2) {
        struct zone_version *version = build(lines, count, NULL, &heard, &result);
        struct name www = naive_name("www.example.");
        struct rrset rrset;
        const struct owner *owner = zone_version_find(version, www.wire);
        assert_true(owner_find_rrset(owner, TYPE_A, &rrset));
        assert_int_equal(rrset.ttl, 300);
        assert_int_equal(rrset.count, count == 5 ? 2 : 3);
        assert_true(owner_find_rrset(owner, TYPE_AAAA, &rrset));
        assert_int_equal(rrset.ttl, 50);
        assert_int_equal(heard.counts[FINDING_TTL_MISMATCH], count == 5 ? 1 : 2);
        assert_int_equal(heard.line, count == 5 ? 4 : 0);
        assert_non_null(strstr(heard.text, "www.example."));
        zone_version_unref(version);
    }
}

static void builder_refuses_what_may_not_stand_together(void **state)
{
    (void)state;
    struct heard heard;
    enum result result;
    static const struct line second_soa[] = {
        SOA_LINE,
        NS_LINE,
        {"example.", TYPE_SOA, 60,
         "\2ns\0\4host\0\0\0\0\10\0\0\16\20\0\0\16\20\0\0\16\20\0\0\16\20", 30}};
    assert_null(BUILD(second_soa, NULL));
    assert_int_equal(result, ERR_FORMAT);
    assert_int_equal(heard.counts[FINDING_SEVERAL_SOA], 1);
    assert_int_equal(heard.line, 3);
    static const struct line lower_soa[] = {
        SOA_LINE, NS_LINE, {"a.example.", TYPE_SOA, 60, SOA_RDATA, 30}};
    assert_null(BUILD(lower_soa, NULL));
    assert_int_equal(heard.counts[FINDING_SOA_NOT_AT_APEX], 1);
    static const struct line cnames[] = {SOA_LINE,
                                         NS_LINE,
                                         {"a.example.", TYPE_CNAME, 60, "\1b\0", 3},
                                         {"a.example.", TYPE_CNAME, 60, "\1c\0", 3}};
    assert_null(BUILD(cnames, NULL));
    assert_int_equal(heard.counts[FINDING_SEVERAL_CNAME], 1);
    static const struct line dnames[] = {SOA_LINE,
                                         NS_LINE,
                                         {"a.example.", TYPE_DNAME, 60, "\1b\0", 3},
                                         {"b.example.", TYPE_A, 60, "\1\2\3\4", 4},
                                         {"a.example.", TYPE_DNAME, 60, "\1c\0", 3}};
    assert_null(BUILD(dnames, NULL));
    assert_int_equal(heard.counts[FINDING_SEVERAL_DNAME], 1);
    static const struct line beside[] = {SOA_LINE,
                                         NS_LINE,
                                         {"a.example.", TYPE_CNAME, 60, "\1b\0", 3},
                                         {"a.example.", TYPE_A, 60, "\1\2\3\4", 4}};
    assert_null(BUILD(beside, NULL));
    assert_int_equal(result, ERR_FORMAT);
    assert_int_equal(heard.counts[FINDING_CNAME_AND_OTHER], 1);
    assert_int_equal(heard.line, 3);
    static const struct line signature[] = {
        SOA_LINE,
        NS_LINE,
        {"a.example.", TYPE_CNAME, 60, "\1b\0", 3},
        {"a.example.", TYPE_RRSIG, 60, "\0\5\10\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 19},
        {"a.example.", TYPE_NSEC, 60, "\1b\0\0\1\100", 6}};
    struct zone_version *version = BUILD(signature, NULL);
    assert_non_null(version);
    zone_version_unref(version);
}

static void builder_tells_names_outside_the_zone(void **state)
{
    (void)state;
    struct heard heard = {{0}, 0, NULL, 0, ""};
    enum result result;
    static const struct line lines[] = {SOA_LINE, NS_LINE};
    struct builder *builder = fill(lines, 2, NULL, &heard, &result);
    static const char *const outside[] = {"www.org.", ".", "xexample.", "example.org."};
    struct error err = {0};
    for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
        struct name owner = naive_name(outside[i]);
        struct record record = {owner.wire, TYPE_A, CLASS_IN, 60, slice_of("\1\2\3\4", 4)};
        assert_int_equal(builder_add(builder, &record, NULL, 0, &err), ERR_NOT_FOUND);
    }
    struct name owner = naive_name("www.example.");
    struct record record = {owner.wire, TYPE_A, CLASS_CH, 60, slice_of("\1\2\3\4", 4)};
    assert_int_equal(builder_add(builder, &record, NULL, 0, NULL), ERR_FORMAT);
    struct zone_version *version = NULL;
    assert_int_equal(builder_finish(builder, NULL, &version, NULL, NULL), OK);
    assert_int_equal(zone_version_record_count(version), 2);
    zone_version_unref(version);
    builder_free(builder);
    builder_free(NULL);
}

static void builder_keeps_within_limits(void **state)
{
    (void)state;
    struct heard heard;
    enum result result;
    static const struct line lines[] = {
        SOA_LINE,
        NS_LINE,
        {"a.example.", TYPE_A, 60, "\1\2\3\4", 4},
        {"a.example.", TYPE_A, 60, "\1\2\3\5", 4},
        {"a.example.", TYPE_TXT, 60, "\0", 1},
    };
    static const struct builder_options too_small[] = {{.max_records = 4},
                                                       {.max_records_per_type = 1},
                                                       {.max_types_per_name = 1},
                                                       {.max_bytes = 99}};
    static const struct builder_options enough[] = {{.max_records = 5},
                                                    {.max_records_per_type = 2},
                                                    {.max_types_per_name = 2},
                                                    {.max_bytes = 1000}};
    for (size_t i = 0; i < ARRAY_SIZE(enough); i++) {
        assert_null(BUILD(lines, &too_small[i]));
        assert_int_equal(result, ERR_LIMIT);
        struct zone_version *version = BUILD(lines, &enough[i]);
        assert_int_equal(result, OK);
        zone_version_unref(version);
    }
}

static void builder_keeps_another_class(void **state)
{
    (void)state;
    struct name apex = naive_name("bind.");
    struct name owner = naive_name("version.bind.");
    struct builder *builder = builder_new(apex.wire, CLASS_CH, NULL, NULL, NULL);
    struct record records[] = {
        {apex.wire, TYPE_SOA, CLASS_CH, 60, slice_of(SOA_RDATA, 30)},
        {apex.wire, TYPE_NS, CLASS_CH, 60, slice_of("\2ns\0", 4)},
        {owner.wire, TYPE_TXT, CLASS_CH, 60, slice_of("\3one", 4)},
    };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(builder_add(builder, &records[i], NULL, 0, NULL), OK);
    }
    struct zone_version *version = naive_finish(builder, NULL, NULL);
    assert_int_equal(zone_version_class(version), CLASS_CH);
    struct owner_walk walk = {0};
    struct record record;
    const struct owner *found = zone_version_find(version, owner.wire);
    assert_true(owner_next_record(found, &walk, &record));
    assert_int_equal(record.class, CLASS_CH);
    assert_false(owner_next_record(found, &walk, &record));
    zone_version_unref(version);
}

static void builder_leaves_nothing_behind_when_it_is_given_up(void **state)
{
    (void)state;
    uint64_t before = pool_used_bytes(version_pool());
    uint64_t random = 9;
    struct naive_zone zone = naive_random_zone("example.", &random, 200, 30);
    builder_free(naive_fill(&zone, NULL));
    builder_free(naive_fill(&zone, &random));
    struct zone_version *base = naive_build(&zone, NULL);
    struct builder *builder = builder_new(zone.apex.wire, CLASS_IN, NULL, NULL, NULL);
    builder_set_base(builder, base);
    for (size_t i = 0; i < zone.count; i += 2) {
        struct record record = naive_view(&zone.records[i]);
        assert_int_equal(builder_add(builder, &record, NULL, 0, NULL), OK);
    }
    zone_version_unref(base);
    builder_free(builder);
    naive_free(&zone);
    assert_int_equal(pool_used_bytes(version_pool()), before);
}

static void owner_finds_rrsets_together_with_their_signatures(void **state)
{
    (void)state;
    struct heard heard;
    enum result result;
    static const struct line lines[] = {
        SOA_LINE,
        NS_LINE,
        {"a.example.", TYPE_A, 60, "\1\2\3\4", 4},
        {"a.example.", TYPE_TXT, 60, "\1b", 2},
        {"a.example.", TYPE_AAAA, 60, "\1\2\3\4\5\6\7\10\1\2\3\4\5\6\7\10", 16},
        {"a.example.", TYPE_NSEC, 60, "\1a\0\0\1\100", 6},
        {"a.example.", TYPE_DNSKEY, 60, "\1\0\3\10\1", 5},
        {"a.example.", TYPE_RRSIG, 60, "\0\1\10\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 19},
        {"a.example.", TYPE_RRSIG, 60, "\0\34\10\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 19},
        {"a.example.", TYPE_RRSIG, 60, "\0\34\10\2\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0", 19},
        {"a.example.", TYPE_RRSIG, 60, "\0\57\10\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 19},
        {"a.example.", TYPE_RRSIG, 60, "\0\62\10\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 19},
        {"b.example.", TYPE_NSEC, 60, "\1a\0\0\1\100", 6},
        {"c.example.", TYPE_RRSIG, 60, "\0\1\10\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 19},
    };
    struct zone_version *version = BUILD(lines, NULL);
    static const char *const names[] = {"example.", "a.example.", "b.example.", "c.example."};
    static const uint16_t types[] = {TYPE_A,  TYPE_NS,    TYPE_SOA,  TYPE_TXT,    TYPE_AAAA,
                                     TYPE_DS, TYPE_RRSIG, TYPE_NSEC, TYPE_DNSKEY, TYPE_NSEC3,
                                     TYPE_MX, 65280,      0};
    unsigned found = 0;
    unsigned with_signatures = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        struct name name = naive_name(names[i]);
        const struct owner *owner = zone_version_find(version, name.wire);
        for (unsigned t = 0; t < ARRAY_SIZE(types); t++) {
            struct rrset apart = {.count = 0};
            struct rrset signatures_apart = {.count = 0};
            struct rrset rrset = {.count = 0};
            struct rrset signatures = {.count = 7};
            bool is_there = owner_find_rrset(owner, types[t], &apart);
            bool is_signed = is_there && owner_find_rrsig(owner, types[t], &signatures_apart);
            assert_int_equal(owner_find_signed(owner, types[t], &rrset, &signatures), is_there);
            assert_ptr_equal(rrset.records.data, apart.records.data);
            assert_int_equal(rrset.count, apart.count);
            assert_int_equal(signatures.count, is_signed ? signatures_apart.count : 0);
            if (is_signed) {
                assert_ptr_equal(signatures.records.data, signatures_apart.records.data);
                assert_int_equal(signatures.covers, types[t]);
            }
            found += is_there;
            with_signatures += is_signed;
        }
    }
    assert_int_equal(found, 8);
    assert_int_equal(with_signatures, 3);
    zone_version_unref(version);
}

static void owner_gives_rrsets_and_records_in_order(void **state)
{
    (void)state;
    struct heard heard;
    enum result result;
    static const struct line lines[] = {
        SOA_LINE,
        NS_LINE,
        {"a.Example.", TYPE_RRSIG, 60, "\0\34\10\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 19},
        {"a.example.", TYPE_TXT, 70, "\1b", 2},
        {"a.example.", TYPE_RRSIG, 60, "\0\1\10\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 19},
        {"a.example.", TYPE_TXT, 70, "\1a", 2},
        {"a.example.", TYPE_A, 80, "\1\2\3\4", 4},
        {"a.example.", 65280, 90, "", 0},
    };
    struct zone_version *version = BUILD(lines, NULL);
    struct name name = naive_name("a.example.");
    const struct owner *owner = zone_version_find(version, name.wire);
    assert_false(owner_is_empty(owner));
    assert_int_equal(owner->bytes[3], 'E');
    struct rrset rrset;
    assert_true(owner_find_rrset(owner, TYPE_A, &rrset));
    assert_int_equal(rrset.ttl, 80);
    assert_true(owner_find_rrset(owner, TYPE_TXT, &rrset));
    assert_int_equal(rrset.count, 2);
    assert_true(owner_find_rrset(owner, 65280, &rrset));
    assert_int_equal(rrset.count, 1);
    assert_false(owner_find_rrset(owner, TYPE_MX, &rrset));
    assert_false(owner_find_rrset(owner, TYPE_RRSIG, &rrset));
    assert_false(owner_find_rrset(owner, 65281, &rrset));
    assert_true(owner_find_rrsig(owner, TYPE_A, &rrset));
    assert_int_equal(rrset.covers, TYPE_A);
    assert_true(owner_find_rrsig(owner, TYPE_AAAA, &rrset));
    assert_false(owner_find_rrsig(owner, TYPE_TXT, &rrset));
    static const uint16_t types[] = {TYPE_A, TYPE_TXT, TYPE_TXT, TYPE_RRSIG, TYPE_RRSIG, 65280};
    struct owner_walk walk = {0};
    struct record record;
    size_t count = 0;
    while (owner_next_record(owner, &walk, &record)) {
        assert_true(count < ARRAY_SIZE(types));
        assert_int_equal(record.type, types[count++]);
    }
    assert_int_equal(count, ARRAY_SIZE(types));
    assert_int_equal(owner->flags, 0);
    zone_version_unref(version);
}

static void an_rrset_keeps_any_count_size_and_ttl(void **state)
{
    (void)state;
    static const uint32_t ttls[] = {0,       1,          59,        60,     61,      90,
                                    3540,    3599,       3600,      3660,   7200,    86400,
                                    169200,  172740,     172800,    259200, 7776000, 7862400,
                                    7862401, 2147483647, 4294967295};
    static const unsigned counts[] = {1, 63, 64, 256, 4400};
    static const uint16_t sizes[] = {1, 12, 255};
    for (size_t i = 0; i < ARRAY_SIZE(ttls); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(counts) * ARRAY_SIZE(sizes); j++) {
            unsigned count = counts[j / ARRAY_SIZE(sizes)];
            uint16_t size = sizes[j % ARRAY_SIZE(sizes)];
            if (count > 256 && (size == 1 || i % 10 != 0)) {
                continue; /* one octet tells no more apart; the TTL has nothing to do with it */
            }
            static const struct line head[] = {SOA_LINE, NS_LINE};
            struct heard heard = {{0}, 0, NULL, 0, ""};
            enum result result;
            struct builder *builder = fill(head, 2, NULL, &heard, &result);
            struct name owner = naive_name("many.example.");
            uint8_t rdata[255] = {0};
            for (unsigned k = 0; k < count; k++) {
                rdata[0] = (uint8_t)(size == 1 ? k : k >> 8);
                rdata[size - 1] = (uint8_t)k;
                struct record record = {owner.wire, 65280, CLASS_IN, ttls[i], {rdata, size}};
                assert_int_equal(builder_add(builder, &record, NULL, 0, NULL), OK);
            }
            struct record other = {owner.wire, 65281, CLASS_IN, 60, {rdata, 1}};
            assert_int_equal(builder_add(builder, &other, NULL, 0, NULL), OK);
            struct zone_version *version = naive_finish(builder, NULL, NULL);
            const struct owner *found = zone_version_find(version, owner.wire);
            struct rrset rrset;
            assert_true(owner_find_rrset(found, 65280, &rrset));
            assert_int_equal(rrset.count, count);
            assert_int_equal(rrset.ttl, ttls[i]);
            assert_int_equal(rrset.records.size, (2u + size) * count);
            assert_true(owner_find_rrset(found, 65281, &rrset));
            assert_int_equal(rrset.count, 1);
            assert_int_equal(owner_record_count(found), count + 1);
            assert_false(owner_is_empty(found));
            size_t offset = 0;
            assert_true(owner_next_rrset(found, &offset, &rrset));
            assert_true(owner_next_rrset(found, &offset, &rrset));
            assert_int_equal(rrset.type, 65281);
            assert_false(owner_next_rrset(found, &offset, &rrset));
            zone_version_unref(version);
        }
    }
}

/* The NS of one name in a zone, and what is noted about them. */
static uint8_t names_noted(const char *owner, const char *const *targets, size_t count)
{
    struct heard heard;
    enum result result;
    struct line lines[70] = {SOA_LINE, NS_LINE};
    struct name names[68];
    assert_true(count <= ARRAY_SIZE(names));
    for (size_t i = 0; i < count; i++) {
        names[i] = naive_name(targets[i]);
        lines[2 + i] = (struct line){owner, TYPE_NS, 60, (const char *)names[i].wire,
                                     (uint16_t)name_size(names[i].wire)};
    }
    struct zone_version *version = build(lines, 2 + count, NULL, &heard, &result);
    assert_non_null(version);
    struct rrset rrset;
    struct name name = naive_name(owner);
    const struct owner *found = zone_version_find(version, name.wire);
    assert_true(owner_find_rrset(found, TYPE_NS, &rrset));
    assert_int_equal(rrset.count, count);
    zone_version_unref(version);
    return rrset.names;
}

#define NAMES_NOTED(owner, ...)                                                                    \
    names_noted(owner, (const char *const[]){__VA_ARGS__},                                         \
                ARRAY_SIZE(((const char *const[]){__VA_ARGS__})))

static void owner_notes_names_that_are_alike(void **state)
{
    (void)state;
    enum { BELOW = RRSET_NAMES_ALIKE | RRSET_NAMES_BELOW };
    assert_int_equal(NAMES_NOTED("a.example.", "ns1.a.example.", "ns2.A.example."), BELOW);
    assert_int_equal(NAMES_NOTED("a.example.", "ns.b.example.", "x.b.EXAMPLE."), RRSET_NAMES_ALIKE);
    assert_int_equal(NAMES_NOTED("a.example.", "ns.b.test."), RRSET_NAMES_ALIKE);
    assert_int_equal(NAMES_NOTED("a.example.", "ns.b.test.", "ns.c.test."), 0);
    assert_int_equal(NAMES_NOTED("a.example.", "ns.b.test.", "b.test."), 0);
    assert_int_equal(NAMES_NOTED("a.example.", "ns1.a.example.", "x.ns2.a.example."), 0);
    assert_int_equal(NAMES_NOTED("a.example.", "ns.", "b."), 0);
    assert_int_equal(NAMES_NOTED("a.example.", "."), 0);
    assert_int_equal(NAMES_NOTED("a.example.", ".", "ns.a.example."), 0);
    /* The owner's octets inside of a label are not its name. */
    assert_int_equal(NAMES_NOTED("a.example.", "x\\001a.example."), RRSET_NAMES_ALIKE);

    char texts[64][24];
    const char *many[64];
    for (unsigned i = 0; i < 64; i++) {
        snprintf(texts[i], sizeof(texts[i]), "ns%u.a.example.", i);
        many[i] = texts[i];
    }
    assert_int_equal(names_noted("a.example.", many, 63), BELOW);
    assert_int_equal(names_noted("a.example.", many, 64), BELOW); /* in the long header */
}

static void owner_notes_names_of_an_soa(void **state)
{
    (void)state;
    static const struct {
        const char *mname;
        const char *rname;
        bool is_below;
    } cases[] = {
        {"ns.example.", "hostmaster.example.", true}, {"ns.Example.", "host.EXAMPLE.", true},
        {"ns.example.", "ns.example.", false},        {"ns.example.", "NS.example.", false},
        {"ns.x.example.", "host.example.", false},    {"ns.example.", "host.test.", false},
        {"example.", "host.example.", false},         {".", ".", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t rdata[600];
        struct name mname = naive_name(cases[i].mname);
        struct name rname = naive_name(cases[i].rname);
        size_t size = name_size(mname.wire);
        memcpy(rdata, mname.wire, size);
        memcpy(rdata + size, rname.wire, name_size(rname.wire));
        size += name_size(rname.wire);
        memset(rdata + size, 1, 20);
        struct line lines[] = {
            NS_LINE, {"example.", TYPE_SOA, 60, (const char *)rdata, (uint16_t)(size + 20)}};
        struct heard heard;
        enum result result;
        struct zone_version *version = BUILD(lines, NULL);
        assert_non_null(version);
        struct rrset rrset;
        assert_true(owner_find_rrset(zone_version_apex(version), TYPE_SOA, &rrset));
        assert_int_equal(rrset.names,
                         cases[i].is_below ? RRSET_NAMES_ALIKE | RRSET_NAMES_BELOW : 0);
        assert_int_equal(rrset.count, 1);
        zone_version_unref(version);
    }
}

/* Every TTL that has a code comes back from it, and no two have the same. */
static void ttl_codes_are_exact(void **state)
{
    (void)state;
    for (unsigned code = 0; code <= TTL_LAST; code++) {
        assert_int_equal(ttl_code(ttl_of_code((uint8_t)code)), code);
    }
    for (uint32_t ttl = 0; ttl < 800000; ttl++) {
        uint8_t code = ttl_code(ttl);
        assert_true(code == TTL_UNCODED || ttl_of_code(code) == ttl);
    }
}

static void builder_takes_a_large_rrset(void **state)
{
    (void)state;
    enum { COUNT = 65535 };
    struct name apex = naive_name("example.");
    struct name owner = naive_name("many.example.");
    uint64_t before = pool_used_bytes(version_pool());
    for (unsigned extra = 0; extra < 2; extra++) {
        struct builder *builder = builder_new(apex.wire, CLASS_IN, NULL, NULL, NULL);
        struct record records[] = {
            {apex.wire, TYPE_SOA, CLASS_IN, 60, slice_of(SOA_RDATA, 30)},
            {apex.wire, TYPE_NS, CLASS_IN, 60, slice_of("\2ns\0", 4)},
        };
        assert_int_equal(builder_add(builder, &records[0], NULL, 0, NULL), OK);
        assert_int_equal(builder_add(builder, &records[1], NULL, 0, NULL), OK);
        for (uint32_t i = 0; i < COUNT + extra; i++) {
            uint8_t address[4];
            put_u32(address, i * 2654435761u);
            struct record record = {owner.wire, TYPE_A, CLASS_IN, 60, slice_of(address, 4)};
            assert_int_equal(builder_add(builder, &record, NULL, 0, NULL), OK);
        }
        struct zone_version *version = NULL;
        struct error err = {0};
        assert_int_equal(builder_finish(builder, NULL, &version, NULL, &err),
                         extra == 0 ? OK : ERR_LIMIT);
        if (extra == 0) {
            assert_int_equal(zone_version_record_count(version), COUNT + 2);
        }
        zone_version_unref(version);
        builder_free(builder);
    }
    assert_int_equal(pool_used_bytes(version_pool()), before);
}

/* Both have the same owners in the same octets, and count the same. */
static void assert_same_version(const struct zone_version *a, const struct zone_version *b)
{
    struct zone_cursor x, y;
    zone_cursor_first(&x, a);
    zone_cursor_first(&y, b);
    while (x.owner != NULL && y.owner != NULL) {
        assert_int_equal(owner_size(x.owner), owner_size(y.owner));
        assert_memory_equal(x.owner, y.owner, owner_size(x.owner));
        assert_ptr_equal(zone_version_find(b, owner_name(x.owner)), y.owner);
        zone_cursor_next(&x);
        zone_cursor_next(&y);
    }
    assert_null(x.owner);
    assert_null(y.owner);
    assert_int_equal(zone_version_record_count(a), zone_version_record_count(b));
    assert_int_equal(zone_version_owner_count(a), zone_version_owner_count(b));
    assert_int_equal(zone_version_bytes(a), zone_version_bytes(b));
}

/* The zone's records in `pieces` ascending runs of random lengths, shuffled; a tenth comes twice. */
static struct builder *fill_by_pieces(const struct naive_zone *zone, size_t pieces,
                                      uint64_t *random, struct zone_version *base)
{
    struct builder *builder = builder_new(zone->apex.wire, CLASS_IN, NULL, NULL, NULL);
    if (base != NULL) {
        builder_set_base(builder, base);
    }
    size_t *piece_of = memory_new(zone->count * sizeof(*piece_of));
    for (size_t i = 0; i < zone->count; i++) {
        piece_of[i] = naive_random(random, (uint32_t)pieces);
    }
    for (size_t piece = 0; piece < pieces; piece++) {
        for (size_t i = 0; i < zone->count; i++) {
            struct record record = naive_view(&zone->records[i]);
            if (piece_of[i] == piece || (piece == piece_of[i] + 1 && i % 10 == 0)) {
                assert_int_equal(builder_add(builder, &record, NULL, 0, NULL), OK);
            }
        }
    }
    memory_free(piece_of);
    return builder;
}

static void builder_makes_the_same_of_any_number_of_runs(void **state)
{
    (void)state;
    static const size_t numbers[] = {1, 2, 3, 10, 62, 63, 64, 65, 66, 200};
    uint64_t before = pool_used_bytes(version_pool());
    uint64_t random = 4;
    struct naive_zone zone = naive_random_zone("example.", &random, 3000, 30);
    struct zone_version *expected = naive_build(&zone, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        struct builder *builder = fill_by_pieces(&zone, numbers[i], &random, NULL);
        struct zone_version *version = naive_finish(builder, NULL, NULL);
        assert_same_version(version, expected);
        zone_version_unref(version);
        builder = fill_by_pieces(&zone, numbers[i], &random, expected);
        struct delta *delta = NULL;
        version = naive_finish(builder, expected, &delta);
        assert_same_version(version, expected);
        assert_int_equal(delta_count(delta), 2); /* the SOA goes and comes */
        delta_free(delta);
        zone_version_unref(version);
        builder_free(fill_by_pieces(&zone, numbers[i], &random, expected));
    }
    zone_version_unref(expected);
    naive_free(&zone);
    assert_int_equal(pool_used_bytes(version_pool()), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builder_refuses_a_zone_without_soa_or_ns),
        cmocka_unit_test(builder_merges_duplicates_and_tells),
        cmocka_unit_test(builder_takes_the_first_ttl_of_an_rrset),
        cmocka_unit_test(builder_refuses_what_may_not_stand_together),
        cmocka_unit_test(builder_tells_names_outside_the_zone),
        cmocka_unit_test(builder_keeps_within_limits),
        cmocka_unit_test(builder_keeps_another_class),
        cmocka_unit_test(builder_leaves_nothing_behind_when_it_is_given_up),
        cmocka_unit_test(owner_finds_rrsets_together_with_their_signatures),
        cmocka_unit_test(owner_gives_rrsets_and_records_in_order),
        cmocka_unit_test(an_rrset_keeps_any_count_size_and_ttl),
        cmocka_unit_test(owner_notes_names_that_are_alike),
        cmocka_unit_test(owner_notes_names_of_an_soa),
        cmocka_unit_test(ttl_codes_are_exact),
        cmocka_unit_test(builder_takes_a_large_rrset),
        cmocka_unit_test(builder_makes_the_same_of_any_number_of_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
