/* SPDX-License-Identifier: BSD-3-Clause */
/* What a server must say about a question, by the letter of the RFCs and as slowly as it takes. */
#ifndef MODEL_MODEL_ANSWER_H
#define MODEL_MODEL_ANSWER_H

#include "model_zone.h"

struct model_response {
    unsigned rcode;
    bool authoritative;
    struct model_set answer;
    struct model_set authority;
    struct model_set additional;
};

/* `qname` is in the zone. ANY means all. Room is without end: nothing is truncated. */
void model_answer(const struct model_zone *zone, const uint8_t *qname, uint16_t qtype,
                  bool dnssec_ok, struct model_response *out);
void model_response_deinit(struct model_response *response);

#endif
