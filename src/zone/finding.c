/* SPDX-License-Identifier: BSD-3-Clause */
/* The stable words for findings; logs, tests and --json carry them, so they never change. */
#include "zone/finding.h"

#include "base/attr.h"

static const char *const code_names[FINDING_CODES] = {
    [FINDING_SYNTAX] = "syntax",
    [FINDING_OUT_OF_ZONE] = "out-of-zone",
    [FINDING_WRONG_CLASS] = "wrong-class",
    [FINDING_DUPLICATE] = "duplicate",
    [FINDING_ALIKE] = "alike",
    [FINDING_TTL_MISMATCH] = "ttl-mismatch",
    [FINDING_NO_SOA] = "no-soa",
    [FINDING_SEVERAL_SOA] = "several-soa",
    [FINDING_SOA_NOT_AT_APEX] = "soa-not-at-apex",
    [FINDING_NO_NS] = "no-ns",
    [FINDING_CNAME_AND_OTHER] = "cname-and-other",
    [FINDING_SEVERAL_CNAME] = "several-cname",
    [FINDING_SEVERAL_DNAME] = "several-dname",
    [FINDING_MISSING_GLUE] = "missing-glue",
    [FINDING_NS_NO_ADDRESS] = "ns-no-address",
    [FINDING_NS_IS_CNAME] = "ns-is-cname",
    [FINDING_MX_IS_CNAME] = "mx-is-cname",
    [FINDING_MX_NO_ADDRESS] = "mx-no-address",
    [FINDING_MX_IS_ADDRESS] = "mx-is-address",
    [FINDING_SPF_WITHOUT_TXT] = "spf-without-txt",
    [FINDING_SRV_IS_CNAME] = "srv-is-cname",
    [FINDING_SRV_NO_ADDRESS] = "srv-no-address",
    [FINDING_OCCLUDED] = "occluded",
    [FINDING_FEW_NS] = "few-ns",
    [FINDING_BAD_HOST_NAME] = "bad-host-name",
    [FINDING_WILDCARD_IN_MIDDLE] = "wildcard-in-middle",
    [FINDING_SOA_TIMERS] = "soa-timers",
    [FINDING_TTL_TOO_LARGE] = "ttl-too-large",
    [FINDING_RRSET_TOO_LARGE] = "rrset-too-large",
    [FINDING_LIMIT] = "limit",
    [FINDING_SERIAL] = "serial",
};

const char *finding_code_name(enum finding_code code)
{
    REQUIRE((unsigned)code < FINDING_CODES && code_names[code] != NULL);
    return code_names[code];
}
