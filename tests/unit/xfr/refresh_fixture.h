/* SPDX-License-Identifier: BSD-3-Clause */
/* For the tests of the refresh machine. */
#ifndef TEST_XFR_REFRESH_FIXTURE_H
#define TEST_XFR_REFRESH_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "xfr/refresh.h"

#define SECOND ((int64_t)1000000000)

static const struct refresh_soa soa42 = {{42}, 3600, 900, 1209600};
static const struct refresh_soa soa43 = {{43}, 3600, 900, 1209600};

static inline struct instant at_s(int64_t seconds)
{
    return (struct instant){seconds * SECOND};
}

static inline struct refresh *start_loaded(uint32_t primaries)
{
    struct refresh *r = refresh_new(NULL, primaries, 7);
    refresh_start(r, &soa42, at_s(1209600), at_s(1000), at_s(0));
    return r;
}

static inline struct refresh_action expect_step(struct refresh *r, enum refresh_action_kind kind,
                                                struct instant now)
{
    struct refresh_action action = refresh_step(r, now);
    assert_int_equal(action.kind, kind);
    return action;
}

static inline struct refresh_contact serial(uint32_t value)
{
    return (struct refresh_contact){.serial = {value}};
}

static inline void expect_error(struct refresh *r, const char *part)
{
    const char *text = refresh_status(r).last_error;
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in '%s'", part, text);
    }
}

#endif
