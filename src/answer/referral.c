/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Referrals (RFC 1034 4.3.2 step 3b): NS of the cut in the authority section, what DNSSEC says
 * about the child's DS (RFC 4035 3.1.4, RFC 5155 7.2.7), and addresses.
 *
 * Addresses come in two turns. Those of name servers at or below the cut cannot be had from
 * anywhere else: all of them, or TC (RFC 9471 2.1). Those elsewhere in this zone, be it in
 * authoritative data (RFC 1034 4.3.2 step 3b) or below another cut (sibling glue, RFC 9471 2.2),
 * follow while they fit, in minimal responses as well: a referral needs them.
 */
#include "answer/answer_impl.h"

/* False: a name server below the cut has addresses that did not fit. */
static bool write_server(struct answering *a, const struct owner *ancestor, struct slice target)
{
    const struct owner *owner = zone_version_find_below(a->version, ancestor, target);
    struct response_owner as = {target.data, response_place(&a->response, target.data)};
    return owner == NULL || write_addresses(a, owner, as);
}

static void write_glue(struct answering *a, const struct owner *cut, const struct rrset *ns)
{
    size_t offset = 0;
    struct slice target;
    bool siblings = false;
    while (!a->truncated && rrset_next_rdata(ns, &offset, &target)) {
        if (!name_is_below(target, owner_name(a->apex), a->apex->name_size)) {
            continue; /* as most are */
        }
        if (!name_is_below(target, owner_name(cut), cut->name_size)) {
            siblings = true;
        } else if (!write_server(a, cut, target)) {
            answering_truncate(a);
        }
    }
    offset = 0;
    while (siblings && !a->truncated && rrset_next_rdata(ns, &offset, &target)) {
        if (name_is_below(target, owner_name(a->apex), a->apex->name_size) &&
            !name_is_below(target, owner_name(cut), cut->name_size)) {
            write_server(a, a->apex, target);
        }
    }
}

void write_referral(struct answering *a, const struct asked_name *name, const struct owner *cut)
{
    struct response_owner as = owner_reference(a, name, cut);
    struct rrset ns;
    struct rrset ds;
    if (!owner_find_rrset(cut, TYPE_NS, &ns) ||
        !write_rrset(a, SECTION_AUTHORITY, as, cut, &ns, ns.ttl)) {
        return;
    }
    if (a->dnssec) {
        struct rrset signatures;
        /* DS without signatures, as in a zone that is not signed, is of no use to anybody. */
        if (owner_find_rrset(cut, TYPE_DS, &ds) && owner_find_rrsig(cut, TYPE_DS, &signatures)) {
            write_rrset(a, SECTION_AUTHORITY, as, cut, &ds, ds.ttl);
        } else {
            deny_type(a, owner_name(cut));
        }
    }
    write_glue(a, cut, &ns);
}
