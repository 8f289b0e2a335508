/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Configuration text of any kind: it loads or is refused with at least one error that has a place
 * in the text; what loads answers every accessor.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *context, const struct conf_finding *finding)
{
    char line[1024];
    unsigned *errors = context;
    *errors += finding->severity == CONF_ERROR;
    REQUIRE(finding->text[0] != '\0');
    REQUIRE(conf_finding_format(finding, line, sizeof(line))[0] != '\0');
}

static void ask_all(const struct conf *conf, const struct conf_zone *zone)
{
    struct address peer = {.family = 4, .bytes = {192, 0, 2, 1}};
    struct acl_subject subject = {.peer = &peer, .transport = ACL_TCP, .local_port = 53};
    for (int id = CONF_ALLOW_NOTIFY; id <= CONF_BLACKHOLE; id++) {
        struct acl_verdict verdict = acl_match(conf_acl(conf, zone, (enum conf_id)id), &subject);
        char text[256];
        REQUIRE(!verdict.allowed || verdict.rule != NULL);
        REQUIRE(acl_verdict_format(&verdict, text, sizeof(text))[0] != '\0');
    }
    const struct conf_remotes *also = conf_remotes(conf, zone, CONF_ALSO_NOTIFY);
    for (uint32_t i = 0; i < also->count; i++) {
        REQUIRE(also->servers[i].address.family != 0);
    }
    const struct conf_checker *checker = conf_checker(conf, zone);
    REQUIRE(checker == NULL || (checker->program[0] != '\0' && checker->arguments[0] != NULL));
    for (int id = CONF_CHECK_DUP_RECORDS; id <= CONF_ZONEMD_CHECK; id++) {
        REQUIRE(conf_number(conf, zone, (enum conf_id)id) >= 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf *conf = NULL;
    struct error err = {0};
    unsigned errors = 0;
    uint8_t *copy = malloc(size == 0 ? 1 : size); /* exact, so that the first stray octet shows */
    memcpy(copy, data, size);
    enum result result =
        conf_load_text("fuzz", slice_of(copy, size), false, count, &errors, &conf, &err);
    REQUIRE((result == OK) == (errors == 0));
    if (result == OK) {
        ask_all(conf, NULL);
        for (uint32_t i = 0; i < conf->zone_count; i++) {
            REQUIRE(conf_zone_find(conf, conf->zones[i].wire) == &conf->zones[i]);
            ask_all(conf, &conf->zones[i]);
        }
        conf_lint(conf, count, &errors);
        REQUIRE(errors == 0);
        conf_free(conf);
    } else {
        REQUIRE(err.line != 0 && err.text[0] != '\0');
    }
    free(copy);
    return 0;
}
