# SPDX-License-Identifier: BSD-3-Clause
"""A primary that cuts, drips, lies and never ends: the old version serves on, memory stays bounded, and the log
names the cause; when the primary is honest again, so is the copy.

All attacks run side by side, each by a primary and against a zone of its own.
"""
import base64
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from attacks import ATTACKS  # noqa: E402
from harness import Zone  # noqa: E402
from primary import Primary, Request, body, name, rr, soa  # noqa: E402

SECRET = b"0123456789abcdef0123456789abcdef"
LIMITS = ("min-retry-time 1; max-retry-time 2; min-refresh-time 1; max-transfer-idle-in 2s; max-transfer-time-in 15s; "
          "max-records 20000; max-records-per-type 1000; max-types-per-name 100; allow-notify { 127.0.0.0/8; };")


class Address:
    """What a zone block needs to know of a primary that is none of the harness's servers."""

    def __init__(self, primary):
        self.address, self.port = primary.address, primary.port


def peak_kib(server):
    text = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text).group(1))


def world(test, attacks):
    """A secondary with one zone and one primary an attack, all at serial 1."""
    server = test.lockstep("secondary", options=LIMITS)
    test.keys["evil"] = ("hmac-sha256", base64.b64encode(SECRET).decode())
    primaries = {}
    for index, (label, function) in enumerate(attacks.items()):
        zone = f"{label}.test"
        key = ("evil", SECRET) if label.startswith("tsig") else None
        primary = Primary(f"{test.net}.{index + 1}", server.port, zone, attack=function, key=key)
        primaries[label] = primary
        server.add(Zone(zone, primaries=[Address(primary)], key="evil" if key else ""))
    server.start()
    for label in attacks:
        test.wait_serial(server, f"{label}.test", 1, 60)
    return server, primaries


def test_every_lie_is_found_out(test):
    """Each attack of attacks.py: old version kept, cause in the log, bounded memory, recovery."""
    server, primaries = world(test, {label: function for label, (function, _) in ATTACKS.items()})
    before = peak_kib(server)
    try:
        for primary in primaries.values():
            primary.serial, primary.evil = 2, True
            primary.notify(server)
        open_causes = {label: cause for label, (_, cause) in ATTACKS.items()}
        end = time.monotonic() + 60
        while open_causes and time.monotonic() < end:
            time.sleep(0.5)
            log = server.log()
            assert server.process.poll() is None, "the server died"
            for label, cause in list(open_causes.items()):
                if re.search(rf"{label}\.test/IN.*(?:{cause})", log):
                    del open_causes[label]
        told = {label: re.findall(rf".*{re.escape(label)}\.test.*", server.log())[-3:] for label in open_causes}
        assert not open_causes, f"no cause told for {told}"
        for label in ATTACKS:
            assert test.serial(server, f"{label}.test") == 1, f"{label}: the old version is gone"
            reply = test.ask(server, f"www.{label}.test", "A")
            assert reply is not None and reply.answer and reply.answer[0][0].address == "192.0.2.80", (label, reply)
            reply = test.ask(server, "www.victim.test", "A")
            assert reply is None or reply.rcode() == 5, "a foreign name is answered"
        grown = peak_kib(server) - before
        print(f"memory grew by {grown} KiB at most")
        assert grown < 400 * 1024, f"memory grew by {grown} KiB"
        for primary in primaries.values():
            primary.serial, primary.evil = 9, False
            primary.notify(server)
        for label in ATTACKS:
            test.wait_serial(server, f"{label}.test", 9, 40)
    finally:
        for primary in primaries.values():
            primary.stopping = True


def test_what_is_odd_but_sound_is_taken(test):
    """Duplicates are one record; a large RRset is served, truncated over UDP; one record a message; other serials."""
    def duplicates(q, serial):
        q.send([soa(q.zone, serial), *body(q.zone), *body(q.zone), soa(q.zone, serial)])

    def one_a_message(q, serial):
        for record in [soa(q.zone, serial), *body(q.zone), soa(q.zone, serial)]:
            q.send([record])

    def another_serial_than_soa(q, serial):
        q.send([soa(q.zone, serial + 3), *body(q.zone), soa(q.zone, serial + 3)])

    def large_rrset(q, serial):
        texts = [rr(name("big." + q.zone), 16, bytes([200]) + bytes([65 + i % 26]) * 190 + b"%010d" % i)
                 for i in range(290)]
        q.send([soa(q.zone, serial), *body(q.zone)])
        q.send(texts[:150])
        q.send(texts[150:])
        q.send([soa(q.zone, serial)])

    def half_octets(q, serial):
        import struct
        wire = q.message_of([soa(q.zone, serial), *body(q.zone), soa(q.zone, serial)])
        data = struct.pack("!H", len(wire)) + wire
        for at in range(0, len(data), 7):
            q.sock.sendall(data[at:at + 7])

    attacks = {f.__name__.replace("_", "-"): f for f in (duplicates, one_a_message, another_serial_than_soa, large_rrset,
                                                         half_octets)}
    server, primaries = world(test, attacks)
    try:
        for primary in primaries.values():
            primary.serial, primary.evil = 2, True
            primary.notify(server)
        for label in attacks:
            test.wait_serial(server, f"{label}.test", 5 if label == "another-serial-than-soa" else 2, 30)
        assert len(test.transfer(server, "duplicates.test")) == 6
        reply = test.ask(server, "big.large-rrset.test", "TXT", use_edns=0, payload=1232)
        assert reply.flags & 0x0200 and len(reply.to_wire()) <= 1232, "no TC"
        reply = test.ask(server, "big.large-rrset.test", "TXT", tcp=True)
        assert reply is not None and sum(len(r) for r in reply.answer) == 290, reply and reply.flags
    finally:
        for primary in primaries.values():
            primary.stopping = True


def test_a_lying_soa_answer(test):
    """SOA answers that are short, of another zone, without end or older: no transfer, no crash, and the word."""
    import struct
    answers = {
        "soa-short": lambda q, s: q.message_of([rr(name(q.zone), 6, b"\0\0" + b"\0" * 9)]),
        "soa-of-another": lambda q, s: q.message_of([soa("other.test", s)]),
        "soa-empty": lambda q, s: q.message_of([]),
        "soa-header-only": lambda q, s: struct.pack("!HHHHHH", q.id, 0x8400, 1, 1, 0, 0),
        "soa-pointer-loop": lambda q, s: q.message_of([rr(b"\xc0\x0c", 6, b"\xc0\x20\xc0\x20" + b"\0" * 20)]),
        "soa-older": lambda q, s: q.message_of([soa(q.zone, 0)]),
        "soa-two": lambda q, s: q.message_of([soa(q.zone, s), soa(q.zone, s + 1)]),
        "soa-cname": lambda q, s: q.message_of([rr(name(q.zone), 5, name("other.test"))]),
    }
    server = test.lockstep("secondary", options=LIMITS)
    primaries = []
    for index, (label, answer) in enumerate(answers.items()):
        primary = Primary(f"{test.net}.{index + 1}", server.port, f"{label}.test", soa_answer=answer)
        primaries.append(primary)
        server.add(Zone(f"{label}.test", primaries=[Address(primary)]))
    server.start()
    try:
        for label in answers:
            test.wait_serial(server, f"{label}.test", 1, 60)
        for primary in primaries:
            primary.serial, primary.evil, primary.attack = 2, True, Request.honest
            primary.transfers = 0
            primary.notify(server)
        time.sleep(3)
        assert server.process.poll() is None
        for label in answers:
            assert test.serial(server, f"{label}.test") in (1, 2), label
        for primary in primaries:
            primary.serial, primary.evil = 9, False
            primary.notify(server)
        for label in answers:
            test.wait_serial(server, f"{label}.test", 9, 40)
    finally:
        for primary in primaries:
            primary.stopping = True
