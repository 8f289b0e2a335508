/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whose commits stood in a group of the journal that nobody can read any more.
 *
 * A group that is damaged in both copies takes with it what it held, and the names of the zones that
 * it was of. So each group has a note of those before it: the last step and serial of each zone that
 * had one in them. When a hole is met, the note of the group behind it says what is missing, and
 * those zones, and no others, are found damaged, transferred or loaded anew, and never go back
 * behind a serial that was acknowledged. Without it, a zone whose newest commits were all in the hole
 * would look sound, and old.
 *
 * A note covers up to NOTE_GROUPS groups, and as many as have NOTE_ENTRIES entries together: a hole
 * that is larger than that is only reported as such. The note is one more put of a group, with the
 * key "noted" and no zone, which the database never gets:
 *
 *     groups covered u8, then for each zone: its number u32, step u64, serial u32
 *
 * What is read from a note becomes a group in place of the one that was lost: puts of the last
 * commit of each zone. From there on it is as if the deltas alone had been lost.
 */
#include "base/memory.h"
#include "store/number.h"
#include "store/store_impl.h"

enum { ENTRY_SIZE = 16, FEW_ENTRIES = 64 };

static const char note_key[] = "noted";

static void forget(struct noted_group *group)
{
    memory_free(group->entries);
    *group = (struct noted_group){0};
}

void store_note_deinit(struct store *store)
{
    for (unsigned i = 0; i < NOTE_GROUPS; i++) {
        forget(&store->noted[i]);
    }
}

void store_note_group(struct store *store, const struct pending_group *group)
{
    if (group->sequence != store->noted_last + 1) {
        store_note_deinit(store);
    }
    store->noted_last = group->sequence;
    struct noted_group *noted = &store->noted[group->sequence % NOTE_GROUPS];
    uint32_t room = 0;
    forget(noted);
    noted->is_known = true;
    for (size_t i = 0; i < group->put_count; i++) {
        const struct pending_put *put = &group->puts[i];
        struct value_key key;
        struct slice content;
        if (put->table != DATABASE_DATA || put->deletes || !value_key_read(put->key, &key) ||
            key.kind != VALUE_LAST ||
            value_check(put->key, put->value, VALUE_LAST, &content, NULL) != OK ||
            content.size != 12) {
            continue;
        }
        if (noted->count == room) {
            room = room == 0 ? 1 : 2 * room;
            noted->entries = memory_resize(noted->entries, room * sizeof(noted->entries[0]));
        }
        noted->entries[noted->count++] =
            (struct noted_zone){key.zone_id, get_u32(content.data + 8), get_u64(content.data)};
    }
}

static bool is_there(const struct text *text, size_t from, uint32_t zone_id)
{
    for (; from < text->size; from += ENTRY_SIZE) {
        if (get_u32((const uint8_t *)text->bytes + from) == zone_id) {
            return true;
        }
    }
    return false;
}

void store_note_write(struct store *store, struct text *payload)
{
    struct text entries;
    uint8_t covered = 0;
    uint32_t count = 0;
    text_init(&entries, 0);
    pthread_mutex_lock(&store->lock);
    while (covered < NOTE_GROUPS) {
        const struct noted_group *group =
            &store->noted[(store->noted_last - covered) % NOTE_GROUPS];
        if (!group->is_known || count + group->count > NOTE_ENTRIES) {
            break;
        }
        for (uint32_t i = 0; i < group->count; i++) {
            uint8_t entry[ENTRY_SIZE];
            if (entries.size < FEW_ENTRIES * ENTRY_SIZE &&
                is_there(&entries, 0, group->entries[i].zone_id)) {
                continue; /* a newer one */
            }
            put_u32(entry, group->entries[i].zone_id);
            put_u64(entry + 4, group->entries[i].step);
            put_u32(entry + 12, group->entries[i].serial);
            text_add(&entries, entry, sizeof(entry));
            count++;
        }
        covered++;
    }
    pthread_mutex_unlock(&store->lock);
    if (covered != 0) {
        uint8_t header[8] = {DATABASE_META};
        put_u16(header + 2, sizeof(note_key) - 1);
        put_u32(header + 4, 1 + (uint32_t)entries.size);
        text_add(payload, header, sizeof(header));
        text_add(payload, note_key, sizeof(note_key) - 1);
        text_add(payload, &covered, 1);
        text_add(payload, entries.bytes, entries.size);
    }
    text_deinit(&entries);
}

/* The note among the puts of a whole payload; size 0: none. */
static struct slice find_note(struct slice payload)
{
    for (size_t at = 0; at < payload.size;) {
        const uint8_t *put = payload.data + at;
        size_t key_size = get_u16(put + 2);
        uint32_t value_size = get_u32(put + 4);
        size_t size = value_size == UINT32_MAX ? 0 : value_size;
        if (put[0] == DATABASE_META &&
            slice_equal(slice_of(put + 8, key_size), slice_str(note_key))) {
            return slice_of(put + 8 + key_size, size);
        }
        at += 8 + key_size + size;
    }
    return slice_of(NULL, 0);
}

static void add_last(struct text *out, const uint8_t *entry)
{
    uint8_t header[8] = {DATABASE_DATA};
    uint8_t bytes[VALUE_KEY_SIZE];
    struct slice key = slice_of(bytes, sizeof(bytes));
    value_key_write(&(struct value_key){get_u32(entry), VALUE_LAST, 0, 0}, bytes);
    put_u16(header + 2, VALUE_KEY_SIZE);
    put_u32(header + 4, VALUE_HEADER_SIZE + 12);
    text_add(out, header, sizeof(header));
    text_add(out, bytes, sizeof(bytes));
    size_t start = value_begin(out, VALUE_LAST);
    text_add(out, entry + 4, 12);
    value_end(out, start, key);
}

uint64_t store_note_mark(struct store *store, uint64_t first, uint64_t last, struct slice payload,
                         size_t *out_zones)
{
    struct slice note = find_note(payload);
    struct text puts;
    uint64_t covered = note.size == 0 ? 0 : note.data[0];
    *out_zones = 0;
    if (covered == 0 || (note.size - 1) % ENTRY_SIZE != 0) {
        return last - first + 1;
    }
    text_init(&puts, 0);
    for (size_t at = 1; at < note.size; at += ENTRY_SIZE) {
        struct store_zone *zone = store_zone_by_id(store, get_u32(note.data + at));
        if (zone != NULL) { /* else its very name was in the hole */
            add_last(&puts, note.data + at);
            *out_zones += 1;
        }
    }
    store_take_group(store, last, &puts);
    text_deinit(&puts);
    return covered >= last - first + 1 ? 0 : last - first + 1 - covered;
}
