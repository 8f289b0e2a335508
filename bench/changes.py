# SPDX-License-Identifier: BSD-3-Clause
"""The parts of bench.py about changes: how soon they are everywhere, how many a server takes."""
import os
import re
import signal
import subprocess
import time

from harness import Zone, simple_zone

ZONE = "tld.test"
CHANGES = (1, 1000, 100000)


class Changes:
    """Mixed into Suite, which has figures, tool, generated, primary, until_serial, each."""

    def small_zone(self):
        path = self.data / "small.zone"
        if not path.exists():
            path.write_text(simple_zone(ZONE, 1, "\n".join(f"h{i} A 192.0.2.{i}" for i in range(100))))
        return path

    def edited(self, path, serial, lines):
        """The zone file with another serial and `lines` records more, beside it."""
        fresh = path.with_suffix(f".{serial}-{lines}")
        if not fresh.exists():
            text = re.sub(r"(SOA\s+\S+\s+\S+\s+)1\b", rf"\g<1>{serial}", path.read_text(), count=1)
            if not text.endswith("\n"):
                text += "\n"
            fresh.write_text(text + "".join(f"more{i} IN NS ns1.provider1.example.\n" for i in range(lines)))
        return fresh

    def replace_file(self, server, fresh):
        """A new file in its place, as an editor or a deployment puts it there."""
        target = server.zone_path(ZONE)
        beside = target.with_suffix(".next")
        beside.unlink(missing_ok=True)
        os.link(fresh, beside)
        os.utime(beside, (time.time(), time.time() + 2))
        beside.rename(target)

    def updatable(self, test, kind, path, secondaries=()):
        """A primary that takes UPDATE from here."""
        if kind in ("nsd", "pdns"):
            raise RuntimeError("not compared: no UPDATE" + (" with zone files" if kind == "pdns" else ""))
        server = self.primary(test, kind, ZONE, path, secondaries)
        server.zones[0].extra = "allow-update { 127.0.0.1; };"
        if kind == "knot":
            write = server.configure

            def configure():
                write()
                conf = server.home / "knot.conf"
                conf.write_text(conf.read_text().replace("action: [transfer, notify]", "action: [transfer, notify, update]"))
            server.configure = configure
        return server

    def until_quiet(self, server, seconds=60):
        """Background work of the start (images, fingerprints, journals) is no part of a figure."""
        from processes import cpu_seconds
        end, before = time.monotonic() + seconds, -1.0
        while time.monotonic() < end and (now := cpu_seconds(server)) - before > 0.02:
            before = now
            time.sleep(1)

    def bare_sync(self, figure, folder):
        """What the disk takes for a page written and synced, by itself: no durable server is below it."""
        path = folder / "bare-sync"
        took = []
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.write(fd, bytes(1 << 20))
        os.fsync(fd)
        for i in range(200):
            time.sleep(0.002)
            begin = time.monotonic()
            os.pwrite(fd, bytes([i]) * 300, 4096 * i)
            os.fdatasync(fd)
            took.append(1000 * (time.monotonic() - begin))
        os.close(fd)
        path.unlink()
        took.sort()
        self.figures.add(f"{figure}, p50", "limit", took[len(took) // 2], "ms")
        self.figures.add(f"{figure}, p99", "limit", took[len(took) * 99 // 100], "ms")

    def update(self):
        """One UPDATE at a time: acknowledged, and visible on a secondary of the same kind."""
        for label, path in (("small", self.small_zone()), ("big", self.generated("tld", self.options.size))):
            def body(test, kind, label=label, path=path):
                secondary = self.server(test, kind, "secondary")
                primary = self.updatable(test, kind, path, [secondary])
                secondary.zones.append(Zone(ZONE, primaries=[primary]))
                for server in (primary, secondary):
                    server.start(wait=False)
                    self.until_serial(test, server, ZONE, 1)
                    self.until_quiet(server)
                self.bare_sync(f"update, {label} zone: the disk's fdatasync", primary.home)
                count = 20 if kind == "knot" else 500
                got = self.tool("change_load", "latency", primary.address, primary.port, secondary.address, secondary.port,
                                ZONE, count)
                if got.get("failed"):
                    raise RuntimeError(f"{got['failed']} of {count} updates were not seen")
                self.figures.add(f"update, {label} zone: acknowledged, mean", kind, got["acknowledged_ms"], "ms")
                self.figures.add(f"update, {label} zone: everywhere, p50", kind, got["p50_ms"], "ms")
                self.figures.add(f"update, {label} zone: everywhere, p99", kind, got["p99_ms"], "ms")
            self.each(f"update-{label}", body)

    def update_rate(self):
        """Durable updates a second, 1 and 32 clients; how many of them share a sync."""
        path = self.small_zone()

        def body(test, kind):
            server = self.updatable(test, kind, path)
            server.start(wait=False)
            self.until_serial(test, server, ZONE, 1)
            for clients in (1, 32):
                got = self.tool("change_load", "rate", server.address, server.port, ZONE, clients, self.options.seconds)
                self.figures.add(f"updates, {clients} clients: rate", kind, got.get("rate", 0), "/s", False)
                self.figures.add(f"updates, {clients} clients: p99", kind, got.get("p99_ms", -1), "ms")
                if got.get("refused") or got.get("lost"):
                    print(f"    update_rate {kind}: {got['refused']} refused, {got['lost']} lost")
                self.figures.add(f"updates, {clients} clients: a sync", kind, self.per_sync(server, clients), "", False)
        self.each("update_rate", body)

    def per_sync(self, server, clients):
        """Updates acknowledged for each fsync or fdatasync, counted by strace over a second."""
        path = server.home / "syncs"
        trace = subprocess.Popen(["strace", "-f", "-c", "-e", "trace=fsync,fdatasync,msync,sync_file_range", "-o", path,
                                  "-p", str(server.process.pid)], stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        got = self.tool("change_load", "rate", server.address, server.port, ZONE, clients, 1)
        trace.send_signal(signal.SIGINT)
        trace.wait()
        syncs = sum(int(line.split()[3]) for line in path.read_text().splitlines()
                    if line.split()[-1:] and line.split()[-1] in ("fsync", "fdatasync", "msync"))
        return got.get("done", 0) / max(1, syncs)

    def ixfr_in(self):
        """The big zone, from one and the same primary (ours): NOTIFY until the secondary answers the new serial."""
        path = self.generated("tld", self.options.size)
        edits = [(2 + i, n, self.edited(path, 2 + i, n)) for i, n in enumerate(CHANGES)]

        def body(test, kind):
            if kind == "pdns":
                raise RuntimeError("not compared: with zone files it transfers the whole zone")
            secondary = self.server(test, kind, "secondary")
            primary = self.primary(test, "lockstep", ZONE, path, [secondary])
            secondary.zones.append(Zone(ZONE, primaries=[primary]))
            for server in (primary, secondary):
                server.start(wait=False)
                self.until_serial(test, server, ZONE, 1)
                self.until_quiet(server)
            for serial, n, fresh in edits:
                self.replace_file(primary, fresh)
                primary.reload()
                got = self.tool("change_load", "follow", primary.address, primary.port, secondary.address, secondary.port,
                                ZONE, serial)
                if got["failed"]:
                    raise RuntimeError(f"serial {serial} did not come")
                self.figures.add(f"IXFR in, {n} changes", kind, got["ms"], "ms")
                self.until_quiet(secondary)
        self.each("ixfr_in", body)

    def ixfr_out(self):
        """A client takes 100,000 changes of the big zone, and one; octets on the wire."""
        path = self.generated("tld", self.options.size)
        edits = [(2, 1, self.edited(path, 2, 1)), (3, 100000, self.edited(path, 3, 100000))]

        def body(test, kind):
            if kind == "pdns":
                raise RuntimeError("not compared: it does not send differences of zone files")
            server = self.primary(test, kind, ZONE, path)
            server.start(wait=False)
            self.until_serial(test, server, ZONE, 1)
            self.until_quiet(server)
            for serial, n, fresh in edits:
                self.replace_file(server, fresh)
                server.reload()
                self.until_serial(test, server, ZONE, serial)
                self.until_quiet(server)
                for _ in range(3):
                    got = self.tool("axfr_drain", server.address, server.port, ZONE, 1, "", serial - 1)
                    if got.get("failed") or not got.get("incremental"):
                        print(f"    ixfr_out {kind}: {n} changes came as a whole zone")
                        break
                    self.figures.add(f"IXFR out, {n} changes", kind, 1000 * got["seconds"], "ms")
                    self.figures.add(f"IXFR out, {n} changes: octets", kind, got["octets"], "B")
        self.each("ixfr_out", body)

    def restart(self):
        """A secondary with the big zone: stopped and started, until it answers."""
        path = self.generated("tld", self.options.size)

        def body(test, kind):
            secondary = self.server(test, kind, "secondary")
            primary = self.primary(test, "lockstep", ZONE, path, [secondary])
            secondary.zones.append(Zone(ZONE, primaries=[primary]))
            primary.start(wait=False)
            self.until_serial(test, primary, ZONE, 1)
            secondary.start(wait=False)
            self.until_serial(test, secondary, ZONE, 1)
            self.until_quiet(secondary)
            time.sleep(3)
            for _ in range(2):
                secondary.stop()
                begin = time.monotonic()
                secondary.start(wait=False)
                self.until_serial(test, secondary, ZONE, 1)
                self.figures.add("restart with the big zone", kind, time.monotonic() - begin, "s")
                self.until_quiet(secondary)
        self.each("restart", body)
