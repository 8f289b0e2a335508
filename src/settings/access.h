/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may do what with a zone, and which rule said so. Pure: settings in, verdict out. */
#ifndef SETTINGS_ACCESS_H
#define SETTINGS_ACCESS_H

#include "settings/settings.h"

enum access_kind { ACCESS_QUERY, ACCESS_TRANSFER, ACCESS_NOTIFY, ACCESS_UPDATE, ACCESS_FORWARD };

struct access_subject {
    const struct address *peer;
    const uint8_t *key; /* of a verified TSIG, or NULL */
    enum answer_transport transport;
    struct slice tls_names; /* of the client's verified certificate; net/tls.h */
    uint16_t local_port;
};

/*
 * rule  what decided, for the log ("`192.0.2.0/24` at named.conf:12"); room for `rule_size`; NULL
 *       where nobody wants to know.
 * Any thread that holds the settings. O(elements).
 */
bool access_allowed(const struct zone_settings *zone, enum access_kind kind,
                    const struct access_subject *subject, char *rule, size_t rule_size);

/* allow-query-on: may the zone be answered on this address of ours? It is set. */
bool access_allowed_on(const struct zone_settings *zone, const struct address *local);

#endif
