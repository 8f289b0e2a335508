/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server's main(): named's flags, since start scripts and habits pass them, and a call into
 * server_run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "daemon/daemon.h"

static const char usage[] =
    "usage: lockstepd [-c FILE] [-f | -g] [-u USER] [-p PORT] [-4 | -6] [-n THREADS] [-d LEVEL] "
    "[-V]\n"
    "  -c FILE   configuration (default /etc/lockstep/named.conf)\n"
    "  -f        stay in the foreground;  -g  also log to standard error\n"
    "  -u USER   run as this user after the sockets are open\n"
    "  -p PORT   listen on PORT where the configuration names none\n"
    "  -n N      answer workers (default: one a core);  -d N  debug level;  -V  version\n"
    "  -D -m -T -U -X and their values are accepted as named has them, and have no effect\n";

/* A whole number in `low`..`high`; ends the process otherwise. */
static unsigned number(const char *flag, const char *text, unsigned long low, unsigned long high)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value < low || value > high) {
        fprintf(stderr, "lockstepd: %s takes a number from %lu to %lu, not \"%s\"\n", flag, low,
                high, text);
        exit(2);
    }
    return (unsigned)value;
}

/*
 * What a load or a transfer needs for a while, arrays over all owners of a zone, is to go back to
 * the system when it is over. Left alone, glibc takes the first such array that is freed for a sign of
 * more to come and keeps as much in every arena from then on: 60 MB after a zone of a million names.
 * Arenas grow by a megabyte at a time: pages that nobody touched cost nothing, system calls do.
 */
static void keep_little(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 512 << 10);
    mallopt(M_TRIM_THRESHOLD, 512 << 10);
    mallopt(M_TOP_PAD, 1 << 20);
#endif
}

int main(int argc, char **argv)
{
    keep_little();
    struct server_options options = {.config_path = "/etc/lockstep/named.conf"};
    int flag;
    while ((flag = getopt(argc, argv, "46c:d:D:fghm:n:p:T:u:U:VX:")) != -1) {
        switch (flag) {
        case '4':
            options.ipv4_only = true;
            break;
        case '6':
            options.ipv6_only = true;
            break;
        case 'c':
            options.config_path = optarg;
            break;
        case 'd':
            options.debug_level = number("-d", optarg, 0, 99);
            break;
        case 'f':
            options.foreground = true;
            break;
        case 'g':
            options.foreground = true;
            options.log_to_stderr = true;
            break;
        case 'n':
            options.threads = number("-n", optarg, 1, 64);
            break;
        case 'p':
            options.port = (uint16_t)number("-p", optarg, 1, 65535);
            break;
        case 'u':
            options.user = optarg;
            break;
        case 'V':
            printf("Lockstep " LOCKSTEP_VERSION "\n");
            return 0;
        case 'D':
        case 'm':
        case 'T':
        case 'U':
        case 'X':
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind != argc) {
        fprintf(stderr, "lockstepd: what is \"%s\"?\n%s", argv[optind], usage);
        return 2;
    }
    return daemon_run(&options);
}
