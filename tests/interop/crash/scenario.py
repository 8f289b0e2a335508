# SPDX-License-Identifier: BSD-3-Clause
"""Restarts of every kind: what was served stays, and nothing is transferred that need not be."""
import os
import random
import signal
import subprocess
import threading
import time

import dns.rcode

from harness import Zone, simple_zone

NAME = "example.com"
QUICK = "min-refresh-time 1; min-retry-time 1;"


def zone_text(serial, times="1 1 60 300"):
    """Every serial has records of its own and keeps some of those before."""
    kept = "\n".join(f'n{i} TXT "{i}"' for i in range(max(1, serial - 5), serial + 1))
    return simple_zone(NAME, serial, f"www A 192.0.2.{serial % 250}\n{kept}").replace("3600 900 1209600 300", times)


def pair(test, text, options=QUICK):
    primary, secondary = test.lockstep("primary", options=options), test.lockstep("secondary", options=options)
    primary.add(Zone(NAME, text, secondaries=[secondary]))
    secondary.add(Zone(NAME, primaries=[primary]))
    for server in (primary, secondary):
        server.allowed_exits = {-signal.SIGKILL}
    return primary, secondary


class Prober:
    """Asks for the serial all the time and notes whether it ever went back."""

    def __init__(self, test, server):
        self.test, self.server, self.highest, self.backwards, self.ends = test, server, 0, [], False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ends:
            serial = self.test.serial(self.server, NAME)
            if serial is not None and serial < self.highest:
                self.backwards.append((self.highest, serial))
            self.highest = max(self.highest, serial or 0)
            time.sleep(0.005)

    def end(self):
        self.ends = True
        self.thread.join()
        assert not self.backwards, f"{self.server.name}: the serial went back: {self.backwards}"


def test_kills_lose_nothing(test):
    """Edits while either server is killed at any moment: at the end both are equal."""
    primary, secondary = pair(test, zone_text(1))
    chance = random.Random(4)
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 1)
    prober = Prober(test, primary)
    try:
        serial = 1
        for turn in range(8):
            for _ in range(3):
                serial += 1
                primary.write_zone(NAME, zone_text(serial))
                primary.reload()
                time.sleep(chance.random() * 0.05)
            server = (primary, secondary)[turn % 2]
            server.stop(signal.SIGKILL)
            server.start()
    finally:
        prober.end()
    test.wait_serial(primary, NAME, serial, 10)
    test.wait_serial(secondary, NAME, serial, 20)
    test.same(NAME, primary, secondary)
    assert "damaged" not in primary.log() + secondary.log()


def test_restart_needs_no_transfer(test):
    """Stopped or killed, with nothing changed meanwhile: at once, from the store, no transfer."""
    primary, secondary = pair(test, zone_text(7, "3600 900 1209600 300"), options="")
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 7)
    time.sleep(0.5)
    for how in (signal.SIGTERM, signal.SIGKILL):
        before = len(secondary.log())
        secondary.stop(how)
        secondary.start()
        assert test.wait_serial(secondary, NAME, 7, 5) < 2
        time.sleep(0.5)
        assert "Transfer status" not in secondary.log()[before:], secondary.log()[before:]
        test.same(NAME, primary, secondary)


def test_expiry_counts_on(test):
    """Without its primary a killed secondary serves at once, and no longer than if it had lived."""
    primary, secondary = pair(test, zone_text(3, "1 1 9 300"))
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 3)
    time.sleep(1.5)
    primary.stop()
    last_contact = time.monotonic()
    for _ in range(2):
        time.sleep(1)
        secondary.stop(signal.SIGKILL)
        secondary.start()
        test.wait_serial(secondary, NAME, 3, 3)
    test.wait_for("SERVFAIL", lambda: test.ask(secondary, NAME, "SOA").rcode() == dns.rcode.SERVFAIL, 20)
    lived = time.monotonic() - last_contact
    assert 6 < lived < 12, f"expired after {lived:.1f} s, not 9"
    primary.start()
    test.wait_serial(secondary, NAME, 3, 20)


def test_one_server_a_store(test):
    """A second server on the same directory is refused, and says why."""
    first = test.lockstep("first")
    first.add(Zone(NAME, zone_text(1)))
    first.start()
    second = test.lockstep("second")
    second.configure()
    conf = second.home / "named.conf"
    conf.write_text(conf.read_text().replace('"store"', f'"{first.home}/store"'))
    done = subprocess.run(second.command(), capture_output=True, text=True, timeout=20, check=False, cwd=second.home)
    assert done.returncode != 0
    assert "another process has the store" in done.stdout + done.stderr, done.stderr
    assert test.serial(first, NAME) == 1


def damage_database(server):
    path = server.home / "store" / "history.mdb"
    with open(path, "r+b") as file:
        file.seek(0)
        file.write(os.urandom(9000))


def test_damaged_store_heals(test):
    """A damaged database, or none: it is said loudly, and the zone comes back as it was."""
    primary, secondary = pair(test, zone_text(5))
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 5)
    for server in (secondary, primary):
        server.stop()
        damage_database(server)
        before = len(server.log())
        server.start()
        test.wait_serial(server, NAME, 5, 10)
        assert "damaged" in server.log()[before:], server.log()[before:]
        test.same(NAME, primary, secondary)
    secondary.stop(signal.SIGKILL)
    for path in (secondary.home / "store").iterdir():
        path.unlink()
    secondary.start()
    test.wait_serial(secondary, NAME, 5, 10)
    primary.write_zone(NAME, zone_text(6))
    primary.reload()
    test.wait_serial(secondary, NAME, 6, 10)
    test.same(NAME, primary, secondary)


def test_store_deleted_at_runtime(test):
    """The directory goes away under the server: it serves on; a restart heals."""
    primary, secondary = pair(test, zone_text(1))
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 1)
    for path in (secondary.home / "store").iterdir():
        path.unlink()
    (secondary.home / "store").rmdir()
    primary.write_zone(NAME, zone_text(2))
    primary.reload()
    test.wait_serial(secondary, NAME, 2, 10)
    secondary.stop()
    secondary.start()
    test.wait_serial(secondary, NAME, 2, 10)
    test.same(NAME, primary, secondary)
