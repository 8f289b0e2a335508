/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages for tests: a question from one line of text, a response as text to compare. */
#ifndef SUPPORT_MESSAGE_TEXT_H
#define SUPPORT_MESSAGE_TEXT_H

#include "base/slice.h"
#include "base/text.h"

enum { QUERY_TEXT_SIZE = 1024 };

/*
 * "www.example. AAAA", then any of: a class (CH), +edns, +do, +size=N, +version=N, +rd, +cd, +nsid,
 * +expire, +keepalive, +zoneversion, +opcode=N, +id=N. Options of EDNS bring an OPT record along.
 * Returns the size of the message in `out`.
 */
size_t query_from_text(const char *text, uint8_t out[QUERY_TEXT_SIZE]);

/*
 * A response as lines:
 *   NOERROR aa tc rd cd              rcode (extended bits included) and the flags that are set
 *   ? www.example. IN A              the question; then a line per record, by section:
 *   = www.example. 3600 IN A 192.0.2.1
 *   ~ example. 300 IN SOA ...        authority
 *   + ns.example. 3600 IN A ...      additional
 *   opt 1232 do nsid=6e73 ede=20     last, where there is one
 * Fails the test where the message does not parse to its last octet.
 */
void message_to_text(struct slice message, struct text *out);

#endif
