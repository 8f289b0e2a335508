/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Logging: events in, lines out, by BIND's channels and categories.
 *
 * Any thread hands over an event; the line is formatted there, queued under one lock and written by
 * one thread, so nobody who answers or transfers waits for a disk. The queue is bounded: a flood
 * loses lines, and the next line that finds room says how many. What a line looks like: log_line.c.
 */
#include "logging/logging.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "logging/log_line.h"
#include "logging/syslog_sink.h"
#include "process/privileges.h"

enum {
    QUEUE_LINES = 8192,
    BATCH_LINES = 256, /* written with one call where they go to the same file */
    REST_MS = 5,       /* between two batches: what a busy server says comes in batches */
    MAX_CHANNELS = 32,
    LIMIT_NAMES = 64, /* event names that are told apart by the rate limit */
    LIMIT_PER_SECOND = 10,
};

struct channel_state {
    struct log_channel options; /* path owned */
    int fd;                     /* LOG_SINK_FILE; -1: closed */
    uint64_t size_bytes;
    bool full;
};

struct line {
    char *text; /* owned, with newline for stderr and files */
    size_t size;
    unsigned channel;
    enum log_level level;
};

struct limit {
    const char *name;
    int64_t second;
    unsigned lines;
    unsigned left_out;
};

struct logging {
    pthread_mutex_t lock; /* everything below; docs/decisions/locks.md */
    pthread_cond_t wake;
    pthread_cond_t idle; /* `writing` became false */
    pthread_t writer;
    struct channel_state channels[MAX_CHANNELS];
    unsigned channel_count;
    uint32_t category_channels[LOG_CATEGORIES];
    struct line queue[QUEUE_LINES];
    unsigned head; /* next to write */
    unsigned used;
    uint64_t lost;
    struct log_stamps stamps; /* of the lines before */
    struct limit limits[LIMIT_NAMES];
    bool writing;  /* the thread is outside the lock with the channels' state */
    bool sleeping; /* the thread waits for the first line of a batch */
    bool stopping;
};

static int64_t wall_ms_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- files ---- */

static enum result channel_open(struct channel_state *channel, struct error *err)
{
    channel->fd = -1;
    channel->size_bytes = 0;
    channel->full = false;
    if (channel->options.sink != LOG_SINK_FILE) {
        return OK;
    }
    channel->fd =
        open(channel->options.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (channel->fd < 0) {
        return error_set_os(err, ERR_IO, "cannot open log file %s", channel->options.path);
    }
    struct stat st;
    if (fstat(channel->fd, &st) == 0 && S_ISREG(st.st_mode)) {
        channel->size_bytes = (uint64_t)st.st_size;
    }
    return OK;
}

static void channel_close(struct channel_state *channel)
{
    if (channel->fd >= 0) {
        close(channel->fd);
        channel->fd = -1;
    }
}

/* path.1 becomes path.2 and so on, path becomes path.0; then a fresh path. */
static void channel_roll(struct channel_state *channel)
{
    struct text from, to;
    text_init(&from, 0);
    text_init(&to, 0);
    for (uint32_t i = channel->options.versions; i-- > 0;) {
        text_reset(&from);
        text_reset(&to);
        if (i == 0) {
            text_add_str(&from, channel->options.path);
        } else {
            text_printf(&from, "%s.%u", channel->options.path, i - 1);
        }
        text_printf(&to, "%s.%u", channel->options.path, i);
        if (rename(text_str(&from), text_str(&to)) != 0 && errno != ENOENT) {
            break;
        }
    }
    text_deinit(&from);
    text_deinit(&to);
    channel_close(channel);
    if (channel_open(channel, NULL) != OK) {
        channel->full = true;
    }
}

static void write_all(int fd, const char *bytes, size_t size)
{
    while (size != 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            return; /* nowhere left to say it */
        }
        bytes += written;
        size -= (size_t)written;
    }
}

static void write_line(struct channel_state *channel, const struct line *line)
{
    switch (channel->options.sink) {
    case LOG_SINK_STDERR:
        write_all(STDERR_FILENO, line->text, line->size);
        return;
    case LOG_SINK_FILE:
        if (channel->full || channel->fd < 0) {
            return;
        }
        if (channel->options.max_size_bytes != 0 &&
            channel->size_bytes + line->size > channel->options.max_size_bytes) {
            if (channel->options.versions == 0) {
                channel->full = true;
                return;
            }
            channel_roll(channel);
        }
        write_all(channel->fd, line->text, line->size);
        channel->size_bytes += line->size;
        return;
    case LOG_SINK_SYSLOG:
        syslog_sink_write(channel->options.facility, (int)line->level, line->text,
                          (int)(line->size - 1));
        return;
    case LOG_SINK_NULL:
        return;
    }
}

/* ---- the writing thread ---- */

static struct line dequeue(struct logging *logging)
{
    struct line line = logging->queue[logging->head];
    logging->head = (logging->head + 1) % QUEUE_LINES;
    logging->used--;
    return line;
}

/* Lines for one file leave together. */
static void write_batch(struct logging *logging, struct line *lines, unsigned count)
{
    for (unsigned i = 0; i < count;) {
        struct channel_state *channel = &logging->channels[lines[i].channel];
        struct text text;
        unsigned next = i + 1;
        bool is_file =
            channel->options.sink == LOG_SINK_FILE || channel->options.sink == LOG_SINK_STDERR;
        if (!is_file || channel->options.max_size_bytes != 0 || next == count ||
            lines[next].channel != lines[i].channel) {
            write_line(channel, &lines[i]);
            i = next;
            continue;
        }
        text_init(&text, 0);
        while (i < count && &logging->channels[lines[i].channel] == channel) {
            text_add(&text, lines[i].text, lines[i].size);
            i++;
        }
        write_line(channel, &(struct line){.text = text.bytes, .size = text.size});
        text_deinit(&text);
    }
    for (unsigned i = 0; i < count; i++) {
        memory_free(lines[i].text);
    }
}

/* With the lock held, until the time is over or the queue fills. */
static void rest(struct logging *logging)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += REST_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    while (!logging->stopping && logging->used < QUEUE_LINES / 2 &&
           pthread_cond_timedwait(&logging->wake, &logging->lock, &until) == 0) {
    }
}

static void *writer_main(void *context)
{
    struct logging *logging = context;
    privileges_limit_thread();
    struct line *lines = memory_new(BATCH_LINES * sizeof(lines[0]));
    pthread_mutex_lock(&logging->lock);
    for (;;) {
        while (logging->used == 0 && !logging->stopping) {
            logging->sleeping = true;
            pthread_cond_wait(&logging->wake, &logging->lock);
        }
        logging->sleeping = false;
        if (logging->used == 0) {
            break;
        }
        while (logging->used != 0) {
            unsigned count = 0;
            while (count < BATCH_LINES && logging->used != 0) {
                lines[count++] = dequeue(logging);
            }
            logging->writing = true; /* nobody else touches a channel until this is false */
            pthread_mutex_unlock(&logging->lock);
            write_batch(logging, lines, count);
            pthread_mutex_lock(&logging->lock);
            logging->writing = false;
            pthread_cond_broadcast(&logging->idle);
        }
        rest(logging);
    }
    pthread_mutex_unlock(&logging->lock);
    memory_free(lines);
    return NULL;
}

/* With the lock held: everything queued is written, and the channels are ours to change. */
static void settle_locked(struct logging *logging)
{
    while (logging->writing) {
        pthread_cond_wait(&logging->idle, &logging->lock);
    }
    while (logging->used != 0) {
        struct line line = dequeue(logging);
        write_line(&logging->channels[line.channel], &line);
        memory_free(line.text);
    }
}

static void queue_line(struct logging *logging, unsigned channel, const struct log_event *event,
                       int64_t wall_ms)
{
    if (logging->used == QUEUE_LINES) {
        logging->lost++;
        return;
    }
    struct text text;
    text_init(&text, 16384);
    log_line_format(event, &logging->channels[channel].options, wall_ms, &logging->stamps, &text);
    text_add_char(&text, '\n');
    unsigned at = (logging->head + logging->used) % QUEUE_LINES;
    logging->queue[at] = (struct line){
        .text = text.bytes, .size = text.size, .channel = channel, .level = event->level};
    logging->used++;
}

static void emit_locked(struct logging *logging, const struct log_event *event)
{
    int64_t wall_ms = wall_ms_now();
    if (logging->lost != 0 && logging->used < QUEUE_LINES / 2) {
        char phrase[80];
        snprintf(phrase, sizeof(phrase),
                 "%llu log lines were lost: more came than could be written",
                 (unsigned long long)logging->lost);
        logging->lost = 0;
        emit_locked(logging, &(struct log_event){.level = LOG_WARNING,
                                                 .category = LOG_GENERAL,
                                                 .name = "log_lines_lost",
                                                 .phrase = phrase});
    }
    uint32_t channels = logging->category_channels[event->category];
    for (unsigned i = 0; i < logging->channel_count; i++) {
        if ((channels >> i & 1) != 0 && event->level >= logging->channels[i].options.level &&
            logging->channels[i].options.sink != LOG_SINK_NULL) {
            queue_line(logging, i, event, wall_ms);
        }
    }
    if (logging->sleeping || logging->used == QUEUE_LINES / 2) {
        logging->sleeping = false;
        pthread_cond_signal(&logging->wake);
    }
}

void logging_emit(struct logging *logging, const struct log_event *event)
{
    if (logging == NULL) {
        return;
    }
    pthread_mutex_lock(&logging->lock);
    emit_locked(logging, event);
    pthread_mutex_unlock(&logging->lock);
}

bool logging_has_room(struct logging *logging)
{
    pthread_mutex_lock(&logging->lock);
    bool has_room = logging->used < QUEUE_LINES / 2;
    pthread_mutex_unlock(&logging->lock);
    return has_room;
}

/* The bucket of an event name; names are string literals, a few dozen in all. */
static struct limit *find_limit(struct logging *logging, const char *name)
{
    for (unsigned i = 0; i < LIMIT_NAMES - 1; i++) {
        struct limit *limit = &logging->limits[i];
        if (limit->name == NULL) {
            limit->name = name;
        }
        if (limit->name == name || strcmp(limit->name, name) == 0) {
            return limit;
        }
    }
    return &logging->limits[LIMIT_NAMES - 1];
}

void logging_emit_limited(struct logging *logging, const struct log_event *event)
{
    if (logging == NULL) {
        return;
    }
    pthread_mutex_lock(&logging->lock);
    struct limit *limit = find_limit(logging, event->name);
    int64_t second = clock_now().ns / 1000000000;
    if (second != limit->second) {
        limit->second = second;
        limit->lines = 0;
    }
    if (limit->lines >= LIMIT_PER_SECOND) {
        limit->left_out++;
    } else if (limit->left_out != 0) {
        struct text phrase;
        text_init(&phrase, 8192);
        text_printf(&phrase, "%s [%u similar lines left out]", event->phrase, limit->left_out);
        struct log_event told = *event;
        told.phrase = text_str(&phrase);
        limit->left_out = 0;
        limit->lines++;
        emit_locked(logging, &told);
        text_deinit(&phrase);
    } else {
        limit->lines++;
        emit_locked(logging, event);
    }
    pthread_mutex_unlock(&logging->lock);
}

/* ---- life ---- */

static void channels_close(struct channel_state *channels, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        channel_close(&channels[i]);
        union {
            const char *borrowed;
            char *owned;
        } path = {.borrowed = channels[i].options.path};
        memory_free(path.owned);
    }
}

static enum result channels_open(const struct logging_options *options,
                                 struct channel_state *channels, struct error *err)
{
    REQUIRE(options->channel_count <= MAX_CHANNELS);
    for (unsigned i = 0; i < options->channel_count; i++) {
        channels[i] = (struct channel_state){.options = options->channels[i], .fd = -1};
        if (channels[i].options.path != NULL) {
            channels[i].options.path = memory_strdup(channels[i].options.path);
        }
        enum result result = channel_open(&channels[i], err);
        if (result != OK) {
            channels_close(channels, i + 1);
            return result;
        }
    }
    return OK;
}

enum result logging_configure(struct logging *logging, const struct logging_options *options,
                              struct error *err)
{
    struct channel_state fresh[MAX_CHANNELS];
    enum result result = channels_open(options, fresh, err);
    if (result != OK) {
        return result;
    }
    pthread_mutex_lock(&logging->lock);
    settle_locked(logging);
    struct channel_state old[MAX_CHANNELS];
    unsigned old_count = logging->channel_count;
    memcpy(old, logging->channels, sizeof(old));
    memcpy(logging->channels, fresh, sizeof(fresh));
    logging->channel_count = options->channel_count;
    memcpy(logging->category_channels, options->category_channels,
           sizeof(logging->category_channels));
    pthread_mutex_unlock(&logging->lock);
    channels_close(old, old_count);
    return OK;
}

enum result logging_start(const struct logging_options *options, struct logging **out,
                          struct error *err)
{
    struct logging *logging = memory_new_zeroed(1, sizeof(*logging));
    enum result result = channels_open(options, logging->channels, err);
    if (result != OK) {
        memory_free(logging);
        return result;
    }
    logging->channel_count = options->channel_count;
    memcpy(logging->category_channels, options->category_channels,
           sizeof(logging->category_channels));
    pthread_mutex_init(&logging->lock, NULL);
    pthread_cond_init(&logging->wake, NULL);
    pthread_cond_init(&logging->idle, NULL);
    if (pthread_create(&logging->writer, NULL, writer_main, logging) != 0) {
        channels_close(logging->channels, logging->channel_count);
        memory_free(logging);
        return error_set(err, ERR_IO, "cannot start the logging thread");
    }
    *out = logging;
    return OK;
}

void logging_reopen(struct logging *logging)
{
    pthread_mutex_lock(&logging->lock);
    settle_locked(logging);
    for (unsigned i = 0; i < logging->channel_count; i++) {
        channel_close(&logging->channels[i]);
        if (channel_open(&logging->channels[i], NULL) != OK) {
            logging->channels[i].full = true;
        }
    }
    pthread_mutex_unlock(&logging->lock);
}

void logging_stop(struct logging *logging)
{
    if (logging == NULL) {
        return;
    }
    pthread_mutex_lock(&logging->lock);
    logging->stopping = true;
    pthread_cond_signal(&logging->wake);
    pthread_mutex_unlock(&logging->lock);
    pthread_join(logging->writer, NULL);
    channels_close(logging->channels, logging->channel_count);
    pthread_mutex_destroy(&logging->lock);
    pthread_cond_destroy(&logging->wake);
    pthread_cond_destroy(&logging->idle);
    memory_free(logging);
}
