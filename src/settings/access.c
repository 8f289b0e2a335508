/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decisions by address match list. NOTIFY is taken from the zone's primaries without being asked
 * for, as RFC 1996 3.10 wants, and from allow-notify; everything else is what its list says.
 */
#include "settings/access.h"

#include <stdio.h>

bool access_allowed(const struct zone_settings *zone, enum access_kind kind,
                    const struct access_subject *subject, char *rule, size_t rule_size)
{
    static const enum conf_id ids[] = {CONF_ALLOW_QUERY, CONF_ALLOW_TRANSFER, CONF_ALLOW_NOTIFY,
                                       CONF_ALLOW_UPDATE, CONF_ALLOW_UPDATE_FORWARDING};
    static const enum acl_transport transports[] = {ACL_UDP, ACL_TCP, ACL_TLS};
    const struct settings *settings = zone->settings;
    if (kind == ACCESS_NOTIFY) {
        for (size_t i = 0; i < zone->primary_count; i++) {
            if (address_same_host(&zone->primaries[i].address, subject->peer)) {
                if (rule != NULL) {
                    snprintf(rule, rule_size, "a primary of the zone");
                }
                return true;
            }
        }
    }
    struct acl_subject who = {
        .peer = subject->peer,
        .key = subject->key,
        .transport = transports[subject->transport],
        .tls_names = subject->tls_names,
        .local_port = subject->local_port,
    };
    own_addresses_describe(settings_own(settings), &who);
    const struct acl *acl =
        kind == ACCESS_QUERY ? zone->allow_query : conf_acl(settings->conf, zone->conf, ids[kind]);
    struct acl_verdict verdict = {0};
    if (acl != NULL) {
        verdict = acl_match(acl, &who);
    } else {
        verdict.allowed = kind == ACCESS_QUERY;
    }
    if (rule != NULL) {
        char found[256];
        snprintf(rule, rule_size, "%s: %s", conf_id_name(ids[kind]),
                 acl == NULL ? "not set" : acl_verdict_format(&verdict, found, sizeof(found)));
    }
    return verdict.allowed;
}

bool access_allowed_on(const struct zone_settings *zone, const struct address *local)
{
    const struct settings *settings = zone->settings;
    struct acl_subject who = {
        .peer = local,
        .local_port = local->port,
    };
    own_addresses_describe(settings_own(settings), &who);
    return acl_match(zone->allow_query_on, &who).allowed;
}
