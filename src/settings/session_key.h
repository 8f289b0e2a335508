/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The session key: made anew at every start, for `update-policy local`, and written where whoever
 * runs on this machine as root or as the server's user finds it (`nsupdate -l -k FILE`).
 */
#ifndef SETTINGS_SESSION_KEY_H
#define SETTINGS_SESSION_KEY_H

#include "base/error.h"
#include "conf/conf.h"
#include "wire/tsig.h"

struct session_key;

/*
 * The key that this configuration wants.
 * old   borrowed, NULL at start: where name and algorithm are the same, its secret goes on.
 * out   given; NULL: no zone has `update-policy local`, or `session-keyfile none`. With
 *       session_key_free().
 * ERR_FORMAT  unknown algorithm, or a `key` of the same name
 */
MUST_CHECK enum result session_key_new(const struct conf *conf, const struct session_key *old,
                                       struct session_key **out, struct error *err);
/* Wipes the secret; the file stays. NULL is fine. */
void session_key_free(struct session_key *key);

/* A reference of the caller's; NULL for NULL. */
struct tsig_key *session_key_tsig(const struct session_key *key);
const char *session_key_path(const struct session_key *key);

/* The file anew, mode 0600, replaced at once. ERR_IO. */
MUST_CHECK enum result session_key_write(const struct session_key *key, struct error *err);
/* Removes the file that `key` was written to, unless `successor` (may be NULL) is written there. */
void session_key_remove(const struct session_key *key, const struct session_key *successor);

#endif
