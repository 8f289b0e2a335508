/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One outgoing transfer on one connection: who may have it, in which form, and the messages one
 * after the other as the connection takes them.
 */
#ifndef SERVER_TRANSFER_OUT_H
#define SERVER_TRANSFER_OUT_H

#include "net/stream.h"
#include "request/request.h"
#include "xfr/step.h"

struct transfer_out;

/*
 * For a query with disposition ANSWER_XFR over a stream. Either gives a transfer, or writes the one
 * message that refuses or answers it into query->out (query->response_size) and gives NULL.
 */
struct transfer_out *transfer_out_begin(const struct request_scope *scope,
                                        struct answer_query *query,
                                        const struct request_origin *origin);
/*
 * Sends the next message on `stream`, the one the request came on.
 * buffer  MESSAGE_MAX_SIZE octets to work in
 * STEP_DONE    that was the last one (log and counters are done)
 * STEP_FAILED  close the connection; *why is the reason for transfer_out_free
 */
enum step transfer_out_send(struct transfer_out *transfer, struct stream *stream, uint8_t *buffer,
                            const char **why);
/* For how long its client may take nothing (max-transfer-idle-out). */
uint32_t transfer_out_idle_ms(const struct transfer_out *transfer);
/* Also in the middle (`why` goes to the log, NULL: it ended well). NULL transfer is fine. */
void transfer_out_free(struct transfer_out *transfer, const char *why);

#endif
