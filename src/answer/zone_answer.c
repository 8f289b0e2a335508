/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The algorithm of RFC 1034 4.3.2 as RFC 2672/6672 3.2 and RFC 4592 word it today, within one zone.
 *
 * The lookup (zone/version.h) has told what the name met; each turn of the loop decides one step:
 *
 *   cut above or at it      referral, unless it is the cut itself and DS is asked for: that type
 *                           lives on this side (RFC 4035 3.1.4.1)
 *   DNAME above it          DNAME and a synthesized CNAME, on with the new name
 *   it, or the wildcard     CNAME: on with its target. Else the RRset, or "no such type"
 *   nothing                 "no such name"
 *
 * A chain is followed inside the zone only; where it leaves, the answer ends with NOERROR, and the
 * response code is that of the last name looked up (RFC 6604). It ends as well where a name comes
 * up a second time, and after CHAIN_MAX steps; so loops are answered with each record once.
 *
 * All answer records are written before the first authority record, so the proofs that wildcards on
 * the way were right (RFC 4035 3.1.3.3, RFC 5155 7.2.6) are noted and written at the end.
 *
 * A "*" label in the middle of a name, a wildcard that owns NS or DNAME: nothing special; such
 * RRsets are only answered with, as any type (RFC 4592 4.2 and 4.4 leave both undefined).
 *
 * ANY gets everything there is; over UDP where the options say so one RRset (RFC
 * 8482 4.1), and RRSIG is treated the same.
 */
#include "answer/answer_impl.h"

struct chain {
    struct asked_name name; /* where the chain is now */
    unsigned step;
    const uint8_t *names[CHAIN_MAX + 1]; /* all names it was at */
    unsigned wildcard_count;
    struct {
        const uint8_t *name;
        const struct owner *encloser;
    } wildcards[CHAIN_MAX + 1];
    unsigned dname_count;
    const struct owner *dnames[CHAIN_MAX];
    /* Rdata of synthesized CNAMEs: length and name. */
    uint8_t synthesized[CHAIN_MAX][2 + NAME_MAX_SIZE];
};

static bool is_in_chain(const struct chain *chain, const uint8_t *name)
{
    for (unsigned i = 0; i <= chain->step; i++) {
        if (name_equal(chain->names[i], name)) {
            return true;
        }
    }
    return false;
}

/* On to `target`; false where the chain ends here. */
static bool follow(struct answering *a, struct chain *chain, const uint8_t *target,
                   struct zone_lookup *lookup)
{
    if (a->truncated || chain->step + 1 == CHAIN_MAX ||
        !name_is_subdomain(target, owner_name(a->apex)) || is_in_chain(chain, target)) {
        return false;
    }
    chain->names[++chain->step] = target;
    chain->name = (struct asked_name){.wire = target, .offset = a->response.last_name};
    zone_version_lookup(a->version, target, lookup);
    return true;
}

static struct response_owner current_owner(const struct chain *chain)
{
    return (struct response_owner){chain->name.wire, chain->name.offset};
}

static bool write_dname(struct answering *a, struct chain *chain, const struct owner *owner,
                        const struct rrset *dname)
{
    for (unsigned i = 0; i < chain->dname_count; i++) {
        if (chain->dnames[i] == owner) {
            return true;
        }
    }
    chain->dnames[chain->dname_count++] = owner;
    return write_rrset(a, SECTION_ANSWER, owner_reference(a, &chain->name, owner), owner, dname,
                       dname->ttl);
}

/* The DNAME at `owner` applied to the current name; false where the chain ends here. */
static bool answer_dname(struct answering *a, struct chain *chain, struct zone_lookup *lookup)
{
    const struct owner *owner = lookup->dname;
    struct rrset dname;
    struct slice target;
    size_t offset = 0;
    if (!owner_find_rrset(owner, TYPE_DNAME, &dname) ||
        !rrset_next_rdata(&dname, &offset, &target) || !write_dname(a, chain, owner, &dname)) {
        return false;
    }
    size_t kept = name_size(chain->name.wire) - owner->name_size;
    if (kept + target.size > NAME_MAX_SIZE) {
        a->rcode = RCODE_YXDOMAIN;
        return false;
    }
    uint8_t *rdata = chain->synthesized[chain->step];
    put_u16(rdata, (uint16_t)(kept + target.size));
    memcpy(rdata + 2, chain->name.wire, kept);
    memcpy(rdata + 2 + kept, target.data, target.size);
    struct rrset cname = {
        .type = TYPE_CNAME,
        .count = 1,
        .ttl = dname.ttl,
        .records = slice_of(rdata, 2 + kept + target.size),
    };
    if (!response_write_rrset(&a->response, SECTION_ANSWER, current_owner(chain), &cname,
                              a->zone->class, cname.ttl)) {
        answering_truncate(a);
        return false;
    }
    /* The synthesized CNAME is what these two asked for. */
    return a->query->qtype != TYPE_CNAME && a->query->qtype != TYPE_ANY &&
           follow(a, chain, rdata + 2, lookup);
}

static bool asks_past_cname(uint16_t qtype)
{
    return qtype == TYPE_CNAME || qtype == TYPE_ANY || qtype == TYPE_RRSIG || qtype == TYPE_NSEC;
}

/* Every RRset of the owner that ANY or RRSIG asks for, or the first one. False: there is none. */
static bool answer_several(struct answering *a, const struct chain *chain,
                           const struct owner *owner)
{
    bool one = a->options->minimal_any && a->asked->transport == ANSWER_UDP;
    bool signatures = a->query->qtype == TYPE_RRSIG;
    bool dnssec = a->dnssec;
    bool any = false;
    size_t offset = 0;
    struct rrset rrset;
    if (!one) {
        a->dnssec = false; /* signatures come as RRsets of their own */
    }
    while (!a->truncated && owner_next_rrset(owner, &offset, &rrset)) {
        if ((rrset.type == TYPE_RRSIG) != signatures && (signatures || one)) {
            continue;
        }
        any = true;
        write_rrset(a, SECTION_ANSWER, current_owner(chain), owner, &rrset, rrset.ttl);
        if (one) {
            break;
        }
    }
    a->dnssec = dnssec;
    return any;
}

/* What the current name (or its wildcard, as `owner`) has of the type asked for. */
static bool answer_type(struct answering *a, const struct chain *chain, const struct owner *owner)
{
    struct rrset rrset;
    uint16_t qtype = a->query->qtype;
    if (qtype == TYPE_ANY || qtype == TYPE_RRSIG) {
        return answer_several(a, chain, owner);
    }
    if (!owner_find_rrset(owner, qtype, &rrset)) {
        return false;
    }
    if (write_rrset(a, SECTION_ANSWER, current_owner(chain), owner, &rrset, rrset.ttl)) {
        a->answered = owner;
        a->answered_rrset = rrset;
    }
    return true;
}

static void note_wildcard(struct chain *chain, const struct owner *encloser)
{
    chain->wildcards[chain->wildcard_count].name = chain->name.wire;
    chain->wildcards[chain->wildcard_count].encloser = encloser;
    chain->wildcard_count++;
}

static void prove_wildcards(struct answering *a, const struct chain *chain)
{
    if (a->dnssec) {
        for (unsigned i = 0; i < chain->wildcard_count; i++) {
            deny_closer_match(a, chain->wildcards[i].name, chain->wildcards[i].encloser);
        }
    }
}

/* What ends the chain and is no answer: the SOA, and why. */
static void answer_nothing(struct answering *a, const struct chain *chain,
                           const struct zone_lookup *lookup)
{
    write_negative_soa(a);
    if (!a->dnssec) {
        return;
    }
    if (lookup->match != NULL) {
        deny_type(a, chain->name.wire);
    } else if (lookup->wildcard != NULL) {
        deny_wildcard_type(a, chain->name.wire, lookup->encloser);
    } else {
        deny_name(a, chain->name.wire, lookup->encloser);
    }
}

/* One step. True: the chain goes on with another name. */
static bool answer_name(struct answering *a, struct chain *chain, struct zone_lookup *lookup)
{
    uint16_t qtype = a->query->qtype;
    struct rrset cname;
    size_t offset = 0;
    struct slice target;
    if (lookup->cut != NULL && (lookup->cut != lookup->match || qtype != TYPE_DS)) {
        prove_wildcards(a, chain); /* before the additional section begins */
        chain->wildcard_count = 0;
        write_referral(a, &chain->name, lookup->cut);
        return false;
    }
    a->authoritative = true;
    if (lookup->dname != NULL) {
        return answer_dname(a, chain, lookup);
    }
    const struct owner *owner = lookup->match != NULL ? lookup->match : lookup->wildcard;
    if (owner == NULL) {
        a->rcode = RCODE_NXDOMAIN;
        answer_nothing(a, chain, lookup);
        return false;
    }
    bool is_alias = (owner->flags & OWNER_CNAME) != 0 && !asks_past_cname(qtype) &&
                    owner_find_rrset(owner, TYPE_CNAME, &cname) &&
                    rrset_next_rdata(&cname, &offset, &target);
    if (is_alias) {
        if (!write_rrset(a, SECTION_ANSWER, current_owner(chain), owner, &cname, cname.ttl)) {
            return false;
        }
    } else if (!answer_type(a, chain, owner)) {
        answer_nothing(a, chain, lookup);
        return false;
    }
    if (lookup->match == NULL) {
        note_wildcard(chain, lookup->encloser);
    }
    return is_alias && follow(a, chain, target.data, lookup);
}

void zone_answer(struct answering *a, const struct zone_lookup *met)
{
    struct chain chain;
    struct zone_lookup lookup = *met;
    chain.name = (struct asked_name){
        .wire = a->query->qname,
        .offset = a->query->qname_size == 1 ? 0 : MESSAGE_HEADER_SIZE,
        .is_question = true,
    };
    chain.step = 0;
    chain.names[0] = a->query->qname;
    chain.wildcard_count = 0;
    chain.dname_count = 0;
    while (answer_name(a, &chain, &lookup)) {
    }
    prove_wildcards(a, &chain);
    if (a->answered != NULL) {
        write_authority_ns(a);
        write_additional(a, a->answered, &a->answered_rrset);
    }
}
