#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Lockstep's main job on one machine: a primary, a secondary, an edit, and when it arrives.

Takes a version of the real root zone where ../shared/data holds its history, and
examples/example.com.zone otherwise. Exit status 0 only if the secondary got the change and both
servers hold the same records.
"""
import argparse
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def fail(text):
    print(f"demo: {text}", file=sys.stderr)
    sys.exit(1)


def free_port():
    """A port that is free for UDP and TCP on 127.0.0.1."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                try:
                    udp.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue
    fail("no free port on 127.0.0.1")


def wire_name(name):
    return b"".join(bytes([len(l)]) + l.encode() for l in name.rstrip(".").split(".") if l) + b"\0"


class Prober:
    """Asks one server for a zone's serial, again and again, over one UDP socket."""

    def __init__(self, port, zone):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.question = wire_name(zone) + struct.pack("!HH", 6, 1)

    def serial(self, timeout=0.2):
        """The serial of an authoritative answer, or None."""
        number = random.getrandbits(16)
        self.socket.settimeout(timeout)
        try:
            self.socket.send(struct.pack("!HHHHHH", number, 0, 1, 0, 0, 0) + self.question)
            answer = self.socket.recv(4096)
        except OSError:
            time.sleep(0.005)
            return None
        got, flags, _, answers = struct.unpack("!HHHH", answer[:8])
        if got != number or not flags & 0x0400 or flags & 0xF or answers < 1:
            return None
        at = 12 + len(self.question)
        at += 2 if answer[at] & 0xC0 else len(wire_name("."))
        size = struct.unpack("!H", answer[at + 8 : at + 10])[0]
        rdata_end = at + 10 + size
        return struct.unpack("!I", answer[rdata_end - 20 : rdata_end - 16])[0]

    def wait(self, wanted, seconds):
        """Seconds of the monotonic clock when `wanted` was answered, or None."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.serial() == wanted:
                return time.monotonic()
        return None


def serial_of(text):
    """The serial in a zone file's SOA and where it stands."""
    match = re.search(r"\bSOA\s+\S+\s+\S+\s*\(?\s*(\d+)", text)
    if not match:
        fail("no SOA in the zone file")
    return int(match.group(1)), match.span(1)


def choose_zone():
    """(zone name, text of the first version, text of the next, what it is)."""
    history = ROOT.parent / "shared" / "data" / "root-history.tar.xz"
    if history.is_file():
        with tarfile.open(history) as archive:
            names = sorted(m.name for m in archive.getmembers() if m.isfile())[:2]
            texts = [archive.extractfile(n).read().decode() for n in names]
        return ".", texts[0], texts[1], "two successive versions of the real root zone"
    text = (ROOT / "examples" / "example.com.zone").read_text()
    serial, (start, end) = serial_of(text)
    edited = text[:start] + str(serial + 1) + text[end:] + "new     IN A    192.0.2.99\n"
    return "example.com", text, edited, "examples/example.com.zone and one added record"


def transfer(port, zone):
    """All records by AXFR, sorted, as dig prints them."""
    out = subprocess.run(
        ["dig", "@127.0.0.1", "-p", str(port), "+onesoa", "+noall", "+answer", "+nottlunits", zone, "AXFR"],
        capture_output=True, text=True, timeout=60, check=False)
    return sorted(" ".join(line.split()) for line in out.stdout.splitlines() if line and line[0] != ";")


class Pair:
    """A primary and a secondary lockstepd, each in a folder of its own."""

    def __init__(self, server, zone, text):
        self.zone = zone
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lockstep-run-"))
        self.ports = {"primary": free_port(), "secondary": free_port()}
        self.zone_file = self.folder / "primary" / "zone"
        self.processes = {}
        here = "127.0.0.1"
        statements = {
            "primary": f"type primary; file \"zone\"; allow-transfer {{ {here}; }}; notify explicit; "
                       f"also-notify {{ {here} port {self.ports['secondary']}; }};",
            "secondary": f"type secondary; file \"copy\"; allow-transfer {{ {here}; }}; "
                         f"notify no; primaries {{ {here} port {self.ports['primary']}; }};",
        }
        for role, body in statements.items():
            home = self.folder / role
            home.mkdir()
            (home / "named.conf").write_text(
                f'options {{\n    directory "{home}";\n    pid-file "lockstepd.pid";\n'
                f"    listen-on port {self.ports[role]} {{ {here}; }};\n    listen-on-v6 {{ none; }};\n"
                f'    store-directory "store";\n}};\nzone "{zone}" {{ {body} }};\n')
        self.zone_file.write_text(text)
        for role in statements:
            home = self.folder / role
            with open(home / "log", "w") as log:
                self.processes[role] = subprocess.Popen(
                    [server, "-g", "-c", home / "named.conf"], stdout=log, stderr=log)

    def edit(self, text):
        """Replaces the zone file whole, as a careful editor does, and asks for a reload."""
        fresh = self.zone_file.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self.zone_file)
        self.processes["primary"].send_signal(signal.SIGHUP)

    def log(self, role):
        return (self.folder / role / "log").read_text()

    def stop(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def show(pair, probers, old, new, text):
    """The demonstration; the text of what went wrong, or None."""
    for role, prober in probers.items():
        if prober.wait(old, 30) is None:
            return f"the {role} does not answer serial {old}; its log:\n{pair.log(role)}"
        print(f"  {role:9} answers on 127.0.0.1 port {pair.ports[role]} with serial {old}")
    begin = time.monotonic()
    pair.edit(text)
    on_primary = probers["primary"].wait(new, 30)
    on_secondary = probers["secondary"].wait(new, 30) if on_primary else None
    if on_secondary is None:
        role = "secondary" if on_primary else "primary"
        return f"serial {new} did not reach the {role}; its log:\n{pair.log(role)}"
    print(f"  edit: zone file replaced and reload asked for; serial {old} -> {new}")
    print(f"  the primary answers it after   {1000 * (on_primary - begin):8.2f} ms (file read, built, checked)")
    print(f"  the secondary answers it after {1000 * (on_secondary - begin):8.2f} ms, "
          f"{1000 * max(0, on_secondary - on_primary):.2f} ms behind the primary")
    copies = [transfer(port, pair.zone) for port in pair.ports.values()]
    if not copies[0] or copies[0] != copies[1]:
        return f"the two zones differ: {len(copies[0])} and {len(copies[1])} records"
    print(f"  both hold the same {len(copies[0])} records")
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--once", action="store_true", help="end after the demonstration")
    options = parser.parse_args()
    zone, before, after, what = choose_zone()
    old, new = serial_of(before)[0], serial_of(after)[0]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(f"zone {zone}: {what}")
    pair = Pair((ROOT / options.build / "lockstepd").resolve(), zone, before)
    try:
        probers = {role: Prober(port, zone) for role, port in pair.ports.items()}
        problem = show(pair, probers, old, new, after)
        if problem:
            fail(problem)
        if not options.once:
            name = zone if zone != "." else "com"
            print(f"serving until Ctrl-C; try:\n"
                  f"  dig @127.0.0.1 -p {pair.ports['secondary']} {name} NS\n"
                  f"  dig @127.0.0.1 -p {pair.ports['primary']} {zone} AXFR\n"
                  f"  edit {pair.zone_file} (and its serial), then: kill -HUP {pair.processes['primary'].pid}",
                  flush=True)
            while all(process.poll() is None for process in pair.processes.values()):
                time.sleep(0.2)
            fail("a server ended by itself")
    except KeyboardInterrupt:
        print()
    finally:
        pair.stop()


if __name__ == "__main__":
    main()
