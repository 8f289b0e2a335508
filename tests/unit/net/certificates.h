/* SPDX-License-Identifier: BSD-3-Clause */
/* Certificates for tests: made on the spot, written to a folder as PEM. */
#ifndef TEST_CERTIFICATES_H
#define TEST_CERTIFICATES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct authority {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
};

struct certificate_wish {
    const char *name;    /* DNS name */
    const char *address; /* IP address, or NULL */
    int from_days, to_days;
};

static gnutls_x509_privkey_t certificate_key(void)
{
    gnutls_x509_privkey_t key;
    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_generate(
                         key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    return key;
}

static gnutls_x509_crt_t certificate_begin(gnutls_x509_privkey_t key, const char *name, int from,
                                           int to)
{
    static uint8_t serial = 1;
    gnutls_x509_crt_t crt;
    assert_int_equal(gnutls_x509_crt_init(&crt), 0);
    assert_int_equal(gnutls_x509_crt_set_version(crt, 3), 0);
    serial++;
    assert_int_equal(gnutls_x509_crt_set_serial(crt, &serial, 1), 0);
    assert_int_equal(gnutls_x509_crt_set_activation_time(crt, time(NULL) + from * 86400), 0);
    assert_int_equal(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + to * 86400), 0);
    assert_int_equal(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                                   (unsigned)strlen(name)),
                     0);
    assert_int_equal(gnutls_x509_crt_set_key(crt, key), 0);
    return crt;
}

static void authority_init(struct authority *ca, const char *name)
{
    ca->key = certificate_key();
    ca->crt = certificate_begin(ca->key, name, -1, 365);
    assert_int_equal(gnutls_x509_crt_set_ca_status(ca->crt, 1), 0);
    assert_int_equal(
        gnutls_x509_crt_set_key_usage(ca->crt, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN), 0);
    assert_int_equal(gnutls_x509_crt_sign2(ca->crt, ca->crt, ca->key, GNUTLS_DIG_SHA256, 0), 0);
}

static void authority_deinit(struct authority *ca)
{
    gnutls_x509_crt_deinit(ca->crt);
    gnutls_x509_privkey_deinit(ca->key);
}

static void certificate_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void certificate_export(gnutls_x509_crt_t crt, const char *path)
{
    gnutls_datum_t pem;
    assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
    certificate_write(path, pem.data, pem.size);
    gnutls_free(pem.data);
}

/* FOLDER/WHAT.crt, FOLDER/WHAT.key; `pin` (may be NULL) gets the key's. */
static void certificate_make(const struct authority *ca, const struct certificate_wish *wish,
                             const char *folder, const char *what, uint8_t pin[32])
{
    char path[256];
    gnutls_datum_t pem;
    gnutls_x509_privkey_t key = certificate_key();
    gnutls_x509_crt_t crt = certificate_begin(key, wish->name, wish->from_days, wish->to_days);
    assert_int_equal(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, wish->name,
                                                          (unsigned)strlen(wish->name),
                                                          GNUTLS_FSAN_APPEND),
                     0);
    if (wish->address != NULL) {
        struct in_addr address;
        assert_int_equal(inet_pton(AF_INET, wish->address, &address), 1);
        assert_int_equal(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, &address,
                                                              sizeof(address), GNUTLS_FSAN_APPEND),
                         0);
    }
    assert_int_equal(gnutls_x509_crt_sign2(crt, ca->crt, ca->key, GNUTLS_DIG_SHA256, 0), 0);
    snprintf(path, sizeof(path), "%s/%s.crt", folder, what);
    certificate_export(crt, path);
    assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem), 0);
    snprintf(path, sizeof(path), "%s/%s.key", folder, what);
    certificate_write(path, pem.data, pem.size);
    assert_int_equal(chmod(path, 0600), 0);
    gnutls_free(pem.data);
    if (pin != NULL) {
        size_t size = 32;
        assert_int_equal(gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, pin, &size), 0);
    }
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
}

#endif
