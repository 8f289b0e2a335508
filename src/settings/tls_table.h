/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The `tls` blocks of a configuration, their files read: one context for listening and one for
 * connecting where each is wanted. Filled while the settings are made, read-only then; any thread.
 *
 * A file that has become bad since the last time does not stop a reload: what was read then stays in
 * use, and an error says so.
 */
#ifndef SETTINGS_TLS_TABLE_H
#define SETTINGS_TLS_TABLE_H

#include "conf/conf.h"
#include "net/tls.h"

struct tls_table {
    struct tls_entry *entries; /* as conf->tls: by name */
    size_t count;
    const struct conf *conf;     /* borrowed */
    const struct tls_table *old; /* while it is filled; may be NULL */
    conf_report *report;
    void *report_context;
    struct error failure; /* the first that nothing could make up for; code OK: none */
};

/* report: for warnings, and for errors where the old files stay; may be NULL. */
void tls_table_init(struct tls_table *table, const struct conf *conf, const struct tls_table *old,
                    conf_report *report, void *report_context);
/* Drops the references; contexts that a connection still holds live on. */
void tls_table_deinit(struct tls_table *table);
/* The context of a block, read where it is asked for the first time; NULL: see `failure`. */
struct tls_context *tls_table_want(struct tls_table *table, const struct conf_tls *tls,
                                   bool is_client);
/* It is filled: what it was filled with the help of may go. */
void tls_table_seal(struct tls_table *table);
/* The context for listening of the block of this name, borrowed, or NULL. */
struct tls_context *tls_table_find_server(const struct tls_table *table, const char *name);

#endif
