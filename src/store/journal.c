/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The journal's writer. Layout and recovery: journal_recover.c.
 *
 * Segments are files "journal-0" … of a fixed size, written full of zeros and synced when they are
 * made, so that a commit changes no metadata of the file system: two writes of the group (one a
 * half) and one fdatasync. Measured beside LMDB's commit in docs/decisions/store.md.
 *
 * States of a segment: free -> current -> full -> free. Only the appending thread moves one into
 * and out of "current". A segment becomes free when the database has all its groups
 * (journal_release), or at once when it holds none. A write or sync that fails gives the current
 * segment up: what is on the disk behind the last good group is unknown, and the next segment,
 * starting with the same sequence number, makes it void.
 *
 * A group larger than a segment gets a segment of its own size, which is removed when it is free.
 */
#include "store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/checksum.h"
#include "store/journal_impl.h"

enum { MAX_PIECES = 1000, FIRST_SEGMENTS = 2 };

struct journal {
    pthread_mutex_t lock; /* of the segments' states and the numbers below */
    struct store_hook hook;
    int directory_fd;
    uint64_t half_bytes;
    unsigned max_segments;
    struct segment segments[JOURNAL_MAX_SEGMENTS];
    uint64_t next_sequence;
    uint64_t next_number;
    uint64_t released;
    uint64_t sync_count;
    struct segment *current; /* changed by the appending thread, under the lock */
    uint64_t offset;         /* in the halves of the current segment; the appending thread's own */
};

static void segment_name(unsigned slot, char out[32])
{
    snprintf(out, 32, "journal-%u", slot);
}

static void segment_close(struct segment *segment)
{
    if (segment->fd >= 0) {
        close(segment->fd);
    }
    *segment = (struct segment){.fd = -1};
}

/* Fills a new file with zeros. errno is set where it returns false. */
static bool fill_with_zeros(int fd, uint64_t size)
{
    static const uint8_t zeros[65536];
    for (uint64_t done = 0; done < size;) {
        size_t part = size - done < sizeof(zeros) ? (size_t)(size - done) : sizeof(zeros);
        ssize_t written = pwrite(fd, zeros, part, (off_t)done);
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            return false;
        }
        done += (uint64_t)written;
    }
    return fsync(fd) == 0;
}

static enum result segment_create(struct journal *journal, unsigned slot, uint64_t half_bytes,
                                  struct error *err)
{
    char name[32];
    segment_name(slot, name);
    int failure = store_hook_call(&journal->hook, STORE_WRITE_CREATE);
    if (failure != 0) {
        errno = failure;
        return error_set_os(err, ERR_IO, "the journal segment %s cannot be made", name);
    }
    /* Under its name a segment is always whole, so a short one is damage. */
    int fd = openat(journal->directory_fd, "journal-new",
                    O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0 || !fill_with_zeros(fd, 2 * half_bytes) ||
        renameat(journal->directory_fd, "journal-new", journal->directory_fd, name) != 0 ||
        fsync(journal->directory_fd) != 0) {
        enum result result =
            error_set_os(err, ERR_IO, "the journal segment %s cannot be made", name);
        if (fd >= 0) {
            close(fd);
            unlinkat(journal->directory_fd, "journal-new", 0);
            unlinkat(journal->directory_fd, name, 0);
        }
        return result;
    }
    pthread_mutex_lock(&journal->lock);
    journal->segments[slot] = (struct segment){.fd = fd, .half_bytes = half_bytes};
    pthread_mutex_unlock(&journal->lock);
    return OK;
}

enum result journal_open(const struct journal_options *options, uint64_t applied,
                         const struct journal_recovery *recovery, struct journal **out,
                         struct error *err)
{
    struct journal *journal = memory_new_zeroed(1, sizeof(*journal));
    size_t segment_bytes =
        options->segment_bytes != 0 ? options->segment_bytes : JOURNAL_SEGMENT_BYTES;
    enum result result = OK;
    pthread_mutex_init(&journal->lock, NULL);
    journal->hook = options->hook;
    journal->directory_fd = options->directory_fd;
    journal->half_bytes = segment_bytes / 2 / SEGMENT_FIRST_GROUP * SEGMENT_FIRST_GROUP;
    REQUIRE(journal->half_bytes >= 2 * SEGMENT_FIRST_GROUP);
    journal->max_segments =
        options->max_segments != 0 ? options->max_segments : JOURNAL_MAX_SEGMENTS;
    REQUIRE(journal->max_segments >= FIRST_SEGMENTS &&
            journal->max_segments <= JOURNAL_MAX_SEGMENTS);
    for (unsigned i = 0; i < JOURNAL_MAX_SEGMENTS; i++) {
        struct segment *segment = &journal->segments[i];
        struct stat status;
        char name[32];
        segment_name(i, name);
        segment->fd = openat(journal->directory_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (segment->fd < 0 && errno != ENOENT) {
            /* A read-only disk can still be read. */
            segment->fd = openat(journal->directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        }
        if (segment->fd < 0 && errno != ENOENT) {
            result = error_set_os(err, ERR_IO, "the journal segment %s cannot be opened", name);
            goto failed;
        }
        if (segment->fd >= 0 && fstat(segment->fd, &status) == 0) {
            segment->file_bytes = (uint64_t)status.st_size;
        }
    }
    uint64_t last;
    result =
        journal_recover(journal->segments, JOURNAL_MAX_SEGMENTS, applied, recovery, &last, err);
    if (result != OK) {
        goto failed;
    }
    journal->next_sequence = last + 1;
    for (unsigned i = 0; i < JOURNAL_MAX_SEGMENTS; i++) {
        struct segment *segment = &journal->segments[i];
        if (segment->number >= journal->next_number) {
            journal->next_number = segment->number + 1;
        }
        if (segment->fd >= 0 && segment->half_bytes < 2 * SEGMENT_FIRST_GROUP) {
            segment_close(segment); /* cut to nothing: made anew when needed */
        }
    }
    for (unsigned i = 0; i < FIRST_SEGMENTS; i++) {
        struct error ignored = {0};
        if (journal->segments[i].fd < 0 &&
            segment_create(journal, i, journal->half_bytes, &ignored) != OK) {
            break; /* a full disk is reported by the append that needs the room */
        }
    }
    *out = journal;
    return OK;
failed:
    journal_close(journal);
    return result;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL) {
        return;
    }
    for (unsigned i = 0; i < JOURNAL_MAX_SEGMENTS; i++) {
        segment_close(&journal->segments[i]);
    }
    pthread_mutex_destroy(&journal->lock);
    memory_free(journal);
}

/* Chooses or makes a free segment with room for `bytes` and makes it the current one. */
static enum result start_segment(struct journal *journal, uint64_t bytes, struct error *err)
{
    uint64_t half_bytes = journal->half_bytes;
    unsigned slot = JOURNAL_MAX_SEGMENTS;
    unsigned missing = JOURNAL_MAX_SEGMENTS;
    if (half_bytes - SEGMENT_FIRST_GROUP < bytes) {
        half_bytes = (SEGMENT_FIRST_GROUP + bytes + SEGMENT_FIRST_GROUP - 1) / SEGMENT_FIRST_GROUP *
                     SEGMENT_FIRST_GROUP;
    }
    pthread_mutex_lock(&journal->lock);
    for (unsigned i = 0; i < journal->max_segments; i++) {
        struct segment *segment = &journal->segments[i];
        if (segment->fd < 0) {
            missing = missing == JOURNAL_MAX_SEGMENTS ? i : missing;
        } else if (!segment->is_used && segment->half_bytes >= half_bytes) {
            slot = i;
            break;
        }
    }
    pthread_mutex_unlock(&journal->lock);
    if (slot == JOURNAL_MAX_SEGMENTS) {
        if (missing == JOURNAL_MAX_SEGMENTS) {
            return error_set(err, ERR_LIMIT,
                             "the journal's %u segments are full, the database does not keep up",
                             journal->max_segments);
        }
        enum result result = segment_create(journal, missing, half_bytes, err);
        if (result != OK) {
            return result;
        }
        slot = missing;
    }
    struct segment *segment = &journal->segments[slot];
    pthread_mutex_lock(&journal->lock);
    segment->is_used = true;
    segment->number = journal->next_number++;
    segment->first_sequence = journal->next_sequence;
    segment->last_sequence = journal->next_sequence - 1;
    journal->current = segment;
    pthread_mutex_unlock(&journal->lock);
    journal->offset = SEGMENT_FIRST_GROUP;
    return OK;
}

static bool write_pieces(int fd, struct iovec *pieces, int count, uint64_t offset)
{
    while (count > 0) {
        ssize_t written = pwritev(fd, pieces, count, (off_t)offset);
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            return false;
        }
        offset += (uint64_t)written;
        size_t left = (size_t)written;
        while (count > 0 && left >= pieces->iov_len) {
            left -= pieces->iov_len;
            pieces++;
            count--;
        }
        if (count > 0) {
            pieces->iov_base = (uint8_t *)pieces->iov_base + left;
            pieces->iov_len -= left;
        }
    }
    return true;
}

/* Both halves and the sync; false with errno set. */
static bool write_group(struct journal *journal, const struct slice *pieces, size_t count,
                        const uint8_t header[GROUP_HEADER_SIZE])
{
    struct segment *segment = journal->current;
    bool is_fresh = segment->last_sequence < segment->first_sequence;
    for (unsigned half = 0; half < 2; half++) {
        uint64_t start = half * segment->half_bytes;
        struct iovec parts[MAX_PIECES + 1];
        uint8_t copy[GROUP_HEADER_SIZE];
        int failure = store_hook_call(&journal->hook, STORE_WRITE_JOURNAL);
        if (failure != 0) {
            errno = failure;
            return false;
        }
        if (is_fresh) {
            uint8_t bytes[SEGMENT_HEADER_SIZE];
            struct iovec head = {bytes, sizeof(bytes)};
            segment_header_write(&(struct segment_header){segment->number, segment->first_sequence,
                                                          segment->half_bytes},
                                 bytes);
            if (!write_pieces(segment->fd, &head, 1, start)) {
                return false;
            }
        }
        memcpy(copy, header, sizeof(copy));
        parts[0] = (struct iovec){copy, sizeof(copy)};
        for (size_t i = 0; i < count; i++) {
            union {
                const uint8_t *in;
                void *out;
            } bytes = {.in = pieces[i].data}; /* an iovec has no const; nothing is written to */
            parts[i + 1] = (struct iovec){bytes.out, pieces[i].size};
        }
        if (!write_pieces(segment->fd, parts, (int)count + 1, start + journal->offset)) {
            return false;
        }
    }
    int failure = store_hook_call(&journal->hook, STORE_WRITE_SYNC);
    if (failure != 0) {
        errno = failure;
        return false;
    }
    return fdatasync(segment->fd) == 0;
}

/* One without any group is free at once. */
static void leave_segment(struct journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    journal->current = NULL;
    pthread_mutex_unlock(&journal->lock);
    journal_release(journal, 0);
}

enum result journal_append(struct journal *journal, const struct slice *pieces, size_t count,
                           uint64_t *out_sequence, struct error *err)
{
    uint64_t size = 0;
    uint32_t checksum = 0;
    uint8_t header[GROUP_HEADER_SIZE];
    REQUIRE(count <= MAX_PIECES);
    for (size_t i = 0; i < count; i++) {
        size += pieces[i].size;
        checksum = checksum_add(checksum, pieces[i].data, pieces[i].size);
    }
    if (size > GROUP_MAX_BYTES) {
        return error_set(err, ERR_LIMIT, "a commit of %llu octets is too large for the journal",
                         (unsigned long long)size);
    }
    uint64_t bytes = group_bytes(size);
    if (journal->current != NULL && journal->current->half_bytes - journal->offset < bytes) {
        leave_segment(journal);
    }
    if (journal->current == NULL) {
        enum result result = start_segment(journal, bytes, err);
        if (result != OK) {
            return result;
        }
    }
    group_header_write(&(struct group_header){journal->next_sequence, journal->current->number,
                                              (uint32_t)size, checksum},
                       header);
    if (!write_group(journal, pieces, count, header)) {
        enum result result = error_set_os(err, ERR_IO, "the journal cannot be written");
        leave_segment(journal);
        return result;
    }
    pthread_mutex_lock(&journal->lock);
    journal->sync_count++;
    *out_sequence = journal->next_sequence++;
    journal->current->last_sequence = *out_sequence;
    pthread_mutex_unlock(&journal->lock);
    journal->offset += bytes;
    return OK;
}

void journal_release(struct journal *journal, uint64_t sequence)
{
    pthread_mutex_lock(&journal->lock);
    if (sequence > journal->released) {
        journal->released = sequence;
    }
    for (unsigned i = 0; i < JOURNAL_MAX_SEGMENTS; i++) {
        struct segment *segment = &journal->segments[i];
        if (segment->fd < 0 || !segment->is_used || segment == journal->current ||
            (segment->last_sequence >= segment->first_sequence &&
             segment->last_sequence > journal->released)) {
            continue;
        }
        segment->is_used = false;
        if (segment->half_bytes > journal->half_bytes) {
            char name[32];
            segment_name(i, name);
            segment_close(segment);
            unlinkat(journal->directory_fd, name, 0);
        }
    }
    pthread_mutex_unlock(&journal->lock);
}

uint64_t journal_last(struct journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    uint64_t last = journal->next_sequence - 1;
    pthread_mutex_unlock(&journal->lock);
    return last;
}

uint64_t journal_sync_count(struct journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    uint64_t count = journal->sync_count;
    pthread_mutex_unlock(&journal->lock);
    return count;
}
