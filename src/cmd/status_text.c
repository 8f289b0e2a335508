/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Status in words. One fact a line, the label in a column of its own; what is well is short, what
 * is not is a sentence. Times are told from now on or back, which is what one wants to know of
 * them. Everything that came over the socket loses its control characters: a terminal obeys some.
 */
#include "cmd/status_text.h"

#include <stdio.h>
#include <string.h>

const char *duration_text(int64_t seconds, char out[32])
{
    long long s = seconds < 0 ? 0 : seconds, min = s / 60, h = s / 3600, d = s / 86400;
    if (s < 120) {
        snprintf(out, 32, "%lld s", s);
    } else if (h < 2) {
        snprintf(out, 32, "%lld min", min);
    } else if (d < 2) {
        snprintf(out, 32, "%lld h %lld min", h, min % 60);
    } else {
        snprintf(out, 32, "%lld d %lld h", d, h % 24);
    }
    return out;
}

/* ---- members ---- */

static bool has(const json_t *object, const char *key)
{
    return json_object_get(object, key) != NULL;
}

static long long number(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

/* Appends a member's text without control characters. */
static void add_member(struct text *out, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    for (const char *p = text == NULL ? "?" : text; *p != '\0'; p++) {
        bool control = (unsigned char)*p < 0x20 || *p == 0x7f;
        text_add_char(out, control ? '?' : *p);
    }
}

static bool is(const json_t *object, const char *key, const char *value)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL && strcmp(text, value) == 0;
}

static void add_ago(struct text *out, int64_t at_s, int64_t now_s)
{
    char text[32];
    text_printf(out, "%s ago", duration_text(now_s - at_s, text));
}

static void add_in(struct text *out, int64_t at_s, int64_t now_s)
{
    char text[32];
    if (at_s <= now_s) {
        text_add_str(out, "now");
    } else {
        text_printf(out, "in %s", duration_text(at_s - now_s, text));
    }
}

static void label(struct text *out, const char *word)
{
    text_printf(out, "  %-14s ", word);
}

static void add_count(struct text *out, long long count, const char *noun)
{
    text_printf(out, "%lld %s%s", count, noun, count == 1 ? "" : "s");
}

/* ---- the server ---- */

static void zones_text(const json_t *zones, struct text *out)
{
    label(out, "zones");
    text_printf(out, "%lld: %lld primary, %lld secondary\n", number(zones, "all"),
                number(zones, "primary"), number(zones, "secondary"));
    static const struct {
        const char *key, *words;
    } troubles[] = {{"not_loaded", "not loaded"},
                    {"expired", "expired"},
                    {"file_refused", "with an error in the file"},
                    {"held", "with a newer version held"}};
    for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++) {
        if (number(zones, troubles[i].key) != 0) {
            label(out, "");
            text_printf(out, "%lld %s\n", number(zones, troubles[i].key), troubles[i].words);
        }
    }
}

/* One line a limit: what is used of it, by whom most, and how often it said no. */
static void limits_text(const json_t *limits, struct text *out)
{
    static const struct {
        const char *label, *member;
    } rows[] = {
        {"TCP clients", "tcp-clients"},
        {"  one network", "tcp-clients-per-prefix"},
        {"transfers in", "transfers-in"},
        {"transfers out", "transfers-out"},
        {"  one client", "transfers-out-per-client"},
        {"NOTIFY queue", "notify-quota"},
        {"update queue", "update-quota"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const json_t *limit = json_object_get(limits, rows[i].member);
        label(out, rows[i].label);
        text_printf(out, "%lld of %lld", number(limit, "now"), number(limit, "max"));
        if (has(limit, "network")) {
            text_add_str(out, " (");
            add_member(out, limit, "network");
            text_add_char(out, ')');
        }
        if (number(limit, "refused") != 0) {
            text_printf(out, ", %lld refused", number(limit, "refused"));
        }
        text_add_char(out, '\n');
    }
    const json_t *rates = json_object_get(limits, "rate-limit");
    if (rates != NULL) {
        label(out, "rate limit");
        text_printf(out, "%lld dropped, %lld cut short\n", number(rates, "dropped"),
                    number(rates, "slipped"));
    }
}

static void server_text(const json_t *server, int64_t now_s, struct text *out)
{
    char text[32];
    text_add_str(out, "Lockstep ");
    add_member(out, server, "version");
    text_add_str(out, " on ");
    add_member(out, server, "hostname");
    text_printf(out, ", pid %lld, up %s\n", number(server, "pid"),
                duration_text(now_s - number(server, "started_at_s"), text));
    label(out, "configuration");
    add_member(out, server, "configuration");
    text_add_str(out, ", read ");
    add_ago(out, number(server, "configured_at_s"), now_s);
    text_add_char(out, '\n');
    label(out, "listening on");
    size_t i;
    const json_t *address;
    json_array_foreach(json_object_get(server, "listening"), i, address)
    {
        text_printf(out, "%s%s", i == 0 ? "" : " ", json_string_value(address));
    }
    text_add_char(out, '\n');
    label(out, "threads");
    text_printf(out, "%lld answering\n", number(server, "answer_threads"));
    zones_text(json_object_get(server, "zones"), out);
    limits_text(json_object_get(server, "limits"), out);
    const json_t *counters = json_object_get(server, "counters");
    label(out, "refused");
    add_count(out, number(counters, "transfers_refused"), "transfer");
    text_add_str(out, ", ");
    add_count(out, number(counters, "notifies_refused"), "NOTIFY message");
    text_add_str(out, ", ");
    add_count(out, number(counters, "updates_refused"), "update");
    text_add_char(out, '\n');
}

/* ---- a zone ---- */

static void add_behind(struct text *out, const json_t *object, int64_t now_s)
{
    char text[32];
    text_add_str(out, "behind");
    if (has(object, "behind_serials")) {
        text_add_str(out, " by ");
        add_count(out, number(object, "behind_serials"), "serial");
    }
    if (has(object, "behind_since_s")) {
        text_printf(out, " since %s",
                    duration_text(now_s - number(object, "behind_since_s"), text));
    }
}

static void state_text(const json_t *zone, int64_t now_s, struct text *out)
{
    static const struct {
        const char *word, *sentence;
    } states[] = {
        {"in-sync", "in sync"},
        {"serving", "serving"},
        {"starting", "the copy is being read"},
        {"no-copy", "no copy yet, answering SERVFAIL"},
        {"unconfirmed", "serving the copy; no primary was reached since the start"},
        {"held", "a new version is held; serving the one before"},
        {"ahead", "ahead: the primary's serial is before ours; keeping ours (retransfer takes the "
                  "primary's, adopt-serial there raises it)"},
        {"diverged", "diverged: same serial as the primary, other records; transferring anew"},
        {"failing", "serving the copy; no primary could be asked"},
        {"expired", "expired, answering SERVFAIL"},
        {"not-loaded", "not loaded, answering SERVFAIL"},
        {"file-refused", "serving the last good version; the zone file has an error"},
    };
    if (is(zone, "state", "behind")) {
        add_behind(out, zone, now_s);
        return;
    }
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (is(zone, "state", states[i].word)) {
            text_add_str(out, states[i].sentence);
            return;
        }
    }
    add_member(out, zone, "state");
}

static void error_text(const json_t *error, int64_t now_s, struct text *out)
{
    if (has(error, "primary")) {
        text_add_str(out, "primary ");
        add_member(out, error, "primary");
        text_add_str(out, ": ");
    }
    add_member(out, error, "text");
    if (has(error, "at_s")) {
        text_add_str(out, " (");
        add_ago(out, number(error, "at_s"), now_s);
        text_add_char(out, ')');
    }
}

static void version_text(const json_t *zone, int64_t now_s, struct text *out)
{
    label(out, "serial");
    if (!has(zone, "serial")) {
        text_add_str(out, "none\n");
        return;
    }
    text_printf(out, "%lld", number(zone, "serial"));
    if (has(zone, "source")) {
        text_add_str(out, ", by ");
        add_member(out, zone, "source");
    }
    if (has(zone, "changed_at_s")) {
        text_add_char(out, ' ');
        add_ago(out, number(zone, "changed_at_s"), now_s);
    }
    text_add_char(out, '\n');
    if (has(zone, "history_count")) {
        label(out, "history");
        add_count(out, number(zone, "history_count"), "change");
        text_add_str(out, ", ");
        add_count(out, number(zone, "history_bytes"), "octet");
        text_add_str(out, json_is_true(json_object_get(zone, "saved")) ? "\n" : "; NOT SAVED\n");
    }
    label(out, "content");
    add_count(out, number(zone, "records"), "record");
    text_add_str(out, ", ");
    add_count(out, number(zone, "names"), "name");
    text_printf(out, ", %lld octets%s\n", number(zone, "memory_bytes"),
                json_is_true(json_object_get(zone, "signed")) ? ", signed" : "");
}

/* The digest's beginning, enough for the eye; programs compare it whole. */
static void fingerprint_text(const json_t *zone, int64_t now_s, struct text *out)
{
    const char *digest = json_string_value(json_object_get(zone, "fingerprint"));
    const json_t *proof = json_object_get(zone, "proof");
    label(out, "fingerprint");
    text_printf(out, "%.16s", digest == NULL ? "not known yet" : digest);
    if (proof != NULL) {
        text_add_str(out, is(proof, "verdict", "identical") ? ", proved identical to "
                                                            : ", differs from ");
        add_member(out, proof, "primary");
        text_add_char(out, ' ');
        add_ago(out, number(proof, "at_s"), now_s);
    }
    text_add_char(out, '\n');
}

static void held_text(const json_t *held, int64_t now_s, struct text *out)
{
    label(out, "held");
    text_printf(out, "serial %lld, by ", number(held, "serial"));
    add_member(out, held, "source");
    text_add_char(out, ' ');
    add_ago(out, number(held, "since_s"), now_s);
    text_add_str(out, ": ");
    add_member(out, held, "text");
    text_add_char(out, '\n');
}

static void refresh_text(const json_t *zone, const json_t *refresh, int64_t now_s, struct text *out)
{
    label(out, "last contact");
    if (has(refresh, "last_contact_at_s")) {
        add_ago(out, number(refresh, "last_contact_at_s"), now_s);
    } else {
        text_add_str(out, "never");
    }
    text_add_char(out, '\n');
    label(out, "next refresh");
    if (has(refresh, "next_at_s")) {
        add_in(out, number(refresh, "next_at_s"), now_s);
    } else {
        text_add_str(out,
                     is(refresh, "activity", "transferring") ? "transferring now" : "asking now");
    }
    if (number(refresh, "failed_rounds") != 0) {
        text_add_str(out, ", after ");
        add_count(out, number(refresh, "failed_rounds"), "failed round");
    }
    text_add_char(out, '\n');
    if (has(zone, "expires_at_s")) {
        label(out, "expires");
        if (is(zone, "state", "expired")) {
            add_ago(out, number(zone, "expires_at_s"), now_s);
        } else {
            add_in(out, number(zone, "expires_at_s"), now_s);
        }
        text_add_char(out, '\n');
    }
}

static void begin_peer(const json_t *peer, struct text *out)
{
    size_t begin = out->size;
    text_add_str(out, "    ");
    add_member(out, peer, "address");
    do {
        text_add_char(out, ' ');
    } while (out->size - begin < 28);
}

static void primary_text(const json_t *primary, int64_t now_s, struct text *out)
{
    begin_peer(primary, out);
    if (has(primary, "serial")) {
        text_printf(out, "showed serial %lld ", number(primary, "serial"));
        add_ago(out, number(primary, "last_contact_at_s"), now_s);
    } else {
        text_add_str(out, "not reached since the start");
    }
    if (has(primary, "avoided_until_s")) {
        text_add_str(out, "; asked last, again first ");
        add_in(out, number(primary, "avoided_until_s"), now_s);
    }
    if (has(primary, "last_error")) {
        text_add_str(out, "; ");
        error_text(json_object_get(primary, "last_error"), now_s, out);
    }
    text_add_char(out, '\n');
}

static void target_pending_text(const json_t *target, int64_t now_s, struct text *out)
{
    if (is(target, "state", "refused")) {
        text_add_str(out, "answers NOTIFY with ");
        add_member(out, target, "rcode");
    } else if (number(target, "tries") == 0) {
        text_printf(out, "NOTIFY of serial %lld leaves next", number(target, "pending_serial"));
        return;
    } else {
        text_add_str(out, "no answer to NOTIFY");
    }
    text_printf(out, " of serial %lld, ", number(target, "pending_serial"));
    long long tries = number(target, "tries");
    text_printf(out, "%lld %s, next ", tries, tries == 1 ? "try" : "tries");
    add_in(out, number(target, "next_try_at_s"), now_s);
}

static void target_text(const json_t *target, int64_t now_s, struct text *out)
{
    begin_peer(target, out);
    if (is(target, "state", "in-sync")) {
        text_printf(out, "in sync: showed serial %lld ", number(target, "serial"));
        add_ago(out, number(target, "serial_at_s"), now_s);
    } else if (is(target, "state", "pending") || is(target, "state", "refused")) {
        if (has(target, "serial")) {
            add_behind(out, target, now_s);
            text_add_str(out, "; ");
        }
        target_pending_text(target, now_s, out);
    } else if (is(target, "state", "behind")) {
        add_behind(out, target, now_s);
        text_printf(out, "; acknowledged serial %lld ", number(target, "acknowledged_serial"));
        add_ago(out, number(target, "acknowledged_at_s"), now_s);
    } else if (is(target, "state", "told")) {
        text_printf(out, "acknowledged serial %lld ", number(target, "acknowledged_serial"));
        add_ago(out, number(target, "acknowledged_at_s"), now_s);
        text_add_str(out, "; has not shown which it has");
    } else {
        text_add_str(out, "nothing to tell since the start");
    }
    if (is(target, "from", "ns")) {
        text_add_str(out, " (from the NS records)");
    }
    text_add_char(out, '\n');
}

static void peers_text(const json_t *peers, const char *heading,
                       void (*peer_text)(const json_t *peer, int64_t now_s, struct text *out),
                       int64_t now_s, struct text *out)
{
    size_t i;
    const json_t *peer;
    if (json_array_size(peers) != 0) {
        text_printf(out, "  %s\n", heading);
    }
    json_array_foreach(peers, i, peer)
    {
        peer_text(peer, now_s, out);
    }
}

static void zone_text(const json_t *zone, int64_t now_s, struct text *out)
{
    add_member(out, zone, "name");
    text_add_str(out, ", ");
    add_member(out, zone, "role");
    text_add_char(out, '\n');
    label(out, "state");
    state_text(zone, now_s, out);
    text_add_char(out, '\n');
    version_text(zone, now_s, out);
    if (has(zone, "serial")) {
        fingerprint_text(zone, now_s, out);
    }
    if (has(zone, "held")) {
        held_text(json_object_get(zone, "held"), now_s, out);
    }
    if (has(zone, "file")) {
        label(out, "file");
        add_member(out, zone, "file");
        text_add_char(out, '\n');
    }
    if (has(zone, "refresh")) {
        refresh_text(zone, json_object_get(zone, "refresh"), now_s, out);
    }
    label(out, "last error");
    if (has(zone, "last_error")) {
        error_text(json_object_get(zone, "last_error"), now_s, out);
    } else {
        text_add_str(out, "none");
    }
    text_add_char(out, '\n');
    peers_text(json_object_get(zone, "primaries"), "primaries", primary_text, now_s, out);
    peers_text(json_object_get(zone, "notify"), "notify", target_text, now_s, out);
}

void status_text(const json_t *answer, struct text *out)
{
    int64_t now_s = number(answer, "now_s");
    if (has(answer, "zone")) {
        zone_text(json_object_get(answer, "zone"), now_s, out);
    } else {
        server_text(json_object_get(answer, "server"), now_s, out);
    }
}

/* ---- lists, and what was done ---- */

void zone_line_text(const json_t *zone, int64_t now_s, int name_width, struct text *out)
{
    size_t begin = out->size;
    add_member(out, zone, "name");
    do {
        text_add_char(out, ' ');
    } while (out->size - begin < (size_t)name_width + 2);
    text_printf(out, "%-10s ", is(zone, "role", "secondary") ? "secondary" : "primary");
    if (has(zone, "serial")) {
        text_printf(out, "%-11lld ", number(zone, "serial"));
    } else {
        text_printf(out, "%-11s ", "-");
    }
    state_text(zone, now_s, out);
    if (has(zone, "last_error")) {
        text_add_str(out, ": ");
        error_text(json_object_get(zone, "last_error"), now_s, out);
    }
    text_add_char(out, '\n');
}

static void add_list(struct text *out, const json_t *list)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        text_printf(out, "%s%s", i == 0 ? "" : ", ", json_string_value(item));
    }
}

/* Also of `release`, which is answered alike. */
static void reload_text(const json_t *answer, struct text *out)
{
    if (has(answer, "zone")) {
        add_member(out, answer, "zone");
        text_printf(out, ": %s serial %lld\n",
                    json_is_true(json_object_get(answer, "changed")) ? "now at" : "unchanged at",
                    number(answer, "serial"));
        return;
    }
    text_add_str(out, "reloaded: ");
    add_count(out, number(answer, "zones"), "zone");
    if (number(answer, "failed") != 0) {
        text_printf(out, ", %lld with an error in the file", number(answer, "failed"));
    }
    text_add_char(out, '\n');
    size_t i;
    const json_t *failure;
    json_array_foreach(json_object_get(answer, "failures"), i, failure)
    {
        text_add_str(out, "  ");
        add_member(out, failure, "name");
        text_add_str(out, ": ");
        add_member(out, failure, "text");
        text_add_char(out, '\n');
    }
}

static void absent_text(const json_t *answer, struct text *out)
{
    size_t i;
    const json_t *zone;
    json_array_foreach(json_object_get(answer, "zones"), i, zone)
    {
        text_printf(out, "%s\n", json_string_value(zone));
    }
    if (number(answer, "not_listed") != 0) {
        text_printf(out, "and %lld more\n", number(answer, "not_listed"));
    }
}

void done_text(const json_t *answer, struct text *out)
{
    if (has(answer, "begun")) {
        add_member(out, answer, "zone");
        text_add_str(out, ": ");
        add_member(out, answer, "begun");
        text_add_str(out, " begun, from ");
        add_list(out, json_object_get(answer, "primaries"));
        text_add_char(out, '\n');
    } else if (is(answer, "command", "discard")) {
        add_member(out, answer, "zone");
        text_printf(out, ": serial %lld forgotten\n", number(answer, "discarded"));
    } else if (is(answer, "command", "forget")) {
        add_member(out, answer, "zone");
        text_add_str(out, ": its history is gone\n");
    } else if (is(answer, "command", "absent")) {
        absent_text(answer, out);
    } else if (is(answer, "command", "reload") || is(answer, "command", "reconfig") ||
               is(answer, "command", "release")) {
        reload_text(answer, out);
    } else if (is(answer, "command", "notify")) {
        add_member(out, answer, "zone");
        text_printf(out, ": telling of serial %lld: ", number(answer, "serial"));
        add_list(out, json_object_get(answer, "targets"));
        text_add_char(out, '\n');
    } else if (is(answer, "command", "querylog")) {
        bool on = json_is_true(json_object_get(answer, "on"));
        text_printf(out, "query logging is now %s\n", on ? "on" : "off");
    } else if (is(answer, "command", "stats") || is(answer, "command", "dumpdb")) {
        text_add_str(out, "written: ");
        add_member(out, answer, "file");
        text_add_char(out, '\n');
    } else if (is(answer, "command", "stop")) {
        text_add_str(out, "stopped\n");
    }
}

/* ---- keys ---- */

static void key_use_text(const json_t *use, int64_t now_s, struct text *out)
{
    size_t begin = out->size;
    text_add_str(out, "    ");
    add_member(out, use, "peer");
    do {
        text_add_char(out, ' ');
    } while (out->size - begin < 28);
    begin = out->size;
    add_member(out, use, "for");
    do {
        text_add_char(out, ' ');
    } while (out->size - begin < 14);
    add_count(out, number(use, "count"), "time");
    text_add_str(out, ", last ");
    add_ago(out, number(use, "last_at_s"), now_s);
    text_add_str(out, ", first ");
    add_ago(out, number(use, "first_at_s"), now_s);
    text_add_char(out, '\n');
}

void keys_text(const json_t *answer, struct text *out)
{
    int64_t now_s = number(answer, "now_s");
    size_t i, j;
    const json_t *key, *use;
    json_array_foreach(json_object_get(answer, "keys"), i, key)
    {
        const json_t *uses = json_object_get(key, "uses");
        add_member(out, key, "name");
        if (has(key, "algorithm")) {
            text_add_str(out, ", ");
            add_member(out, key, "algorithm");
        }
        text_add_str(
            out, json_is_true(json_object_get(key, "configured")) ? "" : ", NO LONGER CONFIGURED");
        text_add_str(out, json_array_size(uses) == 0 ? ": not used since the start\n" : "\n");
        json_array_foreach(uses, j, use)
        {
            key_use_text(use, now_s, out);
        }
    }
    if (number(answer, "uses_not_listed") != 0) {
        add_count(out, number(answer, "uses_not_listed"), "further use");
        text_add_str(out, " by more peers than are listed\n");
    }
}
