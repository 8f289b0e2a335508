# SPDX-License-Identifier: BSD-3-Clause
"""Guards before publishing: limits, shares, ZONEMD, a checker; hidden primaries."""
import json
import subprocess

import dns.message
import dns.query
import dns.rcode
import dns.zone

from harness import Zone, simple_zone

NAME = "example.com"


def tool(test, server, *words, fails=False):
    done = subprocess.run([test.build / "lockstep", words[0], "-s", server.home / "lockstepd.ctl", *words[1:]],
                          capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode != 0) == fails, f"lockstep {words}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def status(test, server):
    return json.loads(tool(test, server, "status", NAME, "--json").splitlines()[-1])["zone"]


def hosts(serial, count, records=""):
    return simple_zone(NAME, serial, "\n".join(f"h{i} A 192.0.2.{i}" for i in range(count)) + "\n" + records)


def with_zonemd(text, wrong=False):
    zone = dns.zone.from_text(text, NAME + ".", relativize=False)
    rdata = zone.compute_digest(1).to_text()
    if wrong:
        rdata = rdata[:-2] + ("00" if rdata[-2:] != "00" else "11")
    return f"{text}@ ZONEMD {rdata}\n"


def primary(test, text, extra=""):
    return test.lockstep("primary").add(Zone(NAME, text, extra=extra))


def begin(test, server):
    server.start()
    test.wait_serial(server, NAME, 1)


def pair(test, text, extra, kind=None):
    ours = test.lockstep("ours")
    theirs = test.peer(kind, "theirs") if kind else test.lockstep("theirs")
    theirs.add(Zone(NAME, text, secondaries=[ours]))
    ours.add(Zone(NAME, primaries=[theirs], extra=extra))
    theirs.start(), ours.start()
    test.wait_serial(ours, NAME, 1)
    return theirs, ours


def change(test, server, text, serial):
    server.write_zone(NAME, text)
    server.reload()
    test.wait_serial(server, NAME, serial)


def held_at(test, server, serial):
    """Waits until the serial is held; the state and everything told of it."""
    test.wait_for(f"serial {serial} held", lambda: status(test, server).get("held", {}).get("serial") == serial)
    return status(test, server)


def test_a_shrunken_file_is_held(test):
    server = primary(test, hosts(1, 100), "max-shrink 20%;")
    begin(test, server)
    server.write_zone(NAME, hosts(2, 50))
    answer = tool(test, server, "reload", NAME, fails=True)
    assert "held" in answer and "max-shrink is 20%" in answer, answer
    zone = status(test, server)
    assert zone["state"] == "held" and zone["serial"] == 1 and zone["records"] == 105, zone
    assert zone["held"]["cause"] == "shrink" and zone["held"]["records"] == 55, zone
    text = tool(test, server, "status", NAME)
    assert "a new version is held" in text and "serial 2, by " in text, text
    tool(test, server, "reload", NAME, fails=True)
    assert server.log().count("serial 2 is held") == 1, "said once"
    assert "now at serial 2" in tool(test, server, "release", NAME)
    test.wait_serial(server, NAME, 2)
    zone = status(test, server)
    assert zone["state"] == "serving" and zone["records"] == 55 and "held" not in zone, zone
    assert "nothing is held" in tool(test, server, "release", NAME, fails=True)


def test_what_is_discarded_is_gone(test):
    server = primary(test, hosts(1, 100), "max-growth 50%;")
    begin(test, server)
    server.write_zone(NAME, hosts(2, 200))
    assert "max-growth is 50%" in tool(test, server, "reload", NAME, fails=True)
    assert "serial 2 forgotten" in tool(test, server, "discard", NAME)
    assert status(test, server)["state"] == "file-refused"
    server.write_zone(NAME, hosts(3, 120))
    tool(test, server, "reload", NAME)
    test.wait_serial(server, NAME, 3)
    assert status(test, server)["state"] == "serving"


def test_a_file_put_back_ends_the_hold(test):
    server = primary(test, hosts(1, 100), "max-shrink 20%;")
    begin(test, server)
    server.write_zone(NAME, hosts(2, 50))
    tool(test, server, "reload", NAME, fails=True)
    server.write_zone(NAME, hosts(1, 100))
    tool(test, server, "reload", NAME)
    zone = status(test, server)
    assert zone["state"] == "serving" and zone["serial"] == 1 and "held" not in zone, zone


def test_a_copy_passes_the_checker_at_start(test):
    """Without a store the readable copy is what a secondary starts from."""
    theirs, ours = pair(test, hosts(1, 5), f'checker "{checker(test)}" "word";')
    test.wait_for("the copy", lambda: ours.zone_path(NAME).exists())
    theirs.stop(), ours.stop()
    subprocess.run(["rm", "-r", ours.home / "store"], check=True)
    ours.start()
    test.wait_serial(ours, NAME, 1)
    assert "held" not in status(test, ours)


def test_release_is_of_one_content(test):
    server = primary(test, hosts(1, 100), "max-shrink 20%;")
    begin(test, server)
    server.write_zone(NAME, hosts(2, 60))
    tool(test, server, "reload", NAME, fails=True)
    server.write_zone(NAME, hosts(2, 10))
    assert "it stays" in tool(test, server, "release", NAME, fails=True) or status(test, server)["state"] == "held"
    assert status(test, server)["serial"] == 1
    assert status(test, server)["held"]["records"] == 15


def test_a_transfer_is_held_and_released(test):
    theirs, ours = pair(test, hosts(1, 100), "max-shrink 20%;")
    change(test, theirs, hosts(2, 40), 2)
    zone = held_at(test, ours, 2)
    assert zone["state"] == "held" and zone["serial"] == 1 and zone["serving"], zone
    assert zone["refresh"]["failed_rounds"] == 0, zone
    transfers = ours.log().count("Transfer status: ")
    for _ in range(3):
        tool(test, ours, "refresh", NAME)
    assert ours.log().count("Transfer status: ") == transfers, "what is held is not fetched again"
    assert "now at serial 2" in tool(test, ours, "release", NAME)
    test.wait_serial(ours, NAME, 2)
    test.same(NAME, ours, theirs)
    test.wait_for("in sync", lambda: status(test, ours)["state"] == "in-sync")
    change(test, theirs, hosts(3, 42), 3)
    test.wait_serial(ours, NAME, 3)
    test.same(NAME, ours, theirs)


def test_a_newer_one_replaces_the_held(test):
    theirs, ours = pair(test, hosts(1, 100), "max-shrink 20%;", "bind")
    change(test, theirs, hosts(2, 10), 2)
    held_at(test, ours, 2)
    change(test, theirs, hosts(3, 101), 3)
    test.wait_serial(ours, NAME, 3)
    test.same(NAME, ours, theirs)
    assert "held" not in status(test, ours)


def test_discarded_is_not_fetched_again(test):
    theirs, ours = pair(test, hosts(1, 100), "max-shrink 20%;")
    change(test, theirs, hosts(2, 10), 2)
    held_at(test, ours, 2)
    tool(test, ours, "discard", NAME)
    transfers = ours.log().count("Transfer status: ")
    tool(test, ours, "refresh", NAME)
    tool(test, theirs, "notify", NAME)
    assert "held" not in status(test, ours) and ours.log().count("Transfer status: ") == transfers
    tool(test, ours, "retransfer", NAME)
    held_at(test, ours, 2)


def test_an_emptying_update_is_refused(test):
    server = primary(test, hosts(1, 100), "max-shrink 20%; allow-update { 127.0.0.1; };")
    begin(test, server)

    def update(words):
        text = f"server {server.address} {server.port}\nlocal 127.0.0.1\nzone {NAME}\n{words}\nsend\n"
        return subprocess.run(["nsupdate"], input=text, capture_output=True, text=True, timeout=30, check=False)

    deletions = "\n".join(f"update delete h{i}.{NAME} A" for i in range(50))
    assert "REFUSED" in update(deletions).stderr
    assert "max-shrink is 20%" in server.log()
    assert update(f"update delete h1.{NAME} A").returncode == 0
    assert status(test, server)["records"] == 104


def test_limits_refuse(test):
    server = primary(test, hosts(1, 10), "max-names 20; max-zone-size 64k;")
    begin(test, server)
    server.write_zone(NAME, hosts(2, 30))
    assert "more than max-names (20)" in tool(test, server, "reload", NAME, fails=True)
    server.write_zone(NAME, hosts(3, 2, "\n".join(f'h1 TXT "{i} {"x" * 250}"' for i in range(400))))
    assert "more than max-zone-size (65536)" in tool(test, server, "reload", NAME, fails=True)
    assert status(test, server)["state"] == "file-refused" and test.serial(server, NAME) == 1


def test_zonemd_of_transfers(test):
    theirs, ours = pair(test, with_zonemd(hosts(1, 5)), "zonemd-check required; max-shrink unlimited;", "bind")
    change(test, theirs, with_zonemd(hosts(2, 6)), 2)
    test.wait_serial(ours, NAME, 2)
    change(test, theirs, with_zonemd(hosts(3, 7), wrong=True), 3)
    test.wait_for("the refusal", lambda: "SHA-384 digest that its ZONEMD record states" in ours.log())
    assert test.serial(ours, NAME) == 2
    change(test, theirs, hosts(4, 8), 4)
    test.wait_for("the refusal", lambda: "zonemd-check says `required`" in ours.log())
    assert test.serial(ours, NAME) == 2
    change(test, theirs, with_zonemd(hosts(5, 9)), 5)
    test.wait_serial(ours, NAME, 5)
    test.same(NAME, ours, theirs)


def test_zonemd_of_files(test):
    server = primary(test, with_zonemd(hosts(1, 5)))
    other = test.lockstep("other").add(Zone(NAME, with_zonemd(hosts(1, 5), wrong=True), extra="zonemd-check no;"))
    begin(test, server), begin(test, other)
    server.write_zone(NAME, with_zonemd(hosts(2, 6), wrong=True))
    assert "zonemd-check" in tool(test, server, "reload", NAME, fails=True)
    for text, good in ((with_zonemd(hosts(2, 6), wrong=True), False), (with_zonemd(hosts(2, 6)), True)):
        (test.folder / "candidate").write_text(text)
        done = subprocess.run([test.build / "lockstep", "check-zone", NAME, test.folder / "candidate"],
                              capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode == 0) == good and ("digest" in done.stdout) != good, done.stdout
    server.write_zone(NAME, with_zonemd(hosts(3, 6)))
    tool(test, server, "reload", NAME)
    test.wait_serial(server, NAME, 3)


CHECKER = """#!/bin/sh
# Vetoes zones with a record named "bad"; tells what it was given.
grep -q '^bad' && { echo "there is a bad name in $LOCKSTEP_ZONE $LOCKSTEP_SERIAL after $LOCKSTEP_SERVED, $1" >&2; exit 3; }
exit 0
"""


def checker(test, text=CHECKER):
    path = test.folder / "checker"
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_checker_vetoes_a_file(test):
    server = primary(test, hosts(1, 5), f'checker "{checker(test)}" "word";')
    begin(test, server)
    server.write_zone(NAME, hosts(2, 5, "bad A 192.0.2.200"))
    answer = tool(test, server, "reload", NAME, fails=True)
    assert "exit status 3" in answer and "there is a bad name in example.com 2 after 1, word" in answer, answer
    zone = status(test, server)
    assert zone["state"] == "held" and zone["held"]["cause"] == "checker", zone
    server.write_zone(NAME, hosts(3, 6))
    assert "now at serial 3" in tool(test, server, "reload", NAME)
    server.write_zone(NAME, hosts(4, 5, "bad A 192.0.2.200"))
    tool(test, server, "reload", NAME, fails=True)
    assert "now at serial 4" in tool(test, server, "release", NAME)


def test_a_checker_vetoes_a_transfer(test):
    theirs, ours = pair(test, hosts(1, 5), f'checker "{checker(test)}" "word";')
    change(test, theirs, hosts(2, 6), 2)
    test.wait_serial(ours, NAME, 2)
    change(test, theirs, hosts(3, 6, "bad A 192.0.2.200"), 3)
    test.wait_for("the veto", lambda: status(test, ours).get("held", {}).get("cause") == "checker")
    assert test.serial(ours, NAME) == 2
    tool(test, ours, "release", NAME)
    test.wait_serial(ours, NAME, 3)
    test.same(NAME, ours, theirs)


def test_a_slow_checker_is_killed(test):
    slow = checker(test, "#!/bin/sh\nsleep 600 &\necho $! > " + str(test.folder / "child") + "\nsleep 600\n")
    server = primary(test, hosts(1, 5), f'checker "{slow}"; checker-timeout 2;')
    server.add(Zone("example.net", simple_zone("example.net", 1)))
    server.start()
    test.wait_serial(server, "example.net", 1)
    test.wait_for("the time-out", lambda: "did not end within 2 s" in server.log())
    child = (test.folder / "child").read_text().strip()
    test.wait_for("the end of what it started", lambda: subprocess.run(
        ["kill", "-0", child], capture_output=True, check=False).returncode != 0)
    assert status(test, server)["state"] == "not-loaded"


def test_checkers_that_misbehave(test):
    """One that writes without end, one that is no program, one that is killed, one that reads nothing."""
    for words, said in (("exec yes no >&2", "did not end within 1 s"), (None, "cannot run the checker"),
                        ("kill -9 $$", "ended by signal 9"), ("exec 0<&-; echo; echo second >&2; exit 1", "second"),
                        ("printf '\\033[2J\\n' >&2; exit 1", "exit status 1): [2J")):
        path = checker(test, f"#!/bin/sh\n{words}\n")
        if words is None:
            path.unlink()
        server = test.lockstep(f"s{said[:3].strip()}").add(
            Zone(NAME, hosts(1, 200), extra=f'checker "{path}"; checker-timeout 1;'))
        server.start()
        test.wait_for(said, lambda: said in " ".join(server.log().split()))
        assert status(test, server)["held"]["cause"] == "checker" and "\033" not in server.log()
        server.stop()


def test_a_hidden_primary(test):
    server = test.lockstep("hidden", options="hidden-primary yes;")
    ours = test.lockstep("ours")
    server.add(Zone(NAME, hosts(1, 5), secondaries=[ours], extra=""))
    ours.add(Zone(NAME, primaries=[server]))
    server.start(wait=False)
    ours.start()
    test.wait_serial(ours, NAME, 1)
    test.same(NAME, ours, server)

    def ask(name, rdtype, source):
        return dns.query.udp(dns.message.make_query(name, rdtype), server.address, 3, server.port, source)

    assert ask(NAME, "SOA", "127.0.0.1").rcode() == dns.rcode.NOERROR
    for name, rdtype, source in ((NAME, "SOA", "127.0.0.2"), (NAME, "NS", "127.0.0.1"),
                                 ("h1." + NAME, "A", "127.0.0.1"), ("none." + NAME, "A", "127.0.0.2")):
        answer = ask(name, rdtype, source)
        assert answer.rcode() == dns.rcode.REFUSED and not answer.answer, (name, rdtype, source, answer)
    server.write_zone(NAME, hosts(2, 6))
    server.reload()
    test.wait_serial(ours, NAME, 2)


def test_lint_finds_what_only_contents_show(test):
    """check-conf --lint, and the same once in the log."""
    server = test.lockstep("hidden", options="hidden-primary yes;")
    server.add(Zone(NAME, simple_zone(NAME, 1).replace("ns1 A 192.0.2.1", "ns1 A 127.0.0.1").replace("3600 900", "5 900"),
                    extra="notify yes; notify-source 127.0.0.1;"))
    server.configure()
    conf = server.home / "named.conf"
    conf.write_text(conf.read_text().replace("notify no;\n", "").replace("allow-transfer { 127.0.0.1; };",
                                                                        "allow-transfer { 127.0.0.9; 127.0.0.1; };"))
    done = subprocess.run([test.build / "lockstep", "check-conf", "--lint", conf],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("[hidden-in-ns]", "ns1.example.com has 127.0.0.1", "`127.0.0.9` may transfer zone `example.com`",
                 "[not-notified]", "[soa-refresh]", "SOA retry is 900, expected less than refresh, 5"):
        assert word in done.stdout, (word, done.stdout)
    assert f"{conf}:" in done.stdout and "`127.0.0.1` may transfer" not in done.stdout, done.stdout
