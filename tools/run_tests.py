#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Builds with warnings as errors and runs every test; the last line says how many passed.

Parts: unit (gcc and clang, release: the unit, model, sim and house tests), asan (the same under
AddressSanitizer and UndefinedBehaviorSanitizer), tsan (the threaded ones, and a pair of servers, under
ThreadSanitizer), fuzz
(each fuzz target over its corpus), interop (against BIND, Knot, NSD and PowerDNS, on the asan build).
"""
import functools
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PARTS = ["unit", "asan", "tsan", "fuzz", "interop"]
passed = failed = 0


def say(text):
    print(text, flush=True)


def run(command, log, **more):
    """Runs quietly into `log`; True when it ended well. Prints the log's tail otherwise."""
    with open(log, "w") as out:
        code = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT, check=False, **more).returncode
    if code != 0:
        say(f"failed: {' '.join(map(str, command))}")
        say("\n".join(pathlib.Path(log).read_text(errors="replace").splitlines()[-60:]))
    return code == 0


def count(good, bad):
    global passed, failed
    passed += good
    failed += bad


@functools.cache
def build(folder, compiler, *options):
    """Configures and builds `folder`, once; counts a failure and gives False where that fails."""
    folder = ROOT / folder
    wanted = " ".join((compiler, *options))
    stamp = folder / "test-options"
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run(["rm", "-rf", folder], check=True)
        if not run(["meson", "setup", folder, "-Dwerror=true", *options], "/tmp/lockstep-setup.log",
                   env=dict(os.environ, CC=compiler)):
            count(0, 1)
            return False
        stamp.write_text(wanted)
    if not run(["ninja", "-C", folder], folder / "build.log"):
        count(0, 1)
        return False
    return True


def meson_test(folder, *selection, setup_env=None):
    """Runs Meson's tests and counts the single cases that the unit tests report."""
    begin = time.monotonic()
    folder = ROOT / folder
    log = folder / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    done = subprocess.run(["meson", "test", "-C", folder, "--no-rebuild", *selection], cwd=ROOT, check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          env=dict(os.environ, **(setup_env or {})))
    good = bad = 0
    for line in log.read_text().splitlines() if log.exists() else []:
        test = json.loads(line)
        output = test.get("stdout", "") + test.get("stderr", "")
        cases = output.count("[       OK ]")
        # A case that this machine cannot run is no pass: it is named, and not counted.
        for name in dict.fromkeys(re.findall(r"\[  SKIPPED \] (\w+)", output)):
            say(f"{folder.name}: skipped: {test['name']} {name}")
        if test["result"] == "OK":
            good += max(1, cases)
        else:
            bad += 1
            say(f"--- {folder.name} {test['name']}: {test['result']}")
            say("\n".join(output.splitlines()[-40:]))
    if good + bad == 0 or (done.returncode != 0 and bad == 0):
        say(f"{folder.name}: meson test ended with status {done.returncode} after {good + bad} tests")
        bad += 1
    count(good, bad)
    say(f"{folder.name}: {good} passed, {bad} failed in {time.monotonic() - begin:.0f} s")


def part_unit():
    if build("build-clang", "clang", "--buildtype=debug"):
        say("build-clang: built without a warning")
    if build("build-test", "gcc", "--buildtype=release"):
        meson_test("build-test")


SANITIZE = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1",
}


def build_asan():
    return build("build-asan", "gcc", "--buildtype=debugoptimized", "-Db_sanitize=address,undefined")


def part_asan():
    if build_asan():
        meson_test("build-asan", "--timeout-multiplier=4", setup_env=SANITIZE)


def part_tsan():
    if build("build-tsan", "clang", "--buildtype=debugoptimized", "-Db_sanitize=thread", "-Db_lundef=false"):
        meson_test("build-tsan", "--timeout-multiplier=10", "--suite=threads", setup_env=SANITIZE)
        scenarios("build-tsan", "our_pair")


def part_fuzz():
    if not build("build-fuzz-once", "clang", "-Dfuzz=true", "--buildtype=debugoptimized",
                 "-Db_sanitize=address,undefined", "-Db_lundef=false"):
        return
    targets = sorted(p for p in (ROOT / "build-fuzz-once" / "tests" / "fuzz").glob("fuzz_*") if p.is_file() and os.access(p, os.X_OK))
    for target in targets:
        corpus = ROOT / "tests" / "fuzz" / "corpus" / target.name.removeprefix("fuzz_")
        files = sorted(corpus.glob("*"))
        good = bool(files) and run([target, "-timeout=10", *files], f"/tmp/lockstep-{target.name}.log", timeout=120)
        count(int(good), int(not good))
        if not files:
            say(f"{target.name}: no corpus in {corpus}")
    say(f"fuzz: {len(targets)} targets over their corpora")


def scenarios(folder, *which):
    """Runs scenarios of tests/interop (all where none are named) with the servers of `folder`."""
    begin = time.monotonic()
    done = subprocess.run(["/usr/bin/python3", "tests/interop/run.py", "--build", folder, *which], cwd=ROOT,
                          stdout=subprocess.PIPE, text=True, check=False, env=dict(os.environ, **SANITIZE))
    say(done.stdout.rstrip())
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
    try:
        good, bad = (int(word.split()[0]) for word in last.removeprefix("interop: ").split(", ")[:2])
    except ValueError:
        good, bad = 0, 1
    count(good, bad)
    say(f"{folder}: scenarios took {time.monotonic() - begin:.0f} s")


def part_interop():
    if build_asan():
        scenarios("build-asan")
    else:
        say("interop: not run, its servers could not be built")


def main():
    chosen = sys.argv[1:] or PARTS
    unknown = set(chosen) - set(PARTS)
    if unknown:
        sys.exit(f"unknown part {', '.join(sorted(unknown))}; there are: {' '.join(PARTS)}")
    begin = time.monotonic()
    for part in PARTS:
        if part in chosen:
            globals()[f"part_{part}"]()
    say(f"all parts took {time.monotonic() - begin:.0f} s")
    say(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
