# SPDX-License-Identifier: BSD-3-Clause
"""Lockstep and its peers as test servers: each in a folder and on a port of its own.

A test says what a zone is (Zone below) and each class writes its own configuration from that. All
servers of a test use the same port, so that NOTIFY and transfers need no special cases, and send
from their own address, so that address rules mean something.
"""
import dataclasses
import os
import pathlib
import signal
import subprocess
import textwrap
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


@dataclasses.dataclass
class Zone:
    """One zone of one server."""

    name: str
    file: str = ""              # text for a primary's zone file
    primaries: list = dataclasses.field(default_factory=list)   # servers; makes it a secondary
    secondaries: list = dataclasses.field(default_factory=list)  # servers: may transfer, are notified
    extra: str = ""             # statements added to Lockstep's and BIND's zone block as they are
    key: str = ""               # name of a TSIG key of the test, for transfers
    allow: str = ""             # the whole allow-transfer statement, where it is another than by address or key
    tls: str = ""               # what stands behind `tls` at its primaries and secondaries

    @property
    def role(self):
        return "secondary" if self.primaries else "primary"

    @property
    def label(self):
        return "root" if self.name == "." else self.name.rstrip(".")


class Server:
    """A process, its folder, its address. start() returns when it answers or raises."""

    kind = ""

    def __init__(self, test, name, options=""):
        self.test, self.name, self.options = test, name, options
        self.address, self.port = "127.0.0.1", test.next_port()
        self.home = test.folder / name
        self.home.mkdir()
        self.zones, self.keys = [], test.keys
        self.tls_blocks = self.tls_listen = ""  # `tls` blocks, and the one it listens with
        self.tls_port = 0
        self.process = None

    def listen_tls(self, block, blocks):
        """Listens with TLS too, on a port of its own."""
        self.tls_listen, self.tls_blocks, self.tls_port = block, blocks, self.test.next_port()
        return self

    def named_listen(self):
        plain = f"listen-on port {self.port} {{ {self.address}; }};\nlisten-on-v6 {{ none; }};\n"
        if not self.tls_listen:
            return plain
        return plain + f"listen-on port {self.tls_port} tls {self.tls_listen} {{ {self.address}; }};\n"

    def add(self, zone):
        self.zones.append(zone)
        if zone.role == "primary":
            self.write_zone(zone.name, zone.file)
        return self

    def zone(self, name):
        return next(z for z in self.zones if z.name == name)

    def zone_path(self, name):
        return self.home / f"{self.zone(name).label}.zone"

    def write_zone(self, name, text):
        path = self.zone_path(name)
        fresh = path.with_suffix(".new")
        fresh.write_text(text)
        os.utime(fresh, (time.time(), time.time() + 1))  # servers that look at whole seconds see it
        fresh.rename(path)

    def configure(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def log_path(self):
        return self.home / "log"

    def log(self):
        return self.log_path().read_text(errors="replace") if self.log_path().exists() else ""

    def start(self, wait=True):
        self.configure()
        with open(self.log_path(), "a") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=self.home)
        self.test.processes.append(self)
        if wait:
            self.wait_up()
        return self

    def wait_up(self):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended at once:\n{self.log()[-3000:]}")
            if self.test.ask(self, ".", "SOA", timeout=0.3) is not None:
                return
        raise AssertionError(f"{self.name} does not answer:\n{self.log()[-3000:]}")

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def stop(self, with_signal=signal.SIGTERM):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(with_signal)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def named_servers(zone, servers):
    """The servers of `primaries` or `also-notify`."""
    key = f" key {zone.key}" if zone.key else ""
    port = "tls_port" if zone.tls else "port"
    tls = f" tls {zone.tls}" if zone.tls else ""
    return "{ " + " ".join(f"{s.address} port {getattr(s, port)}{key}{tls};" for s in servers) + " };"


def named_zone(zone, file, lockstep=False):
    """A zone block in BIND's grammar; Lockstep reads the same."""
    lines = [f'zone "{zone.name}" {{', f"type {zone.role};", f'file "{file}";']
    if zone.primaries:
        lines.append("primaries " + named_servers(zone, zone.primaries))
        if not lockstep:
            lines.append("masterfile-format text;")
    allowed = f"key {zone.key};" if zone.key else "127.0.0.1;"
    lines.append(zone.allow or f"allow-transfer {{ {allowed} }};")
    if zone.secondaries:
        lines.append("notify explicit;")
        lines.append("also-notify " + (named_servers(zone, zone.secondaries) if lockstep or not zone.tls else
                                       named_servers(dataclasses.replace(zone, tls=""), zone.secondaries)))
    else:
        lines.append("notify no;")
    lines.append(zone.extra)
    lines.append("};")
    return "\n".join(lines)


def named_keys(keys):
    return "\n".join(f'key "{n}" {{ algorithm {a}; secret "{s}"; }};' for n, (a, s) in keys.items())


class Lockstep(Server):
    kind = "lockstep"

    def configure(self):
        (self.home / "named.conf").write_text(
            f'options {{\ndirectory "{self.home}";\npid-file "lockstepd.pid";\nstore-directory "store";\n'
            f"{self.named_listen()}"
            f"notify-source {self.address};\ntransfer-source {self.address};\nquery-source address {self.address};\n"
            f"{self.options}\n}};\n{self.tls_blocks}\n{named_keys(self.keys)}\n"
            + "\n".join(named_zone(z, self.zone_path(z.name), True) for z in self.zones) + "\n")

    def command(self):
        return [self.test.build / "lockstepd", "-g", "-c", self.home / "named.conf"]

    def start(self, wait=True):
        self.told_before = len(self.log())
        return super().start(wait)

    def wait_up(self):
        """It answers before its zones are loaded, and says so when they are (where it logs to us)."""
        super().wait_up()
        end = time.monotonic() + 5
        while " running (" not in self.log()[self.told_before:] and time.monotonic() < end:
            time.sleep(0.01)


class Bind(Server):
    kind = "bind"

    def configure(self):
        (self.home / "named.conf").write_text(
            f'options {{\ndirectory "{self.home}";\npid-file "named.pid";\nsession-keyfile "session.key";\n'
            f"{self.named_listen()}"
            f"notify-source {self.address};\ntransfer-source {self.address};\nquery-source address {self.address};\n"
            "recursion no;\ndnssec-validation no;\nempty-zones-enable no;\nnotify-delay 0;\nminimal-responses yes;\n"
            "allow-query { any; };\nallow-transfer { none; };\nserial-query-rate 1000;\nnotify-rate 1000;\n"
            "ixfr-from-differences yes;\nmin-retry-time 1;\nmin-refresh-time 1;\n"
            f"{self.options}\n}};\n{self.tls_blocks}\ncontrols {{ }};\n{named_keys(self.keys)}\n"
            + "\n".join(named_zone(z, self.zone_path(z.name)) for z in self.zones) + "\n")

    def command(self):
        return ["/usr/sbin/named", "-g", "-n", "1", "-U", "1", "-c", self.home / "named.conf"]


class Knot(Server):
    kind = "knot"

    def configure(self):
        (self.home / "db").mkdir(exist_ok=True)
        out = [f"server:\n  listen: {self.address}@{self.port}\n  rundir: {self.home}\n  user: root:root\n"
               "  udp-workers: 1\n  tcp-workers: 2\n  tcp-io-timeout: 10000\n  background-workers: 1\n"
               "log:\n  - target: stderr\n    any: info\n"
               f"database:\n  storage: {self.home}/db\n"]
        out.append("key:\n" if self.keys else "")
        for name, (algorithm, secret) in self.keys.items():
            out.append(f"  - id: {name}\n    algorithm: {algorithm}\n    secret: {secret}\n")
        peers = {s.name: s for z in self.zones for s in z.primaries + z.secondaries}
        keyed = {s.name: z.key for z in self.zones for s in z.primaries + z.secondaries if z.key}
        out.append("remote:\n" if peers else "")
        for name, peer in peers.items():
            out.append(f"  - id: {name}\n    address: {peer.address}@{peer.port}\n    via: {self.address}\n")
            out.append(f"    key: {keyed[name]}\n" if name in keyed else "")
        out.append("acl:\n  - id: local\n    address: 127.0.0.0/8\n    action: [transfer, notify]\n")
        for key in self.keys:
            out.append(f"  - id: acl-{key}\n    key: {key}\n    action: [transfer, notify]\n")
        acls = ", ".join(["local"] + [f"acl-{k}" for k in self.keys])
        out.append("zone:\n")
        for zone in self.zones:
            out.append(f"  - domain: {zone.name}\n    file: {self.zone_path(zone.name)}\n    acl: [{acls}]\n"
                       "    semantic-checks: off\n    journal-content: changes\n")
            if zone.primaries:
                out.append(f"    master: [{', '.join(p.name for p in zone.primaries)}]\n    zonefile-load: whole\n")
            else:
                out.append("    zonefile-load: difference\n    zonefile-sync: -1\n")
            if zone.secondaries:
                out.append(f"    notify: [{', '.join(s.name for s in zone.secondaries)}]\n")
        (self.home / "knot.conf").write_text("".join(out))

    def command(self):
        return ["/usr/sbin/knotd", "-c", self.home / "knot.conf"]


class Nsd(Server):
    kind = "nsd"

    def configure(self):
        out = [textwrap.dedent(f"""\
            server:
              ip-address: {self.address}@{self.port}
              port: {self.port}
              server-count: 1
              username: ""
              zonesdir: "{self.home}"
              database: ""
              pidfile: "{self.home}/nsd.pid"
              xfrdfile: "{self.home}/xfrd.state"
              xfrdir: "{self.home}"
              zonelistfile: "{self.home}/zone.list"
              zonefiles-check: yes
              zonefiles-write: 1
              xfrd-reload-timeout: 0
              verbosity: 2
              rrl-ratelimit: 0
              {self.options}
            remote-control:
              control-enable: no
            """)]
        for name, (algorithm, secret) in self.keys.items():
            out.append(f'key:\n  name: "{name}"\n  algorithm: {algorithm}\n  secret: "{secret}"\n')
        out.append(self.tls_blocks)
        for zone in self.zones:
            key = zone.key or "NOKEY"
            out.append(f'zone:\n  name: "{zone.name}"\n  zonefile: "{self.zone_path(zone.name)}"\n')
            for peer in zone.primaries:
                where = f"{peer.address}@{peer.tls_port} {key} {zone.tls}" if zone.tls else f"{peer.address}@{peer.port} {key}"
                out.append(f"  request-xfr: {where}\n  allow-notify: {peer.address} {key}\n")
            for peer in zone.secondaries:
                out.append(f"  notify: {peer.address}@{peer.port} {key}\n  provide-xfr: {peer.address} {key}\n")
            out.append(f"  provide-xfr: 127.0.0.1 NOKEY\n  outgoing-interface: {self.address}\n")
            if zone.role == "primary":
                out.append("  store-ixfr: yes\n  create-ixfr: yes\n")
            else:
                out.append("  store-ixfr: yes\n")
        (self.home / "nsd.conf").write_text("".join(out))

    def command(self):
        return ["/usr/sbin/nsd", "-d", "-c", self.home / "nsd.conf"]


class Pdns(Server):
    """PowerDNS with its bind backend: zone files in, zone files out."""

    kind = "pdns"

    def configure(self):
        zones = []
        for zone in self.zones:
            primaries = ""
            if zone.primaries:
                primaries = " masters { " + " ".join(f"{p.address}:{p.port};" for p in zone.primaries) + " };"
            kind = "slave" if zone.primaries else "master"
            zones.append(f'zone "{zone.name}" {{ type {kind}; file "{self.zone_path(zone.name)}";{primaries} }};\n')
        (self.home / "named.conf").write_text("".join(zones))
        notify = ",".join(f"{s.address}:{s.port}" for z in self.zones for s in z.secondaries)
        keyed = any(z.key for z in self.zones)
        (self.home / "pdns.conf").write_text(textwrap.dedent(f"""\
            launch=bind
            bind-config={self.home}/named.conf
            bind-dnssec-db={self.home / "keys.db" if keyed else ""}
            bind-check-interval=1
            local-address={self.address}
            local-port={self.port}
            query-local-address={self.address}
            socket-dir={self.home}
            primary=yes
            secondary=yes
            also-notify={notify}
            only-notify=
            allow-axfr-ips=127.0.0.0/8
            allow-notify-from=127.0.0.0/8
            xfr-cycle-interval=1
            cache-ttl=0
            query-cache-ttl=0
            negquery-cache-ttl=0
            guardian=no
            daemon=no
            loglevel=5
            """))
        if keyed:
            self.store_keys()

    def store_keys(self):
        def util(*words):
            subprocess.run(["/usr/bin/pdnsutil", f"--config-dir={self.home}", *words], check=True, timeout=20,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not (self.home / "keys.db").exists():
            util("create-bind-db", str(self.home / "keys.db"))
        for name, (algorithm, secret) in self.keys.items():
            util("import-tsig-key", name, algorithm, secret)
        for zone in self.zones:
            if zone.key:
                util("activate-tsig-key", zone.name, zone.key, zone.role)

    def command(self):
        return ["/usr/sbin/pdns_server", f"--config-dir={self.home}"]

    def reload(self):
        for zone in self.zones:
            subprocess.run(["/usr/bin/pdns_control", f"--socket-dir={self.home}", "bind-reload-now", zone.name],
                           stdout=subprocess.DEVNULL, check=True, timeout=20)


PEERS = {"bind": Bind, "knot": Knot, "nsd": Nsd, "pdns": Pdns}
