/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands that a running server carries out: status, zones, reload … */
#ifndef CMD_CONTROL_COMMAND_H
#define CMD_CONTROL_COMMAND_H

/* argv[0] is the command's word. The exit status: 0 done, 1 the server said no or was not reached,
 * 2 usage. */
int control_command(int argc, char **argv);

#endif
