#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Finds the perfect hash of record type names and writes it into src/wire/rrtype.c.

The names come from the table in that file. Run it after adding a type:

    tools/rrtype_hash.py
"""
import pathlib
import random
import re

SOURCE = pathlib.Path(__file__).resolve().parent.parent / "src/wire/rrtype.c"
BEGIN = "/* Begin of what tools/rrtype_hash.py writes. */\n"
END = "/* End of what tools/rrtype_hash.py writes. */\n"
SLOTS_BITS = 9
MASK = (1 << 64) - 1


def name_word(name):
    """As name_slot() in rrtype.c, before the multiplication."""
    text = name.encode()
    if len(text) >= 4:
        word = int.from_bytes(text[:4], "little") | int.from_bytes(text[-4:], "little") << 32
    else:
        word = text[0] | text[len(text) >> 1] << 8 | text[-1] << 16
    return (word & 0xDFDFDFDFDFDFDFDF) + len(text)


def find_multiplier(words):
    generator = random.Random(1)
    while True:
        multiplier = generator.getrandbits(64) | 1
        if len({(word * multiplier & MASK) >> (64 - SLOTS_BITS) for word in words}) == len(words):
            return multiplier


def main():
    source = SOURCE.read_text()
    types = [(int(n), name) for n, name in re.findall(r'\{(\d+), [^"{}]*, "([A-Z0-9-]+)", \{FIELD', source)]
    words = {name: name_word(name) for _, name in types}
    multiplier = find_multiplier(list(words.values()))
    slots = [0] * (1 << SLOTS_BITS)
    for number, name in types:
        slots[(words[name] * multiplier & MASK) >> (64 - SLOTS_BITS)] = number
    lines = [f"static const uint64_t name_multiplier = 0x{multiplier:016x}u;\n\n"]
    lines.append("/* clang-format off */\n")
    lines.append("static const uint16_t type_by_hash[NAME_SLOTS] = {\n")
    for row in range(0, len(slots), 16):
        lines.append("    " + ", ".join(str(slot) for slot in slots[row : row + 16]) + ",\n")
    lines.append("};\n/* clang-format on */\n")
    before, rest = source.split(BEGIN)
    after = rest.split(END)[1]
    SOURCE.write_text(before + BEGIN + "".join(lines) + END + after)
    print(f"{len(types)} names, multiplier 0x{multiplier:016x}")


if __name__ == "__main__":
    main()
