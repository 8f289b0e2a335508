/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A `tls` block with its files read: GnuTLS credentials, priorities, and what the verification needs
 * to know. Immutable once made, so threads share it without locks; GnuTLS only reads credentials
 * during handshakes.
 *
 * Files are read here, not by GnuTLS: errors then say which file and why, and the digest over all of
 * them tells at a reload whether anything changed. Where nothing did, the old context lives on, with
 * its key for session tickets.
 *
 * A server that asks for client certificates gives no tickets: a resumed session would come without
 * the certificate that decides who may do what.
 */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "net/tls_impl.h"

enum {
    FILE_MAX_BYTES = 4 << 20,
    SOON_S = 14 * 86400,
    DAY_S = 86400,
    EPHEMERAL_DAYS = 3650,
    SERIAL_SIZE = 16,
};

struct files {
    struct text cert, key, ca, dhparam;
};

static enum result read_file(const char *what, const char *path, struct text *out,
                             struct error *err)
{
    if (path == NULL) {
        return OK;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        error_set_os(err, ERR_IO, "cannot read %s %s", what, path);
        if (fd >= 0) {
            close(fd);
        }
        return ERR_IO;
    }
    if (S_ISREG(status.st_mode) && status.st_size > 0 && status.st_size <= FILE_MAX_BYTES) {
        /* In one piece, so that growing leaves no copy of a key behind. */
        out->capacity = (size_t)status.st_size + 1;
        out->bytes = memory_new(out->capacity);
        out->bytes[0] = '\0';
    }
    char buffer[8192];
    ssize_t got = 0;
    while (S_ISREG(status.st_mode) && out->size <= FILE_MAX_BYTES &&
           (got = read(fd, buffer, sizeof(buffer))) > 0) {
        text_add(out, buffer, (size_t)got);
    }
    enum result result = OK;
    if (got < 0) {
        result = error_set_os(err, ERR_IO, "cannot read %s %s", what, path);
    } else if (!S_ISREG(status.st_mode) || out->size == 0 || out->size > FILE_MAX_BYTES) {
        result = error_set(err, ERR_FORMAT, "%s %s is %s", what, path,
                           !S_ISREG(status.st_mode) ? "no regular file"
                           : out->size == 0         ? "empty"
                                                    : "too large");
    }
    close(fd);
    explicit_bzero(buffer, sizeof(buffer));
    return result;
}

static enum result read_files(const struct tls_options *options, struct files *files,
                              struct error *err)
{
    enum result result = read_file("cert-file", options->cert_file, &files->cert, err);
    result = result == OK ? read_file("key-file", options->key_file, &files->key, err) : result;
    result = result == OK ? read_file("ca-file", options->ca_file, &files->ca, err) : result;
    return result == OK ? read_file("dhparam-file", options->dhparam_file, &files->dhparam, err)
                        : result;
}

static void files_deinit(struct files *files)
{
    if (files->key.bytes != NULL) {
        explicit_bzero(files->key.bytes, files->key.capacity);
    }
    text_deinit(&files->cert);
    text_deinit(&files->key);
    text_deinit(&files->ca);
    text_deinit(&files->dhparam);
}

/* Each part behind its size, so that no two ways of cutting look alike. */
static void hash_part(gnutls_hash_hd_t hash, const void *bytes, size_t size)
{
    gnutls_hash(hash, &size, sizeof(size));
    if (size != 0) {
        gnutls_hash(hash, bytes, size);
    }
}

static void hash_text(gnutls_hash_hd_t hash, const char *text)
{
    hash_part(hash, text == NULL ? "" : text, text == NULL ? 0 : strlen(text) + 1);
}

static enum result make_digest(const struct tls_options *options, const struct files *files,
                               uint8_t *out, struct error *err)
{
    gnutls_hash_hd_t hash;
    if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) != 0) {
        return error_set(err, ERR_IO, "GnuTLS has no SHA-256");
    }
    const uint8_t flags[] = {options->is_client,
                             options->ephemeral,
                             options->tls12,
                             options->tls13,
                             options->prefer_server_ciphers,
                             options->session_tickets};
    hash_part(hash, flags, sizeof(flags));
    hash_text(hash, options->name);
    hash_text(hash, options->remote_hostname);
    hash_text(hash, options->ciphers);
    hash_text(hash, options->ca_file);
    hash_part(hash, options->pins, options->pin_count * TLS_PIN_SIZE);
    hash_part(hash, files->cert.bytes, files->cert.size);
    hash_part(hash, files->key.bytes, files->key.size);
    hash_part(hash, files->ca.bytes, files->ca.size);
    hash_part(hash, files->dhparam.bytes, files->dhparam.size);
    gnutls_hash_deinit(hash, out);
    return OK;
}

/* ---- what GnuTLS takes ---- */

static enum result failed(struct error *err, int code, const char *what, const char *path)
{
    return error_set(err, ERR_FORMAT, "%s%s%s: %s", what, path == NULL ? "" : " ",
                     path == NULL ? "" : path, gnutls_strerror(code));
}

static gnutls_datum_t datum_of(const struct text *text)
{
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)text->bytes, (unsigned)text->size};
}

static enum result make_ephemeral(struct tls_context *context, struct error *err)
{
    gnutls_x509_privkey_t key = NULL;
    gnutls_x509_crt_t crt = NULL;
    uint8_t serial[SERIAL_SIZE];
    static const char name[] = "ephemeral.lockstep.invalid";
    time_t now = (time_t)clock_wall_s();
    int code = gnutls_x509_privkey_init(&key);
    code = code == 0 ? gnutls_x509_crt_init(&crt) : code;
    code = code == 0
               ? gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                              GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0)
               : code;
    code = code == 0 ? gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial)) : code;
    serial[0] &= 0x7f;
    code = code == 0 ? gnutls_x509_crt_set_version(crt, 3) : code;
    code = code == 0 ? gnutls_x509_crt_set_serial(crt, serial, sizeof(serial)) : code;
    code = code == 0 ? gnutls_x509_crt_set_activation_time(crt, now - DAY_S) : code;
    code = code == 0
               ? gnutls_x509_crt_set_expiration_time(crt, now + (time_t)EPHEMERAL_DAYS * DAY_S)
               : code;
    code = code == 0 ? gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                                     sizeof(name) - 1)
                     : code;
    code = code == 0 ? gnutls_x509_crt_set_key(crt, key) : code;
    code = code == 0 ? gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) : code;
    code = code == 0 ? gnutls_certificate_set_x509_key(context->credentials, &crt, 1, key) : code;
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
    return code == 0 ? OK : failed(err, code, "cannot make an ephemeral certificate", NULL);
}

static enum result load_key(struct tls_context *context, const struct tls_options *options,
                            const struct files *files, struct error *err)
{
    if (options->cert_file == NULL) {
        return OK;
    }
    gnutls_datum_t cert = datum_of(&files->cert), key = datum_of(&files->key);
    int code = gnutls_certificate_set_x509_key_mem2(context->credentials, &cert, &key,
                                                    GNUTLS_X509_FMT_PEM, NULL, 0);
    if (code >= 0) {
        return OK;
    }
    if (code == GNUTLS_E_CERTIFICATE_KEY_MISMATCH) {
        return error_set(err, ERR_FORMAT, "key-file %s is not the key of the certificate in %s",
                         options->key_file, options->cert_file);
    }
    gnutls_x509_crt_t *list = NULL;
    unsigned count = 0;
    bool cert_good =
        gnutls_x509_crt_list_import2(&list, &count, &cert, GNUTLS_X509_FMT_PEM, 0) >= 0;
    for (unsigned i = 0; cert_good && i < count; i++) {
        gnutls_x509_crt_deinit(list[i]);
    }
    gnutls_free(list);
    return failed(err, code, cert_good ? "key-file" : "cert-file",
                  cert_good ? options->key_file : options->cert_file);
}

static enum result load_ca(struct tls_context *context, const struct tls_options *options,
                           const struct files *files, struct error *err)
{
    if (options->ca_file != NULL) {
        gnutls_datum_t ca = datum_of(&files->ca);
        int code =
            gnutls_certificate_set_x509_trust_mem(context->credentials, &ca, GNUTLS_X509_FMT_PEM);
        if (code <= 0) {
            return failed(err, code == 0 ? GNUTLS_E_NO_CERTIFICATE_FOUND : code, "ca-file",
                          options->ca_file);
        }
    } else if (context->checks_chain) {
        int code = gnutls_certificate_set_x509_system_trust(context->credentials);
        if (code < 0) {
            return failed(err, code, "the system's CAs cannot be had; give ca-file", NULL);
        }
    }
    return OK;
}

/* For TLS 1.2; GnuTLS chooses groups of RFC 7919 by itself where none is given. */
static enum result load_dhparam(struct tls_context *context, const struct tls_options *options,
                                const struct files *files, struct error *err)
{
    if (options->dhparam_file == NULL || options->is_client) {
        return OK;
    }
    gnutls_datum_t pem = datum_of(&files->dhparam);
    int code = gnutls_dh_params_init(&context->dh_params);
    code = code == 0 ? gnutls_dh_params_import_pkcs3(context->dh_params, &pem, GNUTLS_X509_FMT_PEM)
                     : code;
    if (code != 0) {
        return failed(err, code, "dhparam-file", options->dhparam_file);
    }
    gnutls_certificate_set_dh_params(context->credentials, context->dh_params);
    return OK;
}

static enum result set_priority(struct tls_context *context, const struct tls_options *options,
                                struct error *err)
{
    struct text priority;
    text_init(&priority, 0);
    enum result result = tls_priority_write(options, &priority, err);
    if (result == OK) {
        int code = gnutls_priority_init2(&context->priority, text_str(&priority), NULL, 0);
        result = code == 0 ? OK : failed(err, code, "protocols and ciphers", NULL);
    }
    text_deinit(&priority);
    return result;
}

/* ---- what works and is dangerous ---- */

static void warn_of_file_mode(struct tls_context *context, const struct tls_options *options)
{
    struct stat status;
    if (options->key_file != NULL && stat(options->key_file, &status) == 0 &&
        (status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        snprintf(context->warning, sizeof(context->warning),
                 "everybody can %s key-file %s; chmod o-rwx it, and think of the key as known",
                 (status.st_mode & S_IROTH) != 0 ? "read" : "write", options->key_file);
    }
}

static void warn_of_end(struct tls_context *context, const struct tls_options *options)
{
    gnutls_x509_crt_t *certs = NULL;
    unsigned count = 0;
    if (options->cert_file == NULL || context->warning[0] != '\0' ||
        gnutls_certificate_get_x509_crt(context->credentials, 0, &certs, &count) != 0) {
        return;
    }
    time_t end = count == 0 ? 0 : gnutls_x509_crt_get_expiration_time(certs[0]);
    int64_t left_s = (int64_t)end - clock_wall_s();
    struct tm when;
    char date[32];
    if (count != 0 && left_s < SOON_S && gmtime_r(&end, &when) != NULL) {
        strftime(date, sizeof(date), "%F", &when);
        snprintf(context->warning, sizeof(context->warning),
                 left_s < 0 ? "the certificate in %s expired on %s; peers that check it will refuse"
                            : "the certificate in %s expires on %s",
                 options->cert_file, date);
    }
    for (unsigned i = 0; i < count; i++) {
        gnutls_x509_crt_deinit(certs[i]);
    }
    gnutls_free(certs);
}

/* ---- making one ---- */

static enum result fill(struct tls_context *context, const struct tls_options *options,
                        const struct files *files, struct error *err)
{
    if (gnutls_certificate_allocate_credentials(&context->credentials) != 0) {
        return error_set(err, ERR_IO, "GnuTLS gives no credentials");
    }
    enum result result = set_priority(context, options, err);
    result = result == OK ? load_ca(context, options, files, err) : result;
    result = result == OK ? load_dhparam(context, options, files, err) : result;
    result = result == OK ? load_key(context, options, files, err) : result;
    if (result == OK && options->ephemeral && !options->is_client) {
        result = make_ephemeral(context, err);
    }
    if (result == OK && !options->is_client && options->cert_file == NULL && !options->ephemeral) {
        result = error_set(err, ERR_FORMAT,
                           "to listen, a `tls` block needs cert-file and key-file (or take the "
                           "built-in `ephemeral`)");
    }
    if (result == OK && !context->is_client && context->session_tickets &&
        gnutls_session_ticket_key_generate(&context->ticket_key) != 0) {
        result = error_set(err, ERR_IO, "cannot make a key for session tickets");
    }
    return result;
}

static char *copy(const char *text)
{
    return text == NULL ? NULL : memory_strdup(text);
}

enum result tls_context_new(const struct tls_options *options, struct tls_context *old,
                            struct tls_context **out, struct error *err)
{
    struct files files = {0};
    uint8_t digest[TLS_DIGEST_SIZE];
    text_init(&files.cert, 0);
    text_init(&files.key, 0);
    text_init(&files.ca, 0);
    text_init(&files.dhparam, 0);
    struct tls_context *context = NULL;
    enum result result = read_files(options, &files, err);
    result = result == OK ? make_digest(options, &files, digest, err) : result;
    if (result == OK && old != NULL && memcmp(old->digest, digest, sizeof(digest)) == 0) {
        context = tls_context_ref(old);
    } else if (result == OK) {
        context = memory_new_zeroed(1, sizeof(*context));
        atomic_init(&context->references, 1);
        memcpy(context->digest, digest, sizeof(digest));
        context->is_client = options->is_client;
        context->ephemeral = options->ephemeral;
        context->name = copy(options->name);
        context->ca_file = copy(options->ca_file);
        context->remote_hostname = copy(options->is_client ? options->remote_hostname : NULL);
        context->versions = copy(!options->tls12   ? "TLSv1.3"
                                 : !options->tls13 ? "TLSv1.2"
                                                   : "TLSv1.2 and TLSv1.3");
        context->asks_certificate =
            !options->is_client && (options->ca_file != NULL || options->pin_count != 0);
        context->checks_chain =
            options->ca_file != NULL ||
            (options->is_client && options->remote_hostname != NULL && options->pin_count == 0);
        context->session_tickets = options->session_tickets && !context->asks_certificate;
        context->pins = memory_new(options->pin_count * TLS_PIN_SIZE + 1);
        context->pin_count = options->pin_count;
        if (options->pin_count != 0) {
            memcpy(context->pins, options->pins, options->pin_count * TLS_PIN_SIZE);
        }
        result = fill(context, options, &files, err);
        if (result == OK) {
            warn_of_file_mode(context, options);
            warn_of_end(context, options);
        } else {
            tls_context_unref(context);
        }
    }
    files_deinit(&files);
    if (result == OK) {
        *out = context;
    }
    return result;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    if (context != NULL) {
        atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    }
    return context;
}

void tls_context_unref(struct tls_context *context)
{
    if (context == NULL ||
        atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (context->credentials != NULL) {
        gnutls_certificate_free_credentials(context->credentials);
    }
    if (context->priority != NULL) {
        gnutls_priority_deinit(context->priority);
    }
    if (context->dh_params != NULL) {
        gnutls_dh_params_deinit(context->dh_params);
    }
    if (context->ticket_key.data != NULL) {
        explicit_bzero(context->ticket_key.data, context->ticket_key.size);
        gnutls_free(context->ticket_key.data);
    }
    memory_free(context->name);
    memory_free(context->ca_file);
    memory_free(context->remote_hostname);
    memory_free(context->versions);
    memory_free(context->pins);
    memory_free(context);
}

const char *tls_context_name(const struct tls_context *context)
{
    return context->name;
}

const char *tls_context_warning(const struct tls_context *context)
{
    return context->warning[0] == '\0' ? NULL : context->warning;
}

void tls_memory_clear(struct tls_memory *memory)
{
    if (memory->ticket != NULL) {
        explicit_bzero(memory->ticket, memory->ticket_size);
        memory_free(memory->ticket);
    }
    tls_context_unref(memory->context);
    *memory = (struct tls_memory){0};
}
