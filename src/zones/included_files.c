/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which files a zone was made of besides its own (RFC 1035 5.1, $INCLUDE).
 *
 * A reload reads a zone again only where a file changed, so all of them count. Like the zone file's
 * own mark, a file is known by time, size and inode; the identity that was seen at open is kept,
 * not one taken later, so that a file replaced in between is noticed next time. A file that was
 * missing is kept too: that it is there now is a change.
 */
#include "zones/included_files.h"

#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"

struct included_file {
    char *path;
    bool present;
    uint64_t device, inode, size;
    int64_t modified_s, modified_ns;
};

static struct included_file mark_of(const struct stat *st)
{
    if (st == NULL) {
        return (struct included_file){0};
    }
    return (struct included_file){
        .present = true,
        .device = (uint64_t)st->st_dev,
        .inode = (uint64_t)st->st_ino,
        .size = (uint64_t)st->st_size,
        .modified_s = (int64_t)st->st_mtim.tv_sec,
        .modified_ns = (int64_t)st->st_mtim.tv_nsec,
    };
}

void included_files_note(void *context, const char *path, const struct stat *stat)
{
    struct included_files *included = context;
    if (included->count == included->room) {
        included->room = included->room == 0 ? 8 : included->room * 2;
        included->files =
            memory_resize(included->files, included->room * sizeof(included->files[0]));
    }
    size_t size = strlen(path) + 1;
    struct included_file *file = &included->files[included->count++];
    *file = mark_of(stat);
    file->path = memory_new(size);
    memcpy(file->path, path, size);
}

static bool is_same(const struct included_file *a, const struct included_file *b)
{
    return a->present == b->present && a->device == b->device && a->inode == b->inode &&
           a->size == b->size && a->modified_s == b->modified_s && a->modified_ns == b->modified_ns;
}

bool included_files_changed(const struct included_files *included)
{
    for (uint32_t i = 0; i < included->count; i++) {
        struct stat st;
        bool present = stat(included->files[i].path, &st) == 0;
        struct included_file now = mark_of(present ? &st : NULL);
        if (!is_same(&included->files[i], &now)) {
            return true;
        }
    }
    return false;
}

const char *included_files_path(const struct included_files *included, uint32_t i)
{
    return included->files[i].path;
}

void included_files_clear(struct included_files *included)
{
    for (uint32_t i = 0; i < included->count; i++) {
        memory_free(included->files[i].path);
    }
    memory_free(included->files);
    *included = (struct included_files){0};
}
