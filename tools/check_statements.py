#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Hold the statement table to the server: a statement that is said to work is read by somebody.

A row of src/conf/statement_table.c in state WORKS or NOTED must have its CONF_ id used outside the
table and the list of ids. Usage: check_statements.py SOURCE_ROOT
"""
import pathlib
import re
import sys

src = pathlib.Path(sys.argv[1]) / "src"
table = src / "conf" / "statement_table.c"
used = set()
for file in src.rglob("*.[ch]"):
    if file not in (table, src / "conf" / "conf.h"):
        used |= set(re.findall(r"\bCONF_[A-Z0-9_]+\b", file.read_text()))
rows = re.findall(r'\{"([a-z0-9-]+)",[^{}]*?\b(CONF_[A-Z0-9_]+),\s*(WORKS|NOTED)\b', table.read_text())
# `type` is read when the block is; the word beside it is in struct conf_zone.
unread = sorted({word for word, name, _ in rows if name not in used and name not in ("CONF_NONE", "CONF_ZONE_TYPE")})
for word in unread:
    print(f"src/conf/statement_table.c: `{word}` is said to work, but nothing reads it")
print(f"statements: {len(rows)} work, {len(unread)} problems")
sys.exit(1 if unread or not rows else 0)
