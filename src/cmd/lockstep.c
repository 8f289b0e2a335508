/* SPDX-License-Identifier: BSD-3-Clause */
/* The tool's main(): one word picks the command. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cmd/check_command.h"
#include "cmd/control_command.h"
#include "cmd/keygen_command.h"

static const struct command {
    const char *word;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"absent", control_command,
     "absent                              zones of which there is only history"},
    {"adopt-serial", control_command,
     "adopt-serial ZONE SERIAL            set the serial, also back"},
    {"check-conf", check_conf_command,
     "check-conf [--lint] [-p] [-z] [FILE] is the configuration sound?"},
    {"check-zone", check_zone_command, "check-zone [-s] [-o OUT] ZONE FILE  is the zone file?"},
    {"diff", control_command, "diff ZONE SERIAL [SERIAL]           what changed between versions"},
    {"discard", control_command, "discard ZONE                        forget the version held"},
    {"dumpdb", control_command, "dumpdb                              all zones into dump-file"},
    {"forget", control_command,
     "forget ZONE                         drop the history of such a zone"},
    {"history", control_command, "history ZONE                        the versions there were"},
    {"keygen", keygen_command, "keygen [-a ALG] [-f FILE] NAME      make a TSIG key"},
    {"keys", control_command, "keys                                who has used which key"},
    {"notify", control_command, "notify ZONE                         tell the secondaries again"},
    {"querylog", control_command, "querylog [on | off]                 log every question or not"},
    {"reconfig", control_command,
     "reconfig                            read configuration and new zones"},
    {"refresh", control_command, "refresh ZONE                        ask the primaries now"},
    {"release", control_command, "release ZONE                        serve the version held"},
    {"reload", control_command,
     "reload [ZONE]                       read configuration and zone files"},
    {"retransfer", control_command, "retransfer ZONE                     fetch the whole zone now"},
    {"rollback", control_command,
     "rollback ZONE SERIAL                the records of an older version"},
    {"stats", control_command, "stats                               counts into statistics-file"},
    {"status", control_command,
     "status [ZONE]                       how the server, or a zone, is"},
    {"stop", control_command, "stop                                end the server"},
    {"zones", control_command, "zones                               all zones, one a line"},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].word) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    if (argc > 1 && (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0)) {
        printf("Lockstep " LOCKSTEP_VERSION "\n");
        return 0;
    }
    bool asked = argc > 1 && (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0);
    FILE *out = asked ? stdout : stderr;
    fprintf(out, "usage: lockstep COMMAND …\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        fprintf(out, "  lockstep %s\n", commands[i].help);
    }
    fprintf(out,
            "All but check-conf, check-zone and keygen ask the running server: -s SOCKET or -c "
            "named.conf, --json\n");
    return asked ? 0 : 2;
}
