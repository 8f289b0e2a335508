# SPDX-License-Identifier: BSD-3-Clause
"""A certificate by DNS challenge (RFC 8555): lego writes the record by RFC 2136 into our primary, pebble,
an ACME server for tests, looks for it at our secondary."""
import base64
import json
import os
import subprocess

import certificates
from harness import Zone, simple_zone

NAME = "example.com"
KEY = "acme-key"
SECRET = base64.b64encode(bytes(range(40, 72))).decode()


class Pebble:
    """The ACME server; asks `resolver` for what a certificate is wanted for."""
    kind = "pebble"

    def __init__(self, test, resolver):
        self.name, self.home = "pebble", test.folder / "pebble"
        self.home.mkdir()
        self.port = test.next_port()
        self.authority = certificates.Authority(self.home)
        self.authority.sign("pebble", "localhost")
        config = {"listenAddress": f"127.0.0.1:{self.port}", "managementListenAddress": f"127.0.0.1:{test.next_port()}",
                  "certificate": str(self.home / "pebble.crt"), "privateKey": str(self.home / "pebble.key"),
                  "httpPort": test.next_port(), "tlsPort": test.next_port(), "ocspResponderURL": "",
                  "externalAccountBindingRequired": False}
        (self.home / "pebble.json").write_text(json.dumps({"pebble": config}))
        self.output = (self.home / "log").open("w")
        self.process = subprocess.Popen(
            ["pebble", "-config", self.home / "pebble.json", "-dnsserver", f"{resolver.address}:{resolver.port}"],
            stdout=self.output, stderr=subprocess.STDOUT,
            env={**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"})
        test.processes.append(self)

    def log(self):
        return (self.home / "log").read_text()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        self.output.close()


def lego(test, pebble, primary, *domains):
    """Its exit status and what it said. It asks nobody but our server and pebble: the look at the
    zone's name servers, which are not on this machine, is turned off."""
    words = ["lego", "--server", f"https://127.0.0.1:{pebble.port}/dir", "--accept-tos", "--email", f"a@{NAME}",
             "--path", test.folder / "lego", "--dns", "rfc2136", "--dns.disable-cp",
             "--dns.resolvers", f"127.0.0.1:{primary.port}"]
    for domain in domains:
        words += ["--domains", domain]
    done = subprocess.run([*words, "run"], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "LEGO_CA_CERTIFICATES": str(pebble.authority.path),
                               "RFC2136_NAMESERVER": f"127.0.0.1:{primary.port}", "RFC2136_TSIG_KEY": KEY,
                               "RFC2136_TSIG_SECRET": SECRET, "RFC2136_TSIG_ALGORITHM": "hmac-sha256.",
                               "RFC2136_SEQUENCE_INTERVAL": "1"})
    return done.returncode, done.stdout + done.stderr


def world(test, policy):
    test.keys[KEY] = ("hmac-sha256", SECRET)
    primary, secondary = test.lockstep("primary"), test.lockstep("secondary")
    primary.add(Zone(NAME, simple_zone(NAME, 10, "www A 192.0.2.80\n"), secondaries=[secondary],
                     extra=f"update-policy {{ {policy} }};"))
    secondary.add(Zone(NAME, primaries=[primary]))
    primary.start(), secondary.start()
    test.wait_serial(secondary, NAME, 10)
    pebble = Pebble(test, secondary)
    test.wait_for("pebble", lambda: "ACME directory available" in pebble.log(), 20)
    return primary, secondary, pebble


def test_certificate_by_dns_challenge(test):
    challenge = f"_acme-challenge.www.{NAME}"
    primary, secondary, pebble = world(test, f"grant {KEY} name {challenge} TXT(2);")
    # pebble may look before the record is at the secondary, on a machine that is busy: then again.
    for _ in range(3):
        status, said = lego(test, pebble, primary, f"www.{NAME}")
        if status == 0:
            break
    assert status == 0, said + pebble.log()[-3000:]
    assert (test.folder / "lego" / "certificates" / f"www.{NAME}.crt").is_file()
    log = primary.log()
    assert f"adding an RR at '{challenge}' TXT" in log, log
    # It cleaned up, and both servers have the same: nothing is left of the challenge.
    assert not test.ask(primary, challenge, "TXT").answer
    serial = test.serial(primary, NAME)
    assert serial >= 12
    test.wait_serial(secondary, NAME, serial)
    test.same(NAME, primary, secondary)
    assert "form=AXFR" in secondary.log() and "form=IXFR" in secondary.log()


def test_certificate_for_a_name_that_the_policy_does_not_grant(test):
    primary, _, pebble = world(test, f"grant {KEY} name _acme-challenge.www.{NAME} TXT;")
    status, said = lego(test, pebble, primary, f"mail.{NAME}")
    assert status != 0 and "REFUSED" in said, said
    assert "rejected by secure update" in primary.log() and test.serial(primary, NAME) == 10
