# SPDX-License-Identifier: BSD-3-Clause
"""Dynamic update: nsupdate and knsupdate against our primary; our secondary and BIND follow by IXFR."""
import base64
import concurrent.futures
import signal
import socket
import subprocess

import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update

from harness import Zone, simple_zone

NAME = "example.com"
KEY = "ddns-key"
SECRET = base64.b64encode(bytes(range(40, 72))).decode()
RECORDS = "".join(f"host{i} A 192.0.2.{i % 250}\n" for i in range(300)) + "www A 192.0.2.80\n"
OPEN = "allow-update { 127.0.0.1; };"


def nsupdate(server, commands, *words, tool="nsupdate"):
    """Its exit status and what it said."""
    text = f"server {server.address} {server.port}\nzone {NAME}\n{commands}\nsend\n"
    done = subprocess.run([tool, *words], input=text, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout + done.stderr


def signed(*words):
    return ["-y", f"hmac-sha256:{KEY}:{SECRET}", *words]


def primary(test, extra=OPEN, secondaries=(), options="", text=None, name="ours"):
    ours = test.lockstep(name, options=options)
    ours.add(Zone(NAME, text or simple_zone(NAME, 10, RECORDS), secondaries=list(secondaries), extra=extra))
    return ours


def running(test, *words, **how):
    """A primary on its own that has loaded its zone."""
    ours = primary(test, *words, **how).start()
    test.wait_serial(ours, NAME, 10)
    return ours


def send(server, build, tcp=False, key=False):
    """One update by dnspython; the rcode. Signed: the reply's signature is checked as well."""
    update = dns.update.UpdateMessage(NAME)
    if key:
        update.use_tsig(dns.tsigkeyring.from_text({KEY: ("hmac-sha256.", SECRET)}), KEY)
    build(update)
    how = dns.query.tcp if tcp else dns.query.udp
    reply = how(update, server.address, timeout=20, port=server.port)
    assert reply.opcode() == dns.opcode.UPDATE and reply.flags & dns.flags.QR
    assert not key or reply.had_tsig
    return dns.rcode.to_text(reply.rcode())


def logged(test, server, *texts):
    """Lines are written by a thread of their own, soon."""
    for text in texts:
        test.wait_for(f"`{text}` in the log of {server.name}", lambda: text in server.log(), 5)


def values(test, server, name, rdtype):
    response = test.ask(server, f"{name}.{NAME}" if name else NAME, rdtype)
    return sorted(r.to_text() for rrset in response.answer for r in rrset)


def test_nsupdate_reaches_secondaries_by_ixfr(test):
    secondary, bind = test.lockstep("secondary"), test.peer("bind")
    ours = primary(test, secondaries=[secondary, bind])
    for follower in (secondary, bind):
        follower.add(Zone(NAME, primaries=[ours]))
    ours.start(), secondary.start(), bind.start()
    for follower in (secondary, bind):
        test.wait_serial(follower, NAME, 10)
    steps = ["update add new 300 A 192.0.2.200\nupdate add new 300 TXT \"a b\" c",
             "update delete host1 A",
             "update delete new\nupdate add host1 60 AAAA 2001:db8::1",
             "update delete www A 192.0.2.80\nupdate add www 300 CNAME host2"]
    for number, commands in enumerate(steps):
        for name in ("new", "host1", "host2", "www"):
            commands = commands.replace(name, f"{name}.{NAME}.")
        status, said = nsupdate(ours, commands)
        assert status == 0, said
        assert test.serial(ours, NAME) == 11 + number  # NOERROR means that it is served
        test.wait_serial(secondary, NAME, 11 + number, 10)
    test.wait_serial(bind, NAME, 10 + len(steps), 20)
    logged(test, ours, f"updating zone '{NAME}/IN': adding an RR at 'new.{NAME}' A 192.0.2.200",
           f"deleting rrset at 'host1.{NAME}' A", f"delete all rrsets from name 'new.{NAME}'")
    log = ours.log()
    test.same(NAME, ours, secondary, bind)
    # The first of each was AXFR; all that followed were differences.
    ended = [line for line in log.splitlines() if " ended: " in line]
    assert sum("(form=IXFR" in line or " form=IXFR" in line for line in ended) >= len(steps) + 1, ended
    assert sum("form=AXFR" in line for line in ended) == 2, ended


def test_prerequisites(test):
    ours = running(test)
    name = f"host5.{NAME}"
    cases = [("prereq nxdomain", "YXDOMAIN"), ("prereq yxrrset", None), ("prereq nxrrset", "YXRRSET")]
    for words, refusal in cases:
        kind = " A" if "rrset" in words else ""
        before = test.serial(ours, NAME)
        assert before is not None
        status, said = nsupdate(ours, f"{words} {name}{kind}\nupdate add {name} 300 TXT {before}")
        assert (status == 0) == (refusal is None), (words, said)
        assert refusal is None or refusal in said, (words, said)
        assert (test.serial(ours, NAME) != before) == (refusal is None)
    status, said = nsupdate(ours, f"prereq yxdomain nobody.{NAME}\nupdate add {name} 300 TXT x")
    assert status != 0 and "NXDOMAIN" in said
    status, said = nsupdate(ours, f"prereq yxrrset {name} A 192.0.2.5\nupdate delete {name} A")
    assert status == 0, said
    status, said = nsupdate(ours, f"prereq yxrrset {name} A 192.0.2.5\nupdate delete {name} A")
    assert status != 0 and "NXRRSET" in said
    logged(test, ours, "update unsuccessful")


def test_knsupdate(test):
    test.keys[KEY] = ("hmac-sha256", SECRET)
    ours = running(test, f"allow-update {{ key {KEY}; }};")
    status, said = nsupdate(ours, f"update add k.{NAME}. 300 A 192.0.2.9", *signed(), tool="knsupdate")
    assert status == 0, said
    assert values(test, ours, "k", "A") == ["192.0.2.9"]
    status, said = nsupdate(ours, f"prereq nxdomain k.{NAME}.\nupdate add k.{NAME}. 300 A 192.0.2.10", *signed(),
                            tool="knsupdate")
    assert "YXDOMAIN" in said, said
    status, said = nsupdate(ours, f"update add k2.{NAME}. 300 A 192.0.2.9", tool="knsupdate")
    assert "REFUSED" in said, said


def test_tsig_over_udp_and_tcp(test):
    test.keys[KEY] = ("hmac-sha256", SECRET)
    ours = running(test, f"allow-update {{ key {KEY}; }};")
    for words in ((), ("-v",)):
        name = f"s{len(words)}.{NAME}"
        status, said = nsupdate(ours, f"update add {name} 300 A 192.0.2.9", *signed(*words))
        assert status == 0, said
    assert send(ours, lambda u: u.add("s3", 300, "A", "192.0.2.1"), tcp=True, key=True) == "NOERROR"
    assert send(ours, lambda u: u.present("nobody"), key=True) == "NXDOMAIN"
    assert send(ours, lambda u: u.add("s4", 300, "A", "192.0.2.1")) == "REFUSED"
    logged(test, ours, f"/key {KEY}: updating zone", f"update '{NAME}/IN' denied")
    wrong = base64.b64encode(bytes(32)).decode()
    status, said = nsupdate(ours, f"update add s5.{NAME} 300 A 192.0.2.9", "-y", f"hmac-sha256:{KEY}:{wrong}")
    assert status != 0 and "BADSIG" in said, said


def test_refused(test):
    secondary = test.lockstep("secondary")
    ours = primary(test, "", secondaries=[secondary])
    secondary.add(Zone(NAME, primaries=[ours]))
    ours.start(), secondary.start()
    test.wait_serial(secondary, NAME, 10)
    change = lambda u: u.add("x", 300, "A", "192.0.2.1")
    assert send(ours, change) == "REFUSED" and send(ours, change, tcp=True) == "REFUSED"
    logged(test, ours, f"update '{NAME}/IN' denied")
    assert send(secondary, change) == "REFUSED"
    logged(test, secondary, f"update forwarding '{NAME}/IN' denied", f"the primary {ours.address}#{ours.port}")
    other = dns.update.UpdateMessage("example.net")
    other.add("x", 300, "A", "192.0.2.1")
    reply = dns.query.udp(other, ours.address, timeout=5, port=ours.port)
    assert dns.rcode.to_text(reply.rcode()) == "NOTAUTH"
    assert test.serial(ours, NAME) == 10


def test_malformed_and_out_of_zone(test):
    ours = running(test)
    assert send(ours, lambda u: u.add("x.example.org.", 300, "A", "192.0.2.1")) == "NOTZONE"
    query = dns.message.make_query(NAME, "A").to_wire()
    query = query[:2] + bytes([dns.opcode.UPDATE << 3, 0]) + query[4:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.sendto(query, (ours.address, ours.port))
        reply = sock.recv(512)
    assert reply[:2] == query[:2] and reply[3] & 15 == dns.rcode.FORMERR
    assert test.serial(ours, NAME) == 10


def test_apex_is_protected(test):
    ours = running(test)
    assert send(ours, lambda u: u.delete("@")) == "NOERROR"
    assert send(ours, lambda u: u.delete("@", "SOA")) == "NOERROR"
    assert send(ours, lambda u: u.delete("@", "NS")) == "NOERROR"
    assert test.serial(ours, NAME) == 10 and len(values(test, ours, "", "NS")) == 2
    assert send(ours, lambda u: (u.delete("@", "NS", "ns1"), u.delete("@", "NS", "ns2"))) == "NOERROR"
    assert len(values(test, ours, "", "NS")) == 1
    # an older SOA is passed over, a newer one is taken
    soa = f"ns1.{NAME}. admin.{NAME}. {{}} 1 2 3 4"
    assert send(ours, lambda u: u.add("@", 300, "SOA", soa.format(3))) == "NOERROR"
    assert test.serial(ours, NAME) == 11
    assert send(ours, lambda u: u.add("@", 300, "SOA", soa.format(500))) == "NOERROR"
    assert test.serial(ours, NAME) == 500


def test_update_policy(test):
    test.keys[KEY] = ("hmac-sha256", SECRET)
    rules = (f"grant {KEY} subdomain dyn.{NAME}. A TXT; deny {KEY} name locked.{NAME}.; "
             f"grant {KEY} name _acme-challenge.{NAME}. TXT;")
    ours = running(test, f"update-policy {{ {rules} }};")
    assert send(ours, lambda u: u.add("a.dyn", 300, "A", "192.0.2.1"), key=True) == "NOERROR"
    assert send(ours, lambda u: u.add("_acme-challenge", 60, "TXT", "token"), key=True) == "NOERROR"
    assert send(ours, lambda u: u.add("a.dyn", 300, "AAAA", "2001:db8::1"), key=True) == "REFUSED"
    assert send(ours, lambda u: u.add("www", 300, "A", "192.0.2.1"), key=True) == "REFUSED"
    assert send(ours, lambda u: u.add("a.dyn", 300, "A", "192.0.2.2")) == "REFUSED"
    logged(test, ours, "rejected by secure update")
    assert test.serial(ours, NAME) == 12


def test_many_one_after_the_other_and_in_parallel(test):
    secondary = test.lockstep("secondary")
    ours = primary(test, secondaries=[secondary], options="serial-update-method increment;")
    secondary.add(Zone(NAME, primaries=[ours]))
    ours.start(), secondary.start()
    test.wait_serial(secondary, NAME, 10)
    for number in range(100):
        assert send(ours, lambda u: u.replace("counter", 1, "TXT", str(number)), tcp=number % 2) == "NOERROR"
        assert values(test, ours, "counter", "TXT") == [f'"{number}"']
    assert test.serial(ours, NAME) == 110

    def client(which):
        return [send(ours, lambda u: u.add(f"p{which}-{n}", 300, "A", "192.0.2.1"), tcp=which % 2) for n in range(20)]
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        for rcodes in pool.map(client, range(32)):
            assert rcodes == ["NOERROR"] * 20, rcodes
    assert test.serial(ours, NAME) == 110 + 640
    test.wait_serial(secondary, NAME, 750)
    test.same(NAME, ours, secondary)


def test_kill_after_noerror_loses_nothing(test):
    ours = running(test)
    for round_ in range(5):
        for number in range(8):
            assert send(ours, lambda u: u.add(f"k{round_}-{number}", 300, "A", "192.0.2.1")) == "NOERROR"
        ours.stop(signal.SIGKILL)
        ours.start()
        test.wait_serial(ours, NAME, 10 + 8 * (round_ + 1), 10)
        for number in range(8):
            assert values(test, ours, f"k{round_}-{number}", "A") == ["192.0.2.1"]


def test_serial_methods(test):
    for method, least in (("unixtime", 1_700_000_000), ("date", 2024_01_01_00)):
        ours = running(test, OPEN + f" serial-update-method {method};", name=method)
        assert send(ours, lambda u: u.add("x", 300, "A", "192.0.2.1")) == "NOERROR"
        first = test.serial(ours, NAME)
        assert first >= least, first
        assert send(ours, lambda u: u.add("y", 300, "A", "192.0.2.1")) == "NOERROR"
        assert test.serial(ours, NAME) > first


def test_file_edits_and_updates_live_together(test):
    secondary = test.lockstep("secondary")
    ours = primary(test, secondaries=[secondary])
    secondary.add(Zone(NAME, primaries=[ours]))
    ours.start(), secondary.start()
    test.wait_serial(secondary, NAME, 10)
    for number in range(3):  # serials 11 to 13
        assert send(ours, lambda u: u.add(f"dyn{number}", 300, "A", "192.0.2.99")) == "NOERROR"
    assert send(ours, lambda u: u.delete("host7")) == "NOERROR"  # 14
    assert send(ours, lambda u: u.replace("www", 300, "A", "192.0.2.81")) == "NOERROR"  # 15
    # The author raises the serial to 11, which is behind: it moves on by one from what is served.
    ours.write_zone(NAME, simple_zone(NAME, 11, RECORDS.replace("host9 A 192.0.2.9", "host9 A 192.0.2.109")
                                      + "fromfile A 192.0.2.1\n"))
    ours.reload()
    test.wait_serial(ours, NAME, 16)
    for server in (ours, secondary):
        test.wait_serial(server, NAME, 16)
        assert values(test, server, "dyn1", "A") == ["192.0.2.99"]
        assert values(test, server, "host7", "A") == []
        assert values(test, server, "host9", "A") == ["192.0.2.109"]
        assert values(test, server, "fromfile", "A") == ["192.0.2.1"]
        assert values(test, server, "www", "A") == ["192.0.2.81"]
    # An author's serial that is ahead is taken, and a conflict is won by the file.
    assert send(ours, lambda u: u.replace("fromfile", 300, "CNAME", "www")) == "NOERROR"  # not beside the A: nothing
    assert send(ours, lambda u: (u.delete("host3"), u.add("host3", 300, "CNAME", "www"))) == "NOERROR"
    ours.write_zone(NAME, simple_zone(NAME, 100, RECORDS.replace("host3 A", "host3 TXT hello\nhost3 A")
                                      + "fromfile A 192.0.2.1\n"))
    ours.reload()
    test.wait_serial(ours, NAME, 100)
    assert values(test, ours, "host3", "TXT") == ['"hello"'] and values(test, ours, "dyn2", "A")
    logged(test, ours, f"zone file and update both changed host3.{NAME} CNAME: the file wins")
    # A restart: nothing is read twice, updates still go on top.
    ours.stop()
    ours.start()
    test.wait_serial(ours, NAME, 100)
    assert values(test, ours, "dyn0", "A") == ["192.0.2.99"]
    assert send(ours, lambda u: u.add("after", 300, "A", "192.0.2.1")) == "NOERROR"
    # Edited while it was down, its serial forgotten.
    ours.stop()
    ours.write_zone(NAME, simple_zone(NAME, 100, RECORDS + "offline A 192.0.2.1\n"))
    ours.start()
    test.wait_serial(ours, NAME, 102)
    assert values(test, ours, "after", "A") and values(test, ours, "offline", "A")
    assert values(test, ours, "host3", "TXT") == [] and values(test, ours, "dyn0", "A")
    test.wait_serial(secondary, NAME, 102)
    test.same(NAME, ours, secondary)


def test_quota(test):
    ours = running(test, options="update-quota 1;")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        said = list(pool.map(lambda n: send(ours, lambda u: u.add(f"q{n}", 300, "A", "192.0.2.1")), range(64)))
    assert set(said) <= {"NOERROR", "SERVFAIL"} and "NOERROR" in said
    assert test.serial(ours, NAME) == 10 + said.count("NOERROR")
