# SPDX-License-Identifier: BSD-3-Clause
"""Packets that nobody should send: the server lives, stays silent to responses, and amplifies nothing.

LOCKSTEP_SEED and LOCKSTEP_PACKETS repeat a run or make it longer; without them a run takes ten seconds.
"""
import os
import random
import select
import socket
import struct
import time

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.tsig
import dns.update

from harness import Zone, simple_zone

NAME = "example.com"
ERRORS = {dns.rcode.FORMERR, dns.rcode.NOTIMP}


def seeds():
    """Sound messages of every kind the server looks into."""
    wires = []
    for name in (NAME, f"www.{NAME}", f"no.{NAME}", f"x.sub.{NAME}", "elsewhere.org", ".", "a." * 120 + NAME[-3:]):
        for rdtype in ("A", "SOA", "ANY", "AXFR", "NS", "TYPE65280"):
            wires.append(dns.message.make_query(name, rdtype).to_wire())
    for options in ([dns.edns.GenericOption(10, b"12345678")], [dns.edns.GenericOption(3, b"")],
                    [dns.edns.ECSOption("192.0.2.0", 24)], [dns.edns.GenericOption(65001, b"\0" * 40)]):
        wires.append(dns.message.make_query(f"www.{NAME}", "A", use_edns=0, options=options).to_wire())
    wires.append(dns.message.make_query(NAME, "A", use_edns=1).to_wire())
    wires.append(dns.message.make_query("version.bind", "TXT", rdclass="CH").to_wire())
    notify = dns.message.make_query(NAME, "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    wires.append(notify.to_wire())
    update = dns.update.Update(NAME)
    update.add(f"new.{NAME}", 300, "A", "192.0.2.5")
    wires.append(update.to_wire())
    ixfr = dns.message.make_query(NAME, "IXFR")
    ixfr.authority.append(dns.rrset.from_text(f"{NAME}.", 300, "IN", "SOA", f"ns1.{NAME}. admin.{NAME}. 1 2 3 4 5"))
    wires.append(ixfr.to_wire())
    signed = dns.message.make_query(NAME, "SOA")
    signed.use_tsig({dns.name.from_text("nobody"): dns.tsig.Key("nobody", b"secret")})
    wires.append(signed.to_wire())
    wires.append(wires[0][:2] + b"\x81\x80" + wires[0][4:])  # a response
    return wires


def mutate(draw, wires):
    wire = bytearray(draw.choice(wires))
    for _ in range(draw.choice((0, 1, 1, 2, 3, 8))):
        kind = draw.randrange(8)
        at = draw.randrange(max(1, len(wire))) if draw.random() < 0.7 else draw.randrange(min(12, max(1, len(wire))))
        if kind == 0 and wire:
            wire[at] ^= 1 << draw.randrange(8)
        elif kind == 1 and wire:
            wire[at] = draw.choice((0, 1, 0x3F, 0x40, 0x7F, 0x80, 0xC0, 0xC1, 0xFF))
        elif kind == 2:
            del wire[at:]
        elif kind == 3:
            wire[at:at] = bytes(draw.randrange(256) for _ in range(draw.choice((1, 2, 4, 40))))
        elif kind == 4:
            del wire[at : at + draw.randrange(1, 9)]
        elif kind == 5 and len(wire) >= 12:
            struct.pack_into("!H", wire, 4 + 2 * draw.randrange(4), draw.choice((0, 1, 2, 255, 65535)))
        elif kind == 6:
            wire += draw.choice(wires)[12:]
        elif kind == 7 and wire:
            wire[at:at] = b"\xc0" + bytes([draw.choice((0, 11, 12, at & 0xFF, 255))])
    return bytes(wire[:4000])


def judge(sent, reply):
    """What is wrong with this answer to these octets, or None."""
    if len(sent) < 12:
        return "an answer to less than a header"
    if sent[2] & 0x80:
        return "an answer to a response"
    if len(reply) < 12 or not reply[2] & 0x80:
        return "an answer that is none"
    if (reply[3] & 0xF) in ERRORS and len(reply) > len(sent):
        return f"an error of {len(reply)} octets for {len(sent)}"
    return None


def over_udp(server, draw, wires, seconds, packets):
    """Sends in small bursts, each ID once a run of 65,536; gives how many were sent."""
    end, count = time.monotonic() + seconds, 0
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((server.address, server.port))
    sock.setblocking(False)
    sent = {}
    while time.monotonic() < end and count < packets:
        for _ in range(64):
            wire = mutate(draw, wires)
            number = count & 0xFFFF
            if len(wire) >= 2:
                wire = struct.pack("!H", number) + wire[2:]
                sent[number] = wire
            sock.send(wire)
            count += 1
        pause = 0.02
        while select.select([sock], [], [], pause)[0]:
            pause = 0.005
            reply = sock.recv(65536)
            number = struct.unpack("!H", reply[:2])[0]
            wrong = judge(sent[number], reply)
            assert wrong is None, f"{wrong}: {sent[number].hex()} -> {reply.hex()}"
    sock.close()
    return count


def over_tcp(server, draw, wires, seconds, packets):
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end and count < packets:
        with socket.create_connection((server.address, server.port), timeout=5) as sock:
            data = b""
            for _ in range(draw.randrange(1, 40)):
                wire = mutate(draw, wires)
                size = len(wire) if draw.random() < 0.97 else draw.choice((0, 1, 11, len(wire) + 3, 65535))
                data += struct.pack("!H", size) + wire
                count += 1
            try:
                sock.sendall(data)
                if draw.random() < 0.5:
                    sock.shutdown(socket.SHUT_WR)
                sock.settimeout(0.02)
                while sock.recv(65536):
                    pass
            except OSError:
                pass  # closed on us, or nothing more to say
    return count


def test_mutated_packets(test):
    """No crash under a sanitizer, no answer to a response, no error longer than what asked for it."""
    seed = int(os.environ.get("LOCKSTEP_SEED", "0")) or random.randrange(1, 1 << 30)
    packets = int(os.environ.get("LOCKSTEP_PACKETS", "0"))
    seconds = 3600 if packets else 5
    server = test.lockstep("primary", options="minimal-responses yes;")
    server.add(Zone(NAME, simple_zone(NAME, 1, "www A 192.0.2.80\n* TXT \"any\"\nsub NS ns.sub\nns.sub A 192.0.2.9\n"
                                               "d DNAME target.test.\nc CNAME www")))
    server.start()
    test.wait_serial(server, NAME, 1)
    draw, wires = random.Random(seed), seeds()
    counts = [over(server, draw, wires, seconds, packets or 10 ** 9) for over in (over_udp, over_tcp)]
    print(f"seed {seed}: {counts[0]} datagrams, {counts[1]} messages over TCP")
    assert server.process.poll() is None, f"the server died; seed {seed}"
    assert test.serial(server, NAME) == 1
    assert min(counts) > 500, counts


def test_what_has_opt_is_answered_with_opt(test):
    """RFC 6891 6.1.1 and 7: refusals of every kind too, and no answer has one where the question had none."""
    server = test.lockstep("primary", options="recursion no;")
    server.add(Zone(NAME, simple_zone(NAME, 1), extra="allow-update { none; };"))
    server.start()
    test.wait_serial(server, NAME, 1)
    name = b"\7example\3com\0"
    no_key = struct.pack("!HHIH", 250, 255, 0, 13 + 16) + b"\x0bhmac-sha256\0" + b"\0" * 6 + b"\1\x2c\0\0" + b"\0" * 6
    option = {"nothing": b"", "cut option": b"\0\3\0\1", "bad cookie": b"\0\x0a\0\1x", "NSID": b"\0\3\0\0"}
    cases = [(f"opcode {opcode}, {what}", opcode, 6, value, b"") for opcode in range(16) for what, value in option.items()]
    cases += [(f"type {rdtype}", 0, rdtype, b"", b"") for rdtype in (0, 41, 128, 249, 250, 251, 252, 254, 255, 65535)]
    cases += [(f"unknown key, opcode {opcode}", opcode, 6, b"", b"\5nokey\0" + no_key) for opcode in (0, 4, 5)]
    for what, opcode, rdtype, value, behind in cases:
        for version in (0, 1, None):
            records = (version is not None) + bool(behind)
            wire = struct.pack("!6H", 7, opcode << 11, 1, 0, 0, records) + name + struct.pack("!HH", rdtype, 1)
            if version is not None:
                wire += struct.pack("!BHHBBHH", 0, 41, 1232, 0, version, 0, len(value)) + value
            wire += behind
            for over in (dns.query.udp, dns.query.tcp):
                reply = exchange(over, server, wire)
                has = b"\0\0\x29\4\xd0" in reply  # root, OPT, 1232 octets
                assert has == (version is not None), f"{what}, EDNS {version}, {over.__name__}: {reply.hex()}"


def exchange(over, server, wire):
    """The reply's octets to `wire`."""
    kind = socket.SOCK_DGRAM if over is dns.query.udp else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.settimeout(5)
        sock.connect((server.address, server.port))
        if kind == socket.SOCK_DGRAM:
            sock.send(wire)
            return sock.recv(65535)
        sock.sendall(struct.pack("!H", len(wire)) + wire)
        with sock.makefile("rb") as file:
            return file.read(struct.unpack("!H", file.read(2))[0])
