/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `controls { inet … }`: what BIND's rndc connects to. Doors are opened at start, before privileges
 * are dropped; keys, addresses and `read-only` are those of the present configuration. Control
 * thread, but for rndc_doors_open.
 */
#ifndef CONTROL_RNDC_CLIENT_H
#define CONTROL_RNDC_CLIENT_H

#include "control/control_impl.h"
#include "settings/settings.h"

/* What cannot be opened is told to the log, and the server goes on without it. */
void rndc_doors_open(struct control *control, const struct settings *settings);
/* Begins to accept; the loop may run already or not. */
void rndc_doors_start(struct control *control);
/* Ends all connections, too; the loop no longer runs. */
void rndc_doors_free(struct control *control);

#endif
