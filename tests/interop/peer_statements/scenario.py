# SPDX-License-Identifier: BSD-3-Clause
"""Statements that say how we deal with others: server, try-tcp-refresh, notify-delay, notify-to-soa, rates."""
import socket
import struct
import subprocess
import threading
import time

import dns.edns
import dns.message
import dns.opcode
import dns.query
import dns.rdatatype
import dns.rrset

from harness import Zone, simple_zone
from scripted import ScriptedServer

NAME = "example.com"


class Listener(ScriptedServer):
    """A name server that answers nothing, or NOTIFY alone, and keeps what it was asked, with the time."""

    patience = 2

    def __init__(self, test, answers_notify=False):
        super().__init__(test, "listener")
        self.answers_notify = answers_notify
        self.udp_seen, self.tcp_seen = [], []
        self.begin()

    def datagram(self, data):
        message = dns.message.from_wire(data)
        self.udp_seen.append((time.monotonic(), message))
        answers = self.answers_notify and message.opcode() == dns.opcode.NOTIFY
        return dns.message.make_response(message).to_wire() if answers else None

    def connection(self, sock):
        size = sock.recv(2)
        if len(size) == 2:
            self.tcp_seen.append((time.monotonic(), dns.message.from_wire(sock.recv(struct.unpack("!H", size)[0]))))


def secondary_with_copy(test, options="", server="", suffix=""):
    """A secondary that has a copy and asks a listener that says nothing whether it is the newest."""
    primary, ours = test.lockstep(f"p{suffix}"), test.lockstep(f"o{suffix}")
    primary.add(Zone(NAME, simple_zone(NAME, 1))).start()
    ours.add(Zone(NAME, primaries=[primary])).start()
    test.wait_serial(ours, NAME, 1)
    ours.stop()
    listener = Listener(test)
    ours.zone(NAME).primaries = [listener]
    ours.options = options
    configure = ours.configure

    def with_server():
        configure()
        with open(ours.home / "named.conf", "a") as conf:
            conf.write(f"server 127.0.0.1 {{ {server} }};\n" if server else "")
    ours.configure = with_server
    ours.start()
    test.wait_serial(ours, NAME, 1)
    return ours, listener


def refresh(test, ours, *names):
    """Makes it ask now."""
    for name in names or (NAME,):
        subprocess.run([test.build / "lockstep", "refresh", "-s", ours.home / "lockstepd.ctl", name], check=True,
                       stdout=subprocess.DEVNULL, timeout=20)


def test_tcp_only_and_sizes(test):
    for number, (server, check) in enumerate((
            ("tcp-only yes;", lambda l: l.tcp_seen and not l.udp_seen),
            ("edns no;", lambda l: l.udp_seen and all(m.edns == -1 for _, m in l.udp_seen)),
            ("edns-udp-size 700;", lambda l: l.udp_seen and l.udp_seen[0][1].payload == 700))):
        ours, listener = secondary_with_copy(test, server=server, suffix=number)
        try:
            refresh(test, ours)
            test.wait_for(server, lambda: check(listener), 15)  # noqa: B023
            assert check(listener)
        finally:
            listener.end()
        ours.stop()


def test_bogus_primary_is_not_asked(test):
    ours, listener = secondary_with_copy(test, server="bogus yes;")
    try:
        test.wait_for("it says so", lambda: "not refreshed: each of its primaries is `bogus yes`" in ours.log(), 10)
        time.sleep(2)
        assert not listener.udp_seen and not listener.tcp_seen
        assert test.serial(ours, NAME) == 1
    finally:
        listener.end()


def test_without_try_tcp_refresh_udp_alone_is_used(test):
    ours, listener = secondary_with_copy(test, options="try-tcp-refresh no;")
    try:
        refresh(test, ours)
        test.wait_for("it gives up", lambda: "refresh: failure trying primary" in ours.log(), 30)
        assert listener.udp_seen and not listener.tcp_seen
    finally:
        listener.end()


def test_serial_query_rate(test):
    names = [f"z{i}.test" for i in range(12)]
    listener = Listener(test)
    ours = test.lockstep(options="serial-query-rate 4;")
    primary = test.lockstep("primary")
    for name in names:
        primary.add(Zone(name, simple_zone(name, 1)))
        ours.add(Zone(name, primaries=[primary]))
    primary.start(), ours.start()
    for name in names:
        test.wait_serial(ours, name, 1)
    ours.stop()
    for zone in ours.zones:
        zone.primaries = [listener]
    try:
        ours.start()
        for name in names:
            test.wait_serial(ours, name, 1)
        refresh(test, ours, *names)
        test.wait_for("each zone's query", lambda: len({str(m.question[0].name) for _, m in listener.udp_seen}) == 12,
                      60)
        times = [t for t, _ in listener.udp_seen]
        assert all(len([t for t in times if begin <= t < begin + 1]) <= 7 for begin in times), times
    finally:
        listener.end()


def test_notify_delay_and_rate(test):
    listener = Listener(test, answers_notify=True)
    try:
        ours = test.lockstep(options="notify-delay 2;")
        ours.add(Zone(NAME, simple_zone(NAME, 1), secondaries=[listener])).start()
        test.wait_for("the first NOTIFY", lambda: listener.udp_seen, 15)
        for serial in (2, 3):
            begin = time.monotonic()
            ours.write_zone(NAME, simple_zone(NAME, serial))
            ours.reload()
            test.wait_serial(ours, NAME, serial)
        test.wait_for("the second NOTIFY", lambda: len(listener.udp_seen) == 2, 15)
        at, message = listener.udp_seen[1]
        assert at - begin > 1.0, "it came without delay"
        assert message.answer[0][0].serial == 3, "two versions within the delay are told of once"
    finally:
        listener.end()


def test_notify_to_soa(test):
    for option, expected in (("no", 1), ("yes", 2)):
        ours = test.lockstep(f"ours-{option}", options=f"notify-to-soa {option};")
        text = (f"$ORIGIN {NAME}.\n$TTL 300\n@ SOA ns1 admin 1 3600 900 1209600 300\n@ NS ns1\n@ NS ns2\n"
                "ns1 A 127.77.1.1\nns2 A 127.77.1.2\n")
        ours.add(Zone(NAME, text))
        configure = ours.configure
        ours.configure = lambda c=configure, o=ours: (c(), (o.home / "named.conf").write_text(
            (o.home / "named.conf").read_text().replace("notify no;", "notify yes;")))
        ours.start()
        test.wait_serial(ours, NAME, 1)
        test.wait_for(f"targets with notify-to-soa {option}",
                      lambda: "sending notifies" in ours.log(), 10)
        line = next(line for line in ours.log().splitlines() if "sending notifies" in line)
        assert f"targets={expected}" in line, line
        ours.stop()


def test_allow_query_on_and_listen_queue(test):
    ours = test.lockstep(options=f"listen-on port {test.next_port()} {{ 127.7.7.7; }};\nallow-query-on {{ 127.0.0.1; }};\n"
                                 "tcp-listen-queue 33;")
    other = ours.options.split("port ")[1].split(" ")[0]
    ours.add(Zone(NAME, simple_zone(NAME, 1))).start()
    test.wait_serial(ours, NAME, 1)
    for tcp in (False, True):
        there = type("There", (), {"address": "127.7.7.7", "port": int(other)})
        assert test.ask(there, NAME, "SOA", tcp=tcp).rcode() == 5
        assert test.ask(ours, NAME, "SOA", tcp=tcp).rcode() == 0
    queues = subprocess.run(["ss", "-Hltn", f"sport = :{ours.port}"], capture_output=True, text=True, timeout=10,
                            check=True).stdout
    assert queues.split()[2] == "33", queues


def test_transfers_of_a_server(test):
    """`transfers 1`: one at a time from that primary, and all of them arrive."""
    names = [f"z{i}.test" for i in range(30)]
    primary, ours = test.lockstep("primary"), test.lockstep("ours")
    for name in names:
        primary.add(Zone(name, simple_zone(name, 1)))
        ours.add(Zone(name, primaries=[primary]))
    configure = ours.configure

    def with_server():
        configure()
        with open(ours.home / "named.conf", "a") as conf:
            conf.write("server 127.0.0.1 { transfers 1; };\n")
    ours.configure = with_server
    primary.start(), ours.start()
    for name in names:
        test.wait_serial(ours, name, 1)


def slow_reader(ours, pause, until):
    """Asks for a large zone and reads 4 octets every `pause` seconds; how long it lasted."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect((ours.address, ours.port))
        query = dns.message.make_query(NAME, "AXFR").to_wire()
        sock.sendall(struct.pack("!H", len(query)) + query)
        begin = time.monotonic()
        while time.monotonic() - begin < until:
            time.sleep(pause)
            try:
                if pause < 1 and not sock.recv(60000):
                    break
                sock.sendall(b"")
            except OSError:
                break
    return time.monotonic() - begin


def test_transfers_that_are_not_read_end(test):
    """max-transfer-idle-out where nothing is read, max-transfer-time-out where little is."""
    text = simple_zone(NAME, 1, "".join(f"h{i} TXT \"{i:0200}\"\n" for i in range(60000)))
    for number, (option, pause, said) in enumerate((
            ("max-transfer-idle-out 2s; max-transfer-time-out 5;", 1.0, "the peer takes none of what waits for it"),
            ("max-transfer-idle-out 5; max-transfer-time-out 3s;", 0.2, "it takes longer than max-transfer-time-out"))):
        ours = test.lockstep(f"o{number}", options=option)
        ours.add(Zone(NAME, text)).start()
        test.wait_serial(ours, NAME, 1, 60)
        thread = threading.Thread(target=slow_reader, args=(ours, pause, 25), daemon=True)
        thread.start()
        test.wait_for(said, lambda o=ours, s=said: s in o.log(), 30)
        assert test.ask(ours, NAME, "SOA").rcode() == 0
        thread.join(30)
        ours.stop()


def notify(server, serial):
    """Says that there is a newer version, so that the transfer is asked for at once."""
    message = dns.message.make_query(NAME, "SOA")
    message.set_opcode(dns.opcode.NOTIFY)
    message.flags |= dns.flags.AA
    message.answer.append(dns.rrset.from_text(NAME + ".", 60, "IN", "SOA", f"ns1. admin. {serial} 1 1 1000 1"))
    dns.query.udp(message, server.address, port=server.port, timeout=5)


def test_what_requests_ask_for(test):
    """EXPIRE (RFC 7314) unless request-expire says no; tcp-keepalive (RFC 7828) where it says yes."""
    keepalive, expire = dns.edns.OptionType(11), dns.edns.OptionType(9)
    for number, (server, options, by_udp, by_tcp) in enumerate((
            ("", "", {expire}, {expire}),
            ("request-expire no; tcp-keepalive yes;", "", set(), {keepalive}),
            ("request-expire yes;", "request-expire no;", {expire}, {expire}))):
        for start, seen, asked in ((lambda o: refresh(test, o), "udp_seen", by_udp),
                                   (lambda o: notify(o, 2), "tcp_seen", by_tcp)):
            ours, listener = secondary_with_copy(test, options=options, server=server, suffix=f"{number}{seen[0]}")
            try:
                start(ours)
                test.wait_for("it asks", lambda: getattr(listener, seen), 15)  # noqa: B023
                message = getattr(listener, seen)[0][1]
                assert {o.otype for o in message.options} & {keepalive, expire} == asked, message
            finally:
                listener.end()
            ours.stop()


def test_connection_is_kept_as_told(test):
    primary, ours = test.lockstep("primary", "tcp-advertised-timeout 10; tcp-keepalive-timeout 600;"), test.lockstep()
    primary.add(Zone(NAME, simple_zone(NAME, 1))).start()
    ours.add(Zone(NAME, primaries=[primary]))
    configure = ours.configure

    def with_server():
        configure()
        with open(ours.home / "named.conf", "a") as conf:
            conf.write("server 127.0.0.1 { tcp-keepalive yes; };\n")
    ours.configure = with_server
    ours.start()
    test.wait_serial(ours, NAME, 1)

    def connections():
        out = subprocess.run(["ss", "-tnH", "state", "established", f"dport = :{primary.port}"], capture_output=True,
                             text=True, check=True).stdout
        return out.count("\n")
    # One second is what it says, and a minute what we would keep it for by ourselves.
    test.wait_for("the connection is closed by us", lambda: connections() == 0, 10)


def test_messages_of_transfers_end_at_transfer_message_size(test):
    long = " ".join(f'"{i:0200d}"' for i in range(10))
    ours = test.lockstep(options="transfer-message-size 600;")
    ours.add(Zone(NAME, simple_zone(NAME, 1, "".join(f"h{i} A 192.0.2.{i % 250}\n" for i in range(300)) + f"long TXT {long}\n")))
    ours.start()
    test.wait_serial(ours, NAME, 1)
    sizes = []
    with socket.create_connection((ours.address, ours.port), 5) as s:
        wire = dns.message.make_query(NAME, "AXFR").to_wire()
        s.sendall(struct.pack("!H", len(wire)) + wire)
        stream, soas = s.makefile("rb"), 0
        while soas < 2:
            size = struct.unpack("!H", stream.read(2))[0]
            message = dns.message.from_wire(stream.read(size), xfr=True, one_rr_per_rrset=True)
            sizes.append((size, len(message.answer)))
            soas += sum(r.rdtype == dns.rdatatype.SOA for r in message.answer)
    # A record that alone is larger goes alone.
    assert [records for size, records in sizes if size > 600] == [1], sizes
    assert max(size for size, records in sizes if records > 1) > 500, sizes
    assert len(test.transfer(ours, NAME)) > 300


def test_files_are_written_in_the_style_that_is_asked_for(test):
    primary = test.lockstep("primary")
    primary.add(Zone(NAME, simple_zone(NAME, 1, "www A 192.0.2.1\nwww A 192.0.2.2\n"))).start()
    for style, wanted in (("full", {f"www.{NAME}.\t": 2, "$ORIGIN": 0}), ("relative", {"\nwww\t": 1, "$ORIGIN": 1})):
        ours = test.lockstep(style, f"masterfile-style {style};")
        ours.add(Zone(NAME, primaries=[primary])).start()
        test.wait_serial(ours, NAME, 1)
        path = ours.zone_path(NAME)
        test.wait_for("the copy", path.exists, 10)
        text = path.read_text()
        assert {word: text.count(word) for word in wanted} == wanted, text
        # It is read again at the next start.
        ours.stop()
        subprocess.run([test.build / "lockstep", "check-zone", NAME, path], check=True, stdout=subprocess.DEVNULL, timeout=60)


def test_multi_primary(test):
    """A primary that is behind is told of, unless this is expected."""
    for number, (options, told) in enumerate((("multi-primary yes;", False), ("", True))):
        primary, ours = test.lockstep(f"p{number}"), test.lockstep(f"o{number}", options)
        primary.add(Zone(NAME, simple_zone(NAME, 7))).start()
        ours.add(Zone(NAME, primaries=[primary])).start()
        test.wait_serial(ours, NAME, 7)
        primary.stop()
        subprocess.run(["rm", "-r", primary.home / "store"], check=True)
        primary.write_zone(NAME, simple_zone(NAME, 5))
        primary.start()
        test.wait_serial(primary, NAME, 5)
        refresh(test, ours)
        status = lambda: subprocess.run([test.build / "lockstep", "status", "-s", ours.home / "lockstepd.ctl", NAME, "--json"],  # noqa: B023,E731
                                        capture_output=True, text=True, timeout=20, check=True).stdout
        test.wait_for("it has asked", lambda: '"ahead"' in status(), 15)  # noqa: B023
        assert ("primary is behind" in ours.log()) == told, ours.log()[-2000:]
        assert test.serial(ours, NAME) == 7
        ours.stop()
