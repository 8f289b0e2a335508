/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading a request strictly: a member that is not known is an error, since a misspelt "zone" would
 * otherwise turn the reload of one zone into the reload of all. The version is looked at first: a
 * later one may have any other members.
 */
#include "control/control_request.h"

#include <jansson.h>
#include <string.h>

#include "base/memory.h"

static enum result read_command(const json_t *value, struct control_request *out, struct error *err)
{
    const char *text = json_string_value(value);
    if (text == NULL || text[0] == '\0') {
        return error_set(err, ERR_FORMAT, "\"command\" takes the name of a command");
    }
    size_t size = strlen(text);
    if (size >= sizeof(out->command)) {
        return error_set(err, ERR_FORMAT, "\"command\" is longer than any command's name");
    }
    memcpy(out->command, text, size + 1);
    return OK;
}

static enum result read_zone(const json_t *value, struct control_request *out, struct error *err)
{
    const char *text = json_string_value(value);
    if (text == NULL) {
        return error_set(err, ERR_FORMAT, "\"zone\" takes a domain name as a string");
    }
    struct error why = {0};
    if (name_parse_str(text, &out->zone, &why) != OK) {
        return error_set(err, ERR_FORMAT, "\"zone\" is not a domain name: %s", why.text);
    }
    out->has_zone = true;
    return OK;
}

static enum result read_serial(const json_t *value, const char *key, struct serial *out, bool *has,
                               struct error *err)
{
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || number > UINT32_MAX) {
        return error_set(err, ERR_FORMAT, "\"%s\" takes a number from 0 to 4294967295", key);
    }
    out->value = (uint32_t)number;
    *has = true;
    return OK;
}

static enum result read_members(json_t *object, struct control_request *out, struct error *err)
{
    const char *key;
    json_t *value;
    enum result result = OK;
    json_object_foreach(object, key, value)
    {
        if (strcmp(key, "command") == 0) {
            result = read_command(value, out, err);
        } else if (strcmp(key, "zone") == 0) {
            result = read_zone(value, out, err);
        } else if (strcmp(key, "serial") == 0) {
            result = read_serial(value, key, &out->serial, &out->has_serial, err);
        } else if (strcmp(key, "to_serial") == 0) {
            result = read_serial(value, key, &out->to_serial, &out->has_to_serial, err);
        } else if (strcmp(key, "on") == 0) {
            result = json_is_boolean(value)
                         ? OK
                         : error_set(err, ERR_FORMAT, "\"on\" takes true or false");
            out->has_on = true;
            out->on = json_is_true(value);
        } else if (strcmp(key, "statements") == 0) {
            const char *text = json_string_value(value);
            result = text != NULL
                         ? OK
                         : error_set(err, ERR_FORMAT, "\"statements\" takes a string, `{ … }`");
            out->statements = text == NULL ? NULL : memory_strdup(text);
        } else if (strcmp(key, "version") != 0) {
            result = error_set(err, ERR_FORMAT, "a request has no member \"%.40s\"", key);
        }
        if (result != OK) {
            return result;
        }
    }
    if (out->command[0] == '\0') {
        return error_set(err, ERR_FORMAT, "\"command\" is missing");
    }
    if (out->has_to_serial && !out->has_serial) {
        return error_set(err, ERR_FORMAT, "\"to_serial\" stands beside \"serial\"");
    }
    return OK;
}

enum result control_request_parse(struct slice line, struct control_request *out, struct error *err)
{
    if (line.size > CONTROL_REQUEST_MAX) {
        return error_set(err, ERR_LIMIT, "a request has at most %d octets", CONTROL_REQUEST_MAX);
    }
    json_error_t where;
    json_t *object = json_loadb((const char *)line.data, line.size, JSON_REJECT_DUPLICATES, &where);
    if (object == NULL) {
        return error_set(err, ERR_FORMAT, "not JSON: %s (column %d)", where.text, where.column);
    }
    struct control_request request = {0};
    enum result result = OK;
    const json_t *version = json_object_get(object, "version");
    if (!json_is_object(object)) {
        result = error_set(err, ERR_FORMAT, "a request is a JSON object");
    } else if (!json_is_integer(version)) {
        result = error_set(err, ERR_FORMAT, "\"version\" is missing, or not a number");
    } else if (json_integer_value(version) != CONTROL_VERSION) {
        result = error_set(err, ERR_STALE, "version %lld of the protocol is not spoken here, %d is",
                           (long long)json_integer_value(version), CONTROL_VERSION);
    } else {
        result = read_members(object, &request, err);
    }
    json_decref(object);
    if (result == OK) {
        *out = request;
    } else {
        control_request_deinit(&request);
    }
    return result;
}

void control_request_deinit(struct control_request *request)
{
    memory_free(request->statements);
    request->statements = NULL;
}
