# SPDX-License-Identifier: BSD-3-Clause
"""Instructions an answer in user space, counted by callgrind: a figure that no load on the machine touches.

The whole process is counted, all its threads and libraries, while it does nothing but answer; what the kernel
does is not in it. The generator is not slowed down, so batches come full, as under load.
"""
import os
import re
import signal
import subprocess
import time

from harness import Test
from processes import family

COUNTED = ("lockstep", "nsd", "knot")  # those that are compared; the others take long under valgrind
SECONDS, OUTSTANDING = 3.0, 512
SIZE, ZONES = 20000, 1000  # more names take no more instructions, but long to load under valgrind


class Instructions:
    """Mixed into the suite of bench.py."""

    def instructions(self):
        """Instructions an answer: whole servers under callgrind."""
        tld, host = self.questions("tld", SIZE), self.questions("host", SIZE)
        cases = [
            ("host.test", self.generated("host", SIZE),
             [("hosting, mix", host), ("hosting, positive", self.chosen(host, lambda line: not line.startswith("no"))),
              ("hosting, mix, DO", self.with_dnssec_ok(host))]),
            ("tld.test", self.generated("tld", SIZE),
             [("TLD, mix", tld), ("TLD, referral", self.chosen(tld, lambda line: line.startswith("www."))),
              ("TLD, NXDOMAIN", self.chosen(tld, lambda line: line.startswith("no")))]),
            (None, self.many_folder(ZONES), [("1,000 small zones", self.questions("many", ZONES))]),
        ]
        for kind in [s for s in self.options.servers if s in COUNTED]:
            # Of processes that were forked valgrind tells only at their end, so NSD starts for each.
            count = self.count_forked if kind == "nsd" else self.count_running
            for zone, path, asked in cases:
                for some in [[one] for one in asked] if kind == "nsd" else [asked]:
                    with Test(self.build, f"bench-instructions-{kind}") as test:
                        try:
                            count(test, kind, zone, path, some)
                        except Exception as problem:  # one server's failure must not end the run
                            print(f"    instructions {kind} {some[0][0]} FAILED: {problem}", flush=True)

    def chosen(self, questions, wanted):
        """The questions of a file that are of one sort."""
        lines = [line for line in questions.read_text().splitlines(True) if wanted(line)]
        path = questions.with_name(f"{questions.name}-{len(lines)}")
        path.write_text("".join(lines))
        return path

    def counted_server(self, test, kind, zone, path, *words):
        if zone is None:
            server, zone = self.many_server(test, kind, path, ZONES), f"z{ZONES - 1}.test"
        else:
            server = self.primary(test, kind, zone, path)
        command = server.command()
        server.command = lambda: ["valgrind", "-q", "--fair-sched=yes", f"--vgdb-prefix={server.home}/vgdb", "--tool=callgrind",
                                  f"--callgrind-out-file={server.home}/callgrind.%p", *words, *command]
        server.start(wait=False)
        self.until_serial(test, server, zone, 1)
        return server

    def count_running(self, test, kind, zone, path, cases):
        server = self.counted_server(test, kind, zone, path, "--instr-atstart=no")
        try:
            for _ in range(2):  # where the machine is busy, one look may be too early
                self.until_quiet(server, 120)
            control(server, "-i", "on")
            for label, questions in cases:
                # The first questions meet code that valgrind has yet to translate.
                self.generator("udp_load", server, questions, SECONDS, OUTSTANDING)
                control(server, "-z")
                got = self.generator("udp_load", server, questions, SECONDS, OUTSTANDING)
                time.sleep(1)  # what came late, for the generator, is answered all the same
                control(server, "-d")
                self.add_count(label, kind, counted(next(server.home.glob("callgrind.*.*"))), got["sent"])
                for dump in server.home.glob("callgrind.*.*"):
                    dump.unlink()
        finally:
            for pid in family(server.process.pid):
                os.kill(pid, signal.SIGKILL)  # what valgrind would write at the end is not wanted
            server.process.wait()

    def count_forked(self, test, kind, zone, path, cases):
        """The process that answers goes on from what its parent had counted when it forked."""
        [(label, questions)] = cases
        server = self.counted_server(test, kind, zone, path)
        self.until_quiet(server)
        sent = sum(self.generator("udp_load", server, questions, SECONDS, OUTSTANDING)["sent"] for _ in range(2))
        parent, child = family(server.process.pid)[-2:]
        time.sleep(1)
        server.stop()
        time.sleep(1)
        self.add_count(label, kind, counted(server.home / f"callgrind.{child}") - counted(server.home / f"callgrind.{parent}"),
                       sent)

    def add_count(self, label, kind, instructions, sent):
        self.figures.add(f"instructions an answer: {label}", kind, instructions / max(1, sent), "")


def control(server, *words):
    done = subprocess.run(["callgrind_control", f"--vgdb-prefix={server.home}/vgdb", *words, str(server.process.pid)],
                          capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0 or "Error" in done.stdout + done.stderr:
        raise RuntimeError(f"callgrind_control {' '.join(words)}: {done.stdout}{done.stderr}")


def counted(path):
    return int(re.search(r"^totals: (\d+)", path.read_text(), re.M).group(1))
