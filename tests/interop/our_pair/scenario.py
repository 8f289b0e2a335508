# SPDX-License-Identifier: BSD-3-Clause
"""Two of ours: the main job, and what must not disturb it."""
import os
import signal
import socket
import struct
import subprocess
import threading
import time

import dns.exception
import dns.message
import dns.opcode
import dns.query
import dns.rcode

from harness import Zone, simple_zone
from scripted import ScriptedServer

NAME = "example.com"


def pair(test, text=None, **options):
    primary, secondary = test.lockstep("primary", **options), test.lockstep("secondary", **options)
    primary.add(Zone(NAME, text or simple_zone(NAME, 1, "www A 192.0.2.80"), secondaries=[secondary]))
    secondary.add(Zone(NAME, primaries=[primary]))
    return primary, secondary


def test_change_arrives_by_notify(test):
    """N1 N2 X1 X3 R7: file edit, reload, NOTIFY, transfer, same records; far below the refresh time."""
    primary, secondary = pair(test)
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 1)
    for serial in range(2, 8):
        primary.write_zone(NAME, simple_zone(NAME, serial, f"www A 192.0.2.{serial}\nn{serial} TXT \"new\""))
        primary.reload()
        test.wait_serial(secondary, NAME, serial, 10)
        assert test.same(NAME, primary, secondary) == 7
    test.wait_for("NOTIFY in the log", lambda: "sending notifies (serial 7)" in primary.log())
    test.wait_for("transfer in the log", lambda: "Transfer status: success" in secondary.log())


def test_removed_records_are_gone(test):
    """X6: the copy is replaced, not added to."""
    primary, secondary = pair(test, simple_zone(NAME, 1, "old A 192.0.2.7\nwww A 192.0.2.80"))
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 1)
    assert test.ask(secondary, f"old.{NAME}", "A").answer
    primary.write_zone(NAME, simple_zone(NAME, 2, "www A 192.0.2.80"))
    primary.reload()
    test.wait_serial(secondary, NAME, 2)
    assert test.ask(secondary, f"old.{NAME}", "A").rcode() == dns.rcode.NXDOMAIN


def test_chain_of_three(test):
    """R1 R5: a secondary is primary for the next one."""
    first, second, third = (test.lockstep(n) for n in ("first", "second", "third"))
    first.add(Zone(NAME, simple_zone(NAME, 1), secondaries=[second]))
    second.add(Zone(NAME, primaries=[first], secondaries=[third]))
    second.add(Zone("own.test", simple_zone("own.test", 5)))
    third.add(Zone(NAME, primaries=[second]))
    for server in (first, second, third):
        server.start()
    test.wait_serial(third, NAME, 1)
    first.write_zone(NAME, simple_zone(NAME, 2, "deep A 192.0.2.3"))
    first.reload()
    test.wait_serial(third, NAME, 2, 10)
    assert test.same(NAME, first, second, third) == 6
    assert test.serial(second, "own.test") == 5


def test_secondary_restarts_without_primary(test):
    """G2 S4: the copy is a readable file and serves after a restart, also after kill -9."""
    primary, secondary = pair(test)
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 1)
    test.wait_for("the copy on disk", lambda: secondary.zone_path(NAME).exists())
    primary.stop()
    for how in (signal.SIGTERM, signal.SIGKILL):
        secondary.stop(how)
        secondary.start()
        test.wait_serial(secondary, NAME, 1, 10)
        assert test.ask(secondary, f"www.{NAME}", "A").answer
    text = secondary.zone_path(NAME).read_text()
    assert "192.0.2.80" in text and "SOA" in text


def test_copy_that_is_lost_or_old_is_written_again(test):
    """The store has the zone; its readable copy follows when the primary has been heard of."""
    primary, secondary = pair(test)
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 1)
    copy = secondary.zone_path(NAME)
    test.wait_for("the copy on disk", copy.exists)
    good = copy.read_text()
    for spoil in (copy.unlink, lambda: (copy.write_text("; cut"), os.utime(copy, (1000000000, 1000000000)))):
        secondary.stop()
        spoil()
        secondary.start()
        test.wait_serial(secondary, NAME, 1, 10)
        subprocess.run([test.build / "lockstep", "refresh", "-s", secondary.home / "lockstepd.ctl", NAME], check=True,
                       capture_output=True, timeout=20)
        test.wait_for("the copy as before", lambda: copy.exists() and copy.read_text() == good)


def test_copies_of_many_zones_all_come(test):
    """More than are written at once: the others have their turns."""
    primary, secondary = test.lockstep("primary"), test.lockstep("secondary")
    names = [f"z{i}.example" for i in range(300)]
    for name in names:
        primary.add(Zone(name, simple_zone(name, 1)))
        secondary.add(Zone(name, primaries=[primary]))
    primary.start(), secondary.start()
    test.wait_for("all copies", lambda: all(secondary.zone_path(name).exists() for name in names), 40)


def test_a_notify_that_comes_while_the_copy_is_read_counts(test):
    """It is acknowledged, so nobody says it again."""
    primary, secondary = pair(test)
    primary.zones[0].secondaries = []
    many = "".join(f"h{i} A 192.0.2.{i % 250}\n" for i in range(40000))
    primary.write_zone(NAME, simple_zone(NAME, 1, many))
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 1)
    secondary.stop()
    primary.write_zone(NAME, simple_zone(NAME, 2, many))
    primary.reload()
    test.wait_serial(primary, NAME, 2)
    notify = dns.message.make_query(NAME, "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    secondary.start(wait=False)

    def acknowledged():
        try:
            return dns.query.udp(notify, secondary.address, port=secondary.port, timeout=0.05).rcode() == dns.rcode.NOERROR
        except (OSError, dns.exception.Timeout):
            return False
    test.wait_for("an acknowledgement", acknowledged)
    was_early = test.serial(secondary, NAME) is None
    test.wait_serial(secondary, NAME, 2, 20)
    print("the NOTIFY came", "early" if was_early else "late")


def test_expired_zone_answers_servfail(test):
    """S3: beyond expire without contact the secondary stops answering; it recovers."""
    text = simple_zone(NAME, 1).replace("3600 900 1209600 300", "1 1 4 300")
    primary, secondary = pair(test, text, options="min-refresh-time 1; min-retry-time 1;")
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 1)
    primary.stop()
    test.wait_for("SERVFAIL", lambda: test.ask(secondary, NAME, "SOA").rcode() == dns.rcode.SERVFAIL, 20)
    primary.start()
    test.wait_serial(secondary, NAME, 1, 20)


def test_refresh_without_notify(test):
    """S1 S9: without any NOTIFY the change comes at the refresh time."""
    text = simple_zone(NAME, 1).replace("3600 900", "2 1")
    primary, secondary = pair(test, text, options="min-refresh-time 1; min-retry-time 1;")
    primary.zones[0].secondaries = []  # nobody to notify
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 1)
    primary.write_zone(NAME, text.replace("admin 1 ", "admin 2 "))
    primary.reload()
    test.wait_serial(secondary, NAME, 2, 15)


def test_strangers_get_no_transfer(test):
    """T1 T3 D1: REFUSED for an address that is not listed, and a line in the log."""
    primary, secondary = pair(test)
    primary.start()
    stranger = test.next_address()
    query = dns.message.make_query(NAME, "AXFR")
    response = dns.query.tcp(query, primary.address, port=primary.port, timeout=3, source=stranger)
    assert response.rcode() == dns.rcode.REFUSED and not response.answer
    test.wait_for("the denial in the log", lambda: f"zone transfer '{NAME}/AXFR/IN' denied" in primary.log())


def test_broken_file_keeps_the_old_version(test):
    """E1: a zone file with errors is refused whole, with file, line and column in the log."""
    primary, secondary = pair(test)
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 1)
    primary.write_zone(NAME, simple_zone(NAME, 2, "bad A 300.1.2.3"))
    primary.reload()
    test.wait_for("the error in the log", lambda: "300.1.2.3" in primary.log())
    assert test.serial(primary, NAME) == 1
    primary.write_zone(NAME, simple_zone(NAME, 3, "good A 192.0.2.3"))
    primary.reload()
    test.wait_serial(secondary, NAME, 3)


def test_reload_drops_no_query(test):
    """SIGHUP while questions come: every one is answered."""
    primary, secondary = pair(test)
    primary.start()
    lost, asked, stop = [], [0], threading.Event()

    def ask():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect((primary.address, primary.port))
        sock.settimeout(2)
        while not stop.is_set():
            asked[0] += 1
            number = asked[0] & 0xFFFF
            query = dns.message.make_query(f"www.{NAME}", "A", id=number)
            sock.send(query.to_wire())
            try:
                while struct.unpack("!H", sock.recv(4096)[:2])[0] != number:
                    pass
            except socket.timeout:
                lost.append(number)

    thread = threading.Thread(target=ask)
    thread.start()
    for serial in range(2, 12):
        primary.write_zone(NAME, simple_zone(NAME, serial, "www A 192.0.2.80"))
        primary.reload()
        test.wait_serial(primary, NAME, serial, 10)
    stop.set()
    thread.join()
    assert asked[0] > 100 and not lost, f"{len(lost)} of {asked[0]} lost"


def test_reload_follows_the_configuration(test):
    """SIGHUP: zones come and go, address lists change; an error keeps everything as it was."""
    primary, secondary = pair(test)
    primary.start()
    primary.add(Zone("second.test", simple_zone("second.test", 7)))
    primary.configure()
    primary.reload()
    test.wait_serial(primary, "second.test", 7, 10)
    good = (primary.home / "named.conf").read_text()
    (primary.home / "named.conf").write_text(good + "zzone \"x\" { };\n")
    primary.reload()
    test.wait_for("the error in the log", lambda: "zzone" in primary.log())
    assert test.serial(primary, "second.test") == 7 and test.serial(primary, NAME) == 1
    primary.zones.pop()
    primary.configure()
    primary.reload()
    test.wait_for("the zone is gone", lambda: test.ask(primary, "second.test", "SOA").rcode() == dns.rcode.REFUSED)


def test_commands_as_printed(test):
    """D2 D3 D5 D6: the seeds' dig commands."""
    text = ("$TTL 300\nexample.com. 86400 IN SOA ns1.dnscale.eu. admin.example.com. 2026031802 3600 900 1209600 300\n"
            "example.com.  86400  IN  NS  ns1.dnscale.eu.\nexample.com.  86400  IN  NS  ns2.dnscale.eu.\n"
            "www.example.com. IN A 192.0.2.1\n")
    primary, secondary = pair(test, text)
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 2026031802)

    def dig(server, *words):
        return subprocess.run(["dig", f"@{server.address}", "-p", str(server.port), *words], capture_output=True,
                              text=True, timeout=20, check=False).stdout
    expected = "ns1.dnscale.eu. admin.example.com. 2026031802 3600 900 1209600 300\n"
    for server in (primary, secondary):
        assert dig(server, "+short", "SOA", NAME) == expected
        assert dig(server, NAME, "SOA", "+short") == expected
        assert dig(server, "+short", "A", f"www.{NAME}") == "192.0.2.1\n"
    out = dig(primary, "-b", "127.0.0.1", NAME, "AXFR", "+tcp")
    assert "XFR size: 5 records" in out, out
    assert "Transfer failed" in dig(primary, "-b", test.next_address(), NAME, "AXFR")


def test_version_bind_and_refusals(test):
    """version.bind CH TXT answers; what is not ours is REFUSED; TCP and UDP agree."""
    primary, _ = pair(test)
    primary.start()
    answer = test.ask(primary, "version.bind", "TXT", rdclass="CH")
    assert answer.rcode() == 0 and b"" != answer.answer[0][0].strings[0]
    for tcp in (False, True):
        assert test.ask(primary, "elsewhere.org", "A", tcp=tcp).rcode() == dns.rcode.REFUSED
        assert test.ask(primary, f"nothing.{NAME}", "A", tcp=tcp).rcode() == dns.rcode.NXDOMAIN
    axfr = dns.message.make_query(NAME, "AXFR")
    assert dns.query.udp(axfr, primary.address, port=primary.port, timeout=3).rcode() != 0


def test_pipelined_and_interleaved_on_tcp(test):
    """X7, RFC 7766: questions and a transfer on one connection, each answered."""
    primary, _ = pair(test, simple_zone(NAME, 1, "\n".join(f"h{i} A 192.0.2.{i % 250}" for i in range(3000))))
    primary.start()
    test.wait_serial(primary, NAME, 1)
    sock = socket.create_connection((primary.address, primary.port), timeout=10)
    queries = [dns.message.make_query(f"h{i}.{NAME}", "A", id=i + 1) for i in range(50)]
    axfr = dns.message.make_query(NAME, "AXFR", id=999)
    wires = [q.to_wire() for q in queries[:25]] + [axfr.to_wire()] + [q.to_wire() for q in queries[25:]]
    sock.sendall(b"".join(struct.pack("!H", len(w)) + w for w in wires))
    seen, soas, data = set(), 0, b""
    end = time.monotonic() + 20
    while time.monotonic() < end and (len(seen) < 50 or soas < 2):
        data += sock.recv(65536)
        while len(data) >= 2 and len(data) >= 2 + struct.unpack("!H", data[:2])[0]:
            size = struct.unpack("!H", data[:2])[0]
            message, data = dns.message.from_wire(data[2 : 2 + size], xfr=True, one_rr_per_rrset=True), data[2 + size :]
            if message.id == 999:
                soas += sum(r.rdtype == 6 for r in message.answer)
            else:
                seen.add(message.id)
    assert len(seen) == 50 and soas == 2, (len(seen), soas)


def test_cut_transfer_keeps_the_old_version(test):
    """X9: a primary that closes in mid-transfer, or lies in its last SOA, changes nothing."""
    secondary = test.lockstep("secondary")
    fake = FakePrimary(test)
    secondary.add(Zone(NAME, primaries=[fake]))
    secondary.zones[0].extra = f"allow-notify {{ 127.0.0.0/8; }};"
    fake.begin()
    try:
        secondary.start()
        test.wait_serial(secondary, NAME, 1)
        for serial, mode in enumerate(("cut", "wrong-soa", "foreign", "garbage"), start=2):
            fake.serial, fake.mode = serial, mode
            before = fake.transfers
            fake.notify(secondary)
            test.wait_for(f"a transfer in mode {mode}", lambda: fake.transfers > before, 20)
            time.sleep(0.3)
            assert test.serial(secondary, NAME) == 1, mode
        fake.serial, fake.mode = 9, "good"
        fake.notify(secondary)
        test.wait_serial(secondary, NAME, 9, 30)
    finally:
        fake.end()


class FakePrimary(ScriptedServer):
    """Answers SOA and AXFR by script over UDP and TCP."""

    def __init__(self, test):
        super().__init__(test, "fake")
        self.serial, self.mode, self.transfers = 1, "good", 0

    def soa(self, serial=None):
        return f"{NAME}. 300 IN SOA ns1.{NAME}. admin.{NAME}. {serial or self.serial} 3600 1 1209600 300"

    def respond(self, query, lines):
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        for line in lines:
            owner, ttl, _, rdtype, rdata = line.split(None, 4)
            response.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", rdtype, rdata))
        return response.to_wire()

    def datagram(self, data):
        query = dns.message.from_wire(data)
        return None if query.flags & dns.flags.QR else self.respond(query, [self.soa()])

    def connection(self, sock):
        while True:
            size = sock.recv(2)
            if len(size) < 2:
                return
            query = dns.message.from_wire(sock.recv(struct.unpack("!H", size)[0]))

            def send(*lines, wire=None):
                wire = wire or self.respond(query, lines)
                sock.sendall(struct.pack("!H", len(wire)) + wire)

            if query.question[0].rdtype == dns.rdatatype.SOA:
                send(self.soa())
                continue
            if query.question[0].rdtype == dns.rdatatype.IXFR:
                response = dns.message.make_response(query)
                response.set_rcode(dns.rcode.NOTIMP)
                send(wire=response.to_wire())
                continue
            self.transfers += 1
            body = [f"{NAME}. 300 IN NS ns1.{NAME}.", f"ns1.{NAME}. 300 IN A 192.0.2.1"]
            if self.mode == "good":
                send(self.soa(), *body, self.soa())
            elif self.mode == "cut":
                send(self.soa(), *body)
                return
            elif self.mode == "wrong-soa":
                send(self.soa(), *body, self.soa(self.serial + 1))
            elif self.mode == "foreign":
                send(self.soa(), *body, "www.elsewhere.org. 300 IN A 192.0.2.66", self.soa())
            elif self.mode == "garbage":
                send(wire=self.respond(query, [self.soa()])[:-3] + b"\xff\xff\xff")
                return

    def notify(self, server):
        message = dns.message.make_query(NAME, "SOA")
        message.set_opcode(dns.opcode.NOTIFY)
        message.flags = (message.flags | dns.flags.AA) & ~dns.flags.RD
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.sendto(message.to_wire(), (server.address, server.port))
        sock.settimeout(3)
        sock.recv(4096)
        sock.close()
