/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Is the peer who it should be, and if not, what exactly is wrong: expiry, name, CA, pin, purpose,
 * protocol, ALPN. An operator who reads "certificate verification failed" has to take the rest out of
 * a packet dump; so each check is made by itself and has its own sentence.
 *
 * A resumed session (RFC 8446 2.2) comes without certificates; it was checked when its ticket was
 * given, under the same context, else there is no ticket (struct tls_memory).
 */
#include <gnutls/x509.h>
#include <stdio.h>
#include <time.h>

#include "base/encode.h"
#include "base/memory.h"
#include "base/text.h"
#include "net/tls_impl.h"

enum { NAMES_MAX = 64, NAME_MAX_SIZE = 256, DN_SIZE = 160, PIN_TEXT_SIZE = 45 };

static int refuse(struct tls_session *s, const char *format, ...) PRINTF_LIKE(2, 3);

static int refuse(struct tls_session *s, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    error_set(&s->failure, ERR_BAD_AUTH, "TLS: certificate of the %s: %s",
              s->context->is_client ? "server" : "client", text);
    return -1;
}

static const char *date_of(time_t time, char out[32])
{
    struct tm when;
    if (time == (time_t)-1 || gmtime_r(&time, &when) == NULL) {
        return "an unknown date";
    }
    strftime(out, 32, "%F %T UTC", &when);
    return out;
}

/* Names come from the peer: nothing but plain characters goes into a log. */
static void clean(char *text)
{
    for (char *p = text; *p != '\0'; p++) {
        if (*p < ' ' || *p > '~' || *p == '`') {
            *p = '?';
        }
    }
}

static const char *subject_of(gnutls_x509_crt_t crt, bool issuer, char out[DN_SIZE])
{
    size_t size = DN_SIZE;
    int code = issuer ? gnutls_x509_crt_get_issuer_dn(crt, out, &size)
                      : gnutls_x509_crt_get_dn(crt, out, &size);
    if (code != 0) {
        snprintf(out, DN_SIZE, "?");
    }
    clean(out);
    return out;
}

/* The first name it is made out to; the subject where there is none. */
static const char *name_of(gnutls_x509_crt_t crt, char out[DN_SIZE])
{
    size_t size = DN_SIZE;
    if (gnutls_x509_crt_get_subject_alt_name(crt, 0, out, &size, NULL) == GNUTLS_SAN_DNSNAME) {
        out[size < DN_SIZE ? size : DN_SIZE - 1] = '\0';
        clean(out);
        return out;
    }
    return subject_of(crt, false, out);
}

static int check_pin(struct tls_session *s, gnutls_x509_crt_t crt)
{
    uint8_t pin[TLS_PIN_SIZE];
    size_t size = sizeof(pin);
    char text[PIN_TEXT_SIZE];
    if (s->context->pin_count == 0) {
        return 0;
    }
    if (gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, pin, &size) != 0 ||
        size != sizeof(pin)) {
        return refuse(s, "its key cannot be read");
    }
    for (size_t i = 0; i < s->context->pin_count; i++) {
        if (memcmp(s->context->pins[i], pin, sizeof(pin)) == 0) {
            return 0;
        }
    }
    text[base64_encode(slice_of(pin, sizeof(pin)), text)] = '\0';
    return refuse(s, "its key has the pin \"%s\", which `tls` block `%s` does not have", text,
                  s->context->name);
}

static int explain_chain(struct tls_session *s, gnutls_x509_crt_t crt, unsigned status)
{
    char name[DN_SIZE], issuer[DN_SIZE], date[32];
    const char *ca = s->context->ca_file == NULL ? "the system's CAs" : s->context->ca_file;
    name_of(crt, name);
    if ((status & GNUTLS_CERT_NOT_ACTIVATED) != 0) {
        return refuse(s, "`%s` is valid from %s only", name,
                      date_of(gnutls_x509_crt_get_activation_time(crt), date));
    }
    if ((status & GNUTLS_CERT_EXPIRED) != 0) {
        return refuse(s, "`%s` expired on %s", name,
                      date_of(gnutls_x509_crt_get_expiration_time(crt), date));
    }
    if ((status & GNUTLS_CERT_SIGNER_NOT_FOUND) != 0) {
        return refuse(s, "`%s` is signed by `%s`, which is no CA of %s", name,
                      subject_of(crt, true, issuer), ca);
    }
    if ((status & GNUTLS_CERT_PURPOSE_MISMATCH) != 0) {
        return refuse(s, "`%s` is not meant for a TLS %s", name,
                      s->context->is_client ? "server" : "client");
    }
    if ((status & GNUTLS_CERT_REVOKED) != 0) {
        return refuse(s, "`%s` is revoked", name);
    }
    if ((status & GNUTLS_CERT_INSECURE_ALGORITHM) != 0) {
        return refuse(s, "`%s` is signed by an algorithm that is too weak", name);
    }
    gnutls_datum_t said = {0};
    (void)gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &said, 0);
    int result = refuse(s, "`%s` does not verify by %s: %s", name, ca,
                        said.data == NULL ? "unknown reason" : (const char *)said.data);
    gnutls_free(said.data);
    return result;
}

static int check_name(struct tls_session *s, gnutls_x509_crt_t crt)
{
    char address[ADDRESS_TEXT_SIZE], name[DN_SIZE];
    if (!s->context->is_client) {
        return 0;
    }
    const char *wanted = s->context->remote_hostname;
    if (wanted == NULL) {
        wanted = address_format(&s->peer, false, address);
    }
    /* Tells addresses from names by itself. */
    if (gnutls_x509_crt_check_hostname2(crt, wanted, 0) != 0) {
        return 0;
    }
    return refuse(s, "it is for `%s`, not for `%s` (%s)", name_of(crt, name), wanted,
                  s->context->remote_hostname != NULL
                      ? "remote-hostname"
                      : "its address, as remote-hostname is not set");
}

static int check_chain(struct tls_session *s, gnutls_x509_crt_t crt)
{
    gnutls_typed_vdata_st purpose = {
        .type = GNUTLS_DT_KEY_PURPOSE_OID,
        .data = (unsigned char *)(uintptr_t)(s->context->is_client ? GNUTLS_KP_TLS_WWW_SERVER
                                                                   : GNUTLS_KP_TLS_WWW_CLIENT),
    };
    unsigned status = 0;
    if (!s->context->checks_chain) {
        return 0;
    }
    int code = gnutls_certificate_verify_peers(s->gnutls, &purpose, 1, &status);
    if (code != 0) {
        return refuse(s, "it cannot be checked: %s", gnutls_strerror(code));
    }
    return status != 0 ? explain_chain(s, crt, status) : check_name(s, crt);
}

int tls_verify_peer(gnutls_session_t gnutls)
{
    struct tls_session *s = gnutls_session_get_ptr(gnutls);
    const struct tls_context *context = s->context;
    if (!context->checks_chain && context->pin_count == 0) {
        return 0;
    }
    unsigned count = 0;
    const gnutls_datum_t *list = gnutls_certificate_get_peers(gnutls, &count);
    gnutls_x509_crt_t crt = NULL;
    if (list == NULL || count == 0) {
        return refuse(s, "it showed none%s",
                      context->is_client ? "" : ", and this listener asks for one");
    }
    int result = -1;
    if (gnutls_x509_crt_init(&crt) != 0 ||
        gnutls_x509_crt_import(crt, &list[0], GNUTLS_X509_FMT_DER) != 0) {
        refuse(s, "it cannot be read");
    } else {
        result = check_pin(s, crt);
        result = result == 0 ? check_chain(s, crt) : result;
        /* A pin says whose key it is; a name beside it still has to be that of the certificate. */
        if (result == 0 && !context->checks_chain && context->remote_hostname != NULL) {
            result = check_name(s, crt);
        }
    }
    gnutls_x509_crt_deinit(crt);
    return result;
}

/* Its DNS names; the common name counts where it has none of those, as of old. */
void tls_collect_names(struct tls_session *s)
{
    unsigned count = 0;
    const gnutls_datum_t *list = gnutls_certificate_get_peers(s->gnutls, &count);
    gnutls_x509_crt_t crt = NULL;
    if (list == NULL || count == 0 || gnutls_x509_crt_init(&crt) != 0) {
        return;
    }
    struct text names;
    text_init(&names, (size_t)NAMES_MAX * NAME_MAX_SIZE);
    char name[NAME_MAX_SIZE];
    int kind = gnutls_x509_crt_import(crt, &list[0], GNUTLS_X509_FMT_DER);
    for (unsigned i = 0; kind >= 0 && i < NAMES_MAX; i++) {
        size_t size = sizeof(name);
        kind = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &size, NULL);
        if (kind == GNUTLS_E_SHORT_MEMORY_BUFFER) {
            kind = 0;
        } else if (kind == GNUTLS_SAN_DNSNAME && size < sizeof(name) &&
                   memchr(name, '\0', size) == NULL) {
            text_add(&names, name, size);
            text_add_char(&names, '\0');
        }
    }
    size_t size = sizeof(name);
    if (names.size == 0 &&
        gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size) == 0 &&
        size < sizeof(name) && memchr(name, '\0', size) == NULL) {
        text_add(&names, name, size);
        text_add_char(&names, '\0');
    }
    gnutls_x509_crt_deinit(crt);
    if (names.size != 0) {
        s->names = memory_new(names.size);
        memcpy(s->names, names.bytes, names.size);
        s->info.names = slice_of(s->names, names.size);
    }
    text_deinit(&names);
}

/* ---- what GnuTLS says, for people ---- */

static const char *alert_meaning(gnutls_alert_description_t alert, bool is_client)
{
    switch ((int)alert) {
    case GNUTLS_A_BAD_CERTIFICATE:
    case GNUTLS_A_UNSUPPORTED_CERTIFICATE:
    case GNUTLS_A_CERTIFICATE_REVOKED:
    case GNUTLS_A_CERTIFICATE_UNKNOWN:
    case GNUTLS_A_ACCESS_DENIED:
        return "it does not accept our certificate";
    case GNUTLS_A_CERTIFICATE_EXPIRED:
        return "our certificate has expired, it says";
    case GNUTLS_A_UNKNOWN_CA:
        return "it does not know the CA of our certificate";
    case GNUTLS_A_CERTIFICATE_REQUIRED:
        return "it asks for a client certificate: give cert-file and key-file in the `tls` block";
    case GNUTLS_A_NO_APPLICATION_PROTOCOL:
        return "ALPN: it does not know `dot`";
    case GNUTLS_A_PROTOCOL_VERSION:
        return "protocol: it speaks none of the versions of TLS that we allow";
    case GNUTLS_A_HANDSHAKE_FAILURE:
    case GNUTLS_A_INSUFFICIENT_SECURITY:
        return is_client ? "it finds no cipher in common, or asks for a client certificate"
                         : "it finds no cipher in common";
    default:
        return NULL;
    }
}

static void explain_alert(struct tls_session *s)
{
    gnutls_alert_description_t alert = gnutls_alert_get(s->gnutls);
    const char *meaning = alert_meaning(alert, s->context->is_client);
    const char *name = gnutls_alert_get_name(alert);
    error_set(&s->failure, meaning != NULL ? ERR_BAD_AUTH : ERR_FORMAT,
              "TLS: the peer ended it: %s (alert %d)",
              meaning != NULL ? meaning
              : name != NULL  ? name
                              : "unknown reason",
              (int)alert);
}

bool tls_lacks_version(const struct tls_session *s, int code)
{
    return code == GNUTLS_E_UNSUPPORTED_VERSION_PACKET ||
           (code == GNUTLS_E_NO_CIPHER_SUITES && strcmp(s->context->versions, "TLSv1.3") == 0 &&
            gnutls_protocol_get_version(s->gnutls) != GNUTLS_TLS1_3);
}

void tls_explain(struct tls_session *s, int code)
{
    const struct tls_context *context = s->context;
    if (s->failure.code != OK) {
        return; /* the verification has told */
    }
    if (tls_lacks_version(s, code)) {
        error_set(&s->failure, ERR_BAD_AUTH,
                  "TLS: protocol: the peer speaks no version that `tls` block `%s` allows (%s)",
                  context->name, context->versions);
        return;
    }
    switch (code) {
    case GNUTLS_E_FATAL_ALERT_RECEIVED:
        explain_alert(s);
        return;
    case GNUTLS_E_NO_CIPHER_SUITES:
    case GNUTLS_E_NO_COMMON_KEY_SHARE:
    case GNUTLS_E_INSUFFICIENT_SECURITY:
        error_set(&s->failure, ERR_BAD_AUTH, "TLS: no cipher in common with the peer");
        return;
    case GNUTLS_E_NO_APPLICATION_PROTOCOL:
        error_set(&s->failure, ERR_BAD_AUTH, "TLS: ALPN: the peer does not offer `dot`");
        return;
    case GNUTLS_E_NO_CERTIFICATE_FOUND:
    case GNUTLS_E_CERTIFICATE_REQUIRED:
        refuse(s, "it showed none%s", context->is_client ? "" : ", and this listener asks for one");
        return;
    case GNUTLS_E_UNEXPECTED_PACKET:
    case GNUTLS_E_UNEXPECTED_PACKET_LENGTH:
    case GNUTLS_E_RECORD_OVERFLOW:
    case GNUTLS_E_UNKNOWN_PK_ALGORITHM:
        if (!s->established) {
            error_set(&s->failure, ERR_FORMAT, "TLS: what the peer sends is not TLS");
            return;
        }
        break;
    case GNUTLS_E_PREMATURE_TERMINATION:
    case GNUTLS_E_PULL_ERROR:
    case GNUTLS_E_PUSH_ERROR:
        error_set(&s->failure, ERR_CLOSED,
                  s->established ? "the peer closed the connection"
                                 : "the peer closed the connection during the TLS handshake");
        return;
    default:
        break;
    }
    error_set(&s->failure, ERR_FORMAT, "TLS: %s: %s",
              s->established ? "connection broken" : "handshake failed", gnutls_strerror(code));
}
