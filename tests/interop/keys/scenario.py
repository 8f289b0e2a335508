# SPDX-License-Identifier: BSD-3-Clause
"""TSIG keys in use: who uses which, copies of signed messages, secrets in files, several keys."""
import base64
import collections
import hashlib
import json
import re
import socket
import subprocess
import threading

import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import dns.update

from harness import Zone, simple_zone

NAME = "example.com"
OLD, NEW = "old-key", "new-key"
SECRETS = {key: base64.b64encode(hashlib.sha256(key.encode()).digest()).decode() for key in (OLD, NEW)}


def tool(test, *words):
    done = subprocess.run([test.build / "lockstep", *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"lockstep {words}: {done.stdout}{done.stderr}"
    return done.stdout


def ask(test, server, *words):
    return tool(test, words[0], "-s", server.home / "lockstepd.ctl", *words[1:])


def uses(test, server):
    """{key: {purpose: use}}, and the keys that are configured."""
    answer = json.loads(ask(test, server, "keys", "--json").splitlines()[-1])
    found = {k["name"].rstrip("."): {u["for"]: u for u in k["uses"]} for k in answer["keys"]}
    return found, {k["name"].rstrip(".") for k in answer["keys"] if k["configured"]}


def keyring(key):
    return dns.tsigkeyring.from_text({key: SECRETS[key]})


def configured(test, *keys):
    for key in keys:
        test.keys[key] = ("hmac-sha256", SECRETS[key])


def exchange(server, wire):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(3)
        sock.sendto(wire, (server.address, server.port))
        return sock.recv(65535)


def test_who_uses_which_key(test):
    configured(test, OLD)
    test.keys[NEW] = ("hmac-sha256-128", SECRETS[NEW])
    primary, secondary = test.lockstep("primary"), test.lockstep("secondary")
    primary.add(Zone(NAME, simple_zone(NAME, 1), secondaries=[secondary], key=OLD))
    secondary.add(Zone(NAME, primaries=[primary], key=OLD))
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 1)
    primary.write_zone(NAME, simple_zone(NAME, 2))
    primary.reload()
    test.wait_serial(secondary, NAME, 2)
    ask(test, secondary, "refresh", NAME)
    test.wait_for("the refresh", lambda: "refresh" in uses(test, secondary)[0][OLD])
    test.wait_for("the NOTIFY", lambda: "notify-out" in uses(test, primary)[0][OLD])
    theirs, present = uses(test, primary)
    ours, _ = uses(test, secondary)
    assert {"transfer-out", "query", "notify-out"} <= set(theirs[OLD]), theirs
    assert {"transfer-in", "notify-in", "refresh"} <= set(ours[OLD]), ours
    assert theirs[NEW] == {} and present == {OLD, NEW}, (theirs, present)
    use = theirs[OLD]["transfer-out"]
    assert use["count"] >= 2 and use["peer"] == secondary.address and use["first_at_s"] <= use["last_at_s"], use
    text = ask(test, primary, "keys")
    assert re.search(r"127\.0\.0\.1 +transfer-out +\d+ times, last \d+ s ago", text), text
    assert f"{NEW}, hmac-sha256-128: not used since the start" in text, text
    primary.zone(NAME).key = NEW
    del test.keys[OLD]
    primary.configure()
    ask(test, primary, "reload")
    theirs, present = uses(test, primary)
    assert OLD in theirs and present == {NEW}, (theirs, present)
    assert f"{OLD}, NO LONGER CONFIGURED" in ask(test, primary, "keys")


def test_a_rollover_under_load_refuses_nothing(test):
    """Clients transfer without a pause, with a key that is good, while keys come and go at reloads."""
    configured(test, OLD)
    primary = test.lockstep("primary").add(Zone(NAME, simple_zone(NAME, 1, "\n".join(
        f"h{i} A 192.0.2.{i % 250}" for i in range(500))), key=OLD))
    plain = primary.configure

    def configure():
        plain()
        path = primary.home / "named.conf"
        names = " ".join(f"key {name};" for name in test.keys)
        path.write_text(path.read_text().replace("allow-transfer { key old-key; };", f"allow-transfer {{ {names} }};"))

    primary.configure = configure
    primary.start()
    test.wait_serial(primary, NAME, 1)
    stop, failures, counts = threading.Event(), [], collections.Counter()
    present = {"key": OLD}

    def client(number):
        while not stop.is_set():
            key = present["key"]
            try:
                records = sum(len(r) for m in dns.query.xfr(primary.address, NAME, port=primary.port, timeout=10,
                                                            keyring=keyring(key), keyname=key,
                                                            keyalgorithm=dns.tsig.HMAC_SHA256) for r in m.answer)
                assert records == 506, records
                counts[key, number] += 1
            except Exception as error:  # pylint: disable=broad-except
                failures.append((key, repr(error)))

    clients = [threading.Thread(target=client, args=(i,)) for i in range(4)]
    for one in clients:
        one.start()

    def step(*keys):
        test.keys.clear()
        configured(test, *keys)
        primary.configure()
        ask(test, primary, "reload")

    try:
        test.wait_for("transfers with the old key", lambda: all(counts[OLD, i] >= 2 for i in range(4)))
        step(OLD, NEW)
        present["key"] = NEW
        test.wait_for("all clients to change over", lambda: all(counts[NEW, i] >= 2 for i in range(4)))
        step(NEW)
        for _ in range(5):
            step(NEW)
        test.wait_for("more of them", lambda: all(counts[NEW, i] >= 5 for i in range(4)))
    finally:
        stop.set()
        for one in clients:
            one.join()
    assert not failures, (failures[:3], counts)
    assert "denied" not in primary.log() and "invalid signature" not in primary.log()


def test_a_copy_of_an_update_is_not_done_again(test):
    configured(test, NEW)
    server = test.lockstep().add(Zone(NAME, simple_zone(NAME, 1), extra=f"allow-update {{ key {NEW}; }};"))
    server.start()
    test.wait_serial(server, NAME, 1)
    update = dns.update.UpdateMessage(NAME, keyring=keyring(NEW), keyalgorithm=dns.tsig.HMAC_SHA256)
    update.add("x", 60, "A", "192.0.2.1")
    wire = update.to_wire()
    first = dns.message.from_wire(exchange(server, wire), keyring=keyring(NEW), request_mac=update.mac)
    assert first.rcode() == dns.rcode.NOERROR
    test.wait_serial(server, NAME, 2)
    removal = dns.update.UpdateMessage(NAME, keyring=keyring(NEW), keyalgorithm=dns.tsig.HMAC_SHA256)
    removal.delete("x")
    assert dns.query.udp(removal, server.address, 3, server.port).rcode() == dns.rcode.NOERROR
    test.wait_serial(server, NAME, 3)
    for _ in range(3):
        again = dns.message.from_wire(exchange(server, wire), keyring=keyring(NEW), request_mac=update.mac)
        assert again.rcode() == dns.rcode.NOERROR and again.had_tsig
    assert test.serial(server, NAME) == 3 and test.ask(server, "x." + NAME, "A").rcode() == dns.rcode.NXDOMAIN
    test.wait_for("the copies in the log", lambda: "not done again" in server.log())
    # One that changed nothing may be tried again: its prerequisite holds now.
    later = dns.update.UpdateMessage(NAME, keyring=keyring(NEW), keyalgorithm=dns.tsig.HMAC_SHA256)
    later.present("y")
    later.add("z", 60, "A", "192.0.2.2")
    wire = later.to_wire()
    assert dns.message.from_wire(exchange(server, wire), keyring=keyring(NEW),
                                 request_mac=later.mac).rcode() == dns.rcode.NXDOMAIN
    adds = dns.update.UpdateMessage(NAME, keyring=keyring(NEW), keyalgorithm=dns.tsig.HMAC_SHA256)
    adds.add("y", 60, "A", "192.0.2.3")
    assert dns.query.udp(adds, server.address, 3, server.port).rcode() == dns.rcode.NOERROR
    assert dns.message.from_wire(exchange(server, wire), keyring=keyring(NEW),
                                 request_mac=later.mac).rcode() == dns.rcode.NOERROR


def test_a_copy_of_a_notify_is_not_acted_upon_again(test):
    configured(test, NEW)
    primary, server = test.lockstep("primary"), test.lockstep()
    primary.add(Zone(NAME, simple_zone(NAME, 1), key=NEW))
    server.add(Zone(NAME, primaries=[primary], key=NEW))
    primary.start(), server.start()
    test.wait_serial(server, NAME, 1)
    notify = dns.message.make_query(NAME, "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    notify.use_tsig(keyring(NEW), algorithm=dns.tsig.HMAC_SHA256)
    wire = notify.to_wire()
    for _ in range(4):
        answer = dns.message.from_wire(exchange(server, wire), keyring=keyring(NEW), request_mac=notify.mac)
        assert answer.rcode() == dns.rcode.NOERROR and answer.had_tsig
    test.wait_for("the copies in the log", lambda: "not acted upon again" in server.log())
    assert server.log().count("notify from 127.0.0.1") - server.log().count("not acted upon again") == 1


def test_secrets_in_files_and_nowhere_else(test):
    """keygen -f on both sides; the secret is in no log, status, print or error."""
    secret_path = test.folder / "k.secret"
    block = tool(test, "keygen", "-f", str(secret_path), "k")
    secret = secret_path.read_text().strip()
    assert secret not in block and oct(secret_path.stat().st_mode)[-3:] == "600", block
    primary, secondary = test.lockstep("primary"), test.lockstep("secondary")
    primary.add(Zone(NAME, simple_zone(NAME, 1), secondaries=[secondary], key="k"))
    secondary.add(Zone(NAME, primaries=[primary], key="k"))
    for server in (primary, secondary):
        server.start_configured = server.configure
        server.configure = lambda server=server: (server.start_configured(), (server.home / "named.conf").write_text(
            block + (server.home / "named.conf").read_text()))
        server.start()
    test.wait_serial(secondary, NAME, 1)
    primary.write_zone(NAME, simple_zone(NAME, 2))
    primary.reload()
    test.wait_serial(secondary, NAME, 2)
    said = [tool(test, "check-conf", "-p", primary.home / "named.conf")]
    for server in (primary, secondary):
        said += [server.log(), ask(test, server, "keys"), ask(test, server, "keys", "--json"),
                 ask(test, server, "status", NAME, "--json"), ask(test, server, "status", "--json")]
    assert all(secret not in text for text in said)
    secret_path.chmod(0o644)
    done = subprocess.run([test.build / "lockstep", "check-conf", primary.home / "named.conf"],
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and "anybody may read" in done.stdout and secret not in done.stdout, done.stdout
    primary.reload()
    test.wait_for("the reload refused", lambda: "reloading configuration failed" in primary.log())
    primary.write_zone(NAME, simple_zone(NAME, 3))
    ask(test, primary, "reload", NAME)
    test.wait_serial(secondary, NAME, 3)


def test_no_secret_is_in_a_core_dump(test):
    """No page that the kernel would dump has a secret in it, as octets or as text."""
    configured(test, OLD, NEW)
    server = test.lockstep().add(Zone(NAME, simple_zone(NAME, 1), key=NEW))
    server.start()
    test.wait_serial(server, NAME, 1)
    found = set()
    maps = open(f"/proc/{server.process.pid}/smaps").read()
    with open(f"/proc/{server.process.pid}/mem", "rb", 0) as memory:
        for head, flags in re.findall(r"^([0-9a-f]+-[0-9a-f]+ r\S+ .*)\n(?:(?![0-9a-f]+-).*\n)*?VmFlags:(.*)$", maps, re.M):
            low, high = (int(x, 16) for x in head.split()[0].split("-"))
            dumped = " dd" not in flags
            if high - low > 1 << 26:
                continue  # what the sanitizer maps
            try:
                memory.seek(low)
                content = memory.read(high - low)
            except (OSError, ValueError):
                continue
            for secret in SECRETS.values():
                if base64.b64decode(secret) in content:
                    found.add(dumped)
                assert not (dumped and secret.encode() in content), head
    assert found == {False}, found
