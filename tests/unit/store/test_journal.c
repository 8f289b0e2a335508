/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "store/journal_impl.h"

enum { SMALL_SEGMENT = 64 << 10, HALF = SMALL_SEGMENT / 2 };

/* A directory of its own, and what recovery said. */
struct scene {
    char path[64];
    int fd;
    struct text groups; /* "1:abc 2:def " */
    unsigned healed;
    unsigned lost;
    int fail_at; /* the n-th write fails; 0: none */
    enum store_write fail_kind;
    int fail_errno;
    bool fail_onwards;
    struct journal *journal;
};

static int fail_by_number(void *context, enum store_write what)
{
    struct scene *scene = context;
    if (scene->fail_at == 0 || what != scene->fail_kind) {
        return 0;
    }
    if (scene->fail_at == 1) {
        if (!scene->fail_onwards) {
            scene->fail_at = 0;
        }
        return scene->fail_errno;
    }
    scene->fail_at--;
    return 0;
}

static void on_group(void *context, uint64_t sequence, struct slice payload)
{
    struct scene *scene = context;
    text_printf(&scene->groups, "%llu:", (unsigned long long)sequence);
    text_add(&scene->groups, payload.data, payload.size < 8 ? payload.size : 8);
    text_add_char(&scene->groups, ' ');
}

static void on_damage(void *context, bool lost, const char *text)
{
    struct scene *scene = context;
    assert_true(strlen(text) > 10);
    scene->lost += lost;
    scene->healed += !lost;
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    strcpy(scene->path, "/tmp/lockstep-journal-XXXXXX");
    assert_non_null(mkdtemp(scene->path));
    scene->fd = open(scene->path, O_RDONLY | O_DIRECTORY);
    text_init(&scene->groups, 0);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    journal_close(scene->journal);
    for (unsigned i = 0; i < 64; i++) {
        char name[32];
        snprintf(name, sizeof(name), "journal-%u", i);
        unlinkat(scene->fd, name, 0);
    }
    close(scene->fd);
    rmdir(scene->path);
    text_deinit(&scene->groups);
    free(scene);
    return 0;
}

static void start(struct scene *scene, uint64_t applied)
{
    struct journal_options options = {scene->fd, SMALL_SEGMENT, 4, {fail_by_number, scene}};
    struct journal_recovery recovery = {scene, on_group, on_damage};
    struct error err = {0};
    journal_close(scene->journal);
    scene->journal = NULL;
    text_reset(&scene->groups);
    scene->healed = scene->lost = 0;
    assert_int_equal(journal_open(&options, applied, &recovery, &scene->journal, &err), OK);
}

static enum result append(struct scene *scene, const char *text, size_t size)
{
    static const uint8_t filling[200000];
    struct slice pieces[2] = {slice_str(text), slice_of(filling, size)};
    uint64_t sequence = 0;
    struct error err = {0};
    enum result result = journal_append(scene->journal, pieces, 2, &sequence, &err);
    if (result == OK) {
        assert_int_equal(sequence, journal_last(scene->journal));
    }
    return result;
}

static void damage(struct scene *scene, unsigned slot, off_t offset)
{
    char name[32];
    uint8_t byte;
    snprintf(name, sizeof(name), "journal-%u", slot);
    int fd = openat(scene->fd, name, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

/* What was written there is not. */
static void blank(struct scene *scene, unsigned slot, off_t offset)
{
    static const uint8_t zeros[64];
    char name[32];
    snprintf(name, sizeof(name), "journal-%u", slot);
    int fd = openat(scene->fd, name, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, zeros, sizeof(zeros), offset), sizeof(zeros));
    close(fd);
}

static void journal_returns_groups_after_the_applied_one(void **state)
{
    struct scene *scene = *state;
    start(scene, 0);
    assert_int_equal(append(scene, "one", 0), OK);
    assert_int_equal(append(scene, "two", 0), OK);
    assert_int_equal(append(scene, "", 0), OK);
    assert_int_equal(append(scene, "four", 0), OK);
    assert_int_equal(journal_sync_count(scene->journal), 4);
    start(scene, 0);
    assert_string_equal(text_str(&scene->groups), "1:one 2:two 3: 4:four ");
    start(scene, 2);
    assert_string_equal(text_str(&scene->groups), "3: 4:four ");
    start(scene, 4);
    assert_string_equal(text_str(&scene->groups), "");
    assert_int_equal(append(scene, "five", 0), OK);
    start(scene, 4);
    assert_string_equal(text_str(&scene->groups), "5:five ");
    assert_int_equal(scene->lost + scene->healed, 0);
}

static void journal_uses_segments_again_when_released(void **state)
{
    struct scene *scene = *state;
    start(scene, 0);
    for (unsigned i = 1; i <= 100; i++) {
        assert_int_equal(append(scene, "x", 5000), OK);
        journal_release(scene->journal, i);
    }
    struct stat status;
    assert_int_equal(fstatat(scene->fd, "journal-1", &status, 0), 0);
    assert_int_equal(status.st_size, SMALL_SEGMENT);
    assert_int_equal(fstatat(scene->fd, "journal-2", &status, 0), -1);
    start(scene, 98);
    assert_int_equal(scene->lost + scene->healed, 0);
    assert_int_equal(journal_last(scene->journal), 100);
}

static void journal_refuses_when_all_segments_are_full_and_recovers(void **state)
{
    struct scene *scene = *state;
    enum result result = OK;
    uint64_t count = 0;
    start(scene, 0);
    while ((result = append(scene, "x", 10000)) == OK) {
        count++;
        assert_true(count < 100);
    }
    assert_int_equal(result, ERR_LIMIT);
    assert_int_equal(journal_last(scene->journal), count);
    journal_release(scene->journal, count);
    assert_int_equal(append(scene, "again", 0), OK);
    start(scene, count);
    char expected[32];
    snprintf(expected, sizeof(expected), "%llu:again ", (unsigned long long)count + 1);
    /* The filling is empty, so the payload is the text. */
    assert_string_equal(text_str(&scene->groups), expected);
}

static void journal_gives_a_large_group_a_segment_of_its_own(void **state)
{
    struct scene *scene = *state;
    struct stat status;
    start(scene, 0);
    assert_int_equal(append(scene, "small", 0), OK);
    assert_int_equal(append(scene, "large...", 150000), OK);
    assert_int_equal(append(scene, "after", 0), OK);
    start(scene, 0);
    assert_string_equal(text_str(&scene->groups), "1:small 2:large... 3:after ");
    journal_release(scene->journal, 3);
    assert_int_equal(fstatat(scene->fd, "journal-2", &status, 0), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(scene->lost + scene->healed, 0);
}

static void journal_reads_damaged_groups_from_the_other_half(void **state)
{
    struct scene *scene = *state;
    start(scene, 0);
    assert_int_equal(append(scene, "one", 0), OK);
    assert_int_equal(append(scene, "two", 0), OK);
    assert_int_equal(append(scene, "three", 0), OK);
    size_t each = group_bytes(5);
    for (off_t at = 0; at < (off_t)(2 * each); at++) {
        off_t offset = SEGMENT_FIRST_GROUP + at;
        if (at % (off_t)each >= 35) {
            continue; /* padding, which nobody reads */
        }
        for (unsigned half = 0; half < 2; half++) {
            damage(scene, 0, offset + half * HALF);
            start(scene, 0);
            assert_string_equal(text_str(&scene->groups), "1:one 2:two 3:three ");
            assert_int_equal(scene->lost, 0);
            assert_int_equal(scene->healed, 1);
            damage(scene, 0, offset + half * HALF);
        }
    }
    for (off_t offset = 0; offset < SEGMENT_HEADER_SIZE; offset++) {
        for (unsigned half = 0; half < 2; half++) {
            damage(scene, 0, offset + half * HALF);
            start(scene, 0);
            assert_string_equal(text_str(&scene->groups), "1:one 2:two 3:three ");
            assert_int_equal(scene->healed, 1);
            damage(scene, 0, offset + half * HALF);
        }
    }
}

/* Where nothing follows that would tell a damaged copy from one that was never written. */
static void journal_tells_of_a_flipped_bit_in_its_last_group(void **state)
{
    struct scene *scene = *state;
    start(scene, 0);
    assert_int_equal(append(scene, "one", 0), OK);
    assert_int_equal(append(scene, "two", 3000), OK);
    off_t second = SEGMENT_FIRST_GROUP + (off_t)group_bytes(3);
    for (off_t at = 0; at < GROUP_HEADER_SIZE + 8; at++) {
        for (unsigned half = 0; half < 2; half++) {
            damage(scene, 0, second + at + half * HALF);
            for (uint64_t applied = 0; applied < 2; applied++) {
                start(scene, applied);
                assert_string_equal(text_str(&scene->groups), applied ? "2:two" : "1:one 2:two");
                assert_int_equal(scene->lost, 0);
                assert_int_equal(scene->healed, 1);
            }
            damage(scene, 0, second + at + half * HALF);
        }
    }
    start(scene, 0);
    assert_int_equal(scene->healed, 0);
}

static void journal_reports_groups_lost_in_both_halves(void **state)
{
    struct scene *scene = *state;
    start(scene, 0);
    assert_int_equal(append(scene, "one", 0), OK);
    assert_int_equal(append(scene, "two", 0), OK);
    assert_int_equal(append(scene, "three", 0), OK);
    off_t second = SEGMENT_FIRST_GROUP + (off_t)group_bytes(3) + 33;
    damage(scene, 0, second);
    damage(scene, 0, second + HALF);
    start(scene, 0);
    assert_string_equal(text_str(&scene->groups), "1:one 3:three ");
    assert_int_equal(scene->lost, 1);
    /* Already in the database: nothing is lost. */
    start(scene, 2);
    assert_int_equal(scene->lost, 0);
    assert_string_equal(text_str(&scene->groups), "3:three ");
}

static void journal_takes_a_cut_tail_for_the_end(void **state)
{
    struct scene *scene = *state;
    start(scene, 0);
    assert_int_equal(append(scene, "one", 0), OK);
    assert_int_equal(append(scene, "two", 0), OK);
    off_t second = SEGMENT_FIRST_GROUP + (off_t)group_bytes(3) + 33;
    blank(scene, 0, second - 33 + HALF); /* the second copy never arrived */
    start(scene, 0);
    assert_string_equal(text_str(&scene->groups), "1:one 2:two ");
    assert_int_equal(scene->lost + scene->healed, 0);
    blank(scene, 0, second - 33);
    start(scene, 0);
    assert_string_equal(text_str(&scene->groups), "1:one ");
    assert_int_equal(scene->lost + scene->healed, 0);
    assert_int_equal(append(scene, "other", 0), OK);
    start(scene, 0);
    assert_string_equal(text_str(&scene->groups), "1:one 2:other ");
}

static void journal_makes_void_what_a_failed_commit_wrote(void **state)
{
    struct scene *scene = *state;
    uint64_t before = 0;
    for (int kind = STORE_WRITE_JOURNAL; kind <= STORE_WRITE_SYNC; kind++) {
        for (int number = 1; number <= (kind == STORE_WRITE_JOURNAL ? 2 : 1); number++) {
            start(scene, before);
            assert_int_equal(append(scene, "good", 0), OK);
            scene->fail_kind = (enum store_write)kind;
            scene->fail_errno = EIO;
            scene->fail_at = number;
            assert_int_equal(append(scene, "bad", 0), ERR_IO);
            assert_int_equal(append(scene, "better", 0), OK);
            assert_int_equal(journal_last(scene->journal), before + 2);
            start(scene, before);
            char expected[64];
            snprintf(expected, sizeof(expected), "%llu:good %llu:better ",
                     (unsigned long long)before + 1, (unsigned long long)before + 2);
            assert_string_equal(text_str(&scene->groups), expected);
            assert_int_equal(scene->lost + scene->healed, 0);
            before += 2;
        }
    }
}

static void journal_works_again_when_a_full_disk_has_room(void **state)
{
    struct scene *scene = *state;
    scene->fail_kind = STORE_WRITE_CREATE;
    scene->fail_errno = ENOSPC;
    scene->fail_at = 1;
    scene->fail_onwards = true;
    start(scene, 0); /* opens all the same */
    struct error err = {0};
    struct slice piece = slice_str("x");
    uint64_t sequence;
    assert_int_equal(journal_append(scene->journal, &piece, 1, &sequence, &err), ERR_IO);
    assert_int_equal(err.os_errno, ENOSPC);
    scene->fail_at = 0;
    assert_int_equal(append(scene, "room", 0), OK);
    start(scene, 0);
    assert_string_equal(text_str(&scene->groups), "1:room ");
}

static void journal_notices_a_segment_that_is_missing(void **state)
{
    struct scene *scene = *state;
    start(scene, 0);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(append(scene, "x", 9000), OK);
    }
    journal_close(scene->journal);
    scene->journal = NULL;
    assert_int_equal(unlinkat(scene->fd, "journal-1", 0), 0);
    start(scene, 0);
    assert_int_equal(scene->lost, 1);
}

int main(void)
{
#define SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SCENE(journal_returns_groups_after_the_applied_one),
        SCENE(journal_uses_segments_again_when_released),
        SCENE(journal_refuses_when_all_segments_are_full_and_recovers),
        SCENE(journal_gives_a_large_group_a_segment_of_its_own),
        SCENE(journal_reads_damaged_groups_from_the_other_half),
        SCENE(journal_tells_of_a_flipped_bit_in_its_last_group),
        SCENE(journal_reports_groups_lost_in_both_halves),
        SCENE(journal_takes_a_cut_tail_for_the_end),
        SCENE(journal_makes_void_what_a_failed_commit_wrote),
        SCENE(journal_works_again_when_a_full_disk_has_room),
        SCENE(journal_notices_a_segment_that_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
