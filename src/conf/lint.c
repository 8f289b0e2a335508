/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mistakes that every server takes without a word, and that are noticed when a copy is old, a zone
 * is copied by a stranger, or a key cannot be taken away. A notice names the place, what follows
 * from what stands there, and what to write; whoever means it leaves it as it is.
 *
 * A statement of `options` counts for many zones and is told of once: what is noted is remembered by
 * place and name, and after CONF_LINT_MAX nothing more is looked for, so a server of a million
 * zones starts no later for it.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/conf.h"
#include "wire/name.h"

enum { LEAST_SECRET = 16 };

struct noted {
    struct conf_where where;
    const char *name; /* static */
};

struct lint {
    const struct conf *conf;
    const struct conf_zone *zone; /* the one that is looked at */
    conf_report *report;
    void *context;
    struct noted noted[CONF_LINT_MAX];
    unsigned count;
};

static bool is_known(const struct lint *lint, struct conf_where where, const char *name)
{
    for (unsigned i = 0; i < lint->count; i++) {
        const struct noted *noted = &lint->noted[i];
        if (noted->where.line == where.line && noted->where.column == where.column &&
            noted->where.file == where.file && noted->name == name) {
            return true;
        }
    }
    return false;
}

static bool is_full(const struct lint *lint)
{
    return lint->count == CONF_LINT_MAX;
}

PRINTF_LIKE(4, 5)
static void note(struct lint *lint, struct conf_where where, const char *name, const char *format,
                 ...)
{
    char text[600];
    va_list args;
    if (is_full(lint) || is_known(lint, where, name)) {
        return;
    }
    lint->noted[lint->count++] = (struct noted){where, name};
    va_start(args, format);
    int size = vsnprintf(text, sizeof(text) - 40, format, args);
    va_end(args);
    size_t end = size < 0 ? 0 : strlen(text);
    snprintf(text + end, sizeof(text) - end, " [%s]", name);
    struct conf_finding finding = {CONF_NOTICE, where, text};
    lint->report(lint->context, &finding);
    if (is_full(lint)) {
        struct conf_finding last = {CONF_NOTICE, {where.file, 0, 0}, "there may be more"};
        lint->report(lint->context, &last);
    }
}

/* ---- who may transfer, who is told --------------------------------------------------------- */

static bool is_host(const struct acl_element *element)
{
    return (element->kind == ACL_PREFIX || element->kind == ACL_PREFIX_KEY) &&
           element->prefix.bits == (element->prefix.address.family == 4 ? 32 : 128);
}

/* The host itself asks for transfers to look at them, not to keep a copy. */
static bool is_this_host(const struct address *address)
{
    static const uint8_t v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};
    return address->family == 4 ? memcmp(address->bytes, v4, sizeof(v4)) == 0
                                : memcmp(address->bytes, v6, sizeof(v6)) == 0;
}

static bool is_notified(const struct conf_remotes *targets, const struct address *host)
{
    for (uint32_t i = 0; i < targets->count; i++) {
        if (address_same_host(&targets->servers[i].address, host)) {
            return true;
        }
    }
    return false;
}

static void look_at_transfer(void *context, const struct acl_element *element)
{
    struct lint *lint = context;
    const struct conf *conf = lint->conf;
    int64_t mode = conf_number(conf, lint->zone, CONF_NOTIFY);
    if (element->kind == ACL_PREFIX && element->tls_client == NULL &&
        !address_is_private(&element->prefix.address)) {
        note(lint, element->where, "transfer-by-address",
             "`%s` may transfer zones by its address alone; ask for a key too: `%s key NAME`",
             element->text, element->text);
    }
    /* Where NS records are told as well, only the zone's content shows who is not. */
    if ((mode == CONF_NOTIFY_NO || mode == CONF_NOTIFY_EXPLICIT) && is_host(element) &&
        !is_this_host(&element->prefix.address) &&
        !is_notified(conf_remotes(conf, lint->zone, CONF_ALSO_NOTIFY), &element->prefix.address)) {
        note(lint, element->where, "not-notified",
             "`%s` may transfer zone `%s` and is never notified of a change; add its address to "
             "`also-notify`",
             element->text, lint->zone->name);
    }
}

struct demand {
    const char *key; /* the first that is asked for */
    bool without;    /* somebody gets it without a key */
};

static void look_at_demand(void *context, const struct acl_element *element)
{
    struct demand *demand = context;
    if (element->kind == ACL_KEY || element->kind == ACL_PREFIX_KEY) {
        demand->key = demand->key == NULL ? element->key : demand->key;
    } else {
        demand->without = true;
    }
}

static bool has_key(const struct conf *conf, const struct conf_remote *remote)
{
    const struct conf_server *server = conf_server_find(conf, &remote->address);
    return remote->key != NULL || (server != NULL && server->key != NULL);
}

static void look_at_notify(struct lint *lint, const struct acl *transfer)
{
    const struct conf_remotes *targets = conf_remotes(lint->conf, lint->zone, CONF_ALSO_NOTIFY);
    struct demand demand = {0};
    acl_each_yes(transfer, look_at_demand, &demand);
    for (uint32_t i = 0; i < targets->count && demand.key != NULL && !demand.without; i++) {
        const struct conf_remote *target = &targets->servers[i];
        if (!has_key(lint->conf, target)) {
            char address[ADDRESS_TEXT_SIZE];
            note(lint, target->where, "notify-unsigned",
                 "%s is notified without a key, though transfers of zone `%s` ask for one; write "
                 "`%s key %s;`",
                 address_format(&target->address, false, address), lint->zone->name, address,
                 demand.key);
        }
    }
}

struct chance {
    const struct address *host;
    bool any_element, may; /* may: from that address, with the right key where one is asked for */
};

static void look_at_chance(void *context, const struct acl_element *element)
{
    struct chance *chance = context;
    bool has_prefix = element->kind == ACL_PREFIX || element->kind == ACL_PREFIX_KEY;
    chance->any_element = true;
    chance->may = chance->may || !has_prefix || prefix_contains(&element->prefix, chance->host);
}

/* Who is told of a change and refused what he asks for then. */
static void look_at_told(struct lint *lint, const struct acl *transfer)
{
    const struct conf_remotes *targets = conf_remotes(lint->conf, lint->zone, CONF_ALSO_NOTIFY);
    for (uint32_t i = 0; i < targets->count && !is_full(lint); i++) {
        const struct conf_remote *target = &targets->servers[i];
        struct chance chance = {.host = &target->address};
        acl_each_yes(transfer, look_at_chance, &chance);
        if (chance.any_element && !chance.may) {
            char address[ADDRESS_TEXT_SIZE];
            note(lint, target->where, "notified-not-allowed",
                 "%s is notified of changes of zone `%s` and may not transfer it; name it in "
                 "`allow-transfer`",
                 address_format(&target->address, false, address), lint->zone->name);
        }
    }
}

static void look_at_primary(struct lint *lint)
{
    const struct conf *conf = lint->conf;
    const struct conf_zone *zone = lint->zone;
    const struct conf_remotes *targets = conf_remotes(conf, zone, CONF_ALSO_NOTIFY);
    int64_t mode = conf_number(conf, zone, CONF_NOTIFY);
    if (acl_is_none(conf_acl(conf, zone, CONF_ALLOW_TRANSFER))) {
        note(lint, zone->where, "no-secondaries",
             "nobody may transfer zone `%s`, so it has no secondary; name them in `allow-transfer` "
             "and `also-notify`",
             zone->name);
    }
    if (conf_bool(conf, zone, CONF_HIDDEN_PRIMARY) && targets->count == 0 &&
        (mode == CONF_NOTIFY_NO || mode == CONF_NOTIFY_EXPLICIT)) {
        note(lint, zone->where, "hidden-and-silent",
             "the hidden primary of zone `%s` notifies nobody; name its secondaries in "
             "`also-notify`",
             zone->name);
    }
}

/* ---- the other way round ------------------------------------------------------------------- */

static void look_at_secondary(struct lint *lint)
{
    const struct conf *conf = lint->conf;
    const struct conf_remotes *primaries = conf_remotes(conf, lint->zone, CONF_PRIMARIES);
    const struct conf_setting *notify = conf_find(conf, lint->zone, CONF_ALLOW_NOTIFY);
    for (uint32_t i = 0; i < primaries->count; i++) {
        const struct conf_remote *primary = &primaries->servers[i];
        if (primary->tls == NULL && !has_key(conf, primary) &&
            !address_is_private(&primary->address)) {
            char address[ADDRESS_TEXT_SIZE];
            note(lint, primary->where, "primary-unsigned",
                 "zones come from %s over public networks without a key, and nothing shows a "
                 "change on the way; write `%s key NAME;`",
                 address_format(&primary->address, false, address), address);
        }
    }
    if (notify != NULL && notify->where.file != NULL && acl_is_any(notify->acl)) {
        note(lint, notify->where, "notify-open",
             "anybody may have this server ask its primaries; primaries may notify without being "
             "named, so leave `allow-notify` out or name addresses or keys");
    }
}

static void look_at_update(void *context, const struct acl_element *element)
{
    struct lint *lint = context;
    bool is_local = element->kind == ACL_LOCALHOST ||
                    (element->kind == ACL_PREFIX && element->prefix.address.bytes[0] == 127 &&
                     element->prefix.address.family == 4);
    if (element->kind != ACL_KEY && element->kind != ACL_PREFIX_KEY && !is_local &&
        element->tls_client == NULL) {
        note(lint, element->where, "update-by-address",
             "`%s` may change zones by address alone, and the source of a datagram is easily "
             "forged; ask for a key",
             element->text);
    }
}

/* ---- keys ---------------------------------------------------------------------------------- */

static bool is_identity(const struct conf *conf, const struct conf_key *key)
{
    for (uint32_t i = 0; i < conf->zone_count; i++) {
        const struct conf_update_policy *policy = conf_update_policy(conf, &conf->zones[i]);
        for (uint32_t j = 0; policy != NULL && j < policy->rule_count; j++) {
            const uint8_t *identity = policy->rules[j].identity_name;
            if (identity != NULL && (identity[0] == 1 && identity[1] == '*')) {
                return true;
            }
            if (identity != NULL && name_equal(identity, key->wire)) {
                return true;
            }
        }
    }
    return false;
}

static void look_at_key(struct lint *lint, const struct conf_key *key)
{
    struct stat status;
    if (!key->is_used && !is_identity(lint->conf, key)) {
        note(lint, key->where, "key-unused",
             "key `%s` stands in no other statement; whoever has it can sign queries with it all "
             "the same: take it out",
             key->name);
    }
    if (key->algorithm == CONF_HMAC_MD5 || key->algorithm == CONF_HMAC_SHA1) {
        note(lint, key->where, "key-weak",
             "key `%s` uses %s; make a new one with `lockstep keygen`", key->name,
             conf_algorithm_name(key->algorithm));
    }
    if (key->secret_size != 0 && key->secret_size < LEAST_SECRET) {
        note(
            lint, key->where, "key-short",
            "the secret of key `%s` has %u octets, and can be guessed; `lockstep keygen` makes one "
            "as long as the digest",
            key->name, key->secret_size);
    }
    if (key->secret_file == NULL && key->where.file != NULL &&
        stat(key->where.file, &status) == 0 && (status.st_mode & S_IROTH) != 0) {
        note(
            lint, (struct conf_where){key->where.file, key->where.line, 0}, "secret-readable",
            "anybody may read this file, and the secret of key `%s` stands in it; `chmod 0640` it, "
            "or use `secret-file`",
            key->name);
    }
}

/* ---- all of it ----------------------------------------------------------------------------- */

static void look_at_zone(struct lint *lint, const struct conf_zone *zone)
{
    const struct acl *transfer = conf_acl(lint->conf, zone, CONF_ALLOW_TRANSFER);
    lint->zone = zone;
    acl_each_yes(transfer, look_at_transfer, lint);
    look_at_notify(lint, transfer);
    look_at_told(lint, transfer);
    if (zone->type == CONF_ZONE_SECONDARY) {
        look_at_secondary(lint);
        return;
    }
    look_at_primary(lint);
    if (conf_update_policy(lint->conf, zone) == NULL) {
        acl_each_yes(conf_acl(lint->conf, zone, CONF_ALLOW_UPDATE), look_at_update, lint);
    }
}

void conf_lint(const struct conf *conf, conf_report *report, void *context)
{
    struct lint *lint = memory_new_zeroed(1, sizeof(*lint));
    lint->conf = conf;
    lint->report = report;
    lint->context = context;
    for (uint32_t i = 0; i < conf->key_count && !is_full(lint); i++) {
        look_at_key(lint, conf->keys[i]);
    }
    for (uint32_t i = 0; i < conf->zone_count && !is_full(lint); i++) {
        look_at_zone(lint, &conf->zones[i]);
    }
    memory_free(lint);
}
