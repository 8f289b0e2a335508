/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks to contexts; which of the two a block needs shows only when it is used. */
#include "settings/tls_table.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"

struct tls_entry {
    const struct conf_tls *conf;
    struct tls_context *contexts[2]; /* for listening, for connecting */
};

void tls_table_init(struct tls_table *table, const struct conf *conf, const struct tls_table *old,
                    conf_report *report, void *report_context)
{
    *table = (struct tls_table){
        .entries = memory_new_zeroed(conf->tls_count + 1, sizeof(struct tls_entry)),
        .count = conf->tls_count,
        .conf = conf,
        .old = old,
        .report = report,
        .report_context = report_context,
    };
    for (uint32_t i = 0; i < conf->tls_count; i++) {
        table->entries[i].conf = conf->tls[i];
    }
}

void tls_table_deinit(struct tls_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        tls_context_unref(table->entries[i].contexts[0]);
        tls_context_unref(table->entries[i].contexts[1]);
    }
    memory_free(table->entries);
    *table = (struct tls_table){0};
}

static struct tls_entry *find(const struct tls_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->entries[i].conf->name, name) == 0) {
            return &table->entries[i];
        }
    }
    return NULL;
}

static void report(const struct tls_table *table, enum conf_severity severity,
                   const struct conf_tls *tls, const char *text)
{
    if (table->report != NULL) {
        struct conf_finding finding = {severity, tls->where, text};
        table->report(table->report_context, &finding);
    }
}

static struct tls_context *open_context(struct tls_table *table, const struct conf_tls *tls,
                                        bool is_client)
{
    struct tls_options options = {
        .name = tls->name,
        .is_client = is_client,
        .ephemeral = tls->where.file == NULL && strcmp(tls->name, "ephemeral") == 0,
        .cert_file = tls->cert_file,
        .key_file = tls->key_file,
        .ca_file = tls->ca_file,
        .dhparam_file = tls->dhparam_file,
        .remote_hostname = tls->remote_hostname,
        .ciphers = tls->ciphers,
        .pins = tls->pins,
        .pin_count = tls->pin_count,
        .tls12 = tls->tls12,
        .tls13 = tls->tls13,
        .prefer_server_ciphers = tls->prefer_server_ciphers,
        .session_tickets = tls->session_tickets,
    };
    struct tls_entry *before = table->old == NULL ? NULL : find(table->old, tls->name);
    struct tls_context *old = before == NULL ? NULL : before->contexts[is_client];
    struct tls_context *context = NULL;
    struct error err = {0};
    if (tls_context_new(&options, old, &context, &err) == OK) {
        const char *warning = tls_context_warning(context);
        if (warning != NULL) {
            report(table, CONF_WARNING, tls, warning);
        }
        return context;
    }
    error_at(&err, tls->where.file == NULL ? "" : tls->where.file, tls->where.line,
             tls->where.column);
    if (old != NULL) {
        struct text text;
        text_init(&text, 0);
        text_printf(&text, "`tls` block `%s` stays as it was: %s", tls->name, err.text);
        report(table, CONF_ERROR, tls, text_str(&text));
        text_deinit(&text);
        return tls_context_ref(old);
    }
    if (table->failure.code == OK) {
        table->failure = err;
    }
    return NULL;
}

struct tls_context *tls_table_want(struct tls_table *table, const struct conf_tls *tls,
                                   bool is_client)
{
    struct tls_entry *entry = find(table, tls->name);
    if (entry->contexts[is_client] == NULL && table->failure.code == OK) {
        entry->contexts[is_client] = open_context(table, tls, is_client);
    }
    return entry->contexts[is_client];
}

void tls_table_seal(struct tls_table *table)
{
    table->old = NULL;
    table->report = NULL;
    table->report_context = NULL;
}

struct tls_context *tls_table_find_server(const struct tls_table *table, const char *name)
{
    struct tls_entry *entry = find(table, name);
    return entry == NULL ? NULL : entry->contexts[0];
}
