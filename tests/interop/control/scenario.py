# SPDX-License-Identifier: BSD-3-Clause
"""The control socket: what status says while copies agree, lag and fail, and who may ask."""
import json
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time

import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.update

from harness import Zone, simple_zone

NAME = "example.com"
FAST = "min-refresh-time 1; min-retry-time 1;"


def socket_path(server):
    return server.home / "lockstepd.ctl"


def tool(test, server, *words, check=0, **how):
    """Runs `lockstep`; the finished process. Fails unless it ends with status `check`."""
    done = subprocess.run([test.build / "lockstep", words[0], "-s", socket_path(server), *words[1:]],
                          capture_output=True, text=True, timeout=60, check=False, **how)
    assert done.returncode == check, f"lockstep {words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def ask(test, server, *words, check=0):
    """The last line of the answer."""
    return json.loads(tool(test, server, *words, "--json", check=check).stdout.splitlines()[-1])


def zone_status(test, server, name=NAME):
    return ask(test, server, "status", name)["zone"]


def raw(server, data, seconds=5):
    """Sends octets as they are, closes that direction, returns the lines of the answer."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(seconds)
        sock.connect(str(socket_path(server)))
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it may refuse before it has read everything
        answer = b""
        try:
            while piece := sock.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
    return [json.loads(line) for line in answer.splitlines()]


def pair(test, extra=""):
    primary, secondary = test.lockstep("primary"), test.lockstep("secondary", FAST)
    primary.add(Zone(NAME, simple_zone(NAME, 1, "www A 192.0.2.80"), secondaries=[secondary], extra=extra))
    secondary.add(Zone(NAME, primaries=[primary]))
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 1)
    return primary, secondary


def test_status_before_and_after_a_change(test):
    """U1: role, serial, source, refresh, expiry, and each peer with its serial and lag."""
    primary, secondary = pair(test)
    test.wait_for("in sync", lambda: zone_status(test, secondary)["state"] == "in-sync")
    ours, theirs = zone_status(test, primary), zone_status(test, secondary)
    assert (ours["role"], ours["state"], ours["serial"], ours["source"]) == ("primary", "serving", 1, "file"), ours
    assert ours["records"] == 6 and ours["serving"] is True, ours
    assert (theirs["role"], theirs["serial"], theirs["source"]) == ("secondary", 1, "transfer"), theirs
    now = time.time()
    assert abs(theirs["refresh"]["last_contact_at_s"] - now) < 10, theirs
    assert now + 1209600 - 20 < theirs["expires_at_s"] < now + 1209600 + 20, theirs
    assert theirs["primaries"] == [{
        "address": f"{primary.address}#{primary.port}", "serial": 1, "failures": 0,
        "last_contact_at_s": theirs["primaries"][0]["last_contact_at_s"]}], theirs
    primary.write_zone(NAME, simple_zone(NAME, 4, "www A 192.0.2.81"))
    answer = ask(test, primary, "reload", NAME)
    assert answer["serial"] == 4 and answer["changed"] is True, answer
    assert test.serial(primary, NAME) == 4  # the answer came when it was served
    test.wait_serial(secondary, NAME, 4)
    assert ask(test, primary, "reload", NAME)["changed"] is False
    test.wait_for("the peer shows serial 4", lambda: [t["state"] for t in zone_status(test, primary)["notify"]] == ["in-sync"])
    target = zone_status(test, primary)["notify"][0]
    assert (target["serial"], target["acknowledged_serial"], target["from"]) == (4, 4, "also-notify"), target
    text = tool(test, secondary, "status", NAME).stdout
    assert "in sync" in text and "serial         4, by transfer" in text and "last error     none" in text, text


def test_lag_and_errors_in_words(test):
    """U1 U4: the primary goes away; then the secondary does."""
    primary, secondary = pair(test)
    primary.stop()
    assert ask(test, secondary, "refresh", NAME)["begun"] == "refresh"
    test.wait_for("failing", lambda: zone_status(test, secondary)["state"] == "failing", 60)
    status = zone_status(test, secondary)
    error = status["last_error"]
    assert error["primary"] == f"{primary.address}#{primary.port}", error
    assert "SOA query" in error["text"] and "refused" in error["text"], error
    assert status["refresh"]["failed_rounds"] >= 1 and status["primaries"][0]["failures"] >= 1, status
    assert status["serving"] is True and test.serial(secondary, NAME) == 1
    text = tool(test, secondary, "status", NAME).stdout
    assert "no primary could be asked" in text and "refused" in text and " ago" in text, text
    line = tool(test, secondary, "zones").stdout
    assert NAME in line and "secondary" in line and "no primary could be asked" in line, line
    primary.start()
    ask(test, secondary, "refresh", NAME)
    test.wait_for("in sync again", lambda: zone_status(test, secondary)["state"] == "in-sync", 60)
    assert "last_error" not in zone_status(test, secondary)
    primary.write_zone(NAME, simple_zone(NAME, 2))
    ask(test, primary, "reload", NAME)
    test.wait_for("the peer shows serial 2", lambda: zone_status(test, primary)["notify"][0]["state"] == "in-sync", 60)
    secondary.stop(signal.SIGKILL)
    secondary.allowed_exits = {-signal.SIGKILL}
    for serial in (3, 4):
        primary.write_zone(NAME, simple_zone(NAME, serial, f"www A 192.0.2.{serial}"))
        ask(test, primary, "reload", NAME)
    target = zone_status(test, primary)["notify"][0]
    assert target["state"] == "pending" and target["pending_serial"] == 4 and target["serial"] == 2, target
    assert time.time() - 30 < target["behind_since_s"] <= time.time() + 1, target
    text = tool(test, primary, "status", NAME).stdout
    assert "behind by 2 serials since" in text and "NOTIFY of serial 4" in text, text
    secondary.start()
    test.wait_serial(secondary, NAME, 4, 60)
    test.wait_for("the peer shows serial 4", lambda: zone_status(test, primary)["notify"][0]["state"] == "in-sync", 60)


def test_behind_is_told_with_the_serials(test):
    """A NOTIFY tells of serial 5, and the primary refuses to give it: behind by 4, and why."""
    primary, secondary = test.lockstep("primary"), test.lockstep("secondary", FAST)
    primary.add(Zone(NAME, simple_zone(NAME, 1), secondaries=[secondary]))
    secondary.add(Zone(NAME, primaries=[primary]))
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 1)
    primary.stop()
    config = primary.home / "named.conf"
    primary.write_zone(NAME, simple_zone(NAME, 5))
    primary.start(wait=True)
    text = config.read_text().replace("allow-transfer { 127.0.0.1;", "allow-transfer { !127.0.0.1;").replace(
        "allow-transfer {  127.0.0.1;", "allow-transfer { !127.0.0.1;")
    test.wait_serial(secondary, NAME, 5)
    config.write_text(text)
    primary.write_zone(NAME, simple_zone(NAME, 9))
    answer = ask(test, primary, "reload")
    assert answer["zones"] == 1 and answer["failed"] == 0, answer
    test.wait_for("behind", lambda: zone_status(test, secondary)["state"] == "behind")
    status = zone_status(test, secondary)
    assert status["behind_serials"] == 4 and status["serial"] == 5, status
    assert status["refresh"]["primary_serial"] == 9, status
    test.wait_for("the reason", lambda: "REFUSED" in zone_status(test, secondary).get("last_error", {}).get("text", ""))
    assert "behind by 4 serials since" in tool(test, secondary, "status", NAME).stdout


def test_commands_do_what_they_say(test):
    """reload of one zone, retransfer, refresh, notify, and what each is refused for."""
    primary, secondary = test.lockstep("primary"), test.lockstep("secondary")
    primary.add(Zone(NAME, simple_zone(NAME, 1), secondaries=[secondary]))
    primary.add(Zone("other.test", simple_zone("other.test", 1)))
    secondary.add(Zone(NAME, primaries=[primary]))
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 1)
    for zone in (NAME, "other.test"):
        primary.write_zone(zone, simple_zone(zone, 2))
    ask(test, primary, "reload", NAME)
    test.wait_serial(secondary, NAME, 2)
    assert test.serial(primary, "other.test") == 1  # the other one was not asked for
    ask(test, primary, "reload")
    test.wait_serial(primary, "other.test", 2)
    transfers = secondary.log().count("Transfer completed")
    assert ask(test, secondary, "retransfer", NAME)["begun"] == "retransfer"
    test.wait_for("a transfer of the same serial", lambda: secondary.log().count("Transfer completed") > transfers)
    assert test.serial(secondary, NAME) == 2
    sent = primary.log().count("sending notifies")
    assert ask(test, primary, "notify", NAME)["targets"] == [f"{secondary.address}#{secondary.port}"]
    test.wait_for("NOTIFY again", lambda: primary.log().count("sending notifies") > sent)
    assert ask(test, primary, "refresh", NAME, check=1)["error"] == "not-secondary"
    assert ask(test, primary, "notify", "other.test", check=1)["error"] == "no-targets"
    assert ask(test, primary, "status", "nowhere.test", check=1)["error"] == "not-found"
    tool(test, primary, "refresh", check=2)
    good = primary.zone_path(NAME).read_text()
    primary.write_zone(NAME, good.replace("ns1 A", "ns1 AAA"))
    answer = ask(test, primary, "reload", NAME, check=1)
    assert answer["error"] == "failed" and f"{NAME}.zone:6:" in answer["text"], answer
    assert zone_status(test, primary)["state"] == "file-refused"
    answer = ask(test, primary, "reload", check=1)
    assert answer["ok"] and answer["failed"] == 1 and answer["failures"][0]["name"] == NAME, answer
    primary.write_zone(NAME, good)
    ask(test, primary, "reload", NAME)
    assert zone_status(test, primary)["state"] == "serving"
    config = primary.home / "named.conf"
    whole = config.read_text()
    config.write_text(whole + "nonsense;\n")
    assert "kept as it was" in tool(test, primary, "reload", check=1).stderr
    config.write_text(whole)
    log = primary.log()
    assert f"received control channel command 'reload {NAME}/IN'" in log and f"uid={os.getuid()}" in log


def test_stop_waits_for_the_end(test):
    primary = test.lockstep("primary").add(Zone(NAME, simple_zone(NAME, 1)))
    primary.start()
    assert tool(test, primary, "stop").stdout == "stopped\n"
    assert primary.process.wait(5) == 0
    assert not socket_path(primary).exists() and not (primary.home / "lockstepd.pid").exists()
    assert "no server listens" in tool(test, primary, "status", check=1).stderr


def test_answers_are_counted(test):
    primary = test.lockstep("primary", "zone-statistics yes; udp-spin 20;")
    primary.add(Zone(NAME, simple_zone(NAME, 1)))
    primary.start()
    before, zone_before = ask(test, primary, "status")["server"]["answers"], zone_status(test, primary)["answers"]
    dig = ["dig", f"@{primary.address}", "-p", str(primary.port), "+tries=1", "+time=5"]
    for words in ([NAME, "SOA"], ["+tcp", NAME, "SOA"], ["+noedns", f"absent.{NAME}", "CAA"], ["+dnssec", "elsewhere.test", "TYPE4711"]):
        subprocess.run(dig + words, capture_output=True, check=True, timeout=20)
    after, zone_after = ask(test, primary, "status")["server"]["answers"], zone_status(test, primary)["answers"]

    def more(member, key=None, of=(before, after)):
        values = [a[member] if key is None else a[member].get(key, 0) for a in of]
        return values[1] - values[0]
    assert (more("messages", "udp"), more("messages", "tcp"), more("unanswered")) == (3, 1, 0), after
    assert (more("types", "SOA"), more("types", "CAA"), more("types", "other")) == (2, 1, 1), after
    assert (more("rcodes", "NOERROR"), more("rcodes", "NXDOMAIN"), more("rcodes", "REFUSED")) == (2, 1, 1), after
    assert (more("edns"), more("dnssec_ok")) == (3, 1), after
    assert sum(after["sizes"].values()) - sum(before["sizes"].values()) == 4, after
    zone = (zone_before, zone_after)
    assert (more("messages", of=zone), more("streams", of=zone), more("nxdomain", of=zone)) == (3, 1, 1), zone
    # What is answered elsewhere than questions are: NOTIFY and UPDATE that are refused.
    notify = dns.message.make_query(NAME, "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    update = dns.update.Update(NAME)
    update.add(f"new.{NAME}", 300, "A", "192.0.2.5")
    for message in (notify, update):
        assert dns.query.udp(message, primary.address, port=primary.port, timeout=5).rcode() == dns.rcode.REFUSED
    last = ask(test, primary, "status")["server"]["answers"]
    assert more("rcodes", "REFUSED", (after, last)) == 2 and more("rcodes", "NOERROR", (after, last)) == 0, last


def test_server_status_and_finding_the_socket(test):
    primary = test.lockstep("primary").add(Zone(NAME, simple_zone(NAME, 1)))
    primary.add(Zone("broken.test", "no zone at all\n"))
    primary.start()
    server = ask(test, primary, "status")["server"]
    assert server["pid"] == primary.process.pid and server["zones"]["all"] == 2, server
    assert server["zones"]["not_loaded"] == 1 and server["zones"]["file_refused"] == 1, server
    assert server["listening"] == [f"{primary.address}#{primary.port}"], server
    done = subprocess.run([test.build / "lockstep", "status", "-c", primary.home / "named.conf"],
                          capture_output=True, text=True, timeout=60, check=True)
    assert f"pid {primary.process.pid}," in done.stdout and "2: 2 primary, 0 secondary" in done.stdout, done.stdout


def test_many_zones_are_streamed_and_hold_up_nobody(test):
    """A client that does not read its list, and others that are answered meanwhile."""
    primary = test.lockstep("primary")
    primary.add(Zone(NAME, simple_zone(NAME, 1)))
    (primary.home / "shared.zone").write_text(simple_zone(NAME, 1).split("\n", 1)[1])
    count = 20000
    primary.options += "notify no;"
    configure = primary.configure

    def with_many():
        configure()
        with open(primary.home / "named.conf", "a", encoding="ascii") as conf:
            for i in range(count):
                conf.write(f'zone "z{i}.test" {{ type primary; file "shared.zone"; }};\n')
    primary.configure = with_many
    primary.start()
    test.wait_for("all loaded", lambda: "all zones loaded" in primary.log(), 100)
    slow = socket.socket(socket.AF_UNIX)
    slow.connect(str(socket_path(primary)))
    slow.sendall(b'{"version":1,"command":"zones"}\n')
    time.sleep(0.3)
    begin = time.monotonic()
    assert ask(test, primary, "status")["server"]["zones"]["all"] == count + 1
    assert time.monotonic() - begin < 5
    lines = tool(test, primary, "zones").stdout.splitlines()
    assert len(lines) == count + 1 and lines == sorted(lines), len(lines)
    answer = b""
    slow.settimeout(30)
    while not answer.endswith(b"\n") or b'"done":true' not in answer[-200:]:
        piece = slow.recv(65536)
        assert piece
        answer += piece
    assert answer.count(b"\n") == count + 2
    assert json.loads(answer.splitlines()[-1])["zones"] == count + 1
    slow.close()
    gone = socket.socket(socket.AF_UNIX)
    gone.connect(str(socket_path(primary)))
    gone.sendall(b'{"version":1,"command":"zones"}\n{"version":1,"command":"status"}\n')
    gone.recv(100)
    gone.close()
    assert ask(test, primary, "status")["ok"]


def test_bad_requests_are_answered_and_bounded(test):
    primary = test.lockstep("primary").add(Zone(NAME, simple_zone(NAME, 1)))
    primary.start()
    good = b'{"version":1,"command":"status"}\n'
    answers = raw(primary, b'status\n[]\n{"version":7}\n{"version":1,"command":"dance"}\n'
                  b'{"version":1,"command":"reload","zon":"x"}\n{"version":1,"command":"stop","zone":"x"}\n\r\n' + good)
    assert [a.get("error") for a in answers] == ["bad-request", "bad-request", "unsupported-version",
                                                 "unknown-command", "bad-request", "bad-request", None], answers
    assert all(a["done"] for a in answers) and answers[-1]["ok"], answers
    answers = raw(primary, b'{"version":1,"command":"' + b"x" * 100000)
    assert [a["error"] for a in answers] == ["too-large"], answers
    assert len(raw(primary, good * 200)) == 200  # more than one buffer full, all in order
    half = socket.socket(socket.AF_UNIX)
    half.connect(str(socket_path(primary)))
    half.sendall(b'{"version":1,')
    many = [socket.socket(socket.AF_UNIX) for _ in range(40)]
    for sock in many:
        sock.settimeout(10)
        sock.connect(str(socket_path(primary)))
    refused = json.loads(many[-1].recv(4096))
    assert refused["error"] == "busy", refused
    for sock in many:
        sock.close()
    test.wait_for("room again", lambda: raw(primary, good) and raw(primary, good)[0]["ok"])
    half.settimeout(20)
    assert json.loads(half.recv(4096))["error"] == "timeout"  # ten seconds for a request
    assert half.recv(100) == b""
    half.close()


def test_only_owner_and_group(test):
    """The file's mode, and the kernel's word at connect."""
    primary = test.lockstep("primary").add(Zone(NAME, simple_zone(NAME, 1)))
    primary.start()
    mode = socket_path(primary).stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o660, oct(mode)
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        return
    for folder in (test.folder, primary.home):
        folder.chmod(0o755)
    copy = test.folder / "lockstep"
    shutil.copy(pathlib.Path(test.build) / "lockstep", copy)
    copy.chmod(0o755)
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", copy, "status", "-s", socket_path(primary)]
    done = subprocess.run(nobody, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "not allowed to use" in done.stderr, done
    # Even where somebody opened the file, the server asks who it is.
    socket_path(primary).chmod(0o666)
    done = subprocess.run(nobody, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "owner and group" in done.stderr, done
    test.wait_for("the refusal in the log", lambda: "rejected control channel connection of uid 65534" in primary.log())
    member = ["setpriv", "--reuid", "65534", "--regid", "65534", "--groups", "0", copy, "status", "-s", socket_path(primary)]
    done = subprocess.run(member, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done


def test_controls_say_where_and_what(test):
    """A read-only socket shows and changes nothing."""
    primary = test.lockstep("primary").add(Zone(NAME, simple_zone(NAME, 1)))
    configure = primary.configure

    def with_controls():
        configure()
        path = primary.home / "named.conf"
        path.write_text(path.read_text() + f'controls {{ unix "full.ctl" perm 0600 owner {os.getuid()} group {os.getgid()};\n'
                        f'unix "view.ctl" perm 0660 owner {os.getuid()} group {os.getgid()} read-only yes; }};\n')
    primary.configure = with_controls
    primary.start()
    assert not socket_path(primary).exists()
    assert stat.S_IMODE((primary.home / "full.ctl").stat().st_mode) == 0o600

    def run(name, *words):
        return subprocess.run([test.build / "lockstep", words[0], "-s", primary.home / name, *words[1:]],
                              capture_output=True, text=True, timeout=60, check=False)
    assert run("view.ctl", "status", NAME).returncode == 0
    denied = run("view.ctl", "stop")
    assert denied.returncode == 1 and "read-only" in denied.stderr, denied
    assert run("full.ctl", "reload").returncode == 0


def test_stop_in_the_middle_of_everything(test):
    """Commands under way when the server ends: it ends in order, and nothing is left behind."""
    primary, secondary = pair(test)
    stop = threading.Event()

    def pester(words):
        while not stop.is_set():
            subprocess.run([test.build / "lockstep", words[0], "-s", socket_path(primary), *words[1:]],
                           capture_output=True, timeout=60, check=False)
    threads = [threading.Thread(target=pester, args=(w,)) for w in (("status", NAME), ("zones",), ("reload",), ("reload", NAME))]
    for thread in threads:
        thread.start()
    time.sleep(2)
    primary.stop()
    stop.set()
    for thread in threads:
        thread.join()
    assert primary.process.returncode == 0, primary.log()[-3000:]
    assert zone_status(test, secondary)["serial"] == 1
