# SPDX-License-Identifier: BSD-3-Clause
"""The real root zone, version after version, through the primary's zone file to every secondary."""
import re

from harness import Zone, root_history, simple_zone


def versions():
    """61 real ones where they are at hand; otherwise made ones, so that the test never runs empty."""
    real = root_history()
    return real or [simple_zone(".", s, "\n".join(f"d{i} NS ns1.d{i}\nns1.d{i} A 192.0.2.{(i + s) % 250}"
                                                  for i in range(50 + s % 7))) for s in range(1, 21)]


def serial_of(text):
    return int(re.search(r"\bSOA\s+\S+\s+\S+\s+\(?\s*(\d+)", text).group(1))


def test_every_version_reaches_everybody(test):
    """E1 N1 X1 X6 R7: ours, BIND, Knot and NSD follow each edit and hold the same records."""
    history = versions()
    primary = test.lockstep("primary")
    others = [test.lockstep("secondary"), test.peer("bind"), test.peer("knot"), test.peer("nsd")]
    primary.add(Zone(".", history[0], secondaries=others))
    primary.start()
    for server in others:
        server.add(Zone(".", primaries=[primary]))
        server.start(wait=False)
    for step, text in enumerate(history):
        if step:
            primary.write_zone(".", text)
            primary.reload()
        for server in others:
            test.wait_serial(server, ".", serial_of(text), 60)
        assert test.same(".", primary, *others, by_dig=True) > 50
    # I1 I5: after the first transfer, differences only.
    log = others[0].log()
    assert log.count("Transfer status: success (form=IXFR)") == len(history) - 1, "not every step came as IXFR"
    assert log.count("Transfer status: success (form=AXFR)") == 1
