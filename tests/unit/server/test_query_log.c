/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines of the log of questions, in BIND's form; what happens when they come too fast. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "server/query_log.h"
#include "wire/name.h"
#include "wire/rrtype.h"

static char path[64];
static struct logging *logging;

static int start(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "/tmp/lockstep-query-log-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0) {
        return -1;
    }
    close(fd);
    struct log_channel channel = {.sink = LOG_SINK_FILE, .level = LOG_INFO, .path = path};
    struct logging_options options = {.channels = &channel, .channel_count = 1};
    options.category_channels[LOG_QUERIES] = 1;
    return logging_start(&options, &logging, &(struct error){0}) == OK ? 0 : -1;
}

/* The whole log, once everything queued is written. Give it to free(). */
static char *log_text(void)
{
    logging_stop(logging);
    logging = NULL;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = NULL;
    size_t room = 0;
    if (getdelim(&text, &room, '\0', file) < 0) {
        free(text);
        text = strdup("");
    }
    fclose(file);
    return text;
}

static int end(void **state)
{
    (void)state;
    logging_stop(logging);
    logging = NULL;
    unlink(path);
    return 0;
}

struct asked {
    struct name name, key;
    struct address peer, local;
    struct answer_query query;
};

static void ask(struct asked *out, const char *name, uint16_t type)
{
    memset(out, 0, sizeof(*out));
    assert_int_equal(name_parse_str(name, &out->name, &(struct error){0}), OK);
    assert_int_equal(address_parse("192.0.2.7", &out->peer, &(struct error){0}), OK);
    assert_int_equal(address_parse("198.51.100.1", &out->local, &(struct error){0}), OK);
    out->peer.port = 5353;
    out->local.port = 53;
    out->query = (struct answer_query){
        .peer = &out->peer,
        .local = &out->local,
        .transport = ANSWER_UDP,
        .query = {.kind = QUERY_ASK,
                  .has_question = true,
                  .qname = out->name.wire,
                  .qname_size = (uint8_t)out->name.size,
                  .qtype = type,
                  .qclass = CLASS_IN},
    };
}

static void expect_line(const struct asked *question, const char *expected)
{
    struct query_log *log = query_log_new(logging, 2);
    assert_int_equal(query_log_switch(log, true, &(struct error){0}), OK);
    query_log_add(log, 1, &question->query, 1);
    query_log_free(log);
    char *text = log_text();
    char line[600];
    snprintf(line, sizeof(line), "%s%s", expected, expected[0] == '\0' ? "" : "\n");
    assert_string_equal(text, line);
    free(text);
}

static void a_plain_question_has_a_minus_and_both_addresses(void **state)
{
    (void)state;
    struct asked question;
    ask(&question, "www.example.com", TYPE_A);
    expect_line(&question, "client @0x100 192.0.2.7#5353 (www.example.com): query: "
                           "www.example.com IN A - (198.51.100.1)");
}

static void every_mark_stands_where_bind_puts_it(void **state)
{
    (void)state;
    static const uint8_t subnet[] = {0, 8, 0, 7, 0, 1, 24, 0, 203, 0, 113};
    struct asked question;
    ask(&question, "Ex\\032ample.com", TYPE_AXFR);
    assert_int_equal(name_parse_str("transfer-key", &question.key, &(struct error){0}), OK);
    question.query.key = question.key.wire;
    question.query.query.tsig_offset = 60;
    question.query.transport = ANSWER_TLS;
    question.query.cookie = COOKIE_AGEING;
    question.query.query.flags = 0x0110; /* RD, CD */
    question.query.query.edns = (struct edns){
        .present = true, .dnssec_ok = true, .options = slice_of(subnet, sizeof(subnet))};
    expect_line(&question, "client @0x100 192.0.2.7#5353/key transfer-key (Ex\\032ample.com): "
                           "query: Ex\\032ample.com IN AXFR +SE(0)TDCV (198.51.100.1) "
                           "[ECS 203.0.113.0/24/0]");
}

static void a_client_cookie_alone_is_k(void **state)
{
    (void)state;
    struct asked question;
    ask(&question, ".", TYPE_NS);
    question.query.cookie = COOKIE_CLIENT;
    question.query.query.edns.present = true;
    expect_line(&question,
                "client @0x100 192.0.2.7#5353 (.): query: . IN NS -E(0)K (198.51.100.1)");
}

static void what_asks_nothing_or_is_not_well_signed_is_left_out(void **state)
{
    (void)state;
    struct query_log *log = query_log_new(logging, 1);
    assert_int_equal(query_log_switch(log, true, &(struct error){0}), OK);
    struct asked question;
    ask(&question, "example.com", TYPE_SOA);
    question.query.query.kind = QUERY_NOTIFY;
    query_log_add(log, 0, &question.query, 1);
    question.query.query.kind = QUERY_DROP;
    query_log_add(log, 0, &question.query, 1);
    question.query.query.kind = QUERY_ASK;
    question.query.query.tsig_offset = 40; /* and no key that verified */
    query_log_add(log, 0, &question.query, 1);
    query_log_free(log);
    char *text = log_text();
    assert_string_equal(text, "");
    free(text);
}

static void off_logs_nothing_and_on_again_goes_on(void **state)
{
    (void)state;
    struct query_log *log = query_log_new(logging, 1);
    struct asked question;
    ask(&question, "example.com", TYPE_SOA);
    assert_false(query_log_is_on(log));
    query_log_add(log, 0, &question.query, 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(query_log_switch(log, i != 1, &(struct error){0}), OK);
        question.query.query.qtype = (uint16_t)(TYPE_A + i);
        query_log_add(log, 0, &question.query, 1);
    }
    query_log_free(log);
    char *text = log_text();
    assert_non_null(strstr(text, "IN A "));
    assert_null(strstr(text, "IN NS "));
    assert_null(strstr(text, "IN SOA "));
    assert_non_null(strstr(text, "IN MD "));
    free(text);
}

static void log_format_keyvalue_has_the_parts_apart(void **state)
{
    (void)state;
    logging_stop(logging);
    struct log_channel channel = {
        .sink = LOG_SINK_FILE, .level = LOG_INFO, .path = path, .format = LOG_FORMAT_KEYVALUE};
    struct logging_options options = {.channels = &channel, .channel_count = 1};
    options.category_channels[LOG_QUERIES] = 1;
    assert_int_equal(logging_start(&options, &logging, &(struct error){0}), OK);
    struct asked question;
    ask(&question, "www.example.com", TYPE_AAAA);
    struct query_log *log = query_log_new(logging, 1);
    assert_int_equal(query_log_switch(log, true, &(struct error){0}), OK);
    query_log_add(log, 0, &question.query, 1);
    query_log_free(log);
    char *text = log_text();
    assert_non_null(strstr(text, "event=query "));
    assert_non_null(strstr(text, " client=192.0.2.7#5353 qname=www.example.com class=IN type=AAAA "
                                 "flags=- local=198.51.100.1\n"));
    free(text);
}

/* ---- a log that is written to a pipe which nobody reads for a while ---- */

enum { FLOOD = 40000, SLOWEST_MS = 20000 };

static struct {
    int fd;
    _Atomic unsigned queries, others, told, lost_lines;
} pipe_end;

static void *read_pipe(void *context)
{
    (void)context;
    FILE *file = fdopen(pipe_end.fd, "r");
    char *line = NULL;
    size_t room = 0;
    while (file != NULL && getline(&line, &room, file) > 0) {
        pipe_end.queries += strstr(line, ": query: ") != NULL;
        pipe_end.others += strstr(line, "something else happened") != NULL;
        pipe_end.told += strstr(line, "queries were not logged") != NULL;
        pipe_end.lost_lines += strstr(line, "log lines were lost") != NULL;
    }
    free(line);
    fclose(file);
    return NULL;
}

static int start_pipe(void **state)
{
    if (start(state) != 0) {
        return -1;
    }
    logging_stop(logging);
    logging = NULL;
    unlink(path);
    memset(&pipe_end, 0, sizeof(pipe_end));
    if (mkfifo(path, 0600) != 0 || (pipe_end.fd = open(path, O_RDONLY | O_NONBLOCK)) < 0) {
        return -1;
    }
    struct log_channel channel = {.sink = LOG_SINK_FILE, .level = LOG_INFO, .path = path};
    struct logging_options options = {.channels = &channel, .channel_count = 1};
    options.category_channels[LOG_QUERIES] = 1;
    int failed = logging_start(&options, &logging, &(struct error){0}) != OK;
    return failed || fcntl(pipe_end.fd, F_SETFL, 0) != 0 ? -1 : 0;
}

static void *flood(void *context)
{
    struct asked question;
    ask(&question, "a-name-of-some-length.example.com", TYPE_A);
    for (unsigned i = 0; i < FLOOD; i++) {
        query_log_add(context, 1, &question.query, 1);
    }
    return NULL;
}

static void a_flood_is_logged_or_counted_and_nobody_waits(void **state)
{
    (void)state;
    struct query_log *log = query_log_new(logging, 2);
    assert_int_equal(query_log_switch(log, true, &(struct error){0}), OK);
    pthread_t other, reader;
    assert_int_equal(pthread_create(&other, NULL, flood, log), 0);
    struct asked question;
    ask(&question, "example.com", TYPE_MX);
    for (unsigned i = 0; i < FLOOD; i++) {
        query_log_add(log, 0, &question.query, 1);
    }
    pthread_join(other, NULL); /* nobody has read a line: the log's queue was full, and the rings */
    uint64_t lost = query_log_lost(log);
    assert_true(lost > FLOOD);
    /* Others still find room in the log. */
    logging_emit(logging, &(struct log_event){.level = LOG_ERROR,
                                              .category = LOG_QUERIES,
                                              .name = "other",
                                              .phrase = "something else happened"});
    assert_int_equal(pthread_create(&reader, NULL, read_pipe, NULL), 0);
    for (unsigned ms = 0; ms < SLOWEST_MS && pipe_end.queries < 2 * FLOOD - lost; ms += 10) {
        usleep(10000);
    }
    query_log_free(log);
    logging_stop(logging);
    logging = NULL;
    pthread_join(reader, NULL);
    assert_int_equal(pipe_end.queries, 2 * FLOOD - lost);
    assert_int_equal(pipe_end.others, 1);
    assert_int_equal(pipe_end.lost_lines, 0);
    assert_true(pipe_end.told >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_plain_question_has_a_minus_and_both_addresses, start,
                                        end),
        cmocka_unit_test_setup_teardown(every_mark_stands_where_bind_puts_it, start, end),
        cmocka_unit_test_setup_teardown(a_client_cookie_alone_is_k, start, end),
        cmocka_unit_test_setup_teardown(what_asks_nothing_or_is_not_well_signed_is_left_out, start,
                                        end),
        cmocka_unit_test_setup_teardown(off_logs_nothing_and_on_again_goes_on, start, end),
        cmocka_unit_test_setup_teardown(log_format_keyvalue_has_the_parts_apart, start, end),
        cmocka_unit_test_setup_teardown(a_flood_is_logged_or_counted_and_nobody_waits, start_pipe,
                                        end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
