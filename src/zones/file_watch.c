/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Zone files watched through their directories, since editors and tools replace files: a watch on
 * the file itself would follow the old one to its grave. For each file its name is watched in its
 * directory, and so is every symbolic link on the way, so that swapping a link (as Kubernetes does)
 * is seen. Of a way that ends too early, the first name that is missing is watched for.
 *
 * What is waited for is that a file was closed after writing, or was moved to its name; a file that
 * is only created has nothing in it yet. A zone is read when its files have been quiet for 50 ms, or
 * after half a second of unrest. Whether there is something to read is the loader's decision: it
 * compares time, size and inode, so an event too many costs a stat(2).
 *
 * Between reading and watching there is a gap, so whatever is watched for the first time is looked
 * at once more. When the kernel lost events (IN_Q_OVERFLOW), all zones are.
 *
 * Network file systems report only what this machine does.
 */
#include "zones/file_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "hub/server.h"
#include "net/loop.h"
#include "zones/included_files.h"
#include "zones/watch_table.h"
#include "zones/zone_load.h"
#include "zones/zones.h"

enum { QUIET_MS = 50, UNREST_MS = 500, MAX_LINKS = 40, EVENTS_SIZE = 65536 };

static const uint32_t watched_events = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF |
                                       IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;

struct file_watch {
    struct server *server;
    int fd;
    struct loop_watch readable;
    struct loop_timer quiet;
    struct instant latest; /* until when a burst may last */
    struct watch_table *table;
    struct server_zone **pending; /* a reference each */
    size_t pending_count, pending_room;
    bool has_told; /* that directories cannot be watched */
};

/* ---- which zones ---- */

static void mark(void *context, void *owner)
{
    struct file_watch *watch = context;
    struct server_zone *zone = owner;
    if (zone->watch_pending) {
        return;
    }
    zone->watch_pending = true;
    if (watch->pending_count == watch->pending_room) {
        watch->pending_room = watch->pending_room == 0 ? 16 : 2 * watch->pending_room;
        watch->pending =
            memory_resize(watch->pending, watch->pending_room * sizeof(watch->pending[0]));
    }
    watch->pending[watch->pending_count++] = server_zone_ref(zone);
}

/* After one or more calls of mark(). */
static void wait_for_quiet(struct file_watch *watch)
{
    struct loop *loop = watch->server->main_loop;
    struct instant now = loop_now(loop);
    if (watch->pending_count == 0) {
        return;
    }
    if (watch->latest.ns == INSTANT_NEVER.ns) {
        watch->latest = instant_add_ms(now, UNREST_MS);
    }
    loop_timer_set(loop, &watch->quiet, instant_min(watch->latest, instant_add_ms(now, QUIET_MS)));
}

static void quiet(void *context)
{
    struct file_watch *watch = context;
    watch->latest = INSTANT_NEVER;
    for (size_t i = 0; i < watch->pending_count; i++) {
        struct server_zone *zone = watch->pending[i];
        zone->watch_pending = false;
        if (!atomic_load(&zone->gone)) {
            atomic_store(&zone->watch_told, true);
            zone_load_start(zone, NULL);
        }
        server_zone_unref(zone);
    }
    watch->pending_count = 0;
}

/* ---- the kernel's side ---- */

static void tell_failure(struct file_watch *watch, const char *directory)
{
    struct error err = {0};
    bool is_full = errno == ENOSPC;
    (void)error_set_os(&err, ERR_IO, "cannot watch the directory %s", directory);
    if (!watch->has_told) {
        char text[1024];
        watch->has_told = true;
        LOG_EVENT(watch->server->logging, LOG_ERROR, LOG_GENERAL, "file_watch_failed",
                  error_format(&err, text, sizeof(text)),
                  LOG_KEY("action", is_full
                                        ? "raise sysctl fs.inotify.max_user_watches; files in it "
                                          "are read at SIGHUP"
                                        : "files in it are read at SIGHUP"));
    }
}

/* Returns whether something is watched now that was not before. */
static bool watch_name(struct file_watch *watch, struct server_zone *zone, const char *directory,
                       const char *name)
{
    struct watched_directory *in;
    const char *path = directory[0] == '\0' ? "/" : directory;
    bool is_new = watch_table_add(watch->table, &zone->watched, zone, path, name, &in);
    if (in->wd < 0) {
        int wd = inotify_add_watch(watch->fd, path, watched_events);
        if (wd < 0) {
            tell_failure(watch, path);
        } else {
            watch_table_set_wd(watch->table, in, wd);
            is_new = true;
        }
    }
    return is_new;
}

/* ---- the way to a file ---- */

struct walk {
    char here[PATH_MAX]; /* without links; "" is the root */
    char rest[PATH_MAX];
    char next[PATH_MAX]; /* where the next name leads */
    unsigned links;
};

/* The next name of the rest, cut off; NULL at the end. */
static char *next_name(char **rest)
{
    char *name = *rest + strspn(*rest, "/");
    if (*name == '\0') {
        return NULL;
    }
    char *end = name + strcspn(name, "/");
    *rest = *end == '\0' ? end : end + 1;
    *end = '\0';
    return name;
}

static bool join(char out[PATH_MAX], const char *a, const char *b)
{
    size_t left = strlen(a), right = strlen(b);
    if (left + right + 2 > PATH_MAX) {
        return false;
    }
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): more follows */
    memmove(out, a, left);
    out[left] = '/';
    memmove(out + left + 1, b, right + 1);
    return true;
}

/* The link's text takes its place in the way. */
static bool follow_link(struct walk *walk, char **rest)
{
    char target[PATH_MAX], whole[PATH_MAX];
    ssize_t size = readlink(walk->next, target, sizeof(target) - 1);
    if (size <= 0 || ++walk->links > MAX_LINKS) {
        return false;
    }
    target[size] = '\0';
    if (!join(whole, target, *rest)) {
        return false;
    }
    if (target[0] == '/') {
        walk->here[0] = '\0';
    }
    memcpy(walk->rest, whole, strlen(whole) + 1);
    *rest = walk->rest;
    return true;
}

static bool begin_walk(struct walk *walk, const char *path)
{
    size_t size = strlen(path) + 1;
    walk->links = 0;
    walk->here[0] = '\0';
    if (size > sizeof(walk->rest)) {
        return false;
    }
    memcpy(walk->rest, path, size);
    return path[0] == '/' || getcwd(walk->here, sizeof(walk->here)) != NULL;
}

/* Every name on the way to the file that could come to mean something else by an editor's hand. */
static bool watch_path(struct file_watch *watch, struct server_zone *zone, const char *path)
{
    struct walk walk;
    bool is_new = false;
    if (!begin_walk(&walk, path)) {
        return false;
    }
    char *rest = walk.rest, *name;
    while ((name = next_name(&rest)) != NULL) {
        struct stat st;
        if (strcmp(name, ".") == 0) {
            continue;
        }
        if (strcmp(name, "..") == 0) {
            char *slash = strrchr(walk.here, '/');
            *(slash == NULL ? walk.here : slash) = '\0';
            continue;
        }
        if (!join(walk.next, walk.here, name)) {
            break;
        }
        bool is_there = lstat(walk.next, &st) == 0;
        bool is_last = rest[strspn(rest, "/")] == '\0';
        bool is_link = is_there && S_ISLNK(st.st_mode);
        if (is_link || is_last || !is_there) {
            is_new |= watch_name(watch, zone, walk.here, name);
        }
        if (is_link ? !follow_link(&walk, &rest) : is_last || !is_there) {
            break;
        }
        if (!is_link) {
            memcpy(walk.here, walk.next, sizeof(walk.here));
        }
    }
    return is_new;
}

/* ---- events ---- */

/* The directory itself is gone or elsewhere: its zones find the way anew when they are read. */
static void lose_directory(struct file_watch *watch, struct watched_directory *directory,
                           bool is_removed)
{
    if (!is_removed) {
        (void)inotify_rm_watch(watch->fd, directory->wd);
    }
    watch_table_set_wd(watch->table, directory, -1);
    watch_table_each(watch->table, directory, NULL, mark, watch);
}

/* A new regular file has nothing in it before it is closed. */
static bool is_worth_reading(const struct watched_directory *directory,
                             const struct inotify_event *event)
{
    char path[PATH_MAX];
    struct stat st;
    if ((event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0) {
        return true;
    }
    return (event->mask & IN_CREATE) != 0 && join(path, directory->path, event->name) &&
           lstat(path, &st) == 0 && (!S_ISREG(st.st_mode) || st.st_nlink > 1);
}

static bool mark_if_wanted(void *context, struct zone *zone)
{
    struct server_zone *own = zone->context;
    if (own->watched.first != NULL) {
        mark(context, own);
    }
    return true;
}

static void take_event(struct file_watch *watch, const struct inotify_event *event)
{
    struct server *server = watch->server;
    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        LOG_EVENT(server->logging, LOG_WARNING, LOG_GENERAL, "file_watch_overflow",
                  "more files changed than the system could tell: looking at all zone files",
                  LOG_KEY("advice", "raise sysctl fs.inotify.max_queued_events"));
        zone_set_each(atomic_load_explicit(&server->zone_set, memory_order_acquire), mark_if_wanted,
                      watch);
        return;
    }
    struct watched_directory *next;
    for (struct watched_directory *directory = watch_table_find_wd(watch->table, event->wd);
         directory != NULL; directory = next) {
        next = watch_table_next_wd(directory);
        if ((event->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0) {
            lose_directory(watch, directory, (event->mask & IN_IGNORED) != 0);
        } else if (event->len != 0 && is_worth_reading(directory, event)) {
            watch_table_each(watch->table, directory, event->name, mark, watch);
        }
    }
}

static void events_ready(void *context, unsigned events)
{
    struct file_watch *watch = context;
    char buffer[EVENTS_SIZE] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t size;
    (void)events;
    while ((size = read(watch->fd, buffer, sizeof(buffer))) > 0) {
        for (const char *at = buffer; at < buffer + size;) {
            const struct inotify_event *event = (const void *)at;
            take_event(watch, event);
            at += sizeof(*event) + event->len;
        }
    }
    wait_for_quiet(watch);
}

/* ---- zones ---- */

static void unwatch_directory(void *context, struct watched_directory *directory)
{
    struct file_watch *watch = context;
    if (directory->wd >= 0 && watch_table_find_wd(watch->table, directory->wd) == directory &&
        watch_table_next_wd(directory) == NULL) {
        (void)inotify_rm_watch(watch->fd, directory->wd);
    }
}

void file_watch_forget(struct file_watch *watch, struct server_zone *zone)
{
    if (watch != NULL) {
        watch_table_begin(&zone->watched);
        watch_table_end(watch->table, &zone->watched, unwatch_directory, watch);
    }
}

void file_watch_configure(struct file_watch *watch, struct server_zone *zone)
{
    const struct zone_settings *settings =
        atomic_load_explicit(&zone->settings, memory_order_acquire);
    if (watch != NULL && settings->auto_reload) {
        (void)watch_path(watch, zone,
                         server_zone_file(zone, settings)); /* a load follows in any case */
    } else {
        file_watch_forget(watch, zone);
    }
}

/* A message of a loader. */
struct loaded {
    struct server_zone *zone; /* a reference */
    uint32_t count;
    char *paths[];
};

static void follow(void *context)
{
    struct loaded *loaded = context;
    struct server_zone *zone = loaded->zone;
    struct file_watch *watch = zone->server->file_watch;
    struct zone_settings *settings = server_zone_settings(zone);
    if (watch != NULL && settings->auto_reload && !atomic_load(&zone->gone)) {
        watch_table_begin(&zone->watched);
        bool is_new = watch_path(watch, zone, server_zone_file(zone, settings));
        for (uint32_t i = 0; i < loaded->count; i++) {
            is_new |= watch_path(watch, zone, loaded->paths[i]);
        }
        watch_table_end(watch->table, &zone->watched, unwatch_directory, watch);
        if (is_new) {
            mark(watch, zone);
            wait_for_quiet(watch);
        }
    }
    settings_unref(settings->settings);
    for (uint32_t i = 0; i < loaded->count; i++) {
        memory_free(loaded->paths[i]);
    }
    server_zone_unref(zone);
    memory_free(loaded);
}

void file_watch_loaded(struct server_zone *zone)
{
    uint32_t count = zone->included.count;
    struct loaded *loaded = memory_new(sizeof(*loaded) + count * sizeof(loaded->paths[0]));
    *loaded = (struct loaded){.zone = server_zone_ref(zone), .count = count};
    for (uint32_t i = 0; i < count; i++) {
        loaded->paths[i] = memory_strdup(included_files_path(&zone->included, i));
    }
    if (!loop_post(zone->server->main_loop, follow, loaded)) {
        for (uint32_t i = 0; i < count; i++) { /* the server is ending */
            memory_free(loaded->paths[i]);
        }
        server_zone_unref(zone);
        memory_free(loaded);
    }
}

/* ---- start and end ---- */

enum result file_watch_new(struct server *server, struct file_watch **out, struct error *err)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) {
        return error_set_os(err, ERR_IO, "cannot watch files (inotify)");
    }
    struct file_watch *watch = memory_new_zeroed(1, sizeof(*watch));
    watch->server = server;
    watch->fd = fd;
    watch->latest = INSTANT_NEVER;
    watch->table = watch_table_new();
    loop_timer_init(&watch->quiet, quiet, watch);
    enum result result = loop_watch_add(server->main_loop, &watch->readable, fd, LOOP_READ,
                                        events_ready, watch, err);
    if (result != OK) {
        file_watch_free(watch);
        return result;
    }
    *out = watch;
    return OK;
}

void file_watch_free(struct file_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    loop_watch_remove(watch->server->main_loop, &watch->readable);
    loop_timer_stop(watch->server->main_loop, &watch->quiet);
    for (size_t i = 0; i < watch->pending_count; i++) {
        server_zone_unref(watch->pending[i]);
    }
    memory_free(watch->pending);
    watch_table_free(watch->table);
    close(watch->fd);
    memory_free(watch);
}
