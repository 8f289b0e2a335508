/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A zone file brought up to date in its author's words.
 *
 * What the text says is read and compared with the version; the difference is carried out on the
 * lines. A record that went takes its entry with it; one that came in the place of another of its
 * owner and type takes over that entry, with owner, TTL and comment; the others stand behind the
 * last entry of their owner, or at the end. Of the SOA, the words that differ are replaced. All
 * other octets stay.
 *
 * An entry without an owner means that of the entry before it, so when an entry that names an owner
 * goes, the next one that leans on it gets the name.
 *
 * What comes out is read again and compared with the version: whatever these rules do not see (a TTL
 * taken from a record that went, an $ORIGIN in between) shows there, and the zone is then printed
 * anew, as it is where a record that went was made by $GENERATE or stands in an included file.
 */
#include "zone/master_rewrite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "wire/rdata.h"
#include "wire/rrtype.h"
#include "zone/builder.h"
#include "zone/delta.h"
#include "zone/master.h"
#include "zone/master_impl.h"
#include "zone/master_layout_impl.h"

enum { SOA_WORDS = 7 };
static const uint32_t NOWHERE = UINT32_MAX;

/* One record of the difference, and the entry that has it, or shall have it. */
struct change {
    struct record record;
    uint32_t entry;                /* removed: of the record; added: behind this one; NOWHERE */
    uint32_t type_entry;           /* added: the last entry of its type, too */
    const struct record *replaces; /* added: the record whose entry it takes over */
    bool is_paired;
};

enum fate { STAYS, GOES, CHANGES, CHANGES_SOA };

struct rewrite {
    struct layout layout;
    const char *path;
    struct change *removed, *added; /* in canonical order: owner, type, rdata */
    size_t removed_count, added_count;
    struct record old_soa, new_soa;
    uint8_t *fates;          /* enum fate, by entry */
    struct change **instead; /* by entry: the added record that takes it over */
    size_t next;             /* the entry that layout_find goes on from */
    const char *obstacle;    /* why it cannot be done by lines */
    struct text *out;
    const struct layout_entry *lost_owner; /* the entry that named the owner of what follows */
};

/* ---- reading ---- */

struct building {
    struct builder *builder;
};

static enum result build_record(void *context, const struct record *record, const char *file,
                                uint32_t line, struct error *err)
{
    struct building *building = context;
    (void)file;
    (void)line;
    return builder_add(building->builder, record, NULL, 0, err);
}

/* The version that the text spells; shares with `base`. */
static enum result load_text(struct slice text, const char *path, const char *directory,
                             struct zone_version *base, struct zone_version **out,
                             struct error *err)
{
    struct master_options options = {.origin = zone_version_name(base),
                                     .class = zone_version_class(base)};
    struct building building = {.builder =
                                    builder_new(options.origin, options.class, NULL, NULL, NULL)};
    builder_set_base(building.builder, base);
    enum result result = master_parse_text(text, path, directory, &options, build_record, &building,
                                           NULL, NULL, err);
    if (result == OK) {
        result = builder_finish(building.builder, base, out, NULL, err);
    }
    builder_free(building.builder);
    return result;
}

static bool same_record(const struct record *a, const struct record *b)
{
    return a->ttl == b->ttl && slice_equal(a->rdata, b->rdata);
}

/* Both SOAs are part of every difference. */
static bool is_nothing(const struct delta *delta)
{
    struct record removed, added;
    delta_get_soa(delta, true, &removed);
    delta_get_soa(delta, false, &added);
    return delta_count(delta) == 2 && same_record(&removed, &added);
}

/* The same but for the serial? */
static bool says_the_same(const struct zone_version *a, const struct zone_version *b)
{
    enum { SERIAL_FROM_END = 20 };
    struct delta *delta = delta_diff(a, b);
    struct record removed, added;
    delta_get_soa(delta, true, &removed);
    delta_get_soa(delta, false, &added);
    size_t size = removed.rdata.size, names = size - SERIAL_FROM_END;
    bool is_same =
        delta_count(delta) == 2 && removed.ttl == added.ttl && added.rdata.size == size &&
        memcmp(removed.rdata.data, added.rdata.data, names) == 0 &&
        memcmp(removed.rdata.data + names + 4, added.rdata.data + names + 4, SERIAL_FROM_END - 4) ==
            0;
    delta_free(delta);
    return is_same;
}

/* ---- finding the entries ---- */

static int compare(const struct record *a, const struct record *b)
{
    int order = name_compare(a->owner, b->owner);
    if (order == 0 && a->type != b->type) {
        order = a->type < b->type ? -1 : 1;
    }
    return order != 0 ? order : rdata_compare(a->type, a->rdata, b->rdata);
}

/* The first change that is not before `record`; by owner alone with `owners`. */
static size_t seek(const struct change *changes, size_t count, const struct record *record,
                   bool owners)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct record *at = &changes[middle].record;
        int order = owners ? name_compare(at->owner, record->owner) : compare(at, record);
        *(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
    }
    return low;
}

static void note_neighbours(struct rewrite *rewrite, const struct record *record, uint32_t entry)
{
    for (size_t i = seek(rewrite->added, rewrite->added_count, record, true);
         i < rewrite->added_count && name_equal(rewrite->added[i].record.owner, record->owner);
         i++) {
        rewrite->added[i].entry = entry;
        if (rewrite->added[i].record.type == record->type) {
            rewrite->added[i].type_entry = entry;
        }
    }
}

/* Each record once more, now to learn where it stands. */
static enum result place_record(void *context, const struct record *record, const char *file,
                                uint32_t line, struct error *err)
{
    struct rewrite *rewrite = context;
    const struct layout_entry *entry =
        file == rewrite->path ? layout_find(&rewrite->layout, &rewrite->next, line) : NULL;
    size_t i = seek(rewrite->removed, rewrite->removed_count, record, false);
    bool goes = i < rewrite->removed_count && compare(&rewrite->removed[i].record, record) == 0;
    bool is_soa = record->type == TYPE_SOA;
    (void)err;
    if (entry == NULL || entry->kind != LAYOUT_RECORD) {
        if (goes || is_soa) {
            rewrite->obstacle = file != rewrite->path ? "a record that changes is in a file of "
                                                        "$INCLUDE"
                                                      : "a record that changes is of $GENERATE";
        }
        return OK;
    }
    uint32_t index = (uint32_t)(entry - rewrite->layout.entries);
    if (is_soa) {
        rewrite->fates[index] = CHANGES_SOA;
    } else if (goes) {
        rewrite->fates[index] = GOES;
        if (rewrite->removed[i].entry == NOWHERE) { /* else it stood in the file twice */
            rewrite->removed[i].entry = index;
        }
    }
    if (rewrite->added_count != 0) {
        note_neighbours(rewrite, record, index);
    }
    return OK;
}

static void pair(struct rewrite *rewrite, struct change *removed, struct change *added)
{
    removed->is_paired = added->is_paired = true;
    rewrite->fates[removed->entry] = CHANGES;
    rewrite->instead[removed->entry] = added;
    added->replaces = &removed->record;
}

/* Records of one owner and type: those of the same data (another TTL) first, the rest in order. */
static void pair_set(struct rewrite *rewrite, struct change *removed, size_t removed_count,
                     struct change *added, size_t added_count)
{
    for (size_t i = 0, j = 0; i < removed_count && j < added_count;) {
        int order =
            rdata_compare(removed[i].record.type, removed[i].record.rdata, added[j].record.rdata);
        if (order == 0 && removed[i].entry != NOWHERE) {
            pair(rewrite, &removed[i], &added[j]);
        }
        i += order <= 0;
        j += order >= 0;
    }
    for (size_t i = 0, j = 0; i < removed_count && j < added_count;) {
        bool is_free = !removed[i].is_paired && removed[i].entry != NOWHERE;
        if (is_free && !added[j].is_paired) {
            pair(rewrite, &removed[i], &added[j]);
        }
        i += removed[i].is_paired || removed[i].entry == NOWHERE;
        j += added[j].is_paired;
    }
}

static size_t set_end(const struct change *changes, size_t count, size_t start)
{
    size_t end = start;
    while (end < count && changes[end].record.type == changes[start].record.type &&
           name_equal(changes[end].record.owner, changes[start].record.owner)) {
        end++;
    }
    return end;
}

static void pair_all(struct rewrite *rewrite)
{
    for (size_t i = 0; i < rewrite->removed_count;) {
        const struct record *first = &rewrite->removed[i].record;
        size_t end = set_end(rewrite->removed, rewrite->removed_count, i);
        struct record key = {.owner = first->owner, .type = first->type};
        size_t j = seek(rewrite->added, rewrite->added_count, &key, true);
        while (j < rewrite->added_count && rewrite->added[j].record.type < first->type &&
               name_equal(rewrite->added[j].record.owner, first->owner)) {
            j++;
        }
        if (j < rewrite->added_count && rewrite->added[j].record.type == first->type &&
            name_equal(rewrite->added[j].record.owner, first->owner)) {
            pair_set(rewrite, &rewrite->removed[i], end - i, &rewrite->added[j],
                     set_end(rewrite->added, rewrite->added_count, j) - j);
        }
        i = end;
    }
}

/* ---- writing ---- */

static void copy(struct rewrite *rewrite, size_t start, size_t end)
{
    if (end > start) {
        text_add(rewrite->out, rewrite->layout.text.data + start, end - start);
    }
}

/* The owner as the entry, or one before it that it leans on, has written it. False: it cannot be
 * told without another $ORIGIN in between. */
static bool copy_owner(struct rewrite *rewrite, const struct layout_entry *entry, uint32_t origin)
{
    const struct layout_entry *named = entry;
    while (named > rewrite->layout.entries &&
           (named->starts_blank || named->kind != LAYOUT_RECORD)) {
        named--;
    }
    struct layout_record words;
    if (named->kind != LAYOUT_RECORD || named->starts_blank || named->origin != origin ||
        !layout_record_read(&rewrite->layout, named, &words)) {
        return false;
    }
    copy(rewrite, words.owner.start, words.owner.end);
    return true;
}

static void write_added(struct rewrite *rewrite, const struct record *record,
                        const struct layout_entry *behind)
{
    char name[NAME_TEXT_SIZE];
    if (behind == NULL || !copy_owner(rewrite, behind, behind->origin)) {
        text_add_str(rewrite->out, name_format(record->owner, name));
    }
    master_print_tail(record, rewrite->out);
}

/* The entry up to its rdata, or up to its end: with its owner where it lost the one it leaned on. */
static size_t write_front(struct rewrite *rewrite, const struct layout_entry *entry)
{
    if (!entry->starts_blank) {
        rewrite->lost_owner = NULL;
    } else if (rewrite->lost_owner != NULL) {
        (void)copy_owner(rewrite, rewrite->lost_owner, entry->origin);
        rewrite->lost_owner = NULL;
    }
    return entry->start;
}

/* Another record of the same owner and type in its place. */
static void write_changed(struct rewrite *rewrite, const struct layout_entry *entry,
                          const struct record *old, const struct record *record)
{
    struct layout_record words;
    bool is_told = layout_record_read(&rewrite->layout, entry, &words);
    size_t at = write_front(rewrite, entry);
    if (!is_told || (old->ttl != record->ttl && !words.has_ttl)) {
        if (!entry->starts_blank && is_told) {
            copy(rewrite, words.owner.start, words.owner.end);
        }
        master_print_tail(record, rewrite->out);
        return;
    }
    if (old->ttl != record->ttl) {
        copy(rewrite, at, words.ttl.start);
        text_printf(rewrite->out, "%u", record->ttl);
        at = words.ttl.end;
    }
    if (!slice_equal(old->rdata, record->rdata)) {
        copy(rewrite, at, words.rdata.start);
        rdata_format(record->type, record->rdata, rewrite->out);
        at = words.rdata.end;
    }
    copy(rewrite, at, entry->end);
}

static void add_name(struct rewrite *rewrite, const uint8_t *name)
{
    char text[NAME_TEXT_SIZE];
    text_add_str(rewrite->out, name_format(name, text));
}

/* Word by word: serial, times, names. */
static void write_soa(struct rewrite *rewrite, const struct layout_entry *entry)
{
    struct layout_record words;
    struct soa old = soa_read(rewrite->old_soa.rdata), fresh = soa_read(rewrite->new_soa.rdata);
    bool same_ttl = rewrite->old_soa.ttl == rewrite->new_soa.ttl;
    size_t at = write_front(rewrite, entry);
    if (!layout_record_read(&rewrite->layout, entry, &words) || words.word_count != SOA_WORDS ||
        (!same_ttl && !words.has_ttl)) {
        rewrite->obstacle = "the SOA is written in a way that cannot be edited";
        return;
    }
    const uint32_t before[] = {old.serial.value, old.refresh_s, old.retry_s, old.expire_s,
                               old.minimum_s};
    const uint32_t after[] = {fresh.serial.value, fresh.refresh_s, fresh.retry_s, fresh.expire_s,
                              fresh.minimum_s};
    const uint8_t *old_names[] = {old.mname, old.rname}, *names[] = {fresh.mname, fresh.rname};
    if (!same_ttl) {
        copy(rewrite, at, words.ttl.start);
        text_printf(rewrite->out, "%u", rewrite->new_soa.ttl);
        at = words.ttl.end;
    }
    for (unsigned i = 0; i < SOA_WORDS; i++) {
        bool is_name = i < 2;
        if (is_name ? name_equal(old_names[i], names[i]) : before[i - 2] == after[i - 2]) {
            continue;
        }
        copy(rewrite, at, words.words[i].start);
        if (is_name) {
            add_name(rewrite, names[i]);
        } else {
            text_printf(rewrite->out, "%u", after[i - 2]);
        }
        at = words.words[i].end;
    }
    copy(rewrite, at, entry->end);
}

static void write_entry(struct rewrite *rewrite, uint32_t index)
{
    const struct layout_entry *entry = &rewrite->layout.entries[index];
    const struct change *added = rewrite->instead[index];
    switch ((enum fate)rewrite->fates[index]) {
    case STAYS:
        if (entry->kind == LAYOUT_RECORD) {
            copy(rewrite, write_front(rewrite, entry), entry->end);
        } else {
            copy(rewrite, entry->start, entry->end);
        }
        break;
    case GOES:
        if (!entry->starts_blank) {
            rewrite->lost_owner = entry;
        }
        break;
    case CHANGES:
        write_changed(rewrite, entry, added->replaces, &added->record);
        break;
    case CHANGES_SOA:
        write_soa(rewrite, entry);
        break;
    }
}

static int by_entry(const void *a, const void *b)
{
    const struct change *const *left = a, *const *right = b;
    uint32_t x = (*left)->entry, y = (*right)->entry;
    return x != y ? (x < y ? -1 : 1) : compare(&(*left)->record, &(*right)->record);
}

/* What is not the successor of another record, in the order of where it goes. */
static struct change **sort_added(struct rewrite *rewrite, size_t *out_count)
{
    struct change **sorted = memory_new_zeroed(rewrite->added_count + 1, sizeof(sorted[0]));
    size_t count = 0;
    for (size_t i = 0; i < rewrite->added_count; i++) {
        struct change *added = &rewrite->added[i];
        if (!added->is_paired) {
            if (added->type_entry != NOWHERE) {
                added->entry = added->type_entry;
            }
            sorted[count++] = added;
        }
    }
    if (count > 1) {
        qsort(sorted, count, sizeof(sorted[0]), by_entry);
    }
    *out_count = count;
    return sorted;
}

static void write_text(struct rewrite *rewrite)
{
    size_t added_count, next = 0, at = 0;
    struct change **added = sort_added(rewrite, &added_count);
    for (uint32_t i = 0; i < rewrite->layout.count && rewrite->obstacle == NULL; i++) {
        const struct layout_entry *entry = &rewrite->layout.entries[i];
        copy(rewrite, at, entry->start); /* comments and blank lines */
        write_entry(rewrite, i);
        at = entry->end;
        for (; next < added_count && added[next]->entry == i; next++) {
            write_added(rewrite, &added[next]->record, entry);
            rewrite->lost_owner = NULL;
        }
    }
    copy(rewrite, at, rewrite->layout.text.size);
    for (; next < added_count; next++) {
        write_added(rewrite, &added[next]->record, NULL);
    }
    memory_free(added);
}

/* ---- the whole ---- */

static void split_delta(struct rewrite *rewrite, const struct delta *delta)
{
    size_t count = delta_count(delta);
    rewrite->removed = memory_new_zeroed(count, sizeof(rewrite->removed[0]));
    rewrite->added = memory_new_zeroed(count, sizeof(rewrite->added[0]));
    for (size_t i = 0; i < count; i++) {
        struct change change = {.entry = NOWHERE, .type_entry = NOWHERE};
        bool removes;
        delta_get(delta, i, &removes, &change.record);
        if (change.record.type == TYPE_SOA) {
            continue;
        }
        if (removes) {
            rewrite->removed[rewrite->removed_count++] = change;
        } else {
            rewrite->added[rewrite->added_count++] = change;
        }
    }
}

/* Sets the obstacle where it cannot be done. */
static enum result edit_text(struct rewrite *rewrite, const char *directory,
                             const struct zone_version *version, const struct delta *delta,
                             struct error *err)
{
    delta_get_soa(delta, true, &rewrite->old_soa);
    delta_get_soa(delta, false, &rewrite->new_soa);
    split_delta(rewrite, delta);
    enum result result = layout_read(rewrite->layout.text, &rewrite->layout, err);
    if (result != OK) {
        return result;
    }
    rewrite->fates = memory_new_zeroed(rewrite->layout.count + 1, 1);
    rewrite->instead = memory_new_zeroed(rewrite->layout.count + 1, sizeof(rewrite->instead[0]));
    struct master_options options = {.origin = zone_version_name(version),
                                     .class = zone_version_class(version)};
    result = master_parse_text(rewrite->layout.text, rewrite->path, directory, &options,
                               place_record, rewrite, NULL, NULL, err);
    if (result == OK && rewrite->obstacle == NULL) {
        pair_all(rewrite);
        write_text(rewrite);
    }
    return result;
}

/* Does the text read back as the version? */
static bool reads_as(const struct text *text, const char *path, const char *directory,
                     struct zone_version *version)
{
    struct zone_version *again = NULL;
    if (load_text(text_slice(text), path, directory, version, &again, &(struct error){0}) != OK) {
        return false;
    }
    struct delta *delta = delta_diff(again, version);
    bool is_same = is_nothing(delta);
    delta_free(delta);
    zone_version_unref(again);
    return is_same;
}

enum result master_rewrite(struct slice text, const char *path, const char *directory,
                           const struct zone_version *said, struct zone_version *version,
                           enum master_style style, struct text *out, struct master_rewrite *what,
                           struct error *err)
{
    struct text whole;
    struct zone_version *read = NULL;
    *what = (struct master_rewrite){0};
    enum result result = load_text(text, path, directory, version, &read, err);
    if (result != OK) {
        return result;
    }
    if (said != NULL && !says_the_same(said, read)) {
        zone_version_unref(read);
        return error_set(err, ERR_STALE, "%s was edited meanwhile", path);
    }
    struct delta *delta = delta_diff(read, version);
    text_init(&whole, 0);
    text_add(&whole, text.data, text.size);
    if (text.size != 0 && text.data[text.size - 1] != '\n') {
        text_add_char(&whole, '\n');
    }
    if (is_nothing(delta)) {
        what->is_same = true;
        text_add(out, text.data, text.size);
    } else {
        struct rewrite rewrite = {.layout = {.text = text_slice(&whole)}, .path = path, .out = out};
        result = edit_text(&rewrite, directory, version, delta, err);
        what->removed = rewrite.removed_count;
        what->added = rewrite.added_count;
        what->printed_because = rewrite.obstacle;
        memory_free(rewrite.removed);
        memory_free(rewrite.added);
        memory_free(rewrite.fates);
        memory_free(rewrite.instead);
        layout_deinit(&rewrite.layout);
        if (result == OK && rewrite.obstacle == NULL && !reads_as(out, path, directory, version)) {
            what->printed_because = "edited by lines, it would not say what the zone has";
        }
        if (result == OK && what->printed_because != NULL) {
            text_reset(out);
            master_print_zone(version, style, out);
        }
    }
    text_deinit(&whole);
    delta_free(delta);
    zone_version_unref(read);
    return result;
}
