/* SPDX-License-Identifier: BSD-3-Clause */
/* Answers of the control protocol in words, for people. */
#ifndef CMD_STATUS_TEXT_H
#define CMD_STATUS_TEXT_H

#include <jansson.h>

#include "base/text.h"

/* The last line of `status`: of the server, or of a zone. */
void status_text(const json_t *answer, struct text *out);
/* One line of a list of zones; `name_width` columns for the name. */
void zone_line_text(const json_t *zone, int64_t now_s, int name_width, struct text *out);
/* The last line of any other command that went well. */
void done_text(const json_t *answer, struct text *out);

/* "14 s", "3 min", "2 h 5 min", "3 d 4 h". Negative counts as 0. */
const char *duration_text(int64_t seconds, char out[32]);

/* The answer to `keys`. */
void keys_text(const json_t *answer, struct text *out);

#endif
