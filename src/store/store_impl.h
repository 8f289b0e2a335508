/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the store share: its memory of zones, and of what the journal holds.
 *
 * Truth about a zone is the database overlaid with the zone's pending puts. The index of a zone
 * (image, deltas) is read from both at first use and followed from then on.
 */
#ifndef STORE_STORE_IMPL_H
#define STORE_STORE_IMPL_H

#include <pthread.h>

#include "base/memory.h"
#include "store/database.h"
#include "store/journal.h"
#include "store/store.h"
#include "store/value.h"
#include "wire/name.h"

/* One "put" of a group; its octets lie in the group's payload. */
struct pending_put {
    struct pending_put *next; /* of the same zone, older first; behind the last the first again */
    uint64_t sequence;
    enum database_table table;
    bool deletes;
    struct slice key;
    struct slice value;
};

/* A group of the journal that the database does not have yet. */
struct pending_group {
    struct pending_group *next;
    uint64_t sequence;
    struct text payload;
    struct pending_put *puts;
    size_t put_count;
};

struct history_item {
    struct store_entry entry;
    uint32_t parts;
    struct pending_put *pending; /* part 0, while it is in the journal only; further parts follow */
};

/* What a zone has that changed, or is damaged, or bounded: allocated when the first of it comes. */
struct store_zone_rare {
    const char *damage; /* found at loading, told by status until history restarts; or NULL */
    uint64_t limit_bytes;
    uint64_t history_bytes;
    uint64_t since_image_bytes;
    struct history_item *items; /* ascending steps, without gaps */
    uint32_t item_first;        /* items before it have been trimmed */
    uint32_t item_count;        /* where the array ends */
    uint32_t item_room;
    bool is_long;
    struct store_zone *next_long; /* in `long_zones` */
};

/* The newest image, as its head says. */
struct store_zone_image {
    uint64_t step; /* 0: none */
    int64_t time_s;
    uint64_t size_bytes;
    uint64_t record_count;
    uint8_t *digest; /* NULL: it has none */
    struct serial serial;
    uint8_t source; /* enum store_source */
    uint8_t flags;
};

/* There is one for each zone, ever, in the store's arena. */
struct store_zone {
    uint64_t next_step;
    uint64_t last_step;
    struct store_zone_image image;
    struct store_zone_rare *rare;     /* NULL: nothing; store_rare(), store_zone_own() */
    struct pending_put *last_pending; /* its `next` is the first; NULL: none */
    uint32_t id;
    uint32_t holders; /* store_zone_hold() */
    struct serial last_serial;
    uint16_t class;
    bool is_on_disk; /* the zones table, or the journal, has it */
    bool is_loaded;  /* the index is true: image, steps and what is rare */
    bool is_going;   /* it is being taken off the disk because nobody holds it */
    uint8_t name_size;
    uint8_t name[]; /* lower case */
};

/* A zone's last commit in a group. */
struct noted_zone {
    uint32_t zone_id;
    uint32_t serial;
    uint64_t step;
};

/* What a group of the journal held, for the notes in those behind it (store_note.c). */
struct noted_group {
    struct noted_zone *entries;
    uint32_t count;
    bool is_known;
};

enum { NOTE_GROUPS = 8, NOTE_ENTRIES = 2048 };

struct store {
    pthread_mutex_t lock; /* of all below but the handles, and of the zones' indexes */
    struct database *database;
    struct journal *journal;
    int directory_fd;
    int lock_fd;
    pthread_cond_t removed; /* an absent zone is off the disk */
    struct arena zone_arena;
    struct store_zone **zones; /* by id; NULL where none */
    uint32_t zone_room;
    uint32_t next_id;
    uint32_t *table; /* open addressing: hash of class and name -> id + 1 */
    uint32_t table_room;
    uint32_t table_used;
    struct pending_group *first_group;
    struct pending_group *last_group;
    uint64_t pending_bytes;
    uint64_t history_bytes; /* of the loaded zones */
    uint64_t max_history_bytes;
    struct store_zone *long_zones; /* whose history has passed their limit */
    uint64_t released;   /* groups up to it are in the database twice over; the keeper's */
    uint64_t generation; /* counts what moved from the journal to the database */
    struct store_statistics statistics;
    struct noted_group noted[NOTE_GROUPS]; /* by sequence number */
    uint64_t noted_last;                   /* the newest of them */
    uint64_t lost_first, lost_last; /* while opening: the hole before the next group; 0: none */
    struct text lost_zones;         /* while opening: keys of those whose entry is damaged */
    bool has_lost_zones;
    store_report *report; /* while opening */
    void *report_context;
};

/* Under the lock: */
extern const struct store_zone_rare store_nothing_rare;
static inline const struct store_zone_rare *store_rare(const struct store_zone *zone)
{
    return zone->rare != NULL ? zone->rare : &store_nothing_rare;
}
struct store_zone_rare *store_zone_own(struct store_zone *zone);

/* The zone's pending puts, the oldest first. */
static inline struct pending_put *store_pending_first(const struct store_zone *zone)
{
    return zone->last_pending == NULL ? NULL : zone->last_pending->next;
}
static inline struct pending_put *store_pending_next(const struct store_zone *zone,
                                                     const struct pending_put *put)
{
    return put == zone->last_pending ? NULL : put->next;
}

struct store_zone *store_zone_by_id(struct store *store, uint32_t id);
struct store_zone *store_zone_insert(struct store *store, uint32_t id, const uint8_t *name,
                                     uint16_t class);
void store_zone_key(const struct store_zone *zone, uint8_t out[VALUE_ZONE_KEY_SIZE], size_t *size);
/* Takes the payload of a durable group: its puts overlay the database from now on. */
void store_take_group(struct store *store, uint64_t sequence, struct text *payload);
/* Follows one put in the index of a loaded zone. `put` NULL: it is in the database. */
void store_index_chunk(struct store *store, struct store_zone *zone,
                       const struct value_entry *entry, struct pending_put *put);
void store_index_image(struct store *store, struct store_zone *zone,
                       const struct value_entry *entry);
void store_index_clear(struct store *store, struct store_zone *zone);
/* Has the next checkpoint look at the zone's history where it has passed its limit. */
void store_index_bound(struct store *store, struct store_zone *zone);
struct history_item *store_index_find(struct store_zone *zone, uint64_t step);
/* The newest pending put of a key, or NULL. */
struct pending_put *store_pending_find(const struct store_zone *zone, struct slice key);

/* Under the lock: remembers what the group holds. */
void store_note_group(struct store *store, const struct pending_group *group);
/* Without the lock: adds the note of the groups before to a group that is about to be written. */
void store_note_write(struct store *store, struct text *payload);
/* While opening: the group with `payload` follows groups `first` to `last`, which are lost; zones that
 * its note names are damaged from now on. How many of the groups it does not cover. */
uint64_t store_note_mark(struct store *store, uint64_t first, uint64_t last, struct slice payload,
                         size_t *out_zones);
void store_note_deinit(struct store *store);

/* Without the lock: makes is_loaded true. ERR_IO. */
MUST_CHECK enum result store_zone_load(struct store *store, struct store_zone *zone,
                                       struct error *err);

/* Runs `write` in a database transaction and commits it; grows the map and runs it again where it
 * was too small. */
typedef enum result store_write_step(struct store *store, struct database_txn *txn, void *context,
                                     struct error *err);
MUST_CHECK enum result store_write_database(struct store *store, store_write_step *write,
                                            void *context, struct error *err);
/* Deletes from the database what the zone's image makes superfluous: older images, unfinished ones,
 * and with `restarts` all deltas up to it. */
MUST_CHECK enum result store_tidy_images(struct database_txn *txn, uint32_t zone_id, uint64_t step,
                                         bool restarts, struct error *err);
/* As store_zone_remove(), of several in one transaction. */
MUST_CHECK enum result store_zones_remove(struct store *store, struct store_zone *const *zones,
                                          size_t count, struct error *err);
/* Puts of the journal's groups into the transaction, and `applied`. Returns the last sequence.
 * max_bytes  no more groups once there are so many octets; 0: all */
MUST_CHECK enum result store_put_pending(struct store *store, struct database_txn *txn,
                                         uint64_t max_bytes, uint64_t *out_sequence,
                                         struct error *err);
/* After the commit of it: the overlay up to `sequence` is gone, its segments are free. */
void store_drop_pending(struct store *store, uint64_t sequence);

#endif
