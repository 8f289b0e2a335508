/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The input of the transfer targets: messages, each behind two octets of length as on a TCP
 * connection. The ID is set to the right one, so that the fuzzer need not find it; a message comes
 * in memory of its exact size.
 */
#ifndef FUZZ_TRANSFER_H
#define FUZZ_TRANSFER_H

#include <stdlib.h>

#include "wire/message.h"
#include "xfr/step.h"
#include "zone/builder.h"

enum { FUZZ_ID = 0x4c53 };

static const uint8_t fuzz_zone[] = "\7example\3com";

typedef enum step fuzz_receive(void *machine, struct slice message, struct error *err);

static inline enum step fuzz_feed(const uint8_t *data, size_t size, fuzz_receive *receive,
                                  void *machine)
{
    enum step step = STEP_MORE;
    while (step == STEP_MORE && size >= 2) {
        size_t length = get_u16(data);
        length = length > size - 2 ? size - 2 : length;
        uint8_t *exact = malloc(length + (length == 0));
        memcpy(exact, data + 2, length);
        if (length >= 2) {
            put_u16(exact, FUZZ_ID);
        }
        struct error err = {0};
        step = receive(machine, slice_of(exact, length), &err);
        REQUIRE((step == STEP_FAILED) == (err.code != OK));
        REQUIRE(step != STEP_FAILED || err.text[0] != '\0');
        free(exact);
        data += 2 + length;
        size -= 2 + length;
    }
    return step;
}

/* SOA with serial 1, an NS, two addresses. Made once. */
static inline struct zone_version *fuzz_base(void)
{
    static struct zone_version *base;
    if (base != NULL) {
        return base;
    }
    static const uint8_t soa[] = "\2ns\7example\3com\0\1h\7example\3com\0\0\0\0\1\0\0\16\20\0\0\3"
                                 "\204\0\22\165\0\0\0\1\54";
    static const uint8_t ns[] = "\2ns\7example\3com";
    static const uint8_t www[] = "\3www\7example\3com";
    static const uint8_t address[] = {192, 0, 2, 1};
    const struct record records[] = {
        {fuzz_zone, TYPE_SOA, CLASS_IN, 3600, {soa, sizeof(soa) - 1}},
        {fuzz_zone, TYPE_NS, CLASS_IN, 3600, {ns, sizeof(ns)}},
        {ns, TYPE_A, CLASS_IN, 3600, {address, sizeof(address)}},
        {www, TYPE_A, CLASS_IN, 60, {address, sizeof(address)}},
    };
    struct builder *builder = builder_new(fuzz_zone, CLASS_IN, NULL, NULL, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
        enum result result = builder_add(builder, &records[i], NULL, 0, NULL);
        REQUIRE(result == OK);
    }
    enum result result = builder_finish(builder, NULL, &base, NULL, NULL);
    REQUIRE(result == OK);
    builder_free(builder);
    return base;
}

#endif
