/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The history of a primary's zone is damaged on disk, and nothing newer than the damage may be made
 * up. What is left is the zone file, and what the store still tells of the last version that was
 * served: its serial, mostly its fingerprint.
 *
 *   serial of the file     and then
 *   ahead                  served: its author has gone on
 *   the last one served    equal fingerprint: served, it is that version; otherwise, or where the
 *                          fingerprint was lost, too: served with the serial after the last, since
 *                          secondaries hold other records under the old one
 *   before                 refused: updates that were acknowledged would vanish without a word
 *
 * All but the first are told loudly. History begins anew.
 */
#include "zones/zone_mend.h"

#include <stdio.h>

#include "base/memory.h"
#include "edit/serial.h"
#include "hub/server.h"
#include "zone/delta.h"
#include "zones/zones.h"

enum { SOA_RDATA_MAX = 2 * NAME_MAX_SIZE + 20, SOA_SERIAL_FROM_END = 20 };

void zone_mend_note(struct server_zone *zone, const struct ledger_restored *restored)
{
    zone_mend_forget(zone);
    zone->lost = memory_new(sizeof(*zone->lost));
    *zone->lost = *restored;
}

void zone_mend_forget(struct server_zone *zone)
{
    memory_free(zone->lost);
    zone->lost = NULL;
}

static bool is_last_served(const struct ledger_restored *lost, const struct zone_version *version)
{
    uint8_t digest[FINGERPRINT_DIGEST_SIZE];
    if (!lost->has_last_digest) {
        return false;
    }
    struct fingerprint *lanes = memory_new(sizeof(*lanes));
    fingerprint_of_version(lanes, version);
    fingerprint_digest(lanes, digest);
    memory_free(lanes);
    return memcmp(digest, lost->last_digest, sizeof(digest)) == 0;
}

bool zone_mend_is_last(const struct server_zone *zone, const struct zone_version *version)
{
    return zone->lost != NULL &&
           serial_equal(zone->lost->last_serial, zone_version_serial(version)) &&
           (!zone->lost->has_last_digest || is_last_served(zone->lost, version));
}

static enum result with_serial(struct zone_version *version, struct serial serial,
                               struct zone_version **out, struct error *err)
{
    struct delta *delta = delta_new(zone_version_name(version), zone_version_class(version));
    const struct owner *apex = zone_version_apex(version);
    struct rrset rrset;
    REQUIRE(owner_find_rrset(apex, TYPE_SOA, &rrset));
    size_t offset = 0;
    struct record soa = {.owner = owner_name(apex),
                         .type = TYPE_SOA,
                         .class = zone_version_class(version),
                         .ttl = rrset.ttl};
    (void)rrset_next_rdata(&rrset, &offset, &soa.rdata);
    uint8_t rdata[SOA_RDATA_MAX];
    REQUIRE(soa.rdata.size <= sizeof(rdata));
    enum result result = delta_remove(delta, &soa, err);
    if (result == OK) {
        memcpy(rdata, soa.rdata.data, soa.rdata.size);
        put_u32(rdata + soa.rdata.size - SOA_SERIAL_FROM_END, serial.value);
        soa.rdata.data = rdata;
        result = delta_add(delta, &soa, err);
    }
    if (result == OK) {
        result = delta_seal(delta, err);
    }
    if (result == OK) {
        result = delta_apply(version, delta, NULL, out, err);
    }
    delta_free(delta);
    return result;
}

static void tell(struct server_zone *zone, enum log_level level, const char *event,
                 const char *words, struct serial last, struct serial serial)
{
    char phrase[1600];
    snprintf(phrase, sizeof(phrase), "zone %s: after damage of its history: the zone file %s",
             zone->label, words);
    LOG_EVENT(zone->server->logging, level, LOG_ZONELOAD, event, phrase,
              LOG_NUM("last_serial", last.value), LOG_NUM("serial", serial.value));
}

enum result zone_mend_commit(struct server_zone *zone, const struct zone_settings *settings,
                             struct zone_version *version, struct file_mark *mark,
                             struct error *err)
{
    struct serial last = zone->lost->last_serial;
    struct serial file = zone_version_serial(version);
    enum result result = OK;
    if (serial_before(last, file)) {
        result = zones_commit(zone, zone_version_ref(version), NULL, 0, SOURCE_FILE, err);
    } else if (!serial_equal(last, file)) {
        return error_set(
            err, ERR_STALE,
            "the zone's history is damaged, and the file has serial %u, older than %u, "
            "which was served: what was updated since would be lost; raise the serial "
            "above %u to have the file as it is",
            file.value, last.value, last.value);
    } else if (is_last_served(zone->lost, version)) {
        result = zones_commit(zone, zone_version_ref(version), NULL, 0, SOURCE_FILE_AGAIN, err);
        if (result == OK) {
            tell(zone, LOG_NOTICE, "file_proved",
                 "is what was served last, proved by its fingerprint: serving it", last, file);
        }
    } else {
        struct zone_version *raised = NULL;
        struct serial next = serial_next(last, settings->serial_method, clock_wall_s());
        result = with_serial(version, next, &raised, err);
        if (result == OK) {
            result = zones_commit(zone, raised, NULL, 0, SOURCE_FILE, err);
        }
        if (result == OK) {
            tell(zone, LOG_ERROR, "file_unproved",
                 zone->lost->has_last_digest
                     ? "has the last serial and other records than were served: serving it with "
                       "the next serial"
                     : "has the last serial, and whether it has the records that were served is "
                       "not known: serving it with the next serial",
                 last, next);
            mark->served = mark->pure = next.value;
        }
    }
    if (result == OK) {
        zone_mend_forget(zone);
    }
    return result;
}
