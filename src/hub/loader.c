/* SPDX-License-Identifier: BSD-3-Clause */
/* A queue, a lock, a few threads. Jobs talk back by loop_post or through the ledger. */
#include "hub/loader.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/rcu.h"
#include "hub/server.h"

enum { MAX_THREADS = 16, LOADER_NICE = 5 };

struct job {
    struct job *next;
    void (*run)(void *context);
    void (*drop)(void *context);
    void *context;
};

struct loader {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job *first;
    struct job **last;
    bool stopping;
    unsigned idle_count; /* threads that wait for `wake` */
    unsigned thread_count;
    pthread_t threads[MAX_THREADS];
};

static void *loader_main(void *context)
{
    struct loader *loader = context;
    server_thread_begin("loader");
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), LOADER_NICE);
    rcu_thread_start();
    rcu_offline(); /* on line only in the sections of a job: one may take minutes */
    pthread_mutex_lock(&loader->lock);
    for (;;) {
        while (loader->first == NULL && !loader->stopping) {
            loader->idle_count++;
            pthread_cond_wait(&loader->wake, &loader->lock);
            loader->idle_count--;
        }
        if (loader->stopping) {
            break;
        }
        struct job *job = loader->first;
        loader->first = job->next;
        if (loader->first == NULL) {
            loader->last = &loader->first;
        }
        pthread_mutex_unlock(&loader->lock);
        job->run(job->context);
        memory_free(job);
        pthread_mutex_lock(&loader->lock);
    }
    pthread_mutex_unlock(&loader->lock);
    rcu_thread_stop();
    return NULL;
}

enum result loader_new(unsigned threads, struct loader **out, struct error *err)
{
    struct loader *loader = memory_new_zeroed(1, sizeof(*loader));
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->wake, NULL);
    loader->last = &loader->first;
    for (unsigned i = 0; i < threads && i < MAX_THREADS; i++) {
        if (pthread_create(&loader->threads[i], NULL, loader_main, loader) != 0) {
            break;
        }
        loader->thread_count++;
    }
    if (loader->thread_count == 0) {
        loader_free(loader);
        return error_set_os(err, ERR_IO, "cannot start a loader thread");
    }
    *out = loader;
    return OK;
}

void loader_submit(struct loader *loader, void (*run)(void *context), void (*drop)(void *context),
                   void *context)
{
    struct job *job = memory_new(sizeof(*job));
    *job = (struct job){.run = run, .drop = drop, .context = context};
    pthread_mutex_lock(&loader->lock);
    *loader->last = job;
    loader->last = &job->next;
    if (loader->idle_count != 0) {
        pthread_cond_signal(&loader->wake);
    }
    pthread_mutex_unlock(&loader->lock);
}

unsigned loader_thread_count(const struct loader *loader)
{
    return loader->thread_count;
}

void loader_free(struct loader *loader)
{
    if (loader == NULL) {
        return;
    }
    pthread_mutex_lock(&loader->lock);
    loader->stopping = true;
    pthread_cond_broadcast(&loader->wake);
    pthread_mutex_unlock(&loader->lock);
    for (unsigned i = 0; i < loader->thread_count; i++) {
        pthread_join(loader->threads[i], NULL);
    }
    while (loader->first != NULL) {
        struct job *job = loader->first;
        loader->first = job->next;
        if (job->drop != NULL) {
            job->drop(job->context);
        }
        memory_free(job);
    }
    pthread_mutex_destroy(&loader->lock);
    pthread_cond_destroy(&loader->wake);
    memory_free(loader);
}
