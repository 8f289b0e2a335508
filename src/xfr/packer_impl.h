/* SPDX-License-Identifier: BSD-3-Clause */
/* A stream of records packed into the messages of a transfer; what axfr_out and ixfr_out share. */
#ifndef XFR_PACKER_IMPL_H
#define XFR_PACKER_IMPL_H

#include "xfr/axfr_walk_impl.h"
#include "xfr/record_writer_impl.h"
#include "xfr/step.h"
#include "xfr/xfr_request.h"

enum { PACKER_OPT_FIXED_SIZE = 11 };

/* The next record of the stream, borrowed from what lives as long as the transfer; false: none. */
typedef bool packer_source(void *context, struct record *out);

struct packer {
    struct xfr_request request;
    struct slice edns_options; /* borrowed until the first message */
    size_t soft_size;
    packer_source *source;
    void *context;
    struct record held; /* fetched, not yet written */
    bool has_held;
    struct xfr_stats stats;
    struct record_writer writer;
};

/* The stream has at least one record. soft_size 0: AXFR_OUT_SOFT_SIZE. */
void packer_init(struct packer *packer, const struct xfr_request *request,
                 struct slice edns_options, size_t soft_size, packer_source *source, void *context);
/* As axfr_out_next. */
MUST_CHECK enum step packer_next(struct packer *packer, uint8_t *buffer, size_t limit,
                                 size_t reserved, size_t *out_size, struct error *err);

#endif
