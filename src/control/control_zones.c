/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `addzone`, `modzone`, `delzone`, `showzone`: zones that come and go while the server runs
 * (allow-new-zones). They stand in a file of their own that the configuration takes in
 * (conf/new_zones.c), one statement a line, so that they are there after a restart as before it.
 *
 * A change is tried first: the new file is written beside the old one and on disk, the
 * configuration is loaded with it, and only where that is taken does it get the file's name. So the
 * file that a start reads was good when it was written, whenever the server ends. The whole
 * configuration is read for it, as by reconfig, which is the price of one way for all zones.
 *
 * The main thread does it, which is the only one that changes the configuration.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/rcu.h"
#include "control/control_impl.h"
#include "hub/server.h"
#include "zones/zones.h"

enum { FILE_MODE = 0640, FILE_MAX = 1 << 30 };

/* ---- statements ---- */

/* One block between braces, whole, without comments, and nothing behind it but a semicolon: what is
 * written must be one statement in one line. Line breaks become blanks. */
static bool is_one_block(char *text)
{
    unsigned depth = 0;
    bool quoted = false;
    char *p = text;
    for (; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '\n' || c == '\r') {
            *p = ' ';
        } else if (c < 0x20 && c != '\t') {
            return false;
        }
        if (quoted) {
            if (c == '\\' && p[1] != '\0') {
                p++;
            }
            quoted = c != '"';
            continue;
        }
        if (c == '#' || (c == '/' && (p[1] == '/' || p[1] == '*'))) {
            return false;
        }
        quoted = c == '"';
        if (depth == 0 && c != '{' && c != ' ' && c != '\t') {
            return false;
        }
        depth += c == '{';
        if (c == '}' && --depth == 0) {
            break;
        }
    }
    if (*p != '}') {
        return false;
    }
    p++;
    char *end = p;
    p += strspn(p, " \t\r\n");
    p += *p == ';';
    p += strspn(p, " \t\r\n");
    *end = '\0';
    return *p == '\0';
}

/* Names that need no escapes: others would have to be told apart in two grammars. */
static bool is_plain(const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
    return strspn(name, letters) == strlen(name);
}

/* `zone "NAME" …` of that name? */
static bool is_line_of(const char *line, const uint8_t *zone)
{
    char text[NAME_TEXT_SIZE];
    struct name name;
    const char *begin = line + strlen("zone \"");
    const char *end = strncmp(line, "zone \"", strlen("zone \"")) == 0 ? strchr(begin, '"') : NULL;
    if (end == NULL || (size_t)(end - begin) >= sizeof(text)) {
        return false;
    }
    memcpy(text, begin, (size_t)(end - begin));
    text[end - begin] = '\0';
    return name_parse_str(text, &name, NULL) == OK && name_equal(name.wire, zone);
}

/* Copies `from` without the zone's line, which goes to *line where that is not NULL. */
static bool take_out(const struct text *from, const uint8_t *zone, struct text *rest,
                     struct text *line)
{
    bool found = false;
    const char *p = text_str(from);
    while (*p != '\0') {
        size_t size = strcspn(p, "\n");
        size_t whole = size + (p[size] == '\n');
        if (is_line_of(p, zone)) {
            found = true;
            text_add(line, p, size);
        } else {
            text_add(rest, p, whole);
        }
        p += whole;
    }
    return found;
}

/* ---- the file ---- */

static enum result read_whole(const char *path, struct text *out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? OK : error_set_os(err, ERR_IO, "cannot read '%s'", path);
    }
    char bytes[8192];
    ssize_t size;
    while ((size = read(fd, bytes, sizeof(bytes))) > 0 && out->size < FILE_MAX) {
        text_add(out, bytes, (size_t)size);
    }
    enum result result =
        size == 0 ? OK : error_set_os(err, ERR_IO, "cannot read '%s' to its end", path);
    close(fd);
    return result;
}

static enum result write_whole(const char *path, const struct text *text, struct error *err)
{
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (fd < 0) {
        return error_set_os(err, ERR_IO, "cannot create '%s' (new-zones-directory)", path);
    }
    enum result result = OK;
    for (size_t at = 0; at < text->size && result == OK;) {
        ssize_t size = write(fd, text->bytes + at, text->size - at);
        if (size > 0) {
            at += (size_t)size;
        } else if (errno != EINTR) {
            result = error_set_os(err, ERR_IO, "cannot write '%s'", path);
        }
    }
    if (result == OK && fsync(fd) != 0) {
        result = error_set_os(err, ERR_IO, "cannot sync '%s'", path);
    }
    close(fd);
    return result;
}

static enum result put_in_place(const char *trial, const char *path, struct error *err)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (rename(trial, path) != 0) {
        return error_set_os(err, ERR_IO, "cannot rename '%s' to '%s'", trial, path);
    }
    snprintf(folder, sizeof(folder), "%.*s", slash == NULL ? 1 : (int)(slash - path + 1),
             slash == NULL ? "." : path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum result result = fd >= 0 && fsync(fd) == 0
                             ? OK
                             : error_set_os(err, ERR_IO, "cannot sync the directory '%s'", folder);
    if (fd >= 0) {
        close(fd);
    }
    return result;
}

/* ---- a change ---- */

static const uint8_t *name_of(const struct control_job *job)
{
    return job->zone != NULL ? job->zone->zone->name : job->absent.wire;
}

static void change_refused(struct control_job *job)
{
    char text[1024];
    const char *error = job->failure.code == ERR_DENIED      ? "denied"
                        : job->failure.code == ERR_NOT_FOUND ? "not-added"
                                                             : "failed";
    control_job_fail(job, error, "%s", error_format(&job->failure, text, sizeof(text)));
}

static void change_in_main(void *context);

/* Why the zone's file is not served; NULL: it is, or there is no such zone. What was added is a
 * zone of the job's from then on. */
static json_t *find_load_error(struct control_job *job)
{
    struct server *server = job->control->server;
    json_t *text = NULL;
    rcu_read_begin();
    struct zone_set *zones = atomic_load_explicit(&server->zone_set, memory_order_acquire);
    struct zone *zone = zone_set_get(zones, name_of(job), CLASS_IN);
    struct server_zone *own = zone == NULL ? NULL : zone->context;
    const char *why =
        own == NULL ? NULL : atomic_load_explicit(&own->load_error, memory_order_acquire);
    if (why != NULL) {
        text = control_text(why);
        if (job->zone == NULL) {
            job->zone = server_zone_ref(own);
        }
    }
    rcu_read_end();
    return text;
}

/* The job goes on as a delzone of what it has added, and remembers why. */
static void take_back(struct control_job *job)
{
    memory_free(job->statements);
    job->statements = NULL;
    if (!loop_post(job->control->server->main_loop, change_in_main, job)) {
        control_job_fail(job, "ending", "the server is ending");
    }
}

/* The zone's file has been looked at, where it has one. */
static void changed(struct control_job *job)
{
    char name[NAME_TEXT_SIZE];
    bool adds = job->zone == NULL;
    name_format_log(name_of(job), name);
    job->control->orders->tell_reloaded(job->control->server);
    if (job->failure.code != OK) {
        control_job_fail(job, "failed", "%s is as asked for, and will not be after a restart: %s",
                         name, job->failure.text);
        return;
    }
    if (job->answer != NULL) {
        control_job_fail(job, "failed", "%s was not added: %s", name,
                         json_string_value(job->answer));
        return;
    }
    job->answer = find_load_error(job);
    if (job->answer == NULL) {
        json_t *answer = json_object();
        json_object_set_new(answer, "zone", control_text(name));
        control_job_done(job, answer);
    } else if (adds) {
        take_back(job);
    } else {
        control_job_fail(job, "failed", "%s has its new statements, and its file is not served: %s",
                         name, json_string_value(job->answer));
    }
}

static void looked_at(void *context)
{
    control_job_home(context, changed);
}

static enum result make_text(struct control_job *job, const char *path, struct text *out,
                             struct error *err)
{
    bool adds = job->zone == NULL;
    char name[NAME_TEXT_SIZE];
    struct text old, line;
    text_init(&old, 0);
    text_init(&line, 0);
    enum result result = read_whole(path, &old, err);
    if (result == OK && take_out(&old, name_of(job), out, &line) == adds) {
        result = adds ? error_set(err, ERR_BUSY, "%s is being added already",
                                  name_format_log(name_of(job), name))
                      : error_set(err, ERR_NOT_FOUND,
                                  "%s was not added by addzone: it stands in the configuration",
                                  name_format_log(name_of(job), name));
    }
    if (result == OK && job->statements != NULL) {
        text_printf(out, "zone \"%s\" %s;\n", name_format_log(name_of(job), name), job->statements);
    }
    text_deinit(&old);
    text_deinit(&line);
    return result;
}

/* In the main thread. */
static void change_in_main(void *context)
{
    struct control_job *job = context;
    struct server *server = job->control->server;
    struct settings *settings = server_settings(server);
    const char *path = settings->conf->new_zones_file;
    char trial[PATH_MAX];
    struct text text;
    text_init(&text, 0);
    enum result result =
        path == NULL
            ? error_set(&job->failure, ERR_DENIED,
                        "zones cannot be added or taken away: `allow-new-zones yes` is not set")
        : snprintf(trial, sizeof(trial), "%s.new", path) >= (int)sizeof(trial)
            ? error_set(&job->failure, ERR_LIMIT, "the path of new-zones-directory is too long")
            : make_text(job, path, &text, &job->failure);
    if (result == OK && (result = write_whole(trial, &text, &job->failure)) == OK) {
        server->new_zones_trial = trial;
        result = job->control->orders->reload(server, RELOAD_CONFIGURATION,
                                              "loading the configuration and new zones only",
                                              looked_at, job, &job->failure);
        server->new_zones_trial = NULL;
        if (result != OK) {
            (void)unlink(trial);
        } else {
            (void)!put_in_place(trial, path, &job->failure); /* changed() tells of a failure */
        }
    }
    text_deinit(&text);
    settings_unref(settings);
    if (result != OK) {
        control_job_home(job, change_refused);
    }
}

void control_change_zone_run(struct control_job *job)
{
    char name[NAME_TEXT_SIZE];
    if (!is_plain(name_format_log(name_of(job), name))) {
        control_job_fail(job, "bad-request",
                         "%s: zones with such a name are written in the configuration", name);
    } else if (job->statements != NULL && !is_one_block(job->statements)) {
        control_job_fail(job, "bad-request",
                         "a zone's statements stand between one pair of braces, without comments");
    } else if (!loop_post(job->control->server->main_loop, change_in_main, job)) {
        control_job_fail(job, "ending", "the server is ending");
    }
}

void control_showzone_run(struct control_job *job)
{
    struct settings *settings = server_settings(job->control->server);
    const char *path = settings->conf->new_zones_file;
    char name[NAME_TEXT_SIZE];
    struct text all, rest, line;
    text_init(&all, 0);
    text_init(&rest, 0);
    text_init(&line, 0);
    name_format_log(name_of(job), name);
    if (path != NULL && read_whole(path, &all, &job->failure) != OK) {
        change_refused(job);
    } else if (path == NULL || !take_out(&all, name_of(job), &rest, &line)) {
        const struct conf_zone *zone = conf_zone_find(settings->conf, name_of(job));
        control_job_fail(job, "not-added", "%s was not added by addzone: it stands in %s:%u", name,
                         zone == NULL ? "the configuration" : zone->where.file,
                         zone == NULL ? 0 : zone->where.line);
    } else {
        json_t *answer = json_object();
        json_object_set_new(answer, "zone", control_text(name));
        json_object_set_new(answer, "text", control_text(text_str(&line)));
        control_job_done(job, answer);
    }
    text_deinit(&all);
    text_deinit(&rest);
    text_deinit(&line);
    settings_unref(settings);
}
