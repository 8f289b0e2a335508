# SPDX-License-Identifier: BSD-3-Clause
"""What a primary can do wrong in a transfer, by name, with what our log has to say about it.

An attack gets the request and the serial it pretends to have; False ends the connection after it.
"""
import itertools
import socket
import struct
import time

from primary import A, AXFR, CH, IXFR, NS, SOA, TXT, body, name, rr, soa

ATTACKS = {}


def attack(cause):
    """Registers a function under its name; `cause` is a regular expression for the log."""
    def register(function):
        ATTACKS[function.__name__.replace("_", "-")] = (function, cause)
        return function
    return register


def sound(q, serial):
    return [soa(q.zone, serial), *body(q.zone), soa(q.zone, serial)]


def until_closed(q, messages, seconds=20):
    """Sends until the other side has had enough; gives up after a while by itself."""
    end = time.monotonic() + seconds
    for wire in messages:
        if time.monotonic() > end:
            return False
        q.send_wire(wire)
    return False


# ---- the connection ----

@attack("closed the connection in mid-transfer")
def cut_between_messages(q, serial):
    q.send([soa(q.zone, serial), *body(q.zone)])
    return False


@attack("closed the connection")
def cut_in_a_message(q, serial):
    wire = q.message_of(sound(q, serial))
    q.sock.sendall(struct.pack("!H", len(wire)) + wire[:len(wire) // 2])
    return False


@attack("closed the connection without an answer")
def close_at_once(q, serial):
    return False


@attack("[Cc]onnection|mid-transfer")
def reset_in_mid_transfer(q, serial):
    q.send([soa(q.zone, serial), *body(q.zone)])
    time.sleep(0.1)
    q.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


@attack("no answer to .XFR within 2 s")
def silence(q, serial):
    time.sleep(6)
    return False


@attack("no answer to .XFR within 2 s")
def drip(q, serial):
    wire = q.message_of(sound(q, serial))
    for octet in struct.pack("!H", len(wire)) + wire[:40]:
        q.sock.sendall(bytes([octet]))
        time.sleep(0.2)
    return False


@attack(r"without a record for 2 s \(max-transfer-idle-in\) after 6 records")
def stop_after_the_first(q, serial):
    q.send([soa(q.zone, serial), *body(q.zone)])
    time.sleep(6)
    return False


# ---- the header and the question ----

@attack("a request, not a reply")
def a_query_back(q, serial):
    q.send(sound(q, serial), flags=0x0000)


@attack("opcode 4")
def another_opcode(q, serial):
    q.send(sound(q, serial), flags=0x8400 | 4 << 11)


@attack("about 'other.test', not about what was asked")
def another_question(q, serial):
    q.send(sound(q, serial), question=name("other.test") + struct.pack("!HH", AXFR, 1))


@attack("no answer to .XFR within 2 s")
def another_id(q, serial):
    q.send(sound(q, serial), ident=q.id ^ 1)
    time.sleep(5)
    return False


@attack("primary answered SERVFAIL to IXFR")
def servfail(q, serial):
    q.send([], flags=0x8402)


@attack("primary answered REFUSED")
def refused(q, serial):
    q.send([], flags=0x8405)


@attack("primary answered NOTAUTH")
def notauth(q, serial):
    q.send([], flags=0x8409)


@attack("primary answered SERVFAIL to IXFR")
def an_error_in_mid_transfer(q, serial):
    q.send([soa(q.zone, serial), *body(q.zone)])
    q.send([], flags=0x8402)


@attack("has TC set")
def tc_set(q, serial):
    q.send(sound(q, serial), flags=0x8600)


@attack("runs past its end")
def more_counted_than_there(q, serial):
    q.send(sound(q, serial), counts=(1, 60, 0, 0))


@attack("octets follow the last record")
def fewer_counted_than_there(q, serial):
    q.send(sound(q, serial), counts=(1, 2, 0, 0))


@attack("shorter than a header")
def less_than_a_header(q, serial):
    q.send_wire(struct.pack("!HHH", q.id, 0x8400, 1))


# ---- the frame of SOA records ----

@attack("the first record is not the SOA")
def no_soa_first(q, serial):
    q.send([*body(q.zone), soa(q.zone, serial), soa(q.zone, serial)])


@attack("other.test. SOA: it is not in the zone")
def the_soa_of_another(q, serial):
    q.send([soa(q.zone, serial, owner="other.test"), *body(q.zone), soa(q.zone, serial, owner="other.test")])


@attack("the last SOA has serial 9, the first had 2")
def another_serial_at_the_end(q, serial):
    q.send([soa(q.zone, serial), *body(q.zone), soa(q.zone, serial + 7)])


@attack("an SOA at x.*, which is not the zone")
def a_soa_below_the_apex(q, serial):
    q.send([soa(q.zone, serial), *body(q.zone), soa(q.zone, serial, owner="x." + q.zone), soa(q.zone, serial)])


@attack("records follow the second SOA")
def records_after_the_end(q, serial):
    q.send([*sound(q, serial), rr(name("late." + q.zone), A, b"\1\2\3\4")])


@attack("primary is behind: its serial 0 is before ours")
def an_older_serial(q, serial):
    q.send(sound(q, 0))


@attack("SOA: expected a number of 32 bits")
def a_short_soa(q, serial):
    bad = rr(name(q.zone), SOA, name("ns1." + q.zone) + b"\0" + b"\0" * 11)
    q.send([bad, *body(q.zone), bad])


# ---- records ----

def with_record(q, serial, record):
    q.send([soa(q.zone, serial), *body(q.zone), record, soa(q.zone, serial)])


@attack("www.victim.test. A: it is not in the zone")
def foreign_names(q, serial):
    with_record(q, serial, rr(name("www.victim.test"), A, b"\1\2\3\4"))


@attack("it has another class than the zone")
def another_class(q, serial):
    with_record(q, serial, rr(name("c." + q.zone), A, b"\1\2\3\4", rdclass=CH))


@attack("expected an IPv4 address")
def an_address_of_three_octets(q, serial):
    with_record(q, serial, rr(name("a." + q.zone), A, b"\1\2\3"))


@attack("expected a service parameter")
def a_broken_svcb(q, serial):
    with_record(q, serial, rr(name("s." + q.zone), 64, b"\0\1\0" + struct.pack("!HH", 1, 60000) + b"x"))


@attack("expected an address prefix")
def an_oversized_apl(q, serial):
    with_record(q, serial, rr(name("p." + q.zone), 42, struct.pack("!HBB", 1, 32, 0x7f) + b"\xff" * 127))


@attack("runs past its end")
def a_name_that_runs_out(q, serial):
    with_record(q, serial, rr(name("n." + q.zone), NS, b"\3abc"))


@attack("has 60000 octets of data, but")
def an_rdlength_past_the_end(q, serial):
    q.send([soa(q.zone, serial), *body(q.zone), rr(name("l." + q.zone), TXT, b"\3abc", size=60000)])


@attack("no zone has records of this type")
def a_meta_type(q, serial):
    with_record(q, serial, rr(name("m." + q.zone), 255, b""))


@attack("no zone has records of this type")
def type_zero(q, serial):
    with_record(q, serial, rr(name("z." + q.zone), 0, b"abc"))


@attack("CNAME beside other data")
def a_cname_beside_others(q, serial):
    with_record(q, serial, rr(name("www." + q.zone), 5, name("x." + q.zone)))


# ---- names ----

@attack("a label of an unknown kind")
def a_label_of_64(q, serial):
    with_record(q, serial, rr(b"\x40" + b"a" * 64 + name(q.zone), A, b"\1\2\3\4"))


@attack("longer than 255 octets")
def a_name_of_300_octets(q, serial):
    with_record(q, serial, rr((b"\x3f" + b"a" * 63) * 4 + b"\x1f" + b"b" * 31 + name(q.zone), A, b"\1\2\3\4"))


@attack("a pointer that does not lead backward")
def a_pointer_to_itself(q, serial):
    at = len(q.message_of([soa(q.zone, serial), *body(q.zone)]))
    with_record(q, serial, rr(struct.pack("!H", 0xC000 | at), A, b"\1\2\3\4"))


@attack("a pointer that does not lead backward")
def a_pointer_forward(q, serial):
    with_record(q, serial, rr(b"\xff\xff", A, b"\1\2\3\4"))


def hiding(q, serial, data):
    """A record of an unknown type with any octets in it, to point at; and where those stand."""
    owner = name("x." + q.zone)
    return rr(owner, 65280, data), len(q.message_of([soa(q.zone, serial)])) + len(owner) + 10


@attack("too many pointers")
def a_chain_of_pointers(q, serial):
    """2,000 pointers, each to the one before it."""
    base = name("y." + q.zone)
    start = hiding(q, serial, b"")[1]
    places = [start] + [start + len(base) + 2 * i for i in range(2000)]
    record, _ = hiding(q, serial, base + b"".join(struct.pack("!H", 0xC000 | at) for at in places[:-1]))
    deep = struct.pack("!H", 0xC000 | places[-1])
    q.send([soa(q.zone, serial), record, rr(deep, A, b"\1\2\3\4"), soa(q.zone, serial)])


@attack("an SOA at z.*, which is not the zone")
def a_compression_bomb(q, serial):
    """Thousands of records, each with an owner of 100 labels behind a chain of ten pointers."""
    labels = b"\x01a" * 100 + name("y." + q.zone)
    start = hiding(q, serial, b"")[1]
    places = [start] + [start + len(labels) + 2 * i for i in range(10)]
    record, _ = hiding(q, serial, labels + b"".join(struct.pack("!H", 0xC000 | at) for at in places[:-1]))
    deep = struct.pack("!H", 0xC000 | places[-1])
    records = [rr(b"\1" + bytes([97 + i % 26]) + deep, A, struct.pack("!I", i)) for i in range(3000)]
    q.send([soa(q.zone, serial), record, *records[:2500]])
    q.send([soa(q.zone, serial, owner="z." + q.zone)])


# ---- without end ----

def many(q, make, per_message=200):
    for start in itertools.count(0, per_message):
        yield q.message_of([make(i) for i in range(start, start + per_message)], question=False)


@attack(r"more than 20000 records \(max-records\)")
def endless_names(q, serial):
    q.send([soa(q.zone, serial), *body(q.zone)])
    return until_closed(q, many(q, lambda i: rr(name(f"e{i}.{q.zone}"), A, struct.pack("!I", i))))


@attack(r"more than \d+ records")
def endless_rrset(q, serial):
    q.send([soa(q.zone, serial), *body(q.zone)])
    return until_closed(q, many(q, lambda i: rr(name(f"r.{q.zone}"), A, struct.pack("!I", i))))


@attack(r"more than \d+ (records|types)")
def endless_types(q, serial):
    q.send([soa(q.zone, serial), *body(q.zone)])
    return until_closed(q, many(q, lambda i: rr(name(f"t.{q.zone}"), 1000 + i % 60000, struct.pack("!I", i))))


@attack("more than 100 messages without a record")
def endless_empty_messages(q, serial):
    q.send([soa(q.zone, serial), *body(q.zone)])
    return until_closed(q, (q.message_of([], question=False) for _ in itertools.count()))


@attack("more than 20000 records|octets")
def endless_large_records(q, serial):
    q.send([soa(q.zone, serial), *body(q.zone)])
    text = (b"\xff" + b"x" * 255) * 30
    return until_closed(q, many(q, lambda i: rr(name(f"b{i}.{q.zone}"), TXT, text), 8))


# ---- IXFR ----

def ixfr(q, serial, *parts, close=False):
    if q.rdtype == AXFR:
        q.send([], flags=0x8402)
        return None
    q.send([soa(q.zone, serial), *parts])
    return False if close else None


@attack("closed the connection in mid-transfer")
def ixfr_cut(q, serial):
    return ixfr(q, serial, soa(q.zone, q.serial() or 1), rr(name("www." + q.zone), A, bytes([192, 0, 2, 80])), close=True)


@attack("removes a record that is not there")
def ixfr_removes_what_is_not_there(q, serial):
    return ixfr(q, serial, soa(q.zone, q.serial() or 1), rr(name("no." + q.zone), A, b"\1\2\3\4"),
                soa(q.zone, serial), soa(q.zone, serial))


@attack("start at serial 77, not at ours")
def ixfr_from_another_serial(q, serial):
    return ixfr(q, serial, soa(q.zone, 77), soa(q.zone, serial), soa(q.zone, serial))


@attack("the differences have a gap")
def ixfr_with_a_gap(q, serial):
    have = q.serial() or 1
    return ixfr(q, serial + 4, soa(q.zone, have), soa(q.zone, serial), soa(q.zone, serial + 2), soa(q.zone, serial + 4),
                soa(q.zone, serial + 4))


@attack("it is not in the zone")
def ixfr_foreign_names(q, serial):
    return ixfr(q, serial, soa(q.zone, q.serial() or 1), soa(q.zone, serial), rr(name("www.victim.test"), A, b"\1\2\3\4"),
                soa(q.zone, serial))


@attack("an SOA that is not at the zone's name")
def ixfr_removes_the_soa_twice(q, serial):
    have = soa(q.zone, q.serial() or 1)
    return ixfr(q, serial, have, soa(q.zone, q.serial() or 1, owner="x." + q.zone), soa(q.zone, serial),
                soa(q.zone, serial))


@attack("more than twice 20000 records")
def endless_ixfr(q, serial):
    if q.rdtype == AXFR:
        q.send([], flags=0x8402)
        return None
    q.send([soa(q.zone, serial), soa(q.zone, q.serial() or 1), soa(q.zone, serial)])
    return until_closed(q, many(q, lambda i: rr(name(f"i{i}.{q.zone}"), A, struct.pack("!I", i))))


# ---- signatures: these zones have a key ----

def signed(q, serial, change):
    """Three messages; change(number, wire) gives what leaves for each, signed or not."""
    key, secret = q.primary.key
    records = [[soa(q.zone, serial), *body(q.zone)], [rr(name("two." + q.zone), A, b"\1\2\3\4")], [soa(q.zone, serial)]]
    for number, part in enumerate(records):
        wire = q.message_of(part)
        q.send_wire(change(number, wire, lambda wire, **how: q.sign(wire, secret, key, **how)))


@attack("the secret of key .evil. differs")
def tsig_wrong_at_the_first(q, serial):
    signed(q, serial, lambda n, wire, sign: sign(wire, spoil=0 if n == 0 else None))


@attack("signature of message 3 of the reply is wrong")
def tsig_wrong_at_the_third(q, serial):
    signed(q, serial, lambda n, wire, sign: sign(wire, spoil=5 if n == 2 else None))


@attack("signature of message 2 of the reply is wrong")
def tsig_message_changed_after_signing(q, serial):
    signed(q, serial, lambda n, wire, sign: sign(wire).replace(b"\1\2\3\4", b"\1\2\3\5"))


@attack("is not signed, the request was")
def tsig_missing(q, serial):
    signed(q, serial, lambda n, wire, sign: wire)


@attack("the last message of the reply is not signed")
def tsig_missing_at_the_end(q, serial):
    signed(q, serial, lambda n, wire, sign: sign(wire) if n < 2 else wire)


@attack("the clock differs: the other side.s is 3153600. s behind ours")
def tsig_of_last_year(q, serial):
    signed(q, serial, lambda n, wire, sign: sign(wire, when=int(time.time()) - 365 * 86400))
