# SPDX-License-Identifier: BSD-3-Clause
"""Requests at the edges of the protocol, and where servers may take them differently."""
import re
import socket
import struct

NAME = b"\x03par\x04test\0"
OPT, TSIG = 41, 250


def record(owner, rdtype, group, rdata, ttl=0):
    return owner + struct.pack("!HHIH", rdtype, group, ttl, len(rdata)) + rdata


def opt(options=b"", size=1232, version=0, flags=0, owner=b"\0"):
    return record(owner, OPT, size, options, version << 16 | flags)


def option(code, data=b""):
    return struct.pack("!HH", code, len(data)) + data


def query(rdtype=6, group=1, opcode=0, flags=0, counts=(1, 0, 0, 0), behind=b"", name=NAME):
    question = name + struct.pack("!HH", rdtype, group) if counts[0] else b""
    return struct.pack("!6H", 0x1234, flags | opcode << 11, *counts) + question + behind


def corners():
    """(what, octets): each is sent over UDP."""
    address = record(b"\1x\0", 1, 1, b"\1\2\3\4")
    key = record(b"\5nokey\0", TSIG, 255, b"\x0bhmac-sha256\0" + bytes(6) + b"\1\x2c\0\0\x12\x34\0\0\0\0")
    soa = record(NAME, 6, 1, b"\0\0" + struct.pack("!5I", 1, 2, 3, 4, 5))
    out = [(f"opcode {n}", query(opcode=n)) for n in range(16)]
    out += [(f"opcode {n} with OPT", query(opcode=n, counts=(1, 0, 0, 1), behind=opt())) for n in range(16)]
    out += [(f"opcode {n}, header only", query(opcode=n, counts=(0, 0, 0, 0))) for n in (0, 2, 4, 5, 6)]
    out += [(f"class {n}", query(group=n)) for n in (0, 2, 3, 4, 5, 254, 255, 65280)]
    out += [(f"class {n} elsewhere", query(group=n, name=b"\7foreign\0")) for n in (1, 3, 255)]
    out += [(f"type {n}", query(n)) for n in (0, 10, 24, 41, 46, 128, 249, 250, 251, 252, 253, 254, 256, 65535)]
    out += [("no question, OPT", query(counts=(0, 0, 0, 1), behind=opt())),
            ("no question, cookie", query(counts=(0, 0, 0, 1), behind=opt(option(10, b"12345678")))),
            ("two questions", query(counts=(2, 0, 0, 0), behind=NAME + b"\0\1\0\1")),
            ("65535 questions", query(counts=(65535, 0, 0, 0)))]
    out += [(f"EDNS version {n}", query(counts=(1, 0, 0, 1), behind=opt(version=n))) for n in (1, 255)]
    for what, options in (("unknown option", option(100, b"abc")), ("cut option", b"\0\3\0\5ab"), ("cut head", b"\0\3\0"),
                          ("padding over UDP", option(12, bytes(20))), ("keepalive over UDP", option(11)),
                          ("NSID", option(3, b"abc")), ("EXPIRE", option(9)), ("key tag", option(14, b"\1\2"))):
        out.append((what, query(counts=(1, 0, 0, 1), behind=opt(options))))
    out += [(f"cookie of {n}", query(counts=(1, 0, 0, 1), behind=opt(option(10, b"1" * n))))
            for n in (0, 7, 8, 9, 15, 16, 24, 40, 41)]
    out += [("two OPT", query(counts=(1, 0, 0, 2), behind=opt() + opt())),
            ("OPT before A", query(counts=(1, 0, 0, 2), behind=opt() + address)),
            ("OPT in the answer", query(counts=(1, 1, 0, 0), behind=opt())),
            ("OPT in the authority", query(counts=(1, 0, 1, 0), behind=opt())),
            ("OPT of another name", query(counts=(1, 0, 0, 1), behind=opt(owner=b"\1a\0"))),
            ("OPT of size 0", query(counts=(1, 0, 0, 1), behind=opt(size=0))),
            ("answer in a query", query(counts=(1, 1, 0, 0), behind=address)),
            ("authority in a query", query(counts=(1, 0, 1, 0), behind=address)),
            ("an octet too many", query() + b"x"), ("a record too few", query(counts=(1, 1, 0, 0))),
            ("all flags", query(flags=0x07f0)), ("RCODE in a query", query(flags=5)), ("a response", query(flags=0x8000)),
            ("11 octets", query()[:11]), ("cut name", query()[:15]), ("no type", query()[:-4]),
            ("pointer for a name", query(name=b"\xc0\x0c")), ("label of type 01", query(name=b"\x41\1\0")),
            ("name of 256", query(name=(b"\x3f" + b"a" * 63) * 3 + b"\x3e" + b"a" * 62 + b"\0")),
            ("IXFR without SOA", query(251)), ("IXFR up to date", query(251, counts=(1, 0, 1, 0), behind=soa)),
            ("unknown key", query(counts=(1, 0, 0, 1), behind=key)),
            ("OPT, unknown key", query(counts=(1, 0, 0, 2), behind=opt() + key)),
            ("unknown key, OPT", query(counts=(1, 0, 0, 2), behind=key + opt())),
            ("two keys", query(counts=(1, 0, 0, 2), behind=key + key)),
            ("key in the answer", query(counts=(1, 1, 0, 0), behind=key))]
    return out


def put_corner(server, wire):
    """The reply, or None where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.7)
        sock.connect((server.address, server.port))
        sock.send(wire)
        try:
            return sock.recv(65535)
        except OSError:
            return None


# Peers, corners, why. What the reply says besides is compared where no line fits.
DIFFERENT = (
    ("bind|knot", r"^opcode [45]\b", "RFC 1996 3.10, 2136 3.3: who is refused a NOTIFY or an UPDATE, and with which RCODE"),
    ("nsd", r"^opcode", "RFC 6891 6.1.1: NSD answers opcodes that are not its own without OPT, and knows no UPDATE"),
    ("bind", r"^class", "RFC 6895 3.2: BIND calls classes that are not its own FORMERR or NOTIMP, others REFUSED"),
    ("knot|nsd", r"^class 255$", "RFC 1034 3.7.1: Knot and NSD take class ANY for IN, BIND and we do not"),
    ("knot|nsd", r"^type (0|41|128|249|25[0234])$", "RFC 6895 3.1: Knot and NSD look in the zone for types that no zone holds"),
    ("bind", r"^type (0|249)$", "RFC 6895 3.1: BIND has no data of type 0 and calls TKEY FORMERR"),
    ("nsd", r"^no question", "RFC 9619 4: NSD calls a message without a question NOERROR"),
    ("knot", r"^no question, cookie", "RFC 7873 5.4: Knot makes no cookie without a question"),
    ("knot", r"questions|^cut name|^no type|^pointer|^label|^name of", "RFC 1035 4.1.1: Knot is silent to a question that it cannot read"),
    ("bind|knot", r"^cut (option|head)|^two OPT", "RFC 6891 7: BIND and Knot leave out the OPT of a FORMERR"),
    ("nsd", r"^cut option", "RFC 6891 6.1.2: NSD takes options that reach beyond their record"),
    ("nsd", r"^cut head|^two OPT", "RFC 6891 7: BIND and Knot leave out the OPT of a FORMERR"),
    ("knot|nsd", r"^cookie of (0|7|9|15|41)$", "RFC 7873 5.2.2: Knot and NSD ignore cookies of a wrong size"),
    ("knot", r"^OPT of another", "RFC 6891 6.1.2: Knot takes OPT of any name"),
    ("bind|nsd", r"^an octet too many", "RFC 1035 4.1: BIND and NSD take octets behind the last record"),
    ("knot|nsd", r"^all flags", "RFC 4035 3.2.2: Knot and NSD clear CD"),
    ("nsd", r"^OPT before A", "RFC 6891 6.1.1: NSD wants OPT at the end"),
    ("nsd", r"in a query", "RFC 1035 4.1.1: NSD wants no records and no RCODE in a query"),
    ("bind|knot", r"^IXFR up to date", "RFC 1995 4: AA in answers to IXFR; BIND and Knot leave it out"),
)


def facts(reply):
    """What has to be the same: RCODE, flags, number of records by section, OPT or none, an extended RCODE."""
    if reply is None:
        return "silent"
    _, flags, *counts = struct.unpack_from("!6H", reply)
    at = reply.find(b"\0\0\x29\4\xd0")
    has = at >= 0
    extended = reply[at + 5] if has else 0
    return (flags & 15 | extended << 4, flags & 0xfff0, counts[1], counts[2], has)


def corner_reason(what, ours, other, kind):
    """As `explained`."""
    if facts(ours) == facts(other):
        return ""
    for peer, corner, reason in DIFFERENT:
        if re.search(peer, kind) and re.search(corner, what):
            return reason
    return None
