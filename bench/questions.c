/* SPDX-License-Identifier: BSD-3-Clause */
/* Questions from text to the wire, once, so that a generator only copies them. */
#include "questions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint16_t type_number(const char *word)
{
    static const struct {
        const char *word;
        uint16_t number;
    } types[] = {{"A", 1},    {"NS", 2},    {"SOA", 6}, {"MX", 15},
                 {"TXT", 16}, {"AAAA", 28}, {"DS", 43}, {"ANY", 255}};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(word, types[i].word) == 0) {
            return types[i].number;
        }
    }
    return 1;
}

/* A query without EDNS, or with an empty OPT where the line ends in "edns" or "do". */
static void make_question(struct question *q, const char *name, const char *type, const char *edns)
{
    uint8_t *p = q->bytes;
    memset(p, 0, 12);
    p[5] = 1;
    p += 12;
    while (*name != '\0' && p < q->bytes + 270) {
        size_t size = strcspn(name, ".");
        if (size > 63) {
            size = 63;
        }
        if (size != 0) {
            *p++ = (uint8_t)size;
            memcpy(p, name, size);
            p += size;
        }
        name += size + (name[size] == '.');
    }
    *p++ = 0;
    uint16_t number = type_number(type);
    *p++ = (uint8_t)(number >> 8);
    *p++ = (uint8_t)number;
    *p++ = 0;
    *p++ = 1;
    if (edns[0] != '\0') {
        static const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};
        memcpy(p, opt, sizeof(opt));
        if (strcmp(edns, "do") == 0) {
            p[7] = 0x80;
        }
        p += sizeof(opt);
        q->bytes[11] = 1;
    }
    q->size = (uint16_t)(p - q->bytes);
}

struct question *questions_read(const char *path, size_t *count)
{
    FILE *in = fopen(path, "r");
    if (in == NULL) {
        perror(path);
        exit(1);
    }
    size_t room = 1024;
    struct question *questions = malloc(room * sizeof(*questions));
    char line[600];
    *count = 0;
    while (questions != NULL && fgets(line, sizeof(line), in) != NULL) {
        char name[300], type[16], edns[16] = "";
        if (sscanf(line, "%299s %15s %15s", name, type, edns) < 2) {
            continue;
        }
        if (*count == room) {
            room *= 2;
            questions = realloc(questions, room * sizeof(*questions));
        }
        if (questions != NULL) {
            make_question(&questions[(*count)++], name, type, edns);
        }
    }
    fclose(in);
    return questions;
}
