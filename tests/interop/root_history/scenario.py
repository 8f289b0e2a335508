# SPDX-License-Identifier: BSD-3-Clause
"""The real root zone, version after version, through the primary's zone file to every secondary."""
import json
import re
import subprocess

from harness import Zone, root_history, simple_zone


def versions():
    """61 real ones where they are at hand; otherwise made ones, so that the test never runs empty."""
    real = root_history()
    return real or [simple_zone(".", s, "\n".join(f"d{i} NS ns1.d{i}\nns1.d{i} A 192.0.2.{(i + s) % 250}"
                                                  for i in range(50 + s % 7))) for s in range(1, 21)]


def serial_of(text):
    return int(re.search(r"\bSOA\s+\S+\s+\S+\s+\(?\s*(\d+)", text).group(1))


def proof(test, secondary):
    done = subprocess.run([test.build / "lockstep", "status", "-s", secondary.home / "lockstepd.ctl", ".", "--json"],
                          capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout.splitlines()[-1])["zone"].get("proof", {}).get("verdict")


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
        # Ours at each step, all of them now and then.
        compared = others if step % 6 == 0 or step == len(history) - 1 else others[:1]
        assert test.same(".", primary, *compared, by_dig=True) > 50
    # Each transfer was a proof by fingerprint (docs/formats.md), and none failed.
    test.wait_for("the last proof", lambda: proof(test, others[0]) == "identical")
    assert "copy differs" not in others[0].log()
    # I1 I5: after the first transfer, differences only.
    log = others[0].log()
    assert log.count("Transfer status: success (form=IXFR)") == len(history) - 1, "not every step came as IXFR"
    assert log.count("Transfer status: success (form=AXFR)") == 1
    # ... and to the peers, too, as the primary saw it leave.
    last = f"(serial {serial_of(history[-1])})"
    test.wait_for("the last in the log",
                  lambda: len(re.findall(rf": IXFR ended: .*{re.escape(last)}", primary.log())) >= len(others))
    sent = re.findall(r": IXFR ended: \d+ messages, (\d+) records, .*\(serial (\d+)\)", primary.log())
    for text in history[1:]:
        step = [n for n, serial in sent if int(serial) == serial_of(text) and int(n) > 1]
        assert len(step) == len(others), f"serial {serial_of(text)} left as differences {len(step)} times"
    assert "AXFR-style" not in primary.log(), "somebody was sent the whole zone for a difference"


def follow(test, kind, check_step):
    """The reverse: every step from a peer's zone file to our secondary."""
    history = versions()
    primary, secondary = test.peer(kind), test.lockstep("secondary")
    primary.add(Zone(".", history[0], secondaries=[secondary]))
    secondary.add(Zone(".", primaries=[primary]))
    primary.start(), secondary.start()
    for step, text in enumerate(history):
        if step:
            primary.write_zone(".", text)
            primary.reload()
        test.wait_serial(secondary, ".", serial_of(text), 60)
        test.wait_for(f"the end of transfer {step}", lambda step=step: ended(secondary) == step + 1)
        check_step(step, secondary.log().rpartition("Transfer status: success (form=")[2].partition(")")[0])
        # What was applied was checked record by record against what was there; all of it now and then.
        if step % 6 == 0 or step == len(history) - 1:
            assert test.same(".", primary, secondary, by_dig=True) > 50
    return secondary


def ended(secondary):
    return secondary.log().count("Transfer status: success")


def only_differences(step, form):
    assert form == ("IXFR" if step else "AXFR"), f"step {step} came as {form}"


def test_bind_is_followed_by_differences(test):
    follow(test, "bind", only_differences)


def test_knot_is_followed_by_differences(test):
    follow(test, "knot", only_differences)


def test_nsd_is_followed_strictly(test):
    """NSD's differences (4.6) add records of the apex that are there already. Such a step is refused, and the whole
    zone follows at once; a step that is in order is taken."""
    forms = []
    secondary = follow(test, "nsd", lambda step, form: forms.append(form))
    assert set(forms) <= {"AXFR", "IXFR"} and forms[0] == "AXFR", forms
    refused = re.findall(r"Transfer status: (.*) \(form=IXFR\)", secondary.log().replace("Transfer status: success", ""))
    assert len(refused) == forms.count("AXFR") - 1, (refused, forms)
    assert all("the change adds a record that is there" in why for why in refused), refused
