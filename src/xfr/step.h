/* SPDX-License-Identifier: BSD-3-Clause */
/* What a machine says after it was handed or asked for something, and what it counts. */
#ifndef XFR_STEP_H
#define XFR_STEP_H

#include <stdint.h>

enum step {
    STEP_MORE,   /* it goes on: hand over the next message, or ask for the next one */
    STEP_DONE,   /* finished; the results can be taken. A sender's last message was just given */
    STEP_FAILED, /* finished without a result; the struct error says why */
};

struct xfr_stats {
    uint64_t messages;
    uint64_t records; /* of the answer sections, every SOA counted */
    uint64_t bytes;   /* of messages, without length octets and without TSIG on the way out */
};

#endif
