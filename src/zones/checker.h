/* SPDX-License-Identifier: BSD-3-Clause */
/* The operator's own program, asked whether a version of a zone may be served. */
#ifndef ZONES_CHECKER_H
#define ZONES_CHECKER_H

#include <stdatomic.h>

#include "base/error.h"
#include "conf/conf.h"
#include "zone/version.h"

/*
 * Runs the program with the version as a zone file on its standard input and waits for its end.
 * OK          it exits with 0
 * ERR_DENIED  it exits otherwise, or by a signal; the text has the first line of its standard error
 * ERR_TIMEOUT it took longer than `timeout_s`, and was killed with all it started
 * ERR_CLOSED  `*stopping` became true, and it was killed
 * ERR_IO      it cannot be run
 * A thread that may wait; not one that answers.
 */
MUST_CHECK enum result checker_run(const struct conf_checker *checker, uint32_t timeout_s,
                                   const struct zone_version *version,
                                   const struct zone_version *present, const _Atomic bool *stopping,
                                   struct error *err);

#endif
