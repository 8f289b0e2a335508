/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `update-policy` (who may update which names and types of a zone), `rate-limit` and
 * `cookie-secret`.
 */
#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "conf/statement_impl.h"
#include "wire/name.h"
#include "wire/rrtype.h"

/* ---- update-policy ----------------------------------------------------------------------- */

enum { MATCH_KERBEROS = 100, MATCH_EXTERNAL };

static const struct keyword match_words[] = {
    {"name", CONF_UPDATE_NAME},
    {"subdomain", CONF_UPDATE_SUBDOMAIN},
    {"zonesub", CONF_UPDATE_ZONESUB},
    {"wildcard", CONF_UPDATE_WILDCARD},
    {"self", CONF_UPDATE_SELF},
    {"selfsub", CONF_UPDATE_SELFSUB},
    {"selfwild", CONF_UPDATE_SELFWILD},
    {"tcp-self", CONF_UPDATE_TCP_SELF},
    {"6to4-self", CONF_UPDATE_6TO4_SELF},
    {"external", MATCH_EXTERNAL},
    {"krb5-self", MATCH_KERBEROS},
    {"krb5-selfsub", MATCH_KERBEROS},
    {"krb5-subdomain", MATCH_KERBEROS},
    {"krb5-subdomain-self-rhs", MATCH_KERBEROS},
    {"ms-self", MATCH_KERBEROS},
    {"ms-selfsub", MATCH_KERBEROS},
    {"ms-subdomain", MATCH_KERBEROS},
    {"ms-subdomain-self-rhs", MATCH_KERBEROS},
    {NULL, 0},
};

/* "A", "TXT(3)". */
static bool read_type(struct cursor *cursor, struct conf_update_type *out)
{
    char quoted[QUOTED_TEXT_SIZE];
    const struct item *item = cursor_text(cursor, "a record type");
    if (item == NULL) {
        return false;
    }
    size_t length = strcspn(item->text, "(");
    const char *rest = item->text + length;
    int64_t max = 0;
    if (*rest == '(') {
        char digits[16];
        size_t size = strlen(rest + 1);
        if (size < 2 || size >= sizeof(digits) || rest[size] != ')') {
            size = 0;
        }
        memcpy(digits, rest + 1, size);
        digits[size == 0 ? 0 : size - 1] = '\0';
        if (!conf_number_parse(digits, UINT16_MAX, &max)) {
            loader_error(cursor->loader, item->where,
                         "`%s`: a bound on the number of records is written TYPE(N)",
                         quoted_text(item->text, quoted));
            return false;
        }
    }
    uint16_t type;
    if (!rrtype_parse(item->text, length, &type)) {
        loader_error(cursor->loader, item->where, "unknown record type `%s`",
                     quoted_text(item->text, quoted));
        return false;
    }
    *out = (struct conf_update_type){.type = type, .max = (uint32_t)max};
    return true;
}

static bool match_is_ours(struct cursor *cursor, const struct item *word, int match)
{
    if (match == MATCH_KERBEROS) {
        loader_error(cursor->loader, word->where,
                     "`%s` needs GSS-TSIG (Kerberos), which Lockstep does not have", word->text);
        return false;
    }
    if (match == MATCH_EXTERNAL) {
        loader_error(cursor->loader, word->where,
                     "`external` asks another program, which Lockstep does not do");
        return false;
    }
    return true;
}

/* ( grant | deny ) IDENTITY MATCH [ NAME ] TYPES */
static bool read_rule(struct cursor *cursor, struct conf_update_rule *out)
{
    static const struct keyword actions[] = {{"grant", 1}, {"deny", 0}, {NULL, 0}};
    struct loader *loader = cursor->loader;
    int grant;
    int match;
    *out = (struct conf_update_rule){.where = cursor_where(cursor)};
    if (!keyword_parse(cursor, actions, &grant)) {
        return false;
    }
    const struct item *identity = cursor_text(cursor, "the name of a key");
    const struct item *word = cursor_peek(cursor);
    if (identity == NULL || !keyword_parse(cursor, match_words, &match) ||
        !match_is_ours(cursor, word, match)) {
        return false;
    }
    out->grant = grant != 0;
    out->identity = loader_keep(loader, identity->text);
    out->identity_name = loader_keep_name(loader, identity->text, identity->where, "identity");
    out->match = (enum conf_update_match)match;
    if (match != CONF_UPDATE_ZONESUB) {
        const struct item *name = cursor_text(cursor, "the name that may be updated");
        if (name == NULL) {
            return false;
        }
        out->name = loader_keep_name(loader, name->text, name->where, "name");
        if (out->name != NULL && match == CONF_UPDATE_WILDCARD && !name_is_wildcard(out->name)) {
            loader_error(loader, name->where, "`wildcard` asks for a name that starts with `*.`");
        }
    }
    struct list types = {0};
    while (cursor_peek(cursor) != NULL) {
        struct conf_update_type type;
        if (!read_type(cursor, &type)) {
            list_deinit(&types);
            return false;
        }
        *(struct conf_update_type *)list_add(&types, sizeof(type)) = type;
    }
    out->type_count = types.count;
    out->types = list_move(&types, sizeof(struct conf_update_type), &loader->conf->arena);
    return true;
}

bool parse_update_policy(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    struct loader *loader = cursor->loader;
    struct conf_update_policy *policy = loader_alloc(loader, sizeof(*policy));
    (void)row;
    out->update_policy = policy;
    if (cursor_skip_word(cursor, "local")) {
        policy->local = true;
        return true;
    }
    const struct block *block = cursor_block(cursor, "`local` or rules between braces");
    if (block == NULL) {
        return false;
    }
    struct list rules = {0};
    for (const struct statement *s = block->first; s != NULL; s = s->next) {
        struct cursor inner = cursor_into(cursor, s);
        struct conf_update_rule rule;
        if (read_rule(&inner, &rule)) {
            *(struct conf_update_rule *)list_add(&rules, sizeof(rule)) = rule;
        }
    }
    policy->rule_count = rules.count;
    policy->rules = list_move(&rules, sizeof(struct conf_update_rule), &loader->conf->arena);
    return true;
}

/* ---- rate-limit -------------------------------------------------------------------------- */

static uint32_t number_of(const struct list *settings, enum conf_id id, uint32_t otherwise)
{
    const struct conf_setting *setting = settings_find(settings, id);
    return setting != NULL ? (uint32_t)setting->number : otherwise;
}

bool parse_rate_limit(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    struct loader *loader = cursor->loader;
    struct list settings = {0};
    (void)row;
    const struct block *block = cursor_block(cursor, "the limits between braces");
    if (block == NULL) {
        return false;
    }
    block_read(cursor, block, IN_RATE_LIMIT, &settings);
    struct conf_rate_limit *limit = loader_alloc(loader, sizeof(*limit));
    uint32_t responses = number_of(&settings, CONF_RATE_RESPONSES, 0);
    const struct conf_setting *exempt = settings_find(&settings, CONF_RATE_EXEMPT);
    *limit = (struct conf_rate_limit){
        .responses = responses,
        .referrals = number_of(&settings, CONF_RATE_REFERRALS, responses),
        .nodata = number_of(&settings, CONF_RATE_NODATA, responses),
        .nxdomains = number_of(&settings, CONF_RATE_NXDOMAINS, responses),
        .errors = number_of(&settings, CONF_RATE_ERRORS, responses),
        .all = number_of(&settings, CONF_RATE_ALL, 0),
        .window_s = number_of(&settings, CONF_RATE_WINDOW, 15),
        .slip = number_of(&settings, CONF_RATE_SLIP, 2),
        .qps_scale = number_of(&settings, CONF_RATE_QPS_SCALE, 0),
        .ipv4_prefix = number_of(&settings, CONF_RATE_IPV4_PREFIX, 24),
        .ipv6_prefix = number_of(&settings, CONF_RATE_IPV6_PREFIX, 56),
        .min_table = number_of(&settings, CONF_RATE_MIN_TABLE, 500),
        .max_table = number_of(&settings, CONF_RATE_MAX_TABLE, 20000),
        .log_only = number_of(&settings, CONF_RATE_LOG_ONLY, 0) != 0,
        .exempt = exempt != NULL ? exempt->acl : loader_alloc(loader, sizeof(struct acl)),
    };
    list_deinit(&settings);
    out->rate_limit = limit;
    return true;
}

/* ---- cookie-secret ----------------------------------------------------------------------- */

bool parse_cookie_secret(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    struct conf *conf = cursor->loader->conf;
    const struct item *item = cursor_text(cursor, "the secret in hexadecimal digits");
    (void)row;
    (void)out;
    if (item == NULL) {
        return false;
    }
    uint8_t *secret = loader_alloc_secret(cursor->loader, CONF_COOKIE_SECRET_SIZE);
    size_t used;
    if (!hex_decode(item->text, strlen(item->text), secret, CONF_COOKIE_SECRET_SIZE, &used) ||
        used != CONF_COOKIE_SECRET_SIZE) {
        loader_error(cursor->loader, item->where,
                     "the cookie secret is not 32 hexadecimal digits (128 bits, for siphash24)");
        return false;
    }
    if (conf->cookie_secret_count == CONF_COOKIE_SECRETS) {
        loader_error(cursor->loader, item->where,
                     "more than %d cookie secrets: the present one and those of a rollover will do",
                     CONF_COOKIE_SECRETS);
        return false;
    }
    conf->cookie_secrets[conf->cookie_secret_count++] = secret;
    return true;
}
