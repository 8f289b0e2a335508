# SPDX-License-Identifier: BSD-3-Clause
"""Ours as primary, each peer as secondary: R4 R7 N1 X1."""
from harness import Zone, simple_zone

NAME = "example.com"
RECORDS = """www A 192.0.2.80
www AAAA 2001:db8::80
mail MX 10 mx
mx A 192.0.2.25
txt TXT "one" "two with \\"quotes\\""
*.wild CNAME www
a.b.c.ent A 192.0.2.9
sub NS ns.sub
ns.sub A 192.0.2.53
srv SRV 1 2 3 www
caa CAA 0 issue "ca.example.net"
sshfp SSHFP 1 1 123456789ABCDEF67890123456789ABCDEF67890
MixedCase A 192.0.2.44
"""


# PowerDNS 4.7 cannot read back the file it writes for a type it does not know.
UNKNOWN = "unknown TYPE65400 \\# 4 0A000001\n"


def follow(test, kind, more=UNKNOWN):
    primary, peer = test.lockstep("ours"), test.peer(kind)
    primary.add(Zone(NAME, simple_zone(NAME, 1, RECORDS + more), secondaries=[peer]))
    peer.add(Zone(NAME, primaries=[primary]))
    primary.start(), peer.start()
    test.wait_serial(peer, NAME, 1, 40)
    test.same(NAME, primary, peer)
    for serial in (2, 3, 4):
        primary.write_zone(NAME, simple_zone(NAME, serial, RECORDS + more + f"n{serial} A 192.0.2.{serial}\n"))
        primary.reload()
        test.wait_serial(peer, NAME, serial, 40)
        assert test.same(NAME, primary, peer) == 19 + bool(more)


def test_bind_follows(test):
    follow(test, "bind")


def test_knot_follows(test):
    follow(test, "knot")


def test_nsd_follows(test):
    follow(test, "nsd")


def test_pdns_follows(test):
    follow(test, "pdns", "")
