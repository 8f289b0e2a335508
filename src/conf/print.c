/* SPDX-License-Identifier: BSD-3-Clause */
/* A configuration in one layout: a statement a line, blocks indented by tabs, includes in place of
 * their statement, secrets as question marks. What is printed loads again, but for those. */
#include "conf/conf.h"
#include "conf/tree_impl.h"

static void indent(struct text *out, unsigned depth)
{
    while (depth-- > 0) {
        text_add_char(out, '\t');
    }
}

static void print_quoted(struct text *out, const char *text)
{
    text_add_char(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            text_add_char(out, '\\');
        }
        text_add_char(out, *text);
    }
    text_add_char(out, '"');
}

static void print_statement(struct text *out, const struct statement *statement, unsigned depth);

static void print_item(struct text *out, const struct item *item, unsigned depth)
{
    if (item->kind == ITEM_BLOCK) {
        text_add_str(out, "{\n");
        for (const struct statement *s = item->block->first; s != NULL; s = s->next) {
            print_statement(out, s, depth + 1);
        }
        indent(out, depth);
        text_add_char(out, '}');
    } else if (item->secret) {
        text_add_str(out, "\"????????\"");
    } else if (item->kind == ITEM_QUOTED) {
        print_quoted(out, item->text);
    } else {
        text_add_str(out, item->text);
    }
}

static void print_statement(struct text *out, const struct statement *statement, unsigned depth)
{
    indent(out, depth);
    for (uint32_t i = 0; i < statement->count; i++) {
        if (i > 0 && statement->items[i - 1].kind != ITEM_NOT) {
            text_add_char(out, ' ');
        }
        print_item(out, &statement->items[i], depth);
    }
    text_add_str(out, ";\n");
}

static void print_top(void *context, const struct statement *statement)
{
    print_statement(context, statement, 0);
}

enum result conf_print(const char *path, struct text *out, conf_report *report, void *context,
                       struct error *err)
{
    struct arena names;
    struct findings findings;
    arena_init(&names, 0);
    findings_init(&findings, &names);
    struct tree_options options = {
        .findings = &findings,
        .allow_include = true,
        .handler = print_top,
        .context = out,
    };
    enum result result = tree_read_file(&options, path, err);
    if (result == OK && findings_send(&findings, CONF_ERRORS_MAX, report, context, err)) {
        result = ERR_FORMAT;
    }
    findings_deinit(&findings);
    arena_deinit(&names);
    return result;
}
