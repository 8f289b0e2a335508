# SPDX-License-Identifier: BSD-3-Clause
"""The server as a process: flags, pid file, errors at start, reloads, addresses, what it says."""
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess
import threading
import time

import dns.message
import dns.query
import dns.rcode

from harness import Zone, simple_zone

NAME = "example.com"


def run(test, *words, cwd=None, seconds=20):
    """One of our commands to its end: (exit status, what it wrote)."""
    done = subprocess.run([str(test.build / words[0]), *map(str, words[1:])], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=seconds, cwd=cwd, check=False)
    return done.returncode, done.stdout


def single(test, **options):
    server = test.lockstep("primary", **options)
    return server.add(Zone(NAME, simple_zone(NAME, 1, "www A 192.0.2.80")))


def test_flags_of_named_are_taken(test):
    """The flags that start scripts pass; a wrong one is exit status 2 and a line of help."""
    server = single(test)
    server.configure()
    path = server.home / "named.conf"
    path.write_text(re.sub(r"listen-on port \d+", "listen-on", path.read_text()))
    server.command = lambda: [test.build / "lockstepd", "-g", "-c", path, "-p", str(server.port), "-4", "-n", "1",
                              "-d", "1", "-D", "text", "-m", "usage", "-T", "mutexatomics", "-U", "2", "-X", "lock"]
    server.configure = lambda: None
    server.start()
    test.wait_serial(server, NAME, 1)
    status, text = run(test, "lockstepd", "-V")
    assert status == 0 and text.startswith("Lockstep "), text
    for bad in (["-Z"], ["-p", "99999"], ["-n", "x"], ["extra"]):
        status, text = run(test, "lockstepd", *bad)
        assert status == 2 and "usage: lockstepd" in text or bad[0] in text, (bad, status, text)


def test_background_pid_file_and_clean_end(test):
    """Without -f and -g the command ends with status 0 once the server listens; the pid file goes with it."""
    server = single(test)
    server.configure()
    status, text = run(test, "lockstepd", "-c", "named.conf", cwd=server.home)
    pid = int((server.home / "lockstepd.pid").read_text())
    try:
        assert status == 0, text
        test.wait_serial(server, NAME, 1)
        server.write_zone(NAME, simple_zone(NAME, 2))
        os.kill(pid, signal.SIGHUP)  # finds the configuration, which was named relative to another directory
        test.wait_serial(server, NAME, 2, 10)
        status, text = run(test, "lockstepd", "-c", server.home / "named.conf")
        assert status == 1 and "Address already in use" in text and str(server.port) in text, text
        assert test.serial(server, NAME) == 2
    finally:
        os.kill(pid, signal.SIGTERM)
    test.wait_for("the end", lambda: not pathlib.Path(f"/proc/{pid}").exists(), 20)
    assert not (server.home / "lockstepd.pid").exists()


def test_start_says_what_is_wrong(test):
    """Missing and unreadable configuration, no address, no user: status 1 and a sentence, also in the background."""
    server = single(test)
    server.configure()
    path = server.home / "named.conf"
    good = path.read_text()
    for flags in (["-g"], ["-f"], []):
        status, text = run(test, "lockstepd", *flags, "-c", server.home / "missing.conf")
        assert status == 1 and "missing.conf" in text and "No such file" in text, text
        status, text = run(test, "lockstepd", *flags, "-c", server.home)
        assert status == 1 and "regular file" in text, text
        path.write_text(good + "\n".join(f"zzone \"z{i}\" {{ }};" for i in range(20)) + "\n")
        status, text = run(test, "lockstepd", *flags, "-c", path)
        assert status == 1 and text.count(": error: unknown statement `zzone`") == 20 and "did you mean `zone`" in text, text
        path.write_text(good)
    if os.geteuid() == 0:
        status, text = run(test, "lockstepd", "-g", "-u", "nobody-of-that-name", "-c", path)
        assert status == 1 and "nobody-of-that-name" in text, text
        unreadable = server.home / "secret.conf"
        unreadable.write_text(good)
        unreadable.chmod(0)
        done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", test.build / "lockstep", "check-conf",
                               unreadable], capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode != 0


def test_runs_as_another_user(test):
    """-u: sockets are opened first, then everything is the user's, and root does not come back."""
    if os.geteuid() != 0:
        return
    server = single(test)
    server.configure()
    user = pwd.getpwnam("nobody")
    for folder in (test.folder, server.home):
        folder.chmod(0o755)
    os.chown(server.home, user.pw_uid, user.pw_gid)
    server.command = lambda: [test.build / "lockstepd", "-g", "-u", "nobody", "-c", server.home / "named.conf"]
    server.start()
    test.wait_serial(server, NAME, 1)
    for task in pathlib.Path(f"/proc/{server.process.pid}/task").iterdir():
        status = (task / "status").read_text()
        assert re.search(rf"^Uid:(\s+{user.pw_uid}){{4}}$", status, re.M), status
        assert re.search(r"^CapEff:\s+0+$", status, re.M), status
        assert re.search(r"^Groups:\s+(%d)?\s*$" % user.pw_gid, status, re.M), status
    assert (server.home / "lockstepd.pid").exists()
    server.write_zone(NAME, simple_zone(NAME, 2))
    server.reload()
    test.wait_serial(server, NAME, 2, 10)
    server.stop()
    assert not (server.home / "lockstepd.pid").exists()


def test_ends_cleanly_under_load(test):
    """SIGTERM while questions and transfers run: status 0, soon."""
    server = single(test)
    server.write_zone(NAME, simple_zone(NAME, 1, "\n".join(f"h{i} A 192.0.2.{i % 250}" for i in range(20000))))
    server.start()
    stop = threading.Event()

    def ask():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            wire = dns.message.make_query(f"h7.{NAME}", "A").to_wire()
            while not stop.is_set():
                try:
                    sock.sendto(wire, (server.address, server.port))
                except OSError:
                    pass

    def transfer():
        while not stop.is_set():
            try:
                test.transfer(server, NAME)
            except Exception:  # the server ends in the middle of one
                pass

    threads = [threading.Thread(target=f) for f in (ask, ask, transfer, transfer)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(1.5)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_included_files_count_at_reload(test):
    """A change in a file that the zone file includes is a change of the zone; so is its coming back."""
    server = single(test)
    parts = server.home / "parts"
    parts.mkdir()
    (parts / "hosts").write_text("one A 192.0.2.1\n$INCLUDE parts/more\n")
    (parts / "more").write_text("two A 192.0.2.2\n")
    server.write_zone(NAME, simple_zone(NAME, 5, "$INCLUDE parts/hosts"))
    server.start()
    test.wait_serial(server, NAME, 5)
    assert test.ask(server, f"two.{NAME}", "A").answer
    (parts / "more").write_text("two A 192.0.2.22\nthree A 192.0.2.3\n")
    server.reload()
    test.wait_for("the new record", lambda: test.ask(server, f"three.{NAME}", "A").answer, 10)
    assert test.serial(server, NAME) == 6, "the serial in the file is the same: it moves on by one"
    (parts / "more").unlink()
    server.reload()
    test.wait_for("the error", lambda: "parts/more" in server.log(), 10)
    assert test.serial(server, NAME) == 6
    (parts / "more").write_text("four A 192.0.2.4\n")
    server.reload()
    test.wait_for("the next record", lambda: test.ask(server, f"four.{NAME}", "A").answer, 10)
    server.stop()
    (parts / "more").write_text("five A 192.0.2.5\n")  # while the server is down
    server.start()
    test.wait_for("the record of meanwhile", lambda: test.ask(server, f"five.{NAME}", "A").answer, 10)
    server.reload()
    test.wait_for("reload", lambda: server.log().count("reloading zones succeeded") >= 4, 10)
    assert test.serial(server, NAME) == 8


def test_zones_that_are_set_alike_keep_what_is_their_own(test):
    """They share their settings; file, place in the configuration and coming and going are each zone's."""
    server = test.lockstep("primary")

    def configure(*zones):
        (server.home / "named.conf").write_text(
            f'options {{ directory "{server.home}"; pid-file "p"; store-directory "store"; notify no;\n'
            f"listen-on port {server.port} {{ {server.address}; }}; listen-on-v6 {{ none; }}; }};\n"
            + "".join(f'zone "{name}" {{ type primary; file "{file}"; {more} }};\n' for name, file, more in zones))

    def serials(*expected):
        for name, serial in expected:
            test.wait_for(f"{name} at {serial}", lambda n=name, s=serial: test.serial(server, n) == s, 10)

    for number, name in enumerate("abcde", 1):
        (server.home / f"{name}.zone").write_text(simple_zone(f"{name}.test", number))
    (server.home / "b2.zone").write_text(simple_zone("b.test", 20))
    server.configure = lambda: None
    configure(("a.test", "a.zone", ""), ("b.test", "b.zone", ""), ("c.test", "c.zone", ""), ("d.test", "d.zone", ""))
    server.start()
    serials(("a.test", 1), ("b.test", 2), ("c.test", 3), ("d.test", 4))
    # Another order, another file, one gone, one new, one set differently.
    configure(("d.test", "d.zone", ""), ("e.test", "e.zone", ""), ("b.test", "b2.zone", ""),
              ("a.test", "a.zone", "allow-query { none; };"))
    server.reload()
    serials(("d.test", 4), ("e.test", 5), ("b.test", 20))
    test.wait_for("a.test to be refused", lambda: test.ask(server, "a.test", "SOA").rcode() == dns.rcode.REFUSED, 10)
    test.wait_for("c.test to be gone", lambda: test.ask(server, "c.test", "SOA").rcode() == dns.rcode.REFUSED, 10)
    (server.home / "d.zone").write_text(simple_zone("d.test", 40))
    server.reload()
    serials(("d.test", 40), ("b.test", 20), ("e.test", 5))


def test_ipv6_serves_and_transfers(test):
    """::1 listens, answers and is transferred from; listen-on { any; } takes what the machine has."""
    port = test.next_port()
    primary, secondary = test.lockstep("primary"), test.lockstep("secondary")
    primary.add(Zone(NAME, simple_zone(NAME, 1)))
    for server in (primary, secondary):
        server.port = port if server is primary else test.next_port()
    (primary.home / "named.conf").write_text(
        f'options {{ directory "{primary.home}"; pid-file "p"; port {primary.port}; listen-on {{ any; }};\n'
        f'listen-on-v6 {{ ::1; }}; store-directory "store"; }};\nzone "{NAME}" {{ type master; file "{NAME}.zone";\n'
        f"allow-transfer {{ ::1; }}; notify explicit; also-notify {{ ::1 port {secondary.port}; }}; }};\n")
    (secondary.home / "named.conf").write_text(
        f'options {{ directory "{secondary.home}"; pid-file "p"; port {secondary.port}; listen-on {{ none; }};\n'
        f'listen-on-v6 {{ any; }}; store-directory "store"; }};\nmasters upstream {{ ::1 port {primary.port}; }};\n'
        f'zone "{NAME}" {{ type slave; file "copy"; masters {{ upstream; }}; }};\n')
    for server in (primary, secondary):
        server.configure = lambda: None
        server.start(wait=False)
    secondary.address = "::1"
    test.wait_serial(secondary, NAME, 1)
    assert test.serial(primary, NAME) == 1, "listen-on any has 127.0.0.1"
    primary.write_zone(NAME, simple_zone(NAME, 2, "six AAAA ::6"))
    primary.reload()
    assert test.wait_serial(secondary, NAME, 2, 10) < 5
    assert len([m for m in dns.query.xfr("::1", NAME, port=primary.port, lifetime=10)]) == 1
    refused = dns.query.tcp(dns.message.make_query(NAME, "AXFR"), "127.0.0.1", port=primary.port, timeout=3)
    assert refused.rcode() == dns.rcode.REFUSED


def test_notify_yes_reaches_the_ns_set(test):
    """notify yes: the addresses of the NS set, from a zone of our own, less ourselves and the MNAME."""
    primary = test.lockstep("primary")
    # A port cannot stand in an NS record: what is looked at is whom the primary says it sends to.
    primary.add(Zone(NAME, f"$ORIGIN {NAME}.\n$TTL 300\n@ SOA ns1 admin 1 3600 900 1209600 300\n@ NS ns1\n"
                           "@ NS ns.other.test.\nns1 A 127.0.0.1\n"))
    primary.add(Zone("other.test", "$ORIGIN other.test.\n$TTL 300\n@ SOA ns admin 1 3600 900 1209600 300\n@ NS ns\n"
                                   "ns A 127.0.0.77\n"))
    primary.configure()
    path = primary.home / "named.conf"
    path.write_text(path.read_text().replace("notify no;", "notify yes;"))
    primary.configure = lambda: None
    primary.start()
    test.wait_for("a NOTIFY to the name server of the other zone",
                  lambda: re.search(rf"zone {NAME}/IN: notify to 127\.0\.0\.77", primary.log()), 15)
    assert f"zone {NAME}/IN: notify to 127.0.0.1#" not in primary.log(), "the MNAME gets none"


def test_the_next_primary_is_asked(test):
    """Primaries by named list, the first one dead, the second not serving the zone, the third right."""
    good, wrong, secondary = test.lockstep("good"), test.lockstep("wrong"), test.lockstep("secondary")
    good.add(Zone(NAME, simple_zone(NAME, 4)))
    wrong.add(Zone("other.test", simple_zone("other.test", 1)))
    secondary.add(Zone(NAME, primaries=[good]))
    secondary.configure()
    path = secondary.home / "named.conf"
    dead = test.next_port()
    path.write_text(re.sub(r"primaries \{.*?\};", "primaries { upstream; };", path.read_text(), flags=re.S) +
                    f"primaries upstream {{ 127.0.0.1 port {dead}; 127.0.0.1 port {wrong.port}; "
                    f"127.0.0.1 port {good.port}; }};\n")
    secondary.configure = lambda: None
    for server in (good, wrong, secondary):
        server.start()
    test.wait_serial(secondary, NAME, 4, 30)
    log = secondary.log()
    assert f"#{dead}: Transfer status: cannot connect" in log and f"#{wrong.port}: Transfer status: primary" in log, log


def test_only_a_wrong_primary(test):
    """Where no primary has the zone the log says so in words, and the answer is SERVFAIL."""
    wrong, secondary = test.lockstep("wrong"), test.lockstep("secondary")
    wrong.add(Zone("other.test", simple_zone("other.test", 1)))
    secondary.add(Zone(NAME, primaries=[wrong]))
    wrong.start(), secondary.start()
    test.wait_for("the reason", lambda: re.search(rf"{NAME}/IN.*{wrong.port}.*primary answered NOTAUTH", secondary.log()), 20)
    assert test.ask(secondary, NAME, "SOA").rcode() == dns.rcode.SERVFAIL


def test_allow_query(test):
    """Who may not ask gets REFUSED, and nothing of the zone."""
    server = single(test)
    server.zones[0].extra = "allow-query { 127.0.0.1; };"
    server.start()
    test.wait_serial(server, NAME, 1)
    assert test.ask(server, f"www.{NAME}", "A").answer
    query = dns.message.make_query(f"www.{NAME}", "A")
    stranger = test.next_address()
    for send in (dns.query.udp, dns.query.tcp):
        answer = send(query, server.address, port=server.port, timeout=3, source=stranger)
        assert answer.rcode() == dns.rcode.REFUSED and not answer.answer and not answer.authority


def test_checks_have_exit_statuses(test):
    """check-conf and check-zone: 0 good, 1 bad, 2 used wrongly; the place of each mistake."""
    server = single(test)
    server.configure()
    conf, zone = server.home / "named.conf", server.zone_path(NAME)
    assert run(test, "lockstep", "check-conf", conf) == (0, "")
    assert run(test, "lockstep", "check-conf", "-z", conf)[0] == 0
    status, text = run(test, "lockstep", "check-zone", NAME, zone)
    assert status == 0 and "loaded serial 1" in text and text.endswith("OK\n"), text
    zone.write_text(simple_zone(NAME, 1, "bad A 300.1.2.3\nworse AAAA x"))
    status, text = run(test, "lockstep", "check-zone", NAME, zone)
    assert status == 1 and ":8:7: error" in text and ":9:12: error" in text, text
    assert run(test, "lockstep", "check-conf", "-z", conf)[0] == 1
    conf.write_text(conf.read_text() + "optoins { };\n")
    status, text = run(test, "lockstep", "check-conf", conf)
    assert status == 1 and "optoins" in text and "options" in text, text
    assert run(test, "lockstep", "check-conf", "/nonexistent/named.conf")[0] == 1
    assert run(test, "lockstep", "check-zone", NAME, "/nonexistent/zone")[0] == 1
    assert run(test, "lockstep", "check-zone", NAME)[0] == 2
    assert run(test, "lockstep", "check-conf", "-q")[0] == 2
    assert run(test, "lockstep", "nonsense")[0] == 2
