# SPDX-License-Identifier: BSD-3-Clause
"""Who edits a zone and how: the session key, policies with bounds, strict serials."""
import base64
import os
import stat
import subprocess

import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update

from harness import Zone, simple_zone

NAME = "example.com"
KEY = "ddns-key"
SECRET = base64.b64encode(bytes(range(40, 72))).decode()
RECORDS = "".join(f"host{i} A 192.0.2.{i}\n" for i in range(50))
OPEN = "allow-update { 127.0.0.1; };"


def primary(test, extra=OPEN, options="", text=None, name="ours"):
    ours = test.lockstep(name, options=options)
    ours.add(Zone(NAME, text or simple_zone(NAME, 10, RECORDS), extra=extra))
    return ours


def running(test, *words, **how):
    ours = primary(test, *words, **how).start()
    test.wait_serial(ours, NAME, 10)
    return ours


def values(test, server, name, rdtype):
    response = test.ask(server, f"{name}.{NAME}" if name else NAME, rdtype)
    return sorted(r.to_text() for rrset in response.answer for r in rrset)


def send(server, *changes, key=False):
    """Additions "name TTL type data", or "-name [type]" to delete; the rcode."""
    update = dns.update.UpdateMessage(NAME)
    if key:
        update.use_tsig(dns.tsigkeyring.from_text({KEY: ("hmac-sha256.", SECRET)}), KEY)
    for change in changes:
        if change.startswith("-"):
            update.delete(*change[1:].split())
        else:
            name, ttl, rdtype, data = change.split(None, 3)
            update.add(name, int(ttl), rdtype, data)
    reply = dns.query.udp(update, server.address, timeout=20, port=server.port)
    return dns.rcode.to_text(reply.rcode())


def logged(test, server, *texts):
    for text in texts:
        test.wait_for(f"`{text}` in the log of {server.name}", lambda: text in server.log(), 10)


def near(test, words):
    """A primary for `update-policy local`. nsupdate -l begins at ::1 and spoils its message when it
    has to go on to 127.0.0.1."""
    ours = primary(test, "update-policy local;", words)
    ours.options += f" listen-on-v6 port {ours.port} {{ ::1; }};"
    return ours


def nsupdate_local(server, keyfile, commands):
    done = subprocess.run(["nsupdate", "-l", "-k", str(keyfile), "-p", str(server.port)],
                          input=f"zone {NAME}\n{commands}\nsend\n", capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout + done.stderr


def test_session_key(test):
    ours = near(test, 'session-keyfile "session.key";')
    keyfile = ours.home / "session.key"
    ours.start()
    test.wait_serial(ours, NAME, 10)
    assert stat.S_IMODE(keyfile.stat().st_mode) == 0o600
    first = keyfile.read_text()
    assert 'key "local-ddns"' in first and "hmac-sha256" in first
    status, said = nsupdate_local(ours, keyfile, f"update add new.{NAME}. 300 A 192.0.2.200")
    assert status == 0, said
    assert values(test, ours, "new", "A") == ["192.0.2.200"]
    # The key lives over a reload, and its secret is nowhere in the log.
    ours.reload()
    logged(test, ours, "reloading zones succeeded")
    assert keyfile.read_text() == first and first.split('secret "')[1].split('"')[0] not in ours.log()
    status, said = nsupdate_local(ours, keyfile, f"update add two.{NAME}. 300 A 192.0.2.201")
    assert status == 0, said
    assert send(ours, "x 300 A 192.0.2.1") == "REFUSED"
    ours.stop()
    assert not keyfile.exists()
    ours.start()
    test.wait_serial(ours, NAME, 12)
    assert keyfile.read_text() != first


def test_session_key_by_name_and_algorithm(test):
    ours = near(test, 'session-keyfile "s.key"; session-keyname "near"; session-keyalg hmac-sha512;')
    ours.start()
    test.wait_serial(ours, NAME, 10)
    text = (ours.home / "s.key").read_text()
    assert 'key "near"' in text and "hmac-sha512" in text, text
    status, said = nsupdate_local(ours, ours.home / "s.key", f"update add new.{NAME}. 300 A 192.0.2.200")
    assert status == 0, said
    # Without a zone that wants it there is none.
    none = running(test, options='session-keyfile "none.key";', name="none")
    assert not (none.home / "none.key").exists()


def test_policy_bounds(test):
    test.keys[KEY] = ("hmac-sha256", SECRET)
    ours = running(test, f"update-policy {{ grant {KEY} subdomain acme.{NAME} TXT(2); "
                         f"grant {KEY} name www.{NAME} A AAAA; }};")
    assert send(ours, 'a.acme 60 TXT "1"', 'a.acme 60 TXT "2"', key=True) == "NOERROR"
    assert send(ours, 'a.acme 60 TXT "3"', key=True) == "NOERROR"
    logged(test, ours, "attempt to add more records than permitted by policy max=2")
    assert values(test, ours, "a.acme", "TXT") == ['"1"', '"2"'] and test.serial(ours, NAME) == 11
    assert send(ours, "-a.acme TXT", 'a.acme 60 TXT "4"', key=True) == "NOERROR"
    assert values(test, ours, "a.acme", "TXT") == ['"4"']
    assert send(ours, "a.acme 60 A 192.0.2.1", key=True) == "REFUSED"
    assert send(ours, "www 60 A 192.0.2.1", key=True) == "NOERROR"
    assert send(ours, "x.www 60 A 192.0.2.1", key=True) == "REFUSED"


def test_serial_check_strict(test):
    ours = running(test, "serial-check strict;")
    changed = simple_zone(NAME, 10, RECORDS + "late A 192.0.2.1\n")
    ours.write_zone(NAME, changed)
    ours.reload()
    logged(test, ours, "serial 10 did not, and serial-check is strict", "keeping serial 10")
    assert test.serial(ours, NAME) == 10 and values(test, ours, "late", "A") == []
    os.utime(ours.zone_path(NAME))  # nothing new is said of what nobody changed
    ours.write_zone(NAME, changed.replace(" 10 ", " 11 "))
    ours.reload()
    test.wait_serial(ours, NAME, 11)
    assert values(test, ours, "late", "A") == ["192.0.2.1"]
    ours.write_zone(NAME, changed.replace(" 10 ", " 11 ") + "; a comment alone\n")
    ours.reload()
    test.wait_for("the reload", lambda: ours.log().count("reloading zones succeeded") == 3)
    assert ours.log().count("serial-check is strict") == 1
