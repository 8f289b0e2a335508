/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The builder: record stream in, version out. The one way in which a whole zone comes to be: zone
 * files, incoming AXFR and stored copies all end here.
 *
 * A stream whose owners stand together and in canonical order costs O(1) a record; any other
 * order works too and is sorted at the end. Exact duplicates are merged, the TTLs of an RRset are
 * made equal (the first one seen counts, as in BIND, with a finding).
 * One thread at a time.
 */
#ifndef ZONE_BUILDER_H
#define ZONE_BUILDER_H

#include "base/error.h"
#include "wire/record.h"
#include "zone/delta.h"
#include "zone/finding.h"
#include "zone/version.h"

struct builder_options {
    uint64_t max_records;          /* 0: no limit */
    uint64_t max_bytes;            /* of the version; 0: no limit */
    uint32_t max_records_per_type; /* of one RRset; 0: 65535 */
    uint32_t max_types_per_name;   /* 0: no limit */
};

struct builder;

/* `name` (copied) is the apex. `options` copied; NULL: defaults. `report` may be NULL. */
struct builder *builder_new(const uint8_t *name, uint16_t class,
                            const struct builder_options *options, finding_report *report,
                            void *report_context);
void builder_free(struct builder *builder); /* NULL is fine; drops what was gathered */

/*
 * Tells, before the first record, which version the stream will mostly repeat (shares a reference;
 * same name and class). Owners that it has in the same octets are not stored a second time, so that a
 * refresh of a large zone needs memory for what changed only. builder_finish with that same base.
 */
void builder_set_base(struct builder *builder, struct zone_version *base);

/*
 * record  borrowed for the call; rdata valid for its type.
 * file, line  where it stands, for findings; NULL, 0 where there is no file. `file` is borrowed
 *             until the builder is freed.
 * ERR_NOT_FOUND  the owner is not in the zone (nothing added; the caller decides what that means)
 * ERR_FORMAT     a second, different record of a singleton type (SOA, CNAME, DNAME); another class
 * ERR_LIMIT      a limit would be passed
 */
MUST_CHECK enum result builder_add(struct builder *builder, const struct record *record,
                                   const char *file, uint32_t line, struct error *err);
/* As builder_add without a file, for a record whose owner is known to be that of the record added
 * before: it is not looked at. */
MUST_CHECK enum result builder_add_same(struct builder *builder, const struct record *record,
                                        struct error *err);

/*
 * Ends the stream and gives the version (one reference), or refuses: no SOA, no NS at the apex,
 * CNAME beside other data. The builder is used up in either case (only builder_free is left).
 *
 * base       borrowed or NULL. With a base (same name and class) the result shares with it every
 *            owner that is equal, and joins its line of versions.
 * out_delta  with a base: what changed (caller frees with delta_free), else NULL. May be NULL.
 */
MUST_CHECK enum result builder_finish(struct builder *builder, struct zone_version *base,
                                      struct zone_version **out, struct delta **out_delta,
                                      struct error *err);

#endif
