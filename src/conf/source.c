/* SPDX-License-Identifier: BSD-3-Clause */
/* A file as a whole, read before any of it is looked at, and wiped afterwards: keys stand in it.
 * Devices and pipes are refused, since a configuration that can be read only once is none. */
#include "conf/source_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

enum { SOURCE_MAX_BYTES = 1 << 30 };

static enum result read_all(int fd, struct source *out, struct error *err)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return error_set_os(err, ERR_IO, "cannot look at the file");
    }
    if (!S_ISREG(status.st_mode)) {
        return error_set(err, ERR_IO, "not a regular file");
    }
    if (status.st_size > SOURCE_MAX_BYTES) {
        return error_set(err, ERR_LIMIT, "the file is larger than 1 GiB");
    }
    *out = (struct source){
        .bytes = memory_new((size_t)status.st_size + 1),
        .device = status.st_dev,
        .inode = status.st_ino,
        .mode = status.st_mode,
    };
    while (out->size < (size_t)status.st_size) {
        ssize_t got = read(fd, out->bytes + out->size, (size_t)status.st_size - out->size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            error_set_os(err, ERR_IO, "cannot read the file");
            source_deinit(out);
            return ERR_IO;
        }
        if (got == 0) {
            break; /* it became shorter meanwhile */
        }
        out->size += (size_t)got;
    }
    return OK;
}

enum result source_read(const char *path, struct source *out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return error_set_os(err, ERR_IO, "cannot open `%s`", path);
    }
    enum result result = read_all(fd, out, err);
    close(fd);
    return result;
}

void source_deinit(struct source *source)
{
    if (source->bytes != NULL) {
        explicit_bzero(source->bytes, source->size);
        memory_free(source->bytes);
    }
    *source = (struct source){0};
}
