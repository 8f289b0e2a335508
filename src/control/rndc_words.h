/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What operators type after `rndc`, as a request of the control protocol; and its answer, in the
 * words that named would have for it.
 */
#ifndef CONTROL_RNDC_WORDS_H
#define CONTROL_RNDC_WORDS_H

#include <jansson.h>

#include "base/slice.h"
#include "base/text.h"
#include "control/control_request.h"

/* BIND 9.18's numbers and sentences for what can go wrong; rndc prints the sentence. */
enum rndc_result {
    RNDC_DONE = 0,
    RNDC_NO_PERMISSION = 6,
    RNDC_EXISTS = 18,
    RNDC_NOT_FOUND = 23,
    RNDC_FAILURE = 25,
    RNDC_UNEXPECTED_END = 24,
    RNDC_SYNTAX = 89,
    RNDC_NOT_LOADED = 123,
    RNDC_UNKNOWN_COMMAND = 172,
};
/* NULL for RNDC_DONE. */
const char *rndc_result_sentence(enum rndc_result result);

/* A command line that was understood. */
struct rndc_line {
    const struct rndc_word *word;
    struct control_request request;
    bool wants_pid; /* `stop -p` */
};

enum rndc_outcome {
    RNDC_ASKS,    /* `request` is to be carried out */
    RNDC_IS_DONE, /* nothing is to be done; `text` may say why */
    RNDC_REFUSED, /* *result and `text` say why */
};
/* `line` is taken apart by blanks. `text` is added to. */
enum rndc_outcome rndc_line_read(struct slice line, struct rndc_line *out, enum rndc_result *result,
                                 struct text *text);
/* After every rndc_line_read. */
void rndc_line_deinit(struct rndc_line *line);
/* May it be used where nothing may be changed? */
bool rndc_line_only_reads(const struct rndc_line *line);
/* `last` is the last line of the answer to line->request; `text` is added to. */
enum rndc_result rndc_answer_text(const struct rndc_line *line, const json_t *last,
                                  struct text *text);

#endif
