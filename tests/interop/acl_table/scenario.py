# SPDX-License-Identifier: BSD-3-Clause
"""Who may do what: every combination of rule, address, key, transport and request, against a model of a few lines.

Each rule has a zone of its own at a primary, and one at a secondary for NOTIFY. Each refusal must name its rule.
"""
import base64
import itertools
import time

import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update

from harness import Zone, simple_zone

SECRETS = {"good": b"g" * 32, "other": b"o" * 32}
# Rules as they are written; A is the listed address, B another one.
RULES = {
    "nobody": "none;",
    "anybody": "any;",
    "address": "A;",
    "key": "key good;",
    "address-or-key": "A; key good;",
    "both": "A key good;",
    "both-nested": "!{ !A; any; }; key good;",
    "not-a": "!A; any;",
    "first-decides": "!A; key good;",
}
KEYS = ("", "good", "other", "unknown", "bad-secret")


def allows(rule, listed, key):
    """The model: what each rule says to a request whose signature, if any, is good."""
    good = key == "good"
    return {"nobody": False, "anybody": True, "address": listed, "key": good, "address-or-key": listed or good,
            "both": listed and good, "both-nested": listed and good, "not-a": not listed,
            "first-decides": not listed and good}[rule]


def keyring(key):
    """As the client has it: of a bad secret and of an unknown name as well."""
    name, secret = {"bad-secret": ("good", b"x" * 32), "unknown": ("stranger", b"s" * 32)}.get(key, (key, SECRETS.get(key)))
    return {dns.name.from_text(name): dns.tsig.Key(name, secret)}


def request(kind, zone, key):
    if kind == "query":
        message = dns.message.make_query(f"www.{zone}", "A")
    elif kind in ("AXFR", "IXFR"):
        message = dns.message.make_query(zone, kind)
        if kind == "IXFR":
            message.authority.append(dns.rrset.from_text(f"{zone}.", 300, "IN", "SOA", f"ns1.{zone}. admin.{zone}. 1 2 3 4 5"))
    elif kind == "NOTIFY":
        message = dns.message.make_query(zone, "SOA")
        message.set_opcode(dns.opcode.NOTIFY)
    else:
        message = dns.update.Update(zone)
        message.add(f"new.{zone}.", 300, "A", "192.0.2.5")
    message.flags &= ~dns.flags.RD
    if key:
        message.use_tsig(keyring(key))
    return message


def ask(server, message, transport, source):
    """The rcode, and the records in the answer section."""
    wire = message.to_wire()
    if transport == "udp":
        import socket
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.bind((source, 0))
            sock.sendto(wire, (server.address, server.port))
            reply = sock.recv(65535)
    else:
        import socket
        with socket.create_connection((server.address, server.port), 5, (source, 0)) as sock:
            sock.sendall(len(wire).to_bytes(2, "big") + wire)
            data = b""
            while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
                more = sock.recv(65536)
                assert more, "closed without an answer"
                data += more
            reply = data[2:]
    return reply[3] & 15, int.from_bytes(reply[6:8], "big")


def expected(kind, rule, listed, key, transport):
    if key in ("unknown", "bad-secret"):
        return dns.rcode.FORMERR if kind == "AXFR" and transport == "udp" else dns.rcode.NOTAUTH
    if kind == "AXFR" and transport == "udp":
        return dns.rcode.FORMERR  # whoever asks
    return dns.rcode.NOERROR if allows(rule, listed, key) else dns.rcode.REFUSED


def world(test):
    listed, stranger = f"{test.net}.10", f"{test.net}.20"
    for name, secret in SECRETS.items():
        test.keys[name] = ("hmac-sha256", base64.b64encode(secret).decode())
    primary = test.lockstep("primary")
    secondary = test.lockstep("secondary")
    feeder = test.lockstep("feeder")
    for label, rule in RULES.items():
        text = rule.replace("A;", f"{listed};").replace("A key", f"{listed} key")
        zone = simple_zone(f"{label}.test", 1, "www A 192.0.2.80")
        primary.add(Zone(f"{label}.test", zone,
                         extra=f"allow-query {{ {text} }}; allow-update {{ {text} }}; /*{label}*/"))
        feeder.add(Zone(f"{label}.test", zone))
        secondary.add(Zone(f"{label}.test", primaries=[feeder], extra=f"allow-notify {{ {text} }};"))
    primary.configure()
    path = primary.home / "named.conf"
    words = path.read_text().split("/*")
    for i, label in enumerate(RULES):
        text = RULES[label].replace("A;", f"{listed};").replace("A key", f"{listed} key")
        words[i] = words[i].replace("allow-transfer { 127.0.0.1; };", f"allow-transfer {{ {text} }};")
    path.write_text("/*".join(words))
    primary.configure = lambda: None
    for server in (feeder, primary, secondary):
        server.start()
    for label in RULES:
        test.wait_serial(secondary, f"{label}.test", 1)
    test.wait_for("all zones", lambda: "all zones loaded" in primary.log())
    return primary, secondary, listed, stranger


def test_every_combination(test):
    """Rule by address, key and transport, for queries, AXFR, IXFR, NOTIFY and UPDATE: the verdict is the model's."""
    primary, secondary, listed, stranger = world(test)
    wrong, count = [], 0
    for kind, rule, is_listed, key, transport in itertools.product(
            ("query", "AXFR", "IXFR", "NOTIFY", "UPDATE"), RULES, (True, False), KEYS, ("udp", "tcp")):
        server = secondary if kind == "NOTIFY" else primary
        rcode, answers = ask(server, request(kind, f"{rule}.test", key), transport, listed if is_listed else stranger)
        wanted = expected(kind, rule, is_listed, key, transport)
        count += 1
        if rcode != wanted:
            wrong.append(f"{kind} {rule} listed={is_listed} key={key or '-'} {transport}: "
                         f"{dns.rcode.to_text(rcode)}, not {dns.rcode.to_text(wanted)}")
        if rcode != 0 and answers:
            wrong.append(f"{kind} {rule} listed={is_listed} key={key or '-'} {transport}: refused, with records")
        if kind in ("AXFR", "query") and rcode == 0 and not answers:
            wrong.append(f"{kind} {rule} listed={is_listed} key={key or '-'} {transport}: allowed, without records")
    assert count == 5 * len(RULES) * 2 * len(KEYS) * 2
    assert not wrong, "\n".join(wrong)


def test_each_refusal_names_its_rule(test):
    """The log says which element of which statement decided, with its line; and which of a signature's four things."""
    primary, secondary, listed, stranger = world(test)
    named = {"AXFR": "allow-transfer", "UPDATE": "allow-update", "NOTIFY": "allow-notify"}
    decided = {"nobody": "`none`", "address": "no element matches", "key": "no element matches",
               "address-or-key": "no element matches", "both": "no element matches", "not-a": f"`!{listed}`",
               "first-decides": f"`!{listed}`", "both-nested": "`!{"}
    for kind, rule in itertools.product(named, decided):
        server = secondary if kind == "NOTIFY" else primary
        source = listed if rule in ("not-a", "first-decides") else stranger
        before = len(server.log())
        rcode, _ = ask(server, request(kind, f"{rule}.test", ""), "tcp" if kind == "AXFR" else "udp", source)
        assert rcode == dns.rcode.REFUSED, (kind, rule)
        time.sleep(0.11)  # ten lines a second of one kind are written
        test.wait_for(f"the refusal of {kind} {rule}", lambda server=server, before=before: f"{rule}.test" in server.log()[before:], 5)
        line = next(text for text in server.log()[before:].splitlines() if f"{rule}.test" in text)
        assert f"{named[kind]}: " in line and decided[rule] in line, (kind, rule, line)
        assert "no element matches" in decided[rule] or "named.conf:" in line, line
    for key, word in (("unknown", "unknown"), ("bad-secret", "secret")):
        before = len(primary.log())
        ask(primary, request("query", "anybody.test", key), "udp", listed)
        test.wait_for("the signature's failure", lambda before=before: "tsig verify failure" in primary.log()[before:], 5)
        assert word in primary.log()[before:], primary.log()[before:]
