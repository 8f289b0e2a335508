/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lexer's short way: a line of ordinary words and blanks, which nearly all lines of large zone
 * files are. Octets are looked at 64 at a time. Of each it is asked whether it belongs to a word,
 * whether it ends the line, and whether it is anything else (a quote, a parenthesis, a comment, a
 * backslash, a control character, the NUL behind the window's text); the answers are bits of three
 * words. Where the bits of words change, a word begins or ends. What holds anything else is left to
 * master_lexer.c as a whole, so its grammar is told only there.
 *
 * Chosen at run time where the processor has AVX2. With SSE2, four looks at sixteen octets, it is no
 * faster than the long way (docs/decisions/zone-files.md).
 */
#include "zone/master_lexer_impl.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET_AVX2 __attribute__((target("avx2,bmi")))

enum { BLOCK = 64, BLOCK_WORDS = BLOCK / 2 };

/* What stands in 64 octets, a bit for each. */
struct kinds {
    uint64_t words;
    uint64_t ends; /* of lines */
    uint64_t odd;
};

TARGET_AVX2 static ALWAYS_INLINE void kinds_read(const char *p, struct kinds *out)
{
    const __m256i space = _mm256_set1_epi8(' ');
    *out = (struct kinds){0};
    for (unsigned at = 0; at < BLOCK; at += 32) {
        __m256i text = _mm256_loadu_si256((const __m256i *)(const void *)(p + at));
        __m256i low = _mm256_cmpeq_epi8(_mm256_min_epu8(text, space), text);
        __m256i end = _mm256_cmpeq_epi8(text, _mm256_set1_epi8('\n'));
        __m256i blank = _mm256_or_si256(_mm256_cmpeq_epi8(text, space),
                                        _mm256_cmpeq_epi8(text, _mm256_set1_epi8('\t')));
        __m256i paren =
            _mm256_cmpeq_epi8(_mm256_or_si256(text, _mm256_set1_epi8(1)), _mm256_set1_epi8(')'));
        __m256i other = _mm256_or_si256(
            _mm256_or_si256(_mm256_cmpeq_epi8(text, _mm256_set1_epi8('"')),
                            _mm256_cmpeq_epi8(text, _mm256_set1_epi8(';'))),
            _mm256_or_si256(_mm256_cmpeq_epi8(text, _mm256_set1_epi8('\\')), paren));
        __m256i odd = _mm256_or_si256(_mm256_andnot_si256(_mm256_or_si256(end, blank), low), other);
        __m256i gap = _mm256_or_si256(low, other);
        out->words |= (uint64_t) ~(uint32_t)_mm256_movemask_epi8(gap) << at;
        out->ends |= (uint64_t)(uint32_t)_mm256_movemask_epi8(end) << at;
        out->odd |= (uint64_t)(uint32_t)_mm256_movemask_epi8(odd) << at;
    }
}

/* The words of the next 64 octets of a line. False: this is not a plain line. */
TARGET_AVX2 static ALWAYS_INLINE bool take_block(struct master_lexer *lexer, const char *p,
                                                 const struct kinds *kinds, size_t *count,
                                                 bool *in_word)
{
    uint64_t line = kinds->ends ^ (kinds->ends - 1); /* up to the first end, or all */
    if (UNLIKELY((kinds->odd & line) != 0) || UNLIKELY(*count + BLOCK_WORDS > lexer->token_room)) {
        return false;
    }
    uint64_t words = kinds->words & line;
    uint64_t edges = words ^ (words << 1 | (uint64_t)*in_word);
    struct token *token = &lexer->tokens[*count];
    if (*in_word && edges != 0) {
        token[-1].size = (uint32_t)(p + __builtin_ctzll(edges) - token[-1].data);
        edges &= edges - 1;
    }
    while (edges != 0) {
        const char *start = p + __builtin_ctzll(edges);
        edges &= edges - 1;
        /* a word that goes on behind the block has its size set then */
        unsigned end = edges == 0 ? BLOCK : (unsigned)__builtin_ctzll(edges);
        edges &= edges - 1;
        *token++ = (struct token){.data = start, .size = (uint32_t)(p + end - start)};
    }
    *count = (size_t)(token - lexer->tokens);
    *in_word = words >> (BLOCK - 1) != 0;
    return true;
}

static TARGET_AVX2 HOT bool plain_line(struct master_lexer *lexer)
{
    const char *p = lexer->cursor;
    size_t count = 0;
    bool in_word = false;
    struct kinds kinds;
    for (;; p += BLOCK) {
        kinds_read(p, &kinds);
        if (!take_block(lexer, p, &kinds, &count, &in_word)) {
            return false;
        }
        if (LIKELY(kinds.ends != 0)) {
            break;
        }
    }
    if (count == 0) {
        return false; /* an empty line */
    }
    const struct token *last = &lexer->tokens[count - 1];
    lexer->entry = lexer->cursor;
    lexer->entry_line = lexer->line++;
    lexer->entry_end = last->data + last->size;
    lexer->starts_blank = lexer->tokens[0].data != lexer->cursor;
    lexer->count = count;
    lexer->has_pairs = false;
    lexer->open = NULL;
    lexer->cursor = p + __builtin_ctzll(kinds.ends) + 1;
    return true;
}

master_plain_line *master_lexer_plain(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") ? plain_line : NULL;
}

#else

master_plain_line *master_lexer_plain(void)
{
    return NULL;
}

#endif
