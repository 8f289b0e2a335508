/* SPDX-License-Identifier: BSD-3-Clause */
/* `lockstep keygen`: a new TSIG key, as a block for the configuration of both sides. */
#ifndef CMD_KEYGEN_COMMAND_H
#define CMD_KEYGEN_COMMAND_H

int keygen_command(int argc, char **argv);

#endif
