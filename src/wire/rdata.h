/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data of records: presentation form (RFC 1035 5, 3597), wire form in messages (compressed),
 * wire form at rest (uncompressed), canonical form (RFC 4034 6.2). All from the table in rrtype.h.
 */
#ifndef WIRE_RDATA_H
#define WIRE_RDATA_H

#include "base/error.h"
#include "base/text.h"
#include "wire/name.h"
#include "wire/record.h"
#include "wire/rrtype.h"

enum { RDATA_MAX_SIZE = 65535 };

/* One word of a zone file entry, as it stands there: escapes are not resolved. Borrowed. */
struct token {
    const char *data;
    uint32_t size;
    bool quoted; /* stood between double quotes, which are not part of it */
};

/*
 * Text to wire.
 * tokens   the rdata of one entry; "\#" as the first means RFC 3597 form, for known types too.
 * origin   completes relative names; "@" as a name is the origin; NULL: all must be absolute.
 * out      room for RDATA_MAX_SIZE octets.
 * bad      index of the token that the error is about; `count` where one is missing.
 * ERR_FORMAT names what was found and what was expected.
 * Any thread; O(size).
 */
MUST_CHECK enum result rdata_parse(uint16_t type, const struct token *tokens, size_t count,
                                   const uint8_t *origin, uint8_t *out, size_t *out_size,
                                   size_t *bad, struct error *err);

/* Wire to text: one line, absolute names, no newline; what rdata_parse reads back to the same
 * octets. rdata must be valid for the type (rdata_check). */
void rdata_format(uint16_t type, struct slice rdata, struct text *out);

/* Uncompressed rdata has the form its type asks for: lengths, names, no octets left over.
 * ERR_FORMAT says which field. Everything foreign goes through this or rdata_read. */
MUST_CHECK enum result rdata_check(uint16_t type, struct slice rdata, struct error *err);

/*
 * From a message: expands compressed names where the type allows them (RFC 3597 4: the RFC 1035
 * types, and for robustness those older ones BIND accepts), checks the form.
 * offset, size   where the rdata lies in `message`.
 * out            room for RDATA_MAX_SIZE octets.
 */
MUST_CHECK enum result rdata_read(uint16_t type, struct slice message, size_t offset, size_t size,
                                  uint8_t *out, size_t *out_size, struct error *err);

/* Lower-cases the embedded names that RFC 4034 6.2 (as corrected by RFC 6840 5.1) names; in place. */
void rdata_canonicalize(uint16_t type, uint8_t *rdata, size_t size);

/* Canonical order and equality: case of those names does not count. */
int rdata_compare(uint16_t type, struct slice a, struct slice b);

/* The embedded domain names of valid rdata: offsets into it. Returns how many; `out` has room
 * for 4 (HIP's rendezvous servers beyond that are left out). */
size_t rdata_name_offsets(uint16_t type, struct slice rdata, uint16_t *out);

/* The name that additional data is for (NS, MX, SRV, SVCB/HTTPS target …), or NULL. Borrowed. */
const uint8_t *rdata_additional_name(uint16_t type, struct slice rdata);

#endif
