# SPDX-License-Identifier: BSD-3-Clause
"""Differences between authoritative servers that the RFCs allow, each with its section.

What a peer does in its own way is named with the peer; anything else has to be the same.
"""
import re

NS, CNAME, DNAME, RRSIG = 2, 5, 39, 46
HASHED = re.compile(r"[0-9a-v]{31,32}", re.I)
SIGNED = ("nsec.test.", "nsec3.test.", "optout.test.")

# What one peer makes of a rare case: who, of which names (of signed_zone.py), of which types, why.
QUIRKS = (
    ("bind", r"^\*\.odd\.", ".", "RFC 4592 2.2.2: BIND proves an empty asterisk label with a record of elsewhere"),
    ("bind", r"\.dlong\.", ".", "RFC 1035 4.1.4: BIND compresses no CNAME against a long target of a DNAME, so less fits"),
    ("knot", r"\.dlong\.", ".", "RFC 2181 9: Knot leaves out the SOA that does not fit without TC"),
    ("nsd", r"\.dlong\.", ".", "RFC 2181 9: NSD truncates after it chose the RCODE, we before"),
    ("nsd", r"\.(cw\d?|odd|wild|dw)\.|^\*\.", ".", "RFC 4592 4.6, 5155 7.2.5: NSD proves more, or another name, at asterisks"),
    ("knot", r"\.dw\.", ".", "RFC 4035 3.1.3.3: Knot proves a wildcard behind a DNAME in its own way"),
)


def explained(question, ours, other, kind):
    """ "" where both say the same, the reason where they may differ, None where nothing explains it."""
    if ours.content() == other.content():
        return ""
    same = (ours.rcode, ours.aa) == (other.rcode, other.aa)
    if re.search("loop|endless|cself", question.name) and ours.rcode == 0 and other.rcode in (0, 2) and (
            ours.tc or other.tc or subset(ours.answer, other.answer)):
        return "RFC 1034 3.6.2, 6672 3.4: a loop ends after as many steps as the server likes; BIND says SERVFAIL"
    if question.rdtype == "DS" and question.name == "grand.cut1.plain.test." and ours.aa and not ours.answer:
        return "RFC 4035 3.1.4.1: DS at the apex of a zone whose parent is not served has no data; peers refer to a cut above"
    if question.rdtype in ("ANY", "RRSIG") and same and (ours.answer or ours.tc) and (
            other.answer or other.tc):
        return "RFC 8482 4.1: of ANY and RRSIG a subset of what there is, chosen by the server"
    if kind == "nsd" and question.name.endswith(SIGNED[1:]) and any(map(HASHED.match, question.name.split("."))):
        return "RFC 5155 7.2.8: NSD takes the owners of NSEC3 for names of the zone"
    for peer, names, types, reason in QUIRKS:
        if kind == peer and re.search(names, question.name) and re.search(types, question.rdtype):
            return reason
    if ours.tc and other.tc:
        return "" if same else None
    if same and not ours.aa and ours.tc and kind != "knot":
        return "RFC 9471 3.1: all glue below the cut or TC; BIND 9.18 and NSD 4.6 send what fits"
    if same and not ours.aa and other.tc and kind == "knot":
        return "RFC 9471 2.2: Knot sets TC also where addresses do not fit that are not below the cut"
    if kind != "bind" and question.rdtype == "ANY" and any(r[1] == DNAME for r in ours.answer):
        return "RFC 1034 3.6.2, 6672 3.2: the CNAME of a DNAME answers ANY; Knot and NSD go on to its target"
    if kind == "bind" and question.rdtype == "NSEC" and not ours.aa and other.aa:
        return "RFC 4035 3.1.4.1: BIND answers the parent's NSEC at a cut, where others refer"
    if kind == "nsd" and question.rdtype in ("NSEC", "NSEC3", "RRSIG") and any(
            r[1] == CNAME for r in ours.answer + other.answer):
        return "RFC 4035 2.5: NSD looks for NSEC and RRSIG behind a CNAME, for NSEC3 beside it"
    if other.tc and same and other.size <= ours.size:
        return "RFC 2181 9: the peer leaves out more than it must, sets TC and sends less"
    if not same or ours.tc or other.tc or ours.answer != other.answer:
        return None
    if ours.authority != other.authority:
        return authority(question, ours, other, kind)
    if ours.additional != other.additional:
        return additional(ours, other, kind)
    return ""


def subset(one, two):
    return set(one) <= set(two) or set(two) <= set(one)


def without(records, *types):
    """The records less those of the types, signatures of them included."""
    return [r for r in records if r[1] not in types and not (r[1] == RRSIG and int.from_bytes(r[4][:2], "big") in types)]


def authority(question, ours, other, kind):
    if ours.answer and ours.aa and without(ours.authority, NS) == without(other.authority, NS):
        return "RFC 1034 6.2.1: the NS RRset beside a positive answer is optional"
    if kind == "bind" and question.rdtype == "SOA" and [r[:3] + r[4:] for r in ours.authority] == [
            r[:3] + r[4:] for r in other.authority]:
        return "RFC 2308 3: BIND gives the SOA of a negative answer for type SOA the TTL 0 (zero-no-soa-ttl)"
    if kind == "knot" and question.rdtype == "NSEC" and ours.answer and not other.authority:
        return "RFC 4035 3.1.3.3: Knot proves no wildcard where the answer is the same NSEC"
    if kind == "nsd" and ours.rcode == 3 and ours.answer and set(other.authority) < set(ours.authority):
        return "RFC 4035 3.1.3.2: NSD proves one of two names behind a DNAME only"
    return None


def additional(ours, other, kind):
    if ours.aa:
        return "RFC 1034 3.7: additional data of an answer is optional"
    if below_cut(ours) == below_cut(other):
        return "RFC 9471 2.2, 1034 4.2.1: addresses that are not below the cut are optional"
    if kind != "knot" and set(below_cut(other)) < set(below_cut(ours)):
        return "RFC 9471 3.1: all glue below the cut or TC; BIND 9.18 and NSD 4.6 send what fits"
    return None


def below_cut(response):
    cuts = [r[0] for r in response.authority if r[1] == NS]
    return [r for r in response.additional if any(r[0] == c or r[0].endswith(b"." + c) for c in cuts)]
