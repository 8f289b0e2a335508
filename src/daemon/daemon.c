/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Start, run, end.
 *
 * Start: read the configuration, open every socket (as whoever may), drop to the user, start the
 * threads, load the zones, write the pid file. Run: the main loop waits for signals; SIGHUP reads
 * configuration and changed zone files, and either all of the configuration is taken or none. End:
 * threads in the reverse order, each joined; nothing is torn down under a reader.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accounts/key_usage.h"
#include "accounts/prefix_count.h"
#include "accounts/replay.h"
#include "base/memory.h"
#include "base/rcu.h"
#include "control/control.h"
#include "daemon/start_lint.h"
#include "hub/loader.h"
#include "net/loop.h"
#include "process/background.h"
#include "process/privileges.h"
#include "process/service.h"
#include "server/answer_counts.h"
#include "server/dispatch.h"
#include "server/listening.h"
#include "server/query_log.h"
#include "settings/session_key.h"
#include "sync/sync.h"
#include "sync/transfer_in.h"
#include "update/update.h"
#include "update/update_forward.h"
#include "xfr/axfr_cache.h"
#include "zones/file_watch.h"
#include "zones/write_back.h"
#include "zones/zone_copy.h"
#include "zones/zone_guard.h"
#include "zones/zone_history.h"
#include "zones/zones.h"

enum { DNS_PORT = 53, SWEEP_MS = 5000, REPLAYS_KNOWN = 16384, KEY_USES_KNOWN = 4096 };

struct process {
    struct server server;
    struct loop_watch signals;
    struct loop_timer sweep;
    int signal_fd;
    bool has_run;      /* the main loop */
    char *pid_path;    /* NULL: not written */
    char *config_path; /* absolute: a reload runs in another directory */
};

/* ---- configuration ---- */

static void report_to_stderr(void *context, const struct conf_finding *finding)
{
    (void)context;
    char line[1024];
    if (finding->severity != CONF_NOTICE) {
        fprintf(stderr, "%s\n", conf_finding_format(finding, line, sizeof(line)));
    }
}

static void report_to_log(void *context, const struct conf_finding *finding)
{
    static const enum log_level levels[] = {LOG_ERROR, LOG_WARNING, LOG_NOTICE};
    struct server *server = context;
    char place[600];
    snprintf(place, sizeof(place), "%s:%u", finding->where.file == NULL ? "" : finding->where.file,
             finding->where.line);
    char phrase[1400];
    snprintf(phrase, sizeof(phrase), "%s: %s", place, finding->text);
    LOG_EVENT(server->logging, levels[finding->severity], LOG_CONFIG, "config_finding", phrase,
              LOG_NUM("column", finding->where.column));
}

/* session_key: given; NULL where the configuration wants none. */
static enum result read_settings(struct server *server, conf_report *report, void *context,
                                 struct settings **out, struct session_key **session_key,
                                 struct error *err)
{
    struct conf *conf;
    *session_key = NULL;
    enum result result = conf_load_trial(server->options.config_path, server->new_zones_trial,
                                         report, context, &conf, err);
    if (result != OK) {
        return result;
    }
    if ((result = session_key_new(conf, server->session_key, session_key, err)) != OK) {
        conf_free(conf);
        return result;
    }
    uint16_t port = server->options.port != 0 ? server->options.port : DNS_PORT;
    struct settings_input input = {
        .conf = conf,
        .session_key = session_key_tsig(*session_key),
        .default_port = port,
        .ipv4 = !server->options.ipv6_only,
        .ipv6 = !server->options.ipv4_only,
        .old = atomic_load_explicit(&server->settings, memory_order_acquire),
        .report = report,
        .report_context = context,
    };
    result = settings_new(&input, out, err);
    if (result != OK) {
        session_key_free(*session_key);
        *session_key = NULL;
    }
    return result;
}

/* Main thread, without privileges. Takes the key; NULL: none from now on. */
static void use_session_key(struct server *server, struct session_key *key)
{
    struct session_key *old = server->session_key;
    struct error err = {0};
    session_key_remove(old, key);
    if (key != NULL && session_key_write(key, &err) != OK) {
        char text[1024];
        LOG_EVENT(server->logging, LOG_ERROR, LOG_GENERAL, "session_key_failed",
                  error_format(&err, text, sizeof(text)),
                  LOG_KEY("action", "update-policy local cannot be used; set session-keyfile"));
    } else if (key != NULL && old == NULL) {
        LOG_EVENT(server->logging, LOG_INFO, LOG_GENERAL, "session_key",
                  "generating session key for dynamic DNS", LOG_KEY("file", session_key_path(key)));
    }
    session_key_free(old);
    server->session_key = key;
}

/* One notice for all statements that are known and do nothing yet. */
static void tell_unused(struct server *server, const struct conf *conf)
{
    struct text names;
    text_init(&names, 900);
    for (uint32_t i = 0; i < conf->unused_count; i++) {
        if (conf->unused[i].later) {
            text_printf(&names, "%s%s (%s:%u)", names.size == 0 ? "" : ", ", conf->unused[i].name,
                        conf->unused[i].where.file, conf->unused[i].where.line);
        }
    }
    if (names.size != 0) {
        char phrase[1200];
        snprintf(phrase, sizeof(phrase), "accepted, without effect in this version: %s",
                 text_str(&names));
        LOG_EVENT(server->logging, LOG_NOTICE, LOG_CONFIG, "config_unused", phrase,
                  LOG_NUM("statements", conf->unused_count));
    }
    text_deinit(&names);
}

static void settings_unref_later(void *context)
{
    settings_unref(context);
}

static void tell_reloaded(struct server *server)
{
    sync_zones_loaded(server->sync);
    service_ready("running");
    LOG_EVENT(server->logging, LOG_INFO, LOG_GENERAL, "reload_done", "reloading zones succeeded",
              LOG_NUM("zones", zones_count(server->zones)));
}

static void reloaded(void *context)
{
    tell_reloaded(context);
}

/*
 * Main thread: reads configuration and zone files again; `why` is the log's phrase. OK: the
 * configuration is taken, and `loaded` is called in the main thread when all zones have been looked
 * at. Otherwise nothing changed, and the log has the reason.
 */
static enum result reload(struct server *server, enum reload_what what, const char *why,
                          void (*loaded)(void *context), void *context, struct error *err)
{
    LOG_EVENT(server->logging, LOG_INFO, LOG_GENERAL, "reload", why,
              LOG_KEY("config", server->options.config_path));
    service_reloading();
    struct settings *fresh;
    struct session_key *session_key;
    enum result result = read_settings(server, report_to_log, server, &fresh, &session_key, err);
    if (result != OK) {
        char text[1024], phrase[1200];
        snprintf(phrase, sizeof(phrase), "reloading configuration failed: %s",
                 error_format(err, text, sizeof(text)));
        LOG_EVENT(server->logging, LOG_ERROR, LOG_GENERAL, "reload_failed", phrase,
                  LOG_KEY("action", "keeping the configuration as it was"));
        service_ready("running; the last reload was refused, see the log");
        return result;
    }
    struct settings *old = atomic_load_explicit(&server->settings, memory_order_acquire);
    fresh->generation = old->generation + 1;
    struct logging_options logging;
    settings_logging(fresh, server->options.log_to_stderr, server->options.debug_level, &logging);
    struct error log_err = {0};
    if (logging_configure(server->logging, &logging, &log_err) != OK) {
        LOG_EVENT(server->logging, LOG_ERROR, LOG_GENERAL, "logging_failed", log_err.text,
                  LOG_KEY("action", "keeping the log channels as they were"));
    }
    if (fresh->logs_queries != old->logs_queries) {
        query_log_turn(server, fresh->logs_queries, "configuration");
    }
    use_session_key(server, session_key);
    dispatch_prepare_settings(fresh);
    atomic_store_explicit(&server->settings, fresh, memory_order_release);
    atomic_store(&server->configured_at_s, clock_wall_s());
    listening_follow(server->listening, fresh);
    zones_configure(server->zones, what == RELOAD_ALL, loaded, context);
    rcu_defer(settings_unref_later, old);
    return OK;
}

/* Any thread. */
static void stop(struct server *server)
{
    LOG_EVENT(server->logging, LOG_INFO, LOG_GENERAL, "stopping", "shutting down",
              LOG_KEY("asked_by", "control channel"));
    loop_stop(server->main_loop);
}

static const struct control_orders orders = {
    .reload = reload, .tell_reloaded = tell_reloaded, .stop = stop};

/* ---- signals ---- */

static void signal_ready(void *context, unsigned events)
{
    (void)events;
    struct process *process = context;
    struct signalfd_siginfo info;
    while (read(process->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        switch (info.ssi_signo) {
        case SIGHUP:
            /* a failure is in the log */
            (void)!reload(&process->server, RELOAD_ALL, "received SIGHUP signal to reload zones",
                          reloaded, &process->server, &(struct error){0});
            break;
        case SIGUSR1:
            logging_reopen(process->server.logging);
            break;
        case SIGTERM:
        case SIGINT:
            LOG_EVENT(process->server.logging, LOG_INFO, LOG_GENERAL, "stopping", "shutting down",
                      LOG_NUM("signal", info.ssi_signo));
            loop_stop(process->server.main_loop);
            break;
        default:
            break;
        }
    }
}

/* Before the first thread is made, so that all inherit it: signals wait for the main loop. */
static sigset_t block_signals(void)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGHUP);
    sigaddset(&wanted, SIGUSR1);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGIO); /* of a lease (zone_file.c): nothing to do */
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &wanted, NULL);
    return wanted;
}

static enum result watch_signals(struct process *process, struct error *err)
{
    sigset_t wanted = block_signals();
    process->signal_fd = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
    if (process->signal_fd < 0) {
        return error_set_os(err, ERR_IO, "cannot watch for signals");
    }
    return loop_watch_add(process->server.main_loop, &process->signals, process->signal_fd,
                          LOOP_READ, signal_ready, process, err);
}

/* ---- process matters ---- */

/* O_NOFOLLOW: the file may lie where others can write. */
static enum result write_pid(struct process *process, const char *path, struct error *err)
{
    if (path == NULL) {
        return OK;
    }
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) {
        return error_set_os(err, ERR_IO, "cannot write pid-file %s", path);
    }
    char text[32];
    int size = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    bool good = write(fd, text, (size_t)size) == size;
    close(fd);
    if (!good) {
        (void)unlink(path);
        return error_set_os(err, ERR_IO, "cannot write pid-file %s", path);
    }
    process->pid_path = memory_strdup(path);
    return OK;
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* ---- start and end ---- */

static void loaded(void *context)
{
    struct process *process = context;
    struct server *server = &process->server;
    sync_zones_loaded(server->sync);
    LOG_EVENT(server->logging, LOG_NOTICE, LOG_GENERAL, "zones_loaded", "all zones loaded",
              LOG_NUM("zones", zones_count(server->zones)));
    LOG_EVENT(server->logging, LOG_NOTICE, LOG_GENERAL, "running", "running",
              LOG_KEY("version", LOCKSTEP_VERSION));
    service_ready("running");
    start_lint_zones(server);
}

/* In the main thread, so that a version which only the cache still had is freed here. */
static void sweep_due(void *context)
{
    struct process *process = context;
    struct server *server = &process->server;
    struct instant now = loop_now(server->main_loop);
    axfr_cache_sweep(server->axfr_cache, now);
    loop_timer_set(server->main_loop, &process->sweep, instant_add_ms(now, SWEEP_MS));
}

/* Links stay as they are: where they point at the next reload is what counts then. */
static void keep_config_path(struct process *process)
{
    const char *path = process->server.options.config_path;
    char *here = path[0] == '/' ? NULL : getcwd(NULL, 0);
    if (here == NULL) {
        return;
    }
    struct text absolute;
    text_init(&absolute, 0);
    text_printf(&absolute, "%s/%s", here, path);
    process->config_path = memory_strdup(text_str(&absolute));
    process->server.options.config_path = process->config_path;
    text_deinit(&absolute);
    free(here);
}

/* Without it zones are served all the same, and read at SIGHUP. */
static void start_file_watch(struct server *server)
{
    struct error err = {0};
    if (file_watch_new(server, &server->file_watch, &err) != OK) {
        char text[1024];
        LOG_EVENT(server->logging, LOG_ERROR, LOG_GENERAL, "file_watch_failed",
                  error_format(&err, text, sizeof(text)),
                  LOG_KEY("action", "auto-reload has no effect; zone files are read at SIGHUP"));
    }
}

/* Everything before the main loop. What was made is in `process`, also on error. */
static enum result start(struct process *process, struct error *err)
{
    struct server *server = &process->server;
    struct settings *settings;
    struct session_key *session_key;
    enum result result =
        read_settings(server, report_to_stderr, NULL, &settings, &session_key, err);
    if (result != OK) {
        return result;
    }
    keep_config_path(process);
    settings->generation = 1;
    dispatch_prepare_settings(settings);
    atomic_store(&server->settings, settings);
    if (settings->directory != NULL && chdir(settings->directory) != 0) {
        session_key_free(session_key);
        return error_set_os(err, ERR_IO, "cannot change to directory %s", settings->directory);
    }
    server->listening = listening_new(server);
    struct logging_options logging;
    settings_logging(settings, server->options.log_to_stderr, server->options.debug_level,
                     &logging);
    if ((result = logging_start(&logging, &server->logging, err)) != OK ||
        (result = loop_new(&server->main_loop, err)) != OK ||
        (result = watch_signals(process, err)) != OK ||
        (result = listening_open(server->listening, settings, err)) != OK ||
        (result = control_open(server, server->options.user, &orders, &server->control, err)) !=
            OK ||
        (result = privileges_drop(server->options.user, err)) != OK) {
        session_key_free(session_key);
        return result;
    }
    use_session_key(server, session_key);
    if (settings->logs_queries && (result = query_log_switch(server->query_log, true, err)) != OK) {
        return result;
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = cores > 1 ? (unsigned)cores : 1;
    LOG_EVENT(server->logging, LOG_NOTICE, LOG_GENERAL, "starting",
              "starting Lockstep " LOCKSTEP_VERSION, LOG_KEY("config", server->options.config_path),
              LOG_NUM("pid", getpid()));
    tell_unused(server, settings->conf);
    start_lint_configuration(server, settings->conf);
    server->zones = zones_new(server);
    start_file_watch(server);
    server->forwards = forwards_new(server);
    server->axfr_cache = axfr_cache_new(NULL);
    server->replay = replay_new(REPLAYS_KNOWN);
    server->key_usage = key_usage_new(KEY_USES_KNOWN);
    server->tcp_networks = prefix_count_new();
    server->transfer_clients = prefix_count_new();
    loop_timer_set(server->main_loop, &process->sweep, clock_now());
    if ((result = zone_history_open(server, settings, err)) != OK ||
        (result = loader_new(threads, &server->loader, err)) != OK ||
        (result = sync_new(server, &server->sync, err)) != OK ||
        (result = transfers_new(server, threads, &server->transfers, err)) != OK ||
        (result = updates_new(server, &server->updates, err)) != OK ||
        (result = sync_start(server->sync, err)) != OK) {
        return result;
    }
    server->started_at_s = clock_wall_s();
    atomic_store(&server->configured_at_s, server->started_at_s);
    zones_configure(server->zones, true, loaded, process);
    if ((result = control_start(server->control, err)) != OK ||
        (result = listening_start(server->listening, err)) != OK) {
        return result;
    }
    return write_pid(process, settings->pid_file, err);
}

static void finish(struct process *process)
{
    service_stopping();
    struct server *server = &process->server;
    struct settings *settings = atomic_load(&server->settings);
    if (process->pid_path != NULL) {
        (void)unlink(process->pid_path);
        memory_free(process->pid_path);
    }
    use_session_key(server, NULL);
    if (!process->has_run && server->main_loop != NULL) { /* the end of a start that failed */
        loop_stop(server->main_loop);
        loop_run(server->main_loop); /* what was posted to it holds references */
    }
    forwards_stop(server->forwards);
    file_watch_free(server->file_watch);
    server->file_watch = NULL;
    control_stop(server->control);
    updates_stop(server->updates);
    listening_free(server->listening);
    answer_counts_free(server->answer_counts);
    server->answer_counts = NULL;
    query_log_free(server->query_log);
    updates_free(server->updates);
    forwards_free(server->forwards);
    write_back_flush(server);
    replay_free(server->replay);
    axfr_cache_free(server->axfr_cache);
    prefix_count_free(server->tcp_networks);
    prefix_count_free(server->transfer_clients);
    sync_stop(server->sync); /* it hands work to the transfer threads */
    transfers_free(server->transfers);
    zone_guards_stop(server->guards);
    zones_finish(server->zones);
    loader_free(server->loader);
    zone_copies_report(server);
    zones_free(server->zones);
    rcu_drain(); /* the last references to zones are dropped here */
    zone_history_close(server);
    sync_free(server->sync);
    key_usage_free(server->key_usage);
    if (server->main_loop != NULL) {
        loop_watch_remove(server->main_loop, &process->signals);
        loop_timer_stop(server->main_loop, &process->sweep);
    }
    if (process->signal_fd >= 0) {
        close(process->signal_fd);
    }
    LOG_EVENT(server->logging, LOG_NOTICE, LOG_GENERAL, "exiting", "exiting",
              LOG_NUM("pid", getpid()));
    logging_stop(server->logging);
    loop_free(server->main_loop);
    control_free(server->control);
    rcu_drain();
    settings_unref(settings);
    memory_free(process->config_path);
}

int daemon_run(const struct server_options *options)
{
    struct process *process = memory_new_zeroed(1, sizeof(*process));
    process->server.options = *options;
    process->signal_fd = -1;
    loop_timer_init(&process->sweep, sweep_due, process);
    raise_descriptor_limit();
    (void)block_signals();
    /* Standard error stays until all is well, so that a failure to start is seen. */
    struct error err = {0};
    int status = 0, ready_fd = -1;
    if (!options->foreground && background_enter(&ready_fd, &err) != OK) {
        fprintf(stderr, "lockstepd: %s\n", err.text);
        memory_free(process);
        return 1;
    }
    if (start(process, &err) == OK) {
        background_ready(ready_fd);
        process->has_run = true;
        loop_run(process->server.main_loop);
    } else {
        char text[1024];
        fprintf(stderr, "lockstepd: %s\n", error_format(&err, text, sizeof(text)));
        LOG_EVENT(process->server.logging, LOG_CRITICAL, LOG_GENERAL, "start_failed", err.text,
                  LOG_KEY("config", options->config_path));
        status = 1;
    }
    finish(process);
    memory_free(process);
    return status;
}
