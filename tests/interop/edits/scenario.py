# SPDX-License-Identifier: BSD-3-Clause
"""Who edits a zone and how: the session key, policies with bounds, strict serials."""
import base64
import concurrent.futures
import os
import random
import socket
import stat
import subprocess
import time

import dns.message
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



def zone_with(serial, *lines):
    return simple_zone(NAME, serial, RECORDS + "\n".join(lines))


def test_serial_methods_of_a_file_whose_author_forgot_it(test):
    today = int(time.strftime("%Y%m%d00", time.gmtime()))
    for method, least, most in (("increment", 11, 11), ("unixtime", int(time.time()), int(time.time()) + 100),
                                ("date", today, today + 100)):
        ours = running(test, f"serial-update-method {method};", name=method)
        ours.write_zone(NAME, zone_with(10, "late A 192.0.2.1"))
        ours.reload()
        logged(test, ours, "zone file changed but its serial 10 did not: serving it as")
        test.wait_for("the next serial", lambda: test.serial(ours, NAME) != 10, 10)
        assert least <= test.serial(ours, NAME) <= most, (method, test.serial(ours, NAME))
        assert values(test, ours, "late", "A") == ["192.0.2.1"]


def test_auto_reload(test):
    """As editors and tools save: in place, by rename, through links; files that are included, too."""
    ours = running(test, OPEN, "auto-reload yes;")
    path = ours.zone_path(NAME)
    path.write_text(zone_with(11, "a1 A 192.0.2.1"))
    test.wait_serial(ours, NAME, 11, 5)
    beside = path.with_name(".editor.tmp")
    beside.write_text(zone_with(12, "a2 A 192.0.2.1"))
    beside.rename(path)
    test.wait_serial(ours, NAME, 12, 5)
    logged(test, ours, f"zone {NAME}/IN: zone file changed: reading it")
    # A file that is gone for a moment, and one that is broken for a moment.
    path.unlink()
    path.write_text("@ SOA")
    logged(test, ours, "loading from master file")
    assert test.serial(ours, NAME) == 12
    path.write_text(zone_with(13, "$INCLUDE part.inc"))
    logged(test, ours, "part.inc")
    (ours.home / "part.inc").write_text("inc A 192.0.2.7\n")
    test.wait_serial(ours, NAME, 13, 5)
    (ours.home / "part.inc").write_text("inc A 192.0.2.8\n")
    test.wait_serial(ours, NAME, 14, 5)
    assert values(test, ours, "inc", "A") == ["192.0.2.8"]
    # A burst is read once or twice, not fifty times.
    before = ours.log().count("zone file changed: reading it")
    for number in range(50):
        path.write_text(zone_with(100 + number, "$INCLUDE part.inc"))
    test.wait_serial(ours, NAME, 149, 5)
    assert ours.log().count("zone file changed: reading it") - before <= 10
    # Links, as containers get their files: ..data is swapped for another directory.
    for number in (200, 201):
        (ours.home / f"v{number}").mkdir()
        (ours.home / f"v{number}" / "zone").write_text(zone_with(number))
    (ours.home / "..data").symlink_to("v200")
    path.unlink()
    path.symlink_to("..data/zone")
    test.wait_serial(ours, NAME, 200, 5)
    (ours.home / "..tmp").symlink_to("v201")
    (ours.home / "..tmp").rename(ours.home / "..data")
    test.wait_serial(ours, NAME, 201, 5)
    (ours.home / "v201" / "zone").write_text(zone_with(202))
    test.wait_serial(ours, NAME, 202, 5)
    # The directory itself is replaced.
    (ours.home / "v203").mkdir()
    (ours.home / "v203" / "zone").write_text(zone_with(203))
    (ours.home / "v201").rename(ours.home / "old")
    (ours.home / "v203").rename(ours.home / "v201")
    test.wait_serial(ours, NAME, 203, 5)
    assert "file_watch_failed" not in ours.log()


def test_auto_reload_follows_the_configuration(test):
    ours = running(test, OPEN)
    ours.write_zone(NAME, zone_with(11))
    time.sleep(0.3)
    assert test.serial(ours, NAME) == 10, "nobody asked for it"
    ours.zones[0].extra += " auto-reload yes;"
    ours.configure()
    ours.reload()
    test.wait_serial(ours, NAME, 11)
    ours.write_zone(NAME, zone_with(12))
    test.wait_serial(ours, NAME, 12, 5)
    ours.zones[0].extra = OPEN
    ours.configure()
    ours.reload()
    test.wait_for("the reload", lambda: ours.log().count("reloading zones succeeded") == 2)
    ours.write_zone(NAME, zone_with(13))
    time.sleep(0.3)
    assert test.serial(ours, NAME) == 12

AUTHORED = f"""; The zone of {NAME}, kept by hand.
$ORIGIN {NAME}.
$TTL 300
@ IN SOA ns1 admin (
        10      ; serial, raise it!
        3600    ; refresh
        900 1209600 300 )
@       NS      ns1
        NS      ns2
ns1     A       192.0.2.1       ; in the cellar
ns2     A       192.0.2.2
www     A       192.0.2.80      ; the web
        TXT     "keep me"
"""


def says(server, *lines):
    text = server.zone_path(NAME).read_text()
    return all(line in text for line in lines)


def test_write_back(test):
    ours = running(test, OPEN + " write-back yes;", text=AUTHORED)
    path = ours.zone_path(NAME)
    path.chmod(0o640)
    for number in range(20):
        assert send(ours, f"dyn{number} 60 A 192.0.2.99") == "NOERROR"
    assert send(ours, "-www A 192.0.2.80", "www 300 A 192.0.2.81") == "NOERROR"
    test.wait_for("the file", lambda: says(ours, "31      ; serial, raise it!"), 15)
    text = path.read_text()
    assert text == AUTHORED.replace(" 10   ", " 31   ").replace("192.0.2.80 ", "192.0.2.81 ") + "".join(
        sorted((f"dyn{n}.{NAME}.\t60\tIN\tA\t192.0.2.99\n" for n in range(20)))), text
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    logged(test, ours, "zone file written with serial 31")
    assert ours.log().count("zone file written") <= 3, "updates are gathered"
    # What was written is not read as an edit, not by a reload and not after a restart.
    ours.reload()
    test.wait_for("the reload", lambda: "reloading zones succeeded" in ours.log())
    assert send(ours, "-www") == "NOERROR"
    ours.stop()  # does not wait for the delay, and writes
    assert says(ours, "32      ; serial, raise it!") and not says(ours, "keep me")
    ours.start()
    test.wait_serial(ours, NAME, 32)
    # An author's edit and an update meet, in the file and in the zone.
    path.write_text(path.read_text().replace("ns2     A", "; again\nweb     A       192.0.2.7 ; mine\nns2     A"))
    assert send(ours, "late 60 A 192.0.2.98") == "NOERROR"
    test.wait_for("both", lambda: says(ours, "web     A       192.0.2.7 ; mine", "late."), 15)
    assert values(test, ours, "web", "A") == ["192.0.2.7"]
    assert not list(path.parent.glob(path.name + ".*")), "nothing is left beside"


def test_write_back_prints_what_lines_cannot_say(test):
    ours = running(test, OPEN + " write-back yes;", text=AUTHORED + "$GENERATE 1-3 gen$ A 192.0.2.$\n")
    assert send(ours, "-gen2") == "NOERROR"
    logged(test, ours, "written anew with serial 11, without its comments: a record that changes is of $GENERATE")
    assert says(ours, "gen1\t300\tIN\tA\t192.0.2.1\n") and not says(ours, "gen2\t")
    # What cannot be written stays, with a word about it, and the zone goes on.
    other = running(test, OPEN + " write-back yes;", text=AUTHORED, name="other")
    path = other.zone_path(NAME)
    aside = path.with_name("aside")
    path.rename(aside)
    path.mkdir()
    assert send(other, "x 60 A 192.0.2.1") == "NOERROR"
    logged(test, other, "loading from master file")
    path.rmdir()
    aside.rename(path)
    other.reload()
    test.wait_for("the file", lambda: says(other, "x."), 15)


def test_write_back_never_loses_an_edit(test):
    """An author who saves all the time, by rename and in place, and updates all the time."""
    ours = running(test, OPEN + " write-back yes;" + " auto-reload yes;", text=AUTHORED)
    path = ours.zone_path(NAME)
    for number in range(24):
        assert send(ours, f"dyn{number} 60 A 192.0.2.{number + 1}") == "NOERROR"
        mine = f"mine{number} A 192.0.2.{number + 1} ; mine\n"
        if number % 2:
            beside = path.with_name("editor")
            before = path.stat()
            beside.write_text(path.read_text() + mine)
            if path.stat().st_mtime_ns == before.st_mtime_ns:  # as an editor that warns
                beside.rename(path)
            else:
                path.open("a").write(mine)
        else:
            with path.open("a") as file:
                file.write(mine)
        time.sleep(random.random() * 0.3)
    wanted = [f"mine{n} A 192.0.2.{n + 1} ; mine" for n in range(24)]

    def settled():
        text = path.read_text()
        return all(line in text for line in wanted) and all(f"dyn{n}." in text for n in range(24))
    test.wait_for("all edits and updates in the file", settled, 20)
    for number in range(24):
        assert values(test, ours, f"mine{number}", "A") == values(test, ours, f"dyn{number}", "A")


def nsupdate(server, commands, *words, tool="nsupdate"):
    text = f"server {server.address} {server.port}\nzone {NAME}\n{commands}\nsend\n"
    done = subprocess.run([tool, *words], input=text, capture_output=True, text=True, timeout=40)
    return done.returncode, done.stdout + done.stderr


SIGNED = ("-y", f"hmac-sha256:{KEY}:{SECRET}")


def forwarding(test, leader, follower, knows_key=False):
    """A primary that wants a key, and a secondary that passes updates on."""
    test.keys[KEY] = ("hmac-sha256", SECRET)
    if not knows_key:
        follower.keys = {}
    leader.add(Zone(NAME, simple_zone(NAME, 10, RECORDS), secondaries=[follower],
                    extra=f"allow-update {{ key {KEY}; }};"))
    follower.add(Zone(NAME, primaries=[leader], extra="allow-update-forwarding { 127.0.0.1; };"))
    leader.start(), follower.start()
    test.wait_serial(follower, NAME, 10)


def forwards(test, leader, follower):
    steps = [("nsupdate", ()), ("nsupdate", ("-v",)), ("knsupdate", ())]
    for number, (tool, words) in enumerate(steps):
        status, said = nsupdate(follower, f"update add f{number}.{NAME}. 300 A 192.0.2.9", *SIGNED, *words, tool=tool)
        assert status == 0 and "error" not in said, said
        assert test.serial(leader, NAME) == 11 + number
    test.wait_serial(follower, NAME, 13, 20)
    status, said = nsupdate(follower, f"prereq nxdomain f1.{NAME}\nupdate add f1.{NAME} 300 A 192.0.2.10", *SIGNED)
    assert "YXDOMAIN" in said, said
    status, said = nsupdate(follower, f"update add f9.{NAME} 300 A 192.0.2.10")
    assert "REFUSED" in said, said
    wrong = base64.b64encode(bytes(32)).decode()
    status, said = nsupdate(follower, f"update add f9.{NAME} 300 A 192.0.2.1", "-y", f"hmac-sha256:{KEY}:{wrong}")
    assert status != 0 and "BADSIG" in said, said
    test.same(NAME, leader, follower)


def test_forwarding_with_a_key_that_only_the_primary_knows(test):
    leader, follower = test.lockstep("leader"), test.lockstep("follower")
    forwarding(test, leader, follower)
    forwards(test, leader, follower)
    logged(test, follower, f"forwarding update for zone '{NAME}/IN': primary", "NOERROR")


def test_forwarding_to_bind_and_from_bind(test):
    leader, follower = test.peer("bind", "leader"), test.lockstep("follower")
    forwarding(test, leader, follower)
    forwards(test, leader, follower)
    leader, follower = test.lockstep("ours"), test.peer("bind", "bind")
    forwarding(test, leader, follower, knows_key=True)
    status, said = nsupdate(follower, f"update add f1.{NAME}. 300 A 192.0.2.9", *SIGNED)
    assert status == 0, said
    assert test.serial(leader, NAME) == 11


def test_forwarding_without_an_answer(test):
    leader, follower, dead = test.lockstep("leader"), test.lockstep("follower"), test.lockstep("dead")
    leader.add(Zone(NAME, simple_zone(NAME, 10, RECORDS), secondaries=[follower], extra=OPEN))
    follower.add(Zone(NAME, primaries=[dead, leader],
                      extra="allow-update-forwarding { !127.0.0.2; 127.0.0.0/8; };"))
    leader.start(), follower.start()
    test.wait_serial(follower, NAME, 10)
    assert send(follower, "x 60 A 192.0.2.1") == "NOERROR"
    logged(test, follower, "trying the next primary")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        said = list(pool.map(lambda n: send(follower, f"p{n} 60 A 192.0.2.1"), range(100)))
    assert set(said) == {"NOERROR"} and test.serial(leader, NAME) == 111
    leader.stop()
    time.sleep(1.2)  # the lines are limited
    assert send(follower, "y 60 A 192.0.2.1") == "SERVFAIL"
    logged(test, follower, "answering SERVFAIL")
    # One that hears and says nothing, while the server ends.
    with socket.socket() as silent:
        silent.bind((dead.address, dead.port))
        silent.listen()
        update = dns.update.UpdateMessage(NAME)
        update.add("z", 60, "A", "192.0.2.1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(20)
            client.connect((follower.address, follower.port))
            client.send(update.to_wire())
            test.wait_for("the forwarded message", lambda: silent.accept(), 10)
            client.send(update.to_wire())
            follower.stop()
            assert dns.message.from_wire(client.recv(4096)).rcode() == dns.rcode.SERVFAIL
    refused = test.lockstep("refused")
    refused.add(Zone(NAME, primaries=[leader]))
    refused.start()
    assert send(refused, "x 60 A 192.0.2.1") == "REFUSED"
    logged(test, refused, "update forwarding")


def test_a_store_that_is_of_another_file(test):
    """A server that finds the history of another zone of the same name says so and mixes nothing."""
    first = running(test)
    assert send(first, "dyn 60 A 192.0.2.1") == "NOERROR"
    first.stop()
    store = first.home / "store"
    second = test.lockstep("second")
    second.add(Zone(NAME, simple_zone(NAME, 5, "other A 192.0.2.5\n"), extra=OPEN))
    store.rename(second.home / "store")
    second.start()
    logged(test, second, f"the store has this zone from another file, {first.zone_path(NAME)}, with serial 10",
           "keeping serial 11")
    assert test.serial(second, NAME) == 11
    second.write_zone(NAME, simple_zone(NAME, 20, "other A 192.0.2.5\n"))
    second.reload()
    test.wait_serial(second, NAME, 20)
    logged(test, second, f"its history was that of the zone file {first.zone_path(NAME)}")
    assert values(test, second, "other", "A") == ["192.0.2.5"]
    assert values(test, second, "dyn", "A") == [] and values(test, second, "host1", "A") == []
    # From now on it is this server's: edits and updates live together again.
    assert send(second, "dyn 60 A 192.0.2.2") == "NOERROR"
    second.write_zone(NAME, simple_zone(NAME, 20, "other A 192.0.2.6\n"))
    second.reload()
    test.wait_serial(second, NAME, 22)
    assert values(test, second, "dyn", "A") == ["192.0.2.2"]
    # A file that only moved is the same file.
    path = second.zone_path(NAME)
    path.rename(path.with_name("moved"))
    second.zone_path = lambda name: path.with_name("moved")
    second.configure()
    second.reload()
    test.wait_for("the reload", lambda: second.log().count("reloading zones succeeded") == 3)
    assert test.serial(second, NAME) == 22 and values(test, second, "dyn", "A") == ["192.0.2.2"]
    path.with_name("moved").write_text(simple_zone(NAME, 30, "other A 192.0.2.7\n"))
    second.reload()
    test.wait_serial(second, NAME, 30)
    assert values(test, second, "dyn", "A") == ["192.0.2.2"]
    second.stop()
    second.start()
    test.wait_serial(second, NAME, 30)
    assert second.log().count("its history was") == 1 and "from another file" not in second.log().split("exiting")[-1]
