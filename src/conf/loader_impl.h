/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A configuration while it is being read. Statements fill it in the order of the text; names (of
 * address lists, keys, tls blocks, lists of servers) may be used before they are defined, so each
 * use is noted as a reference and looked up at the end (resolve.c).
 */
#ifndef CONF_LOADER_IMPL_H
#define CONF_LOADER_IMPL_H

#include "conf/conf.h"
#include "conf/findings_impl.h"

/* Memory that conf_free wipes (base/secret.h). */
struct conf_secret {
    struct conf_secret *next;
    uint8_t bytes[];
};

/* A growing array of items of one size. */
struct list {
    void *items;
    uint32_t count, capacity;
};

/* A new zeroed item at the end; valid until the next. */
void *list_add(struct list *list, size_t item_size);
void list_deinit(struct list *list);
/* The items in the arena; the list is empty afterwards. NULL for none. */
void *list_move(struct list *list, size_t item_size, struct arena *arena);

/* Something with a name that a reference may mean. */
struct named {
    const char *name;
    struct conf_where where;
    void *object; /* struct acl, conf_key, conf_tls, remotes_draft */
    uint32_t order;
};

enum reference_kind {
    REFERENCE_ACL,
    REFERENCE_KEY,
    REFERENCE_TLS,
    REFERENCE_REMOTES,
    REFERENCE_KINDS
};

struct reference {
    enum reference_kind kind;
    const char *name;
    struct conf_where where;
    const void **target; /* gets the object; NULL: it only has to be there */
};

/* `primaries` and the like before lists in them are put in place of their names. */
struct remotes_use {
    const struct remotes_draft *list; /* resolved */
    const char *name;
    uint32_t position;        /* how many servers stand before it */
    struct conf_remote rules; /* key, tls for those of it without */
};

struct remotes_draft {
    struct conf_remotes *out; /* in the arena; complete where there are no uses */
    uint16_t port;            /* of the list; 0: none */
    struct remotes_use *uses;
    uint32_t use_count;
    enum { REMOTES_NEW, REMOTES_BUSY, REMOTES_DONE } state;
};

struct category_draft {
    int category; /* enum log_category; LOG_CATEGORIES: default; -1: one without events here */
    uint32_t channels_at, channel_count; /* in category_channels */
    struct conf_where where;
};

struct loader {
    struct conf *conf;
    struct findings *findings;
    bool is_default;   /* the built-in text is being read */
    bool may_read;     /* other files than the one it was given */
    bool in_new_zones; /* the file of zones that were added is being read */

    struct list defaults;          /* struct conf_setting */
    struct list options;           /* struct conf_setting */
    struct list zones;             /* struct conf_zone */
    struct list listens;           /* struct conf_listen * */
    struct list servers;           /* struct conf_server */
    struct list controls;          /* struct conf_control * */
    struct list statistics;        /* struct conf_statistics_channel */
    struct list channels;          /* struct conf_channel */
    struct list categories;        /* struct category_draft */
    struct list category_channels; /* struct named: uses of channels by name */
    struct list unused;            /* struct conf_unused */

    struct list named[REFERENCE_KINDS]; /* struct named */
    struct list references;             /* struct reference */
    struct list acls;                   /* struct acl *: all, for the search for loops */
    struct list remotes;                /* struct remotes_draft *: all */
    struct list paths;                  /* const char **: to be made absolute */

    struct conf_where options_at, logging_at, controls_at; /* line 0: not seen */
};

void loader_error(struct loader *loader, struct conf_where where, const char *format, ...)
    PRINTF_LIKE(3, 4);
void loader_warning(struct loader *loader, struct conf_where where, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* new_zones.c: where allow-new-zones asks for it. `instead` of the file's own path; or NULL. */
struct tree_options;
void loader_read_new_zones(struct loader *loader, const struct tree_options *options,
                           const char *instead);

/* Zeroed memory that lives as long as the configuration. */
void *loader_alloc(struct loader *loader, size_t size);
/* As loader_alloc, but wiped by conf_free. */
void *loader_alloc_secret(struct loader *loader, size_t size);
const char *loader_keep(struct loader *loader, const char *text);
/* The name in wire form, kept; NULL after an error that says `what` is wrong with it. */
const uint8_t *loader_keep_name(struct loader *loader, const char *text, struct conf_where where,
                                const char *what);

void loader_define(struct loader *loader, enum reference_kind kind, const char *name,
                   struct conf_where where, void *object);
void loader_refer(struct loader *loader, enum reference_kind kind, const char *name,
                  struct conf_where where, const void **target);
/* *path is made absolute once `directory` is known. */
void loader_path(struct loader *loader, const char **path);
void loader_unused(struct loader *loader, const char *name, struct conf_where where, bool later);

/* Order of names as references see it: without case, without a final dot. */
int loader_compare_names(const char *a, const char *b);

/* resolve.c: names to what they mean; lists into the conf. */
void loader_resolve(struct loader *loader);
/* After loader_resolve has sorted them; NULL where there is none. */
const struct named *loader_find(const struct loader *loader, enum reference_kind kind,
                                const char *name);
/* logging_block.c */
void loader_resolve_logging(struct loader *loader);
/* semantic.c: after `options` is in its place; and the zones, by name. */
void loader_resolve_paths(struct loader *loader);
/* key_block.c: the secret of a key from its text in base64; false after an error. */
bool loader_take_secret(struct loader *loader, struct slice text, struct conf_where where,
                        struct conf_key *key);
/* secret_file.c: the secrets that keys have in files of their own, once paths are absolute. */
void loader_read_secrets(struct loader *loader);
/* semantic.c: what is wrong although each statement is right. */
void loader_check(struct loader *loader);

/* The upper half of a word of conf->by_hash. */
uint32_t conf_zone_hash(const uint8_t *name);

#endif
