# SPDX-License-Identifier: BSD-3-Clause
"""Limits that partners meet: places for transfers in and out, and how long a connection may be silent."""
import json
import socket
import ssl
import subprocess
import time

import dns.edns
import dns.message
import dns.query

from harness import Zone, simple_zone

NAME = "example.com"


def limits(test, server):
    done = subprocess.run([test.build / "lockstep", "status", "-s", server.home / "lockstepd.ctl", "--json"],
                          capture_output=True, text=True, timeout=20, check=True)
    return json.loads(done.stdout)["server"]["limits"]


def test_one_place_for_all_transfers(test):
    """transfers-in 1 and two primaries with many zones: each waits for its turn, and all arrive."""
    secondary = test.lockstep("secondary", options="transfers-in 1; transfers-per-ns 1; min-retry-time 1; max-retry-time 2;")
    for p in ("one", "two"):
        primary = test.lockstep(p)
        primary.address = f"{test.net}.{1 if p == 'one' else 2}"
        for i in range(20):
            primary.add(Zone(f"z{i}.{p}", simple_zone(f"z{i}.{p}", 7), secondaries=[secondary]))
            secondary.add(Zone(f"z{i}.{p}", primaries=[primary]))
        primary.start()
    secondary.start()
    for zone in secondary.zones:
        test.wait_serial(secondary, zone.name, 7, 40)
    status = limits(test, secondary)
    assert status["transfers-in"] == {"now": 0, "max": 1, "refused": 0}, status


def test_a_primary_that_hangs_holds_one_place(test):
    """A primary that takes connections and says nothing: the zones of another one do not wait for it."""
    secondary = test.lockstep("secondary", options="transfers-in 3; max-transfer-idle-in 20s;")
    good = test.lockstep("good")
    good.address = f"{test.net}.1"

    class Hung:
        address, port = f"{test.net}.9", secondary.port
    with socket.socket() as listener:
        listener.bind((Hung.address, Hung.port))
        listener.listen(100)
        for i in range(20):
            good.add(Zone(f"z{i}.good", simple_zone(f"z{i}.good", 7), secondaries=[secondary]))
            secondary.add(Zone(f"z{i}.hung", primaries=[Hung]))
            secondary.add(Zone(f"z{i}.good", primaries=[good]))
        good.start()
        secondary.start()
        begin = time.monotonic()
        for zone in good.zones:
            test.wait_serial(secondary, zone.name, 7, 15)
        assert time.monotonic() - begin < 15


def test_how_long_silence_is_borne(test):
    """Before the first question, between two, and with the keepalive option, which is answered with our time."""
    server = test.lockstep("primary", options="tcp-initial-timeout 1s; tcp-idle-timeout 1s; tcp-keepalive-timeout 30s; "
                                              "tcp-advertised-timeout 25s;")
    server.add(Zone(NAME, simple_zone(NAME, 1))).start()
    test.wait_serial(server, NAME, 1)

    def connect():
        return socket.create_connection((server.address, server.port), timeout=8)

    def ask(sock, options=()):
        wire = dns.message.make_query(NAME, "SOA", use_edns=0, options=list(options)).to_wire()
        sock.sendall(len(wire).to_bytes(2, "big") + wire)
        reply = dns.query.receive_tcp(sock, time.time() + 8)[0]
        return [o.data for o in reply.options if o.otype == 11]
    with connect() as silent, connect() as asking, connect() as keeping:
        assert ask(asking) == []
        assert ask(keeping, [dns.edns.GenericOption(11, b"")]) == [(250).to_bytes(2, "big")]
        assert silent.recv(1) == b"", "a connection without a question stays"
        assert asking.recv(1) == b"", "an idle connection stays"
        time.sleep(1)
        assert ask(keeping) == [], "a connection with keepalive was closed"


def test_transfers_out_of_one_client_and_of_one_zone(test):
    """More than a client may have is SERVFAIL for it alone; the log and the status name the limit."""
    server = test.lockstep("primary", options="transfers-out 50; transfers-out-per-client 3; transfers-out-per-zone 5;")
    records = "\n".join(f"h{i} TXT \"{'x' * 200} {i}\"" for i in range(40000))
    server.add(Zone(NAME, simple_zone(NAME, 1, records)))
    server.configure()
    path = server.home / "named.conf"
    path.write_text(path.read_text().replace("allow-transfer { 127.0.0.1; };", "allow-transfer { 127.0.0.0/8; };"))
    server.configure = lambda: None
    server.start()
    test.wait_serial(server, NAME, 1, 60)
    wire = dns.message.make_query(NAME, "AXFR").to_wire()

    def begin(source):
        """Asks and reads no more than the first message."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.bind((source, 0))
        sock.settimeout(10)
        sock.connect((server.address, server.port))
        sock.sendall(len(wire).to_bytes(2, "big") + wire)
        head = b""
        while len(head) < 6:
            head += sock.recv(6 - len(head))
        return sock, head[5] & 15
    held = [begin(f"{test.net}.1") for _ in range(4)]
    assert [rcode for _, rcode in held] == [0, 0, 0, 2], [rcode for _, rcode in held]
    held += [begin(f"{test.net}.2") for _ in range(3)]
    assert [rcode for _, rcode in held[4:]] == [0, 0, 2], [rcode for _, rcode in held]
    for limit in ("transfers-out-per-client", "transfers-out-per-zone"):
        test.wait_for(f"the word about {limit}", lambda limit=limit: f"{limit} is reached" in server.log(), 10)
    status = limits(test, server)
    assert status["transfers-out"] == {"now": 5, "max": 50, "refused": 2}, status
    assert status["transfers-out-per-client"] == {"now": 3, "max": 3, "network": f"{test.net}.1/32"}, status
    for sock, _ in held:
        sock.close()
    test.wait_for("the places to be free again", lambda: limits(test, server)["transfers-out"]["now"] == 0, 20)
    assert len(test.transfer(server, NAME)) > 40000


def test_idle_ones_of_all_workers_make_room(test):
    """The kernel deals connections out to the workers: a newcomer finds room also where it was not put."""
    for options, over_tls in (("tcp-clients 1;", False), ("tcp-clients-per-prefix 1;", False), ("tcp-clients-per-prefix 1;", True)):
        ours = test.lockstep(f"o{test.next_port()}", options=options)
        command = ours.command
        ours.command = lambda command=command: [*command(), "-n", "4"]
        if over_tls:
            ours.listen_tls("ephemeral", "")
        ours.add(Zone(NAME, simple_zone(NAME, 1))).start()
        query = dns.message.make_query(NAME, "SOA")
        kept = []
        for number in range(24):
            sock = socket.create_connection((ours.address, ours.tls_port if over_tls else ours.port), 5)
            if over_tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                sock = context.wrap_socket(sock)
            sock.settimeout(5)
            dns.query.send_tcp(sock, query)
            answer, _ = dns.query.receive_tcp(sock, time.time() + 5)
            assert answer.rcode() == 0, number
            kept.append(sock)
        status = limits(test, ours)
        assert status["tcp-clients"]["now"] == 1 and status["tcp-clients"]["refused"] == 0, status
        assert status["tcp_evicted"] == 23, status
        for sock in kept:
            sock.close()
        ours.stop()
