/* SPDX-License-Identifier: BSD-3-Clause */
/* Host names (RFC 952, RFC 1123 2.1): what check-names asks of owners and targets. */
#ifndef ZONE_HOST_NAME_IMPL_H
#define ZONE_HOST_NAME_IMPL_H

#include "wire/name.h"
#include "wire/record.h"

/* Letters, digits and inner hyphens in every label; the root is one; "*" as the first label where
 * `allow_wildcard`. */
bool host_name_is_valid(const uint8_t *wire, bool allow_wildcard);
/* The owner is one where the type asks for it, with BIND's exceptions. */
bool host_name_check_owner(const uint8_t *owner, uint16_t type);
/* The first name in valid rdata that should be a host name (or a mailbox) and is not, or NULL. */
const uint8_t *host_name_check_rdata(const uint8_t *owner, uint16_t type, struct slice rdata);

#endif
