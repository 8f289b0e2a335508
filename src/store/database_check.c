/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether LMDB may be let loose on a file.
 *
 * LMDB follows what stands in its pages without looking: a bit flipped in an offset or a page
 * number is a read or a write outside the page, and a file that is cut a SIGBUS. So before it is
 * opened every page that can be reached is looked at once: page and node headers, bounds, the order
 * of keys, the counts that each table keeps of itself, and that no page has two owners, the list of
 * free pages among them. What stands in values has checksums of its own and is not read.
 *
 * Pages 0 and 1 are meta pages, written in turn; the newer one counts and has no checksum. Every
 * transaction of ours therefore puts its number, with a checksum, into the table "meta" (key
 * "txn"): a meta page whose tree is sound tells by it whose it is. Where one meta page is bad, it
 * is made anew from the other, and LMDB goes on from there; the transaction that is lost then is
 * still in the journal, which forgets one checkpoint late.
 *
 * The file may rightly end before the last page that the meta page names: pages given back in the
 * transaction that took them are never written.
 *
 * Layout (LMDB 0.9, numbers in the machine's order). Page: number u64, u16, flags u16, lower u16,
 * upper u16 (or, of overflow, pages u32), then u16 offsets of the nodes. Node: low u16, high u16,
 * flags u16, key size u16, key, data; of a branch, low, high and flags are the child's number; of a
 * leaf, low and high are the size of the data, which stands elsewhere with flag 1 (a page number
 * takes its place), and is a table with flag 2. Table: u32, flags u16, depth u16, branch, leaf and
 * overflow pages u64 each, entries u64, root u64. Meta page, behind its header: magic u32, version
 * u32, address u64, map size u64, table of free pages, table of tables, last page u64, transaction
 * u64. The page size stands in the first word of the table of free pages.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/checksum.h"
#include "store/database_impl.h"

enum {
    PAGE_HEADER = 16,
    NODE_HEADER = 8,
    TABLE_SIZE = 48,
    META_SIZE = 136,
    META_FREE = 24,
    META_MAIN = META_FREE + TABLE_SIZE,
    META_LAST_PAGE = META_MAIN + TABLE_SIZE,
    META_TRANSACTION = META_LAST_PAGE + 8,
    PAGE_BRANCH = 1,
    PAGE_LEAF = 2,
    PAGE_OVERFLOW = 4,
    PAGE_META = 8,
    PAGE_DIRTY = 16,
    NODE_ELSEWHERE = 1,
    NODE_TABLE = 2,
    TABLE_NUMBER_KEYS = 8,
    MAX_DEPTH = 32,
};

static const uint32_t meta_magic = 0xbeefc0de;
static const uint64_t no_page = UINT64_MAX;

static uint16_t u16_at(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static uint32_t u32_at(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static uint64_t u64_at(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

void database_mark_write(uint64_t transaction, uint8_t out[DATABASE_MARK_SIZE])
{
    memcpy(out, &transaction, 8);
    uint32_t sum = checksum_add(0, out, 8);
    memcpy(out + 8, &sum, 4);
}

enum owner { OWNER_FREE, OWNER_MAIN, OWNER_META_TABLE, OWNER_TABLE };

struct walk {
    const uint8_t *file;
    uint64_t page_size;
    uint64_t page_count; /* of the file */
    uint64_t last_page;
    uint8_t *seen; /* a bit a page of the file */
    bool has_mark;
    uint64_t mark;
};

/* One table on the way. */
struct table {
    enum owner owner;
    unsigned depth;
    uint64_t branches;
    uint64_t leaves;
    uint64_t overflows;
    uint64_t entries;
    struct slice bound; /* all that follows is higher, or equal where may_equal */
    bool may_equal;
};

static bool see(struct walk *walk, uint64_t page)
{
    if (page < 2 || page > walk->last_page) {
        return false;
    }
    if (page >= walk->page_count) {
        return true;
    }
    uint8_t bit = (uint8_t)(1u << (page & 7));
    bool is_new = (walk->seen[page >> 3] & bit) == 0;
    walk->seen[page >> 3] |= bit;
    return is_new;
}

static const uint8_t *page_at(struct walk *walk, uint64_t page)
{
    return page < walk->page_count && see(walk, page) ? walk->file + page * walk->page_size : NULL;
}

static int compare(enum owner owner, struct slice a, struct slice b)
{
    if (owner == OWNER_FREE) {
        uint64_t x = u64_at(a.data);
        uint64_t y = u64_at(b.data);
        return x < y ? -1 : x > y;
    }
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order != 0 ? order : a.size < b.size ? -1 : a.size > b.size;
}

static bool key_follows(struct table *table, struct slice key, bool is_separator)
{
    if (key.size == 0 || key.size > DATABASE_KEY_SIZE ||
        (table->owner == OWNER_FREE && key.size != 8)) {
        return false;
    }
    if (table->bound.size != 0) {
        int order = compare(table->owner, key, table->bound);
        if (order < 0 || (order == 0 && !table->may_equal)) {
            return false;
        }
    }
    table->bound = key;
    table->may_equal = is_separator;
    return true;
}

/* The list of one transaction: a count, and so many pages in falling order. */
static bool free_list_is_sound(struct walk *walk, struct slice list)
{
    uint64_t before = no_page;
    if (list.size < 8 || list.size % 8 != 0 || u64_at(list.data) > list.size / 8 - 1) {
        return false;
    }
    for (uint64_t i = 1; i <= u64_at(list.data); i++) {
        uint64_t page = u64_at(list.data + 8 * i);
        if (page >= before || !see(walk, page)) {
            return false;
        }
        before = page;
    }
    return true;
}

static bool table_is_sound(struct walk *walk, const uint8_t *bytes, enum owner owner);

static bool leaf_is_sound(struct walk *walk, struct table *table, const uint8_t *node,
                          uint64_t room)
{
    uint64_t size = u16_at(node) | (uint64_t)u16_at(node + 2) << 16;
    uint16_t flags = u16_at(node + 4);
    uint16_t key_size = u16_at(node + 6);
    const uint8_t *data = node + NODE_HEADER + key_size;
    uint64_t here = (flags & NODE_ELSEWHERE) != 0 ? 8 : size;
    bool is_table = table->owner == OWNER_MAIN;
    if (NODE_HEADER + key_size + here > room ||
        !key_follows(table, slice_of(node + NODE_HEADER, key_size), false) ||
        (flags & ~(NODE_ELSEWHERE | NODE_TABLE)) != 0 || ((flags & NODE_TABLE) != 0) != is_table) {
        return false;
    }
    table->entries++;
    if ((flags & NODE_ELSEWHERE) != 0) {
        uint64_t first = u64_at(data);
        const uint8_t *page = page_at(walk, first);
        uint64_t count = (size + PAGE_HEADER + walk->page_size - 1) / walk->page_size;
        if (page == NULL || u64_at(page) != first || u16_at(page + 10) != PAGE_OVERFLOW ||
            u32_at(page + 12) != count || count > walk->page_count - first) {
            return false;
        }
        for (uint64_t i = 1; i < count; i++) {
            if (!see(walk, first + i)) {
                return false;
            }
        }
        table->overflows += count;
        data = page + PAGE_HEADER;
    }
    if (is_table) {
        bool is_meta = key_size == 4 && memcmp(node + NODE_HEADER, "meta", 4) == 0;
        return size == TABLE_SIZE &&
               table_is_sound(walk, data, is_meta ? OWNER_META_TABLE : OWNER_TABLE);
    }
    if (table->owner == OWNER_META_TABLE && key_size == 3 &&
        memcmp(node + NODE_HEADER, "txn", 3) == 0) {
        if (size != DATABASE_MARK_SIZE || u32_at(data + 8) != checksum_add(0, data, 8)) {
            return false;
        }
        walk->has_mark = true;
        walk->mark = u64_at(data);
        return true;
    }
    return table->owner != OWNER_FREE || free_list_is_sound(walk, slice_of(data, (size_t)size));
}

static bool page_is_sound(struct walk *walk, struct table *table, uint64_t number, unsigned level)
{
    const uint8_t *page = page_at(walk, number);
    if (page == NULL || u64_at(page) != number) {
        return false;
    }
    bool is_leaf = level == table->depth;
    uint64_t lower = u16_at(page + 12);
    uint64_t upper = u16_at(page + 14);
    if (u16_at(page + 10) != (is_leaf ? PAGE_LEAF : PAGE_BRANCH) || lower < PAGE_HEADER ||
        lower % 2 != 0 || upper < lower || upper > walk->page_size) {
        return false;
    }
    uint64_t count = (lower - PAGE_HEADER) / 2;
    *(is_leaf ? &table->leaves : &table->branches) += 1;
    if (count == 0) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t offset = u16_at(page + PAGE_HEADER + 2 * i);
        const uint8_t *node = page + offset;
        if (offset < upper || offset % 2 != 0 || offset + NODE_HEADER > walk->page_size) {
            return false;
        }
        uint64_t room = walk->page_size - offset;
        if (is_leaf) {
            if (!leaf_is_sound(walk, table, node, room)) {
                return false;
            }
            continue;
        }
        uint64_t child =
            u16_at(node) | (uint64_t)u16_at(node + 2) << 16 | (uint64_t)u16_at(node + 4) << 32;
        uint16_t key_size = u16_at(node + 6);
        if (NODE_HEADER + (uint64_t)key_size > room ||
            (i != 0 && !key_follows(table, slice_of(node + NODE_HEADER, key_size), true)) ||
            !page_is_sound(walk, table, child, level + 1)) {
            return false;
        }
    }
    return true;
}

static bool table_is_sound(struct walk *walk, const uint8_t *bytes, enum owner owner)
{
    struct table table = {.owner = owner, .depth = u16_at(bytes + 6)};
    uint16_t flags = u16_at(bytes + 4);
    uint64_t root = u64_at(bytes + 40);
    if (owner == OWNER_FREE ? (flags & TABLE_NUMBER_KEYS) == 0 : flags != 0) {
        return false;
    }
    if (root != no_page &&
        (table.depth == 0 || table.depth > MAX_DEPTH || !page_is_sound(walk, &table, root, 1))) {
        return false;
    }
    return (root != no_page || table.depth == 0) && table.branches == u64_at(bytes + 8) &&
           table.leaves == u64_at(bytes + 16) && table.overflows == u64_at(bytes + 24) &&
           table.entries == u64_at(bytes + 32);
}

static bool meta_is_plausible(const uint8_t *page, unsigned index)
{
    const uint8_t *meta = page + PAGE_HEADER;
    return u64_at(page) == index && (u16_at(page + 10) & ~PAGE_DIRTY) == PAGE_META &&
           u32_at(meta) == meta_magic && u32_at(meta + 4) == 1;
}

struct meta {
    bool is_sound;
    uint64_t written;     /* the transaction that the page names */
    uint64_t transaction; /* and that its tree names */
};

static void check_meta(const uint8_t *file, uint64_t size, uint64_t page_size, unsigned index,
                       struct meta *out)
{
    const uint8_t *page = file + index * page_size;
    const uint8_t *meta = page + PAGE_HEADER;
    struct walk walk = {.file = file,
                        .page_size = page_size,
                        .page_count = size / page_size,
                        .last_page = u64_at(meta + META_LAST_PAGE)};
    out->written = out->transaction = u64_at(meta + META_TRANSACTION);
    if (!meta_is_plausible(page, index) || u32_at(meta + META_FREE) != page_size ||
        walk.last_page == 0 || walk.last_page / 2 > walk.page_count + 1024) {
        return;
    }
    walk.seen = memory_new_zeroed(walk.page_count / 8 + 1, 1);
    out->is_sound = table_is_sound(&walk, meta + META_MAIN, OWNER_MAIN) &&
                    table_is_sound(&walk, meta + META_FREE, OWNER_FREE);
    if (walk.has_mark) {
        out->transaction = walk.mark;
    }
    memory_free(walk.seen);
}

/* The size of a page as either meta page tells it; 0: none does. */
static uint64_t page_size_of(const uint8_t *file, uint64_t size)
{
    for (uint64_t page = 512; page <= 32768; page *= 2) {
        for (unsigned i = 0; i < 2; i++) {
            const uint8_t *p = file + i * page;
            if (size >= 2 * page && meta_is_plausible(p, i) &&
                u32_at(p + PAGE_HEADER + META_FREE) == page) {
                return page;
            }
        }
    }
    return 0;
}

/* Makes one meta page from the other, or gives it the number of its transaction back. */
static bool write_meta(int fd, const uint8_t *file, uint64_t page_size, unsigned from, unsigned to,
                       uint64_t transaction)
{
    uint8_t page[PAGE_HEADER + META_SIZE];
    uint64_t number = to;
    memcpy(page, file + from * page_size, sizeof(page));
    memcpy(page, &number, 8);
    memcpy(page + PAGE_HEADER + META_TRANSACTION, &transaction, 8);
    return pwrite(fd, page, sizeof(page), (off_t)(to * page_size)) == (ssize_t)sizeof(page) &&
           fdatasync(fd) == 0;
}

static enum result check(int fd, const uint8_t *file, uint64_t size, const char *path,
                         bool *out_mended, struct error *err)
{
    struct meta metas[2] = {0};
    uint64_t page_size = page_size_of(file, size);
    if (page_size == 0) {
        return error_set(err, ERR_CORRUPT, "%s is damaged: neither of its first pages is sound",
                         path);
    }
    uint64_t named[2];
    for (unsigned i = 0; i < 2; i++) {
        named[i] = u64_at(file + i * page_size + PAGE_HEADER + META_TRANSACTION);
    }
    unsigned newest = named[0] < named[1];
    check_meta(file, size, page_size, newest, &metas[newest]);
    /* The two are one transaction apart, but in a new file. */
    bool is_usual = meta_is_plausible(file + !newest * page_size, !newest) &&
                    (named[newest] - named[!newest] == 1 || named[newest] == 0);
    if (metas[newest].is_sound && metas[newest].transaction == named[newest] && is_usual) {
        return OK;
    }
    check_meta(file, size, page_size, !newest, &metas[!newest]);
    if (!metas[0].is_sound && !metas[1].is_sound) {
        return error_set(err, ERR_CORRUPT, "%s is damaged: its pages do not fit together", path);
    }
    unsigned best =
        !metas[0].is_sound || (metas[1].is_sound && metas[1].transaction > metas[0].transaction);
    uint64_t transaction = metas[best].transaction;
    *out_mended = true;
    if (!write_meta(fd, file, page_size, best, best, transaction) ||
        !write_meta(fd, file, page_size, best, !best, transaction)) {
        return error_set_os(err, ERR_IO, "%s is damaged and cannot be mended", path);
    }
    return OK;
}

enum result database_check(const char *path, bool *out_mended, struct error *err)
{
    struct stat status;
    *out_mended = false;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ENOENT) {
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (fd < 0) {
        return errno == ENOENT ? OK : error_set_os(err, ERR_IO, "%s cannot be opened", path);
    }
    enum result result = OK;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        result = error_set(err, ERR_IO, "%s is not a plain file", path);
    } else if (status.st_size != 0) {
        uint64_t size = (uint64_t)status.st_size;
        uint8_t *file = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        if (file == MAP_FAILED) {
            result = error_set_os(err, ERR_IO, "%s cannot be read", path);
        } else {
            result = check(fd, file, size, path, out_mended, err);
            munmap(file, size);
        }
    }
    close(fd);
    return result;
}
