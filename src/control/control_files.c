/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `stats` and `dumpdb`: what named writes into `statistics-file` and `dump-file`, in its forms, for
 * the scripts that read those. Only what we count is there; all of it, and more, is in `status`.
 *
 * A loader does the writing: a dump of many zones takes its time, and the disk may have none. The
 * statistics are added to their file, a block a time as it is there; the dump replaces its file when
 * it is whole. Neither follows a link, for the directory may be one where others can write.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/rcu.h"
#include "control/control_impl.h"
#include "hub/loader.h"
#include "hub/server.h"
#include "server/answer_counts.h"
#include "wire/message.h"
#include "wire/rrtype.h"
#include "zone/master.h"
#include "zones/zones.h"

enum { FILE_MODE = 0644 };

static enum result write_all(int fd, const char *bytes, size_t size, const char *path,
                             struct error *err)
{
    while (size != 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return error_set_os(err, ERR_IO, "cannot write '%s'", path);
        }
        bytes += written;
        size -= (size_t)written;
    }
    return OK;
}

/* ---- all zones ---- */

struct row {
    struct server_zone **zones; /* references */
    size_t count;
};

static bool take_zone(void *context, struct zone *zone)
{
    struct row *row = context;
    row->zones[row->count++] = server_zone_ref(zone->context);
    return true;
}

static int compare_zones(const void *a, const void *b)
{
    struct server_zone *const *left = a, *const *right = b;
    return name_compare((*left)->zone->name, (*right)->zone->name);
}

/* In canonical order. */
static struct row all_zones(struct server *server)
{
    rcu_read_begin();
    struct zone_set *zones = atomic_load_explicit(&server->zone_set, memory_order_acquire);
    struct row row = {.zones = memory_new_zeroed(zone_set_count(zones), sizeof(row.zones[0]))};
    zone_set_each(zones, take_zone, &row);
    rcu_read_end();
    if (row.count != 0) {
        qsort(row.zones, row.count, sizeof(row.zones[0]), compare_zones);
    }
    return row;
}

static void row_free(struct row *row)
{
    for (size_t i = 0; i < row->count; i++) {
        server_zone_unref(row->zones[i]);
    }
    memory_free(row->zones);
}

/* ---- stats ---- */

static void add_count(struct text *out, uint64_t number, const char *what)
{
    if (number != 0) {
        text_printf(out, "%20llu %s\n", (unsigned long long)number, what);
    }
}

static uint64_t load(const _Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

static void add_server(struct text *out, const struct server *server, const struct answer_sums *sum)
{
    const struct server_counters *counters = &server->counters;
    uint64_t streams = sum->transports[ANSWER_TCP] + sum->transports[ANSWER_TLS];
    uint64_t all = sum->transports[ANSWER_UDP] + streams;
    text_add_str(out, "++ Name Server Statistics ++\n");
    add_count(out, sum->edns, "requests with EDNS(0) received");
    add_count(out, streams, "TCP requests received");
    add_count(out, load(&counters->transfers_refused), "transfer requests rejected");
    add_count(out, load(&counters->updates_refused), "update requests rejected");
    add_count(out, all - sum->unanswered, "responses sent");
    add_count(out, sum->truncated, "truncated responses sent");
    add_count(out, sum->rcodes[RCODE_SERVFAIL], "queries resulted in SERVFAIL");
    add_count(out, sum->rcodes[RCODE_FORMERR], "queries resulted in FORMERR");
    add_count(out, sum->rcodes[RCODE_NXDOMAIN], "queries resulted in NXDOMAIN");
    add_count(out, load(&counters->updates_done), "updates completed");
    add_count(out, load(&counters->updates_failed), "updates failed");
    add_count(out, load(&counters->rate_dropped), "responses dropped for rate limits");
    add_count(out, load(&counters->rate_slipped), "responses truncated for rate limits");
    add_count(out, sum->transports[ANSWER_UDP], "UDP queries received");
    add_count(out, streams, "TCP queries received");
}

static void add_zone(struct text *out, const struct server_zone *zone)
{
    const struct zone_query_counts *counts =
        atomic_load_explicit(&zone->zone->query_counts, memory_order_acquire);
    struct zone_counts_line sum;
    char name[NAME_TEXT_SIZE];
    if (counts == NULL) {
        return;
    }
    zone_query_counts_sum(counts, &sum);
    text_printf(out, "[%s]\n", name_format_log(zone->zone->name, name));
    add_count(out, load(&sum.streams), "TCP requests received");
    add_count(out, load(&sum.truncated), "truncated responses sent");
    add_count(out, load(&sum.queries) - load(&sum.nxdomain) - load(&sum.failed),
              "queries resulted in successful answer");
    add_count(out, load(&sum.nxdomain), "queries resulted in NXDOMAIN");
    add_count(out, load(&sum.failed), "queries resulted in another failure");
}

static void add_statistics(struct text *out, struct server *server)
{
    struct answer_sums sum;
    char text[16];
    long long now_s = (long long)clock_wall_s();
    answer_counts_sum(server, &sum);
    text_printf(out, "+++ Statistics Dump +++ (%lld)\n++ Incoming Queries ++\n", now_s);
    for (unsigned i = 0; i < COUNTED_TYPES; i++) {
        add_count(out, sum.types[i],
                  i == COUNTED_TYPE_NONE    ? "without a question"
                  : i == COUNTED_TYPE_OTHER ? "Others"
                                            : rrtype_format((uint16_t)i, text));
    }
    text_add_str(out, "++ Outgoing Rcodes ++\n");
    for (unsigned i = 0; i < COUNTED_RCODES; i++) {
        add_count(out, sum.rcodes[i], i == COUNTED_RCODES - 1 ? "Others" : rcode_name(i));
    }
    add_server(out, server, &sum);
    text_add_str(out, "++ Per Zone Query Statistics ++\n");
    struct row row = all_zones(server);
    for (size_t i = 0; i < row.count; i++) {
        add_zone(out, row.zones[i]);
    }
    row_free(&row);
    text_printf(out, "--- Statistics Dump --- (%lld)\n", now_s);
}

static void done(struct control_job *job)
{
    if (job->failure.code != OK) {
        control_job_fail(job, "failed", "%s", job->failure.text);
        return;
    }
    json_t *answer = job->answer;
    job->answer = NULL;
    control_job_done(job, answer);
}

/* In a loader, these two. */
static void write_statistics(void *context)
{
    struct control_job *job = context;
    struct settings *settings = server_settings(job->control->server);
    const char *path = conf_text(settings->conf, NULL, CONF_STATISTICS_FILE);
    struct text text;
    text_init(&text, 0);
    add_statistics(&text, job->control->server);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    enum result result =
        fd < 0 ? error_set_os(&job->failure, ERR_IO, "cannot open statistics-file '%s'", path)
               : write_all(fd, text.bytes, text.size, path, &job->failure);
    if (fd >= 0) {
        close(fd);
    }
    if (result == OK) {
        job->answer = json_object();
        json_object_set_new(job->answer, "file", control_text(path));
    }
    text_deinit(&text);
    settings_unref(settings);
    control_job_home(job, done);
}

/* ---- dumpdb ---- */

static enum result dump_zones(const struct row *row, int fd, const char *path, struct error *err)
{
    enum result result = OK;
    struct text text;
    text_init(&text, 0);
    text_add_str(&text, ";\n; Start view _default\n;\n");
    for (size_t i = 0; i < row->count && result == OK; i++) {
        struct zone_version *version = zone_acquire(row->zones[i]->zone);
        text_printf(&text, ";\n; Zone dump of '%s'\n;\n%s", row->zones[i]->label,
                    version == NULL ? "; not loaded\n" : "");
        result = write_all(fd, text.bytes, text.size, path, err);
        text_reset(&text);
        if (result == OK && version != NULL) {
            result = master_write_fd(version, MASTER_FULL, fd, path, err);
        }
        zone_version_unref(version);
    }
    text_add_str(&text, "; Dump complete\n");
    if (result == OK) {
        result = write_all(fd, text.bytes, text.size, path, err);
    }
    text_deinit(&text);
    return result;
}

static enum result dump_to(const struct row *row, const char *path, struct error *err)
{
    char fresh[PATH_MAX];
    if (snprintf(fresh, sizeof(fresh), "%s.new", path) >= (int)sizeof(fresh)) {
        return error_set(err, ERR_IO, "the path of dump-file is too long");
    }
    if (unlink(fresh) != 0 && errno != ENOENT) {
        return error_set_os(err, ERR_IO, "cannot remove '%s'", fresh);
    }
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (fd < 0) {
        return error_set_os(err, ERR_IO, "cannot create '%s' (dump-file)", fresh);
    }
    enum result result = dump_zones(row, fd, fresh, err);
    if (close(fd) != 0 && result == OK) {
        result = error_set_os(err, ERR_IO, "cannot close '%s'", fresh);
    }
    if (result == OK && rename(fresh, path) != 0) {
        result = error_set_os(err, ERR_IO, "cannot rename '%s' to '%s'", fresh, path);
    }
    if (result != OK) {
        (void)unlink(fresh);
    }
    return result;
}

static void write_dump(void *context)
{
    struct control_job *job = context;
    struct settings *settings = server_settings(job->control->server);
    const char *path = conf_text(settings->conf, NULL, CONF_DUMP_FILE);
    struct row row = all_zones(job->control->server);
    if (dump_to(&row, path, &job->failure) == OK) {
        job->answer = json_pack("{s:I}", "zones", (json_int_t)row.count);
        json_object_set_new(job->answer, "file", control_text(path));
    }
    row_free(&row);
    settings_unref(settings);
    control_job_home(job, done);
}

void control_stats_run(struct control_job *job)
{
    loader_submit(job->control->server->loader, write_statistics, NULL, job);
}

void control_dumpdb_run(struct control_job *job)
{
    loader_submit(job->control->server->loader, write_dump, NULL, job);
}
