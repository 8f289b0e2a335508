/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a thread of the server begins, how its loop tells RCU that it looks at nothing any more, and
 * how one takes hold of the settings of now: the three things that every machine needs alike.
 */
#include "hub/server.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

#include "base/rcu.h"
#include "net/loop.h"
#include "process/privileges.h"

void server_thread_begin(const char *name)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    (void)prctl(PR_SET_NAME, name);
    privileges_limit_worker();
}

static void hook_quiescent(void *context)
{
    (void)context;
    rcu_quiescent();
}

static void hook_offline(void *context)
{
    (void)context;
    rcu_offline();
}

static void hook_online(void *context)
{
    (void)context;
    rcu_online();
}

void server_set_rcu_hooks(struct loop *loop)
{
    static const struct loop_hooks hooks = {
        .turn_done = hook_quiescent, .before_wait = hook_offline, .after_wait = hook_online};
    loop_set_hooks(loop, &hooks);
}

struct settings *server_settings(struct server *server)
{
    rcu_read_begin();
    struct settings *settings =
        settings_ref(atomic_load_explicit(&server->settings, memory_order_acquire));
    rcu_read_end();
    return settings;
}
