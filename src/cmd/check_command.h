/* SPDX-License-Identifier: BSD-3-Clause */
/* `lockstep check-conf` and `lockstep check-zone`: the server's own code, without the server. */
#ifndef CMD_CHECK_COMMAND_H
#define CMD_CHECK_COMMAND_H

/* argv[0] is the command's word. The exit status: 0 fine, 1 errors were found, 2 usage. */
int check_conf_command(int argc, char **argv);
int check_zone_command(int argc, char **argv);

#endif
