# SPDX-License-Identifier: BSD-3-Clause
"""The same questions to Lockstep, BIND, Knot and NSD on the same zones: A5 in the large.

Every difference must be one of those that `explained` names with its RFC section (docs/rfc-coverage.md lists
them); any other fails the test. Denials and signatures are put to a validator (delv) besides. LOCKSTEP_SEED asks
other questions of the generated zones.
"""
import collections
import concurrent.futures
import lzma
import os
import pathlib
import random
import re
import subprocess
import sys

from harness import ROOT, Zone, root_history, simple_zone

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from corners import corner_reason, corners, facts, put_corner  # noqa: E402
from explained import explained  # noqa: E402
from questions import draw_questions, put  # noqa: E402
from signed_zone import names_of, sign, zone_text  # noqa: E402
from wire import Response  # noqa: E402

KINDS = ("bind", "knot", "nsd")
POINTER_SIZE = 3  # BIND points from an owner at the next name of an NSEC before it


def serve(test, zones):
    """One server of each kind with the same zone files, ours first."""
    lenient = "check-names primary ignore;"
    # The root of 2021 has a ZONEMD record whose digest is all zeroes.
    servers = [test.lockstep(options=lenient + " zonemd-check no;"), *(test.peer(k, options=lenient * (k == "bind")) for k in KINDS)]
    for server in servers:
        for name, text in zones.items():
            server.add(Zone(name, text))
        server.start()
    for server in servers:
        for name in zones:
            test.wait_serial(server, name, next(iter(serials(zones[name]))), 60)
    return servers


def serials(text):
    """The serial of a zone's SOA, as text says it."""
    found = re.search(r"\bSOA\s+\S+\s+\S+\s+\(?\s*(\d+)", text)
    assert found, text[:300]
    yield int(found.group(1))


def compare(servers, questions):
    """Puts all questions to all servers; fails with the first differences that nothing explains."""
    with concurrent.futures.ThreadPoolExecutor(len(servers)) as pool:
        answers = list(pool.map(lambda s: put(s, questions), servers))
    ours, reasons, unexplained, larger = answers[0], collections.Counter(), [], []
    for index, question in enumerate(questions):
        assert ours[index] is not None, f"{question}: no answer"
        mine = Response(ours[index])
        assert mine.flags & 0x8000 and len(ours[index]) <= max(512, min(question.edns_size, 1232)), str(question)
        for server, theirs in zip(servers[1:], answers[1:]):
            if theirs[index] is None:
                reasons[f"{server.kind} is silent"] += 1
                continue
            other = Response(theirs[index])
            reason = explained(question, mine, other, server.kind)
            if reason == "" and not mine.tc and bare_size(mine) > bare_size(other) + POINTER_SIZE:
                larger.append(f"{question}: {bare_size(mine)} octets, {server.kind} {bare_size(other)}")
            if reason is None:
                unexplained.append((question, server.kind, mine, other))
            elif reason:
                reasons[f"{server.kind}: {reason}"] += 1
    known = (ROOT / "docs" / "rfc-coverage.md").read_text()
    for reason, count in sorted(reasons.items()):
        print(f"{count:6} {reason}")
        assert reason.endswith("silent") or reason.partition(": ")[2] in known, f"not in rfc-coverage.md: {reason}"
    if unexplained:
        groups = collections.defaultdict(list)
        for question, kind, mine, other in unexplained:
            sections = " ".join(s for s in ("answer", "authority", "additional")
                                if getattr(mine, s) != getattr(other, s))
            groups[f"{kind}: rcode {mine.rcode}/{other.rcode}, aa {mine.aa}/{other.aa}, tc {mine.tc}/{other.tc}, "
                   f"sections: {sections}"].append((question, kind, mine, other))
        text = [f"{len(unexplained)} differences of {len(questions)} questions are not explained"]
        for group, found in sorted(groups.items(), key=lambda g: -len(g[1])):
            text.append(f"== {len(found)} x {group}: {', '.join(str(f[0]) for f in found[1:4])}")
            question, kind, mine, other = found[0]
            text.append(f"{question}\n  ours {told(mine)}\n  {kind} {told(other)}")
        raise AssertionError("\n".join(text))
    assert not larger, f"{len(larger)} answers are larger than a peer's:\n" + "\n".join(larger[:20])
    silent = sum(count for reason, count in reasons.items() if reason.endswith("silent"))
    assert silent < len(questions) // 100, f"{silent} questions were not answered by a peer"


def bare_size(response):
    """Without EDNS options, of which the servers have each their own."""
    return response.size - (len(response.edns[2]) if response.edns else 0)


def told(response):
    return (f"rcode {response.rcode} size {response.size} aa {response.aa} tc {response.tc}\n    answer {response.answer}\n"
            f"    authority {response.authority}\n    additional {response.additional}")


def generated(test):
    """Zones that hold something of everything: plain, signed with NSEC, with NSEC3, with opt-out, and children."""
    zones = {"plain.test": zone_text("plain.test", 1, ["child"]), "child.plain.test": zone_text("child.plain.test", 2),
             "grand.cut1.plain.test": simple_zone("grand.cut1.plain.test", 1, "www A 192.0.2.80")}
    for number, (name, nsec3) in enumerate((("nsec.test", None), ("nsec3.test", ["-3", "ab12", "-H", "3"]),
                                            ("optout.test", ["-3", "-", "-H", "0", "-A"]),
                                            ("child.nsec.test", None))):
        text = zone_text(name, 3 + number, ["child"] if name == "nsec.test" else [])
        zones[name] = sign(test.folder, name, text, nsec3)
    return zones


def test_generated_zones(test):
    zones = generated(test)
    servers = serve(test, zones)
    draw = random.Random(int(os.environ.get("LOCKSTEP_SEED", "7")))
    names = [n for zone, text in zones.items() for n in names_of(text, zone)]
    compare(servers, draw_questions(draw, names, 12000))
    validate(test, servers[0], zones, draw)


def test_signed_root(test):
    path = ROOT.parent / "shared" / "data" / "root-signed-2021051901.zone.xz"
    if path.is_file():
        text = lzma.decompress(path.read_bytes()).decode()
    else:
        text = sign(test.folder, ".", zone_text("", 11).replace("$ORIGIN .\n", "$ORIGIN .\n", 1))
    zones = {".": text}
    servers = serve(test, zones)
    compare(servers, draw_questions(random.Random(8), names_of(text, "."), 6000))


def test_last_root(test):
    history = root_history()
    text = history[-1] if history else zone_text("", 12)
    # Where its keys were left out, it is a zone with signatures that is not signed: peers disagree on those.
    zones = {".": "".join(line for line in text.splitlines(True) if not re.search(r"\s(RRSIG|NSEC)\s", line))}
    servers = serve(test, zones)
    compare(servers, draw_questions(random.Random(9), names_of(zones["."], "."), 6000))


def test_corners(test):
    """Requests at the edges of the protocol: the same RCODE, flags and counts, or a reason."""
    options = {"nsd": "minimal-responses: yes"}
    servers = [test.lockstep(), *(test.peer(kind, options=options.get(kind, "")) for kind in KINDS)]
    for server in servers:
        server.add(Zone("par.test", simple_zone("par.test", 1)))
        server.start()
        test.wait_serial(server, "par.test", 1)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = {(what, server.kind): pool.submit(put_corner, server, wire) for what, wire in corners() for server in servers}
    known = (ROOT / "docs" / "rfc-coverage.md").read_text()
    reasons, unexplained = collections.Counter(), []
    for what, _ in corners():
        ours = replies[what, "lockstep"].result()
        for kind in KINDS:
            other = replies[what, kind].result()
            reason = corner_reason(what, ours, other, kind)
            if reason is None:
                unexplained.append(f"{what}: ours {facts(ours)}, {kind} {facts(other)}")
            elif reason:
                reasons[reason] += 1
    assert not unexplained, "\n".join(unexplained)
    missing = [reason for reason in reasons if reason not in known]
    assert not missing, f"not in rfc-coverage.md: {missing}"


def validate(test, server, zones, draw):
    """delv, with each signed zone's key as its anchor, must call every answer of the zone validated."""
    jobs = []
    for zone in ("nsec.test", "nsec3.test", "optout.test"):
        keys = [line.split(None, 4) for line in zones[zone].splitlines() if re.search(r"\sDNSKEY\s+257\s", line)]
        flags, protocol, algorithm, key = keys[0][4].split(None, 3)
        anchor = test.folder / f"anchor-{zone}"
        anchor.write_text(f'trust-anchors {{ "{zone}." static-key {flags} {protocol} {algorithm} '
                          f'"{key.split(";")[0].replace(" ", "")}"; }};\n')
        for name in draw.sample([n for n in names_of(zones[zone], zone) if "cut" not in n and "child" not in n], 25):
            if "CNAME" in zones[zone] and re.search(rf"^{re.escape(name)}\s.*\s(CNAME|DNAME)\s", zones[zone], re.M):
                continue
            jobs += [(zone, anchor, name, "A"), (zone, anchor, name, "NAPTR"), (zone, anchor, "nothing." + name, "TXT")]

    def run(job):
        zone, anchor, name, rdtype = job
        done = subprocess.run(["delv", f"@{server.address}", "-p", str(server.port), "-a", anchor, f"+root={zone}",
                               "+nocrypto", name, rdtype], capture_output=True, text=True, timeout=30, check=False)
        return job, done.stdout + done.stderr

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for job, out in pool.map(run, jobs):
            good = "; fully validated" in out or "; negative response, fully validated" in out
            assert good or "; negative response, unsigned answer" in out and job[0] == "optout.test", f"{job}: {out}"
