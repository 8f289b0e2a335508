/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Zone files: from words to records (RFC 1035 5.1, RFC 2308 4, RFC 3597 5).
 *
 *   entry      [owner] {TTL | class} type rdata, TTL and class at most once, in either order
 *   directive  $TTL, $ORIGIN, $INCLUDE, $GENERATE in the first column (master_directive.c)
 *
 * A line that starts with a blank belongs to the owner before it. Whatever starts with a digit is a
 * TTL there, since no class and no type does; so an owner may be called "60" or "IN" and the first
 * word is never guessed at.
 *
 * A TTL comes from the record; else from $TTL; else from the record before (RFC 1035, with a
 * warning); else from the options; else, for a SOA, from its minimum field, which then serves the
 * records that follow as well (with a warning, as BIND does); else it is an error.
 *
 * An error costs its entry and no more: the entry has been cut out as a whole before its words are
 * looked at, so the next one begins at a known place. Records without an owner behind an owner that
 * could not be read are left out silently: they have no home, and one error is enough.
 *
 * Speed: the caller's work dwarfs ours, so this stays scalar (the lexer finds the words); what is
 * written as in the line before (owner, type) is not parsed again.
 */
#include <string.h>

#include "zone/master_impl.h"

enum { TTL_MAX = 0x7fffffff };

/* One or more numbers with a unit each, or one number without. */
static bool ttl_parse(const struct token *word, uint64_t *out)
{
    uint64_t total = 0;
    uint64_t number = 0;
    bool has_digits = false;
    for (uint32_t i = 0; i < word->size; i++) {
        unsigned digit = (unsigned)(uint8_t)word->data[i] - '0';
        if (digit <= 9) {
            number = number * 10 + digit;
            has_digits = true;
            if (number > UINT32_MAX) {
                return false;
            }
            continue;
        }
        uint64_t unit;
        switch (word->data[i] | 0x20) {
        case 'w':
            unit = 604800;
            break;
        case 'd':
            unit = 86400;
            break;
        case 'h':
            unit = 3600;
            break;
        case 'm':
            unit = 60;
            break;
        case 's':
            unit = 1;
            break;
        default:
            return false;
        }
        if (!has_digits) {
            return false;
        }
        total += number * unit;
        number = 0;
        has_digits = false;
        if (total > UINT32_MAX) {
            return false;
        }
    }
    if (has_digits && total != 0) {
        return false;
    }
    *out = total + number;
    return word->size != 0;
}

bool master_take_ttl(struct master *m, const struct token *word, uint32_t *out)
{
    uint64_t value;
    if (word->quoted || !ttl_parse(word, &value)) {
        return false;
    }
    if (value > TTL_MAX) {
        char shown[64];
        master_warn(m, FINDING_TTL_TOO_LARGE, word->data,
                    "TTL %s is larger than 2147483647 and counts as 0 (RFC 2181 section 8)",
                    master_show(word, shown));
        value = 0;
    }
    *out = (uint32_t)value;
    return true;
}

bool master_default_ttl(struct master *m, uint16_t type, struct slice rdata, const char *at,
                        uint32_t *out)
{
    if (m->has_default_ttl) {
        *out = m->default_ttl;
        return true;
    }
    if (m->has_last_ttl) {
        *out = m->last_ttl;
        if (!m->has_warned_ttl) {
            m->has_warned_ttl = true;
            master_warn(m, FINDING_SYNTAX, at,
                        "found neither a TTL nor $TTL; taking the TTL of the record before, %u",
                        m->last_ttl);
        }
        return true;
    }
    if (m->options->has_default_ttl) {
        *out = m->options->default_ttl;
        return true;
    }
    if (type == TYPE_SOA && rdata.size >= 4) {
        uint32_t minimum = get_u32(rdata.data + rdata.size - 4);
        m->default_ttl = minimum > TTL_MAX ? 0 : minimum;
        m->has_default_ttl = true;
        *out = m->default_ttl;
        master_warn(m, FINDING_SYNTAX, at,
                    "found neither a TTL nor $TTL; taking the minimum field of the SOA, %u",
                    m->default_ttl);
        return true;
    }
    master_fail(m, FINDING_SYNTAX, at,
                "expected a TTL here, $TTL above, or a record before that has one, found none");
    return false;
}

bool master_take_name(struct master *m, const struct token *word, const char *at, struct name *out)
{
    if (word->size == 1 && word->data[0] == '@' && !word->quoted) {
        *out = m->origin;
        return true;
    }
    if (UNLIKELY(name_parse(word->data, word->size, m->origin.wire, out, &m->scratch) != OK)) {
        master_fail_scratch(m, at);
        return false;
    }
    return true;
}

/* The word as a number, 0 where it is longer than eight octets. */
static ALWAYS_INLINE uint64_t word_key(const struct token *word)
{
    uint64_t key;
    if (word->size > 8 || word->size == 0) {
        return 0;
    }
    /* The window is padded, so eight octets can always be read. */
    memcpy(&key, word->data, 8);
    return key << (64 - 8 * word->size);
}

const struct master_type *master_find_type(struct master *m, const struct token *word)
{
    uint64_t key = word_key(word);
    struct master_type *slot =
        &m->types[(key * 0x9e3779b97f4a7c15u) >> 58 & (MASTER_TYPE_CACHE - 1)];
    if (LIKELY(key != 0 && slot->text == key && !word->quoted)) {
        return slot;
    }
    uint16_t number;
    if (word->quoted || !rrtype_parse(word->data, word->size, &number)) {
        return NULL;
    }
    const struct rrtype *type = rrtype_get(number);
    *slot = (struct master_type){.text = key, .number = number, .flags = type->flags};
    for (size_t i = 0; i < ARRAY_SIZE(type->fields) && type->fields[i] != FIELD_END; i++) {
        slot->has_svc_params |= type->fields[i] == FIELD_SVC_PARAMS;
    }
    return slot;
}

void master_emit(struct master *m, const struct record *record, const char *at)
{
    struct master_lexer *lexer = &m->source->lexer;
    if (UNLIKELY(record->type == TYPE_SOA) && !name_equal(record->owner, m->options->origin)) {
        char zone[NAME_TEXT_SIZE];
        master_fail(m, FINDING_SOA_NOT_AT_APEX, at,
                    "expected the SOA only at the top of the zone, %s, found it here",
                    name_format(m->options->origin, zone));
        return;
    }
    m->last_ttl = record->ttl;
    m->has_last_ttl = true;
    enum result result =
        m->on_record(m->context, record, m->source->file, lexer->entry_line, &m->scratch);
    if (LIKELY(result == OK)) {
        return;
    }
    struct error copy = m->scratch;
    m->scratch = (struct error){0};
    if (result == ERR_NOT_FOUND) {
        char owner[NAME_TEXT_SIZE];
        char zone[NAME_TEXT_SIZE];
        master_warn(m, FINDING_OUT_OF_ZONE, at, "%s is not in the zone %s; the record is dropped",
                    name_format(record->owner, owner), name_format(m->options->origin, zone));
        return;
    }
    if (m->result == OK) {
        m->result = result;
        error_set(m->err, result, "%s", copy.code == OK ? "the record was refused" : copy.text);
        error_at(m->err, m->source->file, lexer->entry_line, 0);
    }
    m->is_stopped = true;
}

static bool take_owner(struct master *m, const struct token *word)
{
    if (LIKELY(word->size == m->owner_text_size && !word->quoted &&
               memcmp(word->data, m->owner_text, word->size) == 0)) {
        return true;
    }
    m->owner_text_size = 0;
    bool is_special = word->size == 1 || word->quoted; /* "@", "." */
    m->has_owner =
        (LIKELY(!is_special) && master_plain_name(word->data, word->size, &m->origin, &m->owner)) ||
        master_take_name(m, word, word->data, &m->owner);
    m->is_owner_bad = !m->has_owner;
    if (m->has_owner && word->size <= sizeof(m->owner_text) && !word->quoted) {
        memcpy(m->owner_text, word->data, word->size);
        m->owner_text_size = word->size;
    }
    return m->has_owner;
}

static COLD void fail_type(struct master *m, const struct token *word, bool has_ttl, bool has_class)
{
    char shown[64];
    master_show(word, shown);
    if (word->size > 0 && word->data[0] == '$' && !word->quoted) {
        master_fail(m, FINDING_SYNTAX, word->data,
                    "expected a record type, found %s; directives start in the first column",
                    shown);
        return;
    }
    master_fail(m, FINDING_SYNTAX, word->data, "expected %s%sa record type, found %s%s",
                has_ttl ? "" : "a TTL, ", has_class ? "" : "a class or ",
                word->quoted ? "the quoted string " : "", shown);
}

static COLD void fail_rdata(struct master *m, size_t first, size_t bad_index)
{
    struct master_lexer *lexer = &m->source->lexer;
    size_t index = first + bad_index;
    const char *at =
        index < lexer->count ? lexer->tokens[index].data : master_lexer_entry_end(lexer);
    if (index < lexer->count && lexer->tokens[index].quoted) {
        at--;
    }
    master_fail_scratch(m, at);
}

/* "IN" and what else is a class. */
static ALWAYS_INLINE bool is_class(const struct token *word, uint16_t *out)
{
    if (LIKELY(word->size == 2 && (word->data[0] | 0x20) == 'i' && (word->data[1] | 0x20) == 'n')) {
        *out = CLASS_IN;
        return true;
    }
    /* Types are shorter or longer, or do not start so: CH, HS, ANY, NONE, CLASSnnn. */
    int first = word->size >= 2 ? word->data[0] | 0x20 : 0;
    return (first == 'c' || first == 'h' || first == 'a' || first == 'n') &&
           rrclass_parse(word->data, word->size, out);
}

/* What stands between the owner and the rdata. */
struct middle {
    const struct master_type *type;
    const char *type_at;
    uint32_t ttl;
    bool has_ttl;
    bool has_class;
};

/* One word of it that is a TTL or a class; false: reported. */
static bool take_ttl_word(struct master *m, const struct token *word, struct middle *out)
{
    if (!master_take_ttl(m, word, &out->ttl)) {
        fail_type(m, word, out->has_ttl, out->has_class);
        return false;
    }
    out->has_ttl = true;
    return true;
}

static bool take_class_word(struct master *m, const struct token *word, uint16_t class,
                            struct middle *out)
{
    out->has_class = true;
    if (UNLIKELY(class != m->options->class)) {
        char shown[64];
        char expected[16];
        master_fail(m, FINDING_WRONG_CLASS, word->data, "expected the zone's class %s, found %s",
                    rrclass_format(m->options->class, expected), master_show(word, shown));
        return false;
    }
    return true;
}

/* From words[*at] on; *at ends up behind the type. False: reported. */
static ALWAYS_INLINE bool take_middle(struct master *m, size_t *at, struct middle *out)
{
    const struct master_lexer *lexer = &m->source->lexer;
    for (; *at < lexer->count; ++*at) {
        const struct token *word = &lexer->tokens[*at];
        uint16_t class;
        if ((unsigned)(uint8_t)word->data[0] - '0' <= 9 && !out->has_ttl) {
            if (!take_ttl_word(m, word, out)) {
                return false;
            }
        } else if (!out->has_class && !word->quoted && is_class(word, &class)) {
            if (!take_class_word(m, word, class, out)) {
                return false;
            }
        } else {
            out->type = master_find_type(m, word);
            out->type_at = word->data;
            ++*at;
            if (UNLIKELY(out->type == NULL)) {
                fail_type(m, word, out->has_ttl, out->has_class);
                return false;
            }
            if (UNLIKELY((out->type->flags & RRTYPE_META) != 0)) {
                char shown[64];
                master_fail(m, FINDING_SYNTAX, word->data,
                            "expected a type of data, found %s, which stands only in messages",
                            master_show(word, shown));
                return false;
            }
            return true;
        }
    }
    master_fail(m, FINDING_SYNTAX, master_lexer_entry_end(lexer),
                "expected a record type, found the end of the entry");
    return false;
}

/* The rdata from words[first] on; false: reported. `target` is room that *out may point to. */
static ALWAYS_INLINE bool take_rdata(struct master *m, const struct master_type *type, size_t first,
                                     struct name *target, struct slice *out)
{
    struct master_lexer *lexer = &m->source->lexer;
    if (UNLIKELY(lexer->has_pairs) && !type->has_svc_params) {
        master_lexer_split_pairs(lexer, first);
    }
    const struct token *words = lexer->tokens + first;
    size_t count = lexer->count - first;
    if (type->number == TYPE_NS && count == 1 && words->size > 1 && !words->quoted &&
        master_plain_name(words->data, words->size, &m->origin, target)) {
        *out = slice_of(target->wire, target->size);
        return true;
    }
    size_t size = 0;
    size_t bad = 0;
    if (UNLIKELY(rdata_parse(type->number, words, count, m->origin.wire, m->rdata, &size, &bad,
                             &m->scratch) != OK)) {
        fail_rdata(m, first, bad);
        return false;
    }
    *out = slice_of(m->rdata, size);
    return true;
}

HOT void master_take_record(struct master *m)
{
    struct master_lexer *lexer = &m->source->lexer;
    size_t at = 0;
    if (!lexer->starts_blank) {
        if (!take_owner(m, &lexer->tokens[at++])) {
            return;
        }
    } else if (!m->has_owner) {
        if (!m->is_owner_bad) {
            master_fail(m, FINDING_SYNTAX, lexer->entry,
                        "expected an owner, found a blank: no record stands before this one");
            m->is_owner_bad = true;
        }
        return;
    }
    struct middle middle = {0};
    struct slice rdata;
    struct name target;
    if (!take_middle(m, &at, &middle) || !take_rdata(m, middle.type, at, &target, &rdata)) {
        return;
    }
    struct record record = {
        .owner = m->owner.wire,
        .type = middle.type->number,
        .class = m->options->class,
        .ttl = middle.ttl,
        .rdata = rdata,
    };
    if (!middle.has_ttl &&
        !master_default_ttl(m, record.type, rdata, middle.type_at, &record.ttl)) {
        return;
    }
    master_emit(m, &record, lexer->entry);
}
