/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * After the sockets are open the process changes to its user and gives up, for good:
 *
 *   capabilities   all of them, the ambient ones of a service manager too, but for binding low
 *                  ports in the main thread, where it has it: reloads and interfaces bring new
 *                  addresses. Who runs it as root without a user keeps the three that reading
 *                  and giving files takes, no more
 *   new ones       no_new_privs: no program that is run (a zone checker) gains any
 *   being read     it is not dumpable: no core dump with keys in it, no debugger of the same user
 *   system calls   a filter refuses what a name server never does: tracing and reading other
 *                  processes, mounts, modules, namespaces, other users, keyrings, io_uring, bpf;
 *                  memory that is writable and executable; sockets but of UNIX, IP and netlink
 *
 * The filter names what is refused, not what is allowed: libraries may take up new calls with an
 * update of the system, and a name server that dies of one is worse than a call too many. What is
 * refused fails with EPERM. It is written as the few instructions it is, for the machine it is
 * compiled for; where the kernel has no filters the server runs without one.
 *
 * There is no Landlock rule set: a reload may name new directories, which one made at start could
 * not know. The systemd unit says where may be written, in the operator's hand.
 */
#include "process/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0
#endif

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define MACHINE AUDIT_ARCH_RISCV64
#else
#define MACHINE 0
#endif

#define BIT(capability) (UINT64_C(1) << (capability))
/* Zone files and logs may be anybody's; the control socket is given to its owner. */
#define ROOT_KEEPS (BIT(CAP_DAC_OVERRIDE) | BIT(CAP_CHOWN) | BIT(CAP_FOWNER))

/* A reload or a new interface may bring an address with a low port (listening.h). */
#define MAIN_KEEPS BIT(CAP_NET_BIND_SERVICE)

enum { X32_BIT = 0x40000000 };

/* ---- capabilities ---- */

/* Of the calling thread; what it does not have stays away. The main thread's own rest until
 * privileges_bind. */
static bool keep_capabilities(uint64_t wanted, uint64_t resting)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) != 0) {
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        uint32_t mask = (uint32_t)(wanted >> (32 * i));
        data[i].permitted &= mask;
        data[i].effective = data[i].permitted & ~(uint32_t)(resting >> (32 * i));
        data[i].inheritable = 0;
    }
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &header, data) == 0;
}

/* A child has no more than this to inherit from, whoever it is. */
static void empty_bounding_set(uint64_t but)
{
    for (unsigned i = 0; i < 64 && prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++) {
        if ((but & BIT(i)) == 0) {
            (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
        }
    }
}

void privileges_limit_thread(void)
{
    /* Changing the user is done in every thread, so each must be able to. */
    uint64_t to_change = geteuid() == 0 ? BIT(CAP_SETUID) | BIT(CAP_SETGID) | ROOT_KEEPS : 0;
    empty_bounding_set(ROOT_KEEPS);
    (void)keep_capabilities(to_change, 0);
}

void privileges_limit_worker(void)
{
    (void)keep_capabilities(geteuid() == 0 ? ROOT_KEEPS : 0, 0);
}

void privileges_bind(bool may)
{
    uint64_t all = MAIN_KEEPS | (geteuid() == 0 ? ROOT_KEEPS : 0);
    (void)keep_capabilities(all, may ? 0 : MAIN_KEEPS);
}

/* ---- system calls ---- */

static const uint16_t refused_calls[] = {
#if !HAS_SANITIZER
    SYS_ptrace, /* a leak check needs it */
#endif
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_perf_event_open,
    SYS_bpf,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_unshare,
    SYS_setns,
    SYS_swapon,
    SYS_swapoff,
    SYS_reboot,
    SYS_kexec_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_acct,
    SYS_quotactl,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
    SYS_syslog,
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setgroups,
    SYS_personality,
#ifdef SYS_open_by_handle_at
    SYS_open_by_handle_at,
#endif
#ifdef SYS_iopl
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
#endif
};

enum {
    REFUSED_COUNT = sizeof(refused_calls) / sizeof(refused_calls[0]),
    FILTER_SIZE = 40 + 2 * REFUSED_COUNT,
};

#define LOAD(offset)                    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define SKIP_UNLESS(test, value, count) BPF_JUMP(BPF_JMP | (test) | BPF_K, (value), 0, (count))
#define RETURN(value)                   BPF_STMT(BPF_RET | BPF_K, (value))
#define CALL                            ((uint32_t)offsetof(struct seccomp_data, nr))
/* The lower half; the machines that are known here are little-endian. */
#define ARGUMENT(n) ((uint32_t)(offsetof(struct seccomp_data, args) + 8 * (n)))

struct filter {
    struct sock_filter code[FILTER_SIZE];
    unsigned short size;
};

static void add(struct filter *filter, struct sock_filter instruction)
{
    REQUIRE(filter->size < FILTER_SIZE);
    filter->code[filter->size++] = instruction;
}

/* Memory that is both writable and executable. */
static void refuse_code_writing(struct filter *filter, uint32_t call)
{
    add(filter, (struct sock_filter)LOAD(CALL));
    add(filter, (struct sock_filter)SKIP_UNLESS(BPF_JEQ, call, 4));
    add(filter, (struct sock_filter)LOAD(ARGUMENT(2)));
    add(filter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, PROT_WRITE | PROT_EXEC));
    add(filter, (struct sock_filter)SKIP_UNLESS(BPF_JEQ, PROT_WRITE | PROT_EXEC, 1));
    add(filter, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM));
}

static void refuse_other_sockets(struct filter *filter)
{
    static const uint32_t families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    enum { COUNT = sizeof(families) / sizeof(families[0]) };
    add(filter, (struct sock_filter)LOAD(CALL));
    add(filter, (struct sock_filter)SKIP_UNLESS(BPF_JEQ, SYS_socket, COUNT + 2));
    add(filter, (struct sock_filter)LOAD(ARGUMENT(0)));
    for (unsigned i = 0; i < COUNT; i++) {
        add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, families[i],
                                                 (unsigned char)(COUNT - i), 0));
    }
    add(filter, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM));
}

static void make_filter(struct filter *filter)
{
    filter->size = 0;
    add(filter, (struct sock_filter)LOAD((uint32_t)offsetof(struct seccomp_data, arch)));
    add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0));
    add(filter, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM));
    add(filter, (struct sock_filter)LOAD(CALL));
#if defined(__x86_64__)
    add(filter, (struct sock_filter)SKIP_UNLESS(BPF_JGE, X32_BIT, 1));
    add(filter, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM));
#endif
    for (unsigned i = 0; i < REFUSED_COUNT; i++) {
        add(filter, (struct sock_filter)SKIP_UNLESS(BPF_JEQ, refused_calls[i], 1));
        add(filter, (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM));
    }
    refuse_code_writing(filter, SYS_mmap);
    refuse_code_writing(filter, SYS_mprotect);
    refuse_other_sockets(filter);
    add(filter, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
}

static enum result filter_calls(struct error *err)
{
    if (MACHINE == 0) {
        return OK;
    }
    struct filter filter;
    make_filter(&filter);
    struct sock_fprog program = {.len = filter.size, .filter = filter.code};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0 &&
        errno != ENOSYS) {
        return error_set_os(err, ERR_IO, "cannot filter system calls");
    }
    return OK;
}

/* ---- all of it ---- */

static enum result become(const char *user, struct error *err)
{
    const struct passwd *entry = getpwnam(user);
    if (entry == NULL) {
        return error_set(err, ERR_NOT_FOUND, "there is no user %s", user);
    }
    if (initgroups(user, entry->pw_gid) != 0 || setgid(entry->pw_gid) != 0 ||
        setuid(entry->pw_uid) != 0) {
        return error_set_os(err, ERR_IO, "cannot become user %s", user);
    }
    return OK;
}

enum result privileges_drop(const char *user, struct error *err)
{
    bool changes = user != NULL && geteuid() == 0;
    uint64_t keeps = MAIN_KEEPS | (geteuid() == 0 && !changes ? ROOT_KEEPS : 0);
    empty_bounding_set(keeps);
    if (changes) {
        (void)prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
        enum result result = become(user, err);
        (void)prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
        if (result != OK) {
            return result;
        }
    }
    if (!keep_capabilities(keeps, MAIN_KEEPS)) {
        return error_set_os(err, ERR_IO, "cannot give up capabilities");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        (!HAS_SANITIZER && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)) {
        return error_set_os(err, ERR_IO, "cannot forbid new privileges and core dumps");
    }
    return filter_calls(err);
}
