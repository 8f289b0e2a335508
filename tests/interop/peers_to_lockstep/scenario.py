# SPDX-License-Identifier: BSD-3-Clause
"""Each peer as primary, ours as secondary: R4 R6 R7 N1 X1."""
from harness import Zone, simple_zone

NAME = "example.com"
RECORDS = """www A 192.0.2.80
www AAAA 2001:db8::80
mail MX 10 mx
mx A 192.0.2.25
txt TXT "one" "two"
*.wild CNAME www
a.b.c.ent A 192.0.2.9
sub NS ns.sub
ns.sub A 192.0.2.53
srv SRV 1 2 3 www
"""


def follow(test, kind):
    peer, ours = test.peer(kind), test.lockstep("ours")
    peer.add(Zone(NAME, simple_zone(NAME, 1, RECORDS), secondaries=[ours]))
    ours.add(Zone(NAME, primaries=[peer]))
    peer.start(), ours.start()
    test.wait_serial(ours, NAME, 1, 40)
    test.same(NAME, peer, ours)
    for serial in (2, 3, 4):
        peer.write_zone(NAME, simple_zone(NAME, serial, RECORDS + f"n{serial} A 192.0.2.{serial}\n"))
        peer.reload()
        test.wait_serial(peer, NAME, serial, 40)
        test.wait_serial(ours, NAME, serial, 40)
        assert test.same(NAME, peer, ours) == 16
    for question in (("www", "A"), ("no", "A"), ("x.wild", "A"), ("ent", "A"), ("h.sub", "A"), ("mail", "MX")):
        theirs = test.ask(peer, f"{question[0]}.{NAME}", question[1])
        mine = test.ask(ours, f"{question[0]}.{NAME}", question[1])
        assert theirs.rcode() == mine.rcode(), question
        assert sorted(map(str, theirs.answer)) == sorted(map(str, mine.answer)), (question, theirs, mine)


def test_from_bind(test):
    follow(test, "bind")


def test_from_knot(test):
    follow(test, "knot")


def test_from_nsd(test):
    follow(test, "nsd")


def test_from_pdns(test):
    follow(test, "pdns")
