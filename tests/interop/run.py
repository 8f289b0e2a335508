#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the scenarios in the folders beside this file, each in a process of its own.

A scenario is FOLDER/scenario.py with functions named test_*(test); each gets a fresh Test (folder,
addresses, servers that end with it) and asserts. Usage: run.py [--build DIR] [FOLDER[:test_name]...]
"""
import argparse
import concurrent.futures
import importlib.util
import pathlib
import subprocess
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))


def scenarios():
    return sorted(p.parent.name for p in HERE.glob("*/scenario.py"))


def load(folder):
    spec = importlib.util.spec_from_file_location(folder, HERE / folder / "scenario.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tests_of(folder):
    return [n for n in vars(load(folder)) if n.startswith("test_")]


def run_one(build, folder, name):
    """In the child: one test, exit status 0 when it passed."""
    from harness import Test
    with Test(build, f"{folder}-{name}") as test:
        try:
            getattr(load(folder), name)(test)
            test.check_servers()
        except Exception:
            traceback.print_exc(file=sys.stdout)
            test.print_logs()
            sys.exit(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build-asan")
    parser.add_argument("--child", action="store_true")
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("which", nargs="*")
    options = parser.parse_args()
    build = (HERE.parent.parent / options.build).resolve()
    if options.child:
        run_one(build, *options.which[0].split(":"))
        return
    jobs = []
    for which in options.which or scenarios():
        folder, _, name = which.partition(":")
        jobs += [(folder, n) for n in ([name] if name else tests_of(folder))]
    passed, again = 0, []

    def execute(job):
        begin = time.monotonic()
        try:
            done = subprocess.run(
                [sys.executable, __file__, "--build", options.build, "--child", ":".join(job)],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=300, check=False)
            return job, done.returncode == 0, done.stdout, time.monotonic() - begin
        except subprocess.TimeoutExpired as late:
            return job, False, f"not done after 300 s\n{late.stdout}", 300

    def told(job, good, output, seconds, what):
        print(f"{what} {job[0]} {job[1]} ({seconds:.1f} s)", flush=True)
        if not good:
            print(output)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for job, good, output, seconds in pool.map(execute, jobs):
            told(job, good, output, seconds, "ok    " if good else "FAILED")
            passed += good
            again += [] if good else [job]
    # Several at a time on a small machine can miss a time limit: a failure counts if it is one alone, too.
    failed = 0
    for job in again[:5]:
        job, good, output, seconds = execute(job)
        told(job, good, output, seconds, "ok alone" if good else "FAILED alone")
        passed, failed = passed + good, failed + (not good)
    failed += len(again[5:])
    print(f"interop: {passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
