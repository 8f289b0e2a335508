/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UPDATE (RFC 2136): a message, a version, and the delta that the one asks of the other. Pure: no
 * clock, no disk; who may ask is decided by the caller with update_is_permitted and its ACLs.
 *
 * The order of section 3: update_parse, (the zone, its ACL), update_prescan, then on the version
 * that the delta will start from: update_check_prerequisites, update_is_permitted,
 * update_make_delta. Every function that returns an rcode puts the reason, a sentence for the log,
 * into `err`.
 */
#ifndef EDIT_UPDATE_H
#define EDIT_UPDATE_H

#include "base/error.h"
#include "base/memory.h"
#include "edit/policy.h"
#include "edit/serial.h"
#include "wire/name.h"
#include "wire/record.h"
#include "zone/delta.h"
#include "zone/version.h"

struct update {
    struct name zone;
    uint16_t class;
    const struct record *prerequisites; /* in the order of the message; in the arena */
    size_t prerequisite_count;
    const struct record *changes;
    size_t change_count;
    struct update_bound *bounds; /* of the caller, one a change; NULL: none are bounded */
};

/* What update-policy allows the RRset of an addition to grow to. */
struct update_bound {
    uint16_t max; /* records; 0: any number */
    bool reached; /* set by update_make_delta: the change was left out for it */
};

/*
 * Reads a whole message whose opcode is UPDATE; records go into `arena`, rdata expanded and
 * checked. Returns RCODE_NOERROR, RCODE_FORMERR, or RCODE_SERVFAIL where the arena's budget is too
 * small.
 */
unsigned update_parse(struct slice message, struct arena *arena, struct update *out,
                      struct error *err);

/* RFC 2136 3.4.1 (and 3.2.1 for names and TTLs of prerequisites): what is wrong whatever the zone
 * holds. NOERROR, FORMERR, NOTZONE. */
unsigned update_prescan(const struct update *update, struct error *err);

/* RFC 2136 3.2. NOERROR, FORMERR, NXDOMAIN, YXDOMAIN, NXRRSET, YXRRSET, NOTZONE. */
unsigned update_check_prerequisites(const struct update *update, const struct zone_version *version,
                                    struct error *err);

/* RFC 2136 3.3 by update-policy: every change must be allowed; deleting all of a name asks for each
 * type that is there. Sets the `max` of the update's bounds. False: refused, `err` names change and
 * rule. */
bool update_is_permitted(const struct update *update, const struct zone_version *version,
                         const struct update_policy *policy, const struct policy_client *client,
                         struct error *err);

/*
 * RFC 2136 3.4.2 and 3.6.
 * method, now_s  for the new serial, where the update itself does not bring a newer one.
 * out            a sealed delta, freed by the caller; NULL where nothing changes.
 * NOERROR, SERVFAIL.
 */
unsigned update_make_delta(const struct update *update, const struct zone_version *version,
                           enum serial_method method, int64_t now_s, struct delta **out,
                           struct error *err);

#endif
