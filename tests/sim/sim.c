/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Do all copies end equal, whatever the network and the machines go through?
 *
 *   node 0  primary; publishes versions at random times
 *   node 1  secondary of 0
 *   node 2  second-level secondary of 1
 *   node 3  secondary of 1 and 0
 *
 * For ten minutes of virtual time datagrams are lost, doubled, delayed and reordered, connections
 * are refused, cut and stalled, and nodes crash and come back. All along, a copy at some serial
 * must equal what the primary had at that serial, and no serial may go back. Then the faults end,
 * and within half an hour all four must be equal.
 *
 *   test_sim              a few hundred seeds; a seed that fails is printed
 *   test_sim SEED         that seed alone, with a line for each thing that happens
 *   test_sim FIRST COUNT  seeds from FIRST on
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "sim/node.h"
#include "unit/xfr/zone_text.h"

enum { NODES = 4, VERSIONS = 96, SEEDS = 300, FAULTS_S = 600, HEAL_S = 1800 };

struct world {
    struct network network;
    struct node nodes[NODES];
    struct name zone;
    struct zone_version *history[VERSIONS]; /* what the primary published, oldest first */
    size_t history_count;
    uint32_t refresh_s;
    uint32_t expire_s;
    uint64_t hosts; /* a bit for each of 64 host names that exist */
    uint32_t addresses[64];
    struct serial last_serial[NODES];
    bool jumped;
    bool failed;
};

static void fail(struct world *world, unsigned node, const char *text)
{
    world->failed = true;
    printf("%10.4f  node %u: %s\n", (double)world->network.now.ns / 1e9, node, text);
}

static void published(void *context, unsigned index, struct zone_version *version)
{
    struct world *world = context;
    struct serial serial = zone_version_serial(version);
    bool has_last = world->last_serial[index].value != 0;
    if (has_last && !serial_before(world->last_serial[index], serial) &&
        world->nodes[index].expired_count == 0) {
        fail(world, index, "the serial went back");
    }
    world->last_serial[index] = serial;
    for (size_t i = 0; index != 0 && i < world->history_count; i++) {
        if (serial_equal(zone_version_serial(world->history[i]), serial)) {
            if (!versions_equal(world->history[i], version)) {
                fail(world, index, "its copy is not what the primary had at that serial");
            }
            return;
        }
    }
    if (index != 0) {
        fail(world, index, "published a serial that never was");
    }
}

/* The next version of the primary: a few hosts come, go, or change. */
static void change(struct world *world, struct serial serial)
{
    struct node *primary = &world->nodes[0];
    struct network *network = &world->network;
    for (unsigned i = 0, changes = 1 + network_below(network, 5); i < changes; i++) {
        unsigned host = network_below(network, 64);
        world->hosts ^= network_below(network, 3) != 0 ? UINT64_C(1) << host : 0;
        world->addresses[host]++;
    }
    struct text lines;
    text_init(&lines, 0);
    text_printf(&lines,
                "@ 3600 SOA ns hostmaster %u %u %u %u 300\n@ 3600 NS ns\nns 60 A 192.0.2.1\n",
                serial.value, world->refresh_s, world->refresh_s / 4, world->expire_s);
    for (unsigned host = 0; host < 64; host++) {
        if ((world->hosts >> host & 1) != 0) {
            text_printf(&lines, "host%u 300 A 10.0.%u.%u\n", host, host,
                        world->addresses[host] % 250);
        }
    }
    struct builder *builder = builder_new(world->zone.wire, CLASS_IN, NULL, NULL, NULL);
    struct line_record *line = memory_new(sizeof(*line));
    struct error err = {0};
    enum result result = OK;
    for (const char *p = text_str(&lines); *p != '\0' && result == OK;) {
        p = line_read(p, world->zone.wire, CLASS_IN, line);
        result = builder_add(builder, &line->record, NULL, 0, &err);
    }
    struct zone_version *version = NULL;
    struct delta *delta = NULL;
    if (result == OK) {
        result = builder_finish(builder, primary->version, &version, &delta, &err);
    }
    REQUIRE(result == OK);
    builder_free(builder);
    memory_free(line);
    text_deinit(&lines);
    REQUIRE(world->history_count < VERSIONS);
    world->history[world->history_count++] = zone_version_ref(version);
    node_publish(primary, version, delta);
}

static void plan(struct world *world)
{
    struct network *network = &world->network;
    unsigned changes = 1 + network_below(network, 20);
    for (unsigned i = 0; i < changes; i++) {
        /* Often a burst: the next one while the NOTIFY of the last is on its way. */
        int64_t at_ms = network_below(network, FAULTS_S * 1000);
        unsigned burst = network_below(network, 2) * network_below(network, 4);
        for (unsigned n = 0; n <= burst; n++) {
            network_schedule(network, at_ms, EVENT_CHANGE, 0);
            at_ms += network_below(network, 40);
        }
    }
    unsigned crashes = network_below(network, 6);
    for (unsigned i = 0; i < crashes; i++) {
        unsigned node = network_below(network, NODES);
        int64_t at_ms = network_below(network, FAULTS_S * 900);
        int64_t down_ms = 100 + network_below(network, 60000);
        network_schedule(network, at_ms, EVENT_CRASH, node);
        network_schedule(network, at_ms + down_ms, EVENT_RESTART, node);
    }
    if (network_below(network, 4) == 0) {
        /* long enough for a short expire to pass */
        network_schedule(network, 100000, EVENT_CRASH, 0);
        network_schedule(network, 500000, EVENT_RESTART, 0);
    }
}

static void link_nodes(struct world *world)
{
    static const struct {
        unsigned primary;
        unsigned secondary;
    } links[] = {{0, 1}, {1, 2}, {1, 3}, {0, 3}};
    for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
        struct node *primary = &world->nodes[links[i].primary];
        struct node *secondary = &world->nodes[links[i].secondary];
        secondary->primaries[secondary->primary_count++] = links[i].primary;
        primary->targets[primary->target_count++].node = links[i].secondary;
    }
}

static struct serial next_serial(struct world *world)
{
    uint32_t step = 1;
    if (!world->jumped && network_below(&world->network, 16) == 0) {
        /* Also around the end (RFC 1982). Once: two jumps would be a step back to a secondary that
         * missed what was between them. */
        world->jumped = true;
        step += network_below(&world->network, 0x7fff0000);
    }
    uint32_t value = world->last_serial[0].value + step;
    return (struct serial){value == 0 ? 1 : value};
}

static void handle(struct world *world, const struct event *event)
{
    struct node *node = &world->nodes[event->to];
    switch (event->kind) {
    case EVENT_CHANGE:
        if (node->up) {
            change(world, next_serial(world));
        }
        break;
    case EVENT_CRASH:
        if (node->up) {
            node_crash(node);
        }
        break;
    case EVENT_RESTART:
        if (!node->up) {
            node_start(node);
        }
        break;
    case EVENT_DATAGRAM:
    case EVENT_TCP_REQUEST:
    case EVENT_TCP_REPLY:
    case EVENT_TCP_CLOSED:
        node_event(node, event);
        break;
    }
}

static struct instant next_instant(const struct world *world)
{
    struct instant at = network_next(&world->network);
    for (unsigned i = 0; i < NODES; i++) {
        at = instant_min(at, node_deadline(&world->nodes[i]));
    }
    return at;
}

static void run_until(struct world *world, int64_t end_s)
{
    struct network *network = &world->network;
    struct instant end = {end_s * 1000000000};
    uint64_t turns = 0;
    while (!world->failed) {
        struct instant at = next_instant(world);
        if (!instant_before(at, end)) {
            break;
        }
        if (network->now.ns < at.ns) {
            network->now = at;
        }
        if (network_next(network).ns <= network->now.ns) {
            struct event event = network_take(network);
            handle(world, &event);
            memory_free(event.bytes);
        }
        for (unsigned i = 0; i < NODES; i++) {
            node_step(&world->nodes[i]);
        }
        if (++turns > 2000000) {
            fail(world, 0, "it never comes to rest");
        }
    }
    network->now = end;
}

static void compare(struct world *world)
{
    struct zone_version *truth = world->nodes[0].version;
    for (unsigned i = 1; i < NODES && !world->failed; i++) {
        struct node *node = &world->nodes[i];
        if (node->version == NULL || !node->serving) {
            fail(world, i, "has no copy to serve");
        } else if (!serial_equal(zone_version_serial(node->version), zone_version_serial(truth))) {
            fail(world, i, "is not at the primary's serial");
            printf("            %u, the primary is at %u; last error: %s\n",
                   zone_version_serial(node->version).value, zone_version_serial(truth).value,
                   refresh_status(node->refresh).last_error);
        } else if (!versions_equal(node->version, truth)) {
            fail(world, i, "differs from the primary");
        }
    }
}

struct totals {
    uint64_t axfr;
    uint64_t ixfr;
    uint64_t expired;
    uint64_t lost;
    uint64_t doubled;
    uint64_t cut;
};

static bool run_seed(uint64_t seed, bool trace, struct totals *totals)
{
    struct world *world = memory_new_zeroed(1, sizeof(*world));
    network_init(&world->network, seed, trace);
    world->zone = name_of("example.com");
    /* With the long one, polling is no help: NOTIFY and its retries have to do it. */
    world->refresh_s = network_below(&world->network, 2) == 0 ? 120 : 200000;
    world->expire_s = network_below(&world->network, 3) == 0 ? 200 : 1000000;
    for (unsigned i = 0; i < NODES; i++) {
        node_init(&world->nodes[i], i, &world->network, world->zone.wire, i == 0,
                  seed * 1000 + i * 100, published, world);
    }
    link_nodes(world);
    plan(world);
    world->nodes[0].up = true;
    change(world, (struct serial){1 + (uint32_t)network_draw(&world->network) / 2 * 2});
    for (unsigned i = 0; i < NODES; i++) {
        node_start(&world->nodes[i]);
    }
    run_until(world, FAULTS_S);
    world->network.faulty = false;
    for (unsigned i = 0; i < NODES; i++) {
        if (!world->nodes[i].up) {
            node_start(&world->nodes[i]);
        }
    }
    run_until(world, FAULTS_S + HEAL_S);
    compare(world);
    /* And with all in order, a change is everywhere within a second: NOTIFY, not the timers. */
    change(world, next_serial(world));
    run_until(world, FAULTS_S + HEAL_S + 1);
    compare(world);
    bool good = !world->failed;
    totals->lost += world->network.lost;
    totals->doubled += world->network.doubled;
    totals->cut += world->network.cut;
    for (unsigned i = 0; i < NODES; i++) {
        totals->axfr += world->nodes[i].axfr_count;
        totals->ixfr += world->nodes[i].ixfr_count;
        totals->expired += world->nodes[i].expired_count;
        node_deinit(&world->nodes[i]);
    }
    for (size_t i = 0; i < world->history_count; i++) {
        zone_version_unref(world->history[i]);
    }
    network_deinit(&world->network);
    memory_free(world);
    return good;
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : argc > 1 ? 1 : SEEDS;
    struct totals totals = {0};
    for (uint64_t seed = first; seed < first + count; seed++) {
        if (!run_seed(seed, argc == 2, &totals)) {
            printf("seed %" PRIu64 " failed; replay: %s %" PRIu64 "\n", seed, argv[0], seed);
            return EXIT_FAILURE;
        }
    }
    printf(
        "%" PRIu64 " seeds: all copies equal; %" PRIu64 " AXFR, %" PRIu64 " IXFR, %" PRIu64
        " expiries; %" PRIu64 " datagrams lost, %" PRIu64 " doubled, %" PRIu64 " connections cut\n",
        count, totals.axfr, totals.ixfr, totals.expired, totals.lost, totals.doubled, totals.cut);
    return EXIT_SUCCESS;
}
