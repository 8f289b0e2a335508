/* SPDX-License-Identifier: BSD-3-Clause */
/* Putting one question to a zone set and comparing the whole response, both as text. */
#ifndef SUPPORT_ASK_H
#define SUPPORT_ASK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "answer/answer.h"
#include "base/memory.h"
#include "support/message_text.h"
#include "support/zone_text.h"

enum { ASK_NOW_S = 1700000000 };

/* Answers the octets of `message`, copied to a block of exactly their size, into one of exactly
 * `out_size` octets, so that a sanitizer sees the first stray access. The blocks are the caller's
 * to free: asked.message.data and asked.out. */
static inline struct answer_query ask_bytes(const struct zone_set *set,
                                            const struct answer_options *options,
                                            enum answer_transport transport, struct slice message,
                                            size_t out_size)
{
    struct answer_query asked = {.transport = transport, .out_size = out_size};
    uint8_t *copy = memory_new(message.size);
    memcpy(copy, message.data, message.size);
    asked.message = slice_of(copy, message.size);
    asked.out = memory_new(out_size);
    answer_batch(options, set, ASK_NOW_S, &asked, 1);
    return asked;
}

static inline void ask_free(struct answer_query *asked)
{
    memory_free((void *)(uintptr_t)asked->message.data);
    memory_free(asked->out);
}

/* The response as text; the caller frees it with text_deinit. "dropped", "xfr" … where there is
 * none. */
static inline struct text ask_text(const struct zone_set *set, const struct answer_options *options,
                                   enum answer_transport transport, const char *question)
{
    static const char *const words[] = {"send", "dropped", "xfr", "notify", "update", "tsig"};
    uint8_t message[QUERY_TEXT_SIZE];
    struct text text;
    size_t size = query_from_text(question, message);
    struct answer_query asked = ask_bytes(set, options, transport, slice_of(message, size),
                                          transport == ANSWER_UDP ? 4096 : 65535);
    text_init(&text, 0);
    if (asked.disposition == ANSWER_SEND) {
        assert_int_equal(get_u16(asked.out), 0x1234);
        message_to_text(slice_of(asked.out, asked.response_size), &text);
    } else {
        assert_int_equal(asked.response_size, 0);
        text_add_str(&text, words[asked.disposition]);
    }
    ask_free(&asked);
    return text;
}

static inline void ask_expect(const struct zone_set *set, const struct answer_options *options,
                              enum answer_transport transport, const char *question,
                              const char *expected)
{
    struct text text = ask_text(set, options, transport, question);
    if (strcmp(text_str(&text), expected) != 0) {
        print_error("question: %s\nexpected:\n%s\ngot:\n%s\n", question, expected, text_str(&text));
    }
    assert_string_equal(text_str(&text), expected);
    text_deinit(&text);
}

#endif
