/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An incoming transfer, message by message, record by record. This is where foreign data is
 * distrusted: ID, QR, opcode, rcode, TC and question of every message; bounds, class, zone and form
 * of every record; and the limits on messages, records, octets and time. What comes out is a record
 * whose rdata is uncompressed and valid for its type, and whose owner is in the zone.
 *
 * A record that does not belong to the zone refuses the whole transfer. Dropping it, as some do,
 * would make a copy that is not equal to the primary's without anybody having been told.
 *
 * The idle clock only counts messages with records as progress: a peer that trickles empty messages
 * is as dead as one that is silent.
 */
#include "xfr/stream_impl.h"

#include <inttypes.h>

#include "xfr/fingerprint_option.h"

enum {
    DEFAULT_EMPTY_MESSAGES = 100,
    DEFAULT_IDLE_MS = 60 * 60 * 1000,
    DEFAULT_TOTAL_MS = 120 * 60 * 1000,
    OUR_UDP_SIZE = 1232,
};
#define DEFAULT_BYTES ((uint64_t)4 << 30)

void xfr_stream_init(struct xfr_stream *s, const uint8_t *zone, uint16_t class, uint16_t type,
                     uint16_t id, bool udp, const struct xfr_in_limits *limits, struct instant now)
{
    name_copy(&s->zone, zone);
    record_reader_init(&s->reader, zone);
    s->class = class;
    s->type = type;
    s->id = id;
    s->udp = udp;
    s->limits = limits != NULL ? *limits : (struct xfr_in_limits){0};
    s->limits.max_bytes = s->limits.max_bytes != 0 ? s->limits.max_bytes : DEFAULT_BYTES;
    s->limits.max_empty_messages =
        s->limits.max_empty_messages != 0 ? s->limits.max_empty_messages : DEFAULT_EMPTY_MESSAGES;
    s->limits.idle_ms = s->limits.idle_ms != 0 ? s->limits.idle_ms : DEFAULT_IDLE_MS;
    s->limits.total_ms = s->limits.total_ms != 0 ? s->limits.total_ms : DEFAULT_TOTAL_MS;
    s->started_at = now;
    s->progress_at = now;
}

size_t xfr_stream_request(const struct xfr_stream *s, const struct record *soa, bool with_edns,
                          uint8_t *buffer, size_t limit)
{
    if (limit < MESSAGE_HEADER_SIZE) {
        return 0;
    }
    struct message_writer w;
    message_writer_init(&w, buffer, limit, s->id, 0);
    uint8_t options[8];
    put_u16(options, EDNS_FINGERPRINT);
    put_u16(options + 2, 0);
    put_u16(options + 4, EDNS_EXPIRE);
    put_u16(options + 6, 0);
    if (!message_write_question(&w, s->zone.wire, s->type, s->class) ||
        (soa != NULL && !message_write_record(&w, SECTION_AUTHORITY, soa)) ||
        (with_edns && !message_write_opt(&w, OUR_UDP_SIZE, 0, 0, false,
                                         slice_of(options, s->limits.no_expire ? 4 : 8)))) {
        return 0;
    }
    return message_writer_finish(&w).size;
}

static const char *type_word(const struct xfr_stream *s)
{
    return s->type == TYPE_AXFR ? "AXFR" : "IXFR";
}

static enum result refused(struct xfr_stream *s, struct error *err)
{
    /* The OPT may hold the reason; a damaged rest of the message must not hide the rcode. */
    size_t offset = s->reply.answers_offset;
    struct message_record record;
    unsigned answers = s->reply.header.counts[SECTION_ANSWER];
    while (answers > 0 && message_record_read(s->reply.message, &offset, &record, NULL) == OK) {
        answers--;
    }
    bool complete = answers == 0 && peer_reply_read_rest(&s->reply, offset, NULL) == OK;
    if (!complete) {
        s->reply.edns.present = false;
        s->reply.rcode = s->reply.header.flags & 15u;
    }
    s->dislikes_edns = s->reply.rcode == RCODE_FORMERR || s->reply.rcode == RCODE_NOTIMP ||
                       s->reply.rcode == RCODE_BADVERS;
    return peer_reply_refused(&s->reply, "primary", type_word(s), err);
}

static enum result check_limits(struct xfr_stream *s, struct error *err)
{
    if (s->stats.bytes > s->limits.max_bytes) {
        return error_set(err, ERR_LIMIT, "the transfer passes the limit of %" PRIu64 " octets",
                         s->limits.max_bytes);
    }
    if (s->limits.max_messages != 0 && s->stats.messages > s->limits.max_messages) {
        return error_set(err, ERR_LIMIT, "the transfer passes the limit of %" PRIu32 " messages",
                         s->limits.max_messages);
    }
    if (s->empty_messages > s->limits.max_empty_messages) {
        return error_set(err, ERR_LIMIT,
                         "the transfer has more than %" PRIu32 " messages without a record",
                         s->limits.max_empty_messages);
    }
    return OK;
}

enum result xfr_stream_open(struct xfr_stream *s, struct slice message, struct instant now,
                            struct error *err)
{
    struct peer_reply_expect expect = {
        .id = s->id,
        .opcode = OPCODE_QUERY,
        .name = s->zone.wire,
        .type = s->type,
        .class = s->class,
        .question_optional = s->stats.messages != 0,
    };
    enum result result = peer_reply_open_head(message, &expect, &s->reply, err);
    if (result != OK) {
        return result;
    }
    if (s->reply.rcode != RCODE_NOERROR) {
        return refused(s, err);
    }
    s->truncated = (s->reply.header.flags & FLAG_TC) != 0;
    if (s->truncated && !s->udp) {
        return error_set(err, ERR_FORMAT, "message %" PRIu64 " of the transfer has TC set",
                         s->stats.messages + 1);
    }
    s->left = s->reply.header.counts[SECTION_ANSWER];
    record_reader_begin(&s->reader, message, s->reply.answers_offset);
    s->stats.messages++;
    s->stats.bytes += message.size;
    if (s->left == 0) {
        s->empty_messages++;
    } else {
        s->progress_at = now;
    }
    return check_limits(s, err);
}

/* "message 3, record www.example.com. MX: why" */
static enum step bad_record(const struct xfr_stream *s, enum result code, const char *why,
                            struct error *err)
{
    char owner[NAME_TEXT_SIZE], type[16];
    error_set(err, code, "message %" PRIu64 ", record %.200s %s: %.200s", s->stats.messages,
              name_format(s->reader.owner.name.wire, owner), rrtype_format(s->reader.type, type),
              why);
    return STEP_FAILED;
}

static enum step end_of_message(struct xfr_stream *s, struct error *err)
{
    if (peer_reply_read_rest(&s->reply, s->reader.offset, err) != OK) {
        return STEP_FAILED;
    }
    if (s->reply.rcode != RCODE_NOERROR) {
        peer_reply_refused(&s->reply, "primary", type_word(s), err);
        return STEP_FAILED;
    }
    if (!s->limits.no_expire && expire_option_read(&s->reply.edns, &s->expire_s)) {
        s->has_expire = true;
    }
    if (keepalive_option_read(&s->reply.edns, &s->keepalive_ms)) {
        s->has_keepalive = true;
    }
    if (fingerprint_option_read(&s->reply.edns, &s->fingerprint)) {
        s->has_fingerprint = true;
    }
    return STEP_DONE;
}

static ALWAYS_INLINE bool is_meta(uint16_t type)
{
    /* The ranges first: this comes once a record. */
    bool may_be = type == 0 || type == TYPE_OPT || (type >= 128 && type < 256);
    return UNLIKELY(may_be) && (type == 0 || (rrtype_get(type)->flags & RRTYPE_META) != 0);
}

enum step xfr_stream_next(struct xfr_stream *s, struct record *out, struct error *err)
{
    if (s->left == 0) {
        return end_of_message(s, err);
    }
    struct record_reader *reader = &s->reader;
    struct error inner;
    inner.code = OK;
    enum result result = record_reader_next(reader, &inner);
    if (UNLIKELY(result == ERR_FORMAT)) {
        error_set(err, ERR_FORMAT, "message %" PRIu64 ": %.300s", s->stats.messages, inner.text);
        return STEP_FAILED;
    }
    s->left--;
    s->stats.records++;
    if (UNLIKELY(reader->class != s->class)) {
        return bad_record(s, ERR_FORMAT, "it has another class than the zone", err);
    }
    if (UNLIKELY(result == ERR_NOT_FOUND)) {
        return bad_record(s, ERR_FORMAT, "it is not in the zone", err);
    }
    if (UNLIKELY(is_meta(reader->type))) {
        return bad_record(s, ERR_FORMAT, "no zone has records of this type", err);
    }
    result = record_reader_rdata(reader, &out->rdata, &inner);
    if (UNLIKELY(result != OK)) {
        return bad_record(s, result, inner.text, err);
    }
    out->owner = reader->owner.name.wire;
    out->type = reader->type;
    out->class = reader->class;
    out->ttl = reader->ttl > INT32_MAX ? 0 : reader->ttl; /* RFC 2181 8 */
    return STEP_MORE;
}

struct instant xfr_stream_deadline(const struct xfr_stream *s)
{
    return instant_min(instant_add_ms(s->progress_at, s->limits.idle_ms),
                       instant_add_ms(s->started_at, s->limits.total_ms));
}

enum result xfr_stream_timed_out(const struct xfr_stream *s, struct instant now, struct error *err)
{
    bool total = !instant_before(now, instant_add_ms(s->started_at, s->limits.total_ms));
    const char *word = type_word(s);
    if (s->stats.messages == 0) {
        return error_set(err, ERR_TIMEOUT, "no answer to %s within %" PRId64 " s", word,
                         instant_ms_until(s->started_at, now) / 1000);
    }
    if (total) {
        return error_set(err, ERR_TIMEOUT,
                         "%s not complete after %" PRIu32 " s (max-transfer-time-in), %" PRIu64
                         " records had come",
                         word, s->limits.total_ms / 1000, s->stats.records);
    }
    return error_set(err, ERR_TIMEOUT,
                     "%s without a record for %" PRIu32 " s (max-transfer-idle-in) after %" PRIu64
                     " records",
                     word, s->limits.idle_ms / 1000, s->stats.records);
}

bool is_apex_soa(const struct xfr_stream *s, const struct record *record)
{
    return record->type == TYPE_SOA && name_equal(record->owner, s->zone.wire);
}

void soa_copy_set(struct soa_copy *copy, const struct record *soa)
{
    REQUIRE(soa->rdata.size <= sizeof(copy->rdata));
    copy->size = soa->rdata.size;
    memcpy(copy->rdata, soa->rdata.data, soa->rdata.size);
}

bool soa_copy_equal(const struct soa_copy *copy, const struct record *soa)
{
    return rdata_compare(TYPE_SOA, slice_of(copy->rdata, copy->size), soa->rdata) == 0;
}

struct serial soa_copy_serial(const struct soa_copy *copy)
{
    return soa_read(slice_of(copy->rdata, copy->size)).serial;
}
