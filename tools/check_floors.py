#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Hold src/ to the floor plan in the root meson.build.

A room includes headers only of the rooms on its line, by room ("zone/delta.h"), and headers named
*_impl.h only inside the room they belong to. A room's listed sources are the .c files it has, and the
table of docs/architecture.md says what the plan says.
Usage: check_floors.py SOURCE_ROOT
"""
import ast
import pathlib
import re
import sys

if len(sys.argv) != 2:
    sys.exit(__doc__)
root = pathlib.Path(sys.argv[1])
text = (root / "meson.build").read_text()
table = re.search(r"^floor_plan = (\[.*?^\])", text, re.S | re.M)
if not table:
    sys.exit("meson.build: no floor_plan")
plan = {room: set(below) for room, below, _ in ast.literal_eval(table.group(1))}
problems = []

seen = []
for room, below in plan.items():
    for lower in below:
        if lower not in seen:
            problems.append(f"meson.build: {room} may include {lower}, which stands on no lower line")
    seen.append(room)

folders = {p.name for p in (root / "src").iterdir() if p.is_dir()}
for extra in sorted(folders ^ set(plan)):
    problems.append(f"src/{extra}: the folder and the floor plan do not agree")

for room in sorted(folders & set(plan)):
    files = sorted((root / "src" / room).rglob("*.[ch]"))
    listed = set(re.findall(r"'([^']+\.c)'", (root / "src" / room / "meson.build").read_text()))
    mains = {"lockstepd.c", "lockstep.c"} if room == "cmd" else set()
    present = {str(f.relative_to(root / "src" / room)) for f in files if f.suffix == ".c"} - mains
    for name in sorted(listed ^ present):
        problems.append(f"src/{room}/meson.build: {name} is listed or present, not both")
    if not (root / "src" / room / "README.md").is_file():
        problems.append(f"src/{room}: no README.md")
    for file in files:
        where = file.relative_to(root)
        content = file.read_text()
        if "SPDX-License-Identifier: BSD-3-Clause" not in content[:200]:
            problems.append(f"{where}:1: no SPDX line")
        for number, line in enumerate(content.split("\n"), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match:
                continue
            target = match.group(1)
            parts = target.split("/")
            if len(parts) < 2 or parts[0] not in plan:
                problems.append(f"{where}:{number}: include by room, not {target!r}")
            elif parts[0] != room and parts[0] not in plan[room]:
                problems.append(f"{where}:{number}: {room} may not include {parts[0]}")
            elif parts[0] != room and target.endswith("_impl.h"):
                problems.append(f"{where}:{number}: {target} belongs to {parts[0]} alone")

floor_of = {}
for room, below in plan.items():
    floor_of[room] = max((floor_of[lower] + 1 for lower in below if lower in floor_of), default=0)
told = {}
for floor, room, below in re.findall(r"^\| (\d+) \| `(\w+)` \|([a-z ]*)\|", (root / "docs" / "architecture.md").read_text(), re.M):
    told[room] = (int(floor), set(below.split()))
for room in sorted(set(plan) | set(told)):
    if told.get(room) != (floor_of.get(room), plan.get(room)):
        problems.append(f"docs/architecture.md: floor or line of {room} is not as in meson.build")

for problem in problems:
    print(problem)
print(f"floors: {len(plan)} rooms, {len(problems)} problems")
sys.exit(1 if problems else 0)
