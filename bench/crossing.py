# SPDX-License-Identifier: BSD-3-Clause
"""The part of bench.py across a veth pair between two network namespaces: AF_XDP, and sockets beside.

The server has core 0, the generator core 1. A veth pair has no core of its own: what receiving costs in
the kernel is done by the core that sends. So the generator's core pays for what the server's interface
takes in, and the server's core for what the generator's interface does with answers: counting them and
letting them go. That is the same for every server. The figures "busy" and "sending" say which of the two was the limit.
"""
import json
import pathlib
import re
import subprocess
import time

from harness import Test
from network import SERVER, Wire, run
from processes import TICK, cpu_seconds

TAKE_FRAMES = pathlib.Path(__file__).with_name("take_frames.py")


def kernel_seconds():
    """What core 0 did for the network in the name of no process."""
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, rest = path.read_text().rpartition(")")
        except OSError:
            continue
        if head.endswith("(ksoftirqd/0"):
            fields = rest.split()
            return (int(fields[11]) + int(fields[12])) / TICK
    return 0


class Crossing:
    def xdp(self):
        """UDP answers across a veth pair by AF_XDP and by sockets: Lockstep, Knot, and bare echoes, on core 0."""
        path, questions = self.generated("host", 100000), self.questions("host", 100000)
        for _ in range(self.options.rounds):
            for way in ("AF_XDP", "socket"):
                for kind in [s for s in self.options.servers if s in ("lockstep", "knot")] + ["limit"]:
                    with Test(self.build, f"bench-xdp-{kind}") as test:
                        wire = Wire()
                        try:
                            run("ip", "netns", "exec", wire.server, "/usr/bin/python3", TAKE_FRAMES, "s0")
                            server = (self.bare_echo(test, wire, way) if kind == "limit" else
                                      self.crossing_server(test, wire, kind, way, path))
                            self.cross(test, wire, kind, way, server, questions)
                        except Exception as problem:  # one server's failure must not end the run
                            print(f"    xdp {kind} {way} FAILED: {problem}", flush=True)
                        finally:
                            for server in test.processes:
                                server.stop()
                            wire.end()

    def crossing_server(self, test, wire, kind, way, path):
        server = self.primary(test, kind, "host.test", path)
        configure, command = server.configure, server.command

        def there():
            configure()
            conf = server.home / ("named.conf" if kind == "lockstep" else "knot.conf")
            text = conf.read_text()
            if kind == "lockstep":
                word = "xdp" if way == "AF_XDP" else ""
                text = re.sub(r"listen-on port \d+ \{[^}]*\};", f"listen-on {word} {{ {SERVER[0]}; }};", text)
                text = re.sub(r"(notify|transfer|query)-source (address )?127.0.0.1;\n", "", text)
            else:
                text = re.sub(r"listen: 127\.0\.0\.1@\d+", f"listen: {SERVER[0]}@53", text)
                text += "xdp:\n  listen: s0@53\n" if way == "AF_XDP" else ""
            conf.write_text(text)
        server.configure = there
        server.command = lambda: ["ip", "netns", "exec", wire.server, "taskset", "-c", "0", *command()]
        return server

    def bare_echo(self, test, wire, way):
        server = self.server(test, "lockstep", "limit")
        tool = ["frame_echo", "s0"] if way == "AF_XDP" else ["udp_echo"]
        server.command = lambda: ["ip", "netns", "exec", wire.server, "taskset", "-c", "0",
                                  self.build / "bench" / tool[0], *tool[1:], SERVER[0], "53"]
        return server

    def cross(self, test, wire, kind, way, server, questions):
        server.start(wait=False)
        test.wait_for("it answers", lambda: "NOERROR" in wire.dig(f"@{SERVER[0]}", "host.test", "SOA"), 60)
        time.sleep(2)
        broken = wire.bad_checksums()
        before = cpu_seconds(server) + kernel_seconds()
        done = subprocess.run(["ip", "netns", "exec", wire.client, "taskset", "-c", "1",
                               self.build / "bench" / "frame_load", "c0", SERVER[0], "53", questions, str(self.options.seconds)],
                              stdout=subprocess.PIPE, check=True, timeout=120)
        cpu = cpu_seconds(server) + kernel_seconds() - before
        got = json.loads(done.stdout)
        # One of 64 is looked at, but for those that came in a burst and found the client's socket full.
        broken = wire.bad_checksums() - broken
        if got["wrong"] or broken or got["other"] and kind != "limit" or got["sampled"] * 64 < 0.5 * got["answered"]:
            raise RuntimeError(f"wrong answers, {broken} with a bad checksum: {got}")
        label = f"across veth, {way}"
        self.figures.add(f"{label}: answers per second", kind, got["qps"], "/s", False)
        self.figures.add(f"{label}: CPU us per answer", kind, 1e6 * cpu / max(1, got["answered"]), "us")
        self.figures.add(f"{label}: lost", kind, 100 * got["lost"] / max(1, got["sent"]), "%")
        self.figures.add(f"{label}: server's core busy", kind, 100 * cpu / got["seconds"], "%", False)
        self.figures.add(f"{label}: generator sending", kind, 100 * got["sending_seconds"] / got["seconds"], "%")
