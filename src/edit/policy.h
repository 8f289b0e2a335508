/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who may change what by UPDATE (RFC 3007; BIND's update-policy): rules in order, the first that
 * matches decides, none means no.
 */
#ifndef EDIT_POLICY_H
#define EDIT_POLICY_H

#include "wire/name.h"
#include "wire/record.h"

enum policy_match {
    POLICY_NAME,      /* the rule's name exactly */
    POLICY_SUBDOMAIN, /* the rule's name or below */
    POLICY_ZONESUB,   /* anything in the zone */
    POLICY_WILDCARD,  /* what the rule's name, a wildcard, would stand for */
    POLICY_SELF,      /* the signer's own name */
    POLICY_SELFSUB,   /* the signer's own name or below */
    POLICY_SELFWILD,  /* below the signer's own name, one label or more */
    POLICY_TCP_SELF,  /* the name of the client's address in in-addr.arpa or ip6.arpa, over TCP */
    POLICY_6TO4_SELF, /* the name of its 6to4 prefix (2002::/16) in ip6.arpa, over TCP */
};

/* Who asks. Names are NULL where there is none. */
struct policy_client {
    const uint8_t *signer;  /* the TSIG key */
    const uint8_t *reverse; /* of its address, for an update over TCP */
    const uint8_t *six_to_four;
};

struct policy_rule {
    bool grants;
    enum policy_match match;
    const uint8_t *identity; /* the key's name; a wildcard stands for all below it, "*." for all */
    const uint8_t *name;     /* NULL where the match has none */
    const uint16_t *types; /* none: all but NS, SOA, RRSIG, NSEC, NSEC3; ANY: all but NSEC, NSEC3 */
    size_t type_count;
    const uint16_t
        *bounds; /* by type: records an RRset may have; 0: no bound. NULL: none has one */
};

struct update_policy {
    const struct policy_rule *rules;
    size_t rule_count;
};

/*
 * May the client change records of `type` at `name`?
 * zone       borrowed; the apex.
 * out_rule   index of the rule that decided, rule_count where none did. May be NULL.
 */
bool policy_allows(const struct update_policy *policy, const uint8_t *zone,
                   const struct policy_client *client, const uint8_t *name, uint16_t type,
                   size_t *out_rule);

/* How many records of `type` a name may have after an addition that this rule granted (BIND's
 * "TXT(3)"); 0: any number. */
uint16_t policy_bound(const struct policy_rule *rule, uint16_t type);

#endif
