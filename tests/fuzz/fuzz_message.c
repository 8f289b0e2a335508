/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages from strangers: whatever parses is written again by our own writer, read back, and must
 * be the same question and the same records, names in the same case. The input is copied to memory
 * of its exact size, so that the sanitizer sees the first stray octet.
 */
#include <stdlib.h>
#include <string.h>

#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORDS_MAX = 256 };

struct parsed {
    struct message_header header;
    struct question questions[4];
    unsigned question_count;
    struct {
        enum section section;
        struct name owner;
        struct record record;
    } records[RECORDS_MAX];
    unsigned record_count;
};

static void parsed_free(struct parsed *p)
{
    for (unsigned i = 0; i < p->record_count; i++) {
        free((void *)(uintptr_t)p->records[i].record.rdata.data);
    }
    p->record_count = 0;
}

static bool parse_record(struct slice message, size_t *at, enum section section, struct parsed *p)
{
    static uint8_t rdata[RDATA_MAX_SIZE];
    struct error err = {0};
    struct message_record raw;
    size_t rdata_size;
    if (message_record_read(message, at, &raw, &err) != OK) {
        REQUIRE(err.code == ERR_FORMAT && err.text[0] != '\0');
        return false;
    }
    if (raw.type == TYPE_OPT) {
        struct edns edns;
        struct slice option;
        if (edns_read(message, &raw, &edns, NULL) == OK) {
            edns_find_option(&edns, EDNS_COOKIE, &option);
        }
    }
    if (raw.rdata_size == 0) {
        rdata_size = 0;
    } else if (rdata_read(raw.type, message, raw.rdata_offset, raw.rdata_size, rdata, &rdata_size,
                          &err) != OK) {
        REQUIRE(err.code != OK);
        return false;
    } else {
        REQUIRE(rdata_check(raw.type, slice_of(rdata, rdata_size), NULL) == OK);
    }
    uint8_t *copy = malloc(rdata_size + 1);
    memcpy(copy, rdata, rdata_size);
    unsigned i = p->record_count++;
    p->records[i].section = section;
    p->records[i].owner = raw.owner;
    p->records[i].record = (struct record){
        .owner = p->records[i].owner.wire,
        .type = raw.type,
        .class = raw.class,
        .ttl = raw.ttl,
        .rdata = slice_of(copy, rdata_size),
    };
    return true;
}

static bool parse(struct slice message, struct parsed *p)
{
    p->question_count = 0;
    p->record_count = 0;
    if (message_header_read(message, &p->header) != OK ||
        p->header.counts[SECTION_QUESTION] > ARRAY_SIZE(p->questions)) {
        return false;
    }
    size_t at = MESSAGE_HEADER_SIZE;
    while (p->question_count < p->header.counts[SECTION_QUESTION]) {
        if (message_question_read(message, &at, &p->questions[p->question_count++], NULL) != OK) {
            return false;
        }
    }
    for (unsigned section = SECTION_ANSWER; section <= SECTION_ADDITIONAL; section++) {
        for (unsigned i = 0; i < p->header.counts[section]; i++) {
            if (p->record_count == RECORDS_MAX ||
                !parse_record(message, &at, (enum section)section, p)) {
                return false;
            }
        }
    }
    return true;
}

static bool rewrite(const struct parsed *p, struct message_writer *w)
{
    for (unsigned i = 0; i < p->question_count; i++) {
        const struct question *q = &p->questions[i];
        if (!message_write_question(w, q->name.wire, q->type, q->class)) {
            return false;
        }
    }
    for (unsigned i = 0; i < p->record_count; i++) {
        size_t size = w->size;
        uint16_t counts[4];
        memcpy(counts, w->counts, sizeof(counts));
        if (!message_write_record(w, p->records[i].section, &p->records[i].record)) {
            REQUIRE(w->size == size);
            return false;
        }
        /* Now and then take one back: what follows must not point into it. */
        if (i % 5 == 3) {
            message_writer_rewind(w, size, counts);
            REQUIRE(message_write_record(w, p->records[i].section, &p->records[i].record));
        }
    }
    return true;
}

static void require_same(const struct parsed *a, const struct parsed *b)
{
    REQUIRE(memcmp(&a->header, &b->header, sizeof(a->header)) == 0);
    for (unsigned i = 0; i < a->question_count; i++) {
        REQUIRE(name_equal_case(a->questions[i].name.wire, b->questions[i].name.wire));
        REQUIRE(a->questions[i].type == b->questions[i].type);
        REQUIRE(a->questions[i].class == b->questions[i].class);
    }
    REQUIRE(a->record_count == b->record_count);
    for (unsigned i = 0; i < a->record_count; i++) {
        const struct record *ra = &a->records[i].record;
        const struct record *rb = &b->records[i].record;
        REQUIRE(name_equal_case(a->records[i].owner.wire, b->records[i].owner.wire));
        REQUIRE(ra->type == rb->type && ra->class == rb->class && ra->ttl == rb->ttl);
        REQUIRE(slice_equal(ra->rdata, rb->rdata));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct parsed first;
    static struct parsed second;
    static uint8_t buffer[MESSAGE_MAX_SIZE];
    if (size > MESSAGE_MAX_SIZE) {
        return 0;
    }
    uint8_t *exact = malloc(size + (size == 0));
    memcpy(exact, data, size);
    if (parse(slice_of(exact, size), &first)) {
        struct message_writer w;
        message_writer_init(&w, buffer, sizeof(buffer), first.header.id, first.header.flags);
        if (rewrite(&first, &w)) {
            REQUIRE(parse(message_writer_finish(&w), &second));
            require_same(&first, &second);
            parsed_free(&second);
        }
    }
    parsed_free(&first);
    free(exact);
    return 0;
}
