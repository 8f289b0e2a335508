# SPDX-License-Identifier: BSD-3-Clause
"""Copies proved identical, and healed where they are not (U1, U5)."""
import json
import socket
import struct
import subprocess

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rdatatype
import dns.rrset

from harness import Zone, simple_zone
from scripted import ScriptedServer

NAME = "example.com"
FINGERPRINT = 65242  # docs/formats.md
SECRET = "c2VjcmV0IG9mIHRoZSBwcm9vZiBzY2VuYXJpbyAxMjM="


def tool(test, server, *words):
    done = subprocess.run([test.build / "lockstep", words[0], "-s", server.home / "lockstepd.ctl", *words[1:]],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"lockstep {words}: {done.stdout}{done.stderr}"
    return done.stdout


def status(test, server):
    return json.loads(tool(test, server, "status", NAME, "--json").splitlines()[-1])["zone"]


def counter(test, server):
    answer = json.loads(tool(test, server, "status", "--json").splitlines()[-1])
    return answer["server"]["counters"]["copies_diverged"]


def verdict(test, server):
    return status(test, server).get("proof", {}).get("verdict")


def shown(test, server, **how):
    """What the server shows of its zone to whoever asks."""
    option = dns.edns.GenericOption(FINGERPRINT, b"")
    response = test.ask(server, NAME, "SOA", use_edns=0, options=[option], **how)
    return [o.data for o in response.options if o.otype == FINGERPRINT]


def pair(test, text=None, key=""):
    primary, secondary = test.lockstep("primary"), test.lockstep("secondary")
    primary.add(Zone(NAME, text or simple_zone(NAME, 5, "www A 192.0.2.80"), secondaries=[secondary], key=key))
    secondary.add(Zone(NAME, primaries=[primary], key=key))
    return primary, secondary


def prove(test, secondary):
    """Asks for a refresh until it brought a proof."""
    tool(test, secondary, "refresh", NAME)
    test.wait_for("a proof", lambda: verdict(test, secondary) == "identical")


def test_equal_copies_are_proved_equal(test):
    primary, secondary = pair(test)
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 5)
    prove(test, secondary)
    ours, theirs = status(test, primary), status(test, secondary)
    assert ours["fingerprint"] == theirs["fingerprint"] and len(ours["fingerprint"]) == 64, (ours, theirs)
    assert theirs["state"] == "in-sync", theirs
    assert theirs["proof"]["primary"] == f"{primary.address}#{primary.port}", theirs
    assert "proof" not in ours, ours
    text = tool(test, secondary, "status", NAME)
    assert f"{theirs['fingerprint'][:16]}, proved identical to {primary.address}#{primary.port}" in text, text
    assert shown(test, primary) == [b"\1" + struct.pack("!I", 5) + bytes.fromhex(ours["fingerprint"])]
    for serial in (6, 7):
        primary.write_zone(NAME, simple_zone(NAME, serial, f"www A 192.0.2.{serial}"))
        primary.reload()
        test.wait_serial(secondary, NAME, serial)
        prove(test, secondary)
        assert status(test, primary)["fingerprint"] == status(test, secondary)["fingerprint"]
    for server in (primary, secondary):
        before = status(test, server)["fingerprint"]
        server.stop(), server.start()
        test.wait_serial(server, NAME, 7)
        test.wait_for("the same fingerprint", lambda: status(test, server).get("fingerprint") == before)
    prove(test, secondary)
    assert counter(test, secondary) == 0
    assert "differs" not in secondary.log()


def test_each_transfer_is_a_proof(test):
    """No refresh is needed: the transfer itself brings the fingerprint of its version."""
    records = "\n".join(f"h{i} A 192.0.2.{i % 250}" for i in range(200))
    primary, secondary = pair(test, simple_zone(NAME, 5, records))
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 5)
    test.wait_for("the proof of the AXFR", lambda: verdict(test, secondary) == "identical")
    for serial in (6, 7):
        primary.write_zone(NAME, simple_zone(NAME, serial, records + f"\nwww A 192.0.2.{serial}"))
        primary.reload()
        test.wait_serial(secondary, NAME, serial)
        test.wait_for("the proof of the IXFR", lambda: verdict(test, secondary) == "identical"
                      and status(test, secondary)["serial"] == serial)
    assert "form=IXFR" in secondary.log() and counter(test, secondary) == 0


def test_notify_shows_the_fingerprint(test):
    """NOTIFY shows the fingerprint to whom asked for it; one that differs makes the secondary ask."""
    primary, secondary = pair(test)
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 5)
    test.wait_for("a first proof", lambda: verdict(test, secondary) == "identical")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        # What the primary sends to the secondary's address, once the secondary is away.
        secondary.stop()
        listener.bind((secondary.address, secondary.port))
        listener.settimeout(20)
        primary.write_zone(NAME, simple_zone(NAME, 6, "www A 192.0.2.6"))
        primary.reload()
        notify = dns.message.from_wire(listener.recvfrom(4096)[0])
    shown_by_notify = [o.data for o in notify.options if o.otype == FINGERPRINT]
    assert shown_by_notify == shown(test, primary), (shown_by_notify, notify)
    secondary.start()
    test.wait_serial(secondary, NAME, 6)
    test.wait_for("a proof", lambda: verdict(test, secondary) == "identical")
    # A forged one with the right serial and a wrong digest: asked about, and nothing transferred.
    forged = dns.message.make_query(NAME, "SOA", use_edns=0,
                                    options=[dns.edns.GenericOption(FINGERPRINT, b"\1" + struct.pack("!I", 6) + bytes(32))])
    forged.set_opcode(dns.opcode.NOTIFY)
    forged.flags = forged.flags & ~dns.flags.RD | dns.flags.AA
    before, refreshed = secondary.log().count("Transfer status"), status(test, secondary)["proof"].get("compared_at_s")
    reply = dns.query.udp(forged, secondary.address, port=secondary.port, source=primary.address, timeout=10)
    assert reply.rcode() == 0, reply
    test.wait_for("a comparison", lambda: status(test, secondary)["refresh"]["activity"] == "idle"
                  and verdict(test, secondary) == "identical")
    assert secondary.log().count("Transfer status") == before and counter(test, secondary) == 0, refreshed


def test_divergence_is_found_and_healed(test):
    """A copy with the primary's serial and another record: found by the first refresh, transferred whole."""
    primary, secondary = pair(test)
    secondary.zone_path(NAME).write_text(simple_zone(NAME, 5, "www A 192.0.2.81"))
    primary.start()
    secondary.start()
    test.wait_serial(secondary, NAME, 5)
    assert "192.0.2.81" in str(test.ask(secondary, f"www.{NAME}", "A").answer)
    for server in (primary, secondary):
        test.wait_for("fingerprints", lambda: "fingerprint" in status(test, server))
    assert status(test, secondary)["fingerprint"] != status(test, primary)["fingerprint"]
    prove(test, secondary)
    assert "192.0.2.80" in str(test.ask(secondary, f"www.{NAME}", "A").answer)
    where = f"primary {primary.address}#{primary.port} at serial 5"
    assert f"zone {NAME}/IN: copy differs from {where}: transferring anew" in secondary.log()
    assert f"zone {NAME}/IN: copy is identical again to {where}" in secondary.log()
    assert counter(test, secondary) == 1
    assert test.same(NAME, primary, secondary) == 6
    primary.write_zone(NAME, simple_zone(NAME, 6, "www A 192.0.2.82"))
    primary.reload()
    test.wait_serial(secondary, NAME, 6)
    prove(test, secondary)


def test_large_zones_are_proved_when_they_are_counted(test):
    records = "\n".join(f"h{i} A 192.0.2.{i % 250}" for i in range(20000))
    primary, secondary = pair(test, simple_zone(NAME, 5, records))
    secondary.zone_path(NAME).write_text(simple_zone(NAME, 5, records.replace("h7 A 192", "h7 A 193")))
    primary.start()
    test.wait_for("the primary's fingerprint", lambda: "fingerprint" in status(test, primary))
    secondary.start()
    test.wait_serial(secondary, NAME, 5)
    prove(test, secondary)
    assert counter(test, secondary) == 1
    assert test.same(NAME, primary, secondary) == 20005


def test_signed_pair(test):
    """The fingerprint is for those who may transfer: with the key yes, without it no."""
    test.keys["proof"] = ("hmac-sha256", SECRET)
    primary, secondary = pair(test, key="proof")
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 5)
    prove(test, secondary)
    assert shown(test, primary) == []


def test_bind_as_primary_is_not_disturbed(test):
    """A primary of another kind passes the option over: refresh works, nothing is proved."""
    primary, secondary = test.peer("bind"), test.lockstep("secondary")
    primary.add(Zone(NAME, simple_zone(NAME, 5), secondaries=[secondary]))
    secondary.add(Zone(NAME, primaries=[primary]))
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 5)
    before = status(test, secondary)["refresh"]["next_at_s"]
    tool(test, secondary, "refresh", NAME)
    test.wait_for("a refresh", lambda: status(test, secondary)["refresh"].get("next_at_s", before) != before
                  or status(test, secondary)["refresh"]["activity"] == "idle")
    found = status(test, secondary)
    assert found["state"] == "in-sync" and "proof" not in found and len(found["fingerprint"]) == 64, found
    assert "failure trying primary" not in secondary.log()


def test_healing_that_does_not_help_ends(test):
    """A primary that counts otherwise: one transfer for what it showed, then only an error a refresh."""
    secondary, primary = test.lockstep("secondary"), MiscountingPrimary(test)
    secondary.add(Zone(NAME, primaries=[primary]))
    primary.begin()
    try:
        secondary.start()
        test.wait_serial(secondary, NAME, 5)
        begun = primary.transfers
        tool(test, secondary, "refresh", NAME)
        test.wait_for("the error", lambda: "copy still differs from primary" in secondary.log())
        assert status(test, secondary)["state"] == "diverged"
        assert "differs from" in tool(test, secondary, "status", NAME)
        tool(test, secondary, "refresh", NAME)
        test.wait_for("another error", lambda: secondary.log().count("copy still differs from primary") == 2)
        assert primary.transfers == begun + 1, (begun, primary.transfers)
        assert counter(test, secondary) == 3
        primary.digest = bytes(31) + b"\1"
        tool(test, secondary, "refresh", NAME)
        test.wait_for("a transfer for the other digest", lambda: primary.transfers == begun + 2)
    finally:
        primary.end()


class MiscountingPrimary(ScriptedServer):
    """Serves one version over UDP and TCP, and shows a digest that is not its own."""

    patience = 1

    def __init__(self, test):
        super().__init__(test, "miscounting")
        self.digest, self.transfers = bytes(32), 0

    def respond(self, data):
        query = dns.message.from_wire(data)
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        soa = dns.rrset.from_text(f"{NAME}.", 300, "IN", "SOA", f"ns1.{NAME}. admin.{NAME}. 5 3600 900 1209600 300")
        response.answer.append(soa)
        if query.question[0].rdtype == dns.rdatatype.SOA:
            option = dns.edns.GenericOption(FINGERPRINT, b"\1" + struct.pack("!I", 5) + self.digest)
            response.use_edns(0, options=[option])
            return response.to_wire()
        self.transfers += 1
        response.answer.append(dns.rrset.from_text(f"{NAME}.", 300, "IN", "NS", f"ns1.{NAME}."))
        response.answer.append(dns.rrset.from_text(f"ns1.{NAME}.", 300, "IN", "A", "192.0.2.1"))
        response.use_edns(False)
        wire = response.to_wire()
        last = dns.message.Message(id=query.id)
        last.answer.append(soa)
        tail = last.to_wire()[12:]
        # The SOA stands at both ends; dnspython would merge them.
        count = struct.unpack("!H", wire[6:8])[0]
        return wire[:6] + struct.pack("!H", count + 1) + wire[8:] + tail

    def datagram(self, data):
        return self.respond(data)

    def connection(self, sock):
        while self.open and len(size := sock.recv(2)) == 2:
            wire = self.respond(sock.recv(struct.unpack("!H", size)[0]))
            sock.sendall(struct.pack("!H", len(wire)) + wire)
