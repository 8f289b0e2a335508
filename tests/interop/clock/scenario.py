# SPDX-License-Identifier: BSD-3-Clause
"""A wall clock that jumps by years, both ways, under running servers: nothing expires, nothing stops, serials go on."""
import base64
import pathlib
import subprocess
import time

import dns.query
import dns.rcode
import dns.tsig
import dns.update

from harness import Zone, simple_zone

NAME = "example.com"
YEAR = 365 * 86400
SECRET = b"0123456789abcdef0123456789abcdef"


def shim(test):
    path = test.folder / "jump.so"
    if not path.exists():
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", path, pathlib.Path(__file__).with_name("jump.c")], check=True)
    return path


def with_clock(test, server):
    """The server reads its wall clock through the shim; gives the file that moves it."""
    clock, library, plain = test.folder / f"{server.name}.clock", shim(test), server.command
    clock.write_text("0")
    server.command = lambda: ["env", f"LD_PRELOAD={library}", f"CLOCK_FILE={clock}",
                              "ASAN_OPTIONS=verify_asan_link_order=0", *plain()]
    return clock


def set_clock(clock, offset_s):
    fresh = clock.with_suffix(".next")
    fresh.write_text(str(offset_s))
    fresh.rename(clock)


def update(test, server, label, clock_off_s=0):
    """An unsigned update, or one signed by a client whose clock is off; its rcode."""
    message = dns.update.Update(NAME)
    message.replace("n", 300, "TXT", label)
    return dns.query.tcp(message, server.address, timeout=10, port=server.port).rcode()


def test_years_in_both_directions(test):
    """Primary and secondary together and apart: UPDATE, NOTIFY, refresh and answers go on, the serial only forward."""
    primary = test.lockstep("primary", options="min-refresh-time 1; min-retry-time 1;")
    secondary = test.lockstep("secondary", options="min-refresh-time 1; min-retry-time 1;")
    primary.add(Zone(NAME, simple_zone(NAME, 10), secondaries=[secondary],
                     extra="allow-update { 127.0.0.0/8; }; serial-update-method unixtime;"))
    secondary.add(Zone(NAME, primaries=[primary]))
    clocks = [with_clock(test, server) for server in (primary, secondary)]
    for server in (primary, secondary):
        server.start()
    test.wait_serial(secondary, NAME, 10)
    last = 10
    jumps = [(0, 0), (10 * YEAR, 0), (10 * YEAR, 10 * YEAR), (-20 * YEAR, 10 * YEAR), (-20 * YEAR, -20 * YEAR), (0, 30 * YEAR),
             (0, 0)]
    for number, offsets in enumerate(jumps):
        for clock, offset_s in zip(clocks, offsets):
            set_clock(clock, offset_s)
        time.sleep(0.3)
        assert update(test, primary, f"step{number}") == dns.rcode.NOERROR, offsets
        serial = test.serial(primary, NAME)
        assert serial is not None and 0 < (serial - last) % 2 ** 32 < 2 ** 31, (offsets, last, serial)
        last = serial
        test.wait_serial(secondary, NAME, serial, 10)
        reply = test.ask(secondary, f"n.{NAME}", "TXT")
        assert reply.answer[0][0].strings == (f"step{number}".encode(),), (offsets, reply)
    primary.stop()
    set_clock(clocks[1], 40 * YEAR)
    time.sleep(1.5)
    assert test.serial(secondary, NAME) == last, "a jump of the wall clock expired the copy"


def test_signatures_look_at_the_clock(test):
    """A server that is years ahead says BADTIME, with its time; when its clock is right again, all is well."""
    test.keys["k"] = ("hmac-sha256", base64.b64encode(SECRET).decode())
    server = test.lockstep("primary").add(Zone(NAME, simple_zone(NAME, 1)))
    clock = with_clock(test, server)
    server.start()
    test.wait_serial(server, NAME, 1)

    def rcode():
        message = dns.message.make_query(NAME, "SOA")
        message.use_tsig({dns.name.from_text("k"): dns.tsig.Key("k", SECRET)})
        try:
            return dns.query.udp(message, server.address, timeout=5, port=server.port).rcode()
        except dns.tsig.PeerBadTime:
            return "BADTIME"
    for offset_s, wanted in ((0, 0), (5 * YEAR, "BADTIME"), (0, 0), (-5 * YEAR, "BADTIME"), (0, 0)):
        set_clock(clock, offset_s)
        assert rcode() == wanted, (offset_s, wanted)
    assert "clock" in server.log()
