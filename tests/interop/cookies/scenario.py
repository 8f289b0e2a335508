# SPDX-License-Identifier: BSD-3-Clause
"""DNS cookies shared with BIND, and response rate limiting as clients see it."""
import subprocess
import time

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode

from harness import Zone, simple_zone

NAME = "example.com"
SECRET, NEXT = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"
CLIENT = bytes.fromhex("0123456789abcdef")


def ask(test, server, cookie=None, name=f"www.{NAME}", rdtype="A", source=None):
    """The response over UDP, and the COOKIE option in it (or None)."""
    options = [] if cookie is None else [dns.edns.GenericOption(10, cookie)]
    query = dns.message.make_query(name, rdtype, use_edns=0, options=options)
    query.flags &= ~dns.flags.RD
    try:
        reply = dns.query.udp(query, server.address, timeout=2, port=server.port, source=source)
    except dns.exception.Timeout:
        return None, None
    found = [o.data if hasattr(o, "data") else o.to_wire() for o in reply.options if o.otype == 10]
    return reply, found[0] if found else None


def zone():
    return Zone(NAME, simple_zone(NAME, 1, "www A 192.0.2.80\n* A 192.0.2.81"))


def test_cookies_of_bind_are_ours_and_ours_are_binds(test):
    """With one secret either server takes what the other made; after a rollover the old one is taken and renewed."""
    shared = f'require-server-cookie yes; answer-cookie yes; cookie-algorithm siphash24; cookie-secret "{SECRET}";'
    ours = test.lockstep("ours", options=shared).add(zone()).start()
    bind = test.peer("bind", options=shared).add(zone()).start()
    for server in (ours, bind):
        test.wait_for("the zone", lambda server=server: ask(test, server)[0].rcode() == 0)
        reply, cookie = ask(test, server, CLIENT)
        assert reply.rcode() == dns.rcode.BADCOOKIE and not reply.answer, reply
        assert cookie is not None and cookie[:8] == CLIENT and len(cookie) == 24, cookie
        for other in (ours, bind):
            reply, again = ask(test, other, cookie)
            assert reply.rcode() == 0 and reply.answer, f"{other.name} does not take a cookie of {server.name}: {reply}"
            assert again[:8] == CLIENT
        wrong = cookie[:-1] + bytes([cookie[-1] ^ 1])
        assert ask(test, ours, wrong)[0].rcode() == dns.rcode.BADCOOKIE
    _, old = ask(test, ours, CLIENT)
    path = ours.home / "named.conf"
    path.write_text(path.read_text().replace(f'cookie-secret "{SECRET}";',
                                             f'cookie-secret "{NEXT}"; cookie-secret "{SECRET}";'))
    ours.reload()
    test.wait_for("the reload", lambda: "reloading zones succeeded" in ours.log())
    reply, fresh = ask(test, ours, old)
    assert reply.rcode() == 0 and fresh != old, "the old secret is not taken, or not renewed"
    assert ask(test, ours, fresh)[1] == fresh
    assert ask(test, bind, fresh)[0].rcode() == dns.rcode.BADCOOKIE, "bind knows the new secret?"


def test_dig_is_content(test):
    """dig +cookie: BADCOOKIE is asked again by itself, and the cookie is called good."""
    ours = test.lockstep("ours", options="require-server-cookie yes;").add(zone()).start()
    test.wait_serial(ours, NAME, 1)
    out = subprocess.run(["dig", f"@{ours.address}", "-p", str(ours.port), "+cookie=0123456789abcdef", f"www.{NAME}", "A"],
                         capture_output=True, text=True, timeout=20, check=True).stdout
    assert "BADCOOKIE, retrying" in out and "(good)" in out and "192.0.2.80" in out, out


def burst(test, server, count, name=f"www.{NAME}", source=None, cookie=None):
    """How many of a row of questions were answered whole, cut short, and not at all."""
    import socket
    whole = cut = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source or "127.0.0.1", 0))
        sock.connect((server.address, server.port))
        sock.settimeout(0.5)
        for i in range(count):
            options = [] if cookie is None else [dns.edns.GenericOption(10, cookie)]
            sock.send(dns.message.make_query(name.replace("#", str(i)), "A", use_edns=0, options=options).to_wire())
        try:
            while True:
                reply = sock.recv(4096)
                whole, cut = whole + (not reply[2] & 2), cut + bool(reply[2] & 2)
        except TimeoutError:
            pass
    return whole, cut, count - whole - cut


def test_responses_are_limited_by_network(test):
    """BIND's rate-limit: so many of the same a second, every second one cut short; TCP, cookies, exempt clients go free."""
    ours = test.lockstep("ours", options=f"rate-limit {{ responses-per-second 10; nxdomains-per-second 5; slip 2; window 5; "
                                         f"exempt-clients {{ {test.net}.99; }}; }};")
    ours.add(Zone(NAME, simple_zone(NAME, 1, "www A 192.0.2.80\nwww2 A 192.0.2.82\n*.w A 192.0.2.81"))).start()
    test.wait_serial(ours, NAME, 1)
    time.sleep(1.1)
    whole, cut, dropped = burst(test, ours, 110)
    assert 10 <= whole <= 30 and cut >= 35 and dropped >= 35, (whole, cut, dropped)
    assert burst(test, ours, 5, f"www2.{NAME}")[0] == 5, "another name is another account"
    whole, cut, dropped = burst(test, ours, 60, f"r#.no.{NAME}")
    assert whole <= 20 and dropped >= 15, ("names that do not exist", whole, cut, dropped)
    whole, cut, dropped = burst(test, ours, 60, f"r#.w.{NAME}")
    assert whole <= 30 and dropped >= 10, ("a wildcard", whole, cut, dropped)
    assert burst(test, ours, 60, source=f"{test.net}.99")[0] == 60, "an exempt client is limited"
    _, cookie = None, None
    while cookie is None:
        cookie = ask(test, ours, CLIENT, name=f"www2.{NAME}")[1]
    assert burst(test, ours, 60, cookie=cookie)[0] == 60, "a client with a good cookie is limited"
    reply = test.ask(ours, f"www.{NAME}", "A", tcp=True)
    assert reply is not None and reply.answer, "TCP is limited"
    assert f"limit responses to 127.0.0.0/24 for www.{NAME}" in ours.log(), "not told"


def test_log_only_and_blackhole(test):
    """log-only limits nothing; who is in the blackhole hears nothing, over TCP neither."""
    ours = test.lockstep("ours", options="rate-limit { responses-per-second 5; log-only yes; }; "
                                         f"blackhole {{ {test.net}.66; }};")
    ours.add(zone()).start()
    test.wait_serial(ours, NAME, 1)
    assert burst(test, ours, 60)[0] == 60
    assert "would limit responses" in ours.log()
    assert burst(test, ours, 3, source=f"{test.net}.66") == (0, 0, 3)
    query = dns.message.make_query(NAME, "SOA")
    try:
        dns.query.tcp(query, ours.address, timeout=2, port=ours.port, source=f"{test.net}.66")
        raise AssertionError("answered over TCP")
    except (EOFError, ConnectionError):
        pass


def soa_marks(bind):
    """How our questions for the SOA carried cookies: V good, K without the server's half, - none."""
    lines = [line for line in bind.log().splitlines() if f"query: {NAME} IN SOA" in line]
    return "".join("T" if "T" in flags else "V" if flags.endswith("V") else "K" if flags.endswith("K") else "-"
                   for flags in (line.split(" SOA ")[1].split(" (")[0] for line in lines))


def test_primaries_are_shown_cookies(test):
    """send-cookie: BIND asks for a good one, gets it from the second question on; without, it gets none."""
    bind = test.peer("bind", "bind", f'querylog yes; require-server-cookie yes; cookie-secret "{SECRET}";')
    fast = "min-refresh-time 1; min-retry-time 1;"
    ours = test.lockstep("ours", fast)
    mute = test.lockstep("mute", fast + " send-cookie no;")
    spared = test.lockstep("spared", fast)
    spared.tls_blocks = "server 127.0.0.1 { send-cookie no; };\n"
    bind.add(Zone(NAME, simple_zone(NAME, 1), secondaries=[ours, mute, spared])).start()
    seen = {}
    for server in (ours, mute, spared):
        server.add(Zone(NAME, primaries=[bind])).start()
        test.wait_serial(server, NAME, 1)
        before = len(soa_marks(bind))
        for _ in range(3):
            count = len(soa_marks(bind))
            subprocess.run([test.build / "lockstep", "refresh", "-s", server.home / "lockstepd.ctl", NAME], check=True,
                           capture_output=True, timeout=20)
            test.wait_for("a question", lambda count=count: len(soa_marks(bind)) > count)
            time.sleep(0.7)  # rounds that find nothing new keep their distance
        seen[server.name] = soa_marks(bind)[before:]
        server.stop()
    assert seen["ours"].endswith("VV") and "-" not in seen["ours"], seen
    assert set(seen["mute"]) == {"-"} and set(seen["spared"]) == {"-"}, seen
