/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rules that need the whole zone, in one pass in canonical order.
 *
 * The severities are BIND's for a primary (tried out with named 9.18): an NS of the apex without
 * address refuses the zone, and so does a bad host name where check-names says fail; everything
 * else warns. One thing is milder: an NS of the apex that is a CNAME warns here, as an MX or SRV
 * does.
 *
 *   of the apex  at least two NS; targets in the zone have addresses and are no CNAMEs;
 *                SOA timers that make sense (RFC 1912 2.2): retry < refresh, refresh + retry < expire,
 *                expire of a week or more
 *   of a cut     targets at or below it, or below another cut, have glue (RFC 1034 4.2.1)
 *   of MX, SRV   targets in the zone that are ours to answer have addresses and are no CNAMEs
 *                an exchange that is an address (check-mx); SPF without TXT (check-spf)
 *   of owners    host names where the type asks for one; "*" first or not at all (RFC 4592)
 *   occluded     records below a cut (addresses aside) or a DNAME, or beside a cut's NS: kept, but
 *                never answered (RFC 2136 7.18 calls for keeping them)
 *
 * Owners below a name follow it in canonical order, so one remembered name (`occluder`) tells
 * whether an owner is occluded; targets are looked up, O(labels) each.
 */
#include "zone/check.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "wire/message.h"
#include "wire/name_octets.h"
#include "wire/rdata.h"
#include "zone/alike.h"
#include "zone/check_report_impl.h"
#include "zone/host_name_impl.h"

enum { EXPIRE_MIN_S = 7 * 86400, NAMES_TEXT = NAME_TEXT_SIZE };

struct check {
    const struct zone_version *version;
    const struct check_options *options;
    struct check_report report;
    size_t apex_size;
    const struct owner *occluder;     /* the cut or DNAME above the present owner, or NULL */
    const struct zone_cursor *cursor; /* at the present owner */
    struct zone_cursor glue;          /* where below the present cut glue was looked for last ... */
    const struct owner *glue_of;      /* ... and that cut */
};

struct check_options check_options_default(bool is_primary)
{
    return (struct check_options){
        .integrity = is_primary,
        .names = is_primary ? CHECK_FAIL : CHECK_WARN,
        .mx = is_primary ? CHECK_WARN : CHECK_IGNORE,
        .spf = is_primary ? CHECK_WARN : CHECK_IGNORE,
        .alike = is_primary ? CHECK_WARN : CHECK_IGNORE,
        .mx_cname = CHECK_WARN,
        .srv_cname = CHECK_WARN,
        .wildcard = CHECK_WARN,
        .sibling = CHECK_WARN,
    };
}

static enum finding_severity severity_of(enum check_mode mode)
{
    return mode == CHECK_FAIL ? FINDING_ERROR : FINDING_WARNING;
}

static bool has_address(const struct owner *owner)
{
    struct rrset rrset;
    return owner_find_rrset(owner, TYPE_A, &rrset) || owner_find_rrset(owner, TYPE_AAAA, &rrset);
}

static bool has_type(const struct owner *owner, uint16_t type)
{
    struct rrset rrset;
    return owner_find_rrset(owner, type, &rrset);
}

/* What a name that others point at turns out to be. */
enum target {
    TARGET_ELSEWHERE, /* not in this zone, or the root, which means "none" */
    TARGET_ADDRESS,   /* has addresses */
    TARGET_CNAME,
    TARGET_BELOW_DNAME,
    TARGET_NO_ADDRESS, /* ours, and has none */
    TARGET_NO_GLUE,    /* below a cut, and has none */
};

/* name_is_subdomain for the apex; `size` is the name's. Most targets of a large zone are not in it,
 * and their last octets say so. */
static bool is_in_zone(const struct check *c, const uint8_t *name, size_t size)
{
    const uint8_t *apex = zone_version_name(c->version);
    if (size < c->apex_size || !octets_equal(name + size - c->apex_size, apex, c->apex_size)) {
        return false;
    }
    while (size > c->apex_size) {
        size -= 1u + *name;
        name += 1 + *name;
    }
    return size == c->apex_size;
}

/* `name` is at the end of `rdata`. */
static enum target target_find(const struct check *c, const uint8_t *name, struct slice rdata,
                               struct zone_lookup *out)
{
    size_t size = (size_t)(rdata.data + rdata.size - name);
    if (*name == 0 || !is_in_zone(c, name, size)) {
        return TARGET_ELSEWHERE;
    }
    zone_version_lookup(c->version, name, out);
    if (out->dname != NULL) {
        return TARGET_BELOW_DNAME;
    }
    if (out->cut != NULL) {
        const struct owner *glue = zone_version_find(c->version, name);
        return glue != NULL && has_address(glue) ? TARGET_ADDRESS : TARGET_NO_GLUE;
    }
    const struct owner *owner = out->match != NULL ? out->match : out->wildcard;
    if (owner == NULL) {
        return TARGET_NO_ADDRESS;
    }
    if (has_address(owner)) {
        return TARGET_ADDRESS;
    }
    return has_type(owner, TYPE_CNAME) ? TARGET_CNAME : TARGET_NO_ADDRESS;
}

/* `owner` has a longer name that ends in that of `above`. Of an owner that is not below, the last
 * octets say so. */
static bool is_below_owner(const struct owner *owner, const struct owner *above)
{
    size_t size = above->name_size;
    return owner->name_size > size &&
           octets_equal(owner_name(owner) + owner->name_size - size, owner_name(above), size) &&
           name_is_subdomain(owner_name(owner), owner_name(above));
}

/*
 * The common kind of glue: below its own cut, where nothing can stand between. It follows the cut in
 * canonical order, and mostly in the order of the NS records that name it, so it is met by going on
 * from the one found before instead of searched for. False says nothing.
 */
static bool has_own_glue(struct check *c, const struct owner *cut, struct slice target)
{
    enum { STEPS = 16 };
    if (target.size <= cut->name_size || !octets_equal(target.data + target.size - cut->name_size,
                                                       owner_name(cut), cut->name_size)) {
        return false;
    }
    if (c->glue_of != cut) {
        c->glue_of = cut;
        c->glue = *c->cursor;
        zone_cursor_next(&c->glue);
    }
    for (unsigned i = 0; i < STEPS && c->glue.owner != NULL; i++) {
        const struct owner *owner = c->glue.owner;
        if (!is_below_owner(owner, cut)) {
            break;
        }
        if (owner->name_size == target.size &&
            octets_equal(owner_name(owner), target.data, target.size)) {
            return has_address(owner);
        }
        zone_cursor_next(&c->glue);
    }
    return false;
}

static void check_ns(struct check *c, const struct owner *owner, const struct record *record)
{
    bool is_apex = owner == zone_version_apex(c->version);
    char at[NAMES_TEXT];
    char to[NAMES_TEXT];
    struct zone_lookup found;
    if (!is_apex && !c->options->integrity) {
        return;
    }
    if (!is_apex && has_own_glue(c, owner, record->rdata)) {
        return;
    }
    enum target target = target_find(c, record->rdata.data, record->rdata, &found);
    if (target == TARGET_ELSEWHERE || target == TARGET_ADDRESS) {
        return;
    }
    enum finding_severity severity =
        is_apex && c->options->integrity ? FINDING_ERROR : FINDING_WARNING;
    name_format(record->owner, at);
    name_format(record->rdata.data, to);
    switch (target) {
    case TARGET_CNAME:
        check_report_note(&c->report, FINDING_NS_IS_CNAME, FINDING_WARNING, record,
                          "%s NS %s is a CNAME, expected a name with addresses", at, to);
        break;
    case TARGET_BELOW_DNAME:
        check_report_note(&c->report, FINDING_NS_NO_ADDRESS, severity, record,
                          "%s NS %s is below a DNAME, expected a name with addresses", at, to);
        break;
    case TARGET_NO_ADDRESS:
        check_report_note(&c->report, FINDING_NS_NO_ADDRESS, severity, record,
                          "%s NS %s has no address (A or AAAA)", at, to);
        break;
    case TARGET_NO_GLUE: {
        bool is_sibling = found.cut != owner;
        if (is_sibling && c->options->sibling == CHECK_IGNORE) {
            break;
        }
        check_report_note(&c->report, FINDING_MISSING_GLUE,
                          is_sibling ? severity_of(c->options->sibling) : FINDING_WARNING, record,
                          "%s NS %s has no %s (A or AAAA) in this zone", at, to,
                          is_sibling ? "sibling glue" : "glue");
        break;
    }
    case TARGET_ELSEWHERE:
    case TARGET_ADDRESS:
        break;
    }
}

/* A label of digits that could be an octet of an address. */
static bool is_octet(const uint8_t *label)
{
    unsigned value = 0;
    for (unsigned i = 1; i <= label[0]; i++) {
        unsigned digit = (unsigned)label[i] - '0';
        if (digit > 9 || label[0] > 3) {
            return false;
        }
        value = value * 10 + digit;
    }
    return value <= 255;
}

/* "192.0.2.1", taken for a name: with the zone behind it, where it was written without a final dot.
 * Of an IPv6 address the one label has a colon. */
static bool is_address(const struct check *c, const uint8_t *name)
{
    unsigned octets = 0;
    const uint8_t *first = name;
    for (; *name != 0 && octets < 4 && is_octet(name); name += 1 + *name) {
        octets++;
    }
    bool has_colon = *first != 0 && memchr(first + 1, ':', *first) != NULL;
    if (has_colon && octets == 0) {
        name += 1 + *name;
    }
    return (octets == 4 || has_colon) &&
           (*name == 0 || name_equal(name, zone_version_name(c->version)));
}

static bool check_mail_host(struct check *c, const struct record *record)
{
    char at[NAMES_TEXT];
    char to[NAMES_TEXT];
    const uint8_t *name = record->rdata.data + 2;
    if (c->options->mx == CHECK_IGNORE || !is_address(c, name)) {
        return false;
    }
    check_report_note(&c->report, FINDING_MX_IS_ADDRESS, severity_of(c->options->mx), record,
                      "%s MX %s is an address, expected the name of a host",
                      name_format(record->owner, at), name_format(name, to));
    return true;
}

/* MX and SRV. */
static void check_service(struct check *c, const struct record *record)
{
    bool is_mx = record->type == TYPE_MX;
    const uint8_t *name = record->rdata.data + (is_mx ? 2 : 6);
    struct zone_lookup found;
    enum target target = target_find(c, name, record->rdata, &found);
    if (target != TARGET_CNAME && target != TARGET_BELOW_DNAME && target != TARGET_NO_ADDRESS) {
        return;
    }
    char at[NAMES_TEXT];
    char to[NAMES_TEXT];
    name_format(record->owner, at);
    name_format(name, to);
    const char *type = is_mx ? "MX" : "SRV";
    if (target == TARGET_NO_ADDRESS) {
        check_report_note(&c->report, is_mx ? FINDING_MX_NO_ADDRESS : FINDING_SRV_NO_ADDRESS,
                          FINDING_WARNING, record, "%s %s %s has no address (A or AAAA)", at, type,
                          to);
        return;
    }
    enum check_mode mode = is_mx ? c->options->mx_cname : c->options->srv_cname;
    if (mode != CHECK_IGNORE) {
        check_report_note(&c->report, is_mx ? FINDING_MX_IS_CNAME : FINDING_SRV_IS_CNAME,
                          severity_of(mode), record,
                          "%s %s %s is %s, expected a name with addresses", at, type, to,
                          target == TARGET_CNAME ? "a CNAME" : "below a DNAME");
    }
}

static void check_host_names(struct check *c, const struct record *record, bool is_first)
{
    char at[NAMES_TEXT];
    char type[16];
    if (is_first && !host_name_check_owner(record->owner, record->type)) {
        rrtype_format(record->type, type);
        check_report_note(&c->report, FINDING_BAD_HOST_NAME, severity_of(c->options->names), record,
                          "%s is no host name (letters, digits, hyphens), but has %s%s",
                          name_format(record->owner, at),
                          record->type == TYPE_A || record->type == TYPE_AAAA ||
                                  record->type == TYPE_MX
                              ? "a record of type "
                              : "type ",
                          rrtype_format(record->type, type));
    }
    const uint8_t *bad = host_name_check_rdata(record->owner, record->type, record->rdata);
    if (UNLIKELY(bad != NULL)) {
        char name[NAMES_TEXT];
        rrtype_format(record->type, type);
        check_report_note(&c->report, FINDING_BAD_HOST_NAME, severity_of(c->options->names), record,
                          "%s %s names %s, which is no host name (letters, digits, hyphens)",
                          name_format(record->owner, at), rrtype_format(record->type, type),
                          name_format(bad, name));
    }
}

static void check_rrset(struct check *c, const struct owner *owner, const struct rrset *rrset,
                        bool is_occluded)
{
    struct record record = {
        .owner = owner_name(owner),
        .type = rrset->type,
        .class = zone_version_class(c->version),
        .ttl = rrset->ttl,
    };
    if (c->options->max_ttl != 0 && rrset->ttl > c->options->max_ttl) {
        char at[NAMES_TEXT];
        char type[16];
        check_report_note(&c->report, FINDING_TTL_TOO_LARGE, FINDING_ERROR, &record,
                          "%s %s has TTL %u, expected at most %u (max-zone-ttl)",
                          name_format(record.owner, at), rrtype_format(record.type, type),
                          rrset->ttl, c->options->max_ttl);
    }
    bool is_service = (rrset->type == TYPE_MX || rrset->type == TYPE_SRV) && c->options->integrity;
    bool is_first = true;
    size_t offset = 0;
    while (rrset_next_rdata(rrset, &offset, &record.rdata)) {
        if (rrset->type == TYPE_NS && !is_occluded) {
            check_ns(c, owner, &record);
        }
        bool is_told = rrset->type == TYPE_MX && check_mail_host(c, &record);
        if (is_service && !is_occluded && !is_told) {
            check_service(c, &record);
        }
        if (c->options->names != CHECK_IGNORE && record.class == CLASS_IN) {
            check_host_names(c, &record, is_first);
        }
        is_first = false;
    }
}

/* Which of a cut's own types are answered from this side of it. */
static bool belongs_to_cut(uint16_t type)
{
    return type == TYPE_NS || type == TYPE_DS || type == TYPE_NSEC || type == TYPE_A ||
           type == TYPE_AAAA || type == TYPE_RRSIG;
}

static void note_occluded(struct check *c, const struct owner *owner, uint16_t type)
{
    char at[NAMES_TEXT];
    char above[NAMES_TEXT];
    char name[16];
    struct record record = {.owner = owner_name(owner), .type = type};
    const struct owner *by = c->occluder;
    check_report_note(&c->report, FINDING_OCCLUDED, FINDING_INFO, &record,
                      "%s %s is never answered: %s %s", name_format(record.owner, at),
                      rrtype_format(type, name), name_format(owner_name(by), above),
                      (by->flags & OWNER_CUT) != 0 ? "is delegated" : "has a DNAME");
}

/* Keeps `occluder` true; true: the owner is below it. */
static bool find_occluder(struct check *c, const struct owner *owner)
{
    if (c->occluder != NULL) {
        if (is_below_owner(owner, c->occluder)) {
            return true;
        }
        c->occluder = NULL;
    }
    if ((owner->flags & (OWNER_CUT | OWNER_DNAME)) != 0) {
        c->occluder = owner;
    }
    return false;
}

static bool has_inner_wildcard(const uint8_t *wire)
{
    if (*wire == 0) {
        return false;
    }
    for (wire += 1 + *wire; *wire != 0; wire += 1 + *wire) {
        if (wire[0] == 1 && wire[1] == '*') {
            return true;
        }
    }
    return false;
}

static bool has_policy(const struct owner *owner)
{
    static const char begin[] = "v=spf1";
    struct rrset txt;
    struct slice rdata;
    size_t offset = 0;
    bool found = false;
    if (owner_find_rrset(owner, TYPE_TXT, &txt)) {
        while (!found && rrset_next_rdata(&txt, &offset, &rdata)) {
            found = rdata.size > sizeof(begin) - 1 && rdata.data[0] >= sizeof(begin) - 1 &&
                    strncasecmp((const char *)rdata.data + 1, begin, sizeof(begin) - 1) == 0;
        }
    }
    return found;
}

/* The type SPF is a thing of the past (RFC 7208 3.1). */
static void check_sender_policy(struct check *c, const struct owner *owner)
{
    struct rrset spf;
    if (!owner_find_rrset(owner, TYPE_SPF, &spf) || has_policy(owner)) {
        return;
    }
    char at[NAMES_TEXT];
    struct record record = {.owner = owner_name(owner), .type = TYPE_SPF};
    check_report_note(&c->report, FINDING_SPF_WITHOUT_TXT, severity_of(c->options->spf), &record,
                      "%s has a policy of type SPF, which nobody asks for, and none of type TXT",
                      name_format(record.owner, at));
}

/* Each record with its owner's name compressed, behind the question. */
static size_t octets_in_message(const struct owner *owner, const struct rrset *rrset)
{
    enum { QUESTION_FIXED = 4, RECORD_FIXED = 10 }; /* beside name, length and rdata */
    return MESSAGE_HEADER_SIZE + owner->name_size + QUESTION_FIXED + rrset->records.size +
           (size_t)RECORD_FIXED * rrset->count;
}

static void note_size(struct check *c, const struct owner *owner, const struct rrset *rrset)
{
    char at[NAMES_TEXT], type[16];
    struct record record = {.owner = owner_name(owner), .type = rrset->type};
    check_report_note(&c->report, FINDING_RRSET_TOO_LARGE, FINDING_WARNING, &record,
                      "%s %s has %u records, %zu octets in a message of at most %d: questions for "
                      "it get no answer, not even over TCP",
                      name_format(record.owner, at), rrtype_format(record.type, type),
                      (unsigned)rrset->count, octets_in_message(owner, rrset), MESSAGE_MAX_SIZE);
}

static void check_alike(struct check *c, const struct owner *owner, const struct rrset *rrset)
{
    char at[NAMES_TEXT], type[16];
    struct record record = {.owner = owner_name(owner), .type = rrset->type};
    if (alike_find(rrset, &record.rdata)) {
        check_report_note(&c->report, FINDING_ALIKE, severity_of(c->options->alike), &record,
                          "%s %s has semantically identical records: only the case of a name "
                          "tells them apart",
                          name_format(record.owner, at), rrtype_format(record.type, type));
    }
}

static void check_owner(struct check *c, const struct owner *owner)
{
    bool is_below = find_occluder(c, owner);
    bool is_cut = !is_below && (owner->flags & OWNER_CUT) != 0;
    bool is_below_dname = is_below && (c->occluder->flags & OWNER_CUT) == 0;
    bool has_noted = false;
    size_t offset = 0;
    struct rrset rrset;
    while (owner_next_rrset(owner, &offset, &rrset)) {
        if (!has_noted && c->options->wildcard != CHECK_IGNORE &&
            has_inner_wildcard(owner_name(owner))) {
            char at[NAMES_TEXT];
            struct record record = {.owner = owner_name(owner), .type = rrset.type};
            check_report_note(&c->report, FINDING_WILDCARD_IN_MIDDLE,
                              severity_of(c->options->wildcard), &record,
                              "%s has a label * that is not the first and matches nothing",
                              name_format(record.owner, at));
        }
        if (UNLIKELY(octets_in_message(owner, &rrset) > MESSAGE_MAX_SIZE)) {
            note_size(c, owner, &rrset);
        }
        bool is_address = rrset.type == TYPE_A || rrset.type == TYPE_AAAA;
        bool is_proof =
            rrset.type == TYPE_RRSIG || rrset.type == TYPE_NSEC || rrset.type == TYPE_NSEC3;
        bool is_occluded = (is_cut && !belongs_to_cut(rrset.type)) ||
                           (is_below && !is_proof && (is_below_dname || !is_address));
        if (is_occluded) {
            note_occluded(c, owner, rrset.type);
        }
        if (rrset.type == TYPE_SPF && c->options->integrity && c->options->spf != CHECK_IGNORE) {
            check_sender_policy(c, owner);
        }
        if (rrset.count > 1 && alike_type(rrset.type) && c->options->alike != CHECK_IGNORE) {
            check_alike(c, owner, &rrset);
        }
        check_rrset(c, owner, &rrset, is_below || is_occluded);
        has_noted = true;
    }
}

static void check_apex(struct check *c)
{
    const struct owner *apex = zone_version_apex(c->version);
    struct soa soa = zone_version_soa(c->version);
    struct record record = {.owner = owner_name(apex), .type = TYPE_SOA};
    struct check_report *report = &c->report;
    if (soa.expire_s < EXPIRE_MIN_S) {
        check_report_note(report, FINDING_SOA_TIMERS, FINDING_WARNING, &record,
                          "SOA expire is %u, expected %u (a week) or more: secondaries stop "
                          "answering after so many seconds without contact",
                          soa.expire_s, EXPIRE_MIN_S);
    }
    if (soa.retry_s >= soa.refresh_s) {
        check_report_note(report, FINDING_SOA_TIMERS, FINDING_WARNING, &record,
                          "SOA retry is %u, expected less than refresh, %u", soa.retry_s,
                          soa.refresh_s);
    }
    if (soa.expire_s <= (uint64_t)soa.refresh_s + soa.retry_s) {
        check_report_note(report, FINDING_SOA_TIMERS, FINDING_WARNING, &record,
                          "SOA expire is %u, expected more than refresh and retry together, %llu",
                          soa.expire_s, (unsigned long long)soa.refresh_s + soa.retry_s);
    }
    struct rrset ns;
    if (owner_find_rrset(apex, TYPE_NS, &ns) && ns.count < 2) {
        record.type = TYPE_NS;
        check_report_note(report, FINDING_FEW_NS, FINDING_WARNING, &record,
                          "the zone has one name server, expected two or more");
    }
}

enum result zone_check(const struct zone_version *version, const struct check_options *options,
                       finding_report *report, void *report_context, struct error *err)
{
    struct check c = {
        .version = version,
        .options = options,
        .apex_size = name_size(zone_version_name(version)),
    };
    check_report_init(&c.report, zone_version_name(version), zone_version_class(version));
    if (options->integrity) {
        check_apex(&c);
    }
    struct zone_cursor cursor;
    c.cursor = &cursor;
    for (zone_cursor_first(&cursor, version); cursor.owner != NULL; zone_cursor_next(&cursor)) {
        check_owner(&c, cursor.owner);
    }
    enum result result = check_report_send(&c.report, options->file, options->directory, report,
                                           report_context, err);
    check_report_deinit(&c.report);
    return result;
}
