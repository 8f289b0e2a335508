/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * $GENERATE start-stop[/step] owner {TTL | class} type rdata: BIND's way to write many alike
 * records in one line.
 *
 * In `owner` and `rdata` a "$" stands for the number, "$$" for a dollar, "\X" for itself, and
 * "${offset[,width[,base]]}" for number + offset, filled up with zeros to `width` characters, in
 * base d, o, x or X; or n, N: the hex digits from the lowest to the highest with dots between them,
 * where the dots count for the width (RFC 3596 2.5 names). The result is read as zone file text.
 * An offset holds for its own "${}" only, as BIND's manual says (named 9.18 keeps it for a "$" that
 * follows in the same word).
 *
 * rdata is one word in BIND, put in quotes where it has blanks; several words are taken here, too.
 * What is in the quotes of a lone quoted word is read as words again, as in BIND.
 *
 * Bounds: the number of records is checked before the first is made, each text has a ceiling, and
 * so has the rdata of all of them together (256 octets for each record that could be made).
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "zone/master_impl.h"

enum { DEFAULT_MAX_GENERATE = 65536, WIDTH_MAX = 127, TEXT_MAX = 70000, OCTETS_PER_RECORD = 256 };

struct range {
    uint32_t start;
    uint32_t stop;
    uint32_t step;
};

/* Decimal digits at *p; false: none, or above 2^31 - 1. */
static bool take_number(const char **p, const char *end, uint32_t *out)
{
    uint64_t value = 0;
    const char *start = *p;
    while (*p < end && **p >= '0' && **p <= '9' && value <= INT32_MAX) {
        value = value * 10 + (uint64_t)(**p - '0');
        (*p)++;
    }
    *out = (uint32_t)value;
    return *p > start && value <= INT32_MAX;
}

static bool range_parse(const struct token *word, struct range *out)
{
    const char *p = word->data;
    const char *end = p + word->size;
    out->step = 1;
    if (word->quoted || !take_number(&p, end, &out->start) || p == end || *p++ != '-' ||
        !take_number(&p, end, &out->stop)) {
        return false;
    }
    if (p < end && (*p++ != '/' || !take_number(&p, end, &out->step))) {
        return false;
    }
    return p == end && out->start <= out->stop && out->step > 0;
}

struct modifier {
    int64_t offset;
    uint32_t width;
    char base;
};

/* `*p` is behind "${"; moves behind "}". */
static bool modifier_parse(const char **p, const char *end, struct modifier *out)
{
    *out = (struct modifier){.base = 'd'};
    bool is_negative = *p < end && **p == '-';
    if (*p < end && (**p == '-' || **p == '+')) {
        (*p)++;
    }
    uint32_t offset;
    if (!take_number(p, end, &offset)) {
        return false;
    }
    out->offset = is_negative ? -(int64_t)offset : (int64_t)offset;
    if (*p < end && **p == ',') {
        (*p)++;
        if (!take_number(p, end, &out->width) || out->width > WIDTH_MAX) {
            return false;
        }
        if (*p < end && **p == ',') {
            (*p)++;
            if (*p == end || strchr("doxXnN", **p) == NULL) {
                return false;
            }
            out->base = *(*p)++;
        }
    }
    return *p < end && *(*p)++ == '}';
}

static void add_nibbles(struct text *out, uint32_t value, uint32_t width, const char *digits)
{
    do {
        text_add_char(out, digits[value & 15]);
        value >>= 4;
        width -= width > 0;
        if (width > 0 || value != 0) {
            text_add_char(out, '.');
            width -= width > 0;
        }
    } while (value != 0 || width > 0);
}

static void add_number(struct text *out, uint32_t number, const struct modifier *how)
{
    int64_t value = (int64_t)number + how->offset;
    int width = (int)how->width;
    switch (how->base) {
    case 'o':
        text_printf(out, "%0*o", width, (uint32_t)value);
        break;
    case 'x':
        text_printf(out, "%0*x", width, (uint32_t)value);
        break;
    case 'X':
        text_printf(out, "%0*X", width, (uint32_t)value);
        break;
    case 'n':
        add_nibbles(out, (uint32_t)value, how->width, "0123456789abcdef");
        break;
    case 'N':
        add_nibbles(out, (uint32_t)value, how->width, "0123456789ABCDEF");
        break;
    default:
        text_printf(out, "%0*lld", width, (long long)value);
        break;
    }
}

/* `is_inner`: what stood in quotes is text of its own now, so \" is a quote again. Returns NULL, or
 * what is wrong. */
static const char *expand(const char *p, size_t size, uint32_t number, bool is_inner,
                          struct text *out)
{
    const char *end = p + size;
    while (p < end) {
        char c = *p++;
        if (c == '\\') {
            if (!(is_inner && p < end && *p == '"')) {
                text_add_char(out, c);
            }
            if (p < end) {
                text_add_char(out, *p++);
            }
        } else if (c != '$') {
            text_add_char(out, c);
        } else if (p < end && *p == '$') {
            text_add_char(out, *p++);
        } else {
            struct modifier how = {.base = 'd'};
            if (p < end && *p == '{') {
                p++;
                if (!modifier_parse(&p, end, &how)) {
                    return "expected ${offset[,width[,base]]} with a width up to 127 and base "
                           "d, o, x, X, n or N";
                }
            }
            add_number(out, number, &how);
        }
    }
    return out->overflowed ? "the text it makes is too long" : NULL;
}

/* The line that is being generated. */
struct generate {
    const struct token *owner;
    const struct token *rdata;
    size_t rdata_count;
    struct record record; /* type, class and TTL */
    bool has_ttl;
    bool has_svc_params;
    struct text text;
    struct master_lexer lexer; /* of the rdata's text */
    size_t octets;             /* of rdata made so far */
    size_t octet_limit;
};

/* The owner for `number`; false: reported. */
static bool make_owner(struct master *m, struct generate *g, uint32_t number, struct name *out)
{
    text_reset(&g->text);
    const char *why = expand(g->owner->data, g->owner->size, number, false, &g->text);
    if (why != NULL) {
        char shown[64];
        master_fail(m, FINDING_SYNTAX, g->owner->data, "%s, found %s", why,
                    master_show(g->owner, shown));
        return false;
    }
    struct token word = {.data = text_str(&g->text), .size = (uint32_t)g->text.size};
    return master_take_name(m, &word, g->owner->data, out);
}

/* The rdata for `number` as text; false: reported. */
static bool make_rdata_text(struct master *m, struct generate *g, uint32_t number)
{
    text_reset(&g->text);
    bool is_inner = g->rdata_count == 1 && g->rdata->quoted;
    for (size_t i = 0; i < g->rdata_count; i++) {
        const struct token *word = &g->rdata[i];
        bool is_quoted = word->quoted && !is_inner;
        text_add_str(&g->text, is_quoted ? " \"" : " ");
        const char *why = expand(word->data, word->size, number, is_inner, &g->text);
        if (why != NULL) {
            char shown[64];
            master_fail(m, FINDING_SYNTAX, word->data, "%s, found %s", why,
                        master_show(word, shown));
            return false;
        }
        text_add_str(&g->text, is_quoted ? "\"" : "");
    }
    return true;
}

/* One record; false: reported, and the others would fail alike. */
static bool make_record(struct master *m, struct generate *g, uint32_t number)
{
    struct name owner;
    if (!make_owner(m, g, number, &owner) || !make_rdata_text(m, g, number)) {
        return false;
    }
    const char *at =
        g->rdata_count > 0 ? g->rdata[0].data : master_lexer_entry_end(&m->source->lexer);
    struct master_lexer *lexer = &g->lexer;
    master_lexer_restart_text(lexer, text_slice(&g->text));
    size_t size = 0;
    size_t bad;
    enum lexer_step step = master_lexer_next(lexer);
    bool is_good = step == LEXER_ENTRY || step == LEXER_END;
    if (!is_good) {
        master_fail(m, FINDING_SYNTAX, at, "number %u makes text that cannot be read: %s", number,
                    lexer->bad_text);
    } else {
        if (!g->has_svc_params) {
            master_lexer_split_pairs(lexer, 0);
        }
        is_good = rdata_parse(g->record.type, lexer->tokens, lexer->count, m->origin.wire, m->rdata,
                              &size, &bad, &m->scratch) == OK;
        if (!is_good) {
            master_fail_scratch(m, at);
        }
    }
    if (!is_good) {
        return false;
    }
    g->octets += size;
    if (g->octets > g->octet_limit) {
        master_fail(m, FINDING_LIMIT, at,
                    "expected at most %zu octets of rdata, found %zu by number %u", g->octet_limit,
                    g->octets, number);
        return false;
    }
    struct record record = g->record;
    record.owner = owner.wire;
    record.rdata = slice_of(m->rdata, size);
    if (!g->has_ttl && !master_default_ttl(m, record.type, record.rdata, at, &record.ttl)) {
        return false;
    }
    master_emit(m, &record, g->owner->data);
    return !m->is_stopped;
}

/* TTL, class and type, from words[3] on; sets *next behind the type. False: reported. */
static bool take_middle(struct master *m, struct generate *g, size_t *next)
{
    const struct master_lexer *lexer = &m->source->lexer;
    bool has_class = false;
    char shown[64];
    for (size_t i = 3; i < lexer->count; i++) {
        const struct token *word = &lexer->tokens[i];
        const struct master_type *type = master_find_type(m, word);
        uint16_t class;
        if (type != NULL && ((type->flags & RRTYPE_META) != 0 || type->number == TYPE_SOA)) {
            master_fail(m, FINDING_SYNTAX, word->data,
                        "expected a type that $GENERATE can make, found %s",
                        master_show(word, shown));
            return false;
        }
        if (type != NULL) {
            g->record.type = type->number;
            g->has_svc_params = type->has_svc_params;
            *next = i + 1;
            return true;
        }
        if (!has_class && !word->quoted && rrclass_parse(word->data, word->size, &class)) {
            has_class = true;
            if (class != m->options->class) {
                master_fail(m, FINDING_WRONG_CLASS, word->data,
                            "expected the zone's class, found %s", master_show(word, shown));
                return false;
            }
        } else if (!g->has_ttl && master_take_ttl(m, word, &g->record.ttl)) {
            g->has_ttl = true;
        } else {
            master_fail(m, FINDING_SYNTAX, word->data, "expected a record type, found %s",
                        master_show(word, shown));
            return false;
        }
    }
    master_fail(m, FINDING_SYNTAX, master_lexer_entry_end(lexer),
                "expected %s, found the end of the entry",
                lexer->count < 2   ? "a range as in 1-10 or 1-10/2"
                : lexer->count < 3 ? "an owner"
                                   : "a record type");
    return false;
}

void master_generate(struct master *m)
{
    const struct master_lexer *lexer = &m->source->lexer;
    struct range range = {.step = 1};
    char shown[64];
    if (lexer->count > 1 && !range_parse(&lexer->tokens[1], &range)) {
        master_fail(m, FINDING_SYNTAX, lexer->tokens[1].data,
                    "expected a range as in 1-10 or 1-10/2, start not above stop, found %s",
                    master_show(&lexer->tokens[1], shown));
        return;
    }
    struct generate g = {.record = {.class = m->options->class}};
    size_t next;
    if (!take_middle(m, &g, &next)) {
        return;
    }
    uint32_t limit =
        m->options->max_generate == 0 ? DEFAULT_MAX_GENERATE : m->options->max_generate;
    uint32_t count = (range.stop - range.start) / range.step + 1;
    if (count > limit) {
        master_fail(m, FINDING_LIMIT, lexer->tokens[1].data,
                    "expected a range that makes at most %u records, found %u", limit, count);
        return;
    }
    g.owner = &lexer->tokens[2];
    g.rdata = &lexer->tokens[next];
    g.rdata_count = lexer->count - next;
    g.octet_limit = (size_t)limit * OCTETS_PER_RECORD;
    text_init(&g.text, TEXT_MAX);
    master_lexer_init_text(&g.lexer, slice_of("", 0));
    for (uint32_t i = 0; i < count; i++) {
        if (!make_record(m, &g, range.start + i * range.step)) {
            break;
        }
    }
    master_lexer_deinit(&g.lexer);
    text_deinit(&g.text);
}
