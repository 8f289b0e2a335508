/* SPDX-License-Identifier: BSD-3-Clause */
/* `controls` and `statistics-channels`: where operators' tools may connect. */
#include <string.h>
#include <strings.h>

#include "conf/statement_impl.h"

enum { CONTROL_PORT = 953, STATISTICS_PORT = 80 };

bool parse_controls(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    struct loader *loader = cursor->loader;
    (void)row;
    const struct block *block = cursor_block(cursor, "`inet` or `unix` between braces");
    if (block == NULL) {
        return false;
    }
    if (loader->controls_at.line == 0) {
        loader->controls_at = out->where;
    }
    block_read(cursor, block, IN_CONTROLS, NULL);
    return true;
}

bool parse_statistics(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    (void)row;
    (void)out;
    const struct block *block = cursor_block(cursor, "`inet` between braces");
    if (block == NULL) {
        return false;
    }
    block_read(cursor, block, IN_STATISTICS, NULL);
    return true;
}

/* ADDR | * */
static bool read_address(struct cursor *cursor, struct address *out)
{
    return cursor_skip_word(cursor, "*") || cursor_address(cursor, "an address or `*`", out);
}

/* The list that an absent `allow` means: this host. */
static const struct acl *allow_localhost(struct cursor *cursor, struct conf_where where)
{
    struct acl *acl = loader_alloc(cursor->loader, sizeof(*acl));
    struct acl_element *element = loader_alloc(cursor->loader, sizeof(*element));
    *element = (struct acl_element){.kind = ACL_LOCALHOST, .text = "localhost", .where = where};
    *acl = (struct acl){.where = where, .elements = element, .count = 1};
    return acl;
}

static bool read_keys(struct cursor *cursor, const struct row *row, struct conf_control *control)
{
    struct conf_setting keys = {0};
    if (!parse_keys(cursor, row, &keys)) {
        return false;
    }
    const struct conf_key *const *list = keys.object;
    control->keys = list;
    /* They are looked up later; the array is as long as the statement has names. */
    const struct item *item = &cursor->statement->items[cursor->at - 1];
    control->key_count = 1;
    if (item->kind == ITEM_BLOCK) {
        control->key_count = 0;
        for (const struct statement *s = item->block->first; s != NULL; s = s->next) {
            control->key_count++;
        }
    }
    return true;
}

static bool read_bool(struct cursor *cursor, const struct row *row, bool *out)
{
    struct conf_setting value = {0};
    if (!parse_bool(cursor, row, &value)) {
        return false;
    }
    *out = value.number != 0;
    return true;
}

static void keep_control(struct loader *loader, const struct conf_control *control)
{
    struct conf_control *kept = loader_alloc(loader, sizeof(*kept));
    *kept = *control;
    if (kept->path != NULL) {
        loader_path(loader, &kept->path);
    }
    *(struct conf_control **)list_add(&loader->controls, sizeof(kept)) = kept;
}

/* inet ( ADDR | * ) [ port N ] [ allow { … } ] [ keys { … } ] [ read-only BOOL ] */
bool parse_control_inet(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    struct conf_control control = {.where = out->where};
    uint16_t port = CONTROL_PORT;
    if (!read_address(cursor, &control.address)) {
        return false;
    }
    for (;;) {
        if (cursor_at_word(cursor, "port")) {
            if (!cursor_port(cursor, &port)) {
                return false;
            }
        } else if (cursor_skip_word(cursor, "allow")) {
            if ((control.allow = acl_read(cursor)) == NULL) {
                return false;
            }
        } else if (cursor_skip_word(cursor, "keys")) {
            if (!read_keys(cursor, row, &control)) {
                return false;
            }
        } else if (cursor_skip_word(cursor, "read-only")) {
            if (!read_bool(cursor, row, &control.read_only)) {
                return false;
            }
        } else {
            break;
        }
    }
    control.address.port = port == 0 ? CONTROL_PORT : port;
    if (control.allow == NULL) {
        control.allow = allow_localhost(cursor, out->where);
    }
    keep_control(cursor->loader, &control);
    return true;
}

/* 0660 is octal, as in C and in BIND. */
static bool read_mode(struct cursor *cursor, uint32_t *out)
{
    const struct item *item = cursor_peek(cursor);
    uint32_t mode = 0;
    const char *p = item != NULL && item->kind == ITEM_WORD ? item->text : "";
    while (*p >= '0' && *p <= '7' && mode <= 07777) {
        mode = mode * 8 + (uint32_t)(*p++ - '0');
    }
    if (item == NULL || item->kind != ITEM_WORD || *p != '\0' || item->text[0] != '0' ||
        mode > 07777) {
        cursor_expected(cursor, "permissions in octal such as 0600");
        return false;
    }
    cursor->at++;
    *out = mode;
    return true;
}

/* unix PATH perm MODE owner N group N [ keys { … } ] [ read-only BOOL ] */
bool parse_control_unix(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    struct conf_control control = {.is_unix = true, .where = out->where};
    int64_t owner = 0;
    int64_t group = 0;
    struct conf_setting path = {0};
    if (!parse_path(cursor, row, &path)) {
        return false;
    }
    static const char *const order[] = {"perm", "owner", "group"};
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        if (!cursor_skip_word(cursor, order[i])) {
            cursor_expected(cursor, i == 0 ? "`perm`" : i == 1 ? "`owner`" : "`group`");
            return false;
        }
        if (i == 0 ? !read_mode(cursor, &control.mode)
                   : !cursor_number(cursor, "a user or group number", 0, UINT32_MAX,
                                    i == 1 ? &owner : &group)) {
            return false;
        }
    }
    control.path = path.text;
    control.owner = (uint32_t)owner;
    control.group = (uint32_t)group;
    for (;;) {
        if (cursor_skip_word(cursor, "keys")) {
            if (!read_keys(cursor, row, &control)) {
                return false;
            }
        } else if (cursor_skip_word(cursor, "read-only")) {
            if (!read_bool(cursor, row, &control.read_only)) {
                return false;
            }
        } else {
            break;
        }
    }
    keep_control(cursor->loader, &control);
    return true;
}

/* inet ( ADDR | * ) [ port N ] [ allow { … } ] */
bool parse_statistics_inet(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    struct conf_statistics_channel channel = {.where = out->where};
    uint16_t port = STATISTICS_PORT;
    (void)row;
    if (!read_address(cursor, &channel.address) || !cursor_port(cursor, &port)) {
        return false;
    }
    if (cursor_skip_word(cursor, "allow") && (channel.allow = acl_read(cursor)) == NULL) {
        return false;
    }
    channel.address.port = port == 0 ? STATISTICS_PORT : port;
    if (channel.allow == NULL) {
        struct acl *any = loader_alloc(cursor->loader, sizeof(*any));
        struct acl_element *element = loader_alloc(cursor->loader, sizeof(*element));
        *element = (struct acl_element){.kind = ACL_ANY, .text = "any", .where = out->where};
        *any = (struct acl){.where = out->where, .elements = element, .count = 1};
        channel.allow = any;
    }
    *(struct conf_statistics_channel *)list_add(&cursor->loader->statistics, sizeof(channel)) =
        channel;
    return true;
}
