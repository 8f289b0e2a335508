# SPDX-License-Identifier: BSD-3-Clause
"""Responses taken apart: just enough of RFC 1035 to compare tens of thousands of them quickly."""
import struct

NAMES_IN_RDATA = {2: (0,), 5: (0,), 6: (0, 0), 12: (0,), 15: (2,), 39: (0,), 33: (6,)}


class Response:
    """Sections as sorted lists of (owner, type, class, ttl, rdata), names lower case and not compressed."""

    def __init__(self, wire):
        self.wire, self.size = wire, len(wire)
        self.id, self.flags, *counts = struct.unpack_from("!6H", wire)
        self.rcode, self.edns, offset = self.flags & 15, None, 12
        self.question = []
        for _ in range(counts[0]):
            name, offset = self.name(offset)
            self.question.append((name, *struct.unpack_from("!HH", wire, offset)))
            offset += 4
        sections = []
        for count in counts[1:]:
            records = []
            for _ in range(count):
                record, offset = self.record(offset)
                if record is not None:
                    records.append(record)
            sections.append(records)
        self.answer_order = sections[0]
        self.answer, self.authority, self.additional = (sorted(s) for s in sections)
        if offset != len(wire):
            raise ValueError(f"{len(wire) - offset} octets behind the last record")

    def content(self):
        return self.rcode, self.flags & 0x600, self.answer, self.authority, self.additional

    @property
    def aa(self):
        return bool(self.flags & 0x400)

    @property
    def tc(self):
        return bool(self.flags & 0x200)

    def name(self, offset):
        labels, end, hops = [], None, 0
        while True:
            size = self.wire[offset]
            if size >= 192:
                end = offset + 2 if end is None else end
                offset = struct.unpack_from("!H", self.wire, offset)[0] & 0x3fff
                hops += 1
                if hops > 127:
                    raise ValueError("compression loop")
                continue
            offset += 1
            if size == 0:
                return b".".join(labels).lower() + b".", offset if end is None else end
            labels.append(self.wire[offset:offset + size].replace(b".", b"\\."))
            offset += size

    def record(self, offset):
        owner, offset = self.name(offset)
        kind, group, ttl, size = struct.unpack_from("!HHIH", self.wire, offset)
        offset += 10
        rdata, end = self.wire[offset:offset + size], offset + size
        if kind == 41:
            self.edns = (group, ttl, rdata)
            self.rcode |= (ttl >> 24) << 4
            return None, end
        if kind in NAMES_IN_RDATA:
            parts, at = [], offset
            for skip in NAMES_IN_RDATA[kind]:
                parts.append(self.wire[at:at + skip])
                name, at = self.name(at + skip)
                parts.append(name)
            rdata = b"|".join(parts) + self.wire[at:end]
        elif kind in (46, 47):  # signer's and next name: case differs with who signed, not with who answers
            rdata = rdata.lower()
        return (owner, kind, group, ttl, rdata), end
