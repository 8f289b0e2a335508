#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Hold the documents to the tree: what docs/rfc-coverage.md names is there; links lead somewhere.

A function is a word followed by "(" in a source of src/, a test one in tests/unit or tests/model, or
folder:test_name in tests/interop. Usage: check_docs.py SOURCE_ROOT
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
problems = []


def words_of(folder, pattern, suffixes):
    found = set()
    for file in (root / folder).rglob("*"):
        if file.suffix in suffixes:
            found |= set(re.findall(pattern, file.read_text()))
    return found


functions = words_of("src", r"\b([a-z_][a-z0-9_]*)\(", {".c", ".h"})
tests = words_of("tests/unit", r"\b([a-z_][a-z0-9_]*)\(", {".c", ".h"}) | words_of("tests/model", r"\b([a-z_][a-z0-9_]*)\(", {".c"})
scenarios = {f"{file.parent.name}:{name}" for file in (root / "tests" / "interop").glob("*/scenario.py")
             for name in re.findall(r"^def (test_\w+)", file.read_text(), re.M)}

coverage = root / "docs" / "rfc-coverage.md"
rows = 0
for number, line in enumerate(coverage.read_text().split("\n"), 1):
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    if not line.startswith("|") or len(cells) != 4 or cells[0] in ("RFC", "---"):
        continue
    rows += 1
    for names, known, kind in ((cells[2], functions, "function"), (cells[3], tests | scenarios, "test")):
        named = re.findall(r"`([^`]+)`", names)
        if not named:
            problems.append(f"docs/rfc-coverage.md:{number}: no {kind}")
        problems += [f"docs/rfc-coverage.md:{number}: no {kind} {name}" for name in named if name not in known]
if rows == 0:
    problems.append("docs/rfc-coverage.md: no rows")

for page in [root / "README.md", *(root / "docs").glob("*.md")]:
    for name in re.findall(r"`((?:docs|src|tests|tools|bench|examples)/[A-Za-z0-9_./-]+)`", page.read_text()):
        if not (root / name).exists():
            problems.append(f"{page.relative_to(root)}: there is no {name}")

for problem in problems:
    print(problem)
print(f"docs: {rows} rows of coverage, {len(problems)} problems")
sys.exit(1 if problems else 0)
