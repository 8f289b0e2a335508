/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * update-policy. A rule applies where three things fit: the signer the rule's identity, the name
 * the rule's match, the type the rule's list. Rules without types leave out those that carry the
 * zone itself (SOA, NS) or its signatures; NSEC and NSEC3 are never meant by ANY.
 */
#include "edit/policy.h"

/* `wildcard` is "*.base": strictly below base. */
static bool fits_wildcard(const uint8_t *wildcard, const uint8_t *name)
{
    const uint8_t *base = name_skip_labels(wildcard, 1);
    return name_is_subdomain(name, base) && !name_equal(name, base);
}

static bool fits_identity(const uint8_t *identity, const uint8_t *signer)
{
    return name_is_wildcard(identity) ? fits_wildcard(identity, signer)
                                      : name_equal(identity, signer);
}

/* The name that the rule's identity is held against, NULL where the client has none of the kind. */
static const uint8_t *subject_of(const struct policy_rule *rule, const struct policy_client *client)
{
    switch (rule->match) {
    case POLICY_TCP_SELF:
        return client->reverse;
    case POLICY_6TO4_SELF:
        return client->six_to_four;
    case POLICY_NAME:
    case POLICY_SUBDOMAIN:
    case POLICY_ZONESUB:
    case POLICY_WILDCARD:
    case POLICY_SELF:
    case POLICY_SELFSUB:
    case POLICY_SELFWILD:
        break;
    }
    return client->signer;
}

static bool fits_name(const struct policy_rule *rule, const uint8_t *zone, const uint8_t *subject,
                      const uint8_t *name)
{
    switch (rule->match) {
    case POLICY_NAME:
        return rule->name != NULL && name_equal(name, rule->name);
    case POLICY_SUBDOMAIN:
        return rule->name != NULL && name_is_subdomain(name, rule->name);
    case POLICY_ZONESUB:
        return name_is_subdomain(name, zone);
    case POLICY_WILDCARD:
        return rule->name != NULL && name_is_wildcard(rule->name) &&
               fits_wildcard(rule->name, name);
    case POLICY_SELF:
    case POLICY_TCP_SELF:
    case POLICY_6TO4_SELF:
        return name_equal(name, subject);
    case POLICY_SELFSUB:
        return name_is_subdomain(name, subject);
    case POLICY_SELFWILD:
        return name_is_subdomain(name, subject) && !name_equal(name, subject);
    }
    return false;
}

/* The place of the type in the rule's list, type_count where it is not in it. */
static size_t find_type(const struct policy_rule *rule, uint16_t type)
{
    size_t i = 0;
    while (i < rule->type_count && rule->types[i] != type &&
           (rule->types[i] != TYPE_ANY || type == TYPE_NSEC || type == TYPE_NSEC3)) {
        i++;
    }
    return i;
}

static bool fits_type(const struct policy_rule *rule, uint16_t type)
{
    if (rule->type_count == 0) {
        return type != TYPE_NS && type != TYPE_SOA && type != TYPE_RRSIG && type != TYPE_NSEC &&
               type != TYPE_NSEC3;
    }
    return find_type(rule, type) < rule->type_count;
}

uint16_t policy_bound(const struct policy_rule *rule, uint16_t type)
{
    size_t i = rule->bounds == NULL ? rule->type_count : find_type(rule, type);
    return i < rule->type_count ? rule->bounds[i] : 0;
}

bool policy_allows(const struct update_policy *policy, const uint8_t *zone,
                   const struct policy_client *client, const uint8_t *name, uint16_t type,
                   size_t *out_rule)
{
    size_t i = 0;
    bool allows = false;
    for (; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        const uint8_t *subject = subject_of(rule, client);
        if (subject != NULL && fits_identity(rule->identity, subject) &&
            fits_name(rule, zone, subject, name) && fits_type(rule, type)) {
            allows = rule->grants;
            break;
        }
    }
    if (out_rule != NULL) {
        *out_rule = i;
    }
    return allows;
}
