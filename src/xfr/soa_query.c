/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The SOA query of a refresh. The answer must be what only a working primary gives: authoritative,
 * for the zone itself, with exactly one SOA. Everything else is told apart in words, since "refresh
 * failed" has kept operators busy for days: a lame server, a referral, a CNAME, nothing at all.
 */
#include "xfr/soa_query.h"

#include "wire/rdata.h"
#include "xfr/fingerprint_option.h"
#include "xfr/peer_reply.h"
#include "xfr/xfr_request.h"

enum { OUR_UDP_SIZE = 1232, COOKIE_OURS = 8, COOKIE_MIN = 16, COOKIE_MAX = 40 };

static size_t write_options(const struct soa_query *query, uint8_t *out)
{
    size_t size = 0;
    put_u16(out, EDNS_FINGERPRINT);
    put_u16(out + 2, 0);
    size += 4;
    if (!query->no_expire) {
        put_u16(out + size, EDNS_EXPIRE);
        put_u16(out + size + 2, 0);
        size += 4;
    }
    if (query->cookie.size != 0) {
        put_u16(out + size, EDNS_COOKIE);
        put_u16(out + size + 2, (uint16_t)query->cookie.size);
        memcpy(out + size + 4, query->cookie.data, query->cookie.size);
        size += 4 + query->cookie.size;
    }
    return size;
}

size_t soa_query_write(const struct soa_query *query, uint8_t *buffer, size_t limit)
{
    uint8_t options[8 + 4 + COOKIE_MAX];
    REQUIRE(query->cookie.size <= COOKIE_MAX);
    if (limit < MESSAGE_HEADER_SIZE) {
        return 0;
    }
    struct message_writer w;
    message_writer_init(&w, buffer, limit, query->id, 0);
    if (!message_write_question(&w, query->zone, TYPE_SOA, query->class) ||
        (query->with_edns &&
         !message_write_opt(&w, query->udp_size == 0 ? OUR_UDP_SIZE : query->udp_size, 0, 0, false,
                            slice_of(options, write_options(query, options))))) {
        return 0;
    }
    return message_writer_finish(&w).size;
}

static enum result no_soa(const struct peer_reply *reply, struct error *err)
{
    size_t offset = reply->answers_offset;
    struct message_record record;
    bool has_authority = reply->header.counts[SECTION_AUTHORITY] != 0 &&
                         message_record_read(reply->message, &offset, &record, NULL) == OK;
    if (has_authority && record.type == TYPE_NS) {
        return error_set(err, ERR_FORMAT,
                         "primary does not serve the zone, it answered with a referral");
    }
    return error_set(err, ERR_FORMAT, "primary answered NOERROR without an SOA record");
}

static enum result take_soa(const struct peer_reply *reply, const struct message_record *record,
                            struct soa_answer *out, struct error *err)
{
    uint8_t rdata[RDATA_MAX_SIZE];
    size_t size = 0;
    enum result result = rdata_read(TYPE_SOA, reply->message, record->rdata_offset,
                                    record->rdata_size, rdata, &size, err);
    if (result != OK) {
        return result;
    }
    struct soa soa = soa_read(slice_of(rdata, size));
    out->serial = soa.serial;
    out->refresh_s = soa.refresh_s;
    out->retry_s = soa.retry_s;
    out->expire_s = soa.expire_s;
    out->minimum_s = soa.minimum_s;
    return OK;
}

static enum result read_answers(const struct soa_query *query, const struct peer_reply *reply,
                                struct soa_answer *out, struct error *err)
{
    size_t offset = reply->answers_offset;
    unsigned soas = 0;
    for (unsigned i = 0; i < reply->header.counts[SECTION_ANSWER]; i++) {
        struct message_record record;
        enum result result = message_record_read(reply->message, &offset, &record, err);
        if (result != OK) {
            return result;
        }
        char type[16];
        if (record.type == TYPE_RRSIG) {
            continue;
        }
        if (record.type != TYPE_SOA || record.class != query->class ||
            !name_equal(record.owner.wire, query->zone)) {
            return error_set(err, ERR_FORMAT,
                             "primary's answer has a %s record that was not asked for",
                             rrtype_format(record.type, type));
        }
        if (++soas > 1) {
            return error_set(err, ERR_FORMAT, "primary's answer has more than one SOA record");
        }
        result = take_soa(reply, &record, out, err);
        if (result != OK) {
            return result;
        }
    }
    if (soas == 0) {
        return no_soa(reply, err);
    }
    if ((reply->header.flags & FLAG_AA) == 0) {
        return error_set(err, ERR_FORMAT,
                         "primary's answer is not authoritative (AA is not set): it does not serve "
                         "the zone, or its copy has expired");
    }
    return OK;
}

/* An answer to our question has our half of the cookie in it, where it has one at all (RFC 7873
 * 5.3). */
static enum result read_cookie(const struct soa_query *query, const struct edns *edns,
                               struct soa_answer *out, struct error *err)
{
    struct slice option;
    if (query->cookie.size == 0 || !edns->present ||
        !edns_find_option(edns, EDNS_COOKIE, &option)) {
        return OK;
    }
    if (option.size < COOKIE_OURS || option.size > COOKIE_MAX ||
        memcmp(option.data, query->cookie.data, COOKIE_OURS) != 0) {
        out->foreign_cookie = true;
        return error_set(err, ERR_FORMAT,
                         "the answer has the cookie of another question: perhaps it is not the "
                         "primary's");
    }
    if (option.size >= COOKIE_MIN) {
        out->server_cookie = slice_of(option.data + COOKIE_OURS, option.size - COOKIE_OURS);
    }
    return OK;
}

enum result soa_answer_read(const struct soa_query *query, struct slice message,
                            struct soa_answer *out, struct error *err)
{
    *out = (struct soa_answer){0};
    struct peer_reply_expect expect = {
        .id = query->id,
        .opcode = OPCODE_QUERY,
        .name = query->zone,
        .type = TYPE_SOA,
        .class = query->class,
    };
    struct peer_reply reply;
    enum result result = peer_reply_open_head(message, &expect, &reply, err);
    if (result != OK) {
        return result;
    }
    if ((reply.header.flags & FLAG_TC) != 0) {
        out->truncated = true;
        return OK;
    }
    result = peer_reply_open(message, &expect, &reply, err);
    if (result != OK) {
        return result;
    }
    result = read_cookie(query, &reply.edns, out, err);
    if (result != OK) {
        return result;
    }
    if (reply.rcode != RCODE_NOERROR) {
        out->bad_cookie = reply.rcode == RCODE_BADCOOKIE && query->cookie.size != 0;
        out->no_edns =
            query->with_edns && (reply.rcode == RCODE_FORMERR || reply.rcode == RCODE_NOTIMP ||
                                 reply.rcode == RCODE_BADVERS);
        return peer_reply_refused(&reply, "primary", "the SOA query", err);
    }
    result = read_answers(query, &reply, out, err);
    if (result == OK) {
        out->has_expire_option =
            !query->no_expire && expire_option_read(&reply.edns, &out->expire_option_s);
        out->has_fingerprint = fingerprint_option_read(&reply.edns, &out->fingerprint) &&
                               serial_equal(out->fingerprint.serial, out->serial);
    }
    return result;
}
