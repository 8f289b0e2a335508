# SPDX-License-Identifier: BSD-3-Clause
"""Floods: who asks honestly is answered, who may transfer transfers, memory stays bounded; mutated packets by the
hundred thousand; clients that ask and never read.

bench/flood and bench/mutate make the packets, bench/udp_load asks honestly meanwhile.
"""
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import time

from harness import Zone, simple_zone

NAME = "example.com"


def rss_kib(server, member="VmRSS"):
    text = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(rf"{member}:\s+(\d+)", text).group(1))


def tool(test, name, *words):
    return subprocess.Popen([test.build / "bench" / name, *map(str, words)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env=os.environ | {"ASAN_OPTIONS": "detect_leaks=0"})


def result(process, seconds=90):
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, (out, err)
    return json.loads(out)


def world(test, options=""):
    """A primary with a zone of some size, which only the harness may transfer and nobody may update."""
    server = test.lockstep("primary", options=options)
    records = "\n".join(f"h{i} A 10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(20000))
    server.add(Zone(NAME, simple_zone(NAME, 1, f"www A 192.0.2.80\n{records}")))
    # A quarantine of freed memory would look like growth.
    plain = server.command
    server.command = lambda: ["env", "ASAN_OPTIONS=quarantine_size_mb=4", *plain()]
    server.start()
    test.wait_serial(server, NAME, 1)
    return server


def ask_honestly(test, server, seconds):
    """Questions over UDP, one after the other; every one must be answered. How long each took, sorted."""
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        reply = test.ask(server, f"h{len(took)}.{NAME}", "A", timeout=5)
        assert reply is not None and reply.answer, f"question {len(took)} was not answered"
        took.append(time.monotonic() - begin)
        time.sleep(0.002)
    return sorted(took)


def kernel_queues(server):
    """Octets that the kernel holds for each client that has not taken them, of the server's connections."""
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [int(row[4].split(":")[0], 16) for row in rows
            if int(row[1].split(":")[1], 16) == server.port and row[3] == "01"]


def under(test, server, kind, number, seconds=3, grows_kib=128 * 1024):
    """Everything that must hold while one flood runs; gives what was measured."""
    before = rss_kib(server)
    flood = tool(test, "flood", kind, server.address, server.port, NAME, seconds + 1, number)
    time.sleep(0.5)
    lines = len(test.transfer(server, NAME))
    took = ask_honestly(test, server, seconds - 1)
    queues = kernel_queues(server)
    done = result(flood)
    grown = rss_kib(server, "VmHWM") - before
    print(f"{kind}: {done}, {len(took)} honest questions, p99 {took[len(took) * 99 // 100] * 1000:.1f} ms, "
          f"memory +{grown} KiB")
    assert lines == 20006, f"the transfer of a partner had {lines} records under {kind}"
    assert server.process.poll() is None, "the server died"
    assert max(queues, default=0) < 1024 * 1024, "the kernel holds megabytes for one who does not read"
    assert grown < grows_kib, f"{kind}: memory grew by {grown} KiB"
    return done


def status_limits(test, server):
    done = subprocess.run([test.build / "lockstep", "status", "-s", server.home / "lockstepd.ctl", "--json"],
                          capture_output=True, text=True, timeout=20, check=True)
    return json.loads(done.stdout)["server"]["limits"]


def test_floods_one_after_the_other(test):
    """Slow connections, connection attempts, NOTIFY, transfers and UPDATE of strangers, each for some seconds."""
    server = world(test, "tcp-clients 600; tcp-clients-per-prefix 300; tcp-initial-timeout 20; transfers-out 4; "
                         "update-quota 10;")
    done = under(test, server, "slowloris", 500, seconds=4)
    assert done["refused"] >= 100, "no slow connection was ended"
    under(test, server, "connect", 20000)
    under(test, server, "notify", 20000)
    under(test, server, "axfr", 3000)
    under(test, server, "update", 20000)
    log = server.log()
    for word in ("refused notify", "zone transfer 'example.com/AXFR/IN' denied", "update 'example.com/IN' denied"):
        assert word in log, word
    assert len(log.splitlines()) < 1500, "what strangers can trigger is logged without a bound"
    limits = status_limits(test, server)
    assert limits["tcp-clients"]["max"] == 600 and limits["transfers-out"]["refused"] == 0, limits


def test_connections_beyond_the_limits(test):
    """One network gets its share; in all no more than tcp-clients, and a newcomer gets in."""
    server = world(test, "tcp-clients 100; tcp-clients-per-prefix 60; tcp-clients-ipv4-prefix-length 16;")
    under(test, server, "slowloris", 400, seconds=4)
    limits = status_limits(test, server)
    assert limits["tcp-clients"]["max"] == 100 and limits["tcp-clients-per-prefix"]["max"] == 60, limits
    assert limits["tcp-clients"]["now"] <= 100 and limits["tcp_evicted"] > 100, limits


def test_clients_that_never_read(test):
    """60 connections that ask for the zone 16 times and read nothing: cut off after their time, memory bounded."""
    server = world(test, "transfers-out 2000; transfers-out-per-zone 2000; transfers-out-per-client 12; "
                         "max-transfer-idle-out 8s;")
    path = server.home / "named.conf"
    path.write_text(path.read_text().replace("allow-transfer { 127.0.0.1; };", "allow-transfer { 127.0.0.0/8; };"))
    server.reload()
    test.wait_for("the reload", lambda: "reloading zones succeeded" in server.log(), 10)
    under(test, server, "silent", 60, seconds=13)
    test.wait_for("who does not read is cut off", lambda: "cut after" in server.log(), 10)
    assert status_limits(test, server)["transfers-out"]["refused"] > 0


def test_mutated_packets(test):
    """200,000 changed packets over UDP and TCP: no crash, no report, nothing amplified, memory flat."""
    seed = int(os.environ.get("LOCKSTEP_SEED", "0")) or random.randrange(1, 1 << 30)
    packets = int(os.environ.get("LOCKSTEP_PACKETS", "200000"))
    test.keys["known"] = ("hmac-sha256", "bm90IGEgc2VjcmV0IGF0IGFsbCwgYSB0ZXN0")
    server = test.lockstep("primary", options="allow-update { 127.0.0.0/8; }; allow-query { any; };")
    server.add(Zone(NAME, simple_zone(NAME, 1, "www A 192.0.2.80\n* TXT \"any\"\nsub NS ns.sub\nns.sub A 192.0.2.9\n"
                                               "d DNAME target.test.\nc CNAME www\nsvc SVCB 1 . alpn=h2")))
    plain = server.command
    server.command = lambda: ["env", "ASAN_OPTIONS=quarantine_size_mb=4", *plain()]
    server.start()
    test.wait_serial(server, NAME, 1)
    result(tool(test, "mutate", server.address, server.port, NAME, packets // 10, seed + 1))
    before = rss_kib(server)
    done = result(tool(test, "mutate", server.address, server.port, NAME, packets, seed), 300)
    grown = rss_kib(server) - before
    print(f"seed {seed}: {done}, memory +{grown} KiB")
    assert server.process.poll() is None, f"the server died; seed {seed}"
    assert done["udp"] + done["tcp"] >= packets and done["answered"] > packets // 20 and done["errors"] > 1000, done
    assert done["error_octets"] <= done["error_octets_asked"], done
    assert grown < 32 * 1024, f"memory grew by {grown} KiB; seed {seed}"
    assert test.ask(server, f"www.{NAME}", "A") is not None


def test_notify_flood_of_a_primary(test):
    """NOTIFY that is allowed, thousands a second: one question under way, one more behind it, not one for each."""
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "evil_primary"))
    from primary import Primary
    server = test.lockstep("secondary", options="allow-notify { 127.0.0.0/8; };")
    primary = Primary(f"{test.net}.1", server.port, NAME)
    server.add(Zone(NAME, primaries=[primary]))
    asked, plain = [0], primary.answer

    def count(wire):
        asked[0] += 1
        return plain(wire)
    primary.answer = count
    server.start()
    try:
        test.wait_serial(server, NAME, 1)
        asked[0], before = 0, rss_kib(server)
        done = result(tool(test, "flood", "notify", server.address, server.port, NAME, 3, 5000))
        print(f"{done['sent']} NOTIFY messages, {asked[0]} SOA queries, memory +{rss_kib(server) - before} KiB")
        assert asked[0] > 0 and asked[0] < done["sent"] // 20, asked
        assert rss_kib(server, "VmHWM") - before < 64 * 1024
        primary.serial = 2
        primary.notify(server)
        test.wait_serial(server, NAME, 2, 10)
    finally:
        primary.stopping = True
