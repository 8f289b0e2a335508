/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two hands on one file: the author's editor and ours. Neither asks the other, so a look right
 * before the rename is not enough: between the two the author may save.
 *
 * The new file is written beside the old one and the two names are exchanged (renameat2 with
 * RENAME_EXCHANGE), which loses nothing: the file that stood in the place stands under the other
 * name then. Where it is not the one that was read, or somebody has it open for writing (a read
 * lease is refused while anybody has), they are exchanged back, and the caller reads again. The
 * name beside is random and only removed when its content is known, so that not even a crash
 * between the two loses an edit. A file system without exchange gets the look and the rename.
 */
#include "zones/zone_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "zones/zone_history.h"

enum { READ_SIZE = 1 << 18 };

struct file_mark file_mark_of(const struct stat *stat)
{
    return (struct file_mark){
        .size = (uint64_t)stat->st_size,
        .inode = (uint64_t)stat->st_ino,
        .modified_ns = (int64_t)stat->st_mtim.tv_sec * 1000000000 + stat->st_mtim.tv_nsec,
    };
}

bool file_mark_is(const struct file_mark *mark, const struct stat *stat)
{
    struct file_mark now = file_mark_of(stat);
    return mark->known && mark->size == now.size && mark->inode == now.inode &&
           mark->modified_ns == now.modified_ns;
}

static enum result say_stale(const char *path, struct error *err)
{
    return error_set(err, ERR_STALE, "%s was edited meanwhile", path);
}

static enum result read_all(int fd, const char *path, struct text *out, struct error *err)
{
    char *buffer = memory_new(READ_SIZE);
    ssize_t size;
    do {
        size = read(fd, buffer, READ_SIZE);
        if (size > 0) {
            text_add(out, buffer, (size_t)size);
        }
    } while (size > 0 || (size < 0 && errno == EINTR));
    enum result result = size < 0 ? error_set_os(err, ERR_IO, "cannot read %s", path) : OK;
    memory_free(buffer);
    return result;
}

enum result zone_file_read(const char *path, const struct file_mark *expected, struct text *out,
                           struct error *err)
{
    struct stat before, after;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_set_os(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot open %s", path);
    }
    enum result result = OK;
    if (fstat(fd, &before) != 0) {
        result = error_set_os(err, ERR_IO, "cannot look at %s", path);
    } else if (!file_mark_is(expected, &before)) {
        result = say_stale(path, err);
    } else {
        result = read_all(fd, path, out, err);
    }
    if (result == OK && (fstat(fd, &after) != 0 || !file_mark_is(expected, &after))) {
        result = say_stale(path, err);
    }
    close(fd);
    return result;
}

/* ---- replacing ---- */

struct replacing {
    const struct file_mark *expected;
    char path[PATH_MAX];        /* without links */
    char beside[PATH_MAX + 16]; /* the new file; after the exchange, the old one */
    int fd;                     /* of the new file */
    struct error *err;
};

static enum result write_all(const struct replacing *replacing, const struct text *text)
{
    const char *p = text_str(text);
    size_t left = text->size;
    while (left > 0) {
        ssize_t size = write(replacing->fd, p, left);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0) {
            return error_set_os(replacing->err, ERR_IO, "cannot write %s", replacing->beside);
        }
        p += size;
        left -= (size_t)size;
    }
    return OK;
}

/* Mode and owner of the old file. An author who could no longer write it would find out too late. */
static enum result take_rights(const struct replacing *replacing, const struct stat *old)
{
    struct stat own;
    if (fstat(replacing->fd, &own) != 0 || fchmod(replacing->fd, old->st_mode & 07777) != 0) {
        return error_set_os(replacing->err, ERR_IO, "cannot set the mode of %s", replacing->beside);
    }
    if ((own.st_uid != old->st_uid || own.st_gid != old->st_gid) &&
        (fchown(replacing->fd, old->st_uid, old->st_gid) != 0 ||
         fchmod(replacing->fd, old->st_mode & 07777) != 0)) {
        return error_set_os(replacing->err, ERR_IO,
                            "%s belongs to uid %u, gid %u, which its successor cannot be given: "
                            "let the user that the server runs as own it",
                            replacing->path, (unsigned)old->st_uid, (unsigned)old->st_gid);
    }
    return OK;
}

static enum result sync_directory(const struct replacing *replacing)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(replacing->path, '/');
    int size = slash == replacing->path ? 1 : (int)(slash - replacing->path);
    snprintf(directory, sizeof(directory), "%.*s", size, replacing->path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    enum result result =
        good ? OK : error_set_os(replacing->err, ERR_IO, "cannot sync the directory %s", directory);
    if (fd >= 0) {
        close(fd);
    }
    return result;
}

/* Somebody has the file open for writing. Where the kernel does not tell, nobody. */
static bool has_writer(int fd)
{
    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
        (void)fcntl(fd, F_SETLEASE, F_UNLCK);
        return false;
    }
    return errno == EAGAIN;
}

/* What stood in the place is what was read, and nobody is writing it. */
static enum result look_at_old(const struct replacing *replacing)
{
    struct stat stat;
    int fd = open(replacing->beside, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return say_stale(replacing->path, replacing->err);
    }
    enum result result = OK;
    if (has_writer(fd)) {
        result = error_set(replacing->err, ERR_BUSY, "%s is open for writing by another program",
                           replacing->path);
    } else if (fstat(fd, &stat) != 0 || !file_mark_is(replacing->expected, &stat)) {
        result = say_stale(replacing->path, replacing->err);
    }
    close(fd);
    return result;
}

static bool is_own(const struct replacing *replacing, const char *path)
{
    struct stat there, own;
    return lstat(path, &there) == 0 && fstat(replacing->fd, &own) == 0 &&
           there.st_dev == own.st_dev && there.st_ino == own.st_ino;
}

static enum result exchange(struct replacing *replacing)
{
    const char *path = replacing->path, *beside = replacing->beside;
    if (renameat2(AT_FDCWD, beside, AT_FDCWD, path, RENAME_EXCHANGE) != 0) {
        if (errno != EINVAL && errno != ENOSYS) {
            return error_set_os(replacing->err, ERR_IO, "cannot rename %s to %s", beside, path);
        }
        return rename(beside, path) == 0
                   ? OK
                   : error_set_os(replacing->err, ERR_IO, "cannot rename %s to %s", beside, path);
    }
    enum result result = look_at_old(replacing);
    if (result == OK) {
        (void)unlink(beside);
        return OK;
    }
    if (renameat2(AT_FDCWD, beside, AT_FDCWD, path, RENAME_EXCHANGE) != 0 ||
        !is_own(replacing, beside)) {
        /* Saved twice while we looked: what we hold now is an author's. */
        return error_set(replacing->err, ERR_IO,
                         "%s was edited several times at once; one edit is "
                         "kept as %s",
                         path, beside);
    }
    return result;
}

static enum result put_in_place(struct replacing *replacing, const struct text *text)
{
    struct stat old;
    enum result result = OK;
    if (stat(replacing->path, &old) != 0 || !file_mark_is(replacing->expected, &old)) {
        return say_stale(replacing->path, replacing->err);
    }
    if ((result = write_all(replacing, text)) != OK ||
        (result = take_rights(replacing, &old)) != OK) {
        return result;
    }
    if (fsync(replacing->fd) != 0) {
        return error_set_os(replacing->err, ERR_IO, "cannot sync %s", replacing->beside);
    }
    if (stat(replacing->path, &old) != 0 || !file_mark_is(replacing->expected, &old)) {
        return say_stale(replacing->path, replacing->err);
    }
    result = exchange(replacing);
    return result == OK ? sync_directory(replacing) : result;
}

enum result zone_file_replace(const char *path, const struct file_mark *expected,
                              const struct text *text, struct file_mark *out, struct error *err)
{
    struct replacing replacing = {.expected = expected, .err = err};
    struct stat stat;
    if (realpath(path, replacing.path) == NULL) {
        return error_set_os(err, ERR_IO, "cannot find %s", path);
    }
    snprintf(replacing.beside, sizeof(replacing.beside), "%s.XXXXXX", replacing.path);
    replacing.fd = mkostemp(replacing.beside, O_CLOEXEC);
    if (replacing.fd < 0) {
        return error_set_os(err, ERR_IO, "cannot create a file beside %s", replacing.path);
    }
    enum result result = put_in_place(&replacing, text);
    if (result == OK && fstat(replacing.fd, &stat) != 0) {
        result = error_set_os(err, ERR_IO, "cannot look at %s", replacing.path);
    }
    if (result == OK) {
        *out = file_mark_of(&stat);
    } else if (is_own(&replacing, replacing.beside)) {
        (void)unlink(replacing.beside);
    }
    close(replacing.fd);
    return result;
}
