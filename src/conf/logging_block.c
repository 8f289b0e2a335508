/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `logging`: channels and which categories go to them. All of BIND's category names are known;
 * those that only a resolver has select nothing here. The channels that are there without being
 * defined come first, so a channel's index never changes by defining another.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "conf/facility_impl.h"
#include "conf/nearest_impl.h"
#include "conf/statement_impl.h"

enum { CHANNELS_MAX = 32 };

/* Categories of BIND for which we have no events. */
static const char *const other_categories[] = {
    "client",
    "cname",
    "database",
    "delegation-only",
    "dispatch",
    "dnstap",
    "edns-disabled",
    "lame-servers",
    "nsid",
    "query-errors",
    "resolver",
    "rpz",
    "rpz-passthru",
    "serve-stale",
    "spill",
    "sslkeylog",
    "trust-anchor-telemetry",
    "unmatched",
};

bool parse_logging(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    struct loader *loader = cursor->loader;
    (void)row;
    const struct block *block = cursor_block(cursor, "channels and categories between braces");
    if (block == NULL) {
        return false;
    }
    if (loader->logging_at.line != 0) {
        loader_error(loader, out->where,
                     "`logging` stands here a second time; the first is in "
                     "line %u of %s",
                     loader->logging_at.line, loader->logging_at.file);
    }
    loader->logging_at = out->where;
    block_read(cursor, block, IN_LOGGING, NULL);
    return true;
}

/* ---- channels ---------------------------------------------------------------------------- */

struct channel_file {
    const char *path;
    uint32_t versions;
    uint64_t max_size_bytes;
    bool timestamp_suffix;
};

/* file PATH [ versions ( unlimited | N ) ] [ size SIZE ] [ suffix ( increment | timestamp ) ] */
bool parse_channel_file(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    static const struct keyword suffixes[] = {{"increment", 0}, {"timestamp", 1}, {NULL, 0}};
    struct channel_file *file = loader_alloc(cursor->loader, sizeof(*file));
    struct conf_setting value = {0};
    if (!parse_path(cursor, row, &value)) {
        return false;
    }
    file->path = value.text;
    for (;;) {
        if (cursor_skip_word(cursor, "versions")) {
            int64_t versions = UINT32_MAX;
            if (!cursor_skip_word(cursor, "unlimited") &&
                !cursor_number(cursor, "a number of versions or `unlimited`", 0, 100000,
                               &versions)) {
                return false;
            }
            file->versions = (uint32_t)versions;
        } else if (cursor_skip_word(cursor, "size")) {
            if (!parse_size(cursor, row, &value)) {
                return false;
            }
            bool bounded = value.number != CONF_UNLIMITED && value.number != CONF_DEFAULT_SIZE;
            file->max_size_bytes = bounded ? (uint64_t)value.number : 0;
        } else if (cursor_skip_word(cursor, "suffix")) {
            int suffix;
            if (!keyword_parse(cursor, suffixes, &suffix)) {
                return false;
            }
            file->timestamp_suffix = suffix != 0;
        } else {
            break;
        }
    }
    out->object = file;
    return true;
}

bool parse_channel_syslog(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    int facility = facility_daemon();
    char quoted[QUOTED_TEXT_SIZE];
    (void)row;
    if (cursor_peek(cursor) != NULL) {
        const struct item *item = cursor_text(cursor, "a syslog facility such as `daemon`");
        if (item == NULL) {
            return false;
        }
        if (!facility_parse(item->text, &facility)) {
            loader_error(cursor->loader, item->where,
                         "unknown syslog facility `%s`; `daemon` or `local0` to `local7` are usual",
                         quoted_text(item->text, quoted));
            return false;
        }
    }
    out->number = facility;
    return true;
}

struct channel_severity {
    enum log_level level;
    uint32_t debug_level;
    bool dynamic;
};

bool parse_channel_severity(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    enum { DYNAMIC = 100 };
    static const struct keyword words[] = {
        {"critical", LOG_CRITICAL}, {"error", LOG_ERROR},
        {"warning", LOG_WARNING},   {"notice", LOG_NOTICE},
        {"info", LOG_INFO},         {"debug", LOG_DEBUG},
        {"dynamic", DYNAMIC},       {NULL, 0},
    };
    int word;
    (void)row;
    if (!keyword_parse(cursor, words, &word)) {
        return false;
    }
    struct channel_severity *severity = loader_alloc(cursor->loader, sizeof(*severity));
    severity->dynamic = word == DYNAMIC;
    severity->level = word == DYNAMIC ? LOG_INFO : (enum log_level)word;
    if (word == LOG_DEBUG) {
        int64_t level = 1;
        if (cursor_peek(cursor) != NULL && !cursor_number(cursor, "a debug level", 0, 99, &level)) {
            return false;
        }
        severity->debug_level = (uint32_t)level;
    }
    out->object = severity;
    return true;
}

static bool is_set(const struct list *settings, enum conf_id id)
{
    const struct conf_setting *setting = settings_find(settings, id);
    return setting != NULL && setting->number != 0;
}

/* The sink that the statements name; several or none are an error. */
static void read_sink(struct loader *loader, const struct list *settings, const struct item *name,
                      struct conf_channel *channel)
{
    const struct conf_setting *file = settings_find(settings, CONF_CHANNEL_FILE);
    const struct conf_setting *syslog = settings_find(settings, CONF_CHANNEL_SYSLOG);
    unsigned sinks = 0;
    if (file != NULL) {
        const struct channel_file *f = file->object;
        channel->sink = CONF_SINK_FILE;
        channel->path = f->path;
        channel->versions = f->versions;
        channel->max_size_bytes = f->max_size_bytes;
        channel->timestamp_suffix = f->timestamp_suffix;
        sinks++;
    }
    if (syslog != NULL) {
        channel->sink = CONF_SINK_SYSLOG;
        channel->facility = (int)syslog->number;
        sinks++;
    }
    if (is_set(settings, CONF_CHANNEL_STDERR)) {
        channel->sink = CONF_SINK_STDERR;
        sinks++;
    }
    if (is_set(settings, CONF_CHANNEL_NULL)) {
        channel->sink = CONF_SINK_NULL;
        sinks++;
    }
    if (sinks != 1) {
        loader_error(loader, name->where,
                     "channel `%s` %s: it has exactly one of `file`, `syslog`, `stderr` and `null`",
                     channel->name, sinks == 0 ? "goes nowhere" : "goes to several places");
    }
}

bool parse_channel(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    struct loader *loader = cursor->loader;
    (void)row;
    (void)out;
    const struct item *name = cursor_text(cursor, "the name of the channel");
    const struct block *block =
        name == NULL ? NULL : cursor_block(cursor, "the channel's statements between braces");
    if (block == NULL) {
        return false;
    }
    struct list settings = {0};
    unsigned errors = loader->findings->errors;
    block_read(cursor, block, IN_CHANNEL, &settings);
    const struct conf_setting *severity = settings_find(&settings, CONF_CHANNEL_SEVERITY);
    const struct conf_setting *format = settings_find(&settings, CONF_CHANNEL_FORMAT);
    const struct conf_setting *time = settings_find(&settings, CONF_PRINT_TIME);
    struct conf_channel channel = {
        .name = loader_keep(loader, name->text),
        .format = format != NULL ? (enum conf_log_format)format->number : CONF_LOG_TEXT,
        .level = LOG_INFO,
        .print_time = time != NULL ? (enum conf_time_format)time->number : CONF_TIME_NO,
        .print_severity = is_set(&settings, CONF_PRINT_SEVERITY),
        .print_category = is_set(&settings, CONF_PRINT_CATEGORY),
        .buffered = is_set(&settings, CONF_BUFFERED),
        .where = name->where,
    };
    if (severity != NULL) {
        const struct channel_severity *s = severity->object;
        channel.level = s->level;
        channel.debug_level = s->debug_level;
        channel.dynamic = s->dynamic;
    }
    if (loader->findings->errors == errors) {
        read_sink(loader, &settings, name, &channel);
    }
    list_deinit(&settings);
    *(struct conf_channel *)list_add(&loader->channels, sizeof(channel)) = channel;
    return true;
}

/* ---- categories -------------------------------------------------------------------------- */

static bool category_parse(struct loader *loader, const struct item *name, int *out)
{
    struct nearest nearest;
    char quoted[QUOTED_TEXT_SIZE];
    nearest_init(&nearest, name->text);
    *out = -1; /* one that only a resolver has */
    if (strcasecmp(name->text, "default") == 0) {
        *out = LOG_CATEGORIES;
        return true;
    }
    for (int i = 0; i < LOG_CATEGORIES; i++) {
        const char *known = log_category_name((enum log_category)i);
        nearest_offer(&nearest, known);
        if (strcasecmp(name->text, known) == 0) {
            *out = i;
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(other_categories); i++) {
        nearest_offer(&nearest, other_categories[i]);
        if (strcasecmp(name->text, other_categories[i]) == 0) {
            return true;
        }
    }
    if (nearest.best != NULL) {
        loader_error(loader, name->where, "unknown category `%s`; did you mean `%s`?",
                     quoted_text(name->text, quoted), nearest.best);
    } else {
        loader_error(loader, name->where, "unknown category `%s`", quoted_text(name->text, quoted));
    }
    return false;
}

bool parse_category(struct cursor *cursor, const struct row *row, struct conf_setting *out)
{
    struct loader *loader = cursor->loader;
    int number = -1;
    (void)row;
    (void)out;
    const struct item *name = cursor_text(cursor, "the name of a category");
    if (name == NULL) {
        return false;
    }
    bool known = category_parse(loader, name, &number);
    const struct block *block = cursor_block(cursor, "the names of channels between braces");
    if (block == NULL) {
        return false;
    }
    struct category_draft draft = {
        .category = number,
        .channels_at = loader->category_channels.count,
        .where = name->where,
    };
    for (const struct statement *s = block->first; s != NULL; s = s->next) {
        struct cursor inner = cursor_into(cursor, s);
        const struct item *channel = cursor_text(&inner, "the name of a channel");
        if (channel != NULL) {
            (void)cursor_end(&inner);
            *(struct named *)list_add(&loader->category_channels, sizeof(struct named)) =
                (struct named){.name = loader_keep(loader, channel->text), .where = channel->where};
            draft.channel_count++;
        }
    }
    if (known) {
        *(struct category_draft *)list_add(&loader->categories, sizeof(draft)) = draft;
    }
    return true;
}

/* ---- at the end -------------------------------------------------------------------------- */

static int find_channel(const struct conf_channel *channels, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcasecmp(channels[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static void check_channels(struct loader *loader, const struct conf_channel *channels,
                           uint32_t count)
{
    for (uint32_t i = 4; i < count; i++) {
        int first = find_channel(channels, i, channels[i].name);
        if (first >= 0) {
            loader_error(loader, channels[i].where,
                         first < 4 ? "channel `%s` is built in and cannot be redefined"
                                   : "channel `%s` is defined twice",
                         channels[i].name);
        }
    }
    if (count > CHANNELS_MAX) {
        loader_error(loader, channels[CHANNELS_MAX].where, "more than %d channels",
                     CHANNELS_MAX - 4);
    }
}

static uint32_t channel_bit(struct loader *loader, const struct conf_channel *channels,
                            uint32_t count, const struct named *use)
{
    char quoted[QUOTED_TEXT_SIZE];
    int found = find_channel(channels, count, use->name);
    if (found >= 0) {
        return found < CHANNELS_MAX ? 1u << found : 0;
    }
    struct nearest nearest;
    nearest_init(&nearest, use->name);
    for (uint32_t i = 0; i < count; i++) {
        nearest_offer(&nearest, channels[i].name);
    }
    if (nearest.best != NULL) {
        loader_error(loader, use->where, "there is no channel `%s`; did you mean `%s`?",
                     quoted_text(use->name, quoted), nearest.best);
    } else {
        loader_error(loader, use->where, "there is no channel `%s`",
                     quoted_text(use->name, quoted));
    }
    return 0;
}

void loader_resolve_logging(struct loader *loader)
{
    const struct conf_channel built_in[] = {
        {.name = "default_syslog",
         .sink = CONF_SINK_SYSLOG,
         .level = LOG_INFO,
         .facility = facility_daemon()},
        {.name = "default_debug",
         .sink = CONF_SINK_FILE,
         .level = LOG_DEBUG,
         .dynamic = true,
         .path = "named.run",
         .print_time = CONF_TIME_LOCAL},
        {.name = "default_stderr", .sink = CONF_SINK_STDERR, .level = LOG_INFO},
        {.name = "null", .sink = CONF_SINK_NULL, .level = LOG_INFO},
    };
    struct conf_logging *logging = &loader->conf->logging;
    uint32_t own = loader->channels.count;
    uint32_t count = own + ARRAY_SIZE(built_in);
    struct conf_channel *channels = loader_alloc(loader, count * sizeof(*channels));
    memcpy(channels, built_in, sizeof(built_in));
    if (own != 0) {
        memcpy(channels + ARRAY_SIZE(built_in), loader->channels.items, own * sizeof(*channels));
    }
    check_channels(loader, channels, count);
    for (uint32_t i = 0; i < count; i++) {
        if (channels[i].path != NULL) {
            loader_path(loader, &channels[i].path);
        }
    }
    const struct category_draft *categories = loader->categories.items;
    const struct named *uses = loader->category_channels.items;
    uint32_t otherwise = 1u << 0 | 1u << 1; /* default_syslog, default_debug */
    uint32_t given[LOG_CATEGORIES] = {0};
    bool is_given[LOG_CATEGORIES] = {false};
    for (uint32_t i = 0; i < loader->categories.count; i++) {
        uint32_t bits = 0;
        for (uint32_t j = 0; j < categories[i].channel_count; j++) {
            bits |= channel_bit(loader, channels, count, &uses[categories[i].channels_at + j]);
        }
        if (categories[i].category == LOG_CATEGORIES) {
            otherwise = bits;
        } else if (categories[i].category >= 0) {
            is_given[categories[i].category] = true;
            given[categories[i].category] |= bits;
        }
    }
    for (int i = 0; i < LOG_CATEGORIES; i++) {
        logging->categories[i] = is_given[i] ? given[i] : otherwise;
    }
    logging->names_queries = is_given[LOG_QUERIES];
    logging->channels = channels;
    logging->channel_count = count < CHANNELS_MAX ? count : CHANNELS_MAX;
}
