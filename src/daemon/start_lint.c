/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A few lines and no more: a configuration of ten thousand zones made by a program has the same
 * mistake ten thousand times, and who wants them all runs the command.
 */
#include "daemon/start_lint.h"

#include <stdio.h>

#include "hub/server.h"
#include "settings/zone_lint.h"
#include "zones/zones.h"

enum { TOLD = 30, MOST_ZONES = 10000 };

struct telling {
    struct server *server;
    unsigned count;
};

static void tell(void *context, const struct conf_finding *finding)
{
    struct telling *telling = context;
    char phrase[1400];
    if (telling->count++ >= TOLD) {
        return;
    }
    snprintf(phrase, sizeof(phrase), "%s:%u: %s",
             finding->where.file == NULL ? "" : finding->where.file, finding->where.line,
             finding->text);
    LOG_EVENT(telling->server->logging, LOG_NOTICE, LOG_CONFIG, "config_lint", phrase,
              LOG_NUM("column", finding->where.column));
}

static void tell_rest(const struct telling *telling)
{
    if (telling->count > TOLD) {
        LOG_EVENT(telling->server->logging, LOG_NOTICE, LOG_CONFIG, "config_lint",
                  "there is more to say of the configuration: lockstep check-conf --lint",
                  LOG_NUM("not_told", telling->count - TOLD));
    }
}

void start_lint_configuration(struct server *server, const struct conf *conf)
{
    struct telling telling = {.server = server};
    conf_lint(conf, tell, &telling);
    tell_rest(&telling);
}

static bool lint_zone(void *context, struct zone *zone)
{
    struct telling *telling = context;
    struct server_zone *own = zone->context;
    struct zone_version *version = zone_acquire(zone);
    if (version != NULL) {
        const struct zone_settings *settings =
            atomic_load_explicit(&own->settings, memory_order_acquire);
        const struct conf_zone *conf = conf_zone_find(settings->settings->conf, zone->name);
        if (conf != NULL) {
            zone_lint(settings, conf, version, tell, telling);
        }
    }
    zone_version_unref(version);
    return telling->count < TOLD;
}

void start_lint_zones(struct server *server)
{
    struct telling telling = {.server = server};
    struct zone_set *zones = atomic_load_explicit(&server->zone_set, memory_order_acquire);
    if (zone_set_count(zones) <= MOST_ZONES) {
        zone_set_each(zones, lint_zone, &telling);
        tell_rest(&telling);
    }
}
