# SPDX-License-Identifier: BSD-3-Clause
"""What the process may still do, what it tells a service manager, and the unit file."""
import os
import pathlib
import pwd
import re
import shutil
import socket
import subprocess

from harness import ROOT, Zone, simple_zone

NAME = "example.com"
ROOT_KEEPS = (1 << 0) | (1 << 1) | (1 << 3)  # CHOWN, DAC_OVERRIDE, FOWNER
BIND_LOW = 1 << 10  # rests, for addresses that come later: permitted to some threads, effective in none


def tasks(server):
    """The status of every thread, as a dictionary."""
    for task in pathlib.Path(f"/proc/{server.process.pid}/task").iterdir():
        yield dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())


def check_confined(server, kept):
    for status in tasks(server):
        for member in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            # The log's thread was there before the drop, and had to be able to change the user.
            allowed = kept | ROOT_KEEPS | BIND_LOW if member == "CapBnd" else kept
            if member == "CapPrm":
                allowed |= BIND_LOW
            if kept != 0 and member in ("CapPrm", "CapEff"):
                allowed |= 1 << 6 | 1 << 7
            assert int(status[member], 16) & ~allowed == 0, (status["Name"], member, status[member])
        assert status["NoNewPrivs"].strip() == "1", status
        assert status["Seccomp"].strip() == "2", status


def as_nobody(test, server):
    user = pwd.getpwnam("nobody")
    for folder in (test.folder, server.home):
        folder.chmod(0o755)
    os.chown(server.home, user.pw_uid, user.pw_gid)
    server.command = lambda: [test.build / "lockstepd", "-g", "-u", "nobody", "-c", server.home / "named.conf"]


def test_a_low_port_then_nothing(test):
    """Port 53 as root, then another user without capabilities in use, filtered; a reload may bring another low port."""
    if os.geteuid() != 0:
        return
    server = test.lockstep("primary").add(Zone(NAME, simple_zone(NAME, 1)))
    server.address, server.port = f"{test.net}.53", 53
    as_nobody(test, server)
    server.start()
    test.wait_serial(server, NAME, 1)
    check_confined(server, 0)
    for status in tasks(server):
        assert status["Uid"].split() == [str(pwd.getpwnam("nobody").pw_uid)] * 4, status
        assert int(status["CapEff"], 16) == 0, status
    path = server.home / "named.conf"
    path.write_text(path.read_text().replace("listen-on-v6", f"listen-on port 54 {{ {server.address}; }};\nlisten-on-v6"))
    server.write_zone(NAME, simple_zone(NAME, 2))
    server.reload()
    test.wait_serial(server, NAME, 2, 10)
    server.port = 54
    test.wait_for("the low port that came later", lambda: test.serial(server, NAME) == 2, 10)


def test_root_without_a_user_keeps_three(test):
    """Who insists on root keeps what reading and giving files takes."""
    if os.geteuid() != 0:
        return
    server = test.lockstep("primary").add(Zone(NAME, simple_zone(NAME, 1)))
    server.start()
    test.wait_serial(server, NAME, 1)
    check_confined(server, ROOT_KEEPS)


def test_a_service_manager_is_told(test):
    """READY once all zones are loaded, RELOADING and READY, STOPPING: sd_notify's words on its socket."""
    server = test.lockstep("primary").add(Zone(NAME, simple_zone(NAME, 1)))
    path = str(test.folder / "notify.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.settimeout(20)
        server.command = lambda: ["env", f"NOTIFY_SOCKET={path}", test.build / "lockstepd", "-g", "-c",
                                  server.home / "named.conf"]
        server.start(wait=False)
        told = sock.recv(1000).decode()
        assert told.startswith("READY=1\n") and f"MAINPID={server.process.pid}\n" in told, told
        assert test.serial(server, NAME) == 1, "ready before the zone was loaded"
        server.reload()
        assert re.match(r"RELOADING=1\nMONOTONIC_USEC=\d+\n", sock.recv(1000).decode())
        assert sock.recv(1000).startswith(b"READY=1\n")
        server.stop()
        assert sock.recv(1000) == b"STOPPING=1\n"


def test_the_unit_is_hardened(test):
    """systemd rates the unit's exposure at 2.0 or less (Knot's unit of Debian 12: 7.0, NSD's 5.0)."""
    unit = ROOT / "dist" / "lockstepd.service"
    words = unit.read_text()
    for word in ("ProtectSystem=strict", "NoNewPrivileges=yes", "MemoryDenyWriteExecute=yes", "SystemCallFilter=",
                 "RestrictAddressFamilies=", "Type=notify\n"):
        assert word in words, word
    if shutil.which("systemd-analyze") is None:
        return
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit], capture_output=True,
                          text=True, timeout=30, check=False)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found and float(found.group(1)) <= 2.0, done.stdout[-500:] + done.stderr[-500:]
