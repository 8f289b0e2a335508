/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A request for a transfer as a server meets it (AXFR: RFC 5936 2.1, IXFR: RFC 1995 3), and the
 * one-message replies that refuse it.
 */
#ifndef XFR_XFR_REQUEST_H
#define XFR_XFR_REQUEST_H

#include "wire/message.h"

struct xfr_request {
    uint16_t id;
    uint16_t flags;           /* as received; RD is echoed */
    struct question question; /* as sent, case kept; type AXFR or IXFR (or SOA for a refresh) */
    bool has_serial;          /* IXFR: the SOA in the authority section */
    struct serial serial;
    bool has_edns;
    bool dnssec_ok;
    uint16_t udp_size;      /* 512 without EDNS */
    bool wants_expire;      /* EDNS EXPIRE (RFC 7314) was asked for */
    bool wants_keepalive;   /* ... or TCP keepalive (RFC 7828) */
    bool wants_fingerprint; /* FINGERPRINT (docs/formats.md): a secondary of our kind */
};

/*
 * Reads a request.
 * out    filled in as far as it was understood also on error, so that xfr_refusal_write can answer;
 *        nothing can be answered where the header or the question is unreadable (out->question.name
 *        is empty then: size 0).
 * rcode  on error, what to refuse with: FORMERR, NOTIMP, BADVERS.
 * ERR_FORMAT  not such a request: opcode, QR, question count, an IXFR without its SOA
 */
MUST_CHECK enum result xfr_request_read(struct slice message, struct xfr_request *out,
                                        unsigned *rcode, struct error *err);

/* Extended DNS errors (RFC 8914) that go with refusals here. */
enum {
    EDE_NONE = -1,
    EDE_OTHER = 0,
    EDE_NOT_READY = 14,
    EDE_PROHIBITED = 18,
    EDE_NOT_AUTHORITATIVE = 20,
    EDE_NOT_SUPPORTED = 21,
    EDE_INVALID_DATA = 24
};

/*
 * Writes the one-message reply with `rcode` and no records; an extended error with `text` (may be
 * "") where the request had EDNS and `ede` is not EDE_NONE.
 * reserved   octets kept free for a TSIG that the caller appends.
 * Returns the size, or 0 where the request had no readable question or `limit` is too small.
 */
size_t xfr_refusal_write(const struct xfr_request *request, unsigned rcode, int ede,
                         const char *text, uint8_t *buffer, size_t limit, size_t reserved);

/*
 * The OPT of a reply: with `options` (wire run, may be empty). Does nothing and returns true where
 * the request had none.
 */
MUST_CHECK bool xfr_request_write_opt(const struct xfr_request *request, struct message_writer *w,
                                      unsigned rcode, struct slice options);

/* The EDNS option EXPIRE with a value (RFC 7314 3.2) as a wire run: 8 octets into `out`. */
enum { EXPIRE_OPTION_SIZE = 8 };
struct slice expire_option_write(uint8_t out[EXPIRE_OPTION_SIZE], uint32_t expire_s);
/* The value of EXPIRE in a reply. False: none, or not four octets. */
bool expire_option_read(const struct edns *edns, uint32_t *out_expire_s);
/* TCP keepalive (RFC 7828 3.1), in tenths of a second on the wire: 6 octets into `out`. */
enum { KEEPALIVE_OPTION_SIZE = 6 };
struct slice keepalive_option_write(uint8_t out[KEEPALIVE_OPTION_SIZE], uint16_t tenths);
/* The time in a reply. False: none, or not two octets. */
bool keepalive_option_read(const struct edns *edns, uint32_t *out_ms);

#endif
