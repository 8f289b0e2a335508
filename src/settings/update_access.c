/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * allow-update is an address match list like any other. update-policy is rules by key, name and
 * type: most clients can be turned away without reading the message, because no rule is about
 * anybody like them.
 *
 * `update-policy local` is one rule, for the session key, from this machine's own addresses.
 *
 * Rules about a client's own address (tcp-self, 6to4-self) count over TCP only, where an address
 * cannot be made up.
 */
#include "settings/update_access.h"

#include <stdio.h>

#include "base/memory.h"

static enum policy_match match_of(enum conf_update_match match)
{
    static const enum policy_match matches[] = {
        [CONF_UPDATE_NAME] = POLICY_NAME,           [CONF_UPDATE_SUBDOMAIN] = POLICY_SUBDOMAIN,
        [CONF_UPDATE_ZONESUB] = POLICY_ZONESUB,     [CONF_UPDATE_WILDCARD] = POLICY_WILDCARD,
        [CONF_UPDATE_SELF] = POLICY_SELF,           [CONF_UPDATE_SELFSUB] = POLICY_SELFSUB,
        [CONF_UPDATE_SELFWILD] = POLICY_SELFWILD,   [CONF_UPDATE_TCP_SELF] = POLICY_TCP_SELF,
        [CONF_UPDATE_6TO4_SELF] = POLICY_6TO4_SELF,
    };
    return matches[match];
}

/* What BIND writes as `grant local-ddns zonesub ANY;`. */
static struct update_policy *local_policy(const uint8_t *session_key)
{
    static const uint16_t any = TYPE_ANY;
    struct update_policy *policy = memory_new(sizeof(*policy) + sizeof(struct policy_rule));
    struct policy_rule *rule = (struct policy_rule *)(policy + 1);
    *rule = (struct policy_rule){.grants = true,
                                 .match = POLICY_ZONESUB,
                                 .identity = session_key,
                                 .types = &any,
                                 .type_count = 1};
    *policy = (struct update_policy){.rules = rule, .rule_count = session_key != NULL};
    return policy;
}

struct update_policy *update_policy_new(const struct conf *conf, const struct conf_zone *zone,
                                        const uint8_t *session_key)
{
    const struct conf_update_policy *from = conf_update_policy(conf, zone);
    if (from == NULL) {
        return NULL;
    }
    if (from->local) {
        return local_policy(session_key);
    }
    size_t type_count = 0;
    for (uint32_t i = 0; i < from->rule_count; i++) {
        type_count += from->rules[i].type_count;
    }
    /* One block: the policy, its rules, their types and bounds. */
    struct update_policy *policy =
        memory_new(sizeof(*policy) + from->rule_count * sizeof(struct policy_rule) +
                   2 * type_count * sizeof(uint16_t));
    struct policy_rule *rules = (struct policy_rule *)(policy + 1);
    uint16_t *types = (uint16_t *)(rules + from->rule_count), *bounds = types + type_count;
    for (uint32_t i = 0; i < from->rule_count; i++) {
        const struct conf_update_rule *rule = &from->rules[i];
        rules[i] = (struct policy_rule){.grants = rule->grant,
                                        .match = match_of(rule->match),
                                        .identity = rule->identity_name,
                                        .name = rule->name,
                                        .types = types,
                                        .type_count = rule->type_count,
                                        .bounds = bounds};
        for (uint32_t t = 0; t < rule->type_count; t++) {
            *types++ = rule->types[t].type;
            *bounds++ = (uint16_t)rule->types[t].max;
        }
    }
    *policy = (struct update_policy){.rules = rules, .rule_count = from->rule_count};
    return policy;
}

void update_policy_free(struct update_policy *policy)
{
    memory_free(policy);
}

static bool has_rule_for(const struct update_policy *policy, const struct access_subject *subject)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        enum policy_match match = policy->rules[i].match;
        bool by_address = match == POLICY_TCP_SELF || match == POLICY_6TO4_SELF;
        if (policy->rules[i].grants &&
            (by_address ? subject->transport != ANSWER_UDP : subject->key != NULL)) {
            return true;
        }
    }
    return false;
}

static bool is_own_address(const struct settings *settings, const struct address *peer)
{
    const struct own_addresses *own = settings_own(settings);
    bool is_own = peer->family == 4 && peer->bytes[0] == 127;
    for (size_t i = 0; i < own->local_count && !is_own; i++) {
        is_own = address_same_host(&own->local[i], peer);
    }
    return is_own;
}

bool update_access_allowed(const struct zone_settings *zone, const struct access_subject *subject,
                           char *rule, size_t rule_size)
{
    if (zone->update_policy == NULL) {
        return access_allowed(zone, ACCESS_UPDATE, subject, rule, rule_size);
    }
    bool is_local = conf_update_policy(zone->settings->conf, zone->conf)->local;
    bool is_near = !is_local || is_own_address(zone->settings, subject->peer);
    bool allowed = is_near && has_rule_for(zone->update_policy, subject);
    if (rule != NULL) {
        snprintf(rule, rule_size, "update-policy: %s",
                 allowed    ? "by record"
                 : !is_near ? "local: only from an address of this machine"
                 : is_local && zone->settings->session_key == NULL
                     ? "local: there is no session key (session-keyfile none)"
                 : subject->key == NULL ? "no rule is about requests without a key"
                                        : "no rule grants anything");
    }
    return allowed;
}

static void reverse_nibbles(const uint8_t *bytes, size_t count, struct name *out)
{
    char text[160];
    size_t at = 0;
    for (size_t i = count; i-- > 0;) {
        at +=
            (size_t)snprintf(text + at, sizeof(text) - at, "%x.%x.", bytes[i] & 15, bytes[i] >> 4);
    }
    snprintf(text + at, sizeof(text) - at, "ip6.arpa.");
    REQUIRE(name_parse_str(text, out, NULL) == OK);
}

void update_client_init(struct update_client *client, const struct access_subject *subject)
{
    client->client = (struct policy_client){.signer = subject->key};
    if (subject->transport == ANSWER_UDP) {
        return;
    }
    const uint8_t *bytes = subject->peer->bytes;
    uint8_t prefix[6] = {0x20, 0x02};
    if (subject->peer->family == 4) {
        char text[64];
        snprintf(text, sizeof(text), "%u.%u.%u.%u.in-addr.arpa.", bytes[3], bytes[2], bytes[1],
                 bytes[0]);
        REQUIRE(name_parse_str(text, &client->reverse, NULL) == OK);
        memcpy(prefix + 2, bytes, 4);
    } else {
        reverse_nibbles(bytes, 16, &client->reverse);
        memcpy(prefix + 2, bytes + 2, 4);
        if (memcmp(bytes, prefix, 2) != 0) {
            client->client.reverse = client->reverse.wire;
            return;
        }
    }
    reverse_nibbles(prefix, sizeof(prefix), &client->six_to_four);
    client->client.reverse = client->reverse.wire;
    client->client.six_to_four = client->six_to_four.wire;
}
