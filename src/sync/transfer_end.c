/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How an incoming transfer ends: what its machine brought goes through the commit door, the sync
 * thread hears of it, the log too, and the connection is free for who waits.
 */
#include <stdio.h>

#include "accounts/key_usage.h"
#include "base/memory.h"
#include "hub/server.h"
#include "sync/sync.h"
#include "sync/transfer_in_impl.h"
#include "zones/zones.h"

static struct xfr_stats stats_of(const struct transfer *transfer)
{
    return transfer->axfr != NULL ? axfr_in_stats(transfer->axfr) : ixfr_in_stats(transfer->ixfr);
}

static void log_end(const struct transfer *transfer, const char *status, const char *form,
                    const struct zone_version *version)
{
    struct xfr_stats stats = stats_of(transfer);
    double seconds = (double)(clock_now().ns - transfer->started.ns) / 1e9;
    uint32_t serial = version == NULL ? 0 : zone_version_serial(version).value;
    char phrase[1400];
    snprintf(phrase, sizeof(phrase), "transfer of '%s' from %s: Transfer status: %s",
             transfer->zone->label, transfer->address, status);
    LOG_EVENT(transfer->thread->server->logging, version == NULL ? LOG_WARNING : LOG_INFO,
              LOG_XFER_IN, "transfer_status", phrase, LOG_KEY("form", form));
    snprintf(
        phrase, sizeof(phrase),
        "transfer of '%s' from %s: Transfer completed: %llu messages, %llu records, %llu bytes, "
        "%.3f secs (%.0f bytes/sec) (serial %u)",
        transfer->zone->label, transfer->address, (unsigned long long)stats.messages,
        (unsigned long long)stats.records, (unsigned long long)stats.bytes, seconds,
        seconds > 0 ? (double)stats.bytes / seconds : 0.0, serial);
    if (version != NULL) {
        char from[16] = "none";
        if (transfer->base != NULL) {
            snprintf(from, sizeof(from), "%u", zone_version_serial(transfer->base).value);
        }
        char key[NAME_TEXT_SIZE] = "none";
        if (transfer->key != NULL) {
            key_usage_note(transfer->thread->server->key_usage, tsig_key_name(transfer->key),
                           &transfer->peer, KEY_FOR_TRANSFER_IN, clock_wall_s());
            name_format_log(tsig_key_name(transfer->key), key);
        }
        LOG_EVENT(transfer->thread->server->logging, LOG_INFO, LOG_XFER_IN, "transfer_applied",
                  phrase, LOG_KEY("form", form), LOG_KEY("from_serial", from),
                  LOG_KEY("transport", transfer->tls != NULL ? "tls" : "tcp"), LOG_KEY("key", key));
    }
}

static void end_transfer(struct transfer *transfer, struct transfer_result *result)
{
    struct primary *primary = transfer->primary;
    result->primary = transfer->action.primary;
    result->has_fingerprint = transfer->axfr != NULL
                                  ? axfr_in_fingerprint(transfer->axfr, &result->fingerprint)
                                  : ixfr_in_fingerprint(transfer->ixfr, &result->fingerprint);
    transfer_leave_connection(transfer);
    /* Where many come in, the sync thread hears of them by the dozen. */
    sync_transfer_ended(transfer->thread->server->sync, transfer->zone, transfer->action.ticket,
                        result, primary->waiting != NULL);
    transfer_free(transfer);
    transfer_start_waiting(primary);
}

void transfer_fail(struct transfer *transfer, const struct error *err)
{
    struct transfer_result result = {.outcome = TRANSFER_FAILED,
                                     .peer = transfer->peer,
                                     .key_at = transfer->key_at,
                                     .key_refused = err->code == ERR_BAD_AUTH};
    result.failure = err->code == ERR_TIMEOUT || err->code == ERR_CLOSED || err->code == ERR_IO
                         ? REFRESH_UNREACHABLE
                         : REFRESH_FAILED;
    if (transfer->not_connected) {
        result.failure = REFRESH_NO_CONNECTION;
    }
    snprintf(result.text, sizeof(result.text), "%s", err->text);
    log_end(transfer, err->text, transfer->ixfr != NULL ? "IXFR" : "AXFR", NULL);
    end_transfer(transfer, &result);
}

static void not_newer(struct transfer *transfer, struct serial serial, bool has_expire,
                      uint32_t expire_s)
{
    struct transfer_result result = {
        .outcome = TRANSFER_NOT_NEWER,
        .contact = {.serial = serial, .has_expire = has_expire, .expire_s = expire_s}};
    end_transfer(transfer, &result);
}

/* The new version goes through the commit door; `deltas` lead to it from the base, or are none. */
static void applied(struct transfer *transfer, struct zone_version *version, struct delta **deltas,
                    size_t count, const char *form, bool has_expire, uint32_t expire_s)
{
    struct soa soa = zone_version_soa(version);
    struct transfer_result result = {
        .outcome = TRANSFER_APPLIED,
        .contact = {.serial = soa.serial, .has_expire = has_expire, .expire_s = expire_s},
        .soa = {.serial = soa.serial,
                .refresh_s = soa.refresh_s,
                .retry_s = soa.retry_s,
                .expire_s = soa.expire_s},
    };
    struct error err = {0};
    enum result committed = zones_commit(transfer->zone, zone_version_ref(version), deltas, count,
                                         SOURCE_TRANSFER, &err);
    if (committed == ERR_DENIED) {
        result.outcome = TRANSFER_HELD;
        snprintf(result.text, sizeof(result.text), "%s", err.text);
        log_end(transfer, err.text, form, NULL);
        zone_version_unref(version);
        end_transfer(transfer, &result);
        return;
    }
    if (committed != OK) {
        zone_version_unref(version);
        transfer_fail(transfer, &err);
        return;
    }
    log_end(transfer, "success", form, version);
    zone_version_unref(version);
    end_transfer(transfer, &result);
}

static void finish_axfr(struct transfer *transfer)
{
    struct zone_version *version;
    struct delta *delta = NULL;
    axfr_in_take(transfer->axfr, &version, &delta);
    uint32_t expire_s = 0;
    bool has_expire = axfr_in_expire(transfer->axfr, &expire_s);
    struct serial serial = zone_version_serial(version);
    if (transfer->base != NULL && !transfer->action.any_serial &&
        !serial_before(zone_version_serial(transfer->base), serial)) {
        zone_version_unref(version);
        delta_free(delta);
        not_newer(transfer, serial, has_expire, expire_s);
        return;
    }
    struct delta **deltas = NULL;
    if (delta != NULL && !serial_before(zone_version_serial(transfer->base), serial)) {
        /* A step to the same serial, or back, is none for IXFR: history begins anew. */
        delta_free(delta);
        delta = NULL;
    }
    if (delta != NULL) {
        deltas = memory_new(sizeof(delta));
        deltas[0] = delta;
    }
    applied(transfer, version, deltas, delta != NULL, "AXFR", has_expire, expire_s);
}

static void deltas_free(struct delta **deltas, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        delta_free(deltas[i]);
    }
    memory_free(deltas);
}

static void apply_deltas(struct transfer *transfer, bool has_expire, uint32_t expire_s)
{
    size_t count;
    struct delta **deltas = ixfr_in_take_deltas(transfer->ixfr, &count);
    struct zone_settings *settings = server_zone_settings(transfer->zone);
    struct delta_limits limits = {.max_records = settings->max_records,
                                  .max_records_per_type = settings->max_records_per_type,
                                  .max_types_per_name = settings->max_types_per_name};
    settings_unref(settings->settings);
    struct zone_version *version = zone_version_ref(transfer->base);
    struct error err = {0};
    for (size_t i = 0; i < count; i++) {
        struct zone_version *next;
        if (delta_apply(version, deltas[i], &limits, &next, &err) != OK) {
            zone_version_unref(version);
            deltas_free(deltas, count);
            transfer_fail(transfer, &err);
            return;
        }
        zone_version_unref(version);
        version = next;
    }
    applied(transfer, version, deltas, count, "IXFR", has_expire, expire_s);
}

static void finish_ixfr(struct transfer *transfer)
{
    uint32_t expire_s = 0;
    bool has_expire = ixfr_in_expire(transfer->ixfr, &expire_s);
    struct error err = {0};
    switch (ixfr_in_outcome(transfer->ixfr)) {
    case IXFR_UP_TO_DATE:
    case IXFR_BEHIND:
        not_newer(transfer, ixfr_in_serial(transfer->ixfr), has_expire, expire_s);
        return;
    case IXFR_DELTAS:
        apply_deltas(transfer, has_expire, expire_s);
        return;
    case IXFR_WHOLE: {
        struct zone_version *version;
        struct delta *delta = NULL;
        ixfr_in_take_version(transfer->ixfr, &version, &delta);
        struct delta **deltas = NULL;
        if (delta != NULL) {
            deltas = memory_new(sizeof(delta));
            deltas[0] = delta;
        }
        applied(transfer, version, deltas, delta != NULL, "AXFR-style IXFR", has_expire, expire_s);
        return;
    }
    case IXFR_NOT_OVER_UDP:
        error_set(&err, ERR_FORMAT, "primary answered IXFR over TCP with its SOA alone");
        transfer_fail(transfer, &err);
        return;
    }
}

void transfer_finish(struct transfer *transfer)
{
    if (transfer->axfr != NULL) {
        finish_axfr(transfer);
    } else {
        finish_ixfr(transfer);
    }
}
