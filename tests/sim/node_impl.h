/* SPDX-License-Identifier: BSD-3-Clause */
/* What the halves of a node share. */
#ifndef SIM_NODE_IMPL_H
#define SIM_NODE_IMPL_H

#include "sim/node.h"

/* A request came, as a datagram or on a connection. */
void node_serve(struct node *node, const struct event *event);

#endif
