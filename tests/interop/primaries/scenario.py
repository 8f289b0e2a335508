# SPDX-License-Identifier: BSD-3-Clause
"""Several primaries: dead ones, those with another history, those whose serial went back; several keys."""
import base64
import hashlib
import json
import re
import socket
import subprocess

from harness import Zone, simple_zone

NAME = "example.com"
KEYS = {name: base64.b64encode(hashlib.sha256(name.encode()).digest()).decode() for name in ("old-key", "new-key")}


def tool(test, server, *words):
    done = subprocess.run([test.build / "lockstep", words[0], "-s", server.home / "lockstepd.ctl", *words[1:]],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"lockstep {words}: {done.stdout}{done.stderr}"
    return done.stdout


def status(test, server, name=NAME):
    return json.loads(tool(test, server, "status", name, "--json").splitlines()[-1])["zone"]


def states(test, server):
    lines = [json.loads(line) for line in tool(test, server, "zones", "--json").splitlines()]
    return [line["zone"]["state"] for line in lines if isinstance(line.get("zone"), dict)]


class Silent:
    """A server's place where UDP is swallowed and TCP refused."""

    def __init__(self, test):
        self.address, self.port = "127.0.0.1", test.next_port()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.address, self.port))


def test_one_dead_of_three_costs_one_time_out(test):
    """Forty zones whose first primary is silent: after a restart all are confirmed before one alone would have
    tried everything (17 s), and the status says who is avoided."""
    dead, alive, other, ours = Silent(test), test.lockstep("alive"), test.lockstep("other"), test.lockstep("ours")
    names = [f"z{i}.example" for i in range(40)]
    for name in names:
        alive.add(Zone(name, simple_zone(name, 1)))
        other.add(Zone(name, simple_zone(name, 1)))
        ours.add(Zone(name, primaries=[dead, alive, other]))
    alive.start(), other.start(), ours.start()
    test.wait_for("the copies", lambda: states(test, ours).count("in-sync") == len(names), 40)
    ours.stop()
    ours.start()
    for name in names:
        tool(test, ours, "refresh", name)
    test.wait_for("all confirmed", lambda: states(test, ours).count("in-sync") == len(names), 12)
    zone = status(test, ours, names[7])
    assert zone["primaries"][0]["avoided_until_s"] > 0 and "serial" in zone["primaries"][1], zone
    assert "asked last, again first in" in tool(test, ours, "status", names[7])
    dead.socket.close()


def test_the_second_key_is_tried(test):
    """The secondary has both keys for the primary, which knows the new one only, then the old one only."""
    two_keys(test, lambda text: text + "server 127.0.0.1 { keys { old-key; new-key; }; };\n")


def test_the_second_key_of_a_zone_is_tried(test):
    """The same, of keys that stand in `primaries`."""
    two_keys(test, lambda text: re.sub("(primaries [^;]*);", r"\1 key old-key key new-key;", text))


def two_keys(test, told):
    for name, secret in KEYS.items():
        test.keys[name] = ("hmac-sha256", secret)
    ours, primary = test.lockstep("ours"), test.lockstep("primary")
    primary.add(Zone(NAME, simple_zone(NAME, 1), secondaries=[ours], key="new-key"))
    ours.add(Zone(NAME, primaries=[primary]))
    plain = ours.configure

    def configure():
        plain()
        path = ours.home / "named.conf"
        path.write_text(told(path.read_text()))

    ours.configure = configure
    primary.keys = {"new-key": test.keys["new-key"]}
    primary.start(), ours.start()
    test.wait_serial(ours, NAME, 1)
    tool(test, ours, "refresh", NAME)
    test.wait_for("a signed refresh", lambda: '"refresh"' in tool(test, ours, "keys", "--json"))
    primary.zone(NAME).key = "old-key"
    primary.keys = {"old-key": test.keys["old-key"]}
    primary.configure()
    primary.write_zone(NAME, simple_zone(NAME, 2))
    tool(test, primary, "reload")
    tool(test, ours, "refresh", NAME)
    test.wait_serial(ours, NAME, 2)
    used = {k["name"].rstrip("."): {u["for"] for u in k["uses"]}
            for k in json.loads(tool(test, ours, "keys", "--json").splitlines()[-1])["keys"]}
    assert "transfer-in" in used["new-key"] and "transfer-in" in used["old-key"], used


def histories(test, kind, mname):
    """Two primaries with other records under the same serials; ours follows the first, then the second."""
    first, ours = test.lockstep("first"), test.lockstep("ours")
    second = test.peer(kind, "second") if kind else test.lockstep("second")
    here, there = (simple_zone(NAME, 3, f"{who} A 192.0.2.{i}") for i, who in ((1, "here"), (2, "there")))
    if mname:
        there = there.replace("SOA ns1", "SOA ns2")
    first.add(Zone(NAME, here))
    second.add(Zone(NAME, there, secondaries=[ours]))
    ours.add(Zone(NAME, primaries=[first, second]))
    first.start(), second.start()
    test.wait_serial(first, NAME, 3)
    test.wait_serial(second, NAME, 3)
    ours.start()
    test.wait_serial(ours, NAME, 3)
    first.stop()
    second.write_zone(NAME, there.replace(" 3 3600", " 4 3600") + "new A 192.0.2.4\n")
    second.reload()
    test.wait_serial(second, NAME, 4)
    tool(test, ours, "refresh", NAME)
    test.wait_serial(ours, NAME, 4)
    test.wait_for("the second's records and no other", lambda: not test.ask(ours, "here." + NAME, "A").answer)
    test.same(NAME, ours, second)


def test_another_history_of_our_kind(test):
    histories(test, None, mname=False)


def test_another_history_of_bind(test):
    histories(test, "bind", mname=True)


def test_a_serial_that_went_back(test):
    primary, ours = test.lockstep("primary"), test.lockstep("ours")
    primary.add(Zone(NAME, simple_zone(NAME, 7, "seven A 192.0.2.7")))
    ours.add(Zone(NAME, primaries=[primary]))
    primary.start(), ours.start()
    test.wait_serial(ours, NAME, 7)
    primary.stop()
    subprocess.run(["rm", "-r", primary.home / "store"], check=True)
    primary.write_zone(NAME, simple_zone(NAME, 5, "five A 192.0.2.5"))
    primary.start()
    test.wait_serial(primary, NAME, 5)
    tool(test, ours, "refresh", NAME)
    test.wait_for("the state", lambda: status(test, ours)["state"] == "ahead")
    zone = status(test, ours)
    assert zone["serial"] == 7 and zone["refresh"]["primary_serial"] == 5, zone
    assert "retransfer takes the primary's, adopt-serial there raises it" in tool(test, ours, "status", NAME)
    for _ in range(5):
        tool(test, ours, "refresh", NAME)
    assert ours.log().count("primary is behind") <= 6 and test.serial(ours, NAME) == 7
    tool(test, primary, "adopt-serial", NAME, "8")
    tool(test, ours, "refresh", NAME)
    test.wait_serial(ours, NAME, 8)
    test.same(NAME, ours, primary)
    primary.stop()
    subprocess.run(["rm", "-r", primary.home / "store"], check=True)
    primary.start()
    test.wait_serial(primary, NAME, 5)
    tool(test, ours, "retransfer", NAME)
    test.wait_serial(ours, NAME, 5)
    test.wait_for("in sync", lambda: status(test, ours)["state"] == "in-sync")
