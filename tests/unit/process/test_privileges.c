/* SPDX-License-Identifier: BSD-3-Clause */
/* What a process cannot do any more once its privileges are dropped; each in a child of its own. */
#include "process/privileges.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The number of the first check that failed, or 0. */
static int in_child(int (*checks)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct error err = {0};
        int failed = privileges_drop(NULL, &err) != OK ? 99 : checks();
        if (failed == 99) {
            (void)fprintf(stderr, "%s\n", err.text);
        }
        _exit(failed);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool is_refused(long result)
{
    return result == -1 && errno == EPERM;
}

static int check_calls(void)
{
    return !is_refused(unshare(CLONE_NEWUSER))                 ? 1
           : !is_refused(setuid(getuid()))                     ? 2
           : !is_refused(syscall(SYS_bpf, 0, NULL, 0))         ? 3
           : !is_refused(syscall(SYS_keyctl, 0, 0, 0, 0, 0))   ? 4
           : !is_refused(socket(AF_PACKET, SOCK_RAW, 0))       ? 5
           : !is_refused(syscall(SYS_io_uring_setup, 1, NULL)) ? 6
           : !is_refused(chroot("/"))                          ? 7
           : prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1       ? 8
           : prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 2            ? 9
                                                               : 0;
}

static void what_a_name_server_never_does_is_refused(void **state)
{
    (void)state;
    assert_int_equal(in_child(check_calls), 0);
}

static int check_memory(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *both =
        mmap(NULL, page, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (both != MAP_FAILED || errno != EPERM) {
        return 1;
    }
    void *block = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) {
        return 2;
    }
    return !is_refused(mprotect(block, page, PROT_READ | PROT_WRITE | PROT_EXEC)) ? 3
           : mprotect(block, page, PROT_READ) != 0                                ? 4
                                                                                  : 0;
}

static void memory_is_not_writable_and_executable(void **state)
{
    (void)state;
    assert_int_equal(in_child(check_memory), 0);
}

static int check_useful(void)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    for (unsigned i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        int fd = socket(families[i], SOCK_DGRAM, 0);
        if (fd < 0 && errno != EAFNOSUPPORT) {
            return (int)i + 1;
        }
        close(fd);
    }
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    int status = 1;
    return waitpid(child, &status, 0) == child && status == 0 ? 0 : 10;
}

static void what_it_needs_still_works(void **state)
{
    (void)state;
    assert_int_equal(in_child(check_useful), 0);
}

static void *in_thread(void *context)
{
    *(int *)context = check_calls();
    return NULL;
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *started_before(void *context)
{
    privileges_limit_thread();
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return in_thread(context);
}

static void a_thread_that_was_there_before_is_held_too(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        struct error err = {0};
        int failed = 50;
        pthread_mutex_lock(&gate);
        if (pthread_create(&thread, NULL, started_before, &failed) == 0 &&
            privileges_drop(NULL, &err) == OK) {
            pthread_mutex_unlock(&gate);
            pthread_join(thread, NULL);
        }
        _exit(failed);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void an_unknown_user_is_named(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    pid_t child = fork();
    if (child == 0) {
        struct error err = {0};
        _exit(privileges_drop("nobody-of-that-name", &err) == ERR_NOT_FOUND &&
                      strstr(err.text, "nobody-of-that-name") != NULL
                  ? 0
                  : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_name_server_never_does_is_refused),
        cmocka_unit_test(memory_is_not_writable_and_executable),
        cmocka_unit_test(what_it_needs_still_works),
        cmocka_unit_test(a_thread_that_was_there_before_is_held_too),
        cmocka_unit_test(an_unknown_user_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
