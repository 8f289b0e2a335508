/* SPDX-License-Identifier: BSD-3-Clause */
/* What a service manager is told (systemd's sd_notify protocol); nothing where there is none. */
#ifndef PROCESS_SERVICE_H
#define PROCESS_SERVICE_H

/* Any thread. The first two may be told again and again. */
void service_ready(const char *status);
void service_reloading(void);
void service_stopping(void);

#endif
