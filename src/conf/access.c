/* SPDX-License-Identifier: BSD-3-Clause */
/* Asking a loaded configuration: zone, else options, else default. */
#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>

#include "conf/loader_impl.h"
#include "conf/statement_impl.h"
#include "wire/name.h"

static const struct conf_setting *find_in(const struct conf_setting *settings, uint32_t count,
                                          enum conf_id id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (settings[i].id == id) {
            return &settings[i];
        }
    }
    return NULL;
}

const struct conf_setting *conf_find(const struct conf *conf, const struct conf_zone *zone,
                                     enum conf_id id)
{
    const struct conf_setting *own =
        zone != NULL ? find_in(zone->settings, zone->setting_count, id) : NULL;
    return own != NULL ? own : conf->options[id];
}

bool conf_is_set(const struct conf *conf, const struct conf_zone *zone, enum conf_id id)
{
    const struct conf_setting *setting = conf_find(conf, zone, id);
    return setting != NULL && setting->where.file != NULL;
}

static const struct conf_setting *get(const struct conf *conf, const struct conf_zone *zone,
                                      enum conf_id id)
{
    const struct conf_setting *setting = conf_find(conf, zone, id);
    REQUIRE(setting != NULL); /* an id without default: ask with conf_find */
    return setting;
}

int64_t conf_number(const struct conf *conf, const struct conf_zone *zone, enum conf_id id)
{
    return get(conf, zone, id)->number;
}

bool conf_bool(const struct conf *conf, const struct conf_zone *zone, enum conf_id id)
{
    const struct conf_setting *setting = conf_find(conf, zone, id);
    return setting != NULL && setting->number != 0;
}

const char *conf_text(const struct conf *conf, const struct conf_zone *zone, enum conf_id id)
{
    const struct conf_setting *setting = conf_find(conf, zone, id);
    return setting != NULL && setting->special == CONF_SPECIAL_NOT ? setting->text : NULL;
}

const struct acl *conf_acl(const struct conf *conf, const struct conf_zone *zone, enum conf_id id)
{
    return get(conf, zone, id)->acl;
}

const struct conf_remotes *conf_remotes(const struct conf *conf, const struct conf_zone *zone,
                                        enum conf_id id)
{
    static const struct conf_remotes none = {0};
    const struct conf_setting *setting = conf_find(conf, zone, id);
    return setting != NULL ? setting->remotes : &none;
}

struct address conf_address(const struct conf *conf, const struct conf_zone *zone, enum conf_id id)
{
    return *get(conf, zone, id)->address;
}

const struct conf_update_policy *conf_update_policy(const struct conf *conf,
                                                    const struct conf_zone *zone)
{
    const struct conf_setting *setting = conf_find(conf, zone, CONF_UPDATE_POLICY);
    return setting != NULL ? setting->update_policy : NULL;
}

const struct conf_checker *conf_checker(const struct conf *conf, const struct conf_zone *zone)
{
    const struct conf_setting *setting = conf_find(conf, zone, CONF_CHECKER);
    return setting != NULL && setting->special == CONF_SPECIAL_NOT ? setting->object : NULL;
}

const struct conf_rate_limit *conf_rate_limit(const struct conf *conf)
{
    const struct conf_setting *setting = conf_find(conf, NULL, CONF_RATE_LIMIT);
    return setting != NULL ? setting->rate_limit : NULL;
}

const struct conf_padding *conf_response_padding(const struct conf *conf)
{
    return get(conf, NULL, CONF_RESPONSE_PADDING)->object;
}

enum conf_check conf_check_names(const struct conf *conf, const struct conf_zone *zone)
{
    enum conf_id id =
        zone->type == CONF_ZONE_PRIMARY ? CONF_CHECK_NAMES_PRIMARY : CONF_CHECK_NAMES_SECONDARY;
    return (enum conf_check)conf_number(conf, zone, id);
}

static bool same_keys(const struct conf_remote *a, const struct conf_remote *b)
{
    bool same = a->key == b->key && (a->keys == NULL) == (b->keys == NULL);
    for (uint32_t i = 0; same && a->keys != NULL && (i == 0 || a->keys[i - 1] != NULL); i++) {
        same = a->keys[i] == b->keys[i];
    }
    return same;
}

/* Lists are compared by what is in them: a thousand zones name the same primaries, each for itself. */
static bool same_remotes(const struct conf_remotes *a, const struct conf_remotes *b)
{
    bool same = a->count == b->count && address_equal(&a->source, &b->source) &&
                address_equal(&a->source_v6, &b->source_v6);
    for (uint32_t i = 0; same && i < a->count; i++) {
        same = address_equal(&a->servers[i].address, &b->servers[i].address) &&
               same_keys(&a->servers[i], &b->servers[i]) && a->servers[i].tls == b->servers[i].tls;
    }
    return same;
}

/* Where an element refuses, the log names its line; so lists with one that does are not the same. */
static bool same_acl(const struct acl *a, const struct acl *b)
{
    bool same = a->name == NULL && b->name == NULL && a->count == b->count && a->count != 0 &&
                a->port == b->port && a->transports == b->transports;
    for (uint32_t i = 0; same && i < a->count; i++) {
        const struct acl_element *x = &a->elements[i], *y = &b->elements[i];
        bool has_prefix = x->kind == ACL_PREFIX || x->kind == ACL_PREFIX_KEY;
        bool has_key = x->kind == ACL_KEY || x->kind == ACL_PREFIX_KEY;
        same = x->kind == y->kind && !x->negated && !y->negated && x->list == y->list &&
               x->tls_client == NULL && y->tls_client == NULL &&
               (!has_prefix || prefix_equal(&x->prefix, &y->prefix)) &&
               (!has_key || name_equal(x->key_name, y->key_name));
    }
    return same;
}

static bool same_value(const struct conf_setting *a, const struct conf_setting *b)
{
    if (a->id == CONF_ZONE_FILE || a->object == b->object) {
        return true;
    }
    if (a->id == CONF_PRIMARIES || a->id == CONF_ALSO_NOTIFY) {
        return same_remotes(a->remotes, b->remotes);
    }
    return (a->id == CONF_ALLOW_QUERY || a->id == CONF_ALLOW_TRANSFER ||
            a->id == CONF_ALLOW_NOTIFY || a->id == CONF_ALLOW_UPDATE) &&
           same_acl(a->acl, b->acl);
}

bool conf_zones_alike(const struct conf_zone *a, const struct conf_zone *b)
{
    bool alike = a->type == b->type && a->class == b->class && a->setting_count == b->setting_count;
    for (uint32_t i = 0; alike && i < a->setting_count; i++) {
        const struct conf_setting *x = &a->settings[i], *y = &b->settings[i];
        alike = x->id == y->id && x->special == y->special && same_value(x, y);
    }
    return alike;
}

uint32_t conf_zone_hash(const uint8_t *name)
{
    return (uint32_t)(name_hash(0, name) >> 32);
}

const struct conf_zone *conf_zone_find(const struct conf *conf, const uint8_t *name)
{
    uint64_t hash = conf_zone_hash(name);
    uint32_t low = 0, high = conf->zone_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (conf->by_hash[middle] < hash << 32) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < conf->zone_count && conf->by_hash[low] >> 32 == hash; low++) {
        const struct conf_zone *zone = &conf->zones[(uint32_t)conf->by_hash[low]];
        if (name_equal(zone->wire, name)) {
            return zone;
        }
    }
    return NULL;
}

const struct conf_key *conf_key_find(const struct conf *conf, const uint8_t *name)
{
    for (uint32_t i = 0; i < conf->key_count; i++) {
        if (name_equal(conf->keys[i]->wire, name)) {
            return conf->keys[i];
        }
    }
    return NULL;
}

const struct conf_server *conf_server_find(const struct conf *conf, const struct address *address)
{
    const struct conf_server *best = NULL;
    for (uint32_t i = 0; i < conf->server_count; i++) {
        const struct conf_server *server = &conf->servers[i];
        if (prefix_contains(&server->prefix, address) &&
            (best == NULL || server->prefix.bits > best->prefix.bits)) {
            best = server;
        }
    }
    return best;
}

const struct conf_setting *conf_server_setting(const struct conf_server *server, enum conf_id id)
{
    return find_in(server->settings, server->setting_count, id);
}

const char *conf_id_name(enum conf_id id)
{
    if (id == CONF_CHECK_NAMES_SECONDARY || id == CONF_CHECK_NAMES_RESPONSE) {
        return "check-names";
    }
    for (unsigned i = 0; i < statement_count; i++) {
        if (statement_table[i].id == id && id != CONF_NONE) {
            return statement_table[i].name;
        }
    }
    return "unknown";
}

void conf_report_unused(const struct conf *conf, conf_report *report, void *context)
{
    for (uint32_t i = 0; i < conf->unused_count; i++) {
        char text[160];
        snprintf(text, sizeof(text), "`%s` is accepted; %s", conf->unused[i].name,
                 conf->unused[i].later ? "it has no effect in this version"
                                       : "it has no meaning for an authoritative server");
        struct conf_finding finding = {CONF_NOTICE, conf->unused[i].where, text};
        report(context, &finding);
    }
}
