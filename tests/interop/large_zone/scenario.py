# SPDX-License-Identifier: BSD-3-Clause
"""A zone as a registry has it: a million delegations from one lockstepd to another."""
import json
import subprocess

from harness import Zone

NAME = "tld.test"
DELEGATIONS = 1_000_000


def drain(test, server):
    """What a client counts of a transfer, as bench/axfr_drain prints it."""
    done = subprocess.run([test.build / "bench" / "axfr_drain", server.address, str(server.port), NAME],
                          capture_output=True, text=True, timeout=200, check=True)
    return json.loads(done.stdout)


def test_a_million_delegations(test):
    """Loads, transfers, is the same by count, octets and fingerprint; a record more follows as a difference."""
    primary, secondary = test.lockstep("primary"), test.lockstep("secondary")
    primary.add(Zone(NAME, secondaries=[secondary]))
    secondary.add(Zone(NAME, primaries=[primary]))
    path = primary.zone_path(NAME)
    with open(path, "w") as out:
        subprocess.run([test.build / "bench" / "gen_zone", "tld", str(DELEGATIONS)], stdout=out, timeout=100, check=True)
    primary.start(), secondary.start()
    test.wait_serial(primary, NAME, 1, 120)
    test.wait_serial(secondary, NAME, 1, 120)
    first, second = drain(test, primary), drain(test, secondary)
    for key in ("records", "octets", "failed"):
        assert first[key] == second[key], (first, second)
    assert first["records"] > 3 * DELEGATIONS and first["failed"] == 0, first
    text = path.read_text().replace("hostmaster.tld.test. 1 ", "hostmaster.tld.test. 2 ", 1)
    primary.write_zone(NAME, text + "one-more NS ns.one-more\nns.one-more A 192.0.2.1\n")
    primary.reload()
    test.wait_serial(secondary, NAME, 2, 120)
    assert test.ask(secondary, f"one-more.{NAME}", "A").authority
    assert drain(test, secondary)["records"] == first["records"] + 2
    test.wait_for("the difference in the log", lambda: "(form=IXFR from_serial=1" in secondary.log(), 10)
