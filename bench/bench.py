#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Whole-server benchmarks: lockstepd beside every installed peer, alternating, in one run.

usage: bench.py [--build DIR] [--size N] [--zones N] [--rounds N] [--servers LIST] [NAME...]

Names: load, axfr_out, axfr_in, axfr_tsig, floods, answer, instructions, signed, tcp, while_loading, many, many_transfer,
update, update_rate, ixfr_in, ixfr_out, restart, tls, xdp (default: all). Figures are medians with the least and
the largest beside them; `ratio` compares medians with the best peer's (above 1: ours is better).
Results go to bench/results/ as JSON with machine, commit and versions.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "interop"))
from answers import Answers  # noqa: E402
from changes import Changes  # noqa: E402
from crossing import Crossing  # noqa: E402
from hardships import Hardships  # noqa: E402
from harness import PEERS, Test, Zone  # noqa: E402
from instructions import Instructions  # noqa: E402
from processes import cpu_seconds, memory_bytes, peak_bytes  # noqa: E402
from transports import Transports  # noqa: E402

BINARIES = {"bind": "/usr/sbin/named", "knot": "/usr/sbin/knotd", "nsd": "/usr/sbin/nsd", "pdns": "/usr/sbin/pdns_server"}
VERSION_FLAG = {"bind": "-V", "knot": "-V", "nsd": "-v", "pdns": "--version"}


class Figures:
    """Samples by figure and server, and the table made of them."""

    def __init__(self):
        self.samples = {}

    def add(self, figure, server, value, unit, less_is_better=True):
        entry = self.samples.setdefault(figure, {"unit": unit, "less_is_better": less_is_better, "by": {}})
        entry["by"].setdefault(server, []).append(value)
        print(f"    {figure:38} {server:9} {value:12.4g} {unit}", flush=True)

    def table(self):
        for figure, entry in self.samples.items():
            print(f"\n{figure} [{entry['unit']}]")
            medians = {s: statistics.median(v) for s, v in entry["by"].items()}
            peers = {s: m for s, m in medians.items() if s in PEERS}
            best = (min if entry["less_is_better"] else max)(peers.values(), default=None)
            for server, values in sorted(entry["by"].items(), key=lambda i: medians[i[0]]):
                line = f"  {server:10} {medians[server]:12.4g}   ({min(values):.4g} .. {max(values):.4g}, n={len(values)})"
                if server == "lockstep" and best and medians[server]:
                    ratio = best / medians[server] if entry["less_is_better"] else medians[server] / best
                    line += f"   {ratio:.2f} x the best peer"
                print(line)


class Suite(Answers, Changes, Crossing, Hardships, Instructions, Transports):
    cpu_seconds = staticmethod(cpu_seconds)

    def __init__(self, options):
        self.options = options
        self.build = (ROOT / options.build).resolve()
        self.data = pathlib.Path(options.data)
        self.data.mkdir(parents=True, exist_ok=True)
        self.figures = Figures()

    def tool(self, name, *words):
        done = subprocess.run([self.build / "bench" / name, *map(str, words)], stdout=subprocess.PIPE, check=False, timeout=600)
        return json.loads(done.stdout) if done.stdout else {"failed": 1}

    def generated(self, kind, n):
        path = self.data / f"{kind}-{n}.zone"
        if not path.exists():
            with open(path, "w") as out:
                subprocess.run([self.build / "bench" / "gen_zone", kind, str(n)], stdout=out, check=True)
        return path

    def questions(self, kind, n):
        path = self.data / f"questions-{kind}-{n}"
        if not path.exists():
            with open(path, "w") as out:
                subprocess.run([self.build / "bench" / "gen_zone", f"questions-{kind}", str(n), "200000"], stdout=out, check=True)
        return path

    def server(self, test, kind, name=None):
        if kind == "lockstep":
            return test.lockstep(name or "lockstep", "")
        # BIND sends to ten clients at a time unless told otherwise.
        return test.peer(kind, name, "transfers-out 200;" if kind == "bind" else "")

    def primary(self, test, kind, zone, path, secondaries=()):
        """A server with `zone` from the file at `path`, which is linked, not copied."""
        server = self.server(test, kind)
        entry = Zone(zone, primaries=[], secondaries=list(secondaries))
        server.zones.append(entry)
        target = server.zone_path(zone)
        target.unlink(missing_ok=True)
        try:
            os.link(path, target)
        except OSError:
            shutil.copy(path, target)
        return server

    def many_folder(self, n):
        """Zone files of `n` small zones."""
        folder = self.data / f"many-{n}"
        if not folder.exists():
            folder.mkdir()
            subprocess.run([self.build / "bench" / "gen_zone", "many", str(n), folder], check=True)
        return folder

    def many_server(self, test, kind, folder, n):
        server = self.server(test, kind)
        server.zones = [Zone(f"z{i}.test") for i in range(n)]
        server.zone_path = lambda name: folder / f"{name}.zone"
        return server

    def until_serial(self, test, server, zone, serial, seconds=300):
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            if server.process.poll() is not None:
                raise RuntimeError(f"{server.name} ended:\n{server.log()[-2000:]}")
            # Short, since nobody answers a question that came before the server had its sockets.
            if test.serial(server, zone, timeout=0.05) == serial:
                return time.monotonic() - begin
            time.sleep(0.002)
        raise RuntimeError(f"{server.name} does not answer serial {serial}:\n{server.log()[-2000:]}")

    def each(self, name, body):
        """body(test, kind) for every server, round after round."""
        for number in range(self.options.rounds):
            for kind in self.options.servers:
                with Test(self.build, f"bench-{name}-{kind}") as test:
                    try:
                        body(test, kind)
                    except Exception as problem:  # one server's failure must not end the run
                        print(f"    {name} {kind} round {number + 1} FAILED: {problem}", flush=True)

    # ---- the benchmarks ----

    def load(self):
        """Zone file to answering; memory afterwards."""
        path = self.generated("tld", self.options.size)
        records = sum(1 for line in open(path) if line.strip() and line[0] != "$")

        def body(test, kind):
            server = self.primary(test, kind, "tld.test", path)
            begin = time.monotonic()
            server.start(wait=False)
            self.until_serial(test, server, "tld.test", 1)
            took, cpu = time.monotonic() - begin, cpu_seconds(server)
            self.figures.add("load: seconds", kind, took, "s")
            self.figures.add("load: CPU seconds", kind, cpu, "s")
            time.sleep(1)
            self.figures.add("load: bytes per record", kind, memory_bytes(server) / records, "B")
        self.each("load", body)

    def axfr_out(self):
        """A whole zone to 1 and to 20 clients; and from memory by a bare sender, the limit."""
        path = self.generated("tld", self.options.size)
        stream = self.data / f"stream-{self.options.size}"

        def body(test, kind):
            server = self.primary(test, kind, "tld.test", path)
            server.start(wait=False)
            self.until_serial(test, server, "tld.test", 1)
            for clients in (1, 1, 20):
                before = cpu_seconds(server)
                save = [stream] if kind == "lockstep" and clients == 1 and not stream.exists() else []
                got = self.tool("axfr_drain", server.address, server.port, "tld.test", clients, *save)
                if got.get("failed"):
                    print(f"    axfr_out {kind}: {got['failed']} of {clients} clients failed")
                    continue
                self.figures.add(f"AXFR out, {clients} clients: seconds", kind, got["seconds"], "s")
                self.figures.add(f"AXFR out, {clients} clients: CPU", kind, cpu_seconds(server) - before, "s")
        self.each("axfr_out", body)
        if stream.exists():
            with Test(self.build, "bench-limit") as test:
                address, port = "127.0.0.1", test.next_port()
                replay = subprocess.Popen([self.build / "bench" / "axfr_replay", address, str(port), stream])
                time.sleep(0.5)
                try:
                    for clients in [1, 20] * self.options.rounds:
                        got = self.tool("axfr_drain", address, port, "tld.test", clients)
                        self.figures.add(f"AXFR out, {clients} clients: seconds", "limit", got["seconds"], "s")
                finally:
                    replay.kill()
                    replay.wait()

    def axfr_in(self):
        """From one and the same primary (ours): an empty secondary, then a refresh of a known zone."""
        path = self.generated("tld", self.options.size)

        def body(test, kind):
            secondary = self.server(test, kind, "secondary")
            primary = self.primary(test, "lockstep", "tld.test", path, [secondary])
            # IXFR refused, so that the refresh is a whole transfer for everybody.
            primary.zones[0].extra = "provide-ixfr no;"
            secondary.zones.append(Zone("tld.test", primaries=[primary]))
            primary.start(wait=False)
            self.until_serial(test, primary, "tld.test", 1)
            begin = time.monotonic()
            secondary.start(wait=False)
            self.until_serial(test, secondary, "tld.test", 1)
            self.figures.add("AXFR in, cold: seconds", kind, time.monotonic() - begin, "s")
            self.figures.add("AXFR in, cold: CPU until visible", kind, cpu_seconds(secondary), "s")
            time.sleep(8 if kind != "lockstep" else 3)  # background work of the first transfer
            one_zone = memory_bytes(secondary)
            text = path.read_text().replace("hostmaster.tld.test. 1 ", "hostmaster.tld.test. 2 ", 1)
            primary.write_zone("tld.test", text + "extra IN NS ns1.provider1.example.\n")
            del text
            before = cpu_seconds(secondary)
            primary.reload()
            self.until_serial(test, primary, "tld.test", 2)
            begin = time.monotonic()
            self.until_serial(test, secondary, "tld.test", 2)
            self.figures.add("AXFR in, refresh: seconds", kind, time.monotonic() - begin, "s")
            self.figures.add("AXFR in, refresh: CPU", kind, cpu_seconds(secondary) - before, "s")
            self.figures.add("AXFR in, refresh: peak/zone", kind, peak_bytes(secondary) / one_zone, "")
        self.each("axfr_in", body)

    def many(self):
        """Many small zones: loading, memory, answering."""
        n = self.options.zones
        folder, questions = self.many_folder(n), self.questions("many", n)

        def body(test, kind):
            server = self.many_server(test, kind, folder, n)
            begin = time.monotonic()
            server.start(wait=False)
            for zone in (f"z{n - 1}.test", f"z{n // 2}.test", "z0.test"):
                self.until_serial(test, server, zone, 1)
            time.sleep(0.5)
            # all are there when the CPU stands still
            last = -1.0
            while cpu_seconds(server) != last:
                last = cpu_seconds(server)
                time.sleep(0.5)
            self.figures.add("many zones, load: CPU seconds", kind, last, "s")
            self.figures.add("many zones, load: seconds at most", kind, time.monotonic() - begin, "s")
            self.figures.add("many zones: memory per zone", kind, memory_bytes(server) / n / 1024, "KiB")
            self.ask(server, "answer many zones", kind, questions)
        self.each("many", body)


    def many_transfer(self):
        """Many small zones from one primary (ours) to an empty secondary; the secondary restarts."""
        n = self.options.zones
        folder = self.many_folder(n)

        def start(test, server, label, kind):
            server.configure()
            server.configure = lambda: None  # writing it is not what is measured
            begin = time.monotonic()
            server.start(wait=False)
            self.until_all(server, n)
            self.figures.add(f"many zones, {label}: seconds", kind, time.monotonic() - begin, "s")
            self.figures.add(f"many zones, {label}: CPU seconds", kind, cpu_seconds(server), "s")

        def body(test, kind):
            if kind == "pdns":
                raise RuntimeError("not compared: its zones are in a database, its cycle is a minute")
            secondary = self.server(test, kind, "secondary")
            primary = self.server(test, "lockstep", "primary")
            primary.zones = [Zone(f"z{i}.test", secondaries=[secondary]) for i in range(n)]
            primary.zone_path = lambda name: folder / f"{name}.zone"
            secondary.zone_path = lambda name: secondary.home / f"{name}.zone"  # no search by name
            secondary.zones = [Zone(f"z{i}.test", primaries=[primary]) for i in range(n)]
            if kind == "bind":
                secondary.options += " transfers-in 200; transfers-per-ns 200;"
            primary.start(wait=False)
            self.until_all(primary, n)
            start(test, secondary, "first transfer", kind)
            self.figures.add("many zones, secondary: memory per zone", kind, memory_bytes(secondary) / n / 1024, "KiB")
            time.sleep(3)
            secondary.stop()
            start(test, secondary, "restart", kind)
        self.each("many_transfer", body)

    def until_all(self, server, n, seconds=600):
        """All zones answer with authority. A small client in C asks, so that asking costs next to nothing."""
        asked = self.tool("ask_all", server.address, server.port, n, seconds)
        if asked.get("missing", n) != 0 or server.process.poll() is not None:
            raise RuntimeError(f"{server.name}: not all of {n} zones answer: {asked}:\n{server.log()[-2000:]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--size", type=int, default=1000000, help="delegations of the TLD-like zone")
    parser.add_argument("--signed", type=int, default=20000, help="names of the signed zones")
    parser.add_argument("--zones", type=int, default=100000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--servers", default="lockstep,bind,knot,nsd,pdns")
    parser.add_argument("--data", default="/tmp/lockstep-bench")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    options.servers = [s for s in options.servers.split(",") if s == "lockstep" or os.path.exists(BINARIES.get(s, ""))]
    suite = Suite(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for name in options.names or ["load", "axfr_out", "axfr_in", "axfr_tsig", "floods", "answer", "instructions", "signed", "tcp", "while_loading", "many", "many_transfer", "update", "update_rate",
                                  "ixfr_in", "ixfr_out", "restart", "tls", "xdp"]:
        print(f"== {name}: {getattr(Suite, name).__doc__}", flush=True)
        getattr(suite, name)()
    suite.figures.table()
    versions = {s: subprocess.run([BINARIES[s], VERSION_FLAG[s]], capture_output=True, text=True, check=False)
                for s in options.servers if s in BINARIES}
    result = {
        "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": platform.uname()._asdict(), "cpus": os.cpu_count(),
        "commit": subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip(),
        "versions": {s: (v.stdout + v.stderr).splitlines()[0] for s, v in versions.items() if v.stdout + v.stderr},
        "options": vars(options), "figures": suite.figures.samples,
    }
    folder = ROOT / "bench" / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{result['when'].replace(':', '')}.json"
    path.write_text(json.dumps(result, indent=1))
    print(f"\nwritten to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
