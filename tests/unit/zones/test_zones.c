/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of zones follows its settings, and the follower hears of it: here a list of what it was
 * told, in place of the sync thread. */
#include "zones/zones.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rcu.h"
#include "base/text.h"
#include "hub/loader.h"
#include "hub/server.h"
#include "zones/zone_follower.h"
#include "zones/zone_guard.h"
#include "zones/zone_history.h"

/* What the follower was told, a line each. Several threads tell. */
struct sync {
    pthread_mutex_t lock;
    struct text told;
};

struct scene {
    char directory[64];
    struct sync sync;
    struct server server;
    struct loop_timer begin;
    bool with_files;
    unsigned rounds; /* how often the zones were loaded */
};

static void note(struct sync *sync, const char *word, const struct server_zone *zone,
                 const char *more)
{
    pthread_mutex_lock(&sync->lock);
    text_printf(&sync->told, "%s %s%s\n", word, zone->label, more);
    pthread_mutex_unlock(&sync->lock);
}

static void on_configure(struct sync *sync, struct server_zone *zone, int64_t expires_in_s,
                         int64_t refresh_in_s)
{
    (void)expires_in_s, (void)refresh_in_s;
    note(sync, "configure", zone, "");
}

static void on_configure_all(struct sync *sync, struct server_zone *const *zones, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        note(sync, "configure", zones[i], "");
    }
}

static void on_detach(struct sync *sync, struct server_zone *zone)
{
    note(sync, "detach", zone, "");
}

static void on_published(struct sync *sync, struct server_zone *zone, struct serial serial,
                         bool may_wait)
{
    char more[40];
    snprintf(more, sizeof(more), " %u%s", serial.value, may_wait ? " may wait" : "");
    note(sync, "published", zone, more);
}

static void on_replaced(struct sync *sync, struct server_zone *zone)
{
    note(sync, "replaced", zone, "");
}

static void on_retransfer(struct sync *sync, struct server_zone *zone)
{
    note(sync, "retransfer", zone, "");
}

static const struct zone_follower follower = {
    .configure = on_configure,
    .configure_all = on_configure_all,
    .detach = on_detach,
    .published = on_published,
    .replaced = on_replaced,
    .retransfer = on_retransfer,
};

static void forget_told(struct scene *scene)
{
    pthread_mutex_lock(&scene->sync.lock);
    text_deinit(&scene->sync.told);
    text_init(&scene->sync.told, 0);
    pthread_mutex_unlock(&scene->sync.lock);
}

/* What is told last may come from the ledger's thread, a moment later. */
static void expect_told(struct scene *scene, const char *lines)
{
    char told[1000] = "";
    for (unsigned i = 0; i < 2000 && strlen(told) < strlen(lines); i++) {
        pthread_mutex_lock(&scene->sync.lock);
        snprintf(told, sizeof(told), "%s", text_str(&scene->sync.told));
        pthread_mutex_unlock(&scene->sync.lock);
        usleep(strlen(told) < strlen(lines) ? 10000 : 0);
    }
    assert_string_equal(told, lines);
    forget_told(scene);
}

static void write_zone(const struct scene *scene, const char *file, unsigned serial)
{
    char path[100];
    snprintf(path, sizeof(path), "%s/%s", scene->directory, file);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(out,
            "$TTL 300\n@ SOA ns h %u 3600 600 86400 300\n@ NS ns\nns A 192.0.2.1\n"
            "serial%u A 192.0.2.2\n",
            serial, serial);
    assert_int_equal(fclose(out), 0);
}

/* The settings that `zones` make, not in use yet. */
static struct settings *settings_from(const struct scene *scene, const char *zones)
{
    char text[1000];
    struct error err = {0};
    struct conf *conf;
    struct settings *settings;
    snprintf(text, sizeof(text),
             "options { directory \"%s\"; store-directory \"%s/store\"; notify no; };\n%s",
             scene->directory, scene->directory, zones);
    assert_int_equal(conf_load_text("test", slice_of((const uint8_t *)text, strlen(text)), false,
                                    NULL, NULL, &conf, &err),
                     OK);
    struct settings_input input = {.conf = conf,
                                   .default_port = 53,
                                   .ipv4 = true,
                                   .old = atomic_load(&scene->server.settings)};
    assert_int_equal(settings_new(&input, &settings, &err), OK);
    return settings;
}

static void on_loaded(void *context)
{
    struct scene *scene = context;
    scene->rounds++;
    loop_stop(scene->server.main_loop);
}

static void begin_configure(void *context)
{
    struct scene *scene = context;
    zones_configure(scene->server.zones, scene->with_files, on_loaded, scene);
}

/* Until everything is loaded that is to be. Begun by the loop: between two runs it takes no posts. */
static void configure(struct scene *scene, bool with_files)
{
    struct loop *loop = scene->server.main_loop;
    unsigned before = scene->rounds;
    scene->with_files = with_files;
    loop_timer_init(&scene->begin, begin_configure, scene);
    loop_timer_set(loop, &scene->begin, clock_now());
    loop_run(loop);
    assert_int_equal(scene->rounds, before + 1);
}

static void unref_settings(void *context)
{
    settings_unref(context);
}

static void reload(struct scene *scene, const char *zones)
{
    struct settings *old = atomic_load(&scene->server.settings);
    atomic_store(&scene->server.settings, settings_from(scene, zones));
    configure(scene, true);
    rcu_defer(unref_settings, old);
}

static void start(struct scene *scene, const char *zones)
{
    struct server *server = &scene->server;
    struct error err = {0};
    atomic_store(&server->settings, settings_from(scene, zones));
    assert_int_equal(loop_new(&server->main_loop, &err), OK);
    server->zones = zones_new(server);
    assert_int_equal(zone_history_open(server, atomic_load(&server->settings), &err), OK);
    assert_int_equal(loader_new(1, &server->loader, &err), OK);
    server->sync = &scene->sync;
    server->follower = &follower;
    configure(scene, true);
}

static void stop(struct scene *scene)
{
    struct server *server = &scene->server;
    struct settings *settings = atomic_load(&server->settings);
    zone_guards_stop(server->guards);
    zones_finish(server->zones);
    loader_free(server->loader);
    zones_free(server->zones);
    rcu_drain();
    zone_history_close(server);
    loop_free(server->main_loop);
    rcu_drain();
    settings_unref(settings);
    memset(server, 0, sizeof(*server));
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    strcpy(scene->directory, "/tmp/lockstep-zones-XXXXXX");
    if (scene == NULL || mkdtemp(scene->directory) == NULL) {
        return -1;
    }
    pthread_mutex_init(&scene->sync.lock, NULL);
    text_init(&scene->sync.told, 0);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    char command[100];
    stop(scene);
    text_deinit(&scene->sync.told);
    pthread_mutex_destroy(&scene->sync.lock);
    snprintf(command, sizeof(command), "rm -rf %s", scene->directory);
    free(scene);
    return system(command);
}

static const char primary[] = "zone \"a.example\" { type primary; file \"a\"; };\n";
static const char secondary[] =
    "zone \"b.example\" { type secondary; primaries { 127.0.0.1 port 1; }; };\n";

static struct server_zone *find(const struct scene *scene, const char *name)
{
    struct name wire;
    assert_int_equal(name_parse_str(name, &wire, NULL), OK);
    struct zone *zone = zone_set_get(atomic_load(&scene->server.zone_set), wire.wire, CLASS_IN);
    return zone == NULL ? NULL : zone->context;
}

static void follower_is_told_of_a_primary_and_of_its_first_version(void **state)
{
    struct scene *scene = *state;
    write_zone(scene, "a", 7);
    start(scene, primary);
    expect_told(scene, "configure a.example/IN\npublished a.example/IN 7 may wait\n");
    assert_int_equal(zones_count(scene->server.zones), 1);
}

static void follower_hears_of_a_secondary_when_its_copy_was_looked_for(void **state)
{
    struct scene *scene = *state;
    start(scene, secondary);
    expect_told(scene, "configure b.example/IN\n");
    struct server_zone *zone = find(scene, "b.example.");
    assert_non_null(zone);
    assert_null(zone->sync); /* whoever follows has its own there */
    assert_null(atomic_load(&zone->zone->current));
}

static void changed_file_is_published_at_a_reload(void **state)
{
    struct scene *scene = *state;
    write_zone(scene, "a", 7);
    start(scene, primary);
    forget_told(scene);
    write_zone(scene, "a", 10);
    reload(scene, primary);
    expect_told(scene, "configure a.example/IN\npublished a.example/IN 10\n");
    reload(scene, primary); /* nothing changed */
    expect_told(scene, "configure a.example/IN\n");
}

static void end_waits_for_a_change_on_its_way_to_the_disk(void **state)
{
    struct scene *scene = *state;
    write_zone(scene, "a", 7);
    start(scene, primary);
    forget_told(scene);
    write_zone(scene, "a", 10);
    reload(scene, primary);
    stop(scene); /* the change holds its zone until the ledger has done it */
    forget_told(scene);
    start(scene, primary);
    expect_told(scene, "configure a.example/IN\npublished a.example/IN 10 may wait\n");
}

static void reload_of_the_configuration_alone_reads_no_file(void **state)
{
    struct scene *scene = *state;
    write_zone(scene, "a", 7);
    start(scene, primary);
    forget_told(scene);
    write_zone(scene, "a", 10);
    configure(scene, false);
    expect_told(scene, "configure a.example/IN\n");
}

static void zone_that_left_the_configuration_is_followed_no_more(void **state)
{
    struct scene *scene = *state;
    write_zone(scene, "a", 7);
    start(scene, primary);
    struct server_zone *gone = server_zone_ref(find(scene, "a.example."));
    forget_told(scene);
    reload(scene, secondary);
    expect_told(scene, "detach a.example/IN\nconfigure b.example/IN\n");
    assert_null(find(scene, "a.example."));
    assert_true(atomic_load(&gone->gone));
    server_zone_unref(gone);
}

static void restart_publishes_what_the_store_has(void **state)
{
    struct scene *scene = *state;
    write_zone(scene, "a", 7);
    start(scene, primary);
    stop(scene);
    forget_told(scene);
    start(scene, primary);
    expect_told(scene, "configure a.example/IN\npublished a.example/IN 7 may wait\n");
    assert_true(find(scene, "a.example.")->restored);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(follower_is_told_of_a_primary_and_of_its_first_version),
        TEST(follower_hears_of_a_secondary_when_its_copy_was_looked_for),
        TEST(changed_file_is_published_at_a_reload),
        TEST(end_waits_for_a_change_on_its_way_to_the_disk),
        TEST(reload_of_the_configuration_alone_reads_no_file),
        TEST(zone_that_left_the_configuration_is_followed_no_more),
        TEST(restart_publishes_what_the_store_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
