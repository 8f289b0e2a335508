/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a journal holds after a stop of any kind.
 *
 * A segment file is two halves with the same content. Each half:
 *
 *     0     header: "LockJrn1", format u32, checksum u32, number u64, first sequence u64,
 *           octets of a half u64, zeros to 48; zeros to 4096
 *     4096  groups, each at a multiple of 8:
 *           "LGRP", checksum u32, sequence u64, segment number u64, size u32, checksum of the
 *           payload u32; payload; zeros to a multiple of 8
 *
 * All numbers in network order, checksums CRC-32C; that of a header covers the header without
 * itself. Groups of a segment have the numbers first, first + 1, … ; where the next one is not
 * found, the segment ends. Behind it may stand groups of an earlier use of the file, which carry
 * another segment number. When a commit fails, its segment is given up and the next segment starts
 * with the same sequence number: what the older segment has at or above the first sequence of a
 * newer one is void.
 *
 * A group that is bad in one half is read from the other. One that is bad in both is the end of the
 * journal, unless a later group of the segment is found, or the next segment starts later: then
 * acknowledged commits are gone, and that is reported, never passed over.
 *
 * Nor is a copy passed over that is damaged while the other is sound. The last group is the one of
 * which a stop may have let one copy reach the disk and not the other: there a copy of which whole
 * sectors are missing is no damage, and one that differs in a few bits is.
 */
#include "store/journal_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/checksum.h"
#include "store/number.h"

static const char segment_magic[8] = {'L', 'o', 'c', 'k', 'J', 'r', 'n', '1'};
static const char group_magic[4] = {'L', 'G', 'R', 'P'};

void segment_header_write(const struct segment_header *header, uint8_t out[SEGMENT_HEADER_SIZE])
{
    memset(out, 0, SEGMENT_HEADER_SIZE);
    memcpy(out, segment_magic, sizeof(segment_magic));
    put_u32(out + 8, SEGMENT_FORMAT);
    put_u64(out + 16, header->number);
    put_u64(out + 24, header->first_sequence);
    put_u64(out + 32, header->half_bytes);
    put_u32(out + 12, checksum_add(checksum_add(0, out, 12), out + 16, SEGMENT_HEADER_SIZE - 16));
}

bool segment_header_read(const uint8_t in[SEGMENT_HEADER_SIZE], struct segment_header *out)
{
    if (memcmp(in, segment_magic, sizeof(segment_magic)) != 0 ||
        get_u32(in + 8) != SEGMENT_FORMAT ||
        get_u32(in + 12) !=
            checksum_add(checksum_add(0, in, 12), in + 16, SEGMENT_HEADER_SIZE - 16)) {
        return false;
    }
    *out = (struct segment_header){get_u64(in + 16), get_u64(in + 24), get_u64(in + 32)};
    return true;
}

void group_header_write(const struct group_header *header, uint8_t out[GROUP_HEADER_SIZE])
{
    memcpy(out, group_magic, sizeof(group_magic));
    put_u64(out + 8, header->sequence);
    put_u64(out + 16, header->segment_number);
    put_u32(out + 24, header->size_bytes);
    put_u32(out + 28, header->checksum);
    put_u32(out + 4, checksum_add(0, out + 8, GROUP_HEADER_SIZE - 8));
}

bool group_header_read(const uint8_t in[GROUP_HEADER_SIZE], struct group_header *out)
{
    if (memcmp(in, group_magic, sizeof(group_magic)) != 0 ||
        get_u32(in + 4) != checksum_add(0, in + 8, GROUP_HEADER_SIZE - 8)) {
        return false;
    }
    *out = (struct group_header){get_u64(in + 8), get_u64(in + 16), get_u32(in + 24),
                                 get_u32(in + 28)};
    return true;
}

/* Both halves of a segment in memory. */
struct image {
    uint8_t *bytes;
    uint64_t half_bytes;
    uint64_t number;
};

/* A sound group at `offset` of one half that belongs to this use of the segment. */
static bool group_at(const struct image *image, unsigned half, uint64_t offset,
                     struct group_header *out)
{
    const uint8_t *p = image->bytes + half * image->half_bytes + offset;
    return image->half_bytes - offset >= GROUP_HEADER_SIZE && group_header_read(p, out) &&
           out->segment_number == image->number &&
           group_bytes(out->size_bytes) <= image->half_bytes - offset &&
           checksum_add(0, p + GROUP_HEADER_SIZE, out->size_bytes) == out->checksum;
}

/* The next group in [sequence, end) at or behind `offset`, looked for octet by octet. */
static bool find_later_group(const struct image *image, uint64_t offset, uint64_t sequence,
                             uint64_t end, unsigned *half, uint64_t *found)
{
    for (; offset + GROUP_HEADER_SIZE <= image->half_bytes; offset += GROUP_ALIGN) {
        for (unsigned h = 0; h < 2; h++) {
            struct group_header header;
            if (group_at(image, h, offset, &header) && header.sequence >= sequence &&
                header.sequence < end) {
                *half = h;
                *found = offset;
                return true;
            }
        }
    }
    return false;
}

static void report(const struct journal_recovery *recovery, bool lost, const char *format, ...)
    PRINTF_LIKE(3, 4);

static void report(const struct journal_recovery *recovery, bool lost, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    recovery->damage(recovery->context, lost, text);
}

static void lose(const struct journal_recovery *recovery, uint64_t first, uint64_t last)
{
    if (recovery->lost != NULL) {
        recovery->lost(recovery->context, first, last);
    }
}

/*
 * Whether a bad copy of `good` differs by a few bits somewhere. What a write has not reached is
 * zeros, or of an earlier use of the file and so another thing altogether; sector by sector, as
 * disks write. Both begin at `offset` of their halves.
 */
static bool is_flipped(const uint8_t *good, const uint8_t *bad, uint64_t offset, size_t size)
{
    enum { SECTOR = 512, FEW_BITS = 8 };
    for (size_t at = 0; at < size;) {
        size_t end = at + SECTOR - (offset + at) % SECTOR;
        unsigned bits = 0;
        bool blank = true;
        for (end = end < size ? end : size; at < end; at++) {
            bits += (unsigned)__builtin_popcount(good[at] ^ bad[at]);
            blank = blank && bad[at] == 0;
        }
        if (bits != 0 && bits <= FEW_BITS && !blank) {
            return true;
        }
    }
    return false;
}

static void check_headers(const struct image *image, const struct journal_recovery *recovery)
{
    const uint8_t *copies[2] = {image->bytes, image->bytes + image->half_bytes};
    struct segment_header header;
    bool first = segment_header_read(copies[0], &header);
    bool second = segment_header_read(copies[1], &header);
    if (first != second && is_flipped(copies[second], copies[first], 0, SEGMENT_HEADER_SIZE)) {
        report(recovery, false, "the header of journal segment %llu was read from its %s copy",
               (unsigned long long)image->number, first ? "first" : "second");
    }
}

/* One copy of the group at `offset` is not sound: is that damage? */
static bool is_damaged(const struct image *image, uint64_t offset, const struct group_header *sound,
                       unsigned half, uint64_t end)
{
    const uint8_t *good = image->bytes + half * image->half_bytes + offset;
    const uint8_t *bad = image->bytes + (1 - half) * image->half_bytes + offset;
    uint64_t behind = offset + group_bytes(sound->size_bytes), later;
    unsigned where;
    return find_later_group(image, behind, sound->sequence + 1, end, &where, &later) ||
           is_flipped(good, bad, offset, GROUP_HEADER_SIZE + sound->size_bytes);
}

/* The groups of one segment below `end`; *next is the sequence number expected, and then that after
 * the last one found. */
static void recover_segment(struct segment *segment, const struct image *image, uint64_t end,
                            uint64_t applied, const struct journal_recovery *recovery,
                            uint64_t *next)
{
    uint64_t offset = SEGMENT_FIRST_GROUP;
    uint64_t sequence = segment->first_sequence;
    while (sequence < end) {
        struct group_header header;
        unsigned half = 0;
        bool first = group_at(image, 0, offset, &header) && header.sequence == sequence;
        struct group_header mirrored;
        bool second = group_at(image, 1, offset, &mirrored) && mirrored.sequence == sequence;
        uint64_t later;
        if (!first && !second) {
            if (!find_later_group(image, offset, sequence + 1, end, &half, &later)) {
                break;
            }
            (void)group_at(image, half, later, &header);
            if (header.sequence - 1 > applied) {
                report(recovery, true, "journal groups %llu to %llu are damaged in both copies",
                       (unsigned long long)sequence, (unsigned long long)header.sequence - 1);
                lose(recovery, sequence > applied ? sequence : applied + 1, header.sequence - 1);
            }
            sequence = header.sequence;
            offset = later;
            continue;
        }
        if (!first) {
            half = 1;
            header = mirrored;
        }
        if (sequence > applied) {
            const uint8_t *payload =
                image->bytes + half * image->half_bytes + offset + GROUP_HEADER_SIZE;
            recovery->group(recovery->context, sequence, slice_of(payload, header.size_bytes));
        }
        if (first != second && is_damaged(image, offset, &header, half, end)) {
            report(recovery, false, "journal group %llu was read from its %s copy",
                   (unsigned long long)sequence, first ? "first" : "second");
        }
        offset += group_bytes(header.size_bytes);
        segment->last_sequence = sequence++;
    }
    *next = sequence;
}

static int by_number(const void *a, const void *b)
{
    const struct segment *x = *(struct segment *const *)a;
    const struct segment *y = *(struct segment *const *)b;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* What a file that was cut lacks is zeros. */
static bool read_all(int fd, uint8_t *out, uint64_t size)
{
    for (uint64_t done = 0; done < size;) {
        ssize_t got = pread(fd, out + done, size - done, (off_t)done);
        if (got < 0) {
            return false;
        }
        if (got == 0) {
            memset(out + done, 0, size - done);
            break;
        }
        done += (uint64_t)got;
    }
    return true;
}

/* The header from whichever half is sound. False: the segment holds nothing. */
static bool read_header(struct segment *segment, const struct journal_recovery *recovery)
{
    struct segment_header header;
    uint8_t bytes[2][SEGMENT_HEADER_SIZE];
    bool blank = true;
    segment->half_bytes = segment->file_bytes / 2 / SEGMENT_FIRST_GROUP * SEGMENT_FIRST_GROUP;
    if (segment->half_bytes < 2 * SEGMENT_FIRST_GROUP) {
        report(recovery, true, "a journal segment is cut short: %llu octets are left",
               (unsigned long long)segment->file_bytes);
    }
    memset(bytes, 0, sizeof(bytes));
    for (unsigned half = 0; half < 2; half++) {
        off_t offset = half == 0 ? 0 : (off_t)segment->half_bytes;
        if (pread(segment->fd, bytes[half], SEGMENT_HEADER_SIZE, offset) == SEGMENT_HEADER_SIZE &&
            segment_header_read(bytes[half], &header) &&
            header.half_bytes % SEGMENT_FIRST_GROUP == 0 &&
            header.half_bytes >= 2 * SEGMENT_FIRST_GROUP &&
            header.half_bytes <= 2 * (uint64_t)GROUP_MAX_BYTES) {
            if (segment->file_bytes < 2 * header.half_bytes &&
                segment->half_bytes >= 2 * SEGMENT_FIRST_GROUP) {
                report(recovery, true, "a journal segment is cut short: %llu octets of %llu",
                       (unsigned long long)segment->file_bytes,
                       (unsigned long long)header.half_bytes * 2);
            }
            segment->half_bytes = header.half_bytes;
            segment->number = header.number;
            segment->first_sequence = header.first_sequence;
            segment->last_sequence = header.first_sequence - 1;
            return true;
        }
        for (unsigned i = 0; i < SEGMENT_HEADER_SIZE; i++) {
            blank = blank && bytes[half][i] == 0;
        }
    }
    if (!blank) {
        report(recovery, true, "a journal segment has no readable header in either half");
    }
    return false;
}

enum result journal_recover(struct segment *segments, unsigned count, uint64_t applied,
                            const struct journal_recovery *recovery, uint64_t *last,
                            struct error *err)
{
    struct segment *order[JOURNAL_MAX_SEGMENTS] = {NULL};
    unsigned used = 0;
    uint64_t next = applied + 1;
    for (unsigned i = 0; i < count; i++) {
        if (segments[i].fd >= 0 && read_header(&segments[i], recovery)) {
            order[used++] = &segments[i];
        }
    }
    if (used != 0) {
        qsort(order, used, sizeof(struct segment *), by_number);
    }
    for (unsigned i = 0; i < used; i++) {
        struct segment *segment = order[i];
        uint64_t end = i + 1 < used ? order[i + 1]->first_sequence : UINT64_MAX;
        if (end <= applied + 1) {
            continue;
        }
        if (segment->first_sequence > next) {
            report(recovery, true,
                   "journal groups %llu to %llu are missing or damaged in both copies",
                   (unsigned long long)next, (unsigned long long)segment->first_sequence - 1);
            lose(recovery, next, segment->first_sequence - 1);
        }
        struct image image = {memory_new(2 * segment->half_bytes), segment->half_bytes,
                              segment->number};
        if (!read_all(segment->fd, image.bytes, 2 * segment->half_bytes)) {
            memory_free(image.bytes);
            return error_set_os(err, ERR_IO, "a journal segment cannot be read");
        }
        check_headers(&image, recovery);
        uint64_t reached;
        recover_segment(segment, &image, end, applied, recovery, &reached);
        memory_free(image.bytes);
        /* Also one that the database has: it is free after the next checkpoint. */
        segment->is_used = segment->last_sequence >= segment->first_sequence;
        if (reached > next) {
            next = reached;
        }
    }
    *last = next - 1;
    return OK;
}
