# SPDX-License-Identifier: BSD-3-Clause
"""Zones with something of everything, drawn at random, and their signed forms."""
import random
import subprocess

LABELS = ["a", "b", "c", "mail", "www", "x1", "long-label-with-dashes", "_tcp", "zz", "0", "m"]


def zone_text(name, seed, children=()):
    """A zone file: hosts, wildcards, empty non-terminals, cuts of each kind, CNAME and DNAME webs."""
    draw = random.Random(seed)
    out = [f"$ORIGIN {name}.\n$TTL 300\n@ SOA ns1 admin 1 3600 900 1209600 60\n@ NS ns1\n@ NS ns.outside.example.\n"
           "ns1 A 192.0.2.1\nns1 AAAA 2001:db8::1\n@ MX 10 mail\n@ MX 20 mail.outside.example.\n@ A 192.0.2.2\n"
           "@ TXT \"apex\"\n@ CAA 0 issue \"ca.example\"\n@ HTTPS 1 . alpn=h2\nmail A 192.0.2.3\n"]
    for i in range(60):
        host = ".".join(draw.choice(LABELS) for _ in range(draw.randint(1, 3))) + f".h{i}"
        for rdata in draw.sample(["A 192.0.2.7", "AAAA 2001:db8::7", "TXT \"host\"", "MX 5 mail", "SRV 1 2 53 ns1",
                                  "SVCB 1 mail port=53", "LOC 52 22 23.000 N 4 53 32.000 E -2.00m", "TYPE65400 \\# 2 0102",
                                  "PTR ns1", "NAPTR 1 1 \"u\" \"x\" \"\" mail"], draw.randint(1, 4)):
            out.append(f"{host} {rdata}\n")
    out += ["*.wild A 192.0.2.8\n*.wild TXT \"wild\"\n*.wild MX 3 mail\nsub.wild A 192.0.2.9\ndeep.ent.wild TXT \"x\"\n",
            "*.cw CNAME www.h0\n*.cw2 CNAME gone\n*.cw3 CNAME x.wild\n*.*.odd A 192.0.2.10\nx.*.odd TXT \"y\"\n",
            "host.*.mid A 192.0.2.11\n*.out CNAME host.outside.example.\n",
            "c1 CNAME c2\nc2 CNAME c3\nc3 CNAME ns1\ncx CNAME host.outside.example.\nloop1 CNAME loop2\nloop2 CNAME loop1\n"
            "cgone CNAME gone.c3\ncwild CNAME anything.wild\nccut CNAME host.cut1\ncself CNAME cself\ncd CNAME www.dn\n"
            "cent CNAME ent.wild\n",
            "dn DNAME h1\ndn TXT \"beside\"\ndout DNAME outside.example.\nloopd DNAME x.loopd\ndd DNAME dn\ndw DNAME wild\n"
            "dcut DNAME cut1\ndlong DNAME " + ".".join(["l" * 60] * 3) + "\nendless DNAME endless2\nendless2 DNAME endless\n"]
    for i in range(1, 9):
        cut = f"cut{i}" if i % 3 else f"cut{i}.below.deep"
        out.append(f"{cut} NS ns.{cut}\nns.{cut} A 198.51.100.{i}\n{cut} NS ns1\n" if i % 2 else
                   f"{cut} NS ns.provider.example.\n{cut} NS ns.cut1\n")
        if i % 4 in (1, 2):
            out.append(f"{cut} DS {i} 13 2 {'%064x' % draw.getrandbits(256)}\n")
        if i == 5:
            out.append(f"hidden.{cut} TXT \"occluded\"\n*.{cut} A 192.0.2.99\nns.{cut} AAAA 2001:db8::99\n")
    out += ["*.wloop CNAME x.wloop\n*.wd CNAME host.dn\ndcs DNAME sub.cut1\nalias SVCB 0 alias2\nalias2 SVCB 1 mail port=53\n",
            "".join(f"cutfull NS n{i}.cutfull\nn{i}.cutfull A 198.51.100.{i}\nn{i}.cutfull AAAA 2001:db8:{i}::1\n" for i in range(13)),
            "".join(f"cutside NS n{i}.cutside\ncutside NS n{i}.cutfull\nn{i}.cutside A 203.0.113.{i}\n" for i in range(9))]
    for child in children:
        out.append(f"{child} NS ns1.{child}\nns1.{child} A 192.0.2.1\nns1.{child} AAAA 2001:db8::1\n")
    out.append("".join(f"big A 203.0.113.{i}\n" for i in range(90)))
    out.append("".join(f"bigtxt TXT \"{'t' * 200} {i}\"\n" for i in range(12)))
    out.append("MiXed.CaSe A 192.0.2.12\nMiXed.CaSe MX 1 MAIL.MiXed\nMAIL.MiXed A 192.0.2.13\n")
    return "".join(out)


def names_of(text, origin):
    """The owners of a zone file as this module or a signer writes it, few of those of NSEC3."""
    names = set()
    for line in text.splitlines():
        if line and not line[0].isspace() and line[0] not in ";$@":
            owner = line.split()[0].lower()
            names.add(owner if owner.endswith(".") else f"{owner}.{origin}.")
    names.add(origin + "." if origin != "." else ".")
    hashed = sorted(n for n in names if len(n.split(".")[0]) == 32)
    return sorted(names - set(hashed[3:]))


def sign(folder, name, text, nsec3=None):
    """The zone signed by BIND's tool; `nsec3` gives its options, for example ["-3", "abcd", "-A"]."""
    keys = folder / f"keys-{name}"
    keys.mkdir()
    plain = keys / "plain.zone"
    plain.write_text(text)
    for flags in ([], ["-f", "KSK"]):
        subprocess.run(["dnssec-keygen", "-q", "-K", keys, "-a", "ECDSAP256SHA256", *flags, name], check=True,
                       stdout=subprocess.DEVNULL, timeout=60)
    done = subprocess.run(["dnssec-signzone", "-S", "-d", keys, "-K", keys, "-o", name, "-O", "full", "-f", keys / "signed.zone",
                           *(nsec3 or []), plain], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return (keys / "signed.zone").read_text()
