/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Versions rendered once for all who transfer them.
 *
 * A rendering is a version's row of slots, one a message: where in the version the message begins,
 * and its piece where it is kept. A piece depends on nothing but the version and where it begins,
 * so any of them can be dropped at any time and made again, the same octet for octet. Readers go
 * along the slots: the first one to come to a slot renders it, the others take what is there.
 *
 * What is kept is bounded thrice. In all by max_bytes: the piece used longest ago goes first. In
 * time: a sweep drops what was not used since the sweep before the last. And where a version has
 * only one reader, by trail_bytes behind it: a lone client of a huge zone leaves no more than
 * that, and gets the same warm memory again and again; those who come soon after it find what it
 * left. A slow reader pins nothing: what it comes too late for it renders again, at its own pace.
 * What a connection still has to send lives on by its own reference, within the connection's
 * bound.
 *
 * A rendering refers to its version, so a superseded version lives until its readers are through
 * and, without any, until the sweep has dropped its pieces.
 *
 * Locks: `mutex` guards all lists, slots and counts and is held for some instructions.
 * `render_mutex` of a rendering is held while a piece is made, so that two who need the same do not
 * make it twice; it is taken first. Workers that answer questions take neither.
 */
#include "xfr/axfr_cache.h"

#include <pthread.h>

#include "base/memory.h"
#include "base/pool.h"
#include "wire/rrtype.h"
#include "xfr/axfr_out.h"
#include "xfr/axfr_walk_impl.h"
#include "xfr/record_writer_impl.h"

enum { BUCKETS = 256, QUESTION_FIXED_SIZE = 4, DEFAULT_SWEEP_MS = 5000 };
#define DEFAULT_BYTES       ((uint64_t)256 << 20)
#define DEFAULT_TRAIL_BYTES ((uint64_t)8 << 20)

struct slot {
    struct axfr_position start;
    struct axfr_piece *piece; /* NULL: not kept */
};

struct axfr_rendering {
    struct axfr_rendering *next;  /* in its bucket */
    struct zone_version *version; /* a reference */
    unsigned readers;
    bool complete;      /* all slots are known */
    uint64_t bytes;     /* of its pieces */
    size_t lowest;      /* no slot below has a piece */
    struct slot *slots; /* with both locks to grow it, with either to read starts */
    size_t slot_count;
    size_t slot_room;
    pthread_mutex_t render_mutex;
    size_t walk_at; /* the slot the walk stands at the start of; SIZE_MAX: nowhere */
    struct axfr_walk walk;
    struct record_writer writer;
};

struct axfr_reader {
    struct axfr_cache *cache;
    struct axfr_rendering *rendering;
    size_t at;
};

struct axfr_cache {
    struct axfr_cache_options options;
    pthread_mutex_t mutex;
    uint64_t epoch; /* sweeps so far */
    struct instant sweep_at;
    struct axfr_cache_stats stats;
    uint64_t alive; /* pieces, kept or only referred to */
    struct pool
        *pool; /* of pieces: gives memory back when a crowd is gone, which a heap does not */
    struct pool_cache pool_cache;
    struct axfr_piece *newest, *oldest;
    struct axfr_rendering *buckets[BUCKETS];
};

struct axfr_cache *axfr_cache_new(const struct axfr_cache_options *options)
{
    struct axfr_cache *cache = memory_new_zeroed(1, sizeof(*cache));
    if (options != NULL) {
        cache->options = *options;
    }
    struct axfr_cache_options *o = &cache->options;
    o->max_bytes = o->max_bytes != 0 ? o->max_bytes : DEFAULT_BYTES;
    o->trail_bytes = o->trail_bytes != 0 ? o->trail_bytes : DEFAULT_TRAIL_BYTES;
    o->sweep_ms = o->sweep_ms != 0 ? o->sweep_ms : DEFAULT_SWEEP_MS;
    /* With what stands before it a full piece fills a block. */
    o->soft_size =
        o->soft_size != 0 ? o->soft_size : AXFR_OUT_SOFT_SIZE - sizeof(struct axfr_piece);
    pthread_mutex_init(&cache->mutex, NULL);
    cache->pool = pool_new();
    pool_cache_init(&cache->pool_cache, cache->pool);
    return cache;
}

/* ---- pieces; all with the mutex but piece_new and axfr_piece_unref ---- */

static size_t piece_bytes(const struct axfr_piece *piece)
{
    return sizeof(*piece) + piece->room;
}

static struct axfr_piece *piece_new(struct axfr_cache *cache, size_t room)
{
    pthread_mutex_lock(&cache->mutex);
    cache->alive++;
    struct axfr_piece *piece = pool_alloc(&cache->pool_cache, sizeof(*piece) + room);
    pthread_mutex_unlock(&cache->mutex);
    piece->cache = cache;
    piece->room = (uint32_t)room;
    piece->references = 1;
    return piece;
}

/* A reference less; the last one ends it. */
static void piece_release(struct axfr_cache *cache, struct axfr_piece *piece)
{
    if (--piece->references == 0) {
        cache->alive--;
        pool_release(&cache->pool_cache, piece, piece_bytes(piece));
    }
}

void axfr_piece_unref(void *context)
{
    struct axfr_piece *piece = context;
    struct axfr_cache *cache = piece->cache;
    pthread_mutex_lock(&cache->mutex);
    piece_release(cache, piece);
    pthread_mutex_unlock(&cache->mutex);
}

static void list_add(struct axfr_cache *cache, struct axfr_piece *piece)
{
    piece->epoch = cache->epoch;
    piece->older = cache->newest;
    piece->newer = NULL;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = piece;
    cache->newest = piece;
}

static void list_remove(struct axfr_cache *cache, struct axfr_piece *piece)
{
    *(piece->newer != NULL ? &piece->newer->older : &cache->newest) = piece->older;
    *(piece->older != NULL ? &piece->older->newer : &cache->oldest) = piece->newer;
}

static void keep(struct axfr_cache *cache, struct axfr_rendering *rendering,
                 struct axfr_piece *piece)
{
    piece->references++;
    rendering->slots[piece->index].piece = piece;
    rendering->bytes += piece_bytes(piece);
    if (piece->index < rendering->lowest) {
        rendering->lowest = piece->index;
    }
    cache->stats.bytes += piece_bytes(piece);
    list_add(cache, piece);
}

static void drop(struct axfr_cache *cache, struct axfr_piece *piece)
{
    struct axfr_rendering *rendering = piece->rendering;
    rendering->slots[piece->index].piece = NULL;
    rendering->bytes -= piece_bytes(piece);
    cache->stats.bytes -= piece_bytes(piece);
    list_remove(cache, piece);
    piece_release(cache, piece);
}

/* ---- renderings ---- */

static struct axfr_rendering **bucket_of(struct axfr_cache *cache,
                                         const struct zone_version *version)
{
    uintptr_t address = (uintptr_t)version;
    return &cache->buckets[(address >> 6 ^ address >> 14) % BUCKETS];
}

static void rendering_free(struct axfr_rendering *rendering)
{
    zone_version_unref(rendering->version);
    pthread_mutex_destroy(&rendering->render_mutex);
    memory_free(rendering->slots);
    memory_free(rendering);
}

/* With the mutex. Out of the cache where nobody reads it and nothing useful is kept; the caller
 * then frees what it gives, without the mutex, since a version may go with it. */
static struct axfr_rendering *rendering_forget(struct axfr_cache *cache,
                                               struct axfr_rendering *rendering)
{
    if (rendering->readers != 0 || rendering->slots[0].piece != NULL) {
        return NULL;
    }
    for (size_t i = rendering->lowest; rendering->bytes != 0; i++) {
        if (rendering->slots[i].piece != NULL) {
            drop(cache, rendering->slots[i].piece);
        }
    }
    struct axfr_rendering **at = bucket_of(cache, rendering->version);
    while (*at != rendering) {
        at = &(*at)->next;
    }
    *at = rendering->next;
    cache->stats.renderings--;
    return rendering;
}

/* Drops the piece used longest ago, and what nobody reads with it; `gone` as take_in gives it. */
static void drop_oldest(struct axfr_cache *cache, struct axfr_rendering **gone)
{
    struct axfr_rendering *rendering = cache->oldest->rendering;
    drop(cache, cache->oldest);
    rendering = rendering_forget(cache, rendering);
    if (rendering != NULL) {
        rendering->next = *gone;
        *gone = rendering;
    }
}

static void renderings_free(struct axfr_rendering *gone)
{
    while (gone != NULL) {
        struct axfr_rendering *next = gone->next;
        rendering_free(gone);
        gone = next;
    }
}

static void slot_add(struct axfr_rendering *rendering, struct axfr_position start)
{
    if (rendering->slot_count == rendering->slot_room) {
        rendering->slot_room = rendering->slot_room * 2 + 16;
        rendering->slots =
            memory_resize(rendering->slots, rendering->slot_room * sizeof(rendering->slots[0]));
    }
    rendering->slots[rendering->slot_count++] = (struct slot){start, NULL};
}

static struct axfr_rendering *rendering_new(struct zone_version *version)
{
    struct axfr_rendering *rendering = memory_new_zeroed(1, sizeof(*rendering));
    rendering->version = zone_version_ref(version);
    rendering->lowest = SIZE_MAX;
    pthread_mutex_init(&rendering->render_mutex, NULL);
    axfr_walk_begin(&rendering->walk, version);
    slot_add(rendering, axfr_walk_position(&rendering->walk));
    return rendering;
}

struct axfr_reader *axfr_cache_open(struct axfr_cache *cache, struct zone_version *version)
{
    struct axfr_reader *reader = memory_new_zeroed(1, sizeof(*reader));
    pthread_mutex_lock(&cache->mutex);
    struct axfr_rendering **bucket = bucket_of(cache, version);
    struct axfr_rendering *rendering = *bucket;
    while (rendering != NULL && rendering->version != version) {
        rendering = rendering->next;
    }
    if (rendering == NULL) {
        rendering = rendering_new(version);
        rendering->next = *bucket;
        *bucket = rendering;
        cache->stats.renderings++;
    }
    rendering->readers++;
    pthread_mutex_unlock(&cache->mutex);
    reader->cache = cache;
    reader->rendering = rendering;
    return reader;
}

void axfr_cache_close(struct axfr_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    struct axfr_cache *cache = reader->cache;
    pthread_mutex_lock(&cache->mutex);
    reader->rendering->readers--;
    struct axfr_rendering *gone = rendering_forget(cache, reader->rendering);
    pthread_mutex_unlock(&cache->mutex);
    if (gone != NULL) {
        rendering_free(gone);
    }
    memory_free(reader);
}

/* ---- rendering ---- */

static COLD void too_large(const struct record *record, struct error *err)
{
    char owner[NAME_TEXT_SIZE], type[16];
    error_set(err, ERR_LIMIT, "record %.300s %s with %zu octets of data does not fit a message",
              name_format(record->owner, owner), rrtype_format(record->type, type),
              record->rdata.size);
}

/* The records from where the walk stands; NULL: not even one fits. The walk goes on. */
static struct axfr_piece *render(struct axfr_cache *cache, struct axfr_rendering *rendering,
                                 size_t offset, struct error *err)
{
    struct axfr_walk *walk = &rendering->walk;
    struct record_writer *writer = &rendering->writer;
    size_t soft = cache->options.soft_size;
    struct axfr_piece *piece = piece_new(cache, soft);
    record_writer_init(writer, piece->message, offset, soft);
    if (!record_writer_add(writer, &walk->record)) {
        axfr_piece_unref(piece);
        piece = piece_new(cache, MESSAGE_MAX_SIZE);
        record_writer_init(writer, piece->message, offset, MESSAGE_MAX_SIZE);
        if (!record_writer_add(writer, &walk->record)) {
            axfr_piece_unref(piece);
            too_large(&walk->record, err);
            return NULL;
        }
        /* No other record comes with it. */
        struct axfr_piece *large = piece;
        piece = piece_new(cache, writer->size);
        memcpy(piece->message + offset, large->message + offset, writer->size - offset);
        axfr_piece_unref(large);
        writer->data = piece->message;
        writer->limit = writer->size;
    }
    axfr_walk_next(walk);
    while (walk->phase != AXFR_END && record_writer_add(writer, &walk->record)) {
        axfr_walk_next(walk);
    }
    piece->rendering = rendering;
    piece->offset = (uint32_t)offset;
    piece->size = (uint32_t)(writer->size - offset);
    piece->record_count = writer->record_count;
    return piece;
}

/* Renders slot `at`; with the render_mutex, without the other. */
static struct axfr_piece *render_slot(struct axfr_cache *cache, struct axfr_rendering *rendering,
                                      size_t at, struct error *err)
{
    if (rendering->walk_at != at) {
        axfr_walk_seek(&rendering->walk, &rendering->slots[at].start);
    }
    rendering->walk_at = SIZE_MAX;
    size_t offset = MESSAGE_HEADER_SIZE;
    if (at == 0) {
        offset += zone_version_apex(rendering->version)->name_size + QUESTION_FIXED_SIZE;
    }
    struct axfr_piece *piece = render(cache, rendering, offset, err);
    if (piece != NULL) {
        piece->index = (uint32_t)at;
        rendering->walk_at = at + 1;
    }
    return piece;
}

/* Keeps a new piece and makes room for it; with both locks. Gives the renderings that are gone. */
static struct axfr_rendering *take_in(struct axfr_cache *cache, struct axfr_rendering *rendering,
                                      struct axfr_piece *piece)
{
    struct axfr_rendering *gone = NULL;
    keep(cache, rendering, piece);
    cache->stats.rendered++;
    if (piece->index + 1 == rendering->slot_count && !rendering->complete) {
        if (rendering->walk.phase == AXFR_END) {
            rendering->complete = true;
        } else {
            slot_add(rendering, axfr_walk_position(&rendering->walk));
        }
    }
    while (rendering->readers == 1 && rendering->bytes > cache->options.trail_bytes &&
           rendering->lowest < piece->index) {
        struct axfr_piece *behind = rendering->slots[rendering->lowest++].piece;
        if (behind != NULL) {
            drop(cache, behind);
        }
    }
    while (cache->stats.bytes > cache->options.max_bytes && cache->oldest != piece) {
        drop_oldest(cache, &gone);
    }
    return gone;
}

/* With the mutex. */
static struct axfr_piece *find(struct axfr_cache *cache, const struct axfr_reader *reader)
{
    struct axfr_piece *piece = reader->rendering->slots[reader->at].piece;
    if (piece != NULL) {
        piece->references++;
        list_remove(cache, piece);
        list_add(cache, piece);
        cache->stats.shared++;
    }
    return piece;
}

/* With the mutex: the slot is done with. */
static enum step advance(struct axfr_reader *reader)
{
    const struct axfr_rendering *rendering = reader->rendering;
    reader->at++;
    return rendering->complete && reader->at == rendering->slot_count ? STEP_DONE : STEP_MORE;
}

/* Where the slot has no piece: makes one, unless another has done so meanwhile. */
static enum step make(struct axfr_reader *reader, struct axfr_piece **out, struct error *err)
{
    struct axfr_cache *cache = reader->cache;
    struct axfr_rendering *rendering = reader->rendering;
    struct axfr_rendering *gone = NULL;
    enum step step = STEP_FAILED;
    pthread_mutex_lock(&rendering->render_mutex);
    pthread_mutex_lock(&cache->mutex);
    *out = find(cache, reader);
    if (*out != NULL) {
        step = advance(reader);
    }
    pthread_mutex_unlock(&cache->mutex);
    if (*out == NULL) {
        *out = render_slot(cache, rendering, reader->at, err);
        if (*out != NULL) {
            pthread_mutex_lock(&cache->mutex);
            gone = take_in(cache, rendering, *out);
            step = advance(reader);
            pthread_mutex_unlock(&cache->mutex);
        }
    }
    pthread_mutex_unlock(&rendering->render_mutex);
    renderings_free(gone);
    return step;
}

enum step axfr_cache_next(struct axfr_reader *reader, struct axfr_piece **out, struct error *err)
{
    struct axfr_cache *cache = reader->cache;
    enum step step = STEP_FAILED;
    pthread_mutex_lock(&cache->mutex);
    REQUIRE(reader->at < reader->rendering->slot_count);
    *out = find(cache, reader);
    if (*out != NULL) {
        step = advance(reader);
    }
    pthread_mutex_unlock(&cache->mutex);
    return *out != NULL ? step : make(reader, out, err);
}

/* ---- the cache as a whole ---- */

void axfr_cache_sweep(struct axfr_cache *cache, struct instant now)
{
    struct axfr_rendering *gone = NULL;
    pthread_mutex_lock(&cache->mutex);
    if (!instant_before(now, cache->sweep_at)) {
        cache->sweep_at = instant_add_ms(now, cache->options.sweep_ms);
        cache->epoch++;
        while (cache->oldest != NULL && cache->oldest->epoch + 1 < cache->epoch) {
            drop_oldest(cache, &gone);
        }
        pool_cache_deinit(&cache->pool_cache);
        pool_cache_init(&cache->pool_cache, cache->pool);
        pool_trim(cache->pool, cache->options.trail_bytes);
    }
    pthread_mutex_unlock(&cache->mutex);
    renderings_free(gone);
}

struct axfr_cache_stats axfr_cache_stats(struct axfr_cache *cache)
{
    pthread_mutex_lock(&cache->mutex);
    struct axfr_cache_stats stats = cache->stats;
    pthread_mutex_unlock(&cache->mutex);
    return stats;
}

void axfr_cache_free(struct axfr_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    for (unsigned i = 0; i < BUCKETS; i++) {
        while (cache->buckets[i] != NULL) {
            struct axfr_rendering *rendering = cache->buckets[i];
            REQUIRE(rendering->readers == 0);
            drop(cache, rendering->slots[0].piece);
            rendering_free(rendering_forget(cache, rendering));
        }
    }
    REQUIRE(cache->alive == 0);
    pool_cache_deinit(&cache->pool_cache);
    pool_free(cache->pool);
    pthread_mutex_destroy(&cache->mutex);
    memory_free(cache);
}
