/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Three hash tables with chains: directories by path, directories by inotify's descriptor, names by
 * directory and name. A hundred thousand zones in one directory are a hundred thousand names and one
 * directory; a file that they all include is a chain of a hundred thousand names, which is walked
 * only when that file changes. What an owner has is also a list of its own, so that looking for "is
 * it there already" and taking it out cost what the owner has and nothing more.
 */
#include "zones/watch_table.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

enum { FIRST_BUCKETS = 256, DIRECTORY_BUCKETS = 4096 };

struct watch_table {
    uint64_t key;
    struct watched_name **names;
    size_t name_buckets, name_count;
    struct watched_directory *by_path[DIRECTORY_BUCKETS], *by_wd[DIRECTORY_BUCKETS];
};

struct watch_table *watch_table_new(void)
{
    struct watch_table *table = memory_new_zeroed(1, sizeof(*table));
    table->key = random_u64();
    table->name_buckets = FIRST_BUCKETS;
    table->names = memory_new_zeroed(table->name_buckets, sizeof(table->names[0]));
    return table;
}

void watch_table_free(struct watch_table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->name_buckets; i++) {
        for (struct watched_name *name = table->names[i], *next; name != NULL; name = next) {
            next = name->next;
            memory_free(name);
        }
    }
    for (size_t i = 0; i < DIRECTORY_BUCKETS; i++) {
        for (struct watched_directory *d = table->by_path[i], *next; d != NULL; d = next) {
            next = d->next;
            memory_free(d);
        }
    }
    memory_free(table->names);
    memory_free(table);
}

static uint64_t hash_text(const struct watch_table *table, const char *text, uint64_t more)
{
    return hash_bytes(table->key ^ more, text, strlen(text));
}

static struct watched_name **name_bucket(const struct watch_table *table,
                                         const struct watched_directory *directory,
                                         const char *name)
{
    uint64_t hash = hash_text(table, name, (uint64_t)(uintptr_t)directory);
    return &table->names[hash & (table->name_buckets - 1)];
}

static void link_name(const struct watch_table *table, struct watched_name *name)
{
    struct watched_name **bucket = name_bucket(table, name->directory, name->name);
    name->next = *bucket;
    name->at = bucket;
    if (name->next != NULL) {
        name->next->at = &name->next;
    }
    *bucket = name;
}

static void grow(struct watch_table *table)
{
    struct watched_name **old = table->names;
    size_t count = table->name_buckets;
    table->name_buckets *= 2;
    table->names = memory_new_zeroed(table->name_buckets, sizeof(table->names[0]));
    for (size_t i = 0; i < count; i++) {
        for (struct watched_name *name = old[i], *next; name != NULL; name = next) {
            next = name->next;
            link_name(table, name);
        }
    }
    memory_free(old);
}

static struct watched_directory *get_directory(struct watch_table *table, const char *path)
{
    struct watched_directory **bucket =
        &table->by_path[hash_text(table, path, 0) & (DIRECTORY_BUCKETS - 1)];
    for (struct watched_directory *d = *bucket; d != NULL; d = d->next) {
        if (strcmp(d->path, path) == 0) {
            return d;
        }
    }
    size_t size = strlen(path) + 1;
    struct watched_directory *directory = memory_new(sizeof(*directory) + size);
    *directory = (struct watched_directory){.next = *bucket, .wd = -1};
    memcpy(directory->path, path, size);
    *bucket = directory;
    return directory;
}

bool watch_table_add(struct watch_table *table, struct watched_list *list, void *owner,
                     const char *directory, const char *name, struct watched_directory **out)
{
    struct watched_directory *in = get_directory(table, directory);
    *out = in;
    for (struct watched_name *known = list->first; known != NULL; known = known->next_of_owner) {
        if (known->directory == in && strcmp(known->name, name) == 0) {
            known->is_stale = false;
            return false;
        }
    }
    if (table->name_count >= table->name_buckets) {
        grow(table);
    }
    size_t size = strlen(name) + 1;
    struct watched_name *fresh = memory_new(sizeof(*fresh) + size);
    *fresh = (struct watched_name){.next_of_owner = list->first, .directory = in, .owner = owner};
    memcpy(fresh->name, name, size);
    list->first = fresh;
    in->uses++;
    table->name_count++;
    link_name(table, fresh);
    return true;
}

void watch_table_begin(struct watched_list *list)
{
    for (struct watched_name *name = list->first; name != NULL; name = name->next_of_owner) {
        name->is_stale = true;
    }
}

static void unlink_wd(struct watch_table *table, struct watched_directory *directory)
{
    if (directory->wd < 0) {
        return;
    }
    struct watched_directory **at = &table->by_wd[(unsigned)directory->wd % DIRECTORY_BUCKETS];
    while (*at != directory) {
        at = &(*at)->next_wd;
    }
    *at = directory->next_wd;
    directory->wd = -1;
}

static void drop_directory(struct watch_table *table, struct watched_directory *directory)
{
    struct watched_directory **at =
        &table->by_path[hash_text(table, directory->path, 0) & (DIRECTORY_BUCKETS - 1)];
    unlink_wd(table, directory);
    while (*at != directory) {
        at = &(*at)->next;
    }
    *at = directory->next;
    memory_free(directory);
}

void watch_table_end(struct watch_table *table, struct watched_list *list, watch_unused *unused,
                     void *context)
{
    for (struct watched_name **at = &list->first; *at != NULL;) {
        struct watched_name *name = *at;
        if (!name->is_stale) {
            at = &name->next_of_owner;
            continue;
        }
        *at = name->next_of_owner;
        *name->at = name->next;
        if (name->next != NULL) {
            name->next->at = name->at;
        }
        table->name_count--;
        if (--name->directory->uses == 0) {
            unused(context, name->directory);
            drop_directory(table, name->directory);
        }
        memory_free(name);
    }
}

void watch_table_set_wd(struct watch_table *table, struct watched_directory *directory, int wd)
{
    unlink_wd(table, directory);
    directory->wd = wd;
    if (wd >= 0) {
        struct watched_directory **bucket = &table->by_wd[(unsigned)wd % DIRECTORY_BUCKETS];
        directory->next_wd = *bucket;
        *bucket = directory;
    }
}

struct watched_directory *watch_table_find_wd(const struct watch_table *table, int wd)
{
    struct watched_directory *found =
        wd < 0 ? NULL : table->by_wd[(unsigned)wd % DIRECTORY_BUCKETS];
    while (found != NULL && found->wd != wd) {
        found = found->next_wd;
    }
    return found;
}

struct watched_directory *watch_table_next_wd(const struct watched_directory *directory)
{
    struct watched_directory *next = directory->next_wd;
    while (next != NULL && next->wd != directory->wd) {
        next = next->next_wd;
    }
    return next;
}

void watch_table_each(const struct watch_table *table, const struct watched_directory *directory,
                      const char *name, void (*call)(void *context, void *owner), void *context)
{
    size_t first = 0, last = table->name_buckets - 1;
    if (name != NULL) {
        first = last = (size_t)(name_bucket(table, directory, name) - table->names);
    }
    for (size_t i = first; i <= last; i++) {
        for (struct watched_name *n = table->names[i], *next; n != NULL; n = next) {
            next = n->next;
            if (n->directory == directory && (name == NULL || strcmp(n->name, name) == 0)) {
                call(context, n->owner);
            }
        }
    }
}
