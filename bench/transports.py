# SPDX-License-Identifier: BSD-3-Clause
"""The part of bench.py about TLS: what it costs, and how many zones share a connection."""
import json
import socket
import subprocess
import threading
import time

from certificates import Authority
from harness import Test, Zone
from processes import cpu_seconds

TLS_ZONES = 10000


class Transports:
    def tls(self):
        """10,000 zones and one large zone, ours to ours, over TLS and over TCP."""
        for n in range(self.options.rounds):
            for transport in ("tls", "tcp") if n % 2 == 0 else ("tcp", "tls"):
                with Test(self.build, f"bench-tls-{transport}") as test:
                    self.many_over(test, transport)
                with Test(self.build, f"bench-xot-{transport}") as test:
                    self.large_over(test, transport)

    def two(self, test, transport):
        ca = Authority(test.folder)
        ca.sign("server", "ns1.example")
        primary, secondary = test.lockstep("primary"), test.lockstep("secondary")
        primary.listen_tls("front", f'tls front {{ cert-file "{test.folder}/server.crt"; '
                                    f'key-file "{test.folder}/server.key"; }};\n')
        secondary.tls_blocks = f'tls up {{ ca-file "{test.folder}/ca.crt"; remote-hostname "ns1.example"; }};\n'
        return primary, secondary, "up" if transport == "tls" else ""

    def many_over(self, test, transport):
        folder = self.data / f"many-{TLS_ZONES}"
        if not folder.exists():
            folder.mkdir()
            subprocess.run([self.build / "bench" / "gen_zone", "many", str(TLS_ZONES), folder], check=True)
        primary, secondary, use = self.two(test, transport)
        names = [f"z{i}.test" for i in range(TLS_ZONES)]
        primary.zones = [Zone(name, allow="allow-transfer { 127.0.0.1; };") for name in names]
        primary.zone_path = lambda name: folder / f"{name}.zone"
        secondary.zone_path = lambda name: secondary.home / f"{name}.zone"
        secondary.zones = [Zone(name, primaries=[primary], tls=use) for name in names]
        primary.start(wait=False)
        self.until_all(primary, TLS_ZONES)
        secondary.configure()
        secondary.configure = lambda: None
        begin = time.monotonic()
        secondary.start(wait=False)
        self.until_all(secondary, TLS_ZONES)
        self.figures.add("10,000 zones, first transfer: seconds", transport, time.monotonic() - begin, "s")
        time.sleep(2)
        secondary.stop()
        secondary.log_path().rename(secondary.home / "log.first")
        secondary.start(wait=False)
        self.until_all(secondary, TLS_ZONES)
        before, served = cpu_seconds(secondary), cpu_seconds(primary)
        begin = time.monotonic()
        control(secondary, "refresh", names)
        while time.monotonic() - begin < 120:
            seen = sum(line["zone"]["primaries"][0].get("serial") is not None
                       for line in control(secondary, "status", names[-50:] + names[::200]))
            if seen == 50 + len(names[::200]):
                break
            time.sleep(0.05)
        took = time.monotonic() - begin
        left = sum(line["zone"]["primaries"][0].get("serial") is None for line in control(secondary, "status", names))
        if left:
            raise RuntimeError(f"{left} zones were not refreshed:\n{secondary.log()[-2000:]}")
        self.figures.add("10,000 zones, refresh: seconds", transport, took, "s")
        self.figures.add("10,000 zones, refresh: CPU, secondary", transport, cpu_seconds(secondary) - before, "s")
        self.figures.add("10,000 zones, refresh: CPU, primary", transport, cpu_seconds(primary) - served, "s")
        if transport == "tls":
            self.figures.add("10,000 zones, refresh: TLS connections", transport, secondary.log().count("by TLS ("), "")

    def large_over(self, test, transport):
        path = self.generated("tld", self.options.size)
        primary, secondary, use = self.two(test, transport)
        primary.zones.append(Zone("tld.test", allow="allow-transfer { 127.0.0.1; };"))
        target = primary.zone_path("tld.test")
        target.symlink_to(path)
        secondary.zones.append(Zone("tld.test", primaries=[primary], tls=use))
        primary.start(wait=False)
        self.until_serial(test, primary, "tld.test", 1)
        served = cpu_seconds(primary)
        secondary.start(wait=False)
        self.until_serial(test, secondary, "tld.test", 1)
        test.wait_for("the line of the log", lambda: "Transfer completed: " in secondary.log())
        done = [line for line in secondary.log().splitlines() if "Transfer completed: " in line][-1]
        self.figures.add("AXFR, one large zone: seconds", transport, float(done.split(" bytes, ")[1].split()[0]), "s")
        self.figures.add("AXFR, one large zone: CPU, primary", transport, cpu_seconds(primary) - served, "s")


def control(server, command, zones):
    """The answers to one request a zone, over one connection to the control socket."""
    requests = "".join(json.dumps({"version": 1, "command": command, "zone": z}) + "\n" for z in zones)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(60)
        sock.connect(str(server.home / "lockstepd.ctl"))
        threading.Thread(target=lambda: (sock.sendall(requests.encode()), sock.shutdown(socket.SHUT_WR))).start()
        answer = b""
        while piece := sock.recv(1 << 20):
            answer += piece
    return [json.loads(line) for line in answer.splitlines()]
