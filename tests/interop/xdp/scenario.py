# SPDX-License-Identifier: BSD-3-Clause
"""Answering past the kernel's stack: a client and a server in network namespaces, a veth pair between them."""
import contextlib
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

from harness import Zone, simple_zone
from network import SERVER, Wire, run

NAME = "example.com"
AF_XDP = 44


def start(test, wire, listen="listen-on xdp { any; };\nlisten-on-v6 xdp { any; };", address=SERVER[0]):
    ours = test.lockstep(f"ours{len(test.processes)}")
    records = "".join(f"host{i} A 192.0.2.{i % 250}\n" for i in range(300)) + "".join(
        f"big A 203.0.113.{i}\n" for i in range(200))
    ours.add(Zone(NAME, simple_zone(NAME, 5, records), extra="allow-update { any; };"))
    configure = ours.configure

    def anywhere():
        configure()
        path = ours.home / "named.conf"
        text = re.sub(r"listen-on port \d+ \{[^}]*\};", listen, path.read_text())
        text = re.sub(r"(notify|transfer|query)-source (address )?127.0.0.1;\n", "", text)
        path.write_text(text.replace("listen-on-v6 { none; };\n", ""))
    ours.configure = anywhere
    command = ours.command
    ours.command = lambda: ["ip", "netns", "exec", wire.server, *command()]
    ours.start(wait=False)
    test.wait_for("it answers", lambda: "status: NOERROR" in wire.dig(f"@{address}", NAME, "SOA"), 20)
    return ours


def counted(test, ours, what="xdp_questions"):
    done = subprocess.run([test.build / "lockstep", "status", "--json", "-s", ours.home / "lockstepd.ctl"],
                          capture_output=True, text=True, timeout=20, check=True)
    return json.loads(done.stdout)["server"]["counters"][what]


def asking(wire, *words):
    return subprocess.Popen(["ip", "netns", "exec", wire.client, sys.executable, pathlib.Path(__file__).with_name("asking.py"),
                             *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@contextlib.contextmanager
def crossing(test, *words, **options):
    """The wire between client and server, for one test; whatever comes of it, it goes with the servers on it."""
    wire = Wire(*words, **options)
    try:
        yield wire
    finally:
        for server in test.processes:
            server.stop()
        wire.end()


def has_xdp():
    try:
        socket.socket(AF_XDP, socket.SOCK_RAW, 0).close()
        return True
    except OSError:
        return False


def test_questions_pass_by_the_kernel(test):
    with crossing(test) as wire:
        ours = start(test, wire)
        if not has_xdp():
            assert "no AF_XDP on s0: " in ours.log()
            return
        assert "listening on interface s0 by AF_XDP" in ours.log(), ours.log()
        begin, before = counted(test, ours), wire.datagrams()
        names = [word for i in range(40) for word in (f"host{i}.{NAME}", "A")]
        for address in SERVER:
            out = wire.dig("+short", f"@{address}", *names)
            assert out == "".join(f"192.0.2.{i}\n" for i in range(40)), out
        assert counted(test, ours) - begin == 80
        assert wire.datagrams() == before, "the kernel's stack took questions"
        # Too large for a datagram: TC, and TCP by the kernel's stack.
        out = wire.dig(f"@{SERVER[0]}", f"big.{NAME}", "A")
        assert "Truncated, retrying in TCP mode" in out and "ANSWER: 200" in out, out
        # What is no question goes to the socket: UPDATE, and is done.
        update = subprocess.run(["ip", "netns", "exec", wire.client, "nsupdate", "-v"], text=True, capture_output=True,
                                input=f"server {SERVER[0]}\nzone {NAME}\nupdate add new.{NAME} 60 A 192.0.2.99\nsend\n",
                                timeout=20, check=False)
        assert update.returncode == 0, update.stderr
        udp = subprocess.run(["ip", "netns", "exec", wire.client, "nsupdate"], text=True, capture_output=True,
                             input=f"server {SERVER[0]}\nzone {NAME}\nupdate add new2.{NAME} 60 A 192.0.2.98\nsend\n",
                             timeout=20, check=False)
        assert udp.returncode == 0, udp.stderr
        assert wire.dig("+short", f"@{SERVER[1]}", f"new2.{NAME}", "A") == "192.0.2.98\n"
        assert wire.datagrams()[0] > before[0]
        # The host itself asks as ever: no frame leaves a loopback interface.
        assert "xdp" not in run("ip", "-n", wire.server, "link", "show", "lo")
        for address in ("127.0.0.1", "::1", *SERVER):
            out = run("ip", "netns", "exec", wire.server, "dig", "+short", f"@{address}", f"host3.{NAME}", "A")
            assert out == "192.0.2.3\n", (address, out)
        assert "no AF_XDP on" not in ours.log(), ours.log()
        # And afterwards nothing of it is left.
        assert "xdp" in run("ip", "-n", wire.server, "link", "show", "s0")
        ours.stop()
        assert "xdp" not in run("ip", "-n", wire.server, "link", "show", "s0")


def all_are_answered(test, wire, where):
    """Many times as many questions as there are frames, in bursts, over both families."""
    ours = start(test, wire)
    assert has_xdp(), "this kernel has no AF_XDP sockets"
    assert re.search(f"listening on interface {where}", ours.log()), ours.log()
    begin = counted(test, ours)
    for address in SERVER:
        done = asking(wire, "all", address, NAME, 10000).communicate(timeout=60)[0]
        assert done == "10000\n", done
    assert counted(test, ours) == begin + 20000


def test_frames_go_round(test):
    with crossing(test) as wire:
        all_are_answered(test, wire, "s0 by AF_XDP \\(queues=1 addresses=.* mode=driver")


def test_every_queue_is_served(test):
    with crossing(test, queues=4) as wire:
        all_are_answered(test, wire, "s0 by AF_XDP \\(queues=4 addresses=.* mode=driver")


def test_a_driver_without_it_is_helped_by_the_kernel(test):
    """A macvlan knows nothing of XDP."""
    with crossing(test) as wire:
        run("ip", "-n", wire.server, "address", "flush", "dev", "s0")
        run("ip", "-n", wire.server, "link", "add", "link", "s0", "name", "m0", "type", "macvlan", "mode", "bridge")
        for address, bits in zip(SERVER, (24, 64)):
            run("ip", "-n", wire.server, "address", "add", f"{address}/{bits}", "dev", "m0",
                *(["nodad"] if ":" in address else []))
        run("ip", "-n", wire.server, "link", "set", "m0", "up")
        # Else s0 may say that the address is its own, and the frames come there.
        run("ip", "netns", "exec", wire.server, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore")
        all_are_answered(test, wire, "m0 by AF_XDP \\(queues=1 addresses=.* mode=generic")


def test_answers_that_cannot_leave_do_not_come_late(test):
    with crossing(test) as wire:
        ours = start(test, wire)
        assert has_xdp(), "this kernel has no AF_XDP sockets"
        begin = counted(test, ours)
        ours.process.send_signal(signal.SIGSTOP)
        client = asking(wire, "late", SERVER[0], NAME, 200)
        assert client.stdout.readline() == "asked\n"
        run("ip", "-n", wire.client, "link", "set", "c0", "down")
        ours.process.send_signal(signal.SIGCONT)
        test.wait_for("all are answered", lambda: counted(test, ours) == begin + 200)
        run("ip", "-n", wire.client, "link", "set", "c0", "up")
        client.stdin.write("\n")
        client.stdin.flush()
        first = client.communicate(timeout=20)[0]
        assert first == "200\n", first


def test_what_comes_too_fast_is_counted(test):
    with crossing(test) as wire:
        ours = start(test, wire)
        assert has_xdp(), "this kernel has no AF_XDP sockets"
        begin = counted(test, ours)
        assert counted(test, ours, "xdp_lost") == 0
        ours.process.send_signal(signal.SIGSTOP)
        client = asking(wire, "late", SERVER[0], NAME, 3000)
        assert client.stdout.readline() == "asked\n"
        client.kill()
        client.communicate()
        ours.process.send_signal(signal.SIGCONT)
        test.wait_for("those that waited are answered", lambda: counted(test, ours) > begin)
        time.sleep(1.1)  # it looks once a second, when it is asked
        wire.dig(f"@{SERVER[1]}", NAME, "SOA")
        test.wait_for("it is told", lambda: counted(test, ours, "xdp_lost") != 0)
        lost, taken = counted(test, ours, "xdp_lost"), counted(test, ours) - begin
        assert 3000 <= lost + taken < 3005 and taken >= 2048, (lost, taken)


def test_addresses_of_a_loopback_interface_come_by_the_others(test):
    """As those of anycast do; and where there is no other interface, the socket has it."""
    for listen in (f"{SERVER[0]}; 203.0.113.53;", "203.0.113.53; 127.0.0.1;"):
        wire = Wire()
        try:
            run("ip", "-n", wire.server, "address", "add", "203.0.113.53/32", "dev", "lo")
            run("ip", "-n", wire.client, "route", "add", "203.0.113.53", "via", SERVER[0])
            ours = start(test, wire, f"listen-on xdp {{ {listen} }};", "203.0.113.53")
            begin = counted(test, ours)
            assert wire.dig("+short", "@203.0.113.53", f"host3.{NAME}", "A") == "192.0.2.3\n"
            by_frames = has_xdp() and SERVER[0] in listen
            assert counted(test, ours) == begin + by_frames
            assert by_frames or "no AF_XDP on 203.0.113.53#53: no other than a loopback interface" in ours.log(), ours.log()
            ours.stop()
        finally:
            for server in test.processes:
                server.stop()
            wire.end()


def test_without_the_word_the_socket_answers(test):
    with crossing(test) as wire:
        ours = start(test, wire, "listen-on { any; };")
        before = wire.datagrams()
        assert wire.dig("+short", f"@{SERVER[0]}", f"host7.{NAME}", "A") == "192.0.2.7\n"
        assert wire.datagrams()[0] == before[0] + 1 and counted(test, ours) == 0
        assert "xdp" not in run("ip", "-n", wire.server, "link", "show", "s0")
