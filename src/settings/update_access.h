/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may update a zone: the decision before anything is kept of the message, and the rules and
 * names that the decision by record (edit/policy.h) needs. */
#ifndef SETTINGS_UPDATE_ACCESS_H
#define SETTINGS_UPDATE_ACCESS_H

#include "edit/policy.h"
#include "settings/access.h"

/*
 * The rules of `update-policy` as edit takes them; borrows names from the configuration.
 * session_key  name of the key that `local` means; NULL: there is none, nobody is granted anything.
 * NULL where the zone has no update-policy. With update_policy_free().
 */
struct update_policy *update_policy_new(const struct conf *conf, const struct conf_zone *zone,
                                        const uint8_t *session_key);
void update_policy_free(struct update_policy *policy);

/*
 * May this client update the zone at all? By allow-update, or, with update-policy, whether any rule
 * could be about it. rule: as access_allowed. Any thread that holds the settings.
 */
bool update_access_allowed(const struct zone_settings *zone, const struct access_subject *subject,
                           char *rule, size_t rule_size);

/* A client with the names that stand for its address. */
struct update_client {
    struct policy_client client; /* borrows from what follows, and the signer's name */
    struct name reverse, six_to_four;
};
void update_client_init(struct update_client *client, const struct access_subject *subject);

#endif
