# SPDX-License-Identifier: BSD-3-Clause
"""The part of bench.py across a veth pair between two network namespaces: AF_XDP, and sockets beside."""
import json
import re
import subprocess
import time

from harness import Test
from network import SERVER, Wire
from processes import cpu_seconds


class Crossing:
    def xdp(self):
        """UDP answers across a veth pair by AF_XDP and by sockets: Lockstep and Knot, all on core 0."""
        path, questions = self.generated("host", 100000), self.questions("host", 100000)
        for _ in range(self.options.rounds):
            for way in ("AF_XDP", "socket"):
                for kind in [s for s in self.options.servers if s in ("lockstep", "knot")]:
                    with Test(self.build, f"bench-xdp-{kind}") as test:
                        wire = Wire()
                        try:
                            self.cross(test, wire, kind, way, path, questions)
                        except Exception as problem:  # one server's failure must not end the run
                            print(f"    xdp {kind} {way} FAILED: {problem}", flush=True)
                        finally:
                            for server in test.processes:
                                server.stop()
                            wire.end()

    def cross(self, test, wire, kind, way, path, questions):
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
        server.start(wait=False)
        test.wait_for("it answers", lambda: "NOERROR" in wire.dig(f"@{SERVER[0]}", "host.test", "SOA"), 60)
        time.sleep(2)
        before = cpu_seconds(server)
        done = subprocess.run(["ip", "netns", "exec", wire.client, "taskset", "-c", "1",
                               self.build / "bench" / "udp_load", SERVER[0], "53", questions, str(self.options.seconds)],
                              stdout=subprocess.PIPE, check=True, timeout=120)
        got = json.loads(done.stdout)
        cpu = cpu_seconds(server) - before
        self.figures.add(f"across veth, {way}: answers per second", kind, got["qps"], "/s", False)
        self.figures.add(f"across veth, {way}: CPU us per answer", kind, 1e6 * cpu / max(1, got["answered"]), "us")
