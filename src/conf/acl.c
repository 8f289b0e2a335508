/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Matching. Lists are short and asked once a transfer, NOTIFY or TCP connection, so they are walked
 * in the order the operator wrote. Loops were cut and the length bounded when they were loaded; a
 * list that was cut is NULL and matches nothing.
 */
#include "conf/acl.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "wire/name.h"

static bool key_matches(const struct acl_element *element, const struct acl_subject *subject)
{
    return subject->key != NULL && element->key_name != NULL &&
           name_equal(subject->key, element->key_name);
}

static bool is_local_address(const struct acl_subject *subject)
{
    for (size_t i = 0; i < subject->local_address_count; i++) {
        if (address_same_host(&subject->local_addresses[i], subject->peer)) {
            return true;
        }
    }
    return false;
}

static bool is_local_network(const struct acl_subject *subject)
{
    for (size_t i = 0; i < subject->local_network_count; i++) {
        if (prefix_contains(&subject->local_networks[i], subject->peer)) {
            return true;
        }
    }
    return false;
}

/* DNS names: without case, a final dot does not count. No wildcards: who may have a zone is named.
 */
static bool tls_client_matches(const char *wanted, const struct acl_subject *subject)
{
    size_t size = strlen(wanted);
    size -= size > 1 && wanted[size - 1] == '.';
    for (size_t at = 0; at < subject->tls_names.size;) {
        const char *name = (const char *)subject->tls_names.data + at;
        size_t name_size = strlen(name);
        at += name_size + 1;
        name_size -= name_size > 1 && name[name_size - 1] == '.';
        if (name_size == size && strncasecmp(name, wanted, size) == 0) {
            return true;
        }
    }
    return false;
}

static bool element_matches(const struct acl_element *element, const struct acl_subject *subject,
                            const struct acl_element **inner)
{
    if (element->tls_client != NULL && !tls_client_matches(element->tls_client, subject)) {
        return false;
    }
    switch (element->kind) {
    case ACL_ANY:
    case ACL_TLS_CLIENT:
        return true;
    case ACL_LOCALHOST:
        return is_local_address(subject);
    case ACL_LOCALNETS:
        return is_local_network(subject);
    case ACL_PREFIX:
        return prefix_contains(&element->prefix, subject->peer);
    case ACL_KEY:
        return key_matches(element, subject);
    case ACL_PREFIX_KEY:
        return prefix_contains(&element->prefix, subject->peer) && key_matches(element, subject);
    case ACL_LIST:
        if (element->list != NULL) {
            struct acl_verdict verdict = acl_match(element->list, subject);
            *inner = verdict.inner != NULL ? verdict.inner : verdict.rule;
            return verdict.allowed;
        }
        return false;
    }
    return false;
}

struct acl_verdict acl_match(const struct acl *acl, const struct acl_subject *subject)
{
    struct acl_verdict verdict = {0};
    if ((acl->port != 0 && acl->port != subject->local_port) ||
        (acl->transports != 0 && (acl->transports & subject->transport) == 0)) {
        return verdict;
    }
    for (uint32_t i = 0; i < acl->count; i++) {
        const struct acl_element *inner = NULL;
        if (element_matches(&acl->elements[i], subject, &inner)) {
            verdict.allowed = !acl->elements[i].negated;
            verdict.rule = &acl->elements[i];
            verdict.inner = inner;
            break;
        }
    }
    return verdict;
}

const char *acl_verdict_format(const struct acl_verdict *verdict, char *out, size_t size)
{
    const struct acl_element *rule = verdict->rule;
    const struct acl_element *inner = verdict->inner;
    if (rule == NULL) {
        snprintf(out, size, "no element matches");
    } else if (rule->where.file == NULL) {
        snprintf(out, size, "`%s` by default", rule->text);
    } else if (inner == NULL || inner->where.file == NULL) {
        snprintf(out, size, "`%s` at %s:%u", rule->text, rule->where.file, rule->where.line);
    } else {
        snprintf(out, size, "`%s` at %s:%u, by `%s` at %s:%u", rule->text, rule->where.file,
                 rule->where.line, inner->text, inner->where.file, inner->where.line);
    }
    return out;
}

bool acl_is_none(const struct acl *acl)
{
    return acl->count == 0 || (acl->elements[0].kind == ACL_ANY && acl->elements[0].negated &&
                               acl->elements[0].tls_client == NULL);
}

/* The networks before the end only say yes, so it is `any` behind them that counts. */
bool acl_is_any(const struct acl *acl)
{
    for (uint32_t i = 0; i < acl->count; i++) {
        const struct acl_element *element = &acl->elements[i];
        if (element->negated) {
            return false;
        }
        if ((element->kind == ACL_ANY && element->tls_client == NULL) ||
            (element->kind == ACL_LIST && element->list != NULL && acl_is_any(element->list))) {
            return true;
        }
    }
    return false;
}

bool acl_has_key(const struct acl *acl)
{
    for (uint32_t i = 0; i < acl->count; i++) {
        const struct acl_element *element = &acl->elements[i];
        if (element->kind == ACL_KEY || element->kind == ACL_PREFIX_KEY ||
            (element->list != NULL && acl_has_key(element->list))) {
            return true;
        }
    }
    return false;
}

void acl_each_yes(const struct acl *acl,
                  void (*visit)(void *context, const struct acl_element *element), void *context)
{
    for (uint32_t i = 0; i < acl->count; i++) {
        const struct acl_element *element = &acl->elements[i];
        if (element->negated) {
            continue;
        }
        if (element->kind != ACL_LIST) {
            visit(context, element);
        } else if (element->list != NULL) {
            acl_each_yes(element->list, visit, context);
        }
    }
}
