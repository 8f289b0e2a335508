/* SPDX-License-Identifier: BSD-3-Clause */
/* getaddrinfo() in a thread of its own: it may take half a minute, and nobody else waits for it. */
#include "sync/resolver.h"

#include <netdb.h>
#include <pthread.h>

#include "base/memory.h"
#include "hub/server.h"

enum { MAX_WAITING = 10000 };

struct resolver_job {
    struct resolver_job *next;
    void (*done)(void *context, const struct resolver_answer *answer);
    void *context;
    size_t count;
    struct name names[];
};

struct resolver {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    struct resolver_job *first;
    struct resolver_job **last;
    unsigned waiting;
    bool stopping;
    bool running;
};

static void resolve_name(const struct name *name, struct resolver_answer *answer)
{
    char text[NAME_TEXT_SIZE];
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    if (getaddrinfo(name_format(name->wire, text), NULL, &hints, &found) != 0) {
        return;
    }
    for (const struct addrinfo *one = found; one != NULL && answer->count < RESOLVER_ADDRESSES;
         one = one->ai_next) {
        struct address address;
        if (address_from_sockaddr(one->ai_addr, &address)) {
            answer->addresses[answer->count++] = address;
        }
    }
    freeaddrinfo(found);
}

static bool is_stopping(struct resolver *resolver)
{
    pthread_mutex_lock(&resolver->lock);
    bool stopping = resolver->stopping;
    pthread_mutex_unlock(&resolver->lock);
    return stopping;
}

static void *resolver_main(void *context)
{
    struct resolver *resolver = context;
    server_thread_begin("resolver");
    pthread_mutex_lock(&resolver->lock);
    for (;;) {
        while (resolver->first == NULL && !resolver->stopping) {
            pthread_cond_wait(&resolver->wake, &resolver->lock);
        }
        struct resolver_job *job = resolver->first;
        if (job == NULL) {
            break;
        }
        resolver->first = job->next;
        if (resolver->first == NULL) {
            resolver->last = &resolver->first;
        }
        resolver->waiting--;
        pthread_mutex_unlock(&resolver->lock);
        struct resolver_answer answer = {0};
        for (size_t i = 0; i < job->count && !is_stopping(resolver); i++) {
            resolve_name(&job->names[i], &answer);
        }
        job->done(job->context, is_stopping(resolver) ? NULL : &answer);
        memory_free(job);
        pthread_mutex_lock(&resolver->lock);
    }
    pthread_mutex_unlock(&resolver->lock);
    return NULL;
}

enum result resolver_new(struct resolver **out, struct error *err)
{
    struct resolver *resolver = memory_new_zeroed(1, sizeof(*resolver));
    pthread_mutex_init(&resolver->lock, NULL);
    pthread_cond_init(&resolver->wake, NULL);
    resolver->last = &resolver->first;
    if (pthread_create(&resolver->thread, NULL, resolver_main, resolver) != 0) {
        resolver_free(resolver);
        return error_set_os(err, ERR_IO, "cannot start the resolver thread");
    }
    resolver->running = true;
    *out = resolver;
    return OK;
}

void resolver_free(struct resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    pthread_mutex_lock(&resolver->lock);
    resolver->stopping = true;
    pthread_cond_signal(&resolver->wake);
    pthread_mutex_unlock(&resolver->lock);
    if (resolver->running) {
        pthread_join(resolver->thread, NULL);
    }
    pthread_mutex_destroy(&resolver->lock);
    pthread_cond_destroy(&resolver->wake);
    memory_free(resolver);
}

void resolver_ask(struct resolver *resolver, const struct name *names, size_t count,
                  void (*done)(void *context, const struct resolver_answer *answer), void *context)
{
    REQUIRE(count <= RESOLVER_NAMES);
    struct resolver_job *job = memory_new(sizeof(*job) + count * sizeof(job->names[0]));
    *job = (struct resolver_job){.done = done, .context = context, .count = count};
    memcpy(job->names, names, count * sizeof(job->names[0]));
    pthread_mutex_lock(&resolver->lock);
    bool taken = !resolver->stopping && resolver->waiting < MAX_WAITING;
    if (taken) {
        *resolver->last = job;
        resolver->last = &job->next;
        resolver->waiting++;
        pthread_cond_signal(&resolver->wake);
    }
    pthread_mutex_unlock(&resolver->lock);
    if (!taken) {
        done(context, NULL);
        memory_free(job);
    }
}
