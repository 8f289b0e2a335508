# SPDX-License-Identifier: BSD-3-Clause
"""Addresses that come and go, by reload and on interfaces, while the server runs (in a network of its own)."""
import os
import pwd
import re
import socket
import struct
import subprocess
import time

import dns.message
import dns.query

from harness import Zone, simple_zone

NAME = "example.com"


def with_listen(server, listen):
    """The configuration with another listen-on."""
    path = server.home / "named.conf"
    path.write_text(re.sub(r"listen-on port \d+ \{[^}]*\};", listen, path.read_text(), count=1))


def serial_at(address, port, tcp=False):
    query = dns.message.make_query(NAME, "SOA")
    try:
        answer = (dns.query.tcp if tcp else dns.query.udp)(query, address, port=port, timeout=1)
        return answer.answer[0][0].serial if answer.answer else None
    except (OSError, dns.exception.DNSException):
        return None


def test_reload_opens_and_closes(test):
    ours = test.lockstep()
    ours.add(Zone(NAME, simple_zone(NAME, 5))).start()
    test.wait_serial(ours, NAME, 5)
    first, second = ours.port, test.next_port()
    kept = socket.create_connection(("127.0.0.1", first), 5)
    with_listen(ours, f"listen-on port {first} {{ 127.0.0.1; }};\nlisten-on port {second} {{ 127.0.0.1; 127.3.3.3; }};")
    ours.reload()
    for address in ("127.0.0.1", "127.3.3.3"):
        for tcp in (False, True):
            test.wait_for(f"{address} is served", lambda a=address, t=tcp: serial_at(a, second, t) == 5, 10)
    assert serial_at("127.0.0.1", first) == 5
    with_listen(ours, f"listen-on port {second} {{ 127.3.3.3; }};")
    # The first of two in the file; the other goes as well.
    path = ours.home / "named.conf"
    path.write_text(path.read_text().replace(f"listen-on port {second} {{ 127.0.0.1; 127.3.3.3; }};", "", 1))
    ours.reload()
    test.wait_for("the first is closed", lambda: serial_at("127.0.0.1", first) is None, 10)
    assert serial_at("127.3.3.3", second) == 5 and serial_at("127.3.3.3", second, True) == 5
    # A connection that was there is still served.
    query = dns.message.make_query(NAME, "SOA").to_wire()
    kept.sendall(struct.pack("!H", len(query)) + query)
    kept.settimeout(5)
    assert len(kept.recv(2)) == 2
    kept.close()
    log = ours.log()
    assert f"no longer listening on IPv4 interface, 127.0.0.1#{first}" in log
    assert f"listening on IPv4 interface, 127.3.3.3#{second}" in log


def test_address_that_is_taken_is_told_and_tried_again(test):
    ours = test.lockstep()
    ours.add(Zone(NAME, simple_zone(NAME, 5))).start()
    test.wait_serial(ours, NAME, 5)
    other = test.next_port()
    taken = socket.create_server(("127.0.0.1", other))
    with_listen(ours, f"listen-on port {ours.port} {{ 127.0.0.1; }};\nlisten-on port {other} {{ 127.0.0.1; }};")
    ours.reload()
    test.wait_for("it is said", lambda: "cannot listen on IPv4 interface, 127.0.0.1" in ours.log(), 10)
    assert serial_at("127.0.0.1", ours.port) == 5
    taken.close()
    test.wait_for("it is had at last", lambda: serial_at("127.0.0.1", other) == 5, 15)


class Network:
    """A network namespace: what runs in it sees its interfaces alone."""

    def __init__(self):
        self.name = f"lockstep-{os.getpid()}"
        self.run("ip", "netns", "add", self.name)
        self.inside("ip", "link", "set", "lo", "up")

    @staticmethod
    def run(*words):
        subprocess.run(words, check=True, timeout=20, capture_output=True)

    def inside(self, *words):
        self.run("ip", "netns", "exec", self.name, *words)

    def ask(self, address, tcp=False):
        done = subprocess.run(["ip", "netns", "exec", self.name, "dig", "+short", "+time=1", "+tries=1",
                               "+tcp" if tcp else "+notcp", f"@{address}", NAME, "SOA"], capture_output=True, text=True,
                              timeout=10, check=False)
        return done.stdout.split()[2] if done.returncode == 0 and len(done.stdout.split()) > 2 else None

    def end(self):
        subprocess.run(["ip", "netns", "del", self.name], check=False, timeout=20)


def listen_anywhere(ours, network, user="root"):
    configure, command = ours.configure, ours.command

    def anywhere():
        configure()
        path = ours.home / "named.conf"
        text = re.sub(r"listen-on port \d+ \{[^}]*\};", "listen-on { any; };", path.read_text())
        text = text.replace("listen-on-v6 { none; };", "listen-on-v6 { any; };")
        path.write_text(re.sub(r"(notify|transfer|query)-source (address )?127.0.0.1;\n", "", text))
        subprocess.run(["chown", "-R", user, ours.home], check=True, timeout=10)
    ours.configure = anywhere
    ours.command = lambda: ["ip", "netns", "exec", network.name, *command(), "-u", user]


def test_an_address_that_is_not_ready_does_not_hold_up_the_start(test):
    """For a second or two an IPv6 address is tentative: the kernel looks whether somebody else has it."""
    network = Network()
    try:
        ours = test.lockstep()
        ours.add(Zone(NAME, simple_zone(NAME, 5)))
        listen_anywhere(ours, network)
        network.inside("ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1")
        network.inside("sysctl", "-qw", "net.ipv6.conf.v0.dad_transmits=3")
        network.inside("ip", "link", "set", "v0", "up")
        network.inside("ip", "link", "set", "v1", "up")
        network.inside("ip", "address", "add", "2001:db8::8/64", "dev", "v0")
        ours.start(wait=False)
        test.wait_for("loopback is served", lambda: network.ask("127.0.0.1") == "5", 20)
        test.wait_for("the other too", lambda: network.ask("2001:db8::8") == "5", 20)
        assert re.search(r"cannot listen on IPv6 interface, 2001:db8::8#53: .*Cannot assign", ours.log()), ours.log()
    finally:
        for server in test.processes:
            server.stop()
        network.end()


def test_interfaces_are_followed_on_port_53_as_a_user(test):
    """`listen-on { any; }` on the port that needs a privilege, by a server that gave its privileges up."""
    user = pwd.getpwnam("nobody").pw_name
    network = Network()
    try:
        ours = test.lockstep()
        ours.add(Zone(NAME, simple_zone(NAME, 5)))
        os.chmod(test.folder, 0o755)
        listen_anywhere(ours, network, user)
        ours.start(wait=False)
        test.wait_for("loopback is served", lambda: network.ask("127.0.0.1") == "5", 20)
        for address, bits in (("198.51.100.7", 32), ("2001:db8::7", 128)):
            assert network.ask(address) is None
            network.inside("ip", "address", "add", f"{address}/{bits}", "dev", "lo", *(
                ["nodad"] if ":" in address else []))
            for tcp in (False, True):
                test.wait_for(f"{address} is served", lambda a=address, t=tcp: network.ask(a, t) == "5", 15)
        network.inside("ip", "address", "del", "198.51.100.7/32", "dev", "lo")
        test.wait_for("its end is noticed", lambda: "no longer listening on IPv4 interface, 198.51.100.7#53" in ours.log(),
                      15)
        assert network.ask("127.0.0.1") == "5"
        # The right to bind low ports rests.
        for task in os.listdir(f"/proc/{ours.process.pid}/task"):
            with open(f"/proc/{ours.process.pid}/task/{task}/status", encoding="ascii") as status:
                caps = int(re.search(r"CapEff:\s*([0-9a-f]+)", status.read()).group(1), 16)
                assert caps == 0, (task, hex(caps))
    finally:
        for server in test.processes:
            server.stop()
        network.end()
        time.sleep(0.1)
