/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NS set is the list of who answers the world, and with `notify yes` of who is told. So a hidden
 * primary has no place in it, and a host that may transfer the zone, stands neither in it nor in
 * also-notify, and waits for its refresh timer each time, is told of. Where a name server's
 * addresses are in other zones nothing is known of them, and nothing is said.
 */
#include "settings/zone_lint.h"

#include <stdio.h>

#include "wire/name.h"

enum { MOST_ADDRESSES = 64, LEAST_REFRESH_S = 60, MOST_REFRESH_S = 172800 };

struct name_server {
    struct address address;
    const uint8_t *name;
};

struct looking {
    const struct zone_settings *settings;
    const struct conf_zone *zone;
    conf_report *report;
    void *context;
    struct name_server servers[MOST_ADDRESSES]; /* of the NS set, as far as the zone has them */
    size_t server_count;
    bool is_complete; /* it has them all */
};

PRINTF_LIKE(3, 4)
static void note(const struct looking *l, struct conf_where where, const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    struct conf_finding finding = {CONF_NOTICE, where, text};
    l->report(l->context, &finding);
}

static void add_addresses(struct looking *l, const struct zone_version *version,
                          const uint8_t *name, uint16_t type)
{
    struct rrset set;
    struct slice rdata;
    size_t offset = 0;
    const struct owner *owner = zone_version_find(version, name);
    if (owner == NULL || !owner_find_rrset(owner, type, &set)) {
        return;
    }
    while (l->server_count < MOST_ADDRESSES && rrset_next_rdata(&set, &offset, &rdata)) {
        struct name_server *server = &l->servers[l->server_count++];
        *server = (struct name_server){.name = owner_name(owner)};
        server->address.family = type == TYPE_A ? 4 : 6;
        memcpy(server->address.bytes, rdata.data, rdata.size < 16 ? rdata.size : 16);
    }
}

static void find_name_servers(struct looking *l, const struct zone_version *version)
{
    struct rrset set;
    struct slice rdata;
    size_t offset = 0;
    l->is_complete = true;
    if (!owner_find_rrset(zone_version_apex(version), TYPE_NS, &set)) {
        return;
    }
    while (rrset_next_rdata(&set, &offset, &rdata)) {
        size_t before = l->server_count;
        add_addresses(l, version, rdata.data, TYPE_A);
        add_addresses(l, version, rdata.data, TYPE_AAAA);
        l->is_complete = l->is_complete && l->server_count != before;
    }
}

static void look_at_hiding(const struct looking *l)
{
    const struct own_addresses *own = settings_own(l->settings->settings);
    for (size_t i = 0; i < l->server_count; i++) {
        char address[ADDRESS_TEXT_SIZE], name[NAME_TEXT_SIZE];
        if (own_addresses_listen(own, &l->servers[i].address, true)) {
            note(l, l->zone->where,
                 "the hidden primary of zone `%s` stands in its NS set: %s has %s, which this "
                 "server listens on, and it refuses questions; take it out of the NS set, or "
                 "`hidden-primary yes` out of the configuration [hidden-in-ns]",
                 l->zone->name, name_format_log(l->servers[i].name, name),
                 address_format(&l->servers[i].address, false, address));
            return;
        }
    }
}

static bool is_told(const struct looking *l, const struct address *host)
{
    for (size_t i = 0; i < l->settings->notify_count; i++) {
        if (address_same_host(&l->settings->notify[i].address, host)) {
            return true;
        }
    }
    for (size_t i = 0; i < l->server_count; i++) {
        if (address_same_host(&l->servers[i].address, host)) {
            return true;
        }
    }
    return false;
}

static void look_at_peer(void *context, const struct acl_element *element)
{
    const struct looking *l = context;
    const struct address *host = &element->prefix.address;
    bool is_host = (element->kind == ACL_PREFIX || element->kind == ACL_PREFIX_KEY) &&
                   element->prefix.bits == (host->family == 4 ? 32 : 128);
    if (is_host && !is_told(l, host)) {
        note(l, element->where,
             "`%s` may transfer zone `%s`, and is notified neither by `also-notify` nor as one of "
             "its name servers; add its address to `also-notify` [not-notified]",
             element->text, l->zone->name);
    }
}

static void look_at_refresh(const struct looking *l, const struct zone_version *version)
{
    uint32_t refresh_s = zone_version_soa(version).refresh_s;
    if (refresh_s < LEAST_REFRESH_S || refresh_s > MOST_REFRESH_S) {
        note(l, l->zone->where,
             "the SOA refresh of zone `%s` is %u s, expected %u to %u: secondaries that miss a "
             "NOTIFY %s [soa-refresh]",
             l->zone->name, refresh_s, LEAST_REFRESH_S, MOST_REFRESH_S,
             refresh_s < LEAST_REFRESH_S ? "are not helped by asking all the time"
                                         : "serve the old zone for as long");
    }
}

void zone_lint(const struct zone_settings *settings, const struct conf_zone *zone,
               const struct zone_version *version, conf_report *report, void *context)
{
    struct looking l = {.settings = settings, .zone = zone, .report = report, .context = context};
    if (settings->role != ROLE_PRIMARY) {
        return;
    }
    find_name_servers(&l, version);
    if (settings->is_hidden) {
        look_at_hiding(&l);
    }
    bool tells_ns_set =
        settings->notify_mode == NOTIFY_ON || settings->notify_mode == NOTIFY_PRIMARY_ONLY;
    if (tells_ns_set && l.is_complete) {
        acl_each_yes(conf_acl(settings->settings->conf, zone, CONF_ALLOW_TRANSFER), look_at_peer,
                     &l);
    }
    look_at_refresh(&l, version);
}
