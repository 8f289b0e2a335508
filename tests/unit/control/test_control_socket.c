/* SPDX-License-Identifier: BSD-3-Clause */
/* The socket file: where, with which rights, over what was there; and who may come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/control_socket.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/lockstep-control-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static struct control_socket_options options_at(const char *name, uint32_t mode)
{
    struct control_socket_options options = {.mode = mode, .owner = geteuid(), .group = getegid()};
    snprintf(options.path, sizeof(options.path), "%s/%s", folder, name);
    return options;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static struct conf *conf_of(const char *text)
{
    struct conf *conf = NULL;
    struct error err = {0};
    if (conf_load_text("test.conf", slice_str(text), false, NULL, NULL, &conf, &err) != OK) {
        fail_msg("%s", err.text);
    }
    return conf;
}

static void default_socket_is_beside_the_pid_file(void **state)
{
    (void)state;
    struct conf *conf = conf_of("options { pid-file \"/run/here/some.pid\"; };");
    struct control_socket_options found;
    struct error err = {0};
    assert_int_equal(control_socket_find(conf, 0, 12, 34, &found, &err), OK);
    assert_string_equal(found.path, "/run/here/lockstepd.ctl");
    assert_true(found.is_default);
    assert_int_equal(found.mode, 0660);
    assert_int_equal(found.owner, 12);
    assert_int_equal(found.group, 34);
    assert_int_equal(control_socket_find(conf, 1, 12, 34, &found, &err), ERR_NOT_FOUND);
    conf_free(conf);
    conf = conf_of("options { pid-file none; };");
    err = (struct error){0};
    assert_int_equal(control_socket_find(conf, 0, 0, 0, &found, &err), OK);
    assert_string_equal(found.path, CONTROL_DEFAULT_PATH);
    conf_free(conf);
}

static void controls_name_their_own_sockets(void **state)
{
    (void)state;
    struct conf *conf = conf_of("controls {\n"
                                "unix \"/run/a.ctl\" perm 0600 owner 5 group 6;\n"
                                "unix \"/run/b.ctl\" perm 0660 owner 0 group 7 read-only yes;\n};");
    struct control_socket_options found;
    struct error err = {0};
    assert_int_equal(control_socket_find(conf, 0, 0, 0, &found, &err), OK);
    assert_string_equal(found.path, "/run/a.ctl");
    assert_int_equal(found.mode, 0600);
    assert_int_equal(found.owner, 5);
    assert_int_equal(found.group, 6);
    assert_false(found.read_only);
    assert_false(found.is_default);
    assert_int_equal(control_socket_find(conf, 1, 0, 0, &found, &err), OK);
    assert_string_equal(found.path, "/run/b.ctl");
    assert_true(found.read_only);
    assert_int_equal(control_socket_find(conf, 2, 0, 0, &found, &err), ERR_NOT_FOUND);
    conf_free(conf);
}

static void empty_controls_mean_no_socket_and_inet_alone_the_default(void **state)
{
    (void)state;
    struct conf *conf = conf_of("controls { };");
    struct control_socket_options found;
    struct error err = {0};
    assert_int_equal(control_socket_find(conf, 0, 0, 0, &found, &err), ERR_NOT_FOUND);
    conf_free(conf);
    conf = conf_of("controls { inet 127.0.0.1 allow { localhost; }; };");
    err = (struct error){0};
    assert_int_equal(control_socket_find(conf, 0, 0, 0, &found, &err), OK);
    assert_true(found.is_default);
    conf_free(conf);
}

static void path_longer_than_a_socket_takes_is_an_error(void **state)
{
    (void)state;
    char text[400] = "controls { unix \"/";
    memset(text + strlen(text), 'x', 120);
    strcat(text, "\" perm 0600 owner 0 group 0; };");
    struct conf *conf = conf_of(text);
    struct control_socket_options found;
    struct error err = {0};
    assert_int_equal(control_socket_find(conf, 0, 0, 0, &found, &err), ERR_LIMIT);
    assert_non_null(strstr(err.text, "107"));
    assert_int_equal(err.line, 1);
    conf_free(conf);
}

static void socket_has_the_mode_asked_for(void **state)
{
    (void)state;
    static const uint32_t modes[] = {0600, 0660, 0666};
    for (size_t i = 0; i < 3; i++) {
        struct control_socket_options options = options_at("mode.ctl", modes[i]);
        struct error err = {0};
        int fd = -1;
        mode_t mask = umask(0); /* not what keeps others out */
        assert_int_equal(control_socket_open(&options, &fd, &err), OK);
        umask(mask);
        struct stat st;
        assert_int_equal(stat(options.path, &st), 0);
        assert_true(S_ISSOCK(st.st_mode));
        assert_int_equal(st.st_mode & 0777, modes[i]);
        assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        close(fd); /* the next one finds what a dead server leaves */
    }
}

static void socket_of_a_living_server_is_left_alone(void **state)
{
    (void)state;
    struct control_socket_options options = options_at("living.ctl", 0600);
    struct error err = {0};
    int first, second;
    assert_int_equal(control_socket_open(&options, &first, &err), OK);
    assert_int_equal(control_socket_open(&options, &second, &err), ERR_BUSY);
    assert_non_null(strstr(err.text, "another server"));
    int client = connect_to(options.path);
    close(client);
    close(first);
}

static void other_file_at_the_path_is_left_alone(void **state)
{
    (void)state;
    struct control_socket_options options = options_at("precious", 0600);
    FILE *file = fopen(options.path, "w");
    fputs("keep me", file);
    fclose(file);
    struct error err = {0};
    int fd;
    assert_int_equal(control_socket_open(&options, &fd, &err), ERR_BUSY);
    assert_non_null(strstr(err.text, "not a socket"));
    struct stat st;
    assert_int_equal(stat(options.path, &st), 0);
    assert_int_equal(st.st_size, 7);
}

static void missing_folder_is_an_error_that_names_the_path(void **state)
{
    (void)state;
    struct control_socket_options options = options_at("no/such/folder.ctl", 0600);
    struct error err = {0};
    int fd;
    assert_int_equal(control_socket_open(&options, &fd, &err), ERR_IO);
    assert_non_null(strstr(err.text, "no/such/folder.ctl"));
}

static void peer_is_who_the_kernel_says(void **state)
{
    (void)state;
    struct control_socket_options options = options_at("peer.ctl", 0600);
    struct error err = {0};
    int fd;
    assert_int_equal(control_socket_open(&options, &fd, &err), OK);
    int client = connect_to(options.path);
    int server = accept(fd, NULL, NULL);
    struct control_peer peer;
    assert_true(control_socket_peer(server, &peer));
    assert_int_equal(peer.uid, geteuid());
    assert_int_equal(peer.pid, getpid());
    assert_true(control_socket_allows(&options, server, &peer));
    /* Somebody else, in no group of ours. */
    peer = (struct control_peer){.uid = 54321, .gid = 54321};
    options.group = 54322;
    options.owner = 54323;
    assert_false(control_socket_allows(&options, server, &peer));
    options.mode = 0660;
    assert_false(control_socket_allows(&options, server, &peer));
    options.group = 54321;
    assert_true(control_socket_allows(&options, server, &peer));
    options.mode = 0600; /* the group may not */
    assert_false(control_socket_allows(&options, server, &peer));
    options.owner = 54321;
    assert_true(control_socket_allows(&options, server, &peer));
    options = options_at("peer.ctl", 0666);
    assert_true(control_socket_allows(&options, server, &peer));
    close(client);
    close(server);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_socket_is_beside_the_pid_file),
        cmocka_unit_test(controls_name_their_own_sockets),
        cmocka_unit_test(empty_controls_mean_no_socket_and_inet_alone_the_default),
        cmocka_unit_test(path_longer_than_a_socket_takes_is_an_error),
        cmocka_unit_test(socket_has_the_mode_asked_for),
        cmocka_unit_test(socket_of_a_living_server_is_left_alone),
        cmocka_unit_test(other_file_at_the_path_is_left_alone),
        cmocka_unit_test(missing_folder_is_an_error_that_names_the_path),
        cmocka_unit_test(peer_is_who_the_kernel_says),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
