# SPDX-License-Identifier: BSD-3-Clause
"""What a server and its children use, from /proc."""
import os
import pathlib

TICK = os.sysconf("SC_CLK_TCK")


def family(pid):
    """The process and all its descendants."""
    out, queue = [], [pid]
    while queue:
        one = queue.pop()
        out.append(one)
        for path in pathlib.Path(f"/proc/{one}/task").glob("*/children"):
            try:
                queue += [int(p) for p in path.read_text().split()]
            except OSError:
                pass
    return out


def cpu_seconds(server):
    total = 0
    for pid in family(server.process.pid):
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def memory_bytes(server, what="Pss"):
    """PSS over all processes: shared pages are counted once."""
    total = 0
    for pid in family(server.process.pid):
        try:
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith(what + ":"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            continue
    return total


def peak_bytes(server):
    total = 0
    for pid in family(server.process.pid):
        try:
            for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            continue
    return total
