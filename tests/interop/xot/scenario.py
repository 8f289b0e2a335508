# SPDX-License-Identifier: BSD-3-Clause
"""Transfer over TLS (RFC 9103) and DNS over TLS (RFC 7858): our pair, BIND in both roles, NSD, kdig and openssl."""
import json
import re
import socket
import ssl
import subprocess
import threading

import dns.message

from certificates import Authority
from harness import Zone, simple_zone

NAME = "example.com"
RECORDS = "".join(f"host{i} A 192.0.2.{i % 250}\n" for i in range(300))


def zone_text(serial, name=NAME):
    return simple_zone(name, serial, RECORDS + f"n{serial} TXT \"version {serial}\"\n")


def front(test, what="server", extra=""):
    """The block that a server listens with."""
    return (f'tls front {{ cert-file "{test.folder}/{what}.crt"; key-file "{test.folder}/{what}.key"; '
            f'{extra} }};\n')


def strict(test, name="ns1.example", extra=""):
    """The block that a client checks with."""
    return f'tls up {{ ca-file "{test.folder}/ca.crt"; remote-hostname "{name}"; {extra} }};\n'


def certificates(test):
    ca = Authority(test.folder)
    test.pin = ca.sign("server", "ns1.example")
    ca.sign("client", "ns2.example")
    return ca


def pair(test, primary, secondary, client, use="up", server=None, who="any;", zone=NAME):
    """A primary that gives the zone over TLS only, to `who`, and its secondary."""
    primary.listen_tls("front", server or front(test))
    secondary.tls_blocks += client
    primary.add(Zone(zone, zone_text(1, zone), secondaries=[secondary],
                     allow=f"allow-transfer port {primary.tls_port} transport tls {{ {who} }};"))
    secondary.add(Zone(zone, primaries=[primary], tls=use))
    return primary, secondary


def follow(test, primary, secondary, zone=NAME, last=3):
    primary.start(), secondary.start()
    for serial in range(1, last + 1):
        if serial > 1:
            primary.write_zone(zone, zone_text(serial, zone))
            primary.reload()
        test.wait_serial(secondary, zone, serial, 40)


def only_over_tls(test, secondary):
    done = [line for line in secondary.log().splitlines() if "Transfer completed: " in line]
    assert done and all("transport=tls" in line for line in done), done
    return done


def connections(server):
    """The lines that tell of a connection by TLS which a client of ours made."""
    return [line for line in server.log().splitlines() if "connected to " in line and "by TLS" in line]


def zone_status(server, zone=NAME):
    return control(server, "status", [zone])[0]["zone"]


def dig_axfr(server, zone=NAME):
    return subprocess.run(["dig", f"@{server.address}", "-p", str(server.port), "+tcp", zone, "AXFR"],
                          capture_output=True, text=True, timeout=20, check=False).stdout


def test_our_pair_strict(test):
    certificates(test)
    primary, secondary = pair(test, test.lockstep("primary"), test.lockstep("secondary"), strict(test))
    follow(test, primary, secondary)
    done = only_over_tls(test, secondary)
    assert sum("form=IXFR" in line for line in done) >= 2, done
    assert "certificate=verified" in secondary.log()
    assert "transport=tls" in primary.log()
    assert len(connections(secondary)) == 1, connections(secondary)
    # What the copy is compared by goes to those who may transfer, so by TLS to this one.
    test.wait_for("the proof", lambda: zone_status(secondary).get("proof", {}).get("verdict") == "identical", 10)
    assert zone_status(secondary)["primaries"][0]["tls"] == "up"
    # Plain TCP does not get the zone, whoever asks.
    assert "Transfer failed" in dig_axfr(primary)
    assert "denied" in primary.log() and "no element matches" in primary.log()


def test_our_pair_short_forms(test):
    """`tls pin "…"` and `tls ephemeral` in the list of primaries: no block is needed."""
    certificates(test)
    primary, secondary = pair(test, test.lockstep("primary"), test.lockstep("secondary"), "", f'pin "{test.pin}"')
    other = "other.example"
    primary.add(Zone(other, zone_text(1, other), allow="allow-transfer transport tls { any; };"))
    secondary.add(Zone(other, primaries=[primary], tls="ephemeral"))
    follow(test, primary, secondary, last=2)
    test.wait_serial(secondary, other, 1)
    only_over_tls(test, secondary)
    log = secondary.log()
    assert "certificate=verified" in log and 'certificate="not checked"' in log, log
    assert len(connections(secondary)) == 2  # one for each way of knowing the primary


def test_notify_over_tls(test):
    """also-notify with `tls`: the secondary has no UDP listener that NOTIFY could come to."""
    certificates(test)
    primary, secondary = pair(test, test.lockstep("primary"), test.lockstep("secondary"), strict(test))
    secondary.listen_tls("front", front(test) + secondary.tls_blocks)
    primary.tls_blocks += strict(test)
    primary.zone(NAME).tls = "up"
    follow(test, primary, secondary)
    only_over_tls(test, secondary)
    assert len(connections(primary)) == 1 and "by TLS" in primary.log(), primary.log()
    assert secondary.log().count("notify from") >= 2, secondary.log()


def test_mutual_tls_and_names_in_lists(test):
    ca = certificates(test)
    ca.sign("stranger", "ns9.example")
    mine = f'cert-file "{test.folder}/client.crt"; key-file "{test.folder}/client.key";'
    other = f'cert-file "{test.folder}/stranger.crt"; key-file "{test.folder}/stranger.key";'
    primary, secondary = pair(test, test.lockstep("primary"), test.lockstep("secondary"), strict(test, extra=mine),
                              server=front(test, extra=f'ca-file "{test.folder}/ca.crt";'),
                              who='127.0.0.0/8 tls-client "ns2.example";')
    stranger = test.lockstep("stranger")
    stranger.tls_blocks = strict(test, extra=other)
    nobody = test.lockstep("nobody")
    nobody.tls_blocks = strict(test)
    for one in (stranger, nobody):
        one.add(Zone(NAME, primaries=[primary], tls="up"))
    follow(test, primary, secondary)
    stranger.start(), nobody.start()
    test.wait_for("the refusal of ns9", lambda: "REFUSED" in stranger.log())
    test.wait_for("the rule in the log", lambda: "no element matches" in primary.log())
    test.wait_for("the refusal of the client without certificate",
                  lambda: "asks for a client certificate" in nobody.log())
    assert "certificate of the client: it showed none" in primary.log(), primary.log()
    assert test.serial(stranger, NAME) is None and test.serial(nobody, NAME) is None


def bare_server(test, handler):
    """A TCP port where `handler` gets each connection; returns the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                handler(listener.accept()[0])
            except OSError:
                return
    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def test_every_failure_names_its_cause(test):
    ca = certificates(test)
    Authority(test.folder, "other-ca")
    ca.sign("expired", "ns1.example", first_day=-30, last_day=-3)
    ca.sign("early", "ns1.example", first_day=3)
    primary, secondary = test.lockstep("primary"), test.lockstep("secondary")
    blocks, listens, ports = front(test), "", {"good": test.next_port()}
    for what in ("expired", "early"):
        ports[what] = test.next_port()
        blocks += f'tls {what} {{ cert-file "{test.folder}/{what}.crt"; key-file "{test.folder}/{what}.key"; }};\n'
        listens += f"listen-on port {ports[what]} tls {what} {{ 127.0.0.1; }};\n"
    held = []
    ports["silent"] = bare_server(test, held.append)
    ports["plain"] = bare_server(test, lambda c: (c.sendall(b"\0\5hello"), held.append(c)))
    ports["closing"] = bare_server(test, lambda c: c.close())
    checked = f'ca-file "{test.folder}/ca.crt"; remote-hostname'
    cases = {  # zone: (port, what the block says, the cause)
        "good": ("good", f'{checked} "ns1.example"', None),
        "name": ("good", f'{checked} "ns7.example"', "it is for `ns1.example`, not for `ns7.example`"),
        "ca": ("good", f'ca-file "{test.folder}/other-ca.crt"', "is signed by `CN=ca`, which is no CA of"),
        "pin": ("good", 'pin "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="', f'its key has the pin "{test.pin}"'),
        "protocol": ("good", "protocols { TLSv1.2; }", "it speaks none of the versions of TLS"),
        "expired": ("expired", f'{checked} "ns1.example"', "`ns1.example` expired on"),
        "early": ("early", f'{checked} "ns1.example"', "`ns1.example` is valid from"),
        "silent": ("silent", f'{checked} "ns1.example"', "the handshake did not end in time"),
        "plain": ("plain", f'{checked} "ns1.example"', "what the peer sends is not TLS"),
        "closing": ("closing", f'{checked} "ns1.example"', "closed the connection during the TLS handshake"),
    }
    primary.listen_tls("front", blocks)
    primary.tls_port = ports["good"]
    primary.options = listens
    for zone, (port, block, _) in cases.items():
        primary.add(Zone(zone, zone_text(1, zone), allow="allow-transfer transport tls { any; };"))
        secondary.tls_blocks += f"tls b-{zone} {{ {block}; }};\n"
        there = primary if port == "good" else type("Elsewhere", (), {
            "address": "127.0.0.1", "tls_port": ports[port], "name": port})()
        secondary.add(Zone(zone, primaries=[there], tls=f"b-{zone}"))
    primary.start(), secondary.start()
    test.wait_serial(secondary, "good", 1)

    def lines_of(zone):
        return [line for line in secondary.log().splitlines() if f"'{zone}/IN'" in line or f"zone {zone}/IN: refresh" in line]
    for zone, (_, _, cause) in cases.items():
        if cause:
            test.wait_for(f"{zone}: {cause}", lambda z=zone, c=cause: any(c in line for line in lines_of(z)))
            assert test.serial(secondary, zone) is None
    # A certificate that has expired is also told at home, where it can be renewed.
    assert "expired.crt expired on" in primary.log(), primary.log()


def test_bind_is_primary(test):
    certificates(test)
    primary, secondary = pair(test, test.peer("bind"), test.lockstep(), strict(test))
    follow(test, primary, secondary)
    done = only_over_tls(test, secondary)
    assert any("form=IXFR" in line for line in done), done
    assert "certificate=verified" in secondary.log()


def test_bind_is_secondary(test):
    certificates(test)
    primary, secondary = pair(test, test.lockstep(), test.peer("bind"), strict(test))
    follow(test, primary, secondary)
    ended = [line for line in primary.log().splitlines() if "ended: " in line]
    assert ended and all("transport=tls" in line for line in ended), ended


def test_bind_shows_its_certificate(test):
    """Mutual TLS: BIND's client certificate is what the list asks for."""
    certificates(test)
    mine = f'cert-file "{test.folder}/client.crt"; key-file "{test.folder}/client.key";'
    primary, secondary = pair(test, test.lockstep(), test.peer("bind"), strict(test, extra=mine),
                              server=front(test, extra=f'ca-file "{test.folder}/ca.crt";'),
                              who='tls-client "ns2.example";')
    follow(test, primary, secondary, last=2)


def test_nsd_is_secondary(test):
    certificates(test)
    secondary = test.peer("nsd", options=f'tls-cert-bundle: "{test.folder}/ca.crt"')
    primary, secondary = pair(test, test.lockstep(), secondary,
                              'tls-auth:\n  name: up\n  auth-domain-name: "ns1.example"\n')
    follow(test, primary, secondary, last=2)
    ended = [line for line in primary.log().splitlines() if "ended: " in line]
    assert ended and all("transport=tls" in line for line in ended), ended


def openssl(server, *words, send=""):
    return subprocess.run(["openssl", "s_client", "-connect", f"{server.address}:{server.tls_port}", *words],
                          input=send, capture_output=True, text=True, timeout=20, check=False)


def test_queries_by_kdig_and_openssl(test):
    certificates(test)
    server = test.lockstep().listen_tls("front", front(test))
    server.add(Zone(NAME, zone_text(1), allow="allow-transfer transport tls { any; };"))
    server.start()

    def kdig(*words):
        return subprocess.run(["kdig", "-p", str(server.tls_port), f"@{server.address}", "+timeout=5", *words],
                              capture_output=True, text=True, timeout=20, check=False).stdout
    strictly = ("+tls", f"+tls-ca={test.folder}/ca.crt", "+tls-hostname=ns1.example")
    answer = kdig(*strictly, "+padding", NAME, "SOA")
    assert "TLS1.3" in answer and "status: NOERROR" in answer and " 1 3600 " in answer, answer
    assert "Received 468 B" in answer, answer  # RFC 8467 4.1
    assert "Received 468 B" in kdig(*strictly, "+padding", NAME, "IXFR=1")
    assert "PADDING" not in kdig(*strictly, "+nopadding", NAME, "SOA")
    assert "status: NOERROR" in kdig("+tls", f"+tls-pin={test.pin}", NAME, "SOA")
    assert kdig("+tls", NAME, "AXFR").count("\tTXT\t") == 1
    # Protocol, ALPN, early data, renegotiation, as somebody else's TLS sees them.
    good = openssl(server, "-alpn", "dot")
    assert "ALPN protocol: dot" in good.stdout and "TLSv1.3" in good.stdout, good
    assert "Max Early Data: 0" in good.stdout or "Early data was not sent" in good.stdout, good
    old = openssl(server, "-tls1_2", "-alpn", "dot")
    assert old.returncode != 0 and "alert" in old.stderr, old
    test.wait_for("the protocol in the log", lambda: "the peer speaks no version that" in server.log())
    web = openssl(server, "-alpn", "h2")
    assert "no application protocol" in web.stderr, web
    test.wait_for("ALPN in the log", lambda: "the peer does not offer `dot`" in server.log())
    # Without ALPN questions are answered, zones are not given (RFC 9103 7.1).
    context = ssl.create_default_context(cafile=f"{test.folder}/ca.crt")
    for rdtype, rcode in (("SOA", 0), ("AXFR", 5)):
        with socket.create_connection((server.address, server.tls_port), timeout=5) as plain, \
                context.wrap_socket(plain, server_hostname="ns1.example") as stream:
            query = dns.message.make_query(NAME, rdtype).to_wire()
            stream.sendall(len(query).to_bytes(2, "big") + query)
            size = int.from_bytes(stream.recv(2), "big")
            reply = b""
            while len(reply) < size:
                reply += stream.recv(size - len(reply))
            assert reply[3] & 15 == rcode, (rdtype, reply)
    assert "transfers over TLS need ALPN" in server.log(), server.log()


def test_many_zones_over_one_connection(test):
    """200 zones fetched, then refreshed after a restart: one handshake each time."""
    certificates(test)
    zones = [f"z{i}.example" for i in range(200)]
    primary, secondary = test.lockstep("primary"), test.lockstep("secondary")
    primary.listen_tls("front", front(test))
    secondary.tls_blocks = strict(test)
    for zone in zones:
        primary.add(Zone(zone, zone_text(1, zone).split("\nhost0")[0] + "\n",
                         allow="allow-transfer transport tls { any; };"))
        secondary.add(Zone(zone, primaries=[primary], tls="up"))
    primary.start(), secondary.start()
    test.wait_for("all zones there", lambda: secondary.log().count("Transfer completed: ") == len(zones), 60)
    assert len(connections(secondary)) == 1, connections(secondary)
    secondary.stop()
    secondary.log_path().rename(secondary.home / "log.first")
    secondary.start()
    test.wait_for("all zones loaded", lambda: "all zones loaded" in secondary.log())
    control(secondary, "refresh", zones)
    test.wait_for("all zones asked for", lambda: refreshed(secondary, zones) == len(zones), 60)
    assert len(connections(secondary)) == 1, connections(secondary)
    assert "failure trying primary" not in secondary.log() and "Transfer completed" not in secondary.log()


def control(server, command, zones):
    """The answers to one request a zone, over one connection to the control socket."""
    requests = "".join(json.dumps({"version": 1, "command": command, "zone": z}) + "\n" for z in zones)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(30)
        sock.connect(str(server.home / "lockstepd.ctl"))
        threading.Thread(target=lambda: (sock.sendall(requests.encode()), sock.shutdown(socket.SHUT_WR))).start()
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
    lines = [json.loads(line) for line in answer.splitlines()]
    assert len(lines) == len(zones) and all(line["ok"] for line in lines), lines[:3]
    return lines


def refreshed(server, zones):
    """How many zones their primary has shown its serial since the start."""
    return sum(line["zone"]["primaries"][0].get("serial") == 1 for line in control(server, "status", zones))


def served_pin(server):
    """What certificate is shown now."""
    out = openssl(server, "-alpn", "dot", "-showcerts").stdout
    return re.search(r"-----BEGIN CERTIFICATE-----(.*?)-----END", out, re.S).group(1)


def test_certificates_are_read_again_while_transfers_run(test):
    ca = certificates(test)
    server = test.lockstep().listen_tls("front", front(test))
    server.add(Zone(NAME, zone_text(1), allow="allow-transfer transport tls { any; };"))
    server.start()
    first, ending, done, bad = served_pin(server), threading.Event(), [], []

    def keep_transferring():
        while not ending.is_set():
            out = subprocess.run(["dig", f"@{server.address}", "-p", str(server.tls_port), "+tls", "+time=5", NAME,
                                  "AXFR"], capture_output=True, text=True, timeout=30, check=False).stdout
            (done if "XFR size: " in out else bad).append(out)
    threads = [threading.Thread(target=keep_transferring) for _ in range(2)]
    for thread in threads:
        thread.start()
    seen = [first]
    for _ in range(3):
        ca.sign("server", "ns1.example")
        server.reload()
        test.wait_for("another certificate", lambda: served_pin(server) != seen[-1], 10)
        seen.append(served_pin(server))
    # Bad files: an error that names them, and what was read before goes on.
    (test.folder / "server.crt").write_text("rubbish\n")
    server.reload()
    test.wait_for("the error", lambda: "`tls` block `front` stays as it was: cert-file" in server.log())
    assert served_pin(server) == seen[-1]
    ca.sign("server", "ns1.example")
    (test.folder / "server.key").chmod(0o644)
    server.reload()
    test.wait_for("a good certificate again", lambda: served_pin(server) != seen[-1], 10)
    assert "everybody can read key-file" in server.log()
    ending.set()
    for thread in threads:
        thread.join()
    assert len(done) > 5 and not bad, (len(done), bad[:1])
    assert len(set(seen)) == 4


def test_abuse_of_the_listener(test):
    """Clients that end at every stage of a handshake, send rubbish, never read: others are served meanwhile."""
    certificates(test)
    server = test.lockstep(options="tcp-clients 150; tcp-initial-timeout 20;").listen_tls("front", front(test))
    big = "".join(f"h{i} TXT \"{'x' * 200}\"\n" for i in range(20000))
    server.add(Zone(NAME, simple_zone(NAME, 1, big), allow="allow-transfer transport tls { any; };"))
    server.start()
    place, held = (server.address, server.tls_port), []
    context = ssl.create_default_context(cafile=f"{test.folder}/ca.crt")
    context.set_alpn_protocols(["dot"])
    query = dns.message.make_query(NAME, "AXFR").to_wire()
    query = len(query).to_bytes(2, "big") + query

    def raw(data, wait=False):
        sock = socket.create_connection(place, timeout=5)
        try:
            sock.sendall(data)
            (held.append if wait else lambda s: s.close())(sock)
        except OSError:
            sock.close()

    def reader(octets):
        """Takes so many octets of the zone, then lets go; None: never reads and stays."""
        stream = context.wrap_socket(socket.create_connection(place, timeout=5), server_hostname="ns1.example")
        stream.sendall(query)
        while octets and octets > 0:
            octets -= len(stream.recv(min(octets, 65536))) or octets
        held.append(stream) if octets is None else stream.close()

    hello = ssl.MemoryBIO()
    half = context.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="ns1.example")
    try:
        half.do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = hello.read()
    before = resident(server)
    for cut in range(0, len(hello), 9):
        raw(hello[:cut])
    for n in range(60):
        raw(hello[:n] + bytes([n]) + hello[n + 1:] + hello)
        raw(bytes((n * 7 + i) & 255 for i in range(200)))
    for n in range(40):
        raw(hello[:20 + n], wait=True)  # half a handshake, and silence
        raw(b"", wait=True)
    for octets in (1, 100, 16384, 300000, None, None):
        try:
            reader(octets)
        except OSError:
            pass  # its turn to make room came
    answer = subprocess.run(["kdig", "-p", str(server.tls_port), f"@{server.address}", "+tls", "+timeout=5", NAME,
                             "SOA"], capture_output=True, text=True, timeout=20, check=False).stdout
    assert "status: NOERROR" in answer, answer
    grown = resident(server) - before
    assert grown < 150 << 20, f"grew by {grown >> 20} MB"
    log = server.log()
    assert "what the peer sends is not TLS" in log or "TLS: handshake failed" in log, log[-2000:]
    for sock in held:
        sock.close()


def resident(server):
    """Octets of memory the process has."""
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


def test_what_a_client_trusts_is_read_again(test):
    """Another CA in the file: the kept connection takes no more requests, a new one is refused, and back."""
    certificates(test)
    other = Authority(test.folder, "other-ca")
    primary, secondary = pair(test, test.lockstep("primary"), test.lockstep("secondary"), strict(test))
    follow(test, primary, secondary, last=2)
    good = (test.folder / "ca.crt").read_text()
    (test.folder / "ca.crt").write_text(other.path.read_text())
    secondary.reload()
    test.wait_for("the reload", lambda: "reloading zones succeeded" in secondary.log())
    primary.write_zone(NAME, zone_text(3))
    primary.reload()
    test.wait_serial(primary, NAME, 3)
    test.wait_for("the refusal", lambda: "which is no CA of" in secondary.log())
    assert test.serial(secondary, NAME) == 2
    (test.folder / "ca.crt").write_text(good)
    secondary.reload()
    test.wait_for("the second reload", lambda: secondary.log().count("reloading zones succeeded") == 2)
    control(secondary, "refresh", [NAME])
    test.wait_serial(secondary, NAME, 3, 20)
    # Nothing changed: the connection stays.
    made = len(connections(secondary))
    secondary.reload()
    test.wait_for("the third reload", lambda: secondary.log().count("reloading zones succeeded") == 3)
    primary.write_zone(NAME, zone_text(4))
    primary.reload()
    test.wait_serial(secondary, NAME, 4, 20)
    assert len(connections(secondary)) == made, connections(secondary)
