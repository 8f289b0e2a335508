/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lexer of zone files (RFC 1035 5.1).
 *
 * The text goes through a window: read() fills it, entries are cut out of it, and when one touches
 * the window's end it is moved to the front, more is read behind it, and it is cut again. Why not
 * map the file: a mapped file that is cut short while we read it (an operator's `cp` over a zone
 * file does that) ends the process with SIGBUS, and a signal handler that mends it would be global
 * state. The copy costs 3 per cent, stays in the second-level cache, takes pipes as well as files,
 * and bounds memory: a file of any size is read in a quarter of a megabyte, a small one at once.
 *
 * Invariants: *limit is NUL and LEXER_PADDING octets behind it may be read, so the inner loops need
 * no bounds; a NUL that is not at the limit is one in the file. `entry` is at the start of a line.
 * A line of nothing but words and blanks is cut up by master_lexer_plain.c.
 *
 * The grammar, where RFC 1035 leaves it open, follows BIND:
 *   entry    ends at a line end outside of parentheses; empty lines and comments are skipped
 *   word     run of octets up to a blank, line end, quote, parenthesis or semicolon; a backslash
 *            takes the octet behind it along, which may not be a line end
 *   quoted   from quote to quote on one line, a line end only behind a backslash; ends the word
 *            before it, except behind "=", where it belongs to it (RFC 9460 2.1: key="value")
 *   CR       only before LF or at the end of the file
 */
#include "zone/master_lexer_impl.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/memory.h"

enum {
    LEXER_WINDOW = 256 * 1024,
    LEXER_SMALL_WINDOW = 4096,
    LEXER_PADDING = 64,
    LEXER_ENTRY_MAX = 8 * 1024 * 1024, /* octets of one entry, comments included */
    LEXER_TOKENS = 64,
    LEXER_TOKENS_MAX = 70000, /* more than 65535 octets of rdata can need */
};

enum { ORDINARY, BLANK, NEWLINE, RETURN, QUOTE, OPEN, CLOSE, COMMENT, ESCAPE, NUL };

static const uint8_t classes[256] = {
    [0] = NUL,     ['\t'] = BLANK, ['\n'] = NEWLINE, ['\r'] = RETURN, [' '] = BLANK,
    ['"'] = QUOTE, ['('] = OPEN,   [')'] = CLOSE,    [';'] = COMMENT, ['\\'] = ESCAPE,
};

static ALWAYS_INLINE unsigned class_of(const char *p)
{
    return classes[(uint8_t)*p];
}

/* The first octet at or behind `p` that is not ORDINARY. */
static ALWAYS_INLINE const char *skip_ordinary(const char *p)
{
#ifdef __SSE2__
    const __m128i space = _mm_set1_epi8(' ');
    const __m128i one = _mm_set1_epi8(1);
    for (;;) {
        __m128i text;
        memcpy(&text, p, sizeof(text));
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(text, space), text);
        __m128i paren = _mm_cmpeq_epi8(_mm_or_si128(text, one), _mm_set1_epi8(')'));
        __m128i quote = _mm_cmpeq_epi8(text, _mm_set1_epi8('"'));
        __m128i comment = _mm_cmpeq_epi8(text, _mm_set1_epi8(';'));
        __m128i escape = _mm_cmpeq_epi8(text, _mm_set1_epi8('\\'));
        __m128i any = _mm_or_si128(_mm_or_si128(low, paren),
                                   _mm_or_si128(quote, _mm_or_si128(comment, escape)));
        unsigned mask = (unsigned)_mm_movemask_epi8(any);
        if (mask == 0) {
            p += 16;
            continue;
        }
        p += __builtin_ctz(mask);
        if (LIKELY(class_of(p) != ORDINARY)) {
            return p;
        }
        p++; /* a control character: odd, but a part of the word */
    }
#else
    while (class_of(p) == ORDINARY) {
        p++;
    }
    return p;
#endif
}

static void init(struct master_lexer *lexer, size_t window_size)
{
    *lexer = (struct master_lexer){.fd = -1, .line = 1, .plain = master_lexer_plain()};
    lexer->window_size = window_size;
    lexer->window = memory_new(lexer->window_size + LEXER_PADDING);
    memset(lexer->window, 0, LEXER_PADDING);
    lexer->token_room = LEXER_TOKENS;
    lexer->tokens = memory_new(lexer->token_room * sizeof(*lexer->tokens));
    lexer->cursor = lexer->entry = lexer->entry_end = lexer->limit = lexer->window;
}

void master_lexer_init_fd(struct master_lexer *lexer, int fd, size_t expected)
{
    /* With room for one more than expected, a file that grew is seen without asking. */
    init(lexer, expected != 0 && expected < LEXER_WINDOW ? expected + 1 : LEXER_WINDOW);
    lexer->fd = fd;
    lexer->expected = expected;
}

void master_lexer_init_text(struct master_lexer *lexer, struct slice text)
{
    size_t size = text.size < LEXER_SMALL_WINDOW ? LEXER_SMALL_WINDOW : text.size + 1;
    init(lexer, size < LEXER_WINDOW ? size : LEXER_WINDOW);
    lexer->rest = text;
}

void master_lexer_restart_text(struct master_lexer *lexer, struct slice text)
{
    lexer->cursor = lexer->entry = lexer->entry_end = lexer->limit = lexer->window;
    lexer->rest = text;
    lexer->line = 1;
    lexer->is_last = false;
    memset(lexer->window, 0, LEXER_PADDING);
}

void master_lexer_deinit(struct master_lexer *lexer)
{
    memory_free(lexer->window);
    memory_free(lexer->tokens);
    *lexer = (struct master_lexer){.fd = -1};
}

void master_lexer_locate(const struct master_lexer *lexer, const char *at, uint32_t *out_line,
                         uint32_t *out_column)
{
    uint32_t line = lexer->entry_line;
    const char *start = lexer->entry;
    for (const char *p = lexer->entry; p < at; p++) {
        if (*p == '\n') {
            line++;
            start = p + 1;
        }
    }
    *out_line = line;
    *out_column = (uint32_t)(at - start) + 1;
}

const char *master_lexer_entry_end(const struct master_lexer *lexer)
{
    return lexer->entry_end;
}

/* Appends what there is behind `limit`, up to the window's size. -1 with errno. */
static ssize_t read_more(struct master_lexer *lexer, size_t room)
{
    char *to = lexer->window + (lexer->limit - lexer->window);
    if (lexer->fd < 0) {
        size_t size = lexer->rest.size < room ? lexer->rest.size : room;
        if (size != 0) {
            memcpy(to, lexer->rest.data, size);
        }
        lexer->rest.data += size;
        lexer->rest.size -= size;
        return (ssize_t)size;
    }
    ssize_t size;
    do {
        size = read(lexer->fd, to, room);
    } while (size < 0 && errno == EINTR);
    return size;
}

static enum lexer_step fatal(struct master_lexer *lexer, enum result code, const char *at,
                             const char *text)
{
    lexer->bad_code = code;
    master_lexer_locate(lexer, at, &lexer->bad_line, &lexer->bad_column);
    snprintf(lexer->bad_text, sizeof(lexer->bad_text), "%s", text);
    return LEXER_FATAL;
}

/* Keeps what is from `keep` on, moves it to the front and reads on. LEXER_ENTRY: there is more (or
 * the end is known now); pointers into the window have moved with `keep`. */
static enum lexer_step refill(struct master_lexer *lexer, const char *keep)
{
    size_t kept = (size_t)(lexer->limit - keep);
    if (kept == lexer->window_size) {
        if (lexer->window_size >= LEXER_ENTRY_MAX) {
            return LEXER_BAD;
        }
        size_t at = (size_t)(keep - lexer->window);
        lexer->window_size *= 2;
        lexer->window = memory_resize(lexer->window, lexer->window_size + LEXER_PADDING);
        keep = lexer->window + at;
    }
    memmove(lexer->window, keep, kept);
    lexer->cursor = lexer->entry = lexer->entry_end = lexer->window;
    lexer->limit = lexer->window + kept;
    ssize_t size = read_more(lexer, lexer->window_size - kept);
    if (size < 0) {
        char text[160];
        snprintf(text, sizeof(text), "cannot read on: %s", strerrordesc_np(errno));
        size = 0;
        memset(lexer->window + kept, 0, LEXER_PADDING);
        return fatal(lexer, ERR_IO, lexer->limit, text);
    }
    lexer->limit += size;
    lexer->read_count += (size_t)size;
    /* A file that came in one piece; should it have grown since, whoever reads it looks. */
    bool is_whole = (size_t)size == lexer->expected && lexer->read_count == lexer->expected;
    lexer->is_one_piece = is_whole;
    lexer->is_last = size == 0 || is_whole;
    memset(lexer->window + kept + (size_t)size, 0, LEXER_PADDING);
    return LEXER_ENTRY;
}

/* Leaves the cursor behind the next line end. */
static enum lexer_step skip_line(struct master_lexer *lexer)
{
    for (;;) {
        const char *end = memchr(lexer->cursor, '\n', (size_t)(lexer->limit - lexer->cursor));
        if (end != NULL) {
            lexer->cursor = end + 1;
            lexer->line++;
            return LEXER_ENTRY;
        }
        lexer->cursor = lexer->limit;
        if (lexer->is_last) {
            return LEXER_ENTRY;
        }
        lexer->entry_line = lexer->line;
        enum lexer_step step = refill(lexer, lexer->limit);
        if (step != LEXER_ENTRY) {
            return step;
        }
    }
}

/* The next line that does not look like the inside of a broken entry. */
static enum lexer_step skip_continuation(struct master_lexer *lexer)
{
    for (;;) {
        if (lexer->cursor == lexer->limit && !lexer->is_last) {
            lexer->entry_line = lexer->line;
            enum lexer_step step = refill(lexer, lexer->cursor);
            if (step != LEXER_ENTRY) {
                return step;
            }
            continue;
        }
        if (lexer->cursor == lexer->limit) {
            return LEXER_ENTRY;
        }
        unsigned class = class_of(lexer->cursor);
        if (class == ORDINARY || class == ESCAPE || class == QUOTE || class == NUL) {
            return LEXER_ENTRY;
        }
        enum lexer_step step = skip_line(lexer);
        if (step != LEXER_ENTRY) {
            return step;
        }
    }
}

/* Notes the error and goes to where the next entry may start. */
static enum lexer_step bad(struct master_lexer *lexer, const char *at, const char *text)
{
    snprintf(lexer->bad_text, sizeof(lexer->bad_text), "%s", text);
    lexer->bad_code = ERR_FORMAT;
    master_lexer_locate(lexer, at, &lexer->bad_line, &lexer->bad_column);
    lexer->count = 0;
    lexer->cursor = at;
    lexer->line = lexer->bad_line;
    enum lexer_step step = skip_line(lexer);
    if (step == LEXER_ENTRY && lexer->open != NULL) {
        step = skip_continuation(lexer);
    }
    return step == LEXER_ENTRY ? LEXER_BAD : step;
}

static enum lexer_step bad_nul(struct master_lexer *lexer, const char *at)
{
    return fatal(lexer, ERR_FORMAT, at,
                 "found a NUL octet, expected text: this is not a zone file, or it is damaged");
}

/* What editors and tools leave in front of a text, or write instead of one. */
static enum lexer_step look_at_start(struct master_lexer *lexer)
{
    static const struct {
        const char *magic;
        size_t size;
        const char *text;
    } known[] = {
        {"\x1f\x8b", 2, "found a gzip file, expected text: unpack it first"},
        {"\xfd"
         "7zXZ",
         5, "found an xz file, expected text: unpack it first"},
        {"\x28\xb5\x2f\xfd", 4, "found a zstd file, expected text: unpack it first"},
        {"\0\0\0\2\0\0\0", 7,
         "found a zone in BIND's raw format, expected text: convert it with named-compilezone"},
        {"\xff\xfe", 2, "found UTF-16 text, expected ASCII: save the file as plain text"},
        {"\xfe\xff", 2, "found UTF-16 text, expected ASCII: save the file as plain text"},
    };
    size_t size = (size_t)(lexer->limit - lexer->cursor);
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (size >= known[i].size && memcmp(lexer->cursor, known[i].magic, known[i].size) == 0) {
            return fatal(lexer, ERR_FORMAT, lexer->cursor, known[i].text);
        }
    }
    if (size >= 3 && memcmp(lexer->cursor, "\xef\xbb\xbf", 3) == 0) {
        lexer->cursor += 3;
        lexer->has_bom = true;
    }
    return LEXER_ENTRY;
}

static COLD bool grow_tokens(struct master_lexer *lexer)
{
    if (lexer->token_room == LEXER_TOKENS_MAX) {
        return false;
    }
    lexer->token_room *= 4;
    if (lexer->token_room > LEXER_TOKENS_MAX) {
        lexer->token_room = LEXER_TOKENS_MAX;
    }
    lexer->tokens = memory_resize(lexer->tokens, lexer->token_room * sizeof(*lexer->tokens));
    return true;
}

enum scan { SCAN_OK, SCAN_MORE, SCAN_BAD };

/* `p` is behind the opening quote; *end gets the closing one. */
static enum scan scan_quoted(const struct master_lexer *lexer, const char *p, const char **end,
                             uint32_t *line, const char **why)
{
    for (;; p++) {
        switch (class_of(p)) {
        case QUOTE:
            *end = p;
            return SCAN_OK;
        case ESCAPE:
            p++;
            if (*p == '\n') {
                (*line)++;
            } else if (*p == '\0') {
                p--;
                if (p + 1 != lexer->limit) {
                    continue; /* a NUL, for the next round to find */
                }
                *why = "the text ends behind a backslash, expected a closing quote";
                *end = p;
                return lexer->is_last ? SCAN_BAD : SCAN_MORE;
            }
            break;
        case NEWLINE:
            *why = "the quote that opens here is not closed on its line";
            return SCAN_BAD;
        case NUL:
            *why = NULL;
            if (p == lexer->limit) {
                *why = "the quote that opens here is not closed";
                return lexer->is_last ? SCAN_BAD : SCAN_MORE;
            }
            *end = p;
            return SCAN_BAD;
        default:
            break;
        }
    }
}

/* A word that has a backslash or a quote behind "=" in it; `p` is there. */
static enum scan scan_word(struct master_lexer *lexer, const char *start, const char *p,
                           const char **end, uint32_t *line, const char **why, const char **where)
{
    for (;;) {
        if (*p == '\\') {
            if (p[1] == '\0' && p + 1 == lexer->limit) {
                *why = "found a backslash at the end of the file, expected a character behind it";
                *where = p;
                return lexer->is_last ? SCAN_BAD : SCAN_MORE;
            }
            if (p[1] == '\n' || p[1] == '\r') {
                *why = "found a backslash at the end of the line, expected a character behind it";
                *where = p;
                return SCAN_BAD;
            }
            p += p[1] == '\0' ? 1 : 2;
        } else if (*p == '"' && p > start && p[-1] == '=') {
            enum scan scan = scan_quoted(lexer, p + 1, end, line, why);
            if (scan != SCAN_OK) {
                *where = *why == NULL ? *end : p;
                return scan;
            }
            lexer->has_pairs = true;
            p = *end + 1;
        } else {
            *end = p;
            return SCAN_OK;
        }
        p = skip_ordinary(p);
    }
}

static enum lexer_step finish_entry(struct master_lexer *lexer, const char *end, const char *next,
                                    uint32_t line)
{
    lexer->entry_end = end;
    lexer->cursor = next;
    lexer->line = line;
    return LEXER_ENTRY;
}

/* The window is used up: more of it, or what its end means. */
static enum lexer_step at_limit(struct master_lexer *lexer, const char *entry, uint32_t entry_line)
{
    lexer->entry = entry;
    lexer->entry_line = entry_line;
    size_t open = lexer->open == NULL ? 0 : (size_t)(lexer->open - entry);
    enum lexer_step step = refill(lexer, entry);
    if (step == LEXER_BAD) {
        lexer->entry = entry;
        if (lexer->open != NULL) {
            return bad(lexer, entry + open, "the parenthesis that opens here is not closed");
        }
        return bad(lexer, entry, "the entry is longer than 8 MiB, expected a line end");
    }
    return step;
}

HOT enum lexer_step master_lexer_next(struct master_lexer *lexer)
{
    if (UNLIKELY(lexer->line == 1 && lexer->cursor == lexer->limit && !lexer->is_last)) {
        /* A pipe may give less than what is asked for: wait for enough to know it by. */
        lexer->entry_line = 1;
        do {
            enum lexer_step step = refill(lexer, lexer->cursor);
            if (step != LEXER_ENTRY) {
                return step;
            }
        } while (!lexer->is_last && lexer->limit - lexer->cursor < 8);
        enum lexer_step step = look_at_start(lexer);
        if (step != LEXER_ENTRY) {
            return step;
        }
    }
again:
    if (LIKELY(lexer->plain != NULL && lexer->plain(lexer))) {
        return LEXER_ENTRY;
    }
    const char *p = lexer->cursor;
    const char *entry = p;
    const char *end = p;
    uint32_t line = lexer->line;
    uint32_t entry_line = line;
    size_t count = 0;
    unsigned depth = 0;
    const char *why;
    const char *where;
    lexer->open = NULL;
    lexer->has_pairs = false;
    lexer->count = 0;
    for (;;) {
        const char *start = p;
        bool quoted = false;
        switch (class_of(p)) {
        case BLANK:
            p++;
            continue;
        case COMMENT:
            p = memchr(p, '\n', (size_t)(lexer->limit - p));
            p = p == NULL ? lexer->limit : p;
            continue;
        case NEWLINE:
            p++;
            line++;
            if (depth != 0) {
                continue;
            }
            if (count == 0) {
                entry = p;
                entry_line = line;
                continue;
            }
            lexer->entry = entry;
            lexer->entry_line = entry_line;
            lexer->starts_blank = class_of(entry) == BLANK;
            lexer->count = count;
            return finish_entry(lexer, end, p, line);
        case RETURN:
            if (p[1] != '\n' && p + 1 != lexer->limit) {
                why = "found a carriage return inside of a line, expected it at the line's end";
                where = p;
                goto wrong;
            }
            p++;
            continue;
        case NUL:
            if (p != lexer->limit) {
                where = p;
                why = NULL;
                goto wrong;
            }
            if (!lexer->is_last) {
                goto more;
            }
            if (depth != 0) {
                where = lexer->open;
                why = "the parenthesis that opens here is not closed";
                goto wrong;
            }
            lexer->entry = entry;
            lexer->entry_line = entry_line;
            lexer->starts_blank = class_of(entry) == BLANK;
            lexer->count = count;
            finish_entry(lexer, end, p, line);
            return count == 0 ? LEXER_END : LEXER_ENTRY;
        case OPEN:
            lexer->open = depth == 0 ? p : lexer->open;
            depth++;
            end = ++p;
            continue;
        case CLOSE:
            if (depth == 0) {
                where = p;
                why = "found ')', but no parenthesis is open";
                goto wrong;
            }
            depth--;
            end = ++p;
            if (depth == 0) {
                lexer->open = NULL;
            }
            continue;
        case QUOTE: {
            enum scan scan = scan_quoted(lexer, p + 1, &end, &line, &why);
            if (scan == SCAN_MORE) {
                goto more;
            }
            if (scan == SCAN_BAD) {
                where = why == NULL ? end : p;
                goto wrong;
            }
            start = p + 1;
            quoted = true;
            p = end + 1;
            break;
        }
        default:
            p = skip_ordinary(p);
            if (UNLIKELY(*p == '\\' || *p == '"')) {
                enum scan scan = scan_word(lexer, start, p, &end, &line, &why, &where);
                if (scan == SCAN_MORE) {
                    goto more;
                }
                if (scan == SCAN_BAD) {
                    goto wrong;
                }
                p = end;
            }
            end = p;
            break;
        }
        if (UNLIKELY(count == lexer->token_room) && !grow_tokens(lexer)) {
            where = lexer->open != NULL ? lexer->open : start;
            why = lexer->open != NULL ? "the parenthesis that opens here is not closed"
                                      : "the entry has too many words, expected a line end";
            goto wrong;
        }
        lexer->tokens[count] = (struct token){
            .data = start,
            .size = (uint32_t)(end - start),
            .quoted = quoted,
        };
        count++;
        end = p;
    }

more : {
    enum lexer_step step = at_limit(lexer, entry, entry_line);
    if (step != LEXER_ENTRY) {
        return step;
    }
    lexer->line = entry_line;
    goto again;
}

wrong:
    lexer->entry = entry;
    lexer->entry_line = entry_line;
    return why == NULL ? bad_nul(lexer, where) : bad(lexer, where, why);
}

void master_lexer_split_pairs(struct master_lexer *lexer, size_t first)
{
    if (!lexer->has_pairs) {
        return;
    }
    lexer->has_pairs = false;
    for (size_t i = first; i < lexer->count; i++) {
        struct token word = lexer->tokens[i];
        if (word.quoted) {
            continue;
        }
        uint32_t at = 0;
        while (at < word.size && word.data[at] != '"') {
            at += word.data[at] == '\\' ? 2 : 1;
        }
        if (at >= word.size) {
            continue;
        }
        uint32_t close = at + 1;
        while (word.data[close] != '"') {
            close += word.data[close] == '\\' ? 2 : 1;
        }
        /* Word, quoted text, and what follows it, which the next round looks at again. */
        size_t more = close + 1 < word.size ? 2 : 1;
        while (lexer->count + more > lexer->token_room) {
            if (!grow_tokens(lexer)) {
                return;
            }
        }
        memmove(lexer->tokens + i + 1 + more, lexer->tokens + i + 1,
                (lexer->count - i - 1) * sizeof(*lexer->tokens));
        lexer->count += more;
        lexer->tokens[i].size = at;
        lexer->tokens[i + 1] =
            (struct token){.data = word.data + at + 1, .size = close - at - 1, .quoted = true};
        if (more == 2) {
            lexer->tokens[i + 2] =
                (struct token){.data = word.data + close + 1, .size = word.size - close - 1};
        }
    }
}
