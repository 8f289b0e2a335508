# SPDX-License-Identifier: BSD-3-Clause
"""PROXYv2: clients behind dnsdist, kdig and hand-made headers, over UDP, TCP and TLS, and what is refused."""
import json
import re
import socket
import ssl
import struct
import subprocess
import time

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update

from certificates import Authority
from harness import Zone, simple_zone

NAME = "example.com"
ALLOWED, STRANGER = "192.0.2.7", "198.51.100.9"  # clients that exist in headers only
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def header(source, destination="192.0.2.53", extensions=b"", local=False, stream=False):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    body = b"" if local else (socket.inet_pton(family, source) + socket.inet_pton(family, destination)
                              + struct.pack("!HH", 4711, 53) + extensions)
    kind = (0x20 if family == socket.AF_INET6 else 0x10) + (1 if stream else 2)
    return SIGNATURE + bytes([0x20 if local else 0x21, 0 if local else kind]) + struct.pack("!H", len(body)) + body


def question(rdtype="SOA"):
    return dns.message.make_query(NAME, rdtype, flags=0)


def udp(server, front, wire, timeout=2):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        s.connect((server.address, server.proxied))
        s.send(front + wire)
        try:
            return dns.message.from_wire(s.recv(65535), keyring=False)
        except OSError:
            return None


def read_message(s):
    data = b""
    while len(data) < 2 or len(data) < 2 + struct.unpack("!H", data[:2])[0]:
        got = s.recv(65535)
        if not got:
            return None
        data += got
    return dns.message.from_wire(data[2:2 + struct.unpack("!H", data[:2])[0]])


def frame(wire):
    return struct.pack("!H", len(wire)) + wire


def tcp(server, pieces, timeout=5, port=None):
    """One answer to octets that are sent in pieces; None: closed without one."""
    with socket.create_connection((server.address, port or server.proxied), timeout) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                s.sendall(piece)
                time.sleep(0.02 if len(pieces) > 1 else 0)
            return read_message(s)
        except ConnectionError:
            return None


def is_open(s):
    """The other end has not closed it, as far as can be seen now; answers are thrown away."""
    s.setblocking(False)
    try:
        while s.recv(65535) != b"":
            pass
        return False
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def counter(test, server):
    done = subprocess.run([test.build / "lockstep", "status", "-s", server.home / "lockstepd.ctl", "--json"],
                          capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout.splitlines()[-1])["server"]["counters"]["proxy_refused"]


def rcode(response):
    return None if response is None else dns.rcode.to_text(response.rcode())


def begin(test, listen="", options="", allow="127.0.0.1;", zone_options="", transfer="none;"):
    ours = test.lockstep(options=options)
    ours.proxied = test.next_port()
    ours.options += (f"\nlisten-on port {ours.proxied} proxy plain {{ 127.0.0.1; }};\n{listen}\n"
                     f"allow-proxy {{ {allow} }};\nnotify no;\n")
    ours.add(Zone(NAME, simple_zone(NAME, 5, "".join(f"h{i} A 192.0.2.1\n" for i in range(50))),
                  extra=f"allow-query {{ {ALLOWED}; 2001:db8::7; }}; {zone_options}",
                  allow=f"allow-transfer {{ {transfer} }};"))
    return ours


def test_client_in_the_header_decides(test):
    ours = begin(test, transfer=f"{ALLOWED};").start()
    for source, expected in ((ALLOWED, "NOERROR"), (STRANGER, "REFUSED"), ("2001:db8::7", "NOERROR"),
                             ("::ffff:" + ALLOWED, "NOERROR"), ("2001:db8::8", "REFUSED")):
        to = "2001:db8::53" if ":" in source else "192.0.2.53"
        more = b"\x04\0\3www" if source == ALLOWED else b""
        assert rcode(udp(ours, header(source, to, more), question().to_wire())) == expected, source
        assert rcode(tcp(ours, [header(source, to, more, stream=True) + frame(question().to_wire())])) == expected
    # LOCAL is the proxy itself, whom allow-query does not name.
    for front in (header(ALLOWED, local=True), SIGNATURE + b"\x20\x11\0\4abcd"):
        assert rcode(udp(ours, front, question().to_wire())) == "REFUSED"
        assert rcode(tcp(ours, [front, frame(question().to_wire())])) == "REFUSED"
    # In pieces, and several questions at once behind one header.
    whole = header(ALLOWED, stream=True) + frame(question().to_wire())
    assert rcode(tcp(ours, [whole[i:i + 1] for i in range(len(whole))])) == "NOERROR"
    assert rcode(tcp(ours, [header(STRANGER) + frame(question("AXFR").to_wire())])) == "REFUSED"
    response = tcp(ours, [header(ALLOWED) + frame(question("AXFR").to_wire())])
    assert len(response.answer) > 40, response
    # The other address is as before: no header there.
    assert rcode(test.ask(ours, NAME, "SOA")) == "REFUSED"
    assert counter(test, ours) == 0
    log = ours.log()
    assert f"client {STRANGER}#4711" in log and f"client {ALLOWED}#4711" in log, log[-3000:]


def test_what_is_not_a_proxys_is_dropped(test):
    ours = begin(test).start()
    wire = question().to_wire()
    bad = [b"", b"PROXY TCP4 192.0.2.7 192.0.2.53 4711 53\r\n", SIGNATURE + b"\x21\x11\0\x80", header("0.0.0.0"),
           SIGNATURE + b"\x21\x31" + struct.pack("!H", 216) + bytes(216), SIGNATURE + b"\x21\0\0\0",
           SIGNATURE + b"\x21\x11\x07\xf1", header(ALLOWED, extensions=b"\x04\0\x09x")]
    for front in bad:
        assert udp(ours, front, wire, 0.3) is None, front
    assert counter(test, ours) == len(bad)
    for front in bad[:2] + bad[3:]:
        assert tcp(ours, [front + frame(wire)]) is None, front
    with socket.create_connection((ours.address, ours.proxied), 5) as s:
        s.sendall(header(ALLOWED)[:20])
        s.shutdown(socket.SHUT_WR)
        assert s.recv(10) == b""
    assert counter(test, ours) == 2 * len(bad)
    assert rcode(udp(ours, header(ALLOWED), wire)) == "NOERROR"
    log = ours.log()
    assert re.search(r"proxy 127\.0\.0\.1#\d+: not taken: no PROXY header", log), log[-3000:]


def test_only_listed_proxies_may_speak(test):
    ours = begin(test, allow="127.0.0.2;").start()
    assert udp(ours, header(ALLOWED), question().to_wire(), 0.5) is None
    assert tcp(ours, [header(ALLOWED) + frame(question().to_wire())]) is None
    assert counter(test, ours) == 2 and "not in allow-proxy" in ours.log()
    path = ours.home / "named.conf"
    text = path.read_text()
    path.write_text(text.replace("allow-proxy { 127.0.0.2; }", "allow-proxy { 127.0.0.1; }"))
    ours.reload()
    test.wait_for("the reload lets it in", lambda: rcode(udp(ours, header(ALLOWED), question().to_wire(), 0.3)) == "NOERROR", 10)
    path.write_text(text.replace("allow-proxy { 127.0.0.2; }", "allow-proxy { any; }; allow-proxy-on { 127.0.0.9; }"))
    ours.reload()
    test.wait_for("the address of ours is not among them",
                  lambda: udp(ours, header(ALLOWED), question().to_wire(), 0.3) is None, 10)
    # Without `proxy`, at the same address, a header is no question.
    path.write_text(text.replace("proxy plain ", ""))
    ours.reload()
    test.wait_for("headers are not awaited any more",
                  lambda: rcode(udp(ours, b"", question().to_wire(), 0.3)) == "REFUSED", 10)


def test_limits_and_updates_see_the_client(test):
    ours = begin(test, options="tcp-clients-per-prefix 2; rate-limit { responses-per-second 2; slip 0; };",
                 zone_options=f"allow-update {{ {ALLOWED}; }};").start()
    kept = []
    for source in (ALLOWED, ALLOWED, "2001:db8::7"):
        s = socket.create_connection((ours.address, ours.proxied), 5)
        s.sendall(header(source, "2001:db8::1" if ":" in source else "192.0.2.1") + frame(question().to_wire()))
        assert rcode(read_message(s)) == "NOERROR"
        kept.append(s)
    # A third of the same client is turned away or costs that client its oldest, never the other's.
    third = socket.create_connection((ours.address, ours.proxied), 5)
    third.sendall(header(ALLOWED) + frame(question().to_wire()))
    kept.append(third)
    test.wait_for("one of them is closed", lambda: sum(is_open(s) for s in kept) == 3, 5)
    assert is_open(kept[2])
    for s in kept:
        s.close()
    # One client's rate is not the other's.
    answered = sum(udp(ours, header(ALLOWED), question().to_wire(), 0.1) is not None for _ in range(8))
    assert 0 < answered < 8, answered
    assert rcode(udp(ours, header("2001:db8::7", "2001:db8::1"), question().to_wire())) == "NOERROR"
    # UPDATE is answered later, from another thread: to the proxy.
    for source, expected in ((ALLOWED, "NOERROR"), (STRANGER, "REFUSED")):
        update = dns.update.Update(NAME)
        update.add("new", 60, "A", "192.0.2.99")
        assert rcode(udp(ours, header(source), update.to_wire(), 5)) == expected


def test_each_proxy_gets_the_answer_that_it_waits_for(test):
    """One client's UPDATE through two proxies, passed on to a primary that says nothing: two answers in the end."""
    ours = begin(test)
    primary = test.lockstep("primary")
    ours.add(Zone("other.test", primaries=[primary], extra="allow-update-forwarding { any; };")).start()
    update = dns.update.UpdateMessage("other.test")
    update.add("new", 60, "A", "192.0.2.1")
    with socket.socket() as silent, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two:
        silent.bind((primary.address, primary.port))
        silent.listen()
        for proxy in (one, one, two):
            proxy.settimeout(15)
            proxy.connect((ours.address, ours.proxied))
            proxy.send(header(STRANGER) + update.to_wire())
        time.sleep(0.3)
        ours.stop()  # what is on its way is answered at the end
        for proxy in (one, two):
            assert rcode(dns.message.from_wire(proxy.recv(4096))) == "SERVFAIL"
        one.settimeout(0.2)
        try:
            assert one.recv(4096) is None, "a message that came twice is answered once"
        except TimeoutError:
            pass


def test_headers_before_and_within_tls(test):
    ca = Authority(test.folder)
    ca.sign("server", "ns1.example")
    before, within = test.next_port(), test.next_port()
    ours = begin(test, listen=f"listen-on port {before} proxy plain tls front {{ 127.0.0.1; }};\n"
                              f"listen-on port {within} proxy encrypted tls front {{ 127.0.0.1; }};\n")
    ours.tls_blocks = f'tls front {{ cert-file "{test.folder}/server.crt"; key-file "{test.folder}/server.key"; }};\n'
    ours.start()
    context = ssl.create_default_context(cafile=test.folder / "ca.crt")
    for port, is_before in ((before, True), (within, False)):
        for source, expected in ((ALLOWED, "NOERROR"), (STRANGER, "REFUSED")):
            with socket.create_connection((ours.address, port), 5) as s:
                if is_before:
                    s.sendall(header(source))
                with context.wrap_socket(s, server_hostname="ns1.example") as t:
                    if not is_before:
                        t.sendall(header(source))
                    t.sendall(frame(question().to_wire()))
                    assert rcode(read_message(t)) == expected, (port, source)
        # The header in the wrong place.
        with socket.create_connection((ours.address, port), 5) as s:
            try:
                if not is_before:
                    s.sendall(header(ALLOWED))
                with context.wrap_socket(s, server_hostname="ns1.example") as t:
                    t.sendall(header(ALLOWED) + frame(question().to_wire()))
                    raise AssertionError(f"{port}: {read_message(t)}")
            except (ssl.SSLError, OSError):
                pass
    # No header at all within TLS.
    with socket.create_connection((ours.address, within), 5) as s:
        with context.wrap_socket(s, server_hostname="ns1.example") as t:
            t.sendall(frame(question().to_wire()))
            try:
                assert read_message(t) is None
            except OSError:
                pass
    test.wait_for("that is counted", lambda: counter(test, ours) == 2, 5)


def test_kdig_is_a_proxy(test):
    ours = begin(test).start()
    for more in ([], ["+tcp"]):
        for source, expected in ((ALLOWED, "NOERROR"), (STRANGER, "REFUSED")):
            out = subprocess.run(["kdig", "@127.0.0.1", "-p", str(ours.proxied), *more, f"+proxy={source}#4711-192.0.2.53#53",
                                  "+time=5", "+retry=0", NAME, "SOA"], capture_output=True, text=True, timeout=30, check=True).stdout
            assert f"status: {expected}" in out, out


def test_dnsdist_passes_clients_on(test):
    ours = begin(test, zone_options="").start()
    path = ours.home / "named.conf"
    path.write_text(path.read_text().replace(f"allow-query {{ {ALLOWED}; 2001:db8::7; }};", "allow-query { 127.0.0.3; };"))
    ours.reload()
    port = test.next_port()
    conf = test.folder / "dnsdist.conf"
    conf.write_text(f'setLocal("127.0.0.1:{port}")\nsetACL("127.0.0.0/8")\nsetSecurityPollSuffix("")\n'
                    f'newServer({{address="127.0.0.1:{ours.proxied}", useProxyProtocol=true, checkInterval=1}})\n')
    log = open(test.folder / "dnsdist.log", "w", encoding="utf-8")
    proxy = subprocess.Popen(["dnsdist", "-C", conf, "--supervised", "--disable-syslog"], stdout=log, stderr=log)
    try:
        def ask(source, send):
            try:
                return rcode(send(question(), "127.0.0.1", port=port, timeout=2, source=source))
            except (OSError, dns.exception.DNSException):
                return None
        test.wait_for("dnsdist passes on", lambda: ask("127.0.0.3", dns.query.udp) == "NOERROR", 30)
        for send in (dns.query.udp, dns.query.tcp):
            assert ask("127.0.0.3", send) == "NOERROR"
            assert ask("127.0.0.4", send) == "REFUSED"
    finally:
        proxy.terminate()
        proxy.wait(20)
        log.close()
