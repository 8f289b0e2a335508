/* SPDX-License-Identifier: BSD-3-Clause */
/* The nearest of several known words to one that is not known. */
#ifndef CONF_NEAREST_IMPL_H
#define CONF_NEAREST_IMPL_H

struct nearest {
    const char *word;
    const char *best; /* NULL: none is near enough to be what was meant */
    unsigned distance;
};

/* All borrowed. */
void nearest_init(struct nearest *nearest, const char *word);
/* Of two that are as near, the one offered first stays. */
void nearest_offer(struct nearest *nearest, const char *candidate);

#endif
