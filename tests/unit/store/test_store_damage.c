/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/store/store_scene.h"

static void store_refuses_and_recovers_whichever_write_fails(void **state)
{
    struct scene *scene = *state;
    struct store_zone *zone = zone_named(scene, "full.example.");
    uint32_t serial = 1;
    assert_int_equal(begin_zone(scene, zone, 1), OK);
    for (int number = 1; number <= 20; number++) {
        scene->fail_at = number;
        scene->fail_kind = ALL_KINDS;
        scene->fail_errno = ENOSPC;
        for (unsigned i = 0; i < 4; i++) {
            enum result result = step_zone(scene, zone, serial, serial + 1, 1000);
            if (result == OK) {
                serial++;
            } else {
                assert_int_equal(result, ERR_IO);
                assert_int_equal(scene->err.os_errno, ENOSPC);
            }
            if (i == 2 && store_checkpoint(scene->store, fresh(scene)) != OK) {
                continue; /* what is in the journal stays there */
            }
        }
        scene->fail_at = 0;
        assert_int_equal(step_zone(scene, zone, serial, serial + 1, 10), OK);
        serial++;
        assert_zone_reaches(scene, zone, serial);
        crash(scene);
        open_store(scene);
        assert_int_equal(scene->reports, 0);
        zone = zone_named(scene, "full.example.");
        assert_zone_reaches(scene, zone, serial);
    }
}

static void store_serves_everything_from_a_disk_that_takes_no_write(void **state)
{
    struct scene *scene = *state;
    struct store_zone *zone = zone_named(scene, "readonly.example.");
    assert_int_equal(begin_zone(scene, zone, 1), OK);
    assert_int_equal(step_zone(scene, zone, 1, 2, 10), OK);
    crash(scene);
    scene->fail_at = 1;
    scene->fail_kind = ALL_KINDS;
    scene->fail_errno = EROFS;
    scene->fail_onwards = true;
    open_store(scene);
    zone = zone_named(scene, "readonly.example.");
    assert_zone_reaches(scene, zone, 2);
    assert_int_equal(step_zone(scene, zone, 2, 3, 10), ERR_IO);
    assert_int_equal(store_checkpoint(scene->store, fresh(scene)), ERR_IO);
    assert_zone_reaches(scene, zone, 2);
    scene->fail_at = 0;
    assert_int_equal(step_zone(scene, zone, 2, 3, 10), OK);
    assert_int_equal(store_checkpoint(scene->store, fresh(scene)), OK);
    assert_zone_reaches(scene, zone, 3);
}

static void store_sets_a_cut_database_aside(void **state)
{
    struct scene *scene = *state;
    char path[128];
    struct stat status;
    struct store_zone *zone = zone_named(scene, "cut.example.");
    assert_int_equal(write_image(scene, zone, 0, 5, true, 3000), OK);
    for (uint32_t i = 5; i < 7; i++) { /* both of the newest states need the image */
        assert_int_equal(step_zone(scene, zone, i, i + 1, 10), OK);
        assert_int_equal(store_checkpoint(scene->store, fresh(scene)), OK);
    }
    store_close(scene->store);
    scene->store = NULL;
    snprintf(path, sizeof(path), "%s/history.mdb", scene->path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(truncate(path, status.st_size / 2), 0);
    open_store(scene);
    assert_true(scene->reports >= 1);
    zone = zone_named(scene, "cut.example.");
    assert_int_equal(begin_zone(scene, zone, 9), OK);
    assert_zone_reaches(scene, zone, 9);
    unsigned kept = 0;
    DIR *directory = opendir(scene->path);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        kept += strstr(entry->d_name, "damaged") != NULL;
    }
    closedir(directory);
    assert_int_equal(kept, 1);
    store_close(scene->store);
    scene->store = NULL;
    assert_int_equal(truncate(path, 100), 0);
    open_store(scene);
    assert_int_equal(scene->reports, 1);
}

/* LMDB writes to pages that carry its mark of dirty ones where they stand: into a mapping for reading. */
static void store_trusts_no_page_that_says_it_is_being_written(void **state)
{
    enum { PAGE = 4096, FLAGS_AT = 10, DIRTY = 16 };
    struct scene *scene = *state;
    char path[128];
    struct stat status;
    struct store_zone *zone = zone_named(scene, "dirty.example.");
    assert_int_equal(begin_zone(scene, zone, 1), OK);
    assert_int_equal(store_checkpoint(scene->store, fresh(scene)), OK);
    store_close(scene->store);
    scene->store = NULL;
    snprintf(path, sizeof(path), "%s/history.mdb", scene->path);
    int fd = open(path, O_RDWR);
    assert_int_equal(fstat(fd, &status), 0);
    for (off_t page = 2 * PAGE; page < status.st_size; page += PAGE) {
        uint8_t flags;
        assert_int_equal(pread(fd, &flags, 1, page + FLAGS_AT), 1);
        flags |= DIRTY;
        assert_int_equal(pwrite(fd, &flags, 1, page + FLAGS_AT), 1);
    }
    close(fd);
    open_store(scene);
    assert_true(scene->reports >= 1);
    zone = zone_named(scene, "dirty.example.");
    assert_int_equal(begin_zone(scene, zone, 9), OK);
    assert_int_equal(store_checkpoint(scene->store, fresh(scene)), OK);
    assert_zone_reaches(scene, zone, 9);
}

/* Flips a bit of the delta from -> to in every copy that the journal's first segment has. */
static unsigned damage_journal(struct scene *scene, uint8_t from, uint8_t to)
{
    const uint8_t pattern[] = {0, 0, 0, from, 0, 0, 0, to, STORE_FROM_UPDATE};
    char path[128];
    unsigned found = 0;
    struct stat status;
    snprintf(path, sizeof(path), "%s/journal-0", scene->path);
    int fd = open(path, O_RDWR);
    assert_int_equal(fstat(fd, &status), 0);
    uint8_t *bytes = malloc((size_t)status.st_size);
    assert_int_equal(read(fd, bytes, (size_t)status.st_size), status.st_size);
    for (off_t at = 0; at + (off_t)sizeof(pattern) < status.st_size; at++) {
        if (memcmp(bytes + at, pattern, sizeof(pattern)) == 0) {
            uint8_t flipped = bytes[at] ^ 4;
            assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
            found++;
        }
    }
    free(bytes);
    close(fd);
    return found;
}

static void store_names_the_zones_whose_commits_a_hole_in_the_journal_took(void **state)
{
    struct scene *scene = *state;
    struct store_zone *sound = zone_named(scene, "sound.example.");
    struct store_zone *hurt = zone_named(scene, "hurt.example.");
    struct store_status status;
    assert_int_equal(begin_zone(scene, sound, 1), OK);
    assert_int_equal(begin_zone(scene, hurt, 101), OK);
    assert_int_equal(step_zone(scene, hurt, 101, 102, 10), OK);
    assert_int_equal(step_zone(scene, hurt, 102, 103, 10), OK); /* the hole ... */
    assert_int_equal(step_zone(scene, hurt, 103, 104, 10), OK); /* ... of two groups */
    assert_int_equal(step_zone(scene, sound, 1, 2, 10), OK);
    crash(scene);
    assert_int_equal(damage_journal(scene, 102, 103), 2);
    assert_int_equal(damage_journal(scene, 103, 104), 2);
    /* Also when it was opened once more, and when the database has what is left of the journal. */
    for (unsigned i = 0; i < 3; i++) {
        open_store(scene);
        assert_int_equal(scene->reports, i == 2 ? 0 : 2);
        sound = zone_named(scene, "sound.example.");
        hurt = zone_named(scene, "hurt.example.");
        assert_zone_reaches(scene, sound, 2);
        assert_int_equal(store_zone_status(scene->store, hurt, &status, fresh(scene)), ERR_CORRUPT);
        assert_int_equal(status.last_serial.value, 104);
        if (i == 0) {
            crash(scene);
        } else {
            assert_int_equal(store_checkpoint(scene->store, fresh(scene)), OK);
        }
    }
    assert_int_equal(begin_zone(scene, hurt, 200), OK);
    assert_zone_reaches(scene, hurt, 200);
}

static void store_says_when_a_hole_is_larger_than_what_is_known_of_it(void **state)
{
    struct scene *scene = *state;
    struct store_zone *zone = zone_named(scene, "hurt.example.");
    assert_int_equal(begin_zone(scene, zone, 1), OK);
    for (uint8_t i = 1; i < 20; i++) {
        assert_int_equal(step_zone(scene, zone, i, i + 1, 10), OK);
    }
    crash(scene);
    for (uint8_t i = 3; i < 18; i++) {
        assert_int_equal(damage_journal(scene, i, i + 1), 2);
    }
    open_store(scene);
    assert_int_equal(scene->reports, 3);
    struct store_status status;
    zone = zone_named(scene, "hurt.example.");
    assert_int_equal(store_zone_status(scene->store, zone, &status, fresh(scene)), ERR_CORRUPT);
    assert_int_equal(status.last_serial.value, 20);
}

/* Flips a bit in the n-th place where `pattern` stands in the database file. */
static bool damage_database(struct scene *scene, const void *pattern, size_t size, unsigned skip)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/history.mdb", scene->path);
    int fd = open(path, O_RDWR);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    uint8_t *bytes = malloc((size_t)status.st_size);
    assert_int_equal(read(fd, bytes, (size_t)status.st_size), status.st_size);
    bool found = false;
    for (off_t at = 0; at + (off_t)size < status.st_size && !found; at++) {
        if (memcmp(bytes + at, pattern, size) == 0 && skip-- == 0) {
            uint8_t flipped = bytes[at] ^ 4;
            assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
            found = true;
        }
    }
    free(bytes);
    close(fd);
    return found;
}

static void store_finds_damage_and_leaves_other_zones_alone(void **state)
{
    struct scene *scene = *state;
    struct store_zone *sound = zone_named(scene, "sound.example.");
    struct store_zone *hurt = zone_named(scene, "hurt.example.");
    struct store_status status;
    for (uint32_t i = 0; i < 4; i++) {
        if (i == 0) {
            assert_int_equal(begin_zone(scene, sound, 1), OK);
            assert_int_equal(begin_zone(scene, hurt, 1), OK);
        } else {
            assert_int_equal(step_zone(scene, sound, i, i + 1, 10), OK);
            assert_int_equal(step_zone(scene, hurt, 100 * i - 99, 100 * i + 1, 10), OK);
        }
    }
    assert_int_equal(store_checkpoint(scene->store, fresh(scene)), OK);
    store_close(scene->store);
    scene->store = NULL;
    /* The entry of the delta 101 -> 201, inside its value. */
    const uint8_t pattern[] = {0, 0, 0, 101, 0, 0, 0, 201, STORE_FROM_UPDATE};
    assert_true(damage_database(scene, pattern, sizeof(pattern), 0));
    open_store(scene);
    assert_zone_reaches(scene, zone_named(scene, "sound.example."), 4);
    hurt = zone_named(scene, "hurt.example.");
    assert_int_equal(store_zone_status(scene->store, hurt, &status, fresh(scene)), ERR_CORRUPT);
    assert_string_equal(scene->err.zone, "hurt.example");
    assert_int_equal(status.last_serial.value, 301); /* is known all the same */
    assert_int_equal(status.history_count, 1);       /* what is sound in front of the damage */
    /* A new beginning heals it. */
    assert_int_equal(begin_zone(scene, hurt, 302), OK);
    assert_zone_reaches(scene, hurt, 302);
    open_store(scene);
    assert_zone_reaches(scene, zone_named(scene, "hurt.example."), 302);
}

static void store_finds_damage_inside_records(void **state)
{
    struct scene *scene = *state;
    struct store_zone *zone = zone_named(scene, "inside.example.");
    struct chunk *chunk;
    size_t size = 0;
    assert_int_equal(write_image(scene, zone, 0, 1, true, 2000), OK);
    assert_int_equal(step_zone(scene, zone, 1, 2, 3000), OK);
    assert_int_equal(store_checkpoint(scene->store, fresh(scene)), OK);
    store_close(scene->store);
    scene->store = NULL;
    uint8_t letters[200];
    memset(letters, 'a', sizeof(letters));
    assert_true(damage_database(scene, letters, sizeof(letters), 5000));
    memset(letters, 0, sizeof(letters));
    letters[0] = 255; /* in the delta's TXT */
    assert_true(damage_database(scene, letters, 100, 3));
    open_store(scene);
    zone = zone_named(scene, "inside.example.");
    assert_int_equal(
        store_read_image(scene->store, zone, count_octets, &size, NULL, NULL, NULL, fresh(scene)),
        ERR_CORRUPT);
    assert_int_equal(store_read_chunk(scene->store, zone, 2, &chunk, fresh(scene)), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(store_refuses_and_recovers_whichever_write_fails),
        SCENE(store_serves_everything_from_a_disk_that_takes_no_write),
        SCENE(store_sets_a_cut_database_aside),
        SCENE(store_trusts_no_page_that_says_it_is_being_written),
        SCENE(store_names_the_zones_whose_commits_a_hole_in_the_journal_took),
        SCENE(store_says_when_a_hole_is_larger_than_what_is_known_of_it),
        SCENE(store_finds_damage_and_leaves_other_zones_alone),
        SCENE(store_finds_damage_inside_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
