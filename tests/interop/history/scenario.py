# SPDX-License-Identifier: BSD-3-Clause
"""A zone's past: which versions there were, what lies between them, back to one, another serial."""
import json
import signal
import subprocess
import time

from harness import Zone, simple_zone

NAME = "example.com"
FAST = "min-refresh-time 1; min-retry-time 1;"


def tool(test, server, *words, check=0):
    done = subprocess.run([test.build / "lockstep", words[0], "-s", server.home / "lockstepd.ctl", *map(str, words[1:])],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == check, f"lockstep {words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def answer(test, server, *words, check=0):
    """All lines of the answer."""
    return [json.loads(line) for line in tool(test, server, *words, "--json", check=check).stdout.splitlines()]


def pair_with_edits(test, last=4):
    """Versions 1 to `last`; each has another address for www, and one name more."""
    primary, secondary = test.lockstep("primary"), test.lockstep("secondary", FAST)
    primary.add(Zone(NAME, simple_zone(NAME, 1, "www A 192.0.2.101"), secondaries=[secondary]))
    secondary.add(Zone(NAME, primaries=[primary]))
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 1)
    for serial in range(2, last + 1):
        primary.write_zone(NAME, version(serial))
        tool(test, primary, "reload", NAME)
        test.wait_serial(secondary, NAME, serial)
    return primary, secondary


def version(serial):
    names = "\n".join(f"new{i} TXT \"of {i}\"" for i in range(2, serial + 1))
    return simple_zone(NAME, serial, f"www A 192.0.2.{100 + serial}\n{names}")


def steps(lines):
    return [(line["entry"]["from"], line["entry"]["serial"]) for line in lines[:-1]]


def test_history_and_diff(test):
    primary, secondary = pair_with_edits(test)
    for server, source in ((primary, "file"), (secondary, "transfer")):
        lines = answer(test, server, "history", NAME)
        assert steps(lines) == [(1, 2), (2, 3), (3, 4)], lines
        entry = lines[-2]["entry"]
        assert entry["source"] == source and entry["records"] == 9 and entry["size_bytes"] > 100, entry
        assert lines[-1]["versions"] == 3 and lines[-1]["not_listed"] == 0, lines[-1]
        status = answer(test, server, "status", NAME)[-1]["zone"]
        assert status["history_count"] == 3 and status["history_bytes"] > 300 and status["saved"], status
        assert "3 changes" in tool(test, server, "status", NAME).stdout
        diff = tool(test, server, "diff", NAME, 2, 3).stdout.splitlines()
        assert len(diff) == 5 and all(line[0] in "+-" for line in diff), diff
        fields = sorted(" ".join(line.split()) for line in diff)
        assert "-www.example.com. 300 IN A 192.0.2.102" in fields, fields
        assert "+www.example.com. 300 IN A 192.0.2.103" in fields, fields
        assert '+new3.example.com. 300 IN TXT "of 3"' in fields, fields
        assert fields[1].startswith("+example.com. 300 IN SOA") or " SOA " in fields[0], fields
    text = tool(test, primary, "history", NAME).stdout.splitlines()
    assert len(text) == 3 and text[0].startswith("2 ") and "by file" in text[0], text
    last = answer(test, primary, "diff", NAME, 1)[-1]
    assert (last["from"], last["to"], last["removed"], last["added"]) == (1, 4, 2, 5), last
    last = answer(test, primary, "diff", NAME, 4, 1)[-1]
    assert (last["removed"], last["added"]) == (5, 2), last
    assert len(tool(test, primary, "diff", NAME, 4).stdout.splitlines()) == 2  # the SOA, as ever


def test_rollback_reaches_the_secondary(test):
    primary, secondary = pair_with_edits(test)
    last = answer(test, primary, "rollback", NAME, 2)[-1]
    assert last["changed"] and (last["from"], last["serial"], last["content_of"]) == (4, 5, 2), last
    assert (last["removed"], last["added"]) == (3, 1), last
    test.wait_serial(secondary, NAME, 5)
    test.same(NAME, primary, secondary)
    assert test.ask(secondary, f"www.{NAME}", "A").answer[0][0].to_text() == "192.0.2.102"
    for server, source in ((primary, "operator"), (secondary, "transfer")):
        lines = answer(test, server, "history", NAME)
        assert steps(lines)[-1] == (4, 5) and lines[-2]["entry"]["source"] == source, lines
    forms = [line.split("form=")[1].split()[0].strip(")") for line in secondary.log().splitlines()
             if "Transfer status: success" in line]
    assert forms == ["AXFR"] + 4 * ["IXFR"], forms
    assert f"received control channel command 'rollback {NAME}/IN 2'" in primary.log()
    again = answer(test, primary, "rollback", NAME, 5)[-1]
    assert not again["changed"] and again["serial"] == 5, again
    assert "serial 6 has the records of serial 4" in tool(test, primary, "rollback", NAME, 4).stdout
    test.wait_serial(secondary, NAME, 6)
    test.same(NAME, primary, secondary)
    # Killed, and there again.
    before = test.transfer(primary, NAME)
    for server in (primary, secondary):
        server.allowed_exits = {-signal.SIGKILL, 0}
        server.stop(signal.SIGKILL)
    primary.start(), secondary.start()
    for server in (primary, secondary):
        test.wait_serial(server, NAME, 6)
        assert steps(answer(test, server, "history", NAME)) == [(i, i + 1) for i in range(1, 6)]
        assert "from=store" in server.log() and "from=unknown" not in server.log()
    assert test.transfer(primary, NAME) == before
    assert answer(test, primary, "diff", NAME, 4, 6)[-1]["added"] == 1  # the SOA


def test_another_serial(test):
    """Ahead at once; back by way of serials that every secondary follows."""
    primary, secondary = pair_with_edits(test, 2)
    last = answer(test, primary, "adopt-serial", NAME, 2000000000)[-1]
    assert last["changed"] and last["serial"] == 2000000000 and last["steps_left"] == 0, last
    test.wait_serial(secondary, NAME, 2000000000)
    wanted, seen = 10, []
    for _ in range(3):
        last = answer(test, primary, "adopt-serial", NAME, wanted)[-1]
        seen.append(last["serial"])
        test.wait_serial(secondary, NAME, last["serial"])
        if last["steps_left"] == 0:
            break
        assert "RFC 1982" in last["text"] and "again" in last["text"], last
    assert seen[-1] == wanted and len(seen) > 1, seen
    test.same(NAME, primary, secondary)
    assert "already at serial 10" in tool(test, primary, "adopt-serial", NAME, 10).stdout
    primary.write_zone(NAME, version(3).replace("admin 3 ", "admin 11 "))
    tool(test, primary, "reload", NAME)
    test.wait_serial(secondary, NAME, 11)


def test_a_file_that_went_back_and_the_way_out(test):
    """The refusal names the command; after it the file is taken, under its serial or the one behind it."""
    primary, secondary = pair_with_edits(test, 2)
    for wanted, adopted in ((1000000, 2), (2000000, 0)):
        last = answer(test, primary, "adopt-serial", NAME, wanted + 100)[-1]
        test.wait_serial(secondary, NAME, last["serial"])
        primary.write_zone(NAME, simple_zone(NAME, wanted + 100, f"at A 192.0.2.{adopted + 1}"))
        tool(test, primary, "reload", NAME)
        served = test.serial(primary, NAME)
        test.wait_serial(secondary, NAME, served)
        primary.write_zone(NAME, simple_zone(NAME, wanted, f"back A 192.0.2.{adopted + 1}"))
        said = tool(test, primary, "reload", NAME, check=1).stderr
        assert f"serial {wanted} does not come after {served}" in said, said
        assert f"lockstep adopt-serial {NAME} {wanted - 1}" in said, said
        while (last := answer(test, primary, "adopt-serial", NAME, wanted - 1 + adopted // 2)[-1])["steps_left"]:
            test.wait_serial(secondary, NAME, last["serial"])
        test.wait_serial(secondary, NAME, wanted - 1 + adopted // 2)
        tool(test, primary, "reload", NAME)
        test.wait_serial(secondary, NAME, wanted + adopted // 2)
        test.same(NAME, primary, secondary)
        assert test.ask(secondary, f"back.{NAME}", "A").answer[0][0].to_text() == f"192.0.2.{adopted + 1}"


def test_refusals(test):
    primary, secondary = pair_with_edits(test, 2)
    assert answer(test, secondary, "rollback", NAME, 1, check=1)[-1]["error"] == "not-primary"
    assert answer(test, secondary, "adopt-serial", NAME, 9, check=1)[-1]["error"] == "not-primary"
    for words in (("diff", NAME, 77), ("diff", NAME, 1, 77), ("rollback", NAME, 77)):
        last = answer(test, primary, *words, check=1)[-1]
        assert last["error"] == "no-history" and "77" in last["text"], last
    assert test.serial(primary, NAME) == 2
    for words in (("diff", NAME), ("diff", NAME, "x"), ("diff", NAME, -1), ("rollback", NAME, 1, 2),
                  ("adopt-serial", NAME, 1 << 32), ("history",), ("history", NAME, 1)):
        tool(test, primary, *words, check=2)


def test_a_large_difference_comes_in_parts(test):
    primary = test.lockstep("primary")
    primary.add(Zone(NAME, simple_zone(NAME, 1)))
    primary.start()
    count = 20000
    primary.write_zone(NAME, simple_zone(NAME, 2, "\n".join(f"h{i} A 192.0.2.9" for i in range(count))))
    tool(test, primary, "reload", NAME)
    lines = answer(test, primary, "diff", NAME, 1, 2)
    assert lines[-1]["added"] == count + 1 and len(lines) > 50, (len(lines), lines[-1])
    assert max(len(line["lines"]) for line in lines[:-1]) <= 256
    assert len(tool(test, primary, "diff", NAME, 1, 2).stdout.splitlines()) == count + 2
    assert answer(test, primary, "rollback", NAME, 1)[-1]["removed"] == count
    # One that goes away in the middle holds up nobody.
    words = [test.build / "lockstep", "diff", "-s", primary.home / "lockstepd.ctl", NAME, "1", "2"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        process.stdout.read(100)
        process.kill()
    assert test.serial(primary, NAME) == 3
    assert answer(test, primary, "history", NAME)[-1]["versions"] == 2


def reconfigured(server, zones, options=""):
    """Other zones from the next reload on; their files stay."""
    server.zones, server.options = zones, options
    server.configure()
    tool(server.test, server, "reload")


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    assert condition()


def absent(test, server):
    return answer(test, server, "absent")[-1]["zones"]


def test_a_zone_that_left_the_configuration(test):
    other = "example.net"
    server = test.lockstep("primary")
    for name in (NAME, other):
        server.add(Zone(name, simple_zone(name, 1, "www A 192.0.2.1")))
    server.start()
    zone, kept = server.zones[0], [server.zones[1]]
    for serial in (2, 3):
        server.write_zone(NAME, version(serial))
        tool(test, server, "reload", NAME)
    assert absent(test, server) == []
    refused = answer(test, server, "forget", NAME, check=1)[-1]
    assert refused["error"] == "configured" and "take it out of the configuration" in refused["text"], refused

    # It left: its history stays, over a restart too, and it goes on where it was.
    reconfigured(server, kept)
    assert test.serial(server, NAME) is None
    until(lambda: absent(test, server) == [NAME])
    server.stop()
    server.start()
    assert absent(test, server) == [NAME] and tool(test, server, "absent").stdout == NAME + "\n"
    reconfigured(server, [zone] + kept)
    test.wait_serial(server, NAME, 3)
    assert steps(answer(test, server, "history", NAME)) == [(1, 2), (2, 3)]
    assert absent(test, server) == []

    # At the operator's word it is forgotten.
    reconfigured(server, kept)
    until(lambda: absent(test, server) == [NAME])
    assert tool(test, server, "forget", NAME).stdout == f"{NAME}: its history is gone\n"
    assert f"zone {NAME}: not configured: its history is forgotten" in server.log()
    refused = answer(test, server, "forget", NAME, check=1)[-1]
    assert refused["error"] == "not-found" and "nothing is stored" in refused["text"], refused
    reconfigured(server, [zone] + kept)
    test.wait_serial(server, NAME, 3)
    assert answer(test, server, "history", NAME)[-1]["versions"] == 0

    # ... or when it was absent for as long as the configuration says; the others are not touched.
    reconfigured(server, kept, "forget-zones-after 0;")
    until(lambda: server.log().count("its history is forgotten") == 2)
    assert absent(test, server) == []
    assert test.serial(server, other) == 1
