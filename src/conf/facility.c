/* SPDX-License-Identifier: BSD-3-Clause */
/* The facilities named.conf can name, with the numbers of this system's <syslog.h>. */
#include "conf/facility_impl.h"

#include <stddef.h>
#include <strings.h>
#include <syslog.h>

bool facility_parse(const char *word, int *out)
{
    static const struct {
        const char *word;
        int facility;
    } all[] = {
        {"kern", LOG_KERN},     {"user", LOG_USER},         {"mail", LOG_MAIL},
        {"daemon", LOG_DAEMON}, {"auth", LOG_AUTH},         {"syslog", LOG_SYSLOG},
        {"lpr", LOG_LPR},       {"news", LOG_NEWS},         {"uucp", LOG_UUCP},
        {"cron", LOG_CRON},     {"authpriv", LOG_AUTHPRIV}, {"ftp", LOG_FTP},
        {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1},     {"local2", LOG_LOCAL2},
        {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4},     {"local5", LOG_LOCAL5},
        {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcasecmp(word, all[i].word) == 0) {
            *out = all[i].facility;
            return true;
        }
    }
    return false;
}

int facility_daemon(void)
{
    return LOG_DAEMON;
}
