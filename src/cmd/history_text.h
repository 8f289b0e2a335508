/* SPDX-License-Identifier: BSD-3-Clause */
/* A zone's history in words: versions, differences, and what a rollback did. */
#ifndef CMD_HISTORY_TEXT_H
#define CMD_HISTORY_TEXT_H

#include <jansson.h>

#include "base/text.h"

/* A part of the answer to `history` (an entry) or `diff` (lines); others are nothing. */
void history_part_text(const json_t *part, struct text *out);
/* The last line of `history`, `diff`, `rollback`, `adopt-serial`; nothing for others. */
void history_done_text(const json_t *answer, struct text *out);

#endif
