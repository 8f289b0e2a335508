# SPDX-License-Identifier: BSD-3-Clause
"""TSIG: T4 T5 T6 T7 T8 D4. Transfers in both roles with every peer, and what each mismatch says."""
import base64
import io
import socket
import struct
import subprocess
import threading
import time
from unittest import mock

import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.rrset
import dns.tsig
import dns.tsigkeyring

from harness import Zone, simple_zone

NAME = "example.com"
KEY = "transfer-key"
SECRET = base64.b64encode(bytes(range(1, 33))).decode()
LONG_SECRET = base64.b64encode(bytes(range(100, 164))).decode()
OTHER_SECRET = base64.b64encode(bytes(range(2, 34))).decode()
RECORDS = "".join(f"host{i} A 192.0.2.{i % 250}\n" for i in range(300))


def zone_text(serial):
    return simple_zone(NAME, serial, RECORDS + f"n{serial} TXT \"version {serial}\"\n")


def change(server, serial):
    server.write_zone(NAME, zone_text(serial))
    server.reload()


def follow(test, primary, secondary, algorithm, secret=SECRET):
    test.keys[KEY] = (algorithm, secret)
    compare = algorithm.count("-") == 1  # dnspython has another idea of cut MACs
    primary.add(Zone(NAME, zone_text(1), secondaries=[secondary], key=KEY))
    secondary.add(Zone(NAME, primaries=[primary], key=KEY))
    primary.start(), secondary.start()
    for serial in (1, 2, 3):
        if serial > 1:
            change(primary, serial)
        test.wait_serial(secondary, NAME, serial, 40)
        if compare:
            test.same(NAME, primary, secondary)


def we_lead(test, kind, algorithm, secret=SECRET):
    ours, peer = test.lockstep(), test.peer(kind)
    follow(test, ours, peer, algorithm, secret)
    log = ours.log()
    ended = [line for line in log.splitlines() if "ended: " in line]
    assert ended and all(f"/key {KEY}: " in line for line in ended), ended
    assert "tsig_failed" not in log and "invalid signature" not in log, log


def we_follow(test, kind, algorithm, secret=SECRET):
    peer, ours = test.peer(kind), test.lockstep()
    follow(test, peer, ours, algorithm, secret)
    test.wait_for("three transfers are logged", lambda: ours.log().count("Transfer completed: ") >= 3, 10)
    log = ours.log()
    done = [line for line in log.splitlines() if "Transfer completed: " in line]
    assert all(f"key={KEY}" in line for line in done), done
    assert "invalid signature" not in log, log


def test_our_pair_sha256(test):
    primary, secondary = test.lockstep("primary"), test.lockstep("secondary")
    follow(test, primary, secondary, "hmac-sha256")
    assert f"/key {KEY}" in primary.log() and f"key={KEY}" in secondary.log()
    # Without the key nobody gets the zone, from whichever address.
    assert refused(test, primary) == "REFUSED"


def test_our_pair_other_algorithms(test):
    for number, algorithm in enumerate(("hmac-sha512", "hmac-sha384", "hmac-sha224", "hmac-sha1",
                                        "hmac-sha256-128")):
        primary, secondary = test.lockstep(f"primary{number}"), test.lockstep(f"secondary{number}")
        primary.keys = secondary.keys = {KEY: (algorithm, LONG_SECRET)}
        primary.add(Zone(NAME, zone_text(1), secondaries=[secondary], key=KEY))
        secondary.add(Zone(NAME, primaries=[primary], key=KEY))
        primary.start(), secondary.start()
        test.wait_serial(secondary, NAME, 1)
        change(primary, 2)
        test.wait_serial(secondary, NAME, 2)
        primary.stop(), secondary.stop()


def test_our_pair_md5_only_where_allowed(test):
    primary = test.lockstep("primary", "allow-weak-tsig yes;")
    secondary = test.lockstep("secondary", "allow-weak-tsig yes;")
    follow(test, primary, secondary, "hmac-md5")
    third = test.lockstep("third")
    third.add(Zone(NAME, primaries=[primary], key=KEY))
    third.start(wait=False)
    third.process.wait(10)
    assert third.process.returncode != 0 and "hmac-md5" in third.log()
    third.allowed_exits = {third.process.returncode}


def test_bind_follows_sha256(test):
    we_lead(test, "bind", "hmac-sha256")


def test_bind_follows_sha512(test):
    we_lead(test, "bind", "hmac-sha512", LONG_SECRET)


def test_bind_follows_cut_mac(test):
    we_lead(test, "bind", "hmac-sha256-128")


def test_knot_follows_sha256(test):
    we_lead(test, "knot", "hmac-sha256")


def test_knot_follows_sha512(test):
    we_lead(test, "knot", "hmac-sha512", LONG_SECRET)


def test_nsd_follows_sha256(test):
    we_lead(test, "nsd", "hmac-sha256")


def test_nsd_follows_sha512(test):
    we_lead(test, "nsd", "hmac-sha512", LONG_SECRET)


def test_pdns_follows_sha256(test):
    we_lead(test, "pdns", "hmac-sha256")


def test_from_bind_sha256(test):
    we_follow(test, "bind", "hmac-sha256")


def test_from_bind_sha512(test):
    we_follow(test, "bind", "hmac-sha512", LONG_SECRET)


def test_from_bind_cut_mac(test):
    we_follow(test, "bind", "hmac-sha256-128")


def test_from_knot_sha256(test):
    we_follow(test, "knot", "hmac-sha256")


def test_from_knot_sha512(test):
    we_follow(test, "knot", "hmac-sha512", LONG_SECRET)


def test_from_nsd_sha256(test):
    we_follow(test, "nsd", "hmac-sha256")


def test_from_nsd_sha512(test):
    we_follow(test, "nsd", "hmac-sha512", LONG_SECRET)


def test_from_pdns_sha256(test):
    we_follow(test, "pdns", "hmac-sha256")


# ---- one primary of ours, and clients ----


def one_primary(test, keys=None, options="", **zone):
    ours = test.lockstep(options=options)
    ours.keys = keys or {KEY: ("hmac-sha256", SECRET)}
    zone.setdefault("key", KEY)
    ours.add(Zone(NAME, zone_text(7), **zone)).start()
    test.wait_serial(ours, NAME, 7)
    return ours


def ring(name, algorithm, secret):
    return {"keyring": dns.tsigkeyring.from_text({name: (algorithm + ".", secret)}), "keyname": name}


def refused(test, server, **how):
    """What a transfer fails with: the name of an rcode or of the TSIG error, "" where it does not."""
    query = dns.message.make_query(NAME, "AXFR")
    if how:
        query.use_tsig(how["keyring"], how["keyname"])
    wire = query.to_wire()
    received = tcp(server, wire)
    answer = without_verifying(received)
    if answer.answer:
        return ""
    tsig = answer.tsig[0] if answer.tsig else None
    return (dns.rcode.to_text(dns.rcode.Rcode(tsig.error), tsig=True) if tsig is not None and tsig.error
            else dns.rcode.to_text(answer.rcode()))


def tcp(server, wire):
    with socket.create_connection((server.address, server.port), 10) as sock:
        sock.sendall(struct.pack("!H", len(wire)) + wire)
        sock.settimeout(10)
        data = b""
        while len(data) < 2 or len(data) < 2 + struct.unpack("!H", data[:2])[0]:
            more = sock.recv(65536)
            assert more, "connection closed"
            data += more
    return data[2:]


def without_verifying(wire):
    with mock.patch("dns.tsig.validate"):
        return dns.message.from_wire(wire, keyring=dns.tsig.Key("any", b"any"))


def test_dig_transfers_with_y(test):
    ours = one_primary(test)

    def dig(key, *words):
        return subprocess.run(["dig", f"@{ours.address}", "-p", str(ours.port), "+time=3", "+tries=1", NAME, *words,
                               "-y", key], capture_output=True, text=True, timeout=20).stdout
    out = dig(f"hmac-sha256:{KEY}:{SECRET}", "AXFR")
    assert "XFR size: 307 records" in out, out
    assert "NOERROR" in out and "BADSIG" not in out
    out = dig(f"hmac-sha256:{KEY}:{SECRET}", "SOA")
    assert "status: NOERROR" in out and f"{KEY}.\t\t0\tANY\tTSIG" in out, out
    assert "BADSIG" in dig(f"hmac-sha256:{KEY}:{OTHER_SECRET}", "AXFR")
    assert "BADKEY" in dig(f"hmac-sha512:{KEY}:{SECRET}", "AXFR")
    assert "BADKEY" in dig(f"hmac-sha256:no-such-key:{SECRET}", "AXFR")


def test_each_mismatch_is_named(test):
    ours = one_primary(test)
    assert refused(test, ours) == "REFUSED"
    assert refused(test, ours, **ring("elsewhere", "hmac-sha256", SECRET)) == "BADKEY"
    assert refused(test, ours, **ring(KEY, "hmac-sha512", SECRET)) == "BADKEY"
    assert refused(test, ours, **ring(KEY, "hmac-sha256", OTHER_SECRET)) == "BADSIG"
    real = time.time
    with mock.patch("time.time", lambda: real() - 1000):
        assert refused(test, ours, **ring(KEY, "hmac-sha256", SECRET)) == "BADTIME"
    assert refused(test, ours, **ring(KEY, "hmac-sha256-128", SECRET)) in ("BADKEY", "BADTRUNC")
    test.wait_for("the last line", lambda: "the clock differs" in ours.log(), 10)
    log = ours.log()
    for code, name, reason in (
            ("BADKEY", "elsewhere", "unknown key name: there is no key 'elsewhere' here"),
            ("BADKEY", KEY, f"the algorithm differs: key '{KEY}' is hmac-sha256 here, the request has hmac-sha512"),
            ("BADSIG", KEY, f"the secret of key '{KEY}' differs"),
            ("BADTIME", KEY, "the clock differs: the client's is 1000 s behind ours, 300 s are allowed")):
        lines = [line for line in log.splitlines() if reason in line]
        assert lines and f"request has invalid signature: TSIG {name}: tsig verify failure ({code})" in lines[0], \
            (reason, log)
    for secret in (SECRET, OTHER_SECRET):
        assert secret not in log and base64.b64decode(secret).hex() not in log


def test_only_who_knows_the_secret_gets_a_signature(test):
    ours = one_primary(test)
    for how, is_signed in ((ring("elsewhere", "hmac-sha256", SECRET), False),
                           (ring(KEY, "hmac-sha256", OTHER_SECRET), False),
                           (ring(KEY, "hmac-sha256", SECRET), True)):
        real = time.time
        query = dns.message.make_query(NAME, "SOA")
        query.use_tsig(how["keyring"], how["keyname"])
        with mock.patch("time.time", lambda: real() - 1000):
            wire = query.to_wire()
        for send in (tcp, udp):
            received = send(ours, wire)
            answer = without_verifying(received)
            assert answer.rcode() == dns.rcode.NOTAUTH
            assert bool(answer.tsig[0].mac) == is_signed
            assert len(received) <= len(wire) + 6
            if is_signed:  # BADTIME: the time of the request, ours beside it
                assert abs(struct.unpack("!HI", answer.tsig[0].other)[1] - real()) < 5
                assert answer.tsig[0].time_signed < real() - 990
                query_mac = without_verifying(wire).tsig[0].mac
                try:
                    dns.message.from_wire(received, keyring=how["keyring"], request_mac=query_mac)
                    raise AssertionError("BADTIME was not reported")
                except dns.tsig.PeerBadTime:
                    pass


def udp(server, wire):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.sendto(wire, (server.address, server.port))
        return sock.recv(65535)


def test_signed_queries_over_udp_and_tcp(test):
    ours = one_primary(test)
    keys = ring(KEY, "hmac-sha256", SECRET)
    for name, rdtype, rcode in (("host3." + NAME, "A", 0), ("nowhere." + NAME, "A", 3), ("elsewhere.org", "A", 5)):
        for send in (dns.query.udp, dns.query.tcp):
            query = dns.message.make_query(name, rdtype, use_edns=True)
            query.use_tsig(keys["keyring"], keys["keyname"])
            answer = send(query, ours.address, timeout=10, port=ours.port)  # verifies
            assert answer.had_tsig and answer.rcode() == rcode
    # A forwarder changes the ID: the original one is what was signed.
    query = dns.message.make_query("host3." + NAME, "A")
    query.use_tsig(keys["keyring"], keys["keyname"])
    wire = bytearray(query.to_wire())
    wire[0] ^= 0xff
    assert without_verifying(udp(ours, bytes(wire))).rcode() == 0
    # TSIG not at the end is malformed.
    query = dns.message.make_query("host3." + NAME, "A")
    query.use_tsig(keys["keyring"], keys["keyname"])
    wire = bytearray(query.to_wire())
    wire[11] += 1
    wire += bytes.fromhex("00002900000000000000 00".replace(" ", ""))
    assert without_verifying(udp(ours, bytes(wire))).rcode() == dns.rcode.FORMERR


def test_a_key_speaks_for_its_own_question_only(test):
    """Over UDP the same place of the batch is used again for the next question."""
    ours = test.lockstep()
    ours.keys = {KEY: ("hmac-sha256", SECRET)}
    ours.add(Zone(NAME, zone_text(7), key=KEY, extra=f'allow-query {{ key "{KEY}"; }};')).start()
    keys = ring(KEY, "hmac-sha256", SECRET)

    def rcode(signed):
        query = dns.message.make_query("host3." + NAME, "A")
        if signed:
            query.use_tsig(keys["keyring"], keys["keyname"])
        answer = dns.query.udp(query, ours.address, timeout=10, port=ours.port)
        assert answer.had_tsig == signed
        return answer.rcode()

    test.wait_for("the zone", lambda: rcode(True) == dns.rcode.NOERROR)
    for _ in range(3):
        assert rcode(True) == dns.rcode.NOERROR
        assert rcode(False) == dns.rcode.REFUSED


def test_notify_with_a_wrong_key_is_refused(test):
    primary, ours = test.lockstep("primary"), test.lockstep("secondary")
    test.keys[KEY] = ("hmac-sha256", SECRET)
    primary.add(Zone(NAME, zone_text(1), secondaries=[ours], key=KEY))
    ours.add(Zone(NAME, primaries=[primary], key=KEY))
    primary.start(), ours.start()
    test.wait_serial(ours, NAME, 1)
    for secret, rcode in ((OTHER_SECRET, dns.rcode.NOTAUTH), (SECRET, dns.rcode.NOERROR)):
        notify = dns.message.make_query(NAME, "SOA")
        notify.set_opcode(dns.opcode.NOTIFY)
        notify.flags = (notify.flags | dns.flags.AA) & ~dns.flags.RD
        keys = ring(KEY, "hmac-sha256", secret)
        notify.use_tsig(keys["keyring"], keys["keyname"])
        assert without_verifying(udp(ours, notify.to_wire())).rcode() == rcode


def test_our_secondary_names_what_differs(test):
    primaries = {kind: test.peer(kind) for kind in ("bind", "knot", "nsd")}
    primaries["ours"] = test.lockstep("ours")
    cases = {
        "name": ({"other-name": ("hmac-sha256", SECRET)}, "other-name", "(BADKEY)"),
        "algorithm": ({KEY: ("hmac-sha512", SECRET)}, KEY, "(BADKEY)"),
        "secret": ({KEY: ("hmac-sha256", OTHER_SECRET)}, KEY, "(BADSIG)"),
    }
    secondaries = []
    for kind, primary in primaries.items():
        primary.keys = {KEY: ("hmac-sha256", SECRET)}
        primary.add(Zone(NAME, zone_text(1), key=KEY))
        primary.start()
    for what, (keys, key, code) in cases.items():
        for kind, primary in primaries.items():
            ours = test.lockstep(f"{what}-{kind}")
            ours.keys = keys
            ours.add(Zone(NAME, primaries=[primary], key=key)).start()
            # NSD looks for the key by its name alone, and refuses by its access rules, well signed.
            secondaries.append((ours, "", "REFUSED") if (what, kind) == ("algorithm", "nsd") else (ours, key, code))
    for ours, key, code in secondaries:
        def lines(ours=ours, code=code):
            return [line for line in ours.log().splitlines() if "failure trying primary" in line and code in line]
        test.wait_for(f"{ours.name} names {code}", lines, 20)
        assert key in lines()[0], lines()[0]
        assert SECRET not in ours.log() and OTHER_SECRET not in ours.log()
        assert test.serial(ours, NAME) is None


def test_rollover_refuses_no_transfer(test):
    old, new = "key-2025", "key-2026"
    both = {old: ("hmac-sha256", SECRET), new: ("hmac-sha512", LONG_SECRET)}
    primary, secondary = test.lockstep("primary"), test.lockstep("secondary")
    primary.keys, secondary.keys = {old: both[old]}, {old: both[old]}
    primary.add(Zone(NAME, zone_text(1), secondaries=[secondary], key=old))
    secondary.add(Zone(NAME, primaries=[primary], key=old))
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 1)
    # 1. The primary takes both.
    primary.keys = both
    primary.zone(NAME).extra = ""
    primary.configure()
    text = (primary.home / "named.conf").read_text()
    (primary.home / "named.conf").write_text(
        text.replace(f"allow-transfer {{ key {old}; }};", f"allow-transfer {{ key {old}; key {new}; }};"))
    change(primary, 2)
    test.wait_serial(secondary, NAME, 2)
    for key in both:
        assert test.transfer(primary, NAME, **ring(key, *both[key]))
    # 2. The secondary changes over, while the old key is still good.
    secondary.keys = both
    secondary.zone(NAME).key = new
    secondary.configure()
    secondary.reload()
    change(primary, 3)
    test.wait_serial(secondary, NAME, 3)
    # A transfer may still have begun under the old configuration: one more change then shows the new key.
    serials = iter(range(4, 200))
    test.wait_for("the new key is used", lambda: f"key={new}" in secondary.log() or change(primary, next(serials)), 20)
    # 3. The old one goes.
    primary.keys = {new: both[new]}
    primary.zone(NAME).key = new
    primary.configure()
    change(primary, 300)
    test.wait_serial(secondary, NAME, 300)
    assert "denied" not in primary.log() and "invalid signature" not in primary.log(), primary.log()
    assert "invalid signature" not in secondary.log(), secondary.log()
    assert refused(test, primary, **ring(old, *both[old])) == "BADKEY"


def test_seed_configuration_loads_verbatim(test):
    ours = test.lockstep()
    ours.keys = {}
    ours.add(Zone(NAME, zone_text(1)))
    ours.configure()
    text = (ours.home / "named.conf").read_text()
    seed = ('key "transfer-key" {\n    algorithm hmac-sha256;\n'
            f'    secret "{SECRET}";\n}};\n')
    text = seed + text.replace("allow-transfer { 127.0.0.1; };", 'allow-transfer { key "transfer-key"; };')
    ours.configure = lambda: (ours.home / "named.conf").write_text(text)
    ours.start()
    test.wait_serial(ours, NAME, 1)
    assert len(test.transfer(ours, NAME, **ring("transfer-key", "hmac-sha256", SECRET))) > 300


def test_address_and_key_in_one_rule(test):
    stranger = test.next_address()
    ours = one_primary(test, key="")
    text = (ours.home / "named.conf").read_text()
    (ours.home / "named.conf").write_text(
        text.replace("allow-transfer { 127.0.0.1; };", f"allow-transfer {{ 127.0.0.0/30 key {KEY}; }};"))
    ours.reload()
    keys = ring(KEY, "hmac-sha256", SECRET)
    test.wait_for("the rule holds", lambda: refused(test, ours) == "REFUSED", 5)
    assert test.transfer(ours, NAME, **keys)
    try:
        test.transfer(ours, NAME, source=stranger, **keys)
        raise AssertionError("the right key from the wrong address")
    except dns.query.TransferError as error:
        assert error.rcode == dns.rcode.REFUSED


# ---- a scripted primary ----


class Scripted:
    """Answers AXFR over TCP in messages of its own making; `mode` says how it signs them."""

    def __init__(self, test, mode):
        self.name, self.mode, self.address, self.port = mode, mode, "127.0.0.1", test.next_port()
        self.key = dns.tsig.Key(KEY, base64.b64decode(SECRET), "hmac-sha256.")
        self.open, self.error = True, None
        self.tcp = socket.create_server((self.address, self.port))
        self.tcp.settimeout(0.2)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def end(self):
        self.open = False
        self.thread.join()
        self.tcp.close()

    def serve(self):
        while self.open:
            try:
                sock, _ = self.tcp.accept()
            except socket.timeout:
                continue
            with sock:
                sock.settimeout(5)
                try:
                    while self.open:
                        size = sock.recv(2)
                        if len(size) < 2:
                            break
                        wire = sock.recv(struct.unpack("!H", size)[0])
                        for message in self.messages(dns.message.from_wire(wire, keyring=self.key)):
                            sock.sendall(struct.pack("!H", len(message)) + message)
                except OSError:
                    pass

    def messages(self, query):
        count = 250
        soa = dns.rrset.from_text(NAME + ".", 300, "IN", "SOA", f"ns1.{NAME}. admin.{NAME}. 5 3600 1 1209600 300")
        context = None
        for i in range(count):
            message = dns.message.Message(id=query.id)
            message.flags = dns.flags.QR | dns.flags.AA
            if i == 0:
                message.question = query.question
                message.answer += [soa, dns.rrset.from_text(NAME + ".", 300, "IN", "NS", f"ns1.{NAME}.")]
            message.answer.append(dns.rrset.from_text(f"n{i}.{NAME}.", 300, "IN", "A", "192.0.2.1"))
            if i == count - 1:
                message.answer.append(soa)
            wire = message.to_wire()
            every = {"sparse": 99, "too-sparse": 101}.get(self.mode, 5)
            last = i == count - 1 and self.mode != "last-unsigned"
            if self.mode == "unsigned" or not (i == 0 or last or i % every == 0):
                if context is not None:
                    context.update(wire)
                yield wire
                continue
            offset = 5000 if self.mode == "clock" else 0
            record = dns.rdtypes.ANY.TSIG.TSIG(dns.rdataclass.ANY, dns.rdatatype.TSIG, self.key.algorithm, 0, 300, b"",
                                               query.id, 0, b"")
            record, context = dns.tsig.sign(wire, self.key, record, int(time.time()) + offset,
                                            query.mac if i == 0 else b"", context, True)
            if self.mode == "wrong-mac" and i == 100:
                record = record.replace(mac=record.mac[:-1] + bytes([record.mac[-1] ^ 1]))
            if self.mode == "changed" and i == 100:
                wire = wire[:-1] + b"\x02"
            data = io.BytesIO()
            record.to_wire(data)
            wire = wire[:10] + struct.pack("!H", 1) + wire[12:] + self.key.name.to_wire() + struct.pack(
                "!HHIH", 250, 255, 0, len(data.getvalue())) + data.getvalue()
            yield wire


def test_signed_streams_are_taken_or_dropped_whole(test):
    modes = {"good": None, "sparse": None,
             "too-sparse": "more than 99 messages in a row are not signed",
             "unsigned": f"the reply (NOERROR) is not signed, the request was, with key '{KEY}'",
             "last-unsigned": "the last message of the reply is not signed",
             "wrong-mac": "the signature of message 101 of the reply is wrong",
             "changed": "the signature of message 101 of the reply is wrong",
             "clock": "the clock differs: the other side's is"}
    test.keys[KEY] = ("hmac-sha256", SECRET)
    scripted = [Scripted(test, mode) for mode in modes]
    try:
        ours = test.lockstep()
        for number, primary in enumerate(scripted):
            # One zone name for all, so that the script is simple: a server each.
            server = ours if number == 0 else test.lockstep(f"ours-{primary.mode}")
            server.add(Zone(NAME, primaries=[primary], key=KEY)).start()
            reason = modes[primary.mode]
            if reason is None:
                test.wait_serial(server, NAME, 5)
                assert len(test.transfer(server, NAME)) == 252
            else:
                test.wait_for(f"{primary.mode} is refused", lambda s=server, r=reason: r in s.log(), 20)
                assert test.serial(server, NAME) is None
            server.stop()
    finally:
        for primary in scripted:
            primary.end()
