/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AXFR out: how the records of a version (axfr_walk) become one client's messages. Either the
 * packer makes them for this client alone, or their records come from a cache (axfr_cache) and only
 * what is this client's own is written here: the header with its ID, the question in its spelling
 * in the first message, the OPT behind the records of the first message (RFC 5936 2.2.1, 2.2.5).
 *
 * The version is immutable and referenced, so it may take as long as the client needs.
 */
#include "xfr/axfr_out.h"

#include "base/memory.h"
#include "xfr/axfr_walk_impl.h"
#include "xfr/packer_impl.h"

enum {
    HEAD_MAX_SIZE = MESSAGE_HEADER_SIZE + NAME_MAX_SIZE + 4,
    SHARE_FROM_BYTES = 64 * 1024, /* of a version; below, it is a message or a few */
};

/* A transfer of its own. */
struct private_out {
    struct axfr_walk walk;
    struct packer packer;
};

struct axfr_out {
    struct zone_version *version;
    struct xfr_request request;
    struct slice edns_options;
    size_t soft_size;
    struct private_out *private; /* from the first message on; or */
    struct axfr_reader *reader;
    struct xfr_stats stats; /* of the shared */
    uint8_t head[HEAD_MAX_SIZE];
    uint8_t *tail; /* allocated */
};

struct axfr_out *axfr_out_new(struct zone_version *version, const struct xfr_request *request,
                              struct slice edns_options, size_t soft_size)
{
    struct axfr_out *out = memory_new_zeroed(1, sizeof(*out));
    out->version = zone_version_ref(version);
    out->request = *request;
    out->edns_options = edns_options;
    out->soft_size = soft_size;
    return out;
}

void axfr_out_free(struct axfr_out *out)
{
    if (out != NULL) {
        axfr_cache_close(out->reader);
        zone_version_unref(out->version);
        memory_free(out->private);
        memory_free(out->tail);
        memory_free(out);
    }
}

bool axfr_out_share(struct axfr_out *out, struct axfr_cache *cache)
{
    REQUIRE(out->private == NULL && out->reader == NULL);
    /* The records leave room for a question with the zone's name. */
    bool fits = name_equal(out->request.question.name.wire, zone_version_name(out->version));
    if (fits && zone_version_bytes(out->version) >= SHARE_FROM_BYTES) {
        out->reader = axfr_cache_open(cache, out->version);
    }
    return out->reader != NULL;
}

/* ---- for this client alone ---- */

static bool next_record(void *context, struct record *record)
{
    struct axfr_walk *walk = context;
    if (walk->phase == AXFR_END) {
        return false;
    }
    *record = walk->record;
    axfr_walk_next(walk);
    return true;
}

static struct private_out *private_begin(const struct axfr_out *out)
{
    struct private_out *private = memory_new(sizeof(*private));
    axfr_walk_begin(&private->walk, out->version);
    packer_init(&private->packer, &out->request, out->edns_options, out->soft_size, next_record,
                &private->walk);
    return private;
}

/* ---- shared ---- */

/* Header, and the question in the first message. */
static struct slice write_head(struct axfr_out *out, unsigned record_count, bool has_opt)
{
    const struct xfr_request *request = &out->request;
    const struct question *question = &request->question;
    bool first = out->stats.messages == 0;
    uint8_t *p = out->head;
    put_u16(p, request->id);
    put_u16(p + 2, (uint16_t)(FLAG_QR | FLAG_AA | (request->flags & FLAG_RD)));
    put_u16(p + 4, first);
    put_u16(p + 6, (uint16_t)record_count);
    put_u16(p + 8, 0);
    put_u16(p + 10, has_opt);
    size_t size = MESSAGE_HEADER_SIZE;
    if (first) {
        memcpy(p + size, question->name.wire, question->name.size);
        size += question->name.size;
        put_u16(p + size, question->type);
        put_u16(p + size + 2, question->class);
        size += 4;
    }
    return slice_of(out->head, size);
}

/* The OPT of the first message. */
static struct slice write_tail(struct axfr_out *out)
{
    size_t limit = MESSAGE_HEADER_SIZE + PACKER_OPT_FIXED_SIZE + out->edns_options.size;
    out->tail = memory_new(limit);
    struct message_writer w;
    message_writer_init(&w, out->tail, limit, 0, 0);
    bool wrote = xfr_request_write_opt(&out->request, &w, RCODE_NOERROR, out->edns_options);
    REQUIRE(wrote);
    return slice_of(out->tail + MESSAGE_HEADER_SIZE, w.size - MESSAGE_HEADER_SIZE);
}

static enum step next_parts(struct axfr_out *out, size_t limit, struct axfr_out_parts *parts,
                            struct error *err)
{
    bool has_opt = out->stats.messages == 0 && out->request.has_edns;
    enum step step = axfr_cache_next(out->reader, &parts->piece, err);
    if (step == STEP_FAILED) {
        return step;
    }
    parts->body = axfr_piece_records(parts->piece);
    parts->head = write_head(out, parts->piece->record_count, has_opt);
    parts->tail = has_opt ? write_tail(out) : slice_of(NULL, 0);
    size_t size = parts->head.size + parts->body.size + parts->tail.size;
    if (size > limit) {
        axfr_piece_unref(parts->piece);
        error_set(err, ERR_LIMIT, "%zu octets of records in one message leave no room for the rest",
                  parts->body.size);
        return STEP_FAILED;
    }
    out->stats.messages++;
    out->stats.records += parts->piece->record_count;
    out->stats.bytes += size;
    return step;
}

enum step axfr_out_next_parts(struct axfr_out *out, struct axfr_out_parts *parts, struct error *err)
{
    REQUIRE(out->reader != NULL);
    return next_parts(out, MESSAGE_MAX_SIZE, parts, err);
}

static uint8_t *append(uint8_t *to, struct slice part)
{
    if (part.size != 0) {
        memcpy(to, part.data, part.size);
    }
    return to + part.size;
}

static enum step next_copied(struct axfr_out *out, uint8_t *buffer, size_t limit, size_t *out_size,
                             struct error *err)
{
    struct axfr_out_parts parts;
    enum step step = next_parts(out, limit, &parts, err);
    if (step != STEP_FAILED) {
        uint8_t *p = append(append(append(buffer, parts.head), parts.body), parts.tail);
        *out_size = (size_t)(p - buffer);
        axfr_piece_unref(parts.piece);
    }
    return step;
}

enum step axfr_out_next(struct axfr_out *out, uint8_t *buffer, size_t limit, size_t reserved,
                        size_t *out_size, struct error *err)
{
    if (out->reader != NULL) {
        return next_copied(out, buffer, limit > reserved ? limit - reserved : 0, out_size, err);
    }
    if (out->private == NULL) {
        out->private = private_begin(out);
    }
    return packer_next(&out->private->packer, buffer, limit, reserved, out_size, err);
}

struct xfr_stats axfr_out_stats(const struct axfr_out *out)
{
    return out->private != NULL ? out->private->packer.stats : out->stats;
}
