/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a server says about itself in class CH (RFC 4892): version.bind, version.server,
 * hostname.bind, id.server, each a TXT record with TTL 0. A text that is not configured is REFUSED,
 * as is every other name; another type than TXT or ANY at these names is an empty answer.
 */
#include "answer/answer_impl.h"

enum { STRING_MAX = 255, TEXT_MAX = 1024 };

static const char *text_for(const struct answering *a)
{
    const struct {
        const char *name; /* wire form */
        const char *text;
    } table[] = {
        {"\7version\4bind", a->options->version},
        {"\7version\6server", a->options->version},
        {"\10hostname\4bind", a->options->hostname},
        {"\2id\6server", a->options->server_id},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (name_equal((const uint8_t *)table[i].name, a->query->qname)) {
            return table[i].text;
        }
    }
    return NULL;
}

void chaos_answer(struct answering *a)
{
    const char *text = text_for(a);
    uint8_t rdata[2 + TEXT_MAX + TEXT_MAX / STRING_MAX + 1];
    if (text == NULL) {
        a->rcode = RCODE_REFUSED;
        answering_explain(a, EDE_NOT_AUTHORITATIVE, "not a name this server answers in class CH");
        return;
    }
    a->authoritative = true;
    if (a->query->qtype != TYPE_TXT && a->query->qtype != TYPE_ANY) {
        return;
    }
    size_t left = strlen(text);
    size_t at = 2;
    left = left < TEXT_MAX ? left : TEXT_MAX;
    do {
        size_t size = left < STRING_MAX ? left : STRING_MAX;
        rdata[at] = (uint8_t)size;
        memcpy(rdata + at + 1, text, size);
        at += 1 + size;
        text += size;
        left -= size;
    } while (left != 0);
    put_u16(rdata, (uint16_t)(at - 2));
    struct rrset rrset = {.type = TYPE_TXT, .count = 1, .records = slice_of(rdata, at)};
    if (!response_write_rrset(
            &a->response, SECTION_ANSWER,
            response_question_owner(&a->response, a->query->qname, a->query->qname_size), &rrset,
            CLASS_CH, 0)) {
        answering_truncate(a);
    }
}
