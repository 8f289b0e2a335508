/* SPDX-License-Identifier: BSD-3-Clause */
/* The inside of TLS: contexts, and the session that a stream holds. The only files that see GnuTLS
 * in this room are those that include this one. */
#ifndef NET_TLS_IMPL_H
#define NET_TLS_IMPL_H

#include <gnutls/gnutls.h>
#include <stdatomic.h>
#include <sys/uio.h>

#include "base/address.h"
#include "net/tls.h"

enum { TLS_DIGEST_SIZE = 32, TLS_WARNING_SIZE = 320 };

struct tls_context {
    _Atomic unsigned references;
    bool is_client;
    bool session_tickets;
    bool ephemeral;
    bool asks_certificate; /* server: of clients */
    bool checks_chain;     /* CA, dates, purpose; client: the name too */
    char *name;
    char *ca_file;         /* NULL: the system's */
    char *remote_hostname; /* or NULL */
    char *versions;        /* for messages: "TLSv1.3" */
    uint8_t (*pins)[TLS_PIN_SIZE];
    size_t pin_count;
    uint8_t digest[TLS_DIGEST_SIZE]; /* of all it was made of */
    char warning[TLS_WARNING_SIZE];
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priority;
    gnutls_dh_params_t dh_params;
    gnutls_datum_t ticket_key; /* server */
};

/* tls_priority.c: GnuTLS's priority string. ERR_FORMAT names the word in `ciphers`. */
struct text;
MUST_CHECK enum result tls_priority_write(const struct tls_options *options, struct text *out,
                                          struct error *err);

struct tls_session {
    gnutls_session_t gnutls;
    struct tls_context *context; /* a reference */
    struct tls_memory *memory;   /* client; may be NULL */
    int fd;
    struct address peer;
    bool established;
    bool starved; /* the kernel had nothing more to read */
    bool ended;   /* ... and never will */
    int pull_errno;
    /* What came and GnuTLS has not taken; what it made and the kernel has not taken. */
    uint8_t *in, *out;
    size_t in_at, in_size;
    size_t out_at, out_size, out_capacity;
    size_t unsent; /* octets of the owner that `out` carries */
    struct error failure;
    struct tls_info info;
    uint8_t *names;
};

/* `fd` is connected and stays the caller's; `memory` may be NULL. */
struct tls_session *tls_session_new(struct tls_context *context, int fd, const struct address *peer,
                                    struct tls_memory *memory);
/* Says good-bye where the kernel takes it at once. NULL is fine. */
void tls_session_free(struct tls_session *session);

enum tls_progress { TLS_READY, TLS_WAITING, TLS_FAILED };
/* One step of the handshake. FAILED: see `failure`. */
enum tls_progress tls_session_handshake(struct tls_session *session);
/* As read(2), sendmsg(2): -1 with errno EAGAIN, or EPROTO where `failure` says more. A write that
 * returns 0 moved something and has nothing of the owner's to report yet. */
ssize_t tls_session_read(struct tls_session *session, void *out, size_t size);
ssize_t tls_session_write(struct tls_session *session, const struct iovec *vectors, int count);
/* There is something to read without asking the kernel; to write without the owner. */
bool tls_session_has_input(const struct tls_session *session);
bool tls_session_has_output(const struct tls_session *session);
/* Queues the end of our direction (close_notify). */
void tls_session_finish(struct tls_session *session);

/* tls_verify.c: the certificate of the peer, within the handshake; as GnuTLS wants it, 0 or -1 with
 * `failure` set. */
int tls_verify_peer(gnutls_session_t gnutls);
/* The names of the peer's certificate into the session's info. */
void tls_collect_names(struct tls_session *session);
/* The handshake failed with `code` because there is no version of TLS in common: GnuTLS looks for
 * ciphers first, and finds none. */
bool tls_lacks_version(const struct tls_session *session, int code);
/* Fills in `failure` from what GnuTLS returned. */
void tls_explain(struct tls_session *session, int code);

#endif
