# SPDX-License-Identifier: BSD-3-Clause
"""Transfer over TLS (RFC 9103) and DNS over TLS (RFC 7858): our pair, BIND in both roles, kdig and openssl."""
import json
import re
import socket
import subprocess
import threading
import time

from certificates import Authority
from harness import SOA_TIMES, Zone, simple_zone

NAME = "example.com"
RECORDS = "".join(f"host{i} A 192.0.2.{i % 250}\n" for i in range(300))


def zone_text(serial, name=NAME):
    return simple_zone(name, serial, RECORDS + f"n{serial} TXT \"version {serial}\"\n")


def front(test, what="server", extra=""):
    """The block that a server listens with."""
    return (f'tls front {{ cert-file "{test.folder}/{what}.crt"; key-file "{test.folder}/{what}.key"; '
            f'{extra} }};\n')


def strict(test, name="ns1.example", extra=""):
    """The block that a client checks with."""
    return f'tls up {{ ca-file "{test.folder}/ca.crt"; remote-hostname "{name}"; {extra} }};\n'


def certificates(test):
    ca = Authority(test.folder)
    test.pin = ca.sign("server", "ns1.example")
    ca.sign("client", "ns2.example")
    return ca


def pair(test, primary, secondary, client, use="up", server=None, who="any;", zone=NAME):
    """A primary that gives the zone over TLS only, to `who`, and its secondary."""
    primary.listen_tls("front", server or front(test))
    secondary.tls_blocks += client
    primary.add(Zone(zone, zone_text(1, zone), secondaries=[secondary],
                     allow=f"allow-transfer port {primary.tls_port} transport tls {{ {who} }};"))
    secondary.add(Zone(zone, primaries=[primary], tls=use))
    return primary, secondary


def follow(test, primary, secondary, zone=NAME, last=3):
    primary.start(), secondary.start()
    for serial in range(1, last + 1):
        if serial > 1:
            primary.write_zone(zone, zone_text(serial, zone))
            primary.reload()
        test.wait_serial(secondary, zone, serial, 40)


def only_over_tls(test, secondary):
    done = [line for line in secondary.log().splitlines() if "Transfer completed: " in line]
    assert done and all("transport=tls" in line for line in done), done
    return done


def connections(server):
    """The lines that tell of a connection by TLS which a client of ours made."""
    return [line for line in server.log().splitlines() if "connected to " in line and "by TLS" in line]


def dig_axfr(server, zone=NAME):
    return subprocess.run(["dig", f"@{server.address}", "-p", str(server.port), "+tcp", zone, "AXFR"],
                          capture_output=True, text=True, timeout=20, check=False).stdout


def test_our_pair_strict(test):
    certificates(test)
    primary, secondary = pair(test, test.lockstep("primary"), test.lockstep("secondary"), strict(test))
    follow(test, primary, secondary)
    done = only_over_tls(test, secondary)
    assert sum("form=IXFR" in line for line in done) >= 2, done
    assert "certificate=verified" in secondary.log()
    assert "transport=tls" in primary.log()
    assert len(connections(secondary)) == 1, connections(secondary)
    # Plain TCP does not get the zone, whoever asks.
    assert "Transfer failed" in dig_axfr(primary)
    assert "denied" in primary.log() and "no element matches" in primary.log()
