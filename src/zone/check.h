/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Is this version fit to be served? The rules that need the whole zone (glue, targets of NS, MX and
 * SRV, timers, host names); those of single owners are the builder's.
 */
#ifndef ZONE_CHECK_H
#define ZONE_CHECK_H

#include "base/error.h"
#include "zone/delta.h"
#include "zone/finding.h"
#include "zone/master.h"
#include "zone/version.h"

enum check_mode { CHECK_IGNORE, CHECK_WARN, CHECK_FAIL };

struct check_options {
    bool integrity;            /* check-integrity: glue and addresses of NS, MX, SRV */
    enum check_mode names;     /* check-names: host names are letters, digits, hyphens */
    enum check_mode mx;        /* check-mx: an address where a name should stand */
    enum check_mode spf;       /* check-spf: a policy of type SPF has one of type TXT beside it */
    enum check_mode alike;     /* check-dup-records: records that only case tells apart */
    enum check_mode mx_cname;  /* check-mx-cname */
    enum check_mode srv_cname; /* check-srv-cname */
    enum check_mode wildcard;  /* check-wildcard */
    enum check_mode sibling;   /* check-sibling: glue of sibling delegations */
    uint32_t max_ttl;          /* max-zone-ttl; 0: none */
    const char *file;          /* findings name it, with the line of the record; may be NULL */
    const char *directory;
};

/* BIND's defaults for a primary (and for a secondary: names warn, no integrity). */
struct check_options check_options_default(bool is_primary);

/*
 * Reports every finding; ERR_FORMAT with the first error where one has severity FINDING_ERROR.
 * Lines are found by reading the file again, only when there is something to report.
 * Any thread. O(n).
 */
MUST_CHECK enum result zone_check(const struct zone_version *version,
                                  const struct check_options *options, finding_report *report,
                                  void *report_context, struct error *err);

/*
 * The whole way from a zone file to a version fit to serve: parse, build, check.
 * base  as in builder_finish; NULL at first load.
 */
struct zone_load_options {
    const char *path;
    const char *directory;
    const uint8_t *name;
    uint16_t class;
    struct check_options check;
    uint64_t max_records;
    uint32_t max_records_per_type;
    uint32_t max_types_per_name;
    master_included *on_include; /* may be NULL */
    void *include_context;
    struct stat *out_stat;  /* gets what the file was when it was opened; may be NULL */
    int64_t quiet_before_s; /* as in master_options */
};
MUST_CHECK enum result zone_load_file(const struct zone_load_options *options,
                                      struct zone_version *base, struct zone_version **out,
                                      struct delta **out_delta, finding_report *report,
                                      void *report_context, struct error *err);

#endif
