# SPDX-License-Identifier: BSD-3-Clause
"""What a scenario works with: a folder, addresses, questions, transfers, waiting."""
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time

import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import dns.resolver
import dns.tsigkeyring
import dns.zone

from servers import PEERS, ROOT, Lockstep, Zone  # noqa: F401  (scenarios import them from here)

SOA_TIMES = "3600 900 1209600 300"


def simple_zone(name, serial, records=""):
    """A small zone file: apex, two name servers and `records`."""
    return (f"$ORIGIN {name.rstrip('.')}.\n$TTL 300\n@ SOA ns1 admin {serial} {SOA_TIMES}\n@ NS ns1\n@ NS ns2\n"
            f"ns1 A 192.0.2.1\nns2 A 192.0.2.2\n{records}\n")


def root_history():
    """The successive versions of the real root zone, oldest first; [] where they are not at hand."""
    path = ROOT.parent / "shared" / "data" / "root-history.tar.xz"
    if not path.is_file():
        return []
    with tarfile.open(path) as archive:
        members = sorted((m for m in archive.getmembers() if m.isfile()), key=lambda m: m.name)
        return [archive.extractfile(m).read().decode() for m in members]


class Test:
    """One test's world; everything it started has ended when it is left."""

    def __init__(self, build, name):
        self.build, self.name = build, name
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"lockstep-{name}-"))
        self.net = f"127.{random.randint(16, 250)}.{random.randint(0, 255)}"
        self.given = 0
        self.keys = {}
        self.processes = []

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: self.leave())
        return self

    def __exit__(self, *_):
        self.leave()

    def leave(self):
        for server in self.processes:
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def next_address(self):
        """An address no server has, for a client that is a stranger."""
        self.given += 1
        return f"{self.net}.{self.given}"

    def next_port(self):
        """A port that is free for UDP and TCP on 127.0.0.1, below those the system hands out."""
        while True:
            port = random.randint(10000, 32000)
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, \
                    socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                try:
                    tcp.bind(("127.0.0.1", port))
                    udp.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue

    def lockstep(self, name="ours", options=""):
        return Lockstep(self, name, options)

    def peer(self, kind, name=None, options=""):
        return PEERS[kind](self, name or kind, options)

    def ask(self, server, name, rdtype, timeout=3, tcp=False, **how):
        """The response, or None where none came."""
        query = dns.message.make_query(name, rdtype, **how)
        query.flags &= ~dns.flags.RD
        send = dns.query.tcp if tcp else dns.query.udp
        try:
            return send(query, server.address, timeout=timeout, port=server.port)
        except (OSError, dns.exception.DNSException):
            return None

    def serial(self, server, zone, timeout=1):
        """The serial that the server answers with authority, or None."""
        response = self.ask(server, zone, "SOA", timeout=timeout)
        if response is None or response.rcode() != 0 or not response.flags & dns.flags.AA:
            return None
        for rrset in response.answer:
            if rrset.rdtype == dns.rdatatype.SOA:
                return rrset[0].serial
        return None

    def wait_serial(self, server, zone, serial, seconds=30):
        """Waits until the server answers `serial`; returns how long that took, or fails."""
        begin = time.monotonic()
        seen = None
        while time.monotonic() - begin < seconds:
            seen = self.serial(server, zone)
            if seen == serial:
                return time.monotonic() - begin
            time.sleep(0.01)
        raise AssertionError(f"{server.name}: serial of {zone} is {seen}, not {serial}, after {seconds} s")

    def wait_for(self, what, condition, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds} s: {what}")

    def transfer(self, server, zone, source="127.0.0.1", **how):
        """All records of an AXFR as a sorted list of canonical text lines. Signed where the server
        wants the zone's key also from here."""
        lines = []
        key = next((z.key for z in server.zones if z.name == zone), "")
        if key and server.kind in ("lockstep", "bind") and "keyring" not in how:
            how.update(self.signed(server, key))
        for message in dns.query.xfr(server.address, zone, port=server.port, lifetime=120, relativize=False,
                                     source=source, **how):
            for rrset in message.answer:
                for rdata in rrset:
                    lines.append(f"{rrset.name.to_text().lower()} {rrset.ttl} "
                                 f"{dns.rdatatype.to_text(rrset.rdtype)} {rdata.to_digestable().hex()}")
        assert lines and lines[0].split()[2] == "SOA" and lines[0] == lines[-1], "AXFR not framed by its SOA"
        return sorted(lines[:-1])

    @staticmethod
    def signed(server, key):
        """What dnspython wants in order to sign with a key that the server has."""
        algorithm, secret = server.keys[key]
        wire = {"hmac-md5": "hmac-md5.sig-alg.reg.int"}.get(algorithm, algorithm)
        return {"keyring": dns.tsigkeyring.from_text({key: (wire + ".", secret)}), "keyname": key}

    def dig_transfer(self, server, zone):
        """The same by dig, in its presentation form: some ten times as fast for a large zone."""
        out = subprocess.run(["dig", f"@{server.address}", "-p", str(server.port), "-b", "127.0.0.1", "+onesoa",
                              "+noall", "+answer", "+time=30", zone, "AXFR"],
                             capture_output=True, text=True, timeout=120, check=True).stdout
        lines = []
        for line in out.splitlines():
            owner, _, rest = line.partition("\t")
            if line and line[0] != ";":
                lines.append(owner.lower() + " " + " ".join(rest.split()))
        return sorted(lines)

    def same(self, zone, *servers, by_dig=False):
        """Fails with the difference unless all transfer the same records; gives their number."""
        transfer = self.dig_transfer if by_dig else self.transfer
        first = transfer(servers[0], zone)
        for other in servers[1:]:
            second = transfer(other, zone)
            if first != second:
                missing = sorted(set(first) - set(second))[:5]
                extra = sorted(set(second) - set(first))[:5]
                raise AssertionError(f"{zone}: {other.name} differs from {servers[0].name}: "
                                     f"lacks {missing}, has {extra}")
        return len(first)

    def check_servers(self):
        """Ours must end cleanly: a sanitizer's report or a crash shows in the exit status."""
        for server in self.processes:
            if server.kind != "lockstep":
                continue
            server.stop()
            code = server.process.returncode
            allowed = {0} | getattr(server, "allowed_exits", set())
            assert code in allowed, f"{server.name} ended with status {code}:\n{server.log()[-4000:]}"

    def print_logs(self):
        for server in self.processes:
            print(f"--- log of {server.name} ---\n{server.log()[-3000:]}", flush=True)
        keep = os.environ.get("LOCKSTEP_KEEP")
        if keep:
            # sockets cannot be copied
            shutil.copytree(self.folder, pathlib.Path(keep) / self.name, dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("*sock*", "*.ctl"))
