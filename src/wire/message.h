/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages (RFC 1035 4, RFC 6891): reading one field after the other with every bound checked, and
 * writing with name compression under a size limit.
 */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

#include "base/error.h"
#include "wire/name.h"
#include "wire/rdata.h"
#include "wire/record.h"

enum {
    MESSAGE_HEADER_SIZE = 12,
    MESSAGE_MAX_SIZE = 65535,
    FLAG_QR = 0x8000,
    FLAG_AA = 0x0400,
    FLAG_TC = 0x0200,
    FLAG_RD = 0x0100,
    FLAG_RA = 0x0080,
    FLAG_AD = 0x0020,
    FLAG_CD = 0x0010,
};

enum section { SECTION_QUESTION, SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL };

struct message_header {
    uint16_t id;
    uint16_t flags;     /* as on the wire: QR, opcode, AA … and the low four bits of the rcode */
    uint16_t counts[4]; /* by enum section */
};

static inline unsigned header_opcode(uint16_t flags)
{
    return (flags >> 11) & 15u;
}

/* ERR_FORMAT where `message` is shorter than a header. */
MUST_CHECK enum result message_header_read(struct slice message, struct message_header *out);

/*
 * A name at *offset, pointers followed: each must point before the start of the name it is in
 * (strictly decreasing, RFC 9267), so work is bounded by the name's 255 octets. *offset moves past it.
 */
MUST_CHECK enum result message_name_read(struct slice message, size_t *offset, struct name *out,
                                         struct error *err);

struct question {
    struct name name;
    uint16_t type;
    uint16_t class;
};

MUST_CHECK enum result message_question_read(struct slice message, size_t *offset,
                                             struct question *out, struct error *err);

/* A record as it stands in a message; rdata still possibly compressed, see rdata_read. */
struct message_record {
    struct name owner;
    uint16_t type;
    uint16_t class;
    uint32_t ttl;
    size_t rdata_offset;
    uint16_t rdata_size;
};

/* Header of a record and the bounds of its rdata; *offset moves past the whole record. */
MUST_CHECK enum result message_record_read(struct slice message, size_t *offset,
                                           struct message_record *out, struct error *err);

/* EDNS (RFC 6891) of a message. */
enum {
    EDNS_NSID = 3,
    EDNS_EXPIRE = 9,
    EDNS_COOKIE = 10,
    EDNS_TCP_KEEPALIVE = 11,
    EDNS_PADDING = 12,
    EDNS_EDE = 15,
    EDNS_ZONEVERSION = 19,
    EDNS_FINGERPRINT = 65242, /* ours, of the local range (RFC 6891 9); docs/formats.md */
};

struct edns {
    bool present;
    bool dnssec_ok;
    uint8_t version;
    uint8_t extended_rcode; /* upper eight bits */
    uint16_t udp_size;      /* as offered; below 512 counts as 512 */
    struct slice options;   /* borrowed from the message; well-formed (checked) */
};

/* From an OPT record already read. ERR_FORMAT: owner not root or options malformed. */
MUST_CHECK enum result edns_read(struct slice message, const struct message_record *opt,
                                 struct edns *out, struct error *err);
/* The first option with `code`; false where there is none. */
bool edns_find_option(const struct edns *edns, uint16_t code, struct slice *out);

/*
 * For a complete message whose last record is its OPT; it stays as it is where there is none, or no
 * room up to `limit`. Returns the size. O(records).
 */
size_t message_add_option(uint8_t *message, size_t size, size_t limit, uint16_t code,
                          struct slice value);
/* Adds the padding option (RFC 7830), so that with `behind` octets to come (a signature) the size is
 * a multiple of `block` (RFC 8467), or as near to it as `limit` lets it. block 0: nothing. */
size_t message_pad(uint8_t *message, size_t size, size_t limit, size_t behind, size_t block);

/*
 * A message being written. Lives on the stack or in a slot; memory is the caller's. Compression
 * remembers up to WRITER_NAMES names; the question's is found first.
 */
enum { WRITER_NAMES = 192, WRITER_TABLE = 512 };

struct message_writer {
    uint8_t *data;
    size_t size;     /* octets written */
    size_t limit;    /* never passed; at most MESSAGE_MAX_SIZE */
    size_t reserved; /* kept free at the end for OPT and TSIG */
    uint16_t counts[4];
    uint16_t name_count;
    uint16_t table[WRITER_TABLE]; /* hash of a name's tail -> 1 + index */
    uint16_t name_offsets[WRITER_NAMES];
    uint32_t name_hashes[WRITER_NAMES];
};

/* Starts with a header of `id` and `flags`; counts are patched by message_writer_finish. */
void message_writer_init(struct message_writer *w, uint8_t *data, size_t limit, uint16_t id,
                         uint16_t flags);
/* Each returns false, with nothing written, where it does not fit under the limit. */
MUST_CHECK bool message_write_question(struct message_writer *w, const uint8_t *name, uint16_t type,
                                       uint16_t class);
MUST_CHECK bool message_write_record(struct message_writer *w, enum section section,
                                     const struct record *record);
/* OPT with the options given as one wire run (may be empty). */
MUST_CHECK bool message_write_opt(struct message_writer *w, uint16_t udp_size,
                                  uint8_t extended_rcode, uint8_t version, bool dnssec_ok,
                                  struct slice options);
/* Forgets what was written behind `size` (from a saved copy of w->size and counts): taking back a
 * half-written RRset. */
void message_writer_rewind(struct message_writer *w, size_t size, const uint16_t counts[4]);
void message_writer_set_flags(struct message_writer *w, uint16_t flags);
/* Patches the counts; returns the message. */
struct slice message_writer_finish(struct message_writer *w);

#endif
