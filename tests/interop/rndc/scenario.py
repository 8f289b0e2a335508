# SPDX-License-Identifier: BSD-3-Clause
"""BIND's own rndc asks Lockstep; files and log lines that named writes are written alike."""
import re
import signal
import socket
import struct
import subprocess
import time

import dns.message
import dns.query
import dns.tsigkeyring

from harness import Zone, simple_zone

NAME = "example.com"
SECRET = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
KEY = f'key "rndc-key" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n'


def with_channel(test, server, extra="", keys="rndc-key;", allow="127.0.0.1;"):
    """Adds a control channel on a port of its own; for Lockstep and for BIND."""
    server.control_port = test.next_port()
    server.tls_blocks += KEY + f"controls {{ inet 127.0.0.1 port {server.control_port} allow {{ {allow} }} keys {{ {keys} }} {extra}; }};\n"
    return server


def rndc(server, *words, algorithm="hmac-sha256", secret=SECRET, status=0):
    conf = server.home / "rndc.conf"
    conf.write_text(f'key "rndc-key" {{ algorithm {algorithm}; secret "{secret}"; }};\noptions {{ default-key "rndc-key"; }};\n')
    done = subprocess.run(["rndc", "-c", conf, "-s", "127.0.0.1", "-p", str(server.control_port), *words],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == status, f"rndc {words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def with_bind(test, server):
    server.configure_before = server.configure

    def configure():
        server.configure_before()
        path = server.home / "named.conf"
        path.write_text(path.read_text().replace("controls { };\n", ""))
    server.configure = configure
    return server


def pair(test, options="", extra=""):
    primary, secondary = with_channel(test, test.lockstep("primary", options)), with_channel(test, test.lockstep("secondary"))
    primary.add(Zone(NAME, simple_zone(NAME, 1, "www A 192.0.2.80"), secondaries=[secondary], extra=extra))
    secondary.add(Zone(NAME, primaries=[primary]))
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 1)
    return primary, secondary


def test_what_operators_type(test):
    """D7: reload, refresh, retransfer, notify, status, zonestatus, reconfig, freeze, thaw, sync, stop."""
    primary, secondary = pair(test)
    text = rndc(primary, "status")
    assert "number of zones: 1 (0 automatic)\n" in text and text.endswith("server is up and running\n"), text
    primary.write_zone(NAME, simple_zone(NAME, 2, "www A 192.0.2.81"))
    assert rndc(primary, "reload", NAME) == "zone reload successful\n"
    assert test.serial(primary, NAME) == 2
    assert rndc(primary, "reload", NAME, "in", "_default") == "zone reload up-to-date\n"
    test.wait_serial(secondary, NAME, 2)
    primary.write_zone(NAME, simple_zone(NAME, 3))
    assert rndc(primary, "reconfig") == ""
    assert test.serial(primary, NAME) == 2, "reconfig reads new zones only"
    assert rndc(primary, "freeze", NAME).startswith("nothing to freeze")
    assert rndc(primary, "thaw", NAME) == "The zone reload and thaw was successful.\n"
    assert test.serial(primary, NAME) == 3
    primary.write_zone(NAME, simple_zone(NAME, 4))
    assert rndc(primary, "reload") == "server reload successful\n"
    assert rndc(primary, "notify", NAME) == "zone notify queued\n"
    test.wait_serial(secondary, NAME, 4)
    assert rndc(secondary, "refresh", NAME) == "zone refresh queued\n"
    assert rndc(secondary, "reload", NAME) == "zone refresh queued\n"
    assert rndc(secondary, "retransfer", NAME) == ""
    test.wait_for("the retransfer", lambda: secondary.log().count("Transfer completed") >= 4)
    text = rndc(secondary, "zonestatus", NAME)
    for line in (f"name: {NAME}\n", "type: secondary\n", "serial: 4\n", "dynamic: no\n"):
        assert line in text, text
    assert re.search(r"expires: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\n", text), text
    assert rndc(primary, "sync", "-clean") == "" and rndc(primary, "sync", NAME) == ""
    primary.zones.append(Zone("fresh.example", simple_zone("fresh.example", 7)))
    primary.write_zone("fresh.example", simple_zone("fresh.example", 7))
    primary.configure()
    assert rndc(primary, "reconfig") == "" and test.serial(primary, "fresh.example") == 7
    assert re.fullmatch(r"pid: \d+\n", rndc(primary, "stop", "-p"))
    primary.process.wait(20)


def test_what_fails_says_why(test):
    """The sentences of named, and ours behind them."""
    primary, _ = pair(test)
    for words, sentence in (
            (["nonsense"], "rndc: 'nonsense' failed: unknown command\n"),
            (["refresh"], "rndc: 'refresh' failed: unexpected end of input\n"),
            (["reload", "none.example"], "rndc: 'reload' failed: not found\nno matching zone 'none.example' in any view\n"),
            (["querylog", "perhaps"], "rndc: 'querylog' failed: syntax error\n"),
            (["refresh", NAME], "rndc: 'refresh' failed: failure\nexample.com is a primary zone here"),
            (["flush"], "rndc: 'flush' failed: failure\nLockstep answers for its own zones only")):
        assert rndc(primary, *words, status=1).startswith(sentence), words
    primary.write_zone(NAME, "@ SOA broken\n")
    assert "loading" in rndc(primary, "reload", NAME, status=1) or "zone" in rndc(primary, "reload", NAME, status=1)
    assert test.serial(primary, NAME) == 1
    path = primary.home / "named.conf"
    path.write_text(path.read_text() + "nonsense;\n")
    assert "the configuration is kept as it was" in rndc(primary, "reconfig", status=1)


def test_who_may(test):
    """Keys of every algorithm; a wrong secret, another address, an older message are hung up on; read-only."""
    ours = with_channel(test, test.lockstep("ours"), keys='rndc-key; "weak"; "long";')
    weak = 'key "weak" { algorithm hmac-md5; secret "d2Vhaw=="; };\n'
    ours.tls_blocks = weak + 'key "long" { algorithm hmac-sha512; secret "bG9uZ2xvbmdsb25n"; };\n' + ours.tls_blocks
    ours.options = "allow-weak-tsig yes;"
    only = with_channel(test, test.lockstep("only"), extra="read-only yes")
    far = with_channel(test, test.lockstep("far"), allow="192.0.2.1;")
    for server in (ours, only, far):
        server.add(Zone(NAME, simple_zone(NAME, 1))).start()
    assert "up and running" in rndc(ours, "status", algorithm="hmac-md5", secret="d2Vhaw==")
    assert "up and running" in rndc(ours, "status", algorithm="hmac-sha512", secret="bG9uZ2xvbmdsb25n")
    assert "connection to remote host closed" in rndc(ours, "status", secret="d3Jvbmc=", status=1)
    assert "connection to remote host closed" in rndc(ours, "status", algorithm="hmac-sha384", status=1)
    assert "bad auth" in ours.log()
    assert "up and running" in rndc(only, "status") and "serial: 1" in rndc(only, "zonestatus", NAME)
    assert "permission denied" in rndc(only, "reload", status=1) and "permission denied" in rndc(only, "stop", status=1)
    rndc(far, "status", status=1)
    test.wait_for("the log", lambda: "its address is not one of `allow`" in far.log())
    # Who hears a message cannot use it a second time, and nonsense does nobody harm.
    heard = overhear(ours, "querylog")
    test.wait_for("the log", lambda: ours.log().count("query logging is now") == 1)
    for replay in (heard, heard[1:], [b"\0\0\0\4\0\0\0\1"], [b"\xff\xff\xff\xff"], [b"GET / HTTP/1.0\r\n\r\n"]):
        with socket.create_connection(("127.0.0.1", ours.control_port), timeout=5) as sock:
            for message in replay:
                sock.sendall(message)
                try:
                    if not sock.recv(65536):
                        break
                except ConnectionResetError:
                    break
    test.wait_for("the log", lambda: "not made for this connection" in ours.log() and "too long" in ours.log())
    assert ours.log().count("query logging is now") == 1, ours.log()
    assert "up and running" in rndc(ours, "status")


def overhear(server, *words):
    """What rndc sends, message by message, while it is passed on."""
    messages = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        conf = server.home / "rndc.conf"
        conf.write_text(f'key "rndc-key" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\noptions {{ default-key "rndc-key"; }};\n')
        with subprocess.Popen(["rndc", "-c", conf, "-s", "127.0.0.1", "-p", str(listener.getsockname()[1]), *words]) as process:
            client, _ = listener.accept()
            with client, socket.create_connection(("127.0.0.1", server.control_port), timeout=10) as onward:
                client.settimeout(10)
                for _ in range(2):
                    messages.append(one_message(client))
                    onward.sendall(messages[-1])
                    client.sendall(one_message(onward))
            assert process.wait(20) == 0
    return messages


def one_message(sock):
    data = b""
    while len(data) < 4 or len(data) < 4 + struct.unpack(">I", data[:4])[0]:
        piece = sock.recv(65536)
        assert piece, "closed"
        data += piece
    return data


def ask_all_ways(server):
    """Questions of every kind that the log tells apart."""
    ring = dns.tsigkeyring.from_text({"rndc-key": SECRET})
    where = {"where": server.address, "port": server.port, "timeout": 5}
    plain = dns.message.make_query(f"www.{NAME}", "A")
    plain.flags = 0
    dns.query.udp(plain, **where)
    dns.query.udp(dns.message.make_query(f"www.{NAME}", "AAAA", use_edns=0, want_dnssec=True), **where)
    dns.query.tcp(dns.message.make_query(NAME, "SOA"), **where)
    signed = dns.message.make_query(NAME, "NS")
    signed.use_tsig(ring, "rndc-key", algorithm="hmac-sha256")
    dns.query.udp(signed, **where)
    for words in ([f"@{server.address}", "-p", str(server.port), "+cd", "+noall", "a\\032b." + NAME, "TYPE65399"],
                  [f"@{server.address}", "-p", str(server.port), "+noall", "+subnet=203.0.113.9/24", ".", "SOA"],
                  [f"@{server.address}", "-p", str(server.port), "+noall", NAME, "AXFR"]):
        subprocess.run(["dig", *words], capture_output=True, timeout=20, check=False)


def query_lines(server):
    """What stands in the log of questions, without what must differ."""
    lines = [re.sub(r"^client @0x[0-9a-f]+ ([0-9a-f.:]+)#\d+", r"client \1#N", line)
             for line in (server.home / "queries").read_text().splitlines()]
    return [re.sub(r"client 127\.0\.0\.\d+#", "client A#", line) for line in lines]


def test_query_log_is_that_of_bind(test):
    """The same questions to Lockstep and to named: the same lines. Switched by rndc, off it is silent."""
    options = "querylog yes;"
    log = 'logging {{ channel q {{ file "{0}"; }}; category queries {{ q; }}; }};\n'
    found = []
    for server in (with_channel(test, test.lockstep("ours", options)),
                   with_bind(test, with_channel(test, test.peer("bind", "bind", options)))):
        server.tls_blocks += log.format(server.home / "queries")
        server.add(Zone(NAME, simple_zone(NAME, 1, "www A 192.0.2.80"), allow="allow-transfer { none; };"))
        if server.kind == "lockstep":
            server.command = lambda server=server: [test.build / "lockstepd", "-f", "-c", server.home / "named.conf"]
        else:
            server.command = lambda server=server: ["named", "-f", "-c", server.home / "named.conf"]
        server.start()
        test.wait_serial(server, NAME, 1)
        test.wait_for("the first lines", lambda server=server: (server.home / "queries").read_text() != "")
        test.ask(server, "mark.example", "A")
        test.wait_for("the mark", lambda server=server: any("mark.example" in line for line in query_lines(server)))
        before = len(query_lines(server))
        ask_all_ways(server)
        test.wait_for("all lines", lambda server=server, before=before: len(query_lines(server)) >= before + 7)
        assert "query logging is ON" in rndc(server, "status")
        rndc(server, "querylog", "off")
        assert "query logging is OFF" in rndc(server, "status")
        count = len(query_lines(server))
        ask_all_ways(server)
        time.sleep(0.3)
        assert len(query_lines(server)) == count, "it goes on while it is off"
        rndc(server, "querylog")
        assert test.serial(server, NAME) == 1
        test.wait_for("a line again", lambda server=server, count=count: len(query_lines(server)) == count + 1)
        found.append(query_lines(server)[before:before + 7])
    assert sorted(found[0]) == sorted(found[1]), "\n".join(["ours:", *found[0], "named:", *found[1]])
    for mark in ("A - (", "E(0)D", "SOA +T (", "NS +S (", "E(0)CK", "[ECS 203.0.113.0/24/0]", "AXFR -E(0)TK ("):
        assert any(mark in line for line in found[0]), (mark, found[0])


def test_query_log_follows_the_configuration(test):
    """Without querylog a `category queries` switches it on; a reload follows what changed, and only that."""
    ours = with_channel(test, test.lockstep("ours", "querylog no;")).add(Zone(NAME, simple_zone(NAME, 1)))
    ours.start()
    assert "query logging is OFF" in rndc(ours, "status")
    rndc(ours, "querylog", "on")
    rndc(ours, "reload")
    assert "query logging is ON" in rndc(ours, "status"), "a reload that changes nothing switched it"
    path = ours.home / "named.conf"
    text = path.read_text()
    path.write_text(text.replace("querylog no;", "querylog yes;"))
    rndc(ours, "reload")
    path.write_text(text)
    rndc(ours, "reload")
    assert "query logging is OFF" in rndc(ours, "status")
    path.write_text(text.replace("querylog no;", "") + "logging { category queries { default_stderr; }; };\n")
    rndc(ours, "reload")
    assert "query logging is ON" in rndc(ours, "status")


def test_statistics_and_dump_are_files_as_named_writes_them(test):
    """The same counts under the same words; the dump loads as zones."""
    found = []
    for server in (with_channel(test, test.lockstep("ours", "zone-statistics full;")),
                   with_bind(test, with_channel(test, test.peer("bind", "bind", "zone-statistics full;")))):
        server.options += f' statistics-file "{server.home}/stats.txt"; dump-file "{server.home}/dump.txt";'
        server.add(Zone(NAME, simple_zone(NAME, 3, "www A 192.0.2.80\nwww TXT \"a;b\"")))
        server.add(Zone("other.example", simple_zone("other.example", 5)))
        server.start()
        test.wait_serial(server, NAME, 3)
        test.wait_serial(server, "other.example", 5)
        rndc(server, "stats")
        for _ in range(5):
            test.ask(server, f"none.{NAME}", "MX")
        rndc(server, "stats")
        blocks = (server.home / "stats.txt").read_text().split("+++ Statistics Dump +++")
        assert len(blocks) == 3 and blocks[0] == "", "two blocks, one behind the other"
        found.append({line.strip() for line in blocks[2].splitlines() if re.search(r" (MX|NXDOMAIN|queries resulted in NXDOMAIN)$", line)})
        assert re.fullmatch(r" \(\d+\)\n.*--- Statistics Dump --- \(\d+\)\n", blocks[2], re.S), blocks[2]
        rndc(server, "dumpdb", "-zones")
        test.wait_for("the dump", lambda server=server: "; Dump complete" in ((server.home / "dump.txt").read_text()
                                                                            if (server.home / "dump.txt").exists() else ""))
        text = (server.home / "dump.txt").read_text()
        assert f"; Zone dump of '{NAME}/IN'\n" in text and "; Zone dump of 'other.example/IN'\n" in text, text
        found[-1] |= {" ".join(line.split()) for line in text.splitlines() if line and line[0] not in ";$"}
    assert found[0] == found[1], found
    assert "5 MX" in found[0] and f"www.{NAME}. 3600 IN A 192.0.2.80" in {re.sub(r" \d+ IN", " 3600 IN", line) for line in found[0]}


def test_files_that_cannot_be_written(test):
    """The error says which file and why; nothing is followed."""
    ours = with_channel(test, test.lockstep("ours", 'statistics-file "no/stats"; dump-file "link";'))
    ours.add(Zone(NAME, simple_zone(NAME, 1))).start()
    assert "no/stats" in rndc(ours, "stats", status=1)
    victim = ours.home / "victim"
    victim.write_text("mine")
    (ours.home / "link").symlink_to(victim)
    (ours.home / "link.new").symlink_to(victim)
    rndc(ours, "dumpdb", "-zones")
    assert victim.read_text() == "mine" and "Dump complete" in (ours.home / "link").read_text()


def test_the_same_by_our_own_tool(test):
    """lockstep querylog, stats, dumpdb, reconfig; rndc where the channel stands on every address."""
    ours = test.lockstep("ours").add(Zone(NAME, simple_zone(NAME, 1)))
    ours.control_port = test.next_port()
    ours.tls_blocks = KEY + f"controls {{ inet * port {ours.control_port} keys {{ rndc-key; }}; unix \"lockstepd.ctl\" perm 0600 owner 0 group 0; }};\n"
    ours.start()

    def tool(*words, status=0):
        done = subprocess.run([test.build / "lockstep", words[0], "-s", ours.home / "lockstepd.ctl", *words[1:]],
                              capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == status, (words, done.stdout, done.stderr)
        return done.stdout
    assert tool("querylog", "on") == "query logging is now on\n" and tool("querylog") == "query logging is now off\n"
    assert "usage" not in tool("querylog", "off") and tool("querylog", "perhaps", status=2) == ""
    assert tool("stats") == f"written: {ours.home}/named.stats\n"
    assert tool("dumpdb") == f"written: {ours.home}/named_dump.db\n"
    assert "--- Statistics Dump ---" in (ours.home / "named.stats").read_text()
    assert tool("reconfig").startswith("reloaded: 1 zone")
    assert "query logging is OFF" in rndc(ours, "status")
    with socket.create_connection(("127.0.0.1", ours.control_port), timeout=5) as sock:
        messages = overhear(ours, "status")
        sock.sendall(messages[0])
        assert one_message(sock)
        sock.settimeout(2)
        try:  # who sends and does not read is not read from for ever
            for _ in range(40):
                sock.sendall(messages[0] * 2000)
        except (socket.timeout, ConnectionError):
            pass
    assert "up and running" in rndc(ours, "status")


def test_zones_come_and_go(test):
    """addzone, modzone, showzone, delzone: at once, and over a kill; what is wrong leaves nothing behind."""
    ours = with_channel(test, test.lockstep("ours", "allow-new-zones yes;"))
    ours.add(Zone(NAME, simple_zone(NAME, 1))).start()
    for label, serial in (("one", 5), ("two", 6)):
        (ours.home / f"{label}.zone").write_text(simple_zone("one.example", serial))
    statements = '{ type primary; file "one.zone"; notify no; };'
    stored = ours.home / "_default.nzf"
    assert rndc(ours, "addzone", "one.example", statements) == ""
    assert test.serial(ours, "one.example") == 5 and test.serial(ours, NAME) == 1
    assert rndc(ours, "showzone", "one.example") == f'zone "one.example" {statements}\n'
    assert "reconfigurable via modzone: yes" in rndc(ours, "zonestatus", "one.example")
    assert "reconfigurable via modzone: no" in rndc(ours, "zonestatus", NAME)
    before = stored.read_text()
    for zone, text, why in (("one.example", statements, "already exists"),
                            (NAME, statements, "already exists"),
                            ("bad.example", "{ type primarx; };", "primarx"),
                            ("bad.example", '{ type primary; file "absent.zone"; };', "was not added: file not found"),
                            ("bad.example", '{ type primary; file "one.zone"; }; zone "x.example" { type primary; };', "one pair of braces"),
                            ("bad.example", "{ type primary; /* } */ };", "without comments"),
                            ("bad.example", "{ type primary;", "one pair of braces")):
        assert why in rndc(ours, "addzone", zone, text, status=1), (zone, text)
        assert stored.read_text() == before and not (ours.home / "_default.nzf.new").exists()
        assert test.ask(ours, "bad.example", "SOA").rcode() == 5  # REFUSED
    assert "stands in the configuration" in rndc(ours, "modzone", NAME, statements, status=1)
    assert "stands in the configuration" in rndc(ours, "delzone", NAME, status=1)
    assert "no matching zone" in rndc(ours, "delzone", "bad.example", status=1)
    assert rndc(ours, "modzone", "one.example", statements.replace("one.zone", "two.zone")) == "zone 'one.example' reconfigured.\n"
    assert test.serial(ours, "one.example") == 6
    absent = statements.replace("one.zone", "absent.zone")
    assert "its file is not served" in rndc(ours, "modzone", "one.example", absent, status=1)
    rndc(ours, "modzone", "one.example", statements.replace("one.zone", "two.zone"))
    ours.stop(signal.SIGKILL)
    ours.start()
    test.wait_serial(ours, "one.example", 6)
    assert "no longer served" in rndc(ours, "delzone", "one.example")
    assert test.ask(ours, "one.example", "SOA").rcode() == 5 and stored.read_text() == ""
    shut = with_channel(test, test.lockstep("shut")).add(Zone(NAME, simple_zone(NAME, 1)))
    shut.start()
    assert "permission denied" in rndc(shut, "addzone", "one.example", statements, status=1)
