/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rndc's words. A table leads from each to a command of ours (docs/control.md); what a resolver or a
 * signer would do is told apart from what nobody knows. Three words need nothing to be done here:
 * the history of a zone is on disk always (`sync`), and edits of a zone file are merged with
 * updates, so that nothing has to be frozen while the file is edited (`freeze`); `thaw` reads the
 * file as it does in named.
 *
 * The answer of our command is JSON; here it becomes the lines that scripts know from named, as far
 * as we have what they tell.
 */
#include "control/rndc_words.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/memory.h"
#include "wire/name.h"
#include "wire/rrtype.h"

enum { ARGUMENTS_MAX = 8, ARGUMENT_SIZE = 1024 };

enum shape {
    SHAPE_NONE,          /* nothing behind it */
    SHAPE_ZONE,          /* a zone [class [view]] */
    SHAPE_OPTIONAL_ZONE, /* likewise, or nothing */
    SHAPE_SWITCH,        /* [on | off] */
    SHAPE_STOP,          /* [-p] */
    SHAPE_DUMP,          /* [-zones | -all] */
    SHAPE_SYNC,          /* [-clean] [zone …] */
    SHAPE_FREEZE,
    SHAPE_STATEMENTS, /* a zone [class [view]] { … } */
    SHAPE_FOREIGN,    /* known in named, not here */
};

struct rndc_word {
    const char *word;
    const char *command; /* ours; of SHAPE_FOREIGN: why it is not known */
    enum shape shape;
    bool only_reads;
};

#define NOT_A_RESOLVER "Lockstep answers for its own zones only: it has no cache"
#define NOT_A_SIGNER   "Lockstep serves signed zones, it does not sign"

static const struct rndc_word words[] = {
    {"addzone", "addzone", SHAPE_STATEMENTS, false},
    {"delzone", "delzone", SHAPE_ZONE, false},
    {"discard", "discard", SHAPE_ZONE, false},
    {"dnssec", NOT_A_SIGNER, SHAPE_FOREIGN, false},
    {"dumpdb", "dumpdb", SHAPE_DUMP, false},
    {"flush", NOT_A_RESOLVER, SHAPE_FOREIGN, false},
    {"flushname", NOT_A_RESOLVER, SHAPE_FOREIGN, false},
    {"flushtree", NOT_A_RESOLVER, SHAPE_FOREIGN, false},
    {"freeze", NULL, SHAPE_FREEZE, false},
    {"halt", "stop", SHAPE_STOP, false},
    {"loadkeys", NOT_A_SIGNER, SHAPE_FOREIGN, false},
    {"managed-keys", NOT_A_RESOLVER, SHAPE_FOREIGN, false},
    {"modzone", "modzone", SHAPE_STATEMENTS, false},
    {"notify", "notify", SHAPE_ZONE, false},
    {"nta", NOT_A_RESOLVER, SHAPE_FOREIGN, false},
    {"querylog", "querylog", SHAPE_SWITCH, false},
    {"recursing", NOT_A_RESOLVER, SHAPE_FOREIGN, false},
    {"reconfig", "reconfig", SHAPE_NONE, false},
    {"refresh", "refresh", SHAPE_ZONE, false},
    {"release", "release", SHAPE_ZONE, false},
    {"reload", "reload", SHAPE_OPTIONAL_ZONE, false},
    {"retransfer", "retransfer", SHAPE_ZONE, false},
    {"secroots", NOT_A_RESOLVER, SHAPE_FOREIGN, false},
    {"serve-stale", NOT_A_RESOLVER, SHAPE_FOREIGN, false},
    {"showzone", "showzone", SHAPE_ZONE, true},
    {"sign", NOT_A_SIGNER, SHAPE_FOREIGN, false},
    {"signing", NOT_A_SIGNER, SHAPE_FOREIGN, false},
    {"stats", "stats", SHAPE_NONE, false},
    {"status", "status", SHAPE_NONE, true},
    {"stop", "stop", SHAPE_STOP, false},
    {"sync", NULL, SHAPE_SYNC, false},
    {"thaw", "reload", SHAPE_OPTIONAL_ZONE, false},
    {"validation", NOT_A_RESOLVER, SHAPE_FOREIGN, false},
    {"zonestatus", "status", SHAPE_ZONE, true},
};

static const struct {
    enum rndc_result result;
    const char *sentence;
} sentences[] = {
    {RNDC_NO_PERMISSION, "permission denied"},
    {RNDC_EXISTS, "already exists"},
    {RNDC_NOT_FOUND, "not found"},
    {RNDC_UNEXPECTED_END, "unexpected end of input"},
    {RNDC_FAILURE, "failure"},
    {RNDC_SYNTAX, "syntax error"},
    {RNDC_NOT_LOADED, "zone not loaded"},
    {RNDC_UNKNOWN_COMMAND, "unknown command"},
};

const char *rndc_result_sentence(enum rndc_result result)
{
    for (size_t i = 0; i < ARRAY_SIZE(sentences); i++) {
        if (sentences[i].result == result) {
            return sentences[i].sentence;
        }
    }
    return NULL;
}

/* ---- the line ---- */

struct arguments {
    char words[ARGUMENTS_MAX][ARGUMENT_SIZE];
    unsigned count;
};

/* False: too many, or one too long. Double quotes around a word are taken off. */
static bool split(struct slice line, struct arguments *out)
{
    size_t at = 0;
    out->count = 0;
    for (;;) {
        while (at < line.size && (line.data[at] == ' ' || line.data[at] == '\t')) {
            at++;
        }
        if (at == line.size) {
            return true;
        }
        bool is_quoted = line.data[at] == '"';
        size_t start = at + is_quoted;
        at = start;
        while (at < line.size &&
               (is_quoted ? line.data[at] != '"' : line.data[at] != ' ' && line.data[at] != '\t')) {
            at++;
        }
        if (out->count == ARGUMENTS_MAX || at - start >= ARGUMENT_SIZE ||
            memchr(line.data + start, '\0', at - start) != NULL) {
            return false;
        }
        memcpy(out->words[out->count], line.data + start, at - start);
        out->words[out->count++][at - start] = '\0';
        at += is_quoted && at < line.size;
    }
}

static enum rndc_outcome refuse(enum rndc_result *result, enum rndc_result why)
{
    *result = why;
    return RNDC_REFUSED;
}

/* zone [class [view]], from argument `at` on. */
static enum rndc_outcome read_zone(const struct arguments *arguments, unsigned at,
                                   struct rndc_line *out, enum rndc_result *result,
                                   struct text *text)
{
    uint16_t class = CLASS_IN;
    struct error err = {0};
    if (arguments->count == at) {
        return refuse(result, RNDC_UNEXPECTED_END);
    }
    if (arguments->count > at + 3) {
        return refuse(result, RNDC_SYNTAX);
    }
    if (name_parse_str(arguments->words[at], &out->request.zone, &err) != OK) {
        text_printf(text, "not a zone name '%s': %s", arguments->words[at], err.text);
        return refuse(result, RNDC_FAILURE);
    }
    if ((arguments->count > at + 1 &&
         !rrclass_parse(arguments->words[at + 1], strlen(arguments->words[at + 1]), &class)) ||
        class != CLASS_IN) {
        text_printf(text, "no matching zone '%s' in any view", arguments->words[at]);
        return refuse(result, RNDC_NOT_FOUND);
    }
    if (arguments->count > at + 2 && strcmp(arguments->words[at + 2], "_default") != 0) {
        text_printf(text, "no matching view '%s'", arguments->words[at + 2]);
        return refuse(result, RNDC_NOT_FOUND);
    }
    out->request.has_zone = true;
    return RNDC_ASKS;
}

static enum rndc_outcome read_switch(const struct arguments *arguments, struct rndc_line *out,
                                     enum rndc_result *result)
{
    static const char *const yes[] = {"on", "yes", "enable", "true"};
    static const char *const no[] = {"off", "no", "disable", "false"};
    if (arguments->count > 2) {
        return refuse(result, RNDC_SYNTAX);
    }
    for (size_t i = 0; arguments->count == 2 && i < ARRAY_SIZE(yes); i++) {
        if (strcasecmp(arguments->words[1], yes[i]) == 0 ||
            strcasecmp(arguments->words[1], no[i]) == 0) {
            out->request.has_on = true;
            out->request.on = strcasecmp(arguments->words[1], yes[i]) == 0;
        }
    }
    return arguments->count == 1 || out->request.has_on ? RNDC_ASKS : refuse(result, RNDC_SYNTAX);
}

static enum rndc_outcome read_dump(const struct arguments *arguments, enum rndc_result *result,
                                   struct text *text)
{
    const char *what = arguments->count > 1 ? arguments->words[1] : "-cache";
    if (arguments->count > 3 ||
        (arguments->count == 3 && strcmp(arguments->words[2], "_default") != 0)) {
        text_printf(text, "view '%s' not found", arguments->words[arguments->count - 1]);
        return refuse(result, RNDC_NOT_FOUND);
    }
    if (strcmp(what, "-zones") == 0 || strcmp(what, "-all") == 0) {
        return RNDC_ASKS;
    }
    text_add_str(text, NOT_A_RESOLVER "; dumpdb -zones writes the zones");
    return refuse(result, RNDC_FAILURE);
}

static enum rndc_outcome read_by_shape(const struct arguments *arguments, struct rndc_line *out,
                                       enum rndc_result *result, struct text *text)
{
    enum rndc_outcome outcome;
    switch (out->word->shape) {
    case SHAPE_NONE:
        return arguments->count == 1 ? RNDC_ASKS : refuse(result, RNDC_SYNTAX);
    case SHAPE_STATEMENTS: /* what is between braces was taken off */
        if (out->request.statements == NULL) {
            return refuse(result, RNDC_UNEXPECTED_END);
        }
        return read_zone(arguments, 1, out, result, text);
    case SHAPE_ZONE:
        return read_zone(arguments, 1, out, result, text);
    case SHAPE_OPTIONAL_ZONE:
        return arguments->count == 1 ? RNDC_ASKS : read_zone(arguments, 1, out, result, text);
    case SHAPE_SWITCH:
        return read_switch(arguments, out, result);
    case SHAPE_STOP:
        out->wants_pid = arguments->count == 2 && strcmp(arguments->words[1], "-p") == 0;
        return arguments->count == 1 || out->wants_pid ? RNDC_ASKS : refuse(result, RNDC_SYNTAX);
    case SHAPE_DUMP:
        return read_dump(arguments, result, text);
    case SHAPE_SYNC:
    case SHAPE_FREEZE:
        outcome = RNDC_IS_DONE;
        unsigned at = arguments->count > 1 && strcmp(arguments->words[1], "-clean") == 0 ? 2 : 1;
        if (arguments->count > at &&
            (outcome = read_zone(arguments, at, out, result, text)) == RNDC_ASKS) {
            snprintf(out->request.command, sizeof(out->request.command), "status");
        } else if (outcome == RNDC_IS_DONE && out->word->shape == SHAPE_FREEZE) {
            text_add_str(text, "nothing to freeze: updates and edits of zone files are merged");
        }
        return outcome;
    case SHAPE_FOREIGN:
        text_add_str(text, out->word->command);
        return refuse(result, RNDC_FAILURE);
    }
    return refuse(result, RNDC_FAILURE);
}

enum rndc_outcome rndc_line_read(struct slice line, struct rndc_line *out, enum rndc_result *result,
                                 struct text *text)
{
    struct arguments arguments;
    *out = (struct rndc_line){0};
    *result = RNDC_DONE;
    const uint8_t *brace = line.size == 0 ? NULL : memchr(line.data, '{', line.size);
    if (brace != NULL && memchr(line.data, '\0', line.size) == NULL) {
        size_t size = (size_t)(line.data + line.size - brace);
        out->request.statements = memory_new(size + 1);
        memcpy(out->request.statements, brace, size);
        out->request.statements[size] = '\0';
        line.size -= size;
    }
    if (!split(line, &arguments)) {
        return refuse(result, RNDC_SYNTAX);
    }
    if (arguments.count == 0) {
        return refuse(result, RNDC_UNEXPECTED_END);
    }
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcasecmp(arguments.words[0], words[i].word) == 0) {
            out->word = &words[i];
        }
    }
    if (out->word == NULL) {
        return refuse(result, RNDC_UNKNOWN_COMMAND);
    }
    if (out->word->command != NULL && out->word->shape != SHAPE_FOREIGN) {
        snprintf(out->request.command, sizeof(out->request.command), "%s", out->word->command);
    }
    if (out->request.statements != NULL && out->word->shape != SHAPE_STATEMENTS) {
        return refuse(result, RNDC_SYNTAX);
    }
    return read_by_shape(&arguments, out, result, text);
}

void rndc_line_deinit(struct rndc_line *line)
{
    control_request_deinit(&line->request);
}

bool rndc_line_only_reads(const struct rndc_line *line)
{
    return line->word->only_reads;
}

/* ---- the answer ---- */

static const char *string(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static long long number(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static bool is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static void add_time(struct text *out, const char *label, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    char stamp[64];
    struct tm tm;
    time_t at = (time_t)json_integer_value(value);
    if (value != NULL && gmtime_r(&at, &tm) != NULL &&
        strftime(stamp, sizeof(stamp), "%a, %d %b %Y %H:%M:%S GMT", &tm) != 0) {
        text_printf(out, "%s: %s\n", label, stamp);
    }
}

static void add_server(struct text *out, const json_t *server)
{
    text_printf(out, "version: Lockstep %s\n", string(server, "version"));
    text_printf(out, "running on %s\n", string(server, "hostname"));
    add_time(out, "boot time", server, "started_at_s");
    add_time(out, "last configured", server, "configured_at_s");
    text_printf(out, "configuration file: %s\n", string(server, "configuration"));
    text_printf(out, "worker threads: %lld\n", number(server, "answer_threads"));
    text_printf(out, "number of zones: %lld (0 automatic)\n",
                number(json_object_get(server, "zones"), "all"));
    text_printf(out, "xfers running: %lld\n", number(server, "transfers_in"));
    text_printf(out, "query logging is %s\n", is_true(server, "query_log") ? "ON" : "OFF");
    text_printf(out, "tcp clients: %lld/%lld\n", number(server, "tcp_clients"),
                number(server, "tcp_clients_max"));
    text_add_str(out, "server is up and running");
}

static enum rndc_result add_zone(struct text *out, const json_t *zone)
{
    const json_t *serial = json_object_get(zone, "serial");
    if (serial == NULL) {
        text_add_str(out, string(json_object_get(zone, "last_error"), "text"));
        return RNDC_NOT_LOADED;
    }
    text_printf(out, "name: %s\ntype: %s\n", string(zone, "name"), string(zone, "role"));
    if (json_object_get(zone, "file") != NULL) {
        text_printf(out, "files: %s\n", string(zone, "file"));
    }
    text_printf(out, "serial: %lld\nnodes: %lld\n", number(zone, "serial"), number(zone, "names"));
    add_time(out, "last loaded", zone, "changed_at_s");
    add_time(out, "next refresh", json_object_get(zone, "refresh"), "next_at_s");
    add_time(out, "expires", zone, "expires_at_s");
    text_printf(out, "secure: %s\n", is_true(zone, "signed") ? "yes" : "no");
    text_printf(out, "dynamic: %s\n", is_true(zone, "dynamic") ? "yes" : "no");
    if (is_true(zone, "dynamic")) {
        text_add_str(out, "frozen: no\n");
    }
    text_printf(out, "state: %s\n", string(zone, "state"));
    text_printf(out, "reconfigurable via modzone: %s", is_true(zone, "added") ? "yes" : "no");
    return RNDC_DONE;
}

static enum rndc_result add_failure(const struct rndc_line *line, const json_t *last,
                                    struct text *out)
{
    static const struct {
        const char *error;
        enum rndc_result result;
    } results[] = {{"not-found", RNDC_NOT_FOUND},
                   {"not-loaded", RNDC_NOT_LOADED},
                   {"denied", RNDC_NO_PERMISSION},
                   {"configured", RNDC_EXISTS}};
    char name[NAME_TEXT_SIZE];
    if (strcmp(string(last, "error"), "not-found") == 0 && line->request.has_zone) {
        text_printf(out, "no matching zone '%s' in any view",
                    name_format_log(line->request.zone.wire, name));
        return RNDC_NOT_FOUND;
    }
    text_add_str(out, string(last, "text"));
    for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
        if (strcmp(string(last, "error"), results[i].error) == 0) {
            return results[i].result;
        }
    }
    return RNDC_FAILURE;
}

static void add_reload(const struct rndc_line *line, const json_t *last, struct text *out)
{
    if (strcmp(line->word->word, "thaw") == 0) {
        text_add_str(out, "The zone reload and thaw was successful.");
    } else if (!line->request.has_zone) {
        text_add_str(out, "server reload successful");
    } else if (json_object_get(last, "begun") != NULL) {
        text_add_str(out, "zone refresh queued");
    } else {
        text_add_str(out, is_true(last, "changed") ? "zone reload successful"
                                                   : "zone reload up-to-date");
    }
}

static void add_failures(const json_t *last, struct text *out)
{
    size_t i;
    json_t *failure;
    json_array_foreach(json_object_get(last, "failures"), i, failure)
    {
        text_printf(out, "%szone %s: %s", out->size == 0 ? "" : "\n", string(failure, "name"),
                    string(failure, "text"));
    }
}

enum rndc_result rndc_answer_text(const struct rndc_line *line, const json_t *last,
                                  struct text *out)
{
    const char *command = line->request.command;
    if (!is_true(last, "ok")) {
        return add_failure(line, last, out);
    }
    if (number(last, "failed") != 0) {
        add_failures(last, out);
        return RNDC_FAILURE;
    }
    if (line->word->shape == SHAPE_SYNC) {
        return RNDC_DONE;
    }
    if (line->word->shape == SHAPE_FREEZE) {
        text_add_str(out, "nothing to freeze: updates and edits of the zone file are merged");
    } else if (strcmp(command, "status") == 0 && line->request.has_zone) {
        return add_zone(out, json_object_get(last, "zone"));
    } else if (strcmp(command, "status") == 0) {
        add_server(out, json_object_get(last, "server"));
    } else if (strcmp(command, "reload") == 0) {
        add_reload(line, last, out);
    } else if (strcmp(command, "refresh") == 0) {
        text_add_str(out, "zone refresh queued");
    } else if (strcmp(command, "notify") == 0) {
        text_add_str(out, "zone notify queued");
    } else if (strcmp(command, "showzone") == 0) {
        text_add_str(out, string(last, "text"));
    } else if (strcmp(command, "modzone") == 0) {
        text_printf(out, "zone '%s' reconfigured.", string(last, "zone"));
    } else if (strcmp(command, "delzone") == 0) {
        text_printf(out, "zone '%s' is no longer served; its file stays.", string(last, "zone"));
    } else if (line->wants_pid) {
        text_printf(out, "pid: %lld", number(last, "pid"));
    }
    return RNDC_DONE;
}
