/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Filling the sections: RRsets with their signatures, the zone's NS, additional addresses.
 *
 * An RRset and its RRSIGs go in together or not at all. Where one of the answer or authority
 * section does not fit, TC is set (RFC 2181 9) and nothing more is written: what stands so far is
 * whole and true. Of the additional section, what does not fit is left out in silence; glue that a
 * referral needs is the exception and lives in referral.c.
 */
#include "answer/answer_impl.h"

#include "wire/rdata.h"

static bool write_unit(struct answering *a, enum section section, struct response_owner as,
                       const struct owner *owner, const struct rrset *rrset, uint32_t ttl)
{
    struct response *r = &a->response;
    uint16_t class = a->zone->class;
    if (!a->dnssec || rrset->type == TYPE_RRSIG) {
        return response_write_rrset(r, section, as, rrset, class, ttl);
    }
    struct rrset signatures;
    struct response_mark mark = response_mark(r);
    if (!response_write_first(r, section, &as, rrset, class, ttl)) {
        return false;
    }
    if (owner_find_rrsig(owner, rrset->type, &signatures)) {
        uint16_t name_of_rdata = r->last_name;
        if (!response_write_rrset(r, section, as, &signatures, class,
                                  ttl < signatures.ttl ? ttl : signatures.ttl)) {
            response_rewind(r, &mark);
            return false;
        }
        r->last_name = name_of_rdata;
    }
    return true;
}

bool write_rrset(struct answering *a, enum section section, struct response_owner as,
                 const struct owner *owner, const struct rrset *rrset, uint32_t ttl)
{
    if (a->truncated) {
        return false;
    }
    bool fits = write_unit(a, section, as, owner, rrset, ttl);
    if (!fits && section != SECTION_ADDITIONAL) {
        answering_truncate(a);
    }
    return fits;
}

struct response_owner owner_reference(const struct answering *a, const struct asked_name *name,
                                      const struct owner *owner)
{
    if (name->is_question) {
        return response_question_owner(&a->response, owner_name(owner), owner->name_size);
    }
    return (struct response_owner){owner_name(owner), 0};
}

void write_authority_ns(struct answering *a)
{
    struct rrset ns;
    if (a->options->extras == ANSWER_FULL && a->response.counts[SECTION_AUTHORITY] == 0 &&
        !(a->query->qtype == TYPE_NS && a->query->qname_size == a->apex->name_size) &&
        owner_find_rrset(a->apex, TYPE_NS, &ns) &&
        write_rrset(a, SECTION_AUTHORITY,
                    response_question_owner(&a->response, owner_name(a->apex), a->apex->name_size),
                    a->apex, &ns, ns.ttl)) {
        write_additional(a, a->apex, &ns);
    }
}

/* False: it had its turn, or enough others had. */
static bool is_new_target(struct answering *a, const struct owner *owner)
{
    for (unsigned i = 0; i < a->target_count; i++) {
        if (a->targets[i] == owner) {
            return false;
        }
    }
    if (a->target_count == TARGETS_MAX) {
        return false;
    }
    a->targets[a->target_count++] = owner;
    return true;
}

bool write_addresses(struct answering *a, const struct owner *owner, struct response_owner as)
{
    struct rrset rrset;
    bool all = true;
    if (owner_find_rrset(owner, TYPE_A, &rrset)) {
        all = write_rrset(a, SECTION_ADDITIONAL, as, owner, &rrset, rrset.ttl);
    }
    if (owner_find_rrset(owner, TYPE_AAAA, &rrset)) {
        all = write_rrset(a, SECTION_ADDITIONAL, as, owner, &rrset, rrset.ttl) && all;
    }
    return all;
}

static bool is_service_binding(uint16_t type)
{
    return type == TYPE_SVCB || type == TYPE_HTTPS;
}

/* Whose addresses go along with a record of `owner`, or NULL. */
static const struct owner *find_target(const struct answering *a, const struct owner *owner,
                                       uint16_t type, struct slice rdata)
{
    const uint8_t *target = rdata_additional_name(type, rdata);
    if (target != NULL) {
        return name_is_subdomain(target, owner_name(a->apex))
                   ? zone_version_find(a->version, target)
                   : NULL;
    }
    /* In ServiceMode "." stands for the owner, in AliasMode for nothing (RFC 9460 2.5). */
    return is_service_binding(type) && get_u16(rdata.data) != 0 && rdata.data[2] == 0 ? owner
                                                                                      : NULL;
}

void write_additional(struct answering *a, const struct owner *owner, const struct rrset *rrset)
{
    if (a->options->extras == ANSWER_MINIMAL || a->truncated ||
        (rrtype_get(rrset->type)->flags & RRTYPE_ADDITIONAL) == 0) {
        return;
    }
    size_t offset = 0;
    struct slice rdata;
    while (rrset_next_rdata(rrset, &offset, &rdata)) {
        const struct owner *found = find_target(a, owner, rrset->type, rdata);
        if (found != NULL && (found->flags & OWNER_WILDCARD) == 0 && is_new_target(a, found)) {
            struct response_owner as = {owner_name(found), 0};
            struct rrset next;
            write_addresses(a, found, as);
            /* An alias is likely to end there (RFC 9460 4.1). */
            if (is_service_binding(rrset->type) && found != owner &&
                owner_find_rrset(found, rrset->type, &next)) {
                write_rrset(a, SECTION_ADDITIONAL, as, found, &next, next.ttl);
            }
        }
    }
}
