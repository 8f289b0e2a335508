/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program between a new version and its publication.
 *
 * It is started without a shell, with its arguments as they stand in the configuration, an
 * environment of four variables (PATH, LOCKSTEP_ZONE, LOCKSTEP_SERIAL, LOCKSTEP_SERVED), the zone
 * on standard input, nothing on standard output, and a pipe on standard error, the first line of
 * which ends up in the log. Standard input is a file in memory that nobody else can open: a program
 * that does not read it does not hold us up, and one that wants to seek may. It runs in a process
 * group of its own, and the whole group is killed when its time is over. All other descriptors of
 * the server are closed on exec.
 */
#include "zones/checker.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "wire/name.h"
#include "zone/master.h"

enum { LINE_SIZE = 240, SLICE_MS = 200, READS_A_TURN = 16, ENVIRONMENT_SIZE = NAME_TEXT_SIZE + 32 };

struct run {
    pid_t pid;
    int process_fd; /* becomes readable when it has ended */
    int errors_fd;  /* its standard error; -1: closed */
    char line[LINE_SIZE];
    size_t line_size;
    bool line_ended;
};

/* ---- the start ---- */

static int zone_on_descriptor(const struct zone_version *version, struct error *err)
{
    int fd = memfd_create("zone", MFD_CLOEXEC);
    if (fd < 0) {
        error_set_os(err, ERR_IO, "cannot make a file in memory for the checker");
        return -1;
    }
    if (master_write_fd(version, MASTER_RELATIVE, fd, "zone for the checker", err) != OK ||
        lseek(fd, 0, SEEK_SET) != 0) {
        error_set_os(err, ERR_IO, "cannot write the zone for the checker");
        close(fd);
        return -1;
    }
    return fd;
}

static enum result spawn(struct run *run, const struct conf_checker *checker, char **environment,
                         int zone_fd, int errors_fd, struct error *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, zone_fd, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, errors_fd, STDERR_FILENO);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    /* posix_spawn does not write to them. */
    char *const *arguments = (char *const *)(uintptr_t)checker->arguments;
    int code =
        posix_spawn(&run->pid, checker->program, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (code != 0) {
        return error_set(err, ERR_IO, "cannot run the checker %s: %s", checker->program,
                         strerror(code));
    }
    run->process_fd = (int)syscall(SYS_pidfd_open, run->pid, 0);
    return OK;
}

static enum result start(struct run *run, const struct conf_checker *checker,
                         const struct zone_version *version, const struct zone_version *present,
                         struct error *err)
{
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char zone[ENVIRONMENT_SIZE], serial[ENVIRONMENT_SIZE], served[ENVIRONMENT_SIZE];
    char name[NAME_TEXT_SIZE];
    snprintf(zone, sizeof(zone), "LOCKSTEP_ZONE=%s",
             name_format_log(zone_version_name(version), name));
    snprintf(serial, sizeof(serial), "LOCKSTEP_SERIAL=%u", zone_version_serial(version).value);
    if (present == NULL) {
        snprintf(served, sizeof(served), "LOCKSTEP_SERVED=");
    } else {
        snprintf(served, sizeof(served), "LOCKSTEP_SERVED=%u", zone_version_serial(present).value);
    }
    char *environment[] = {path, zone, serial, served, NULL};
    int pipes[2];
    int zone_fd = zone_on_descriptor(version, err);
    if (zone_fd < 0) {
        return ERR_IO;
    }
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        close(zone_fd);
        return error_set_os(err, ERR_IO, "cannot make a pipe for the checker");
    }
    enum result result = spawn(run, checker, environment, zone_fd, pipes[1], err);
    close(zone_fd);
    close(pipes[1]);
    if (result != OK) {
        close(pipes[0]);
        return result;
    }
    (void)fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    run->errors_fd = pipes[0];
    return OK;
}

/* ---- while it runs ---- */

static void take_line(struct run *run, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size && !run->line_ended; i++) {
        if (bytes[i] == '\n') {
            run->line_ended = run->line_size != 0;
        } else if (run->line_size < LINE_SIZE - 1) {
            unsigned char c = (unsigned char)bytes[i];
            run->line[run->line_size++] = iscntrl(c) ? ' ' : (char)c;
        }
    }
}

/* It is read on, so that it does not wait for us, and never longer than a turn: a program may write
 * as fast as we read. Only the first line is kept. */
static void read_errors(struct run *run)
{
    char bytes[4096];
    ssize_t size = 1;
    for (unsigned i = 0; i < READS_A_TURN && size > 0; i++) {
        size = read(run->errors_fd, bytes, sizeof(bytes));
        take_line(run, bytes, size > 0 ? (size_t)size : 0);
    }
    if (size == 0) {
        close(run->errors_fd);
        run->errors_fd = -1;
    }
}

/* It is not reaped yet: until then nobody else can have its process group's number. */
static bool has_ended(const struct run *run)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == run->pid;
}

static enum result await(struct run *run, uint32_t timeout_s, const _Atomic bool *stopping,
                         struct error *err)
{
    struct instant until = instant_add_ms(clock_now(), (int64_t)timeout_s * 1000);
    for (;;) {
        struct pollfd fds[2] = {{.fd = run->errors_fd, .events = POLLIN},
                                {.fd = run->process_fd, .events = POLLIN}};
        int64_t left_ms = instant_ms_until(clock_now(), until);
        (void)poll(fds, 2, left_ms < SLICE_MS ? (int)left_ms : SLICE_MS);
        if (run->errors_fd >= 0) {
            read_errors(run);
        }
        if (has_ended(run)) {
            return OK;
        }
        if (atomic_load(stopping)) {
            return error_set(err, ERR_CLOSED, "the server ended before the checker did");
        }
        if (!instant_before(clock_now(), until)) {
            return error_set(err, ERR_TIMEOUT,
                             "the checker did not end within %u s (checker-timeout)", timeout_s);
        }
    }
}

static enum result verdict_of(struct run *run, int status, struct error *err)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return OK;
    }
    if (run->errors_fd >= 0) {
        read_errors(run);
    }
    run->line[run->line_size] = '\0';
    char how[48];
    if (WIFEXITED(status)) {
        snprintf(how, sizeof(how), "exit status %d", WEXITSTATUS(status));
    } else {
        snprintf(how, sizeof(how), "ended by signal %d", WTERMSIG(status));
    }
    return error_set(err, ERR_DENIED, "the checker said no (%s)%s%s", how,
                     run->line_size == 0 ? "" : ": ", run->line);
}

enum result checker_run(const struct conf_checker *checker, uint32_t timeout_s,
                        const struct zone_version *version, const struct zone_version *present,
                        const _Atomic bool *stopping, struct error *err)
{
    struct run run = {.errors_fd = -1, .process_fd = -1};
    int status = 0;
    enum result result = start(&run, checker, version, present, err);
    if (result != OK) {
        return result;
    }
    result = await(&run, timeout_s, stopping, err);
    /* What it started and left behind goes too. */
    (void)kill(-run.pid, SIGKILL);
    (void)waitpid(run.pid, &status, 0);
    if (result == OK) {
        result = verdict_of(&run, status, err);
    }
    if (run.errors_fd >= 0) {
        close(run.errors_fd);
    }
    if (run.process_fd >= 0) {
        close(run.process_fd);
    }
    return result;
}
