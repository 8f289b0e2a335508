/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An interface gets one program for all of its addresses, and each of its queues a port; the queues
 * are dealt out to the workers in turn. Addresses of loopback interfaces, as those of anycast often
 * are, come in by all the others. Sockets of the same addresses are open beside: TCP, what
 * the program does not take, and queues that could not be had go there.
 *
 * Done once, at start: later there is no right to. Addresses that come with a reload or on an
 * interface are served by their sockets until the next start.
 */
#include "server/xdp_listening.h"

#include <dirent.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "hub/server.h"
#include "net/interfaces.h"
#include "server/udp_worker.h"
#if LOCKSTEP_XDP
#include "net/xdp.h"
#endif

struct xdp_listening {
    struct xdp_program **programs;
    size_t program_count;
};

static void log_failure(struct server *server, const char *where, const char *why)
{
    char phrase[700];
    snprintf(phrase, sizeof(phrase), "no AF_XDP on %s: %s", where, why);
    LOG_EVENT(server->logging, LOG_WARNING, LOG_NETWORK, "xdp_failed", phrase,
              LOG_KEY("action", "answering by the socket"));
}

#if LOCKSTEP_XDP

/* Queues that take frames in; at least one. */
static unsigned queue_count(const char *interface)
{
    char path[sizeof("/sys/class/net//queues") + IF_NAMESIZE];
    snprintf(path, sizeof(path), "/sys/class/net/%s/queues", interface);
    DIR *folder = opendir(path);
    unsigned count = 0;
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        count += strncmp(entry->d_name, "rx-", 3) == 0;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return count == 0 ? 1 : count;
}

static void open_interface(struct xdp_listening *listening, struct server *server,
                           unsigned interface, const struct address *addresses, size_t count,
                           struct udp_worker *const *workers, unsigned worker_count)
{
    char name[IF_NAMESIZE] = "?";
    struct error err = {0};
    struct xdp_program *program;
    (void)if_indextoname(interface, name);
    if (xdp_program_new(interface, addresses, count, &program, &err) != OK) {
        log_failure(server, name, err.text);
        return;
    }
    listening->programs = memory_resize(listening->programs, (listening->program_count + 1) *
                                                                 sizeof(listening->programs[0]));
    listening->programs[listening->program_count++] = program;
    unsigned opened = 0, queues = queue_count(name);
    for (unsigned queue = 0; queue < queues; queue++) {
        struct xdp_port *port;
        err = (struct error){0};
        if (xdp_open(program, interface, queue, &port, &err) != OK ||
            udp_worker_add_xdp(workers[queue % worker_count], port, &err) != OK) {
            log_failure(server, name, err.text);
            continue;
        }
        opened++;
    }
    char phrase[200];
    snprintf(phrase, sizeof(phrase), "listening on interface %s by AF_XDP", name);
    LOG_EVENT(server->logging, LOG_INFO, LOG_NETWORK, "xdp_listening", phrase,
              LOG_NUM("queues", opened), LOG_NUM("addresses", count),
              LOG_KEY("mode", xdp_program_in_driver(program) ? "driver" : "generic"));
}

/* Where frames with questions to an address come in. */
enum { NOWHERE = 0, ANYWHERE = INT_MAX };

/* An interface, or one of the two above. What is sent on a loopback interface itself is the kernel's:
 * without a route of its own an answer would be thrown away there as forged. */
static unsigned interface_of(const struct interface_address *interfaces, size_t count,
                             const struct address *address)
{
    static const struct prefix host[] = {
        {.address = {.family = 4, .bytes = {127}}, .bits = 8},
        {.address = {.family = 6, .bytes = {[15] = 1}}, .bits = 128},
    };
    if (prefix_contains(&host[0], address) || prefix_contains(&host[1], address)) {
        return NOWHERE;
    }
    for (size_t i = 0; i < count; i++) {
        if (address_same_host(&interfaces[i].address, address)) {
            return interfaces[i].is_loopback ? ANYWHERE : interfaces[i].interface;
        }
    }
    return ANYWHERE;
}

static void open_all(struct xdp_listening *listening, struct server *server,
                     const struct own_addresses *own, struct udp_worker *const *workers,
                     unsigned worker_count)
{
    struct interface_address *interfaces;
    size_t interface_count;
    struct error err = {0};
    if (interfaces_list(&interfaces, &interface_count, &err) != OK) {
        log_failure(server, "any interface", err.text);
        return;
    }
    struct address *mine = memory_new_zeroed(own->xdp_count, sizeof(mine[0]));
    unsigned *of = memory_new_zeroed(own->xdp_count, sizeof(of[0]));
    size_t anywhere = own->xdp_count;
    bool has_interface = false;
    for (size_t i = 0; i < own->xdp_count; i++) {
        of[i] = interface_of(interfaces, interface_count, &own->xdp[i]);
        has_interface = has_interface || (of[i] != NOWHERE && of[i] != ANYWHERE);
        anywhere = of[i] == ANYWHERE ? i : anywhere;
    }
    if (!has_interface && anywhere != own->xdp_count) {
        char text[ADDRESS_TEXT_SIZE];
        log_failure(server, address_format(&own->xdp[anywhere], true, text),
                    "no other than a loopback interface has an address for it");
    }
    for (size_t i = 0; i < own->xdp_count; i++) {
        unsigned interface = of[i];
        size_t count = 0;
        if (interface == NOWHERE || interface == ANYWHERE) {
            continue;
        }
        for (size_t j = 0; j < own->xdp_count; j++) {
            if (of[j] == interface || of[j] == ANYWHERE) {
                mine[count++] = own->xdp[j];
                of[j] = of[j] == ANYWHERE ? ANYWHERE : NOWHERE;
            }
        }
        open_interface(listening, server, interface, mine, count, workers, worker_count);
    }
    memory_free(mine);
    memory_free(of);
    memory_free(interfaces);
}

#endif

struct xdp_listening *xdp_listening_new(struct server *server, const struct own_addresses *own,
                                        struct udp_worker *const *workers, unsigned count)
{
    struct xdp_listening *listening = memory_new_zeroed(1, sizeof(*listening));
    if (own->xdp_count != 0) {
#if LOCKSTEP_XDP
        open_all(listening, server, own, workers, count);
#else
        (void)workers;
        (void)count;
        log_failure(server, "any interface", "this program was built without libxdp and libbpf");
#endif
    }
    return listening;
}

void xdp_listening_free(struct xdp_listening *listening)
{
    if (listening == NULL) {
        return;
    }
#if LOCKSTEP_XDP
    for (size_t i = 0; i < listening->program_count; i++) {
        xdp_program_free(listening->programs[i]);
    }
#endif
    memory_free(listening->programs);
    memory_free(listening);
}
