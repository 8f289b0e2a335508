/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * At serial s: SOA, NS, and h(i) TXT for the last WINDOW numbers i up to s. Every seventh of them
 * is long, so that a delta of it spans blocks.
 */
#include "crash/content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zone/builder.h"
#include "zone/fingerprint.h"

enum { WINDOW = 6, LONG_TXT = 40, LARGE_RECORDS = 1150 };

struct sample {
    struct name owner;
    uint8_t rdata[256 * LONG_TXT];
    struct record record;
};

static void need(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "cannot make the test's zone: %s\n", what);
        abort();
    }
}

static const struct record *txt(struct sample *s, const struct name *apex, char letter,
                                uint32_t number, unsigned strings)
{
    uint8_t label[16];
    int size = snprintf((char *)label + 1, sizeof(label) - 1, "%c%u", letter, number);
    label[0] = (uint8_t)size;
    memcpy(s->owner.wire, label, (size_t)size + 1);
    memcpy(s->owner.wire + size + 1, apex->wire, apex->size);
    s->owner.size = (uint8_t)(size + 1 + apex->size);
    for (unsigned i = 0; i < strings; i++) {
        s->rdata[(size_t)i * 221] = 220;
        memset(s->rdata + (size_t)i * 221 + 1, 'a' + (int)((number + i) % 26), 220);
    }
    s->record = (struct record){s->owner.wire, TYPE_TXT, CLASS_IN, 60,
                                slice_of(s->rdata, (size_t)strings * 221)};
    return &s->record;
}

static const struct record *window(struct sample *s, const struct name *apex, uint32_t number)
{
    return txt(s, apex, 'h', number, number % 7 == 0 ? LONG_TXT : 1);
}

static const struct record *soa(struct sample *s, const struct name *apex, uint32_t serial)
{
    memset(s->rdata, 0, 22);
    put_u32(s->rdata + 2, serial);
    s->record = (struct record){apex->wire, TYPE_SOA, CLASS_IN, 60, slice_of(s->rdata, 22)};
    return &s->record;
}

struct zone_version *content_version(const struct name *apex, uint32_t serial, bool is_large)
{
    struct sample *s = malloc(sizeof(*s));
    struct zone_version *version = NULL;
    struct builder *builder = builder_new(apex->wire, CLASS_IN, NULL, NULL, NULL);
    need(builder_add(builder, soa(s, apex, serial), NULL, 0, NULL) == OK, "SOA");
    s->record.type = TYPE_NS;
    s->record.rdata = slice_of("\3ns1\0", 5);
    need(builder_add(builder, &s->record, NULL, 0, NULL) == OK, "NS");
    for (uint32_t i = 0; i < WINDOW; i++) {
        need(builder_add(builder, window(s, apex, serial - i), NULL, 0, NULL) == OK, "TXT");
    }
    for (uint32_t i = 0; is_large && i < LARGE_RECORDS; i++) {
        need(builder_add(builder, txt(s, apex, 'f', i, 1), NULL, 0, NULL) == OK, "fixed TXT");
    }
    need(builder_finish(builder, NULL, &version, NULL, NULL) == OK, "the zone");
    builder_free(builder);
    free(s);
    return version;
}

struct delta *content_delta(const struct name *apex, uint32_t from, uint32_t to)
{
    struct sample *s = malloc(sizeof(*s));
    struct delta *delta = delta_new(apex->wire, CLASS_IN);
    need(delta_remove(delta, soa(s, apex, from), NULL) == OK, "old SOA");
    need(delta_add(delta, soa(s, apex, to), NULL) == OK, "new SOA");
    for (uint32_t i = 0; i < WINDOW; i++) {
        if (from - i + WINDOW <= to) {
            need(delta_remove(delta, window(s, apex, from - i), NULL) == OK, "old TXT");
        }
        if (to - i > from) {
            need(delta_add(delta, window(s, apex, to - i), NULL) == OK, "new TXT");
        }
    }
    need(delta_seal(delta, NULL) == OK, "the delta");
    free(s);
    return delta;
}

bool content_equal(const struct zone_version *a, const struct zone_version *b)
{
    struct fingerprint x;
    struct fingerprint y;
    fingerprint_of_version(&x, a);
    fingerprint_of_version(&y, b);
    return fingerprint_equal(&x, &y) &&
           serial_equal(zone_version_serial(a), zone_version_serial(b));
}
