/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TLS for streams (RFC 7858, 8310, 9103), by GnuTLS. A context is what a `tls` block says, its
 * files read: immutable, counted, shared by any number of threads. A stream that is given one (see
 * stream_options) speaks TLS with the ALPN token `dot`.
 *
 * A context for servers has a certificate; with `ca_file` or `pins` clients must show one of their
 * own that passes. A context for clients checks the server's: by `ca_file` and name (the peer's
 * address where no name is given), by the system's CAs where there is a name alone, by pin, by all
 * that are given; where none is, any certificate will do (opportunistic, RFC 8310 5).
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/slice.h"

enum { TLS_PIN_SIZE = 32 };

struct tls_context;

struct tls_options {
    const char *name; /* of the block, for messages */
    bool is_client;
    bool ephemeral; /* server: a key and a certificate made here */
    /* Paths in PEM; NULL: none. A certificate file may hold its chain, leaf first. */
    const char *cert_file, *key_file, *ca_file, *dhparam_file;
    const char *remote_hostname; /* client; NULL: none */
    const char *ciphers;         /* for TLS 1.2, in OpenSSL's words; NULL: all that are good */
    const uint8_t (*pins)[TLS_PIN_SIZE]; /* SHA-256 of a SubjectPublicKeyInfo (RFC 7858 4.2) */
    size_t pin_count;
    bool tls12, tls13;
    bool prefer_server_ciphers;
    bool session_tickets;
};

/*
 * Reads the files. Where `old` (may be NULL) was made of the same, byte for byte, a reference on
 * that is given instead, so that what was agreed under it (tickets, connections) stays good.
 * ERR_IO      a file cannot be read; the sentence names it
 * ERR_FORMAT  what is in it, or a cipher's name, is not good
 */
MUST_CHECK enum result tls_context_new(const struct tls_options *options, struct tls_context *old,
                                       struct tls_context **out, struct error *err);
struct tls_context *tls_context_ref(struct tls_context *context); /* NULL is fine for both */
void tls_context_unref(struct tls_context *context);
const char *tls_context_name(const struct tls_context *context);
/* Something that works and is dangerous (a key file that everybody can read, a certificate that
 * ends soon), or NULL. */
const char *tls_context_warning(const struct tls_context *context);

/* What a client remembers of one server, to come in quicker next time. Owned by one thread; starts
 * zeroed. */
struct tls_memory {
    uint8_t *ticket;
    size_t ticket_size;
    struct tls_context *context; /* a reference: the ticket was given under it */
};
void tls_memory_clear(struct tls_memory *memory);

/* How an established stream is secured; borrowed from it. */
struct tls_info {
    const char *protocol; /* "TLS1.3" */
    const char *cipher;   /* "AES-256-GCM" */
    bool resumed;
    bool verified;      /* the peer's certificate passed what the context asks */
    bool is_dot;        /* ALPN `dot` was agreed on */
    struct slice names; /* of the peer's verified certificate, each with a NUL behind it */
};

#endif
