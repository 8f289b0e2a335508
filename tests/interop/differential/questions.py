# SPDX-License-Identifier: BSD-3-Clause
"""Questions drawn at random for zones, and the way to put many of them to a server."""
import select
import socket
import struct
import time

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "LOC": 29, "SRV": 33,
         "NAPTR": 35, "DNAME": 39, "DS": 43, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "NSEC3": 50, "NSEC3PARAM": 51,
         "CDS": 59, "SVCB": 64, "HTTPS": 65, "ANY": 255, "CAA": 257, "TYPE65400": 65400}
COMMON = ["A", "AAAA", "NS", "DS", "TXT", "MX", "CNAME", "SOA"]


class Question:
    """One question as it goes out: `wire` with ID 0."""

    def __init__(self, name, rdtype, do, size, mixed, odd=""):
        self.name, self.rdtype, self.do, self.edns_size, self.odd = name, rdtype, do, size, odd
        labels = [label for label in name.rstrip(".").split(".") if label]
        spelled = "".join(f"{chr(len(label))}{label}" for label in labels) + "\0"
        if mixed:
            spelled = "".join(c.upper() if i % 3 == 1 and c.isalpha() else c for i, c in enumerate(spelled))
        self.wire = struct.pack("!6H", 0, 0, 1, 0, 0, 1 if size else 0) + spelled.encode("latin-1") + struct.pack(
            "!HH", TYPES[rdtype], 1)
        if size:
            option = b"\xfd\xe9\0\4abcd" if odd == "option" else b""
            flags = (0x8000 if do else 0) | (0x10000 if odd == "version" else 0) | (0x1234 if odd == "flags" else 0)
            self.wire += struct.pack("!BHHIH", 0, 41, size, flags, len(option)) + option

    def __str__(self):
        edns = f"+bufsize={self.edns_size}" if self.edns_size else "+noedns"
        return f"{self.name} {self.rdtype} {edns}{' +dnssec' if self.do else ''} {self.odd}"


def draw_questions(draw, names, count):
    """`count` questions about `names`: themselves, above, beside and below them."""
    words = ["a", "zzz", "nothing", "*", "www", "m", "ns", "0", "host", "_x", "wild", "cut1"]
    out = []
    for _ in range(count):
        name = draw.choice(names)
        dice = draw.random()
        labels = [label for label in name.rstrip(".").split(".") if label]
        if dice < 0.25 and labels:
            labels = labels[1:]
        elif dice < 0.45:
            labels = [draw.choice(words)] + labels
        elif dice < 0.55:
            labels = [draw.choice(words), draw.choice(words)] + labels
        elif dice < 0.70 and labels:
            labels = [draw.choice(words)] + labels[1:]
        elif dice < 0.75 and labels:
            labels[0] = labels[0][:-1] + draw.choice("az-0") if len(labels[0]) > 1 else draw.choice("qz")
        if len(".".join(labels)) > 250 or any(len(label) > 63 for label in labels):
            labels = labels[1:]
        rdtype = draw.choice(COMMON) if draw.random() < 0.6 else draw.choice(list(TYPES))
        size = draw.choice([0, 512, 1232, 1232, 4096])
        out.append(Question(".".join(labels) + ".", rdtype, bool(size) and draw.random() < 0.6, size,
                            draw.random() < 0.3, draw.choice(["option", "flags", "version"] + [""] * 57)))
    return out


def put(server, questions, seconds=120, window=64):
    """The responses in the questions' order; a question without one after three tries has None."""
    answers, tries = [None] * len(questions), {}
    waiting, unsent = {}, list(range(len(questions) - 1, -1, -1))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        sock.connect((server.address, server.port))
        sock.setblocking(False)
        end = time.monotonic() + seconds
        while (unsent or waiting) and time.monotonic() < end:
            while unsent and len(waiting) < window:
                index = unsent.pop()
                if (index & 0xffff) in waiting:
                    unsent.insert(0, index)
                    break
                tries[index] = tries.get(index, 0) + 1
                waiting[index & 0xffff] = (index, time.monotonic())
                sock.send(struct.pack("!H", index & 0xffff) + questions[index].wire[2:])
            if select.select([sock], [], [], 0.2)[0]:
                while True:
                    try:
                        wire = sock.recv(65535)
                    except BlockingIOError:
                        break
                    index = waiting.pop(struct.unpack_from("!H", wire)[0], (None, 0))[0]
                    if index is not None:
                        answers[index] = wire
            late = [i for i, since in waiting.values() if time.monotonic() - since > 2]
            for index in late:
                del waiting[index & 0xffff]
                if tries[index] < 3:
                    unsent.append(index)
    return answers
