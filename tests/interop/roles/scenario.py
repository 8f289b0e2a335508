# SPDX-License-Identifier: BSD-3-Clause
"""A zone's role changes, at a reload or at a restart: it is served on, and no serial goes back."""
import signal
import threading
import time

import dns.rcode
import dns.update

from harness import Zone, simple_zone

NAME = "example.com"
FAST = "min-refresh-time 1; min-retry-time 1;"
OPEN = "allow-update { 127.0.0.1; };"


def add(server, name):
    update = dns.update.UpdateMessage(NAME)
    update.add(name, 300, "A", "192.0.2.9")
    reply = dns.query.tcp(update, server.address, timeout=20, port=server.port)
    assert reply.rcode() == dns.rcode.NOERROR, reply


def pair(test):
    first, second = test.lockstep("first", FAST), test.lockstep("second", FAST)
    first.add(Zone(NAME, simple_zone(NAME, 10), secondaries=[second], extra=OPEN))
    second.add(Zone(NAME, primaries=[first]))
    first.start(), second.start()
    test.wait_serial(second, NAME, 10)
    return first, second


def make_primary(server, secondaries=()):
    zone = server.zone(NAME)
    zone.primaries, zone.secondaries, zone.extra = [], list(secondaries), OPEN
    server.configure()


def make_secondary(server, primary):
    zone = server.zone(NAME)
    zone.primaries, zone.secondaries, zone.extra = [primary], [], ""
    server.configure()


def reload(test, server):
    before = len(server.log())
    server.reload()
    test.wait_for("the reload", lambda: "reloading zones succeeded" in server.log()[before:])


def test_promoted_with_all_that_it_has_shown(test):
    """The secondary's disk may be some milliseconds behind what it serves when the reload comes."""
    first, second = pair(test)
    serial = 10
    for turn in range(8):
        for i in range(6):
            add(first, f"r{turn}x{i}")
        serial += 6
        test.wait_serial(second, NAME, serial)
        make_primary(second)
        reload(test, second)
        assert test.serial(second, NAME) == serial, (test.serial(second, NAME), serial)
        make_secondary(second, first)
        reload(test, second)
    test.wait_serial(second, NAME, serial)
    test.same(NAME, first, second)


def test_they_change_places(test):
    """Planned: at reloads, while both run. All that was changed anywhere is there at the end."""
    first, second = pair(test)
    primary, other = first, second
    for turn in range(4):
        add(primary, f"t{turn}")
        test.wait_serial(other, NAME, test.serial(primary, NAME))
        make_primary(other, [primary])
        make_secondary(primary, other)
        for server in (other, primary):
            reload(test, server)
        primary, other = other, primary
        add(primary, f"u{turn}")
        test.wait_serial(other, NAME, test.serial(primary, NAME))
        assert test.same(NAME, first, second) == 5 + 2 * (turn + 1)


def test_demoted_without_its_new_primary(test):
    """What was the truth until now is good for as long as any copy is, and is asked about at once."""
    first, second = pair(test)
    first.allowed_exits = second.allowed_exits = {-signal.SIGKILL}
    add(first, "new")
    second.stop()
    first.stop()
    make_secondary(first, second)
    for how in (signal.SIGTERM, signal.SIGKILL):
        first.start()
        test.wait_serial(first, NAME, 11, 5)
        time.sleep(0.5)
        assert test.serial(first, NAME) == 11, first.log()
        first.stop(how)
    assert "expired" not in first.log() and "failed" not in first.log().split("exiting")[-1], first.log()
    first.start()
    make_primary(second, [first])
    second.start()
    add(second, "newer")
    test.wait_serial(first, NAME, test.serial(second, NAME), 20)


def test_out_and_in_again(test):
    """A zone that is taken out and put in again is the one that it was."""
    first, second = pair(test)
    for i in range(4):
        add(first, f"r{i}")
        expected = test.transfer(first, NAME)
        zones, first.zones = first.zones, []
        first.configure()
        first.reload()
        test.wait_for("gone", lambda: test.serial(first, NAME) is None)
        first.zones = zones
        first.configure()
        first.reload()
        test.wait_serial(first, NAME, 11 + i, 10)
        assert test.transfer(first, NAME) == expected
    add(first, "last")
    test.wait_serial(second, NAME, 15)
    test.same(NAME, first, second)


def test_no_question_is_lost_by_a_change_of_role(test):
    """Not even while a large zone is read from the store in its new role."""
    first, second = test.lockstep("first"), test.lockstep("second")
    hosts = "\n".join(f"h{i} A 192.0.2.{i % 250}" for i in range(30000))
    first.add(Zone(NAME, simple_zone(NAME, 10, hosts), secondaries=[second], extra=OPEN))
    second.add(Zone(NAME, primaries=[first]))
    first.start(), second.start()
    test.wait_serial(second, NAME, 10)
    serials, ends = set(), threading.Event()

    def ask():
        while not ends.is_set():
            serials.add(test.serial(second, NAME))
    asking = threading.Thread(target=ask)
    asking.start()
    try:
        make_primary(second)
        reload(test, second)
        make_secondary(second, first)
        reload(test, second)
    finally:
        ends.set()
        asking.join()
    assert serials == {10}, serials
