#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Holds the golden rdata to BIND's named-rrchecker: run by hand after changing good.txt or bad.txt.

Every text of good.txt, as written and as printed, must give its wire form; BIND must refuse every
text of bad.txt. Exit status 77 (skipped) where named-rrchecker is not installed.
"""
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def bind_wire(text):
    """The wire form in hex, or None where BIND refuses the text."""
    done = subprocess.run(
        ["named-rrchecker", "-u"], input=f"IN {text}\n", capture_output=True, text=True, timeout=10
    )
    if done.returncode != 0 or not done.stdout:
        return None
    return "".join(done.stdout.split("\\#")[1].split()[1:])


def rows(name):
    for line in (HERE / name).read_text().splitlines():
        if not line.startswith("#"):
            yield line.split("\t")


def main():
    if shutil.which("named-rrchecker") is None:
        sys.exit(77)
    faults = 0
    for text, wire, printed in rows("good.txt"):
        for form in (text, f"{text.split()[0]} {printed}"):
            found = bind_wire(form)
            if found != wire:
                print(f"{form}\n  ours {wire}\n  BIND {found}")
                faults += 1
    for text, _, _ in rows("bad.txt"):
        if bind_wire(text) is not None:
            print(f"{text}\n  BIND takes it")
            faults += 1
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
