# SPDX-License-Identifier: BSD-3-Clause
"""Answering: over UDP and TCP, plain and signed, idle and while a large zone comes in."""
import json
import os
import signal
import subprocess
import time

from harness import Test, Zone
from processes import cpu_seconds, family

RATE = 20000  # questions a second while a zone comes in
SLICE = 0.5  # seconds
SMALL_ZONES = 1000  # so few that all of them are in the processor's cache


def pin(server, core):
    for pid in family(server.process.pid):
        os.system(f"taskset -apc {core} {pid} >/dev/null 2>&1")


class Answers:
    """Mixed into the suite of bench.py."""

    def generator(self, name, server, *words, core="1"):
        done = subprocess.run(["taskset", "-c", core, self.build / "bench" / name, server.address, str(server.port),
                               *map(str, words)], stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)

    def ask(self, server, label, kind, questions, generator="udp_load", words=()):
        """CPU per answer: the server on core 0, the generator on core 1. Then at half of that rate."""
        pin(server, 0)
        before = cpu_seconds(server)
        got = self.generator(generator, server, questions, self.options.seconds, *words)
        cpu = cpu_seconds(server) - before
        self.figures.add(f"{label}: CPU us per answer", kind, 1e6 * cpu / max(1, got["answered"]), "us")
        self.figures.add(f"{label}: answers per second", kind, got["qps"], "/s", False)
        self.figures.add(f"{label}: lost", kind, 100 * got["lost"] / max(1, got["sent"]), "%")
        if generator == "udp_load":
            half = self.generator(generator, server, questions, self.options.seconds, 192, got["qps"] / 2)
            self.figures.add(f"{label}: lost at half load", kind, 100 * half["lost"] / max(1, half["sent"]), "%")
            self.figures.add(f"{label}: p99 at half load", kind, half["p99_us"], "us")

    def limit(self, label, questions):
        """A bare echo: what the kernel and the generator leave possible."""
        for _ in range(self.options.rounds):
            with Test(self.build, "bench-echo") as test:
                class Echo:
                    address, port = "127.0.0.1", test.next_port()
                    process = subprocess.Popen([self.build / "bench" / "udp_echo", address, str(port)])
                time.sleep(0.2)
                try:
                    self.ask(Echo, label, "limit", questions)
                finally:
                    Echo.process.kill()
                    Echo.process.wait()

    def asked_of(self, label, zone, path, questions, generator="udp_load", words=()):
        def body(test, kind):
            server = self.primary(test, kind, zone, path)
            server.start(wait=False)
            self.until_serial(test, server, zone, 1)
            self.until_quiet(server)
            self.ask(server, label, kind, questions, generator, words)
        self.each(label.replace(" ", "-"), body)

    def answer(self):
        """UDP answers on one core; a bare echo is the limit."""
        for label, kind, zone, n in [("TLD", "tld", "tld.test", self.options.size), ("hosting", "host", "host.test", 100000)]:
            path, questions = self.generated(kind, n), self.questions(kind, n)
            self.asked_of(f"answer {label}", zone, path, questions)
            self.limit(f"answer {label}", questions)
        folder, questions = self.many_folder(SMALL_ZONES), self.questions("many", SMALL_ZONES)

        def body(test, kind):
            server = self.many_server(test, kind, folder, SMALL_ZONES)
            server.start(wait=False)
            self.until_all(server, SMALL_ZONES)
            self.until_quiet(server)
            self.ask(server, "answer small zones", kind, questions)
        self.each("answer-small-zones", body)
        self.limit("answer small zones", questions)

    def signed(self):
        """UDP answers with DO from a signed zone, NSEC and NSEC3; PowerDNS, which signs itself, left out."""
        n = self.options.signed
        plain, asked = self.generated("host", n), self.questions("host", n)
        questions = self.with_dnssec_ok(asked)
        servers = self.options.servers
        self.options.servers = [s for s in servers if s != "pdns"]
        for label, words in [("NSEC", []), ("NSEC3", ["-3", "-", "-H", "0"])]:
            path = self.data / f"host-{n}-{label}.zone"
            if not path.exists():
                self.sign("host.test", plain, path, words)
            self.asked_of(f"answer {label}", "host.test", path, questions)
        self.options.servers = servers
        self.limit("answer with DO", questions)

    def with_dnssec_ok(self, asked):
        """The questions of a file, with EDNS and DO, as resolvers ask them."""
        questions = asked.with_name(asked.name + "-do")
        questions.write_text("".join(line.rstrip("\n") + " do\n" for line in open(asked)))
        return questions

    def sign(self, zone, plain, path, words):
        folder = self.data / f"keys-{path.stem}"
        folder.mkdir(exist_ok=True)
        for key in (["-f", "KSK"], []):
            subprocess.run(["dnssec-keygen", "-q", "-K", folder, "-a", "ECDSAP256SHA256", *key, zone],
                           stdout=subprocess.DEVNULL, check=True)
        subprocess.run(["dnssec-signzone", "-q", "-S", "-K", folder, "-d", folder, "-o", zone, "-O", "full", "-N", "keep",
                        *words, "-f", path, plain], stdout=subprocess.DEVNULL, check=True)

    def tcp(self):
        """Questions over 100 TCP connections that are kept, 4 in flight on each."""
        path, questions = self.generated("host", 100000), self.questions("host", 100000)
        self.asked_of("answer TCP", "host.test", path, questions, "tcp_load", (100, 4))

    def while_loading(self):
        """Answers at 20,000 a second, idle and while a large zone comes in by AXFR; nothing is pinned."""
        large, small = self.generated("tld", self.options.size), self.generated("host", 100000)
        questions = self.questions("host", 100000)

        def slice_of(server, label, kind):
            got = self.generator("udp_load", server, questions, SLICE, 192, RATE, core="0-1")
            self.figures.add(f"{label}: p99", kind, got["p99_us"], "us")
            self.figures.add(f"{label}: lost", kind, 100 * got["lost"] / max(1, got["sent"]), "%")

        def body(test, kind):
            secondary = self.primary(test, kind, "host.test", small)
            primary = self.server(test, "lockstep", "large")
            primary.zones = [Zone("tld.test", secondaries=[secondary])]
            os.link(large, primary.zone_path("tld.test"))
            secondary.zones.append(Zone("tld.test", primaries=[primary]))
            primary.start(wait=False)
            self.until_serial(test, primary, "tld.test", 1)
            os.kill(primary.process.pid, signal.SIGSTOP)
            try:
                secondary.start(wait=False)
                self.until_serial(test, secondary, "host.test", 1)
                time.sleep(2)
                for _ in range(4):
                    slice_of(secondary, "while idle", kind)
            finally:
                os.kill(primary.process.pid, signal.SIGCONT)
            begin = time.monotonic()
            while test.serial(secondary, "tld.test") != 1:
                if time.monotonic() - begin > 120:
                    raise RuntimeError("the large zone does not come")
                slice_of(secondary, "while a zone comes in", kind)
        self.each("while_loading", body)
