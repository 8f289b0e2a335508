/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asking the running server. The socket is found where the server puts it: named with -s, or by the
 * configuration that -c names; else the one at the default place, else the one that the default
 * configuration leads to.
 */
#include "cmd/control_command.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "cmd/control_connection.h"
#include "cmd/history_text.h"
#include "cmd/status_text.h"
#include "conf/conf.h"
#include "control/control_socket.h"

#define DEFAULT_CONFIG "/etc/lockstep/named.conf"

enum { ANSWER_S = 60 };

struct control_options {
    const char *command, *zone, *socket, *config;
    uint32_t serials[2];
    unsigned serial_count;
    const bool *on; /* NULL: not said */
    bool json;
};

/* ---- words ---- */

static const struct {
    const char *word;
    const char *arguments;
    unsigned least, most; /* arguments: a zone, then serials */
    bool switches;        /* or `on` or `off` */
    bool slow;            /* the answer comes when all is done: wait for ever */
} words[] = {
    {"absent", "", 0, 0, false, false},
    {"adopt-serial", " ZONE SERIAL", 2, 2, false, true},
    {"diff", " ZONE SERIAL [SERIAL]", 2, 3, false, true},
    {"discard", " ZONE", 1, 1, false, false},
    {"dumpdb", "", 0, 0, false, true},
    {"forget", " ZONE", 1, 1, false, true},
    {"history", " ZONE", 1, 1, false, true},
    {"keys", "", 0, 0, false, false},
    {"notify", " ZONE", 1, 1, false, false},
    {"querylog", " [on | off]", 0, 1, true, false},
    {"reconfig", "", 0, 0, false, true},
    {"refresh", " ZONE", 1, 1, false, false},
    {"release", " ZONE", 1, 1, false, true},
    {"reload", " [ZONE]", 0, 1, false, true},
    {"retransfer", " ZONE", 1, 1, false, false},
    {"rollback", " ZONE SERIAL", 2, 2, false, true},
    {"stats", "", 0, 0, false, true},
    {"status", " [ZONE]", 0, 1, false, false},
    {"stop", "", 0, 0, false, true},
    {"zones", "", 0, 0, false, false},
};

static size_t find_word(const char *word)
{
    size_t i = 0;
    while (i < ARRAY_SIZE(words) - 1 && strcmp(words[i].word, word) != 0) {
        i++;
    }
    return i;
}

static int usage(const char *word)
{
    size_t i = find_word(word);
    fprintf(stderr,
            "usage: lockstep %s [-s SOCKET | -c named.conf] [--json]%s\n"
            "  -s  the server's control socket;  -c  its configuration, which says where that is\n"
            "  -j, --json  the answer as it came, for programs\n",
            word, words[i].arguments);
    return 2;
}

static bool read_serial(const char *text, uint32_t *out)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    *out = (uint32_t)number;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && number <= UINT32_MAX;
}

static bool read_options(int argc, char **argv, struct control_options *out)
{
    static const struct option longs[] = {{"json", no_argument, NULL, 'j'},
                                          {"socket", required_argument, NULL, 's'},
                                          {"config", required_argument, NULL, 'c'},
                                          {0}};
    *out = (struct control_options){.command = argv[0]};
    int flag;
    while ((flag = getopt_long(argc, argv, "c:js:", longs, NULL)) != -1) {
        if (flag == 'c') {
            out->config = optarg;
        } else if (flag == 'j') {
            out->json = true;
        } else if (flag == 's') {
            out->socket = optarg;
        } else {
            return false;
        }
    }
    size_t i = find_word(argv[0]);
    unsigned left = (unsigned)(argc - optind);
    if (left < words[i].least || left > words[i].most) {
        return false;
    }
    static const bool yes = true, no = false;
    if (words[i].switches && left != 0) {
        out->on = strcmp(argv[optind], "on") == 0    ? &yes
                  : strcmp(argv[optind], "off") == 0 ? &no
                                                     : NULL;
        return out->on != NULL && (out->socket == NULL || out->config == NULL);
    }
    out->zone = left != 0 ? argv[optind] : NULL;
    for (unsigned n = 1; n < left; n++) {
        if (!read_serial(argv[(unsigned)optind + n], &out->serials[out->serial_count++])) {
            return false;
        }
    }
    return out->socket == NULL || out->config == NULL;
}

/* ---- the socket ---- */

static enum result socket_of_config(const char *config, struct control_socket_options *out,
                                    struct error *err)
{
    struct conf *conf;
    enum result result = conf_load(config, NULL, NULL, &conf, err);
    if (result == OK) {
        result = control_socket_find(conf, 0, geteuid(), getegid(), out, err);
        conf_free(conf);
    }
    return result;
}

static enum result find_socket(const struct control_options *options,
                               struct control_socket_options *found, const char **out,
                               struct error *err)
{
    if (options->socket != NULL) {
        *out = options->socket;
        return OK;
    }
    /* Reading a configuration of a million zones takes longer than the answer. */
    if (options->config == NULL && access(CONTROL_DEFAULT_PATH, F_OK) == 0) {
        *out = CONTROL_DEFAULT_PATH;
        return OK;
    }
    const char *config = options->config != NULL ? options->config : DEFAULT_CONFIG;
    *out = found->path;
    return socket_of_config(config, found, err);
}

/* ---- answers ---- */

struct zone_list {
    json_t **zones;
    size_t count, room;
};

static int compare_zones(const void *a, const void *b)
{
    json_t *const *left = a, *const *right = b;
    const char *x = json_string_value(json_object_get(*left, "name"));
    const char *y = json_string_value(json_object_get(*right, "name"));
    return strcmp(x == NULL ? "" : x, y == NULL ? "" : y);
}

static void add_zone(struct zone_list *list, json_t *zone)
{
    if (list->count == list->room) {
        list->room = list->room == 0 ? 64 : list->room * 2;
        list->zones = memory_resize(list->zones, list->room * sizeof(list->zones[0]));
    }
    list->zones[list->count++] = json_incref(zone);
}

static void print_zones(struct zone_list *list, int64_t now_s)
{
    int width = 4;
    if (list->count != 0) {
        qsort(list->zones, list->count, sizeof(list->zones[0]), compare_zones);
    }
    for (size_t i = 0; i < list->count; i++) {
        const char *name = json_string_value(json_object_get(list->zones[i], "name"));
        int size = name == NULL ? 0 : (int)strlen(name);
        width = size > width && size <= 48 ? size : width;
    }
    for (size_t i = 0; i < list->count; i++) {
        struct text text;
        text_init(&text, 0);
        zone_line_text(list->zones[i], now_s, width, &text);
        fputs(text_str(&text), stdout);
        text_deinit(&text);
    }
}

static void free_zones(struct zone_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        json_decref(list->zones[i]);
    }
    memory_free(list->zones);
}

/* The last line: the exit status. */
static int finish(const struct control_options *options, const json_t *answer,
                  struct zone_list *list, struct control_connection *connection)
{
    if (!json_is_true(json_object_get(answer, "ok"))) {
        const char *text = json_string_value(json_object_get(answer, "text"));
        if (!options->json) {
            fprintf(stderr, "lockstep: %s\n", text == NULL ? "the server says no" : text);
        }
        return 1;
    }
    if (strcmp(options->command, "stop") == 0) {
        control_wait_closed(connection);
    }
    if (options->json) {
        /* it was printed as it came */
    } else if (strcmp(options->command, "zones") == 0) {
        print_zones(list, (int64_t)json_integer_value(json_object_get(answer, "now_s")));
    } else {
        struct text text;
        text_init(&text, 0);
        if (strcmp(options->command, "status") == 0) {
            status_text(answer, &text);
        } else if (strcmp(options->command, "keys") == 0) {
            keys_text(answer, &text);
        } else {
            done_text(answer, &text);
            history_done_text(answer, &text);
        }
        fputs(text_str(&text), stdout);
        text_deinit(&text);
    }
    return json_integer_value(json_object_get(answer, "failed")) == 0 ? 0 : 1;
}

static void print_part(const json_t *part)
{
    struct text text;
    text_init(&text, 0);
    history_part_text(part, &text);
    fputs(text_str(&text), stdout);
    text_deinit(&text);
}

static enum result converse(const struct control_options *options,
                            struct control_connection *connection, int *out_status,
                            struct error *err)
{
    enum result result = control_send(connection, options->command, options->zone, options->serials,
                                      options->serial_count, options->on, err);
    struct zone_list list = {0};
    for (bool done = false; result == OK && !done;) {
        const char *line;
        json_t *answer;
        result = control_receive(connection, &line, &answer, err);
        if (result != OK) {
            break;
        }
        if (options->json) {
            printf("%s\n", line);
        }
        done = json_is_true(json_object_get(answer, "done"));
        if (done) {
            *out_status = finish(options, answer, &list, connection);
        } else if (!options->json && json_is_object(json_object_get(answer, "zone"))) {
            add_zone(&list, json_object_get(answer, "zone"));
        } else if (!options->json) {
            print_part(answer);
        }
        json_decref(answer);
    }
    free_zones(&list);
    return result;
}

int control_command(int argc, char **argv)
{
    struct control_options options;
    if (!read_options(argc, argv, &options)) {
        return usage(argv[0]);
    }
    struct control_socket_options found;
    struct control_connection connection = {.fd = -1};
    const char *path;
    struct error err = {0};
    int status = 1;
    enum result result = find_socket(&options, &found, &path, &err);
    if (result == OK) {
        result =
            control_connect(path, words[find_word(argv[0])].slow ? 0 : ANSWER_S, &connection, &err);
    }
    if (result == OK) {
        result = converse(&options, &connection, &status, &err);
    }
    control_disconnect(&connection);
    if (result != OK) {
        char text[1024];
        fprintf(stderr, "lockstep: %s\n", error_format(&err, text, sizeof(text)));
        return 1;
    }
    return fflush(stdout) == 0 ? status : 1;
}
