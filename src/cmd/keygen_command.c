/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A TSIG key: a secret as long as the digest (RFC 2104 3: more adds nothing), from the kernel's
 * random numbers, printed as a `key` block that Lockstep and BIND read. With -f the secret goes into
 * a file of its own that only its owner reads, and the block names that. It asks no server.
 */
#include "cmd/keygen_command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/hash.h"
#include "wire/hmac.h"
#include "wire/name.h"
#include "wire/tsig.h"

enum { TEXT_SIZE = (HMAC_MAX_SIZE + 2) / 3 * 4 + 1 };

static const enum hmac_algorithm offered[] = {HMAC_SHA256, HMAC_SHA384, HMAC_SHA512, HMAC_SHA224};

static int usage(void)
{
    fprintf(stderr, "usage: lockstep keygen [-a ALGORITHM] [-f FILE] NAME\n"
                    "  -a  hmac-sha256 (default), hmac-sha384, hmac-sha512 or hmac-sha224\n"
                    "  -f  writes the secret to a new file instead, readable by its owner only\n");
    return 2;
}

static bool find_algorithm(const char *text, enum hmac_algorithm *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(offered); i++) {
        if (strcasecmp(hmac_algorithm_name(offered[i]), text) == 0) {
            *out = offered[i];
            return true;
        }
    }
    return false;
}

static bool write_secret(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool good = fd >= 0 && dprintf(fd, "%s\n", text) == (int)strlen(text) + 1;
    if (!good) {
        fprintf(stderr, "lockstep: cannot write the secret to %s: %s\n", path, strerror(errno));
    }
    if (fd >= 0 && close(fd) != 0) {
        good = false;
    }
    return good;
}

static int print_key(const char *name, enum hmac_algorithm algorithm, const char *file,
                     const char *text)
{
    const char *word = "secret", *value = text;
    if (file != NULL) {
        if (!write_secret(file, text)) {
            return 1;
        }
        word = "secret-file";
        value = file;
    }
    printf("key \"%s\" {\n\talgorithm %s;\n\t%s \"%s\";\n};\n", name,
           hmac_algorithm_name(algorithm), word, value);
    return fflush(stdout) == 0 ? 0 : 1;
}

int keygen_command(int argc, char **argv)
{
    enum hmac_algorithm algorithm = HMAC_SHA256;
    const char *file = NULL;
    int flag;
    while ((flag = getopt(argc, argv, "a:f:")) != -1) {
        if (flag == 'a' && !find_algorithm(optarg, &algorithm)) {
            fprintf(stderr, "lockstep: there is no key made for the algorithm `%s`\n", optarg);
            return usage();
        }
        if (flag == 'f') {
            file = optarg;
        } else if (flag != 'a') {
            return usage();
        }
    }
    if (argc - optind != 1) {
        return usage();
    }
    struct name name;
    struct error err = {0};
    if (name_parse_str(argv[optind], &name, &err) != OK) {
        fprintf(stderr, "lockstep: `%s` is no name of a key: %s\n", argv[optind], err.text);
        return 2;
    }
    if (strpbrk(argv[optind], "\"\\") != NULL || (file != NULL && strpbrk(file, "\"\\") != NULL)) {
        fprintf(stderr, "lockstep: quotes and backslashes would not stay what they are\n");
        return 2;
    }
    uint8_t secret[HMAC_MAX_SIZE];
    char text[TEXT_SIZE];
    size_t size = hmac_size(algorithm);
    random_bytes(secret, size);
    text[base64_encode(slice_of(secret, size), text)] = '\0';
    int status = print_key(argv[optind], algorithm, file, text);
    explicit_bzero(secret, sizeof(secret));
    explicit_bzero(text, sizeof(text));
    return status;
}
