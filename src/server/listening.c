/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is open is kept as a list of addresses; following is making that list equal to the one of
 * the settings. The main thread opens the sockets, since it alone kept the right to bind low
 * ports, and hands them to the workers' loops.
 *
 * Interfaces: the kernel tells of addresses that come and go (net/interface_watch.h). A new IPv6
 * address cannot be bound while it is tentative, so a look that left something closed is followed
 * by others soon; interface-interval is the look that happens anyhow. The start does not fail for
 * such an address while there is any other.
 */
#include "server/listening.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "hub/server.h"
#include "net/interface_watch.h"
#include "net/port.h"
#include "process/privileges.h"
#include "server/answer_counts.h"
#include "server/query_log.h"
#include "server/stream_worker.h"
#include "server/udp_worker.h"
#include "server/xdp_listening.h"

enum { MAX_WORKERS = 64, SETTLE_MS = 100, AGAIN_MS = 2000 };

struct listening {
    struct server *server;
    struct udp_worker *udp[MAX_WORKERS];
    struct stream_worker *streams[MAX_WORKERS];
    unsigned worker_count;
    struct xdp_listening *xdp;
    struct special_listen *places; /* that are open, the names of their `tls` owned */
    size_t place_count, place_room;
    bool is_watching;
    struct interface_watch *watch;
    struct loop_timer look;
};

static void log_place(struct listening *listening, enum log_level level, const char *event,
                      const char *what, const struct special_listen *place, const char *why)
{
    static const char *const proxies[] = {"no", "plain", "encrypted"};
    char text[ADDRESS_TEXT_SIZE], phrase[600];
    const char *tls = place->tls;
    snprintf(phrase, sizeof(phrase), "%s IPv%u%s interface, %s%s%s", what, place->address.family,
             tls == NULL ? "" : " TLS", address_format(&place->address, true, text),
             why == NULL ? "" : ": ", why == NULL ? "" : why);
    LOG_EVENT(listening->server->logging, level, LOG_NETWORK, event, phrase,
              LOG_KEY("transport", tls == NULL ? "udp,tcp" : "tls"),
              LOG_KEY("tls", tls == NULL ? "none" : tls), LOG_KEY("proxy", proxies[place->proxy]));
}

static void close_place(struct listening *listening, const struct address *address)
{
    for (unsigned i = 0; i < listening->worker_count; i++) {
        udp_worker_close(listening->udp[i], address);
        stream_worker_close(listening->streams[i], address);
    }
}

static enum result open_place(struct listening *listening, const struct settings *settings,
                              const struct special_listen *place, struct error *err)
{
    const struct address *address = &place->address;
    /* At the start, before privileges are dropped, nothing is to be taken up. */
    if (listening->is_watching) {
        privileges_bind(true);
    }
    enum result result = port_check_free(address, err);
    for (unsigned i = 0; i < listening->worker_count && result == OK; i++) {
        if (place->tls == NULL) {
            result = udp_worker_open(listening->udp[i], settings, address,
                                     place->proxy != CONF_PROXY_NO, err);
        }
        if (result == OK) {
            result = stream_worker_open(listening->streams[i], settings, place, err);
        }
    }
    if (listening->is_watching) {
        privileges_bind(false);
    }
    if (result != OK) {
        close_place(listening, address);
        return result;
    }
    if (listening->place_count == listening->place_room) {
        listening->place_room = listening->place_room == 0 ? 8 : listening->place_room * 2;
        listening->places =
            memory_resize(listening->places, listening->place_room * sizeof(listening->places[0]));
    }
    struct special_listen *kept = &listening->places[listening->place_count++];
    *kept = *place;
    kept->tls = place->tls == NULL ? NULL : memory_strdup(place->tls);
    return OK;
}

static bool is_open(const struct listening *listening, const struct special_listen *wanted)
{
    for (size_t i = 0; i < listening->place_count; i++) {
        if (special_listen_is(&listening->places[i], wanted)) {
            return true;
        }
    }
    return false;
}

static size_t wanted_count(const struct own_addresses *own)
{
    return own->listen_count + own->special_count;
}

/* The ordinary ones first. */
static struct special_listen wanted_at(const struct own_addresses *own, size_t i)
{
    return i < own->listen_count ? (struct special_listen){.address = own->listen[i]}
                                 : own->special[i - own->listen_count];
}

static bool is_wanted(const struct own_addresses *own, const struct special_listen *place)
{
    for (size_t i = 0; i < wanted_count(own); i++) {
        struct special_listen wanted = wanted_at(own, i);
        if (special_listen_is(place, &wanted)) {
            return true;
        }
    }
    return false;
}

static void place_deinit(struct special_listen *place)
{
    memory_free((char *)(uintptr_t)place->tls);
}

struct listening *listening_new(struct server *server)
{
    struct listening *listening = memory_new_zeroed(1, sizeof(*listening));
    listening->server = server;
    return listening;
}

enum result listening_open(struct listening *listening, const struct settings *settings,
                           struct error *err)
{
    struct server *server = listening->server;
    const struct own_addresses *own = settings_own(settings);
    if (wanted_count(own) == 0) {
        return error_set(err, ERR_NOT_FOUND, "no address to listen on: see listen-on in %s",
                         server->options.config_path);
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned count = server->options.threads != 0 ? server->options.threads
                     : cores > 0                  ? (unsigned)cores
                                                  : 1;
    count = count < MAX_WORKERS ? count : MAX_WORKERS;
    server->answer_counts = answer_counts_new(2 * count);
    server->query_log = query_log_new(server->logging, 2 * count);
    enum result result = OK;
    for (; listening->worker_count < count && result == OK; listening->worker_count++) {
        unsigned i = listening->worker_count;
        result = udp_worker_new(server, settings, i, &listening->udp[i], err);
        if (result == OK) {
            result = stream_worker_new(server, count + i, &listening->streams[i], err);
        }
    }
    server->worker_count = listening->worker_count;
    for (unsigned i = 0; i < listening->worker_count && result == OK; i++) {
        stream_worker_set_next(listening->streams[i],
                               listening->streams[(i + 1) % listening->worker_count]);
    }
    struct error absent = {0};
    for (size_t i = 0; i < wanted_count(own) && result == OK; i++) {
        struct special_listen wanted = wanted_at(own, i);
        struct error why = {0};
        enum result opened = open_place(listening, settings, &wanted, &why);
        if (opened != OK && why.os_errno == EADDRNOTAVAIL) {
            absent = why; /* the looks to come will find it */
        } else if (opened != OK) {
            *err = why;
            result = opened;
        }
    }
    if (result == OK && listening->place_count == 0) {
        *err = absent;
        result = absent.code;
    }
    if (result == OK) {
        listening->xdp = xdp_listening_new(server, own, listening->udp, listening->worker_count);
    }
    return result;
}

/* ---- while it runs ---- */

/* False: something stays closed. */
static bool open_wanted(struct listening *listening, const struct settings *settings,
                        const struct special_listen *wanted)
{
    struct error err = {0};
    if (is_open(listening, wanted)) {
        return true;
    }
    if (open_place(listening, settings, wanted, &err) != OK) {
        log_place(listening, LOG_ERROR, "listen_failed", "cannot listen on", wanted, err.text);
        return false;
    }
    log_place(listening, LOG_INFO, "listening", "listening on", wanted, NULL);
    return true;
}

/* Addresses often change several at a time. */
static void look_soon(void *context)
{
    struct listening *listening = context;
    loop_timer_set(listening->server->main_loop, &listening->look,
                   instant_add_ms(clock_now(), SETTLE_MS));
}

void listening_follow(struct listening *listening, const struct settings *settings)
{
    const struct own_addresses *own = settings_own(settings);
    bool is_closing = false;
    for (size_t i = listening->place_count; i-- > 0;) {
        struct special_listen place = listening->places[i];
        if (!is_wanted(own, &place)) {
            log_place(listening, LOG_INFO, "listening_ended", "no longer listening on", &place,
                      NULL);
            close_place(listening, &place.address);
            is_closing = true;
            place_deinit(&place);
            listening->places[i] = listening->places[--listening->place_count];
        }
    }
    /* The workers close theirs in a moment; the same address may be wanted in another way. */
    if (is_closing) {
        look_soon(listening);
        return;
    }
    bool all = true;
    for (size_t i = 0; i < wanted_count(own); i++) {
        struct special_listen wanted = wanted_at(own, i);
        all = open_wanted(listening, settings, &wanted) && all;
    }
    uint32_t every_s = settings->interface_interval_s;
    int64_t wait_ms = !all ? AGAIN_MS : (int64_t)every_s * 1000;
    loop_timer_set(listening->server->main_loop, &listening->look,
                   wait_ms == 0 ? INSTANT_NEVER : instant_add_ms(clock_now(), wait_ms));
}

static void look_due(void *context)
{
    struct listening *listening = context;
    struct settings *settings = server_settings(listening->server);
    struct error err = {0};
    (void)settings_look_again(settings, &err);
    if (err.code != OK) {
        LOG_EVENT_LIMITED(listening->server->logging, LOG_ERROR, LOG_NETWORK, "interfaces_failed",
                          err.text, LOG_KEY("action", "listening where it did"));
    }
    listening_follow(listening, settings);
    settings_unref(settings);
}

enum result listening_start(struct listening *listening, struct error *err)
{
    struct server *server = listening->server;
    for (unsigned i = 0; i < listening->worker_count; i++) {
        enum result result = udp_worker_start(listening->udp[i], err);
        if (result == OK) {
            result = stream_worker_start(listening->streams[i], err);
        }
        if (result != OK) {
            return result;
        }
    }
    loop_timer_init(&listening->look, look_due, listening);
    listening->is_watching = true;
    enum result result =
        interface_watch_new(server->main_loop, look_soon, listening, &listening->watch, err);
    if (result == OK) {
        for (size_t i = 0; i < listening->place_count; i++) {
            log_place(listening, LOG_INFO, "listening", "listening on", &listening->places[i],
                      NULL);
        }
        struct settings *settings = server_settings(server);
        listening_follow(listening, settings);
        settings_unref(settings);
    }
    return result;
}

void listening_free(struct listening *listening)
{
    if (listening == NULL) {
        return;
    }
    interface_watch_free(listening->watch);
    if (listening->is_watching) {
        loop_timer_stop(listening->server->main_loop, &listening->look);
    }
    for (unsigned i = 0; i < MAX_WORKERS; i++) {
        stream_worker_stop(listening->streams[i]);
    }
    for (unsigned i = 0; i < MAX_WORKERS; i++) {
        udp_worker_free(listening->udp[i]);
        stream_worker_free(listening->streams[i]);
    }
    xdp_listening_free(listening->xdp);
    for (size_t i = 0; i < listening->place_count; i++) {
        place_deinit(&listening->places[i]);
    }
    memory_free(listening->places);
    memory_free(listening);
}
