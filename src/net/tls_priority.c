/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Protocols and ciphers as GnuTLS wants them said. Only forward secrecy with authenticated
 * encryption is ever offered. `ciphers` is what BIND hands to OpenSSL for TLS 1.2 (where 1.3 alone is
 * spoken it has no say): names of suites such as ECDHE-RSA-AES256-GCM-SHA384, separated by
 * colons. GnuTLS is told the parts of which they are made. Words for classes (HIGH, !aNULL) select
 * among what is not here anyway, so they mean "all"; a suite that is not here is an error, because
 * an operator who names one suite does not want another.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "net/tls_impl.h"

enum { KEY_ECDHE_RSA = 1, KEY_ECDHE_ECDSA = 2, KEY_DHE_RSA = 4 };
enum { CIPHER_AES128 = 1, CIPHER_AES256 = 2, CIPHER_CHACHA = 4 };
enum { ALL = 7 };

static const struct {
    const char *name;
    unsigned key, cipher;
} suites[] = {
    {"ECDHE-RSA-AES128-GCM-SHA256", KEY_ECDHE_RSA, CIPHER_AES128},
    {"ECDHE-RSA-AES256-GCM-SHA384", KEY_ECDHE_RSA, CIPHER_AES256},
    {"ECDHE-RSA-CHACHA20-POLY1305", KEY_ECDHE_RSA, CIPHER_CHACHA},
    {"ECDHE-ECDSA-AES128-GCM-SHA256", KEY_ECDHE_ECDSA, CIPHER_AES128},
    {"ECDHE-ECDSA-AES256-GCM-SHA384", KEY_ECDHE_ECDSA, CIPHER_AES256},
    {"ECDHE-ECDSA-CHACHA20-POLY1305", KEY_ECDHE_ECDSA, CIPHER_CHACHA},
    {"DHE-RSA-AES128-GCM-SHA256", KEY_DHE_RSA, CIPHER_AES128},
    {"DHE-RSA-AES256-GCM-SHA384", KEY_DHE_RSA, CIPHER_AES256},
    {"DHE-RSA-CHACHA20-POLY1305", KEY_DHE_RSA, CIPHER_CHACHA},
};

static bool is_class(const char *word)
{
    static const char *const classes[] = {"HIGH", "ALL", "DEFAULT", "SECURE"};
    if (word[0] == '!' || word[0] == '-' || word[0] == '+' || word[0] == '@') {
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
        if (strcmp(word, classes[i]) == 0) {
            return true;
        }
    }
    return false;
}

static enum result read_ciphers(const char *text, unsigned *keys, unsigned *ciphers,
                                struct error *err)
{
    unsigned key = 0, cipher = 0;
    while (*text != '\0') {
        char word[64];
        size_t size = strcspn(text, ": ,");
        snprintf(word, sizeof(word), "%.*s", (int)(size < 63 ? size : 63), text);
        text += size;
        text += strspn(text, ": ,");
        bool found = is_class(word) || word[0] == '\0';
        for (size_t i = 0; i < ARRAY_SIZE(suites); i++) {
            if (strcmp(word, suites[i].name) == 0) {
                key |= suites[i].key;
                cipher |= suites[i].cipher;
                found = true;
            }
        }
        if (!found) {
            return error_set(err, ERR_FORMAT,
                             "`ciphers` names `%s`, which is not offered; use names such as %s",
                             word, suites[1].name);
        }
    }
    *keys = key == 0 ? ALL : key;
    *ciphers = cipher == 0 ? ALL : cipher;
    return OK;
}

enum result tls_priority_write(const struct tls_options *options, struct text *out,
                               struct error *err)
{
    unsigned keys = ALL, ciphers = ALL;
    if (options->ciphers != NULL) {
        enum result result = read_ciphers(options->ciphers, &keys, &ciphers, err);
        if (result != OK) {
            return result;
        }
    }
    text_add_str(out, "NORMAL:-VERS-ALL");
    text_add_str(out, options->tls13 ? ":+VERS-TLS1.3" : "");
    text_add_str(out, options->tls12 ? ":+VERS-TLS1.2" : "");
    text_add_str(out, ":-CIPHER-ALL:-KX-ALL");
    if (options->tls13 && !options->tls12) {
        keys = ALL;
        ciphers = ALL; /* `ciphers` has no say in TLS 1.3 */
    }
    text_add_str(out, (ciphers & CIPHER_AES256) != 0 ? ":+AES-256-GCM" : "");
    text_add_str(out, (ciphers & CIPHER_CHACHA) != 0 ? ":+CHACHA20-POLY1305" : "");
    text_add_str(out, (ciphers & CIPHER_AES128) != 0 ? ":+AES-128-GCM" : "");
    text_add_str(out, (keys & KEY_ECDHE_ECDSA) != 0 ? ":+ECDHE-ECDSA" : "");
    text_add_str(out, (keys & KEY_ECDHE_RSA) != 0 ? ":+ECDHE-RSA" : "");
    text_add_str(out, (keys & KEY_DHE_RSA) != 0 ? ":+DHE-RSA" : "");
    text_add_str(out, options->prefer_server_ciphers ? ":%SERVER_PRECEDENCE" : "");
    return OK;
}
