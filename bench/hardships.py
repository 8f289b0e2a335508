# SPDX-License-Identifier: BSD-3-Clause
"""Benchmarks of what trust and trouble cost: signed transfers, and answers while somebody floods the server."""
import os
import subprocess
import time

from harness import Zone

SECRET = "bm90IGEgc2VjcmV0IGF0IGFsbCwgYSB0ZXN0"
FLOODS = (("none", 0), ("slowloris", 500), ("connect", 20000), ("notify", 20000), ("axfr", 3000), ("update", 20000))


class Hardships:
    """Of bench.py's Suite, which has what is used here."""

    def axfr_tsig(self):
        """A whole zone to 1 and to 20 clients, unsigned and signed with hmac-sha256, in turn."""
        path = self.generated("tld", self.options.size)

        def body(test, kind):
            test.keys["k"] = ("hmac-sha256", SECRET)
            for key in ("", "k"):
                server = self.primary(test, kind, "tld.test", path)
                server.zones[0].key = key
                server.start(wait=False)
                self.until_serial(test, server, "tld.test", 1)
                for clients in (1, 1, 20):
                    before = self.cpu_seconds(server)
                    environment = os.environ | ({"AXFR_KEY": f"k:{SECRET}"} if key else {})
                    done = subprocess.run([self.build / "bench" / "axfr_drain", server.address, str(server.port), "tld.test",
                                           str(clients)], stdout=subprocess.PIPE, check=False, timeout=600, env=environment)
                    if done.returncode != 0:
                        print(f"    axfr_tsig {kind}: {done.stdout}")
                        continue
                    took = float(done.stdout.split(b":")[1].split(b",")[0])
                    label = f"AXFR out, {'signed' if key else 'unsigned'}, {clients} clients"
                    self.figures.add(f"{label}: seconds", kind, took, "s")
                    self.figures.add(f"{label}: CPU", kind, self.cpu_seconds(server) - before, "s")
                server.stop()
                for folder in (server.home,):
                    subprocess.run(["rm", "-rf", folder], check=True)
        self.each("axfr_tsig", body)

    def floods(self):
        """Answers over UDP (5,000 a second, open loop) while strangers flood the server, each flood in turn."""
        path = self.generated("tld", 100000)
        questions = self.questions("tld", 100000)

        def body(test, kind):
            server = self.primary(test, kind, "tld.test", path)
            server.start(wait=False)
            self.until_serial(test, server, "tld.test", 1)
            for flood, number in FLOODS:
                running = None
                if number:
                    running = subprocess.Popen([self.build / "bench" / "flood", flood, server.address, str(server.port),
                                                "tld.test", str(self.options.seconds + 1), str(number)],
                                               stdout=subprocess.PIPE)
                    time.sleep(0.5)
                got = self.tool("udp_load", server.address, server.port, questions, self.options.seconds, 192, 5000)
                self.figures.add(f"flood {flood}: p99 of answers", kind, got["p99_us"], "us")
                self.figures.add(f"flood {flood}: later than 100 ms, or never", kind,
                                 100 * got["lost"] / max(1, got["sent"]), "%")
                if running is not None:
                    running.communicate(timeout=60)
        self.each("floods", body)
