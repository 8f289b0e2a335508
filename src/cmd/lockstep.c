/* SPDX-License-Identifier: BSD-3-Clause */
/* The tool's main(): one word picks the command. */
#include <stdio.h>
#include <string.h>

#include "cmd/check_command.h"

static const struct command {
    const char *word;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"check-conf", check_conf_command, "check-conf [-p] [-z] [FILE]      is the configuration sound?"},
    {"check-zone", check_zone_command, "check-zone [-s] [-o OUT] ZONE FILE   is the zone file?"},
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
    fprintf(argc > 1 && strcmp(argv[1], "help") == 0 ? stdout : stderr, "usage: lockstep COMMAND …\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        fprintf(stderr, "  lockstep %s\n", commands[i].help);
    }
    return 2;
}
