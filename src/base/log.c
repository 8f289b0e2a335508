/* SPDX-License-Identifier: BSD-3-Clause */
/* The names of levels and categories, as named.conf and BIND's log lines spell them. */
#include "base/log.h"

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug",     [LOG_INFO] = "info",   [LOG_NOTICE] = "notice",
    [LOG_WARNING] = "warning", [LOG_ERROR] = "error", [LOG_CRITICAL] = "critical",
};

static const char *const category_names[LOG_CATEGORIES] = {
    [LOG_GENERAL] = "general",
    [LOG_CONFIG] = "config",
    [LOG_NETWORK] = "network",
    [LOG_SECURITY] = "security",
    [LOG_NOTIFY] = "notify",
    [LOG_XFER_IN] = "xfer-in",
    [LOG_XFER_OUT] = "xfer-out",
    [LOG_UPDATE] = "update",
    [LOG_UPDATE_SECURITY] = "update-security",
    [LOG_QUERIES] = "queries",
    [LOG_ZONELOAD] = "zoneload",
    [LOG_DNSSEC] = "dnssec",
    [LOG_RATE_LIMIT] = "rate-limit",
};

const char *log_level_name(enum log_level level)
{
    REQUIRE((size_t)level < ARRAY_SIZE(level_names));
    return level_names[level];
}

const char *log_category_name(enum log_category category)
{
    REQUIRE((size_t)category < ARRAY_SIZE(category_names));
    return category_names[category];
}
