# SPDX-License-Identifier: BSD-3-Clause
"""A primary whose stored history is damaged and whose zone file is not (D4, R5)."""
import shutil
import struct

import dns.query
import dns.rdatatype
import dns.update

from harness import Zone, simple_zone

NAME = "example.com"
FROM_UPDATE = 3  # docs/formats.md


def served_then_damaged(test):
    """A primary that served serials 100 to 104, now stopped, a delta in the middle of its store flipped."""
    server = test.lockstep("primary")
    server.add(Zone(NAME, simple_zone(NAME, 100), extra="allow-update { 127.0.0.1; };"))
    server.start()
    test.wait_serial(server, NAME, 100)
    for n in range(4):
        message = dns.update.UpdateMessage(NAME)
        message.add(f"n{n}", 300, "A", f"192.0.2.{n}")
        assert dns.query.udp(message, server.address, port=server.port, timeout=20).rcode() == 0
    test.wait_serial(server, NAME, 104)
    server.stop()
    path = server.home / "store" / "history.mdb"
    data = bytearray(path.read_bytes())
    pattern, found = struct.pack("!IIB", 102, 103, FROM_UPDATE), 0
    at = data.find(pattern)
    while at >= 0:
        data[at + 3] ^= 0xff
        found += 1
        at = data.find(pattern, at + 1)
    assert found, "the delta is in the store"
    path.write_bytes(data)
    return server


def told(test, server, words):
    test.wait_for(words, lambda: words in server.log())


def served_text(serial):
    return simple_zone(NAME, serial, "\n".join(f"n{n} A 192.0.2.{n}" for n in range(4)))


def test_the_file_that_was_served_last_is_served(test):
    server = served_then_damaged(test)
    server.write_zone(NAME, served_text(104))
    server.start()
    test.wait_serial(server, NAME, 104)
    told(test, server, f"zone {NAME}/IN: stored history is damaged")
    told(test, server, "is what was served last, proved by its fingerprint: serving it")
    assert len(test.transfer(server, NAME)) == 9
    # It goes on from there, over a restart too.
    server.write_zone(NAME, served_text(105).replace("192.0.2.3", "192.0.2.33"))
    server.reload()
    test.wait_serial(server, NAME, 105)
    server.stop()
    server.start()
    test.wait_serial(server, NAME, 105)
    assert server.log().count("stored history is damaged") == 1


def test_other_records_get_another_serial(test):
    server = served_then_damaged(test)
    server.write_zone(NAME, served_text(104).replace("192.0.2.3", "192.0.2.33"))
    server.start()
    test.wait_serial(server, NAME, 105)
    told(test, server, "has the last serial and other records than were served: serving it with the next serial")
    assert "192.0.2.33" in str(test.ask(server, f"n3.{NAME}", "A").answer)
    # The next edit is known from what the file said.
    server.write_zone(NAME, served_text(106))
    server.reload()
    test.wait_serial(server, NAME, 106)
    assert "192.0.2.33" not in str(test.ask(server, f"n3.{NAME}", "A").answer)
    assert "loading from master file" not in server.log()


def test_an_older_file_is_refused_until_its_author_says_so(test):
    server = served_then_damaged(test)
    server.start()
    told(test, server, "the file has serial 100, older than 104, which was served")
    assert test.serial(server, NAME) is None
    server.write_zone(NAME, simple_zone(NAME, 110))
    server.reload()
    test.wait_serial(server, NAME, 110)


def test_a_cut_copy_is_transferred_anew(test):
    """A secondary without its store has its readable copy; one that was cut has fewer records than it says."""
    primary, secondary = test.lockstep("primary"), test.lockstep("secondary")
    primary.add(Zone(NAME, served_text(104), secondaries=[secondary]))
    secondary.add(Zone(NAME, primaries=[primary]))
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 104)
    copy = secondary.zone_path(NAME)
    test.wait_for("the copy", lambda: copy.exists() and "n3" in copy.read_text())
    for lines_lost in (0, 1, 3):
        secondary.stop()
        shutil.rmtree(secondary.home / "store")
        lines = copy.read_text().splitlines(keepends=True)
        copy.write_text("".join(lines[:len(lines) - lines_lost]))
        before = secondary.log().count("first line says")
        secondary.start()
        test.wait_serial(secondary, NAME, 104)
        test.wait_for("all zones loaded", lambda: secondary.log().rpartition("starting Lockstep")[2].count("all zones loaded"))
        assert (secondary.log().count("first line says") > before) == (lines_lost > 0), secondary.log()
        assert test.same(NAME, primary, secondary) == 9
        test.wait_for("the copy", lambda: "n3" in copy.read_text())


def test_a_copy_is_served_where_the_store_is_damaged(test):
    """Without the primary, and whatever image or delta of the store is spoilt."""
    primary, secondary = test.lockstep("primary"), test.lockstep("secondary")
    primary.add(Zone(NAME, served_text(104), secondaries=[secondary]))
    secondary.add(Zone(NAME, primaries=[primary]))
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 104)
    records = test.transfer(primary, NAME)
    copy = secondary.zone_path(NAME)
    test.wait_for("the copy", lambda: copy.exists() and "n3" in copy.read_text())
    secondary.stop()
    primary.stop()
    path = secondary.home / "store" / "history.mdb"
    data = bytearray(path.read_bytes())
    at = data.find(b"\x02n3")
    assert at >= 0, "the image is in the store"
    while at >= 0:
        data[at + 1] ^= 0x10
        at = data.find(b"\x02n3", at)
    path.write_bytes(data)
    shutil.copytree(secondary.home / "store", secondary.home / "spoilt")
    secondary.start()
    test.wait_serial(secondary, NAME, 104)
    told(test, secondary, f"zone {NAME}/IN: stored history is damaged")
    assert test.transfer(secondary, NAME) == records
    # A copy that says something else under that serial does not stay: the zone is transferred in any case.
    secondary.stop()
    shutil.rmtree(secondary.home / "store")
    (secondary.home / "spoilt").rename(secondary.home / "store")
    copy.write_text(copy.read_text().replace("192.0.2.3", "192.0.2.33"))
    primary.start()
    secondary.start()
    test.wait_for("the primary's records", lambda: test.serial(secondary, NAME) == 104 and
                  test.transfer(secondary, NAME) == records)
    assert "form=AXFR" in secondary.log().rpartition("starting Lockstep")[2]
