/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Damerau-Levenshtein distance (of optimal string alignment: no part is edited twice), without
 * case: a letter too many, missing, wrong, or two swapped. A word is near when a third of it or
 * less is wrong; beyond that a suggestion would be a guess.
 */
#include "conf/nearest_impl.h"

#include <ctype.h>
#include <string.h>

enum { WORD_MAX = 40 };

void nearest_init(struct nearest *nearest, const char *word)
{
    size_t length = strlen(word);
    *nearest = (struct nearest){.word = word};
    if (length != 0 && length <= WORD_MAX) {
        nearest->distance = length < 6 ? (unsigned)(length + 2) / 3 : (unsigned)length / 3;
        nearest->distance += 1; /* what a candidate has to beat */
    }
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    unsigned rows[3][WORD_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_size; j++) {
        above[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_size; j++) {
            int x = tolower((unsigned char)a[i - 1]);
            int y = tolower((unsigned char)b[j - 1]);
            row[j] = least(least(row[j - 1], above[j]) + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
                y == tolower((unsigned char)a[i - 2])) {
                row[j] = least(row[j], before[j - 2] + 1);
            }
        }
        unsigned *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[b_size];
}

void nearest_offer(struct nearest *nearest, const char *candidate)
{
    size_t size = strlen(candidate);
    if (nearest->distance == 0 || size > WORD_MAX) {
        return;
    }
    unsigned d = distance(nearest->word, strlen(nearest->word), candidate, size);
    if (d < nearest->distance) {
        nearest->distance = d;
        nearest->best = candidate;
    }
}
