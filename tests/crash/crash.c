/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store, cut off at every write and damaged at many places. Each trial runs in a process of its
 * own, so that an end without warning is one, and a crash of ours is a failed trial and not the end
 * of the test.
 *
 *     kill    the process ends at the n-th write, for every n; what was acknowledged is there
 *     refuse  the n-th write, and some behind it, fail (ENOSPC, EIO); the process goes on
 *     full    a file system without room, for many amounts of room left (root only)
 *     flip    a bit is flipped in a file of the store
 *     cut     a file of the store is cut short
 *
 * Usage: crash [SEED [TRIAL [POINT]]]. A failure prints what to give. CRASH_VERBOSE tells more.
 */
#include "crash/crash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FILES = 16, MAX_POINTS = 400, FLIPS = 80, CUTS = 16, SESSIONS = 2, ROUNDS = 4 };

struct trial {
    struct world world;
    unsigned trials;
    unsigned failed;
    const char *only; /* name of the only trial wanted, or NULL */
    long only_point;  /* -1: all */
};

static void load(void *context)
{
    world_load(context, SESSIONS, ROUNDS);
}

/* As load, but ended in the middle: something stands in the journal, something in the database. */
static void load_and_end(void *context)
{
    struct world *world = context;
    world_load(world, 1, ROUNDS);
    world_open(world);
    for (unsigned i = 0; i < ROUNDS; i++) {
        world_round(world, true);
    }
    _exit(EXIT_KILLED);
}

static void check(void *context)
{
    world_check(context);
}

static void check_damaged(void *context)
{
    world_check_damaged(context);
}

/* --- Files. --- */

static void empty_directory(const char *path)
{
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] != '.') {
            unlinkat(dirfd(directory), entry->d_name, 0);
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
}

struct file {
    char path[320];
    uint8_t *bytes;
    size_t size;
};

struct files {
    struct file files[MAX_FILES];
    unsigned count;
};

static void read_files(const char *path, struct files *out)
{
    DIR *directory = opendir(path);
    out->count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        struct file *file = &out->files[out->count];
        struct stat status;
        if (strcmp(entry->d_name, "history.mdb") != 0 &&
            strncmp(entry->d_name, "journal-", 8) != 0) {
            continue;
        }
        snprintf(file->path, sizeof(file->path), "%s/%.255s", path, entry->d_name);
        int fd = open(file->path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &status) != 0 || out->count == MAX_FILES) {
            abort();
        }
        file->size = (size_t)status.st_size;
        file->bytes = malloc(file->size);
        if (read(fd, file->bytes, file->size) != (ssize_t)file->size) {
            abort();
        }
        close(fd);
        out->count++;
    }
    closedir(directory);
}

static void write_files(const char *path, const struct files *files)
{
    empty_directory(path);
    for (unsigned i = 0; i < files->count; i++) {
        int fd = open(files->files[i].path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
        if (fd < 0 || write(fd, files->files[i].bytes, files->files[i].size) !=
                          (ssize_t)files->files[i].size) {
            abort();
        }
        close(fd);
    }
}

static void free_files(struct files *files)
{
    for (unsigned i = 0; i < files->count; i++) {
        free(files->files[i].bytes);
    }
}

/* --- Trials. --- */

static bool wanted(const struct trial *trial, const char *name, unsigned point)
{
    return (trial->only == NULL || strcmp(trial->only, name) == 0) &&
           (trial->only_point < 0 || trial->only_point == (long)point);
}

static void begin(struct trial *trial, const char *name, unsigned point)
{
    struct world *world = &trial->world;
    world->what = name;
    world->point = point;
    world->act = ACT_NOTHING;
    world->random = (world->seed * 1000003 + point) * 2 + 1;
    atomic_store(&world->promises->writes, 0);
    trial->trials++;
}

static void expect(struct trial *trial, int status, int wanted_status)
{
    const struct world *world = &trial->world;
    if (status != wanted_status) {
        fprintf(stderr, "FAILED (status %d): crash %llu %s %u\n", status,
                (unsigned long long)world->seed, world->what, world->point);
        trial->failed++;
    }
}

static void forget(struct trial *trial)
{
    empty_directory(trial->world.directory);
    memset(trial->world.promises, 0, sizeof(*trial->world.promises));
}

/* Every write of a load in turn; the directory is kept for a few turns, so that what a crash left
 * is crashed into. */
static void try_kill(struct trial *trial)
{
    enum { TURNS = 5 };
    struct world *world = &trial->world;
    unsigned turn = 0;
    for (unsigned point = 1; point <= MAX_POINTS; point++) {
        if (!wanted(trial, "kill", point)) {
            continue;
        }
        if (turn++ % TURNS == 0) {
            forget(trial);
        }
        begin(trial, "kill", point);
        world->act = ACT_END;
        world->at = point;
        world->length = 1;
        int status = run_apart(load, world);
        expect(trial, status == 0 ? EXIT_KILLED : status, EXIT_KILLED);
        begin(trial, "kill", point);
        expect(trial, run_apart(check, world), 0);
        if (status == 0) {
            break; /* there is no such write any more */
        }
    }
}

static void try_refuse(struct trial *trial)
{
    static const int failures[] = {ENOSPC, EIO};
    struct world *world = &trial->world;
    for (unsigned point = 1; point <= MAX_POINTS; point += 2) {
        if (!wanted(trial, "refuse", point)) {
            continue;
        }
        forget(trial);
        begin(trial, "refuse", point);
        world->act = ACT_FAIL;
        world->at = point;
        world->length = point % 3 == 0 ? 2 : 2 + point % 11; /* every write is met */
        world->failure = failures[point / 2 % 2];
        int status = run_apart(load, world);
        expect(trial, status, 0);
        uint32_t writes = atomic_load(&world->promises->writes);
        begin(trial, "refuse", point);
        expect(trial, run_apart(check, world), 0);
        if (writes < point) {
            break;
        }
    }
}

struct base {
    struct files files;
    struct promises promises;
};

static void make_base(struct trial *trial, struct base *base)
{
    forget(trial);
    begin(trial, "base", 0);
    expect(trial, run_apart(load_and_end, &trial->world), EXIT_KILLED);
    read_files(trial->world.directory, &base->files);
    memcpy(&base->promises, trial->world.promises, sizeof(base->promises));
}

static void check_with_damage(struct trial *trial, const struct base *base, unsigned *told,
                              unsigned *reported)
{
    struct promises *promises = trial->world.promises;
    memcpy(promises, &base->promises, sizeof(*promises));
    atomic_store(&promises->damaged_zones, 0);
    atomic_store(&promises->reports, 0);
    expect(trial, run_apart(check_damaged, &trial->world), 0);
    *told += atomic_load(&promises->damaged_zones) != 0;
    *reported += atomic_load(&promises->reports) != 0;
}

/* Half of the flips go where they hurt most: the first two pages of the database, the first octets
 * of its pages, the heads of the journal. */
static size_t place(struct world *world, const struct file *file, bool is_database, unsigned point)
{
    enum { PAGE = 4096, META = 152, HEAD = 120 };
    if (is_database && point % 4 == 0) {
        return world_random(world, 2) * PAGE + world_random(world, META);
    }
    if (point % 2 == 0) {
        return world_random(world, (uint32_t)(file->size / PAGE)) * PAGE +
               world_random(world, HEAD);
    }
    return world_random(world, (uint32_t)file->size);
}

static void try_flip(struct trial *trial, const struct base *base)
{
    struct world *world = &trial->world;
    unsigned told = 0;
    unsigned reported = 0;
    for (unsigned point = 0; point < FLIPS; point++) {
        if (!wanted(trial, "flip", point)) {
            continue;
        }
        begin(trial, "flip", point);
        (void)world_random(world, 2);
        unsigned which = 0;
        bool is_database = point % 3 != 0;
        do {
            which = world_random(world, base->files.count);
        } while ((strstr(base->files.files[which].path, ".mdb") != NULL) != is_database);
        const struct file *file = &base->files.files[which];
        size_t at = place(world, file, is_database, point);
        uint8_t bit = (uint8_t)(1u << world_random(world, 8));
        file->bytes[at] ^= bit;
        write_files(world->directory, &base->files);
        file->bytes[at] ^= bit;
        if (getenv("CRASH_VERBOSE") != NULL) {
            fprintf(stderr, "flip %u: %s octet %zu bit %u\n", point, file->path, at, bit);
        }
        check_with_damage(trial, base, &told, &reported);
    }
    printf("flip: %u told of a zone, %u of the store\n", told, reported);
}

static void try_cut(struct trial *trial, struct base *base)
{
    struct world *world = &trial->world;
    unsigned told = 0;
    unsigned reported = 0;
    for (unsigned point = 0; point < CUTS; point++) {
        if (!wanted(trial, "cut", point)) {
            continue;
        }
        begin(trial, "cut", point);
        (void)world_random(world, 2);
        struct file *file = &base->files.files[point % base->files.count];
        size_t whole = file->size;
        file->size = world_random(world, 4) == 0 ? world_random(world, 9000)
                                                 : world_random(world, (uint32_t)whole);
        file->size = file->size < whole ? file->size : whole - 1;
        write_files(world->directory, &base->files);
        if (getenv("CRASH_VERBOSE") != NULL) {
            fprintf(stderr, "cut %u: %s to %zu of %zu\n", point, file->path, file->size, whole);
        }
        file->size = whole;
        check_with_damage(trial, base, &told, &reported);
    }
    printf("cut: %u told of a zone, %u of the store\n", told, reported);
}

/* --- A full file system. --- */

struct filling {
    struct world *world;
    char path[320];
    unsigned kilobytes; /* room that is left */
};

static void fill(const char *path, unsigned leave_kilobytes)
{
    static const uint8_t block[4096];
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    off_t size = 0;
    while (write(fd, block, sizeof(block)) == (ssize_t)sizeof(block)) {
        size += (off_t)sizeof(block);
    }
    off_t left = size - (off_t)leave_kilobytes * 1024;
    if (ftruncate(fd, left > 0 ? left : 0) != 0) {
        abort();
    }
    close(fd);
}

/* The first half on a full disk, the second when there is room again, in the same process. */
static void load_full(void *context)
{
    const struct filling *filling = context;
    struct world *world = filling->world;
    /* A store that was there before: its lock needs a little room the first time. */
    world_open(world);
    world_close(world);
    fill(filling->path, filling->kilobytes);
    world_open(world);
    for (unsigned round = 0; round < 2 * ROUNDS; round++) {
        world_round(world, false);
    }
    unlink(filling->path);
    world_round(world, true);
    fill(filling->path, filling->kilobytes / 2);
    world_round(world, false);
    world_close(world);
    world_open(world);
    unlink(filling->path);
    world_round(world, true);
    world_close(world);
}

static void try_full(struct trial *trial)
{
    enum { STEP_KILOBYTES = 96, MOST_KILOBYTES = 1000 };
    struct world *world = &trial->world;
    const char *outside = world->directory;
    struct filling filling = {.world = world};
    char inside[300];
    snprintf(inside, sizeof(inside), "%s/full", outside);
    if (mkdir(inside, 0700) != 0 || mount("tmpfs", inside, "tmpfs", 0, "size=6m") != 0) {
        printf("full: no file system can be mounted here, left out\n");
        rmdir(inside);
        return;
    }
    world->directory = inside;
    snprintf(filling.path, sizeof(filling.path), "%s/.filling", inside);
    unsigned point = 0;
    for (unsigned left = 0; left < MOST_KILOBYTES; left += STEP_KILOBYTES, point++) {
        if (!wanted(trial, "full", point)) {
            continue;
        }
        unlink(filling.path);
        forget(trial);
        begin(trial, "full", point);
        filling.kilobytes = left;
        expect(trial, run_apart(load_full, &filling), 0);
        unlink(filling.path);
        begin(trial, "full", point);
        expect(trial, run_apart(check, world), 0);
    }
    world->directory = outside;
    umount2(inside, MNT_DETACH);
    rmdir(inside);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    /* In memory where that can be had: a process that ends loses nothing there either, and a sync
     * costs nothing. */
    char in_memory[] = "/dev/shm/lockstep-crash-XXXXXX";
    char on_disk[] = "/tmp/lockstep-crash-XXXXXX";
    char *path = mkdtemp(in_memory) != NULL ? in_memory : mkdtemp(on_disk);
    struct trial trial = {.only = argc > 2 ? argv[2] : NULL,
                          .only_point = argc > 3 ? strtol(argv[3], NULL, 10) : -1};
    struct base base;
    struct promises *promises =
        mmap(NULL, sizeof(*promises), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (promises == MAP_FAILED || path == NULL) {
        perror("crash");
        return 1;
    }
    world_init(&trial.world, path, argc > 1 ? strtoull(argv[1], NULL, 10) : 1, promises);
    double start = seconds();
    try_kill(&trial);
    printf("kill: %.1f s\n", seconds() - start);
    try_refuse(&trial);
    printf("refuse: %.1f s\n", seconds() - start);
    forget(&trial);
    try_full(&trial);
    printf("full: %.1f s\n", seconds() - start);
    make_base(&trial, &base);
    try_flip(&trial, &base);
    try_cut(&trial, &base);
    free_files(&base.files);
    empty_directory(path);
    rmdir(path);
    printf("crash: %u trials, %u failed, %.1f s\n", trial.trials, trial.failed, seconds() - start);
    return trial.failed != 0;
}
