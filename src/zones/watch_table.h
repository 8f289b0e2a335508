/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which names in which directories matter to whom: the bookkeeping of file_watch.c. One thread.
 */
#ifndef ZONES_WATCH_TABLE_H
#define ZONES_WATCH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct watch_table;

/* A directory that holds names somebody cares for. */
struct watched_directory {
    struct watched_directory *next; /* of its bucket by path, and by descriptor */
    struct watched_directory *next_wd;
    int wd;      /* of inotify; negative: none */
    size_t uses; /* names in it */
    char path[];
};

/* A name in a directory, and whom it is for. */
struct watched_name {
    struct watched_name *next, **at; /* of its bucket */
    struct watched_name *next_of_owner;
    struct watched_directory *directory;
    void *owner;
    bool is_stale; /* between watch_table_begin and _end */
    char name[];
};

/* The names of one owner; zeroed is empty. */
struct watched_list {
    struct watched_name *first;
};

struct watch_table *watch_table_new(void);
void watch_table_free(struct watch_table *table);

/*
 * Adds a name for `owner`, unless it is there. Returns whether it is new; *out its directory, which
 * may be new too (its wd is negative then).
 */
bool watch_table_add(struct watch_table *table, struct watched_list *list, void *owner,
                     const char *directory, const char *name, struct watched_directory **out);
/* Everything in the list is stale until it is added again ... */
void watch_table_begin(struct watched_list *list);
/* ... and what still is, goes. `unused` is told of directories that nobody cares for any more,
 * before they are freed. */
typedef void watch_unused(void *context, struct watched_directory *directory);
void watch_table_end(struct watch_table *table, struct watched_list *list, watch_unused *unused,
                     void *context);

/* The directory is known by this descriptor from now on. */
void watch_table_set_wd(struct watch_table *table, struct watched_directory *directory, int wd);
/* The first directory of this descriptor, or NULL; several paths may lead to one. */
struct watched_directory *watch_table_find_wd(const struct watch_table *table, int wd);
/* The next of the same descriptor, or NULL. */
struct watched_directory *watch_table_next_wd(const struct watched_directory *directory);
/* Calls for every owner of the name in the directory; name NULL: of any name in it. */
void watch_table_each(const struct watch_table *table, const struct watched_directory *directory,
                      const char *name, void (*call)(void *context, void *owner), void *context);

#endif
