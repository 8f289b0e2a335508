/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names to what they mean, once all of the text has been read: each kind of name is sorted (and
 * found to be defined twice), each reference looked up, with the nearest name where there is none.
 * Then lists of servers get the lists they name in their places, and address lists are searched for
 * loops, which are cut so that everything after may walk them without care.
 *
 * A list may hold another twice, and that one a third twice, and so on: what the whole comes to is
 * bounded, else a page of text could ask for 2^100 comparisons.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/loader_impl.h"
#include "conf/nearest_impl.h"
#include "wire/name.h"

enum { NESTING_MAX = 64, ELEMENTS_MAX = 100000, SERVERS_MAX = 65535 };

static const char *const kind_names[REFERENCE_KINDS] = {
    [REFERENCE_ACL] = "address list (`acl`)",
    [REFERENCE_KEY] = "key",
    [REFERENCE_TLS] = "`tls` block",
    [REFERENCE_REMOTES] = "list of servers (`primaries`)",
};

int loader_compare_names(const char *a, const char *b)
{
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);
    a_size -= a_size > 1 && a[a_size - 1] == '.';
    b_size -= b_size > 1 && b[b_size - 1] == '.';
    int order = strncasecmp(a, b, a_size < b_size ? a_size : b_size);
    if (order != 0) {
        return order;
    }
    return a_size < b_size ? -1 : a_size > b_size;
}

static int compare_named(const void *a, const void *b)
{
    const struct named *x = a;
    const struct named *y = b;
    int order = loader_compare_names(x->name, y->name);
    return order != 0 ? order : x->order < y->order ? -1 : 1;
}

const struct named *loader_find(const struct loader *loader, enum reference_kind kind,
                                const char *name)
{
    const struct named *items = loader->named[kind].items;
    uint32_t low = 0, high = loader->named[kind].count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (loader_compare_names(items[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found =
        low < loader->named[kind].count && loader_compare_names(items[low].name, name) == 0;
    return found ? &items[low] : NULL;
}

static void sort_names(struct loader *loader, enum reference_kind kind)
{
    struct named *items = loader->named[kind].items;
    uint32_t count = loader->named[kind].count;
    char quoted[QUOTED_TEXT_SIZE];
    if (count > 1) {
        qsort(items, count, sizeof(*items), compare_named);
    }
    for (uint32_t i = 1; i < count; i++) {
        if (loader_compare_names(items[i - 1].name, items[i].name) == 0) {
            loader_error(loader, items[i].where,
                         "%s `%s` is defined a second time; the first is in line %u of %s",
                         kind_names[kind], quoted_text(items[i].name, quoted),
                         items[i - 1].where.line,
                         items[i - 1].where.file != NULL ? items[i - 1].where.file : "itself");
        }
    }
}

static void not_found(struct loader *loader, const struct reference *reference)
{
    const struct named *items = loader->named[reference->kind].items;
    char quoted[QUOTED_TEXT_SIZE];
    struct nearest nearest;
    nearest_init(&nearest, reference->name);
    for (uint32_t i = 0; i < loader->named[reference->kind].count; i++) {
        nearest_offer(&nearest, items[i].name);
    }
    if (reference->kind == REFERENCE_ACL) {
        static const char *const built_in[] = {"any", "none", "localhost", "localnets", "key"};
        for (size_t i = 0; i < ARRAY_SIZE(built_in); i++) {
            nearest_offer(&nearest, built_in[i]);
        }
    }
    loader_error(loader, reference->where,
                 nearest.best != NULL ? "there is no %s `%s`; did you mean `%s`?"
                                      : "there is no %s `%s`",
                 kind_names[reference->kind], quoted_text(reference->name, quoted), nearest.best);
}

static void resolve_references(struct loader *loader)
{
    const struct reference *references = loader->references.items;
    for (uint32_t i = 0; i < loader->references.count; i++) {
        const struct reference *r = &references[i];
        if (r->kind == REFERENCE_TLS && strcasecmp(r->name, "none") == 0) {
            continue; /* NULL already means so */
        }
        const struct named *named = loader_find(loader, r->kind, r->name);
        if (named != NULL && r->kind == REFERENCE_KEY) {
            ((struct conf_key *)named->object)->is_used = true;
        }
        if (named == NULL) {
            not_found(loader, r);
        } else if (r->target != NULL) {
            *r->target = named->object;
        }
    }
}

/* ---- address lists ----------------------------------------------------------------------- */

struct acl_visit {
    enum { VISIT_NEW, VISIT_BUSY, VISIT_DONE } state;
    uint32_t weight; /* comparisons it can take */
    unsigned height; /* lists in lists below it */
};

/* Loops are cut and reported. `visits` has one for each named list, as sorted. */
static struct acl_visit visit_acl(struct loader *loader, struct acl_visit *visits, struct acl *acl,
                                  unsigned depth)
{
    const struct named *items = loader->named[REFERENCE_ACL].items;
    const struct named *named =
        acl->name != NULL ? loader_find(loader, REFERENCE_ACL, acl->name) : NULL;
    struct acl_visit *own = named != NULL ? &visits[named - items] : NULL;
    struct acl_visit visit = {.state = VISIT_BUSY, .weight = 1};
    if (own != NULL && own->state == VISIT_DONE) {
        return *own;
    }
    if (own != NULL) {
        *own = visit;
    }
    for (uint32_t i = 0; i < acl->count; i++) {
        struct acl_element *element = (struct acl_element *)(uintptr_t)&acl->elements[i];
        const char *wrong = NULL;
        visit.weight++;
        if (element->list == NULL) {
            continue;
        }
        const struct named *inner = element->list->name != NULL
                                        ? loader_find(loader, REFERENCE_ACL, element->list->name)
                                        : NULL;
        if (inner != NULL && visits[inner - items].state == VISIT_BUSY) {
            wrong = "this list holds itself, through";
        } else if (depth == NESTING_MAX) {
            wrong = "lists are nested too deep at";
        } else {
            struct acl_visit below =
                visit_acl(loader, visits, (struct acl *)(uintptr_t)element->list, depth + 1);
            if (below.height + 1 > NESTING_MAX) {
                wrong = "lists are nested too deep at";
            } else if (visit.weight + below.weight > ELEMENTS_MAX) {
                wrong = "with the lists in it this list is too long, at";
            } else {
                visit.weight += below.weight;
                visit.height = visit.height > below.height ? visit.height : below.height + 1;
            }
        }
        if (wrong != NULL) {
            loader_error(loader, element->where, "%s `%s`", wrong, element->text);
            element->list = NULL;
        }
    }
    visit.state = VISIT_DONE;
    if (own != NULL) {
        *own = visit;
    }
    return visit;
}

static void resolve_acls(struct loader *loader)
{
    struct acl *const *acls = loader->acls.items;
    struct acl_visit *visits =
        memory_new_zeroed(loader->named[REFERENCE_ACL].count + 1, sizeof(*visits));
    for (uint32_t i = 0; i < loader->acls.count; i++) {
        (void)visit_acl(loader, visits, acls[i], 0);
    }
    memory_free(visits);
}

/* ---- lists of servers -------------------------------------------------------------------- */

static void flatten(struct loader *loader, struct remotes_draft *draft, unsigned depth);

/* How many servers the list comes to with the lists in it, those being flat already. */
static uint32_t flat_count(struct loader *loader, struct remotes_draft *draft)
{
    uint64_t count = draft->out->count;
    for (uint32_t i = 0; i < draft->use_count; i++) {
        const struct remotes_draft *list = draft->uses[i].list;
        count += list != NULL ? list->out->count : 0;
        if (count > SERVERS_MAX) {
            loader_error(loader, draft->uses[i].rules.where,
                         "with the lists in it this list has more than %d servers", SERVERS_MAX);
            draft->use_count = i;
            return flat_count(loader, draft);
        }
    }
    return (uint32_t)count;
}

static void flatten_uses(struct loader *loader, struct remotes_draft *draft, unsigned depth)
{
    for (uint32_t i = 0; i < draft->use_count; i++) {
        struct remotes_use *use = &draft->uses[i];
        struct remotes_draft *list = (struct remotes_draft *)(uintptr_t)use->list;
        if (list == NULL) {
            continue;
        }
        if (list->state == REMOTES_BUSY || depth == NESTING_MAX) {
            loader_error(loader, use->rules.where,
                         list->state == REMOTES_BUSY ? "this list holds itself, through `%s`"
                                                     : "lists are nested too deep at `%s`",
                         use->name);
            use->list = NULL;
            continue;
        }
        flatten(loader, list, depth + 1);
    }
}

static void flatten(struct loader *loader, struct remotes_draft *draft, unsigned depth)
{
    if (draft->state != REMOTES_NEW) {
        return;
    }
    draft->state = REMOTES_BUSY;
    flatten_uses(loader, draft, depth);
    uint32_t count = flat_count(loader, draft);
    if (draft->use_count != 0) {
        struct conf_remote *flat = loader_alloc(loader, (count + 1) * sizeof(*flat));
        uint32_t used = 0, own = 0;
        for (uint32_t i = 0; i <= draft->use_count; i++) {
            uint32_t until = i < draft->use_count ? draft->uses[i].position : draft->out->count;
            while (own < until) {
                flat[used++] = draft->out->servers[own++];
            }
            const struct remotes_use *use = i < draft->use_count ? &draft->uses[i] : NULL;
            for (uint32_t j = 0; use != NULL && use->list != NULL && j < use->list->out->count;
                 j++) {
                struct conf_remote *server = &flat[used++];
                *server = use->list->out->servers[j];
                if (server->key == NULL) {
                    server->key = use->rules.key;
                    server->keys = use->rules.keys;
                }
                server->tls = server->tls != NULL ? server->tls : use->rules.tls;
                server->address.port =
                    server->address.port != 0 ? server->address.port : draft->port;
            }
        }
        draft->out->servers = flat;
        draft->out->count = used;
    }
    draft->state = REMOTES_DONE;
}

/* ---- into the conf ----------------------------------------------------------------------- */

static const void *const *objects_of(struct loader *loader, enum reference_kind kind)
{
    const struct named *items = loader->named[kind].items;
    uint32_t count = loader->named[kind].count;
    const void **objects = loader_alloc(loader, (count + 1) * sizeof(*objects));
    for (uint32_t i = 0; i < count; i++) {
        objects[i] = kind == REFERENCE_REMOTES
                         ? (const void *)((const struct remotes_draft *)items[i].object)->out
                         : items[i].object;
    }
    return objects;
}

static void move_names(struct loader *loader)
{
    struct conf *conf = loader->conf;
    conf->acls = (const struct acl *const *)objects_of(loader, REFERENCE_ACL);
    conf->acl_count = loader->named[REFERENCE_ACL].count;
    conf->keys = (const struct conf_key *const *)objects_of(loader, REFERENCE_KEY);
    conf->key_count = loader->named[REFERENCE_KEY].count;
    conf->tls = (const struct conf_tls *const *)objects_of(loader, REFERENCE_TLS);
    conf->tls_count = loader->named[REFERENCE_TLS].count;
    conf->remotes = (const struct conf_remotes *const *)objects_of(loader, REFERENCE_REMOTES);
    conf->remotes_count = loader->named[REFERENCE_REMOTES].count;
}

static void move_options(struct loader *loader)
{
    struct conf *conf = loader->conf;
    uint32_t default_count = loader->defaults.count;
    uint32_t count = loader->options.count;
    const struct conf_setting *defaults =
        list_move(&loader->defaults, sizeof(*defaults), &conf->arena);
    const struct conf_setting *options =
        list_move(&loader->options, sizeof(*options), &conf->arena);
    for (uint32_t i = 0; i < default_count; i++) {
        conf->options[defaults[i].id] = &defaults[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        conf->options[options[i].id] = &options[i];
    }
}

/* Where nothing is said: every address of both families. */
static void default_listens(struct loader *loader)
{
    struct acl *any = loader_alloc(loader, sizeof(*any));
    struct acl_element *element = loader_alloc(loader, sizeof(*element));
    *element = (struct acl_element){.kind = ACL_ANY, .text = "any"};
    *any = (struct acl){.elements = element, .count = 1};
    bool given[2] = {false, false};
    struct conf_listen *const *listens = loader->listens.items;
    for (uint32_t i = 0; i < loader->listens.count; i++) {
        given[listens[i]->v6] = true;
    }
    for (int v6 = 0; v6 < 2; v6++) {
        if (!given[v6]) {
            struct conf_listen *listen = loader_alloc(loader, sizeof(*listen));
            *listen = (struct conf_listen){.v6 = v6 != 0, .addresses = any};
            *(struct conf_listen **)list_add(&loader->listens, sizeof(listen)) = listen;
        }
    }
}

static void move_blocks(struct loader *loader)
{
    struct conf *conf = loader->conf;
    default_listens(loader);
    struct conf_listen *const *listens = loader->listens.items;
    struct conf_listen *listen_array =
        loader_alloc(loader, loader->listens.count * sizeof(*listen_array));
    for (uint32_t i = 0; i < loader->listens.count; i++) {
        listen_array[i] = *listens[i];
    }
    conf->listens = listen_array;
    conf->listen_count = loader->listens.count;
    struct conf_control *const *controls = loader->controls.items;
    struct conf_control *control_array =
        loader_alloc(loader, (loader->controls.count + 1) * sizeof(*control_array));
    for (uint32_t i = 0; i < loader->controls.count; i++) {
        control_array[i] = *controls[i];
    }
    conf->controls = control_array;
    conf->control_count = loader->controls.count;
    conf->controls_given = loader->controls_at.line != 0;
    conf->statistics_channel_count = loader->statistics.count;
    conf->statistics_channels =
        list_move(&loader->statistics, sizeof(*conf->statistics_channels), &conf->arena);
    conf->unused_count = loader->unused.count;
    conf->unused = list_move(&loader->unused, sizeof(*conf->unused), &conf->arena);
    conf->server_count = loader->servers.count;
    struct conf_server *servers = list_move(&loader->servers, sizeof(*servers), &conf->arena);
    for (uint32_t i = 0; i < conf->server_count; i++) {
        const struct conf_setting *keys = conf_server_setting(&servers[i], CONF_KEYS);
        if (keys != NULL) {
            servers[i].keys = keys->object;
            servers[i].key = servers[i].keys[0];
            uint32_t count = 0;
            while (servers[i].keys[count] != NULL) {
                count++;
            }
            if (count > CONF_KEYS_PER_SERVER) {
                loader_error(loader, keys->where,
                             "%u keys for one server; %d can be tried, and two are enough for a "
                             "rollover",
                             count, CONF_KEYS_PER_SERVER);
            }
        }
    }
    conf->servers = servers;
}

void loader_resolve(struct loader *loader)
{
    static const char ephemeral_name[] = "ephemeral";
    struct conf_tls *ephemeral = loader_alloc(loader, sizeof(*ephemeral));
    *ephemeral = (struct conf_tls){.name = ephemeral_name, .tls13 = true, .session_tickets = true};
    loader_define(loader, REFERENCE_TLS, ephemeral_name, ephemeral->where, ephemeral);
    for (int kind = 0; kind < REFERENCE_KINDS; kind++) {
        sort_names(loader, (enum reference_kind)kind);
    }
    resolve_references(loader);
    resolve_acls(loader);
    struct remotes_draft *const *remotes = loader->remotes.items;
    for (uint32_t i = 0; i < loader->remotes.count; i++) {
        flatten(loader, remotes[i], 0);
    }
    loader_resolve_logging(loader);
    move_options(loader);
    move_names(loader);
    move_blocks(loader);
    loader_resolve_paths(loader);
}
