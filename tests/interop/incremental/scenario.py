# SPDX-License-Identifier: BSD-3-Clause
"""IXFR out in all its forms, and down a chain of secondaries (I1-I6)."""
import subprocess

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.update

from harness import Zone, simple_zone

NAME = "example.com"


def ixfr_query(serial, **how):
    query = dns.message.make_query(NAME, "IXFR", **how)
    query.flags &= ~dns.flags.RD
    query.authority.append(dns.rrset.from_text(f"{NAME}.", 300, "IN", "SOA", f". . {serial} 0 0 0 0"))
    return query


def records(message):
    """The answer's records in their order; dnspython joins neighbours of one RRset, which these are not."""
    return [(rrset.name.to_text(), dns.rdatatype.to_text(rrset.rdtype), rdata)
            for rrset in message.answer for rdata in rrset]


def serials(message):
    return [rdata.serial for _, rdtype, rdata in records(message) if rdtype == "SOA"]


def ask_ixfr(server, serial, tcp=False, **how):
    """The only message of the answer."""
    send = dns.query.tcp if tcp else dns.query.udp
    return send(ixfr_query(serial, **how), server.address, port=server.port, timeout=10, one_rr_per_rrset=True)


def update(server, *changes):
    message = dns.update.UpdateMessage(NAME)
    for verb, *words in changes:
        getattr(message, verb)(*words)
    response = dns.query.udp(message, server.address, port=server.port, timeout=20)
    assert response.rcode() == 0, response


def updatable(test, **how):
    primary = test.lockstep("primary")
    primary.add(Zone(NAME, simple_zone(NAME, 1, "www A 192.0.2.80"), extra="allow-update { 127.0.0.1; };", **how))
    return primary


def test_differences_over_udp_where_they_fit(test):
    primary = updatable(test)
    primary.start()
    test.wait_serial(primary, NAME, 1)
    update(primary, ("add", "a", 300, "A", "192.0.2.1"))
    answer = ask_ixfr(primary, 1)
    assert not answer.flags & dns.flags.TC and answer.flags & dns.flags.AA, answer
    assert serials(answer) == [2, 1, 2, 2], answer
    assert [str(r[2]) for r in records(answer)][3:4] == ["192.0.2.1"], answer
    assert serials(ask_ixfr(primary, 2)) == [2], "up to date is one SOA"
    assert not ask_ixfr(primary, 2).flags & dns.flags.TC
    # Too much for a datagram: the newest SOA, with TC; all of it over TCP.
    update(primary, *[("add", f"b{i}", 300, "TXT", "x" * 200) for i in range(8)])
    answer = ask_ixfr(primary, 2)
    assert answer.flags & dns.flags.TC and serials(answer) == [3], answer
    assert len(answer.to_wire()) <= 512
    assert len(records(ask_ixfr(primary, 2, tcp=True))) == 4 + 8
    # With room for it: in one datagram, never more than our own limit.
    update(primary, *[("add", f"c{i}", 300, "TXT", "x" * 200) for i in range(3)])
    answer = ask_ixfr(primary, 3, use_edns=0, payload=4096)
    assert not answer.flags & dns.flags.TC and len(records(answer)) == 4 + 3
    answer = ask_ixfr(primary, 2, use_edns=0, payload=4096)
    assert answer.flags & dns.flags.TC and serials(answer) == [4]
    # Who has something that we never had goes to TCP for the whole zone.
    assert ask_ixfr(primary, 0).flags & dns.flags.TC


def test_strangers_get_no_differences_over_udp(test):
    primary = updatable(test)
    primary.start()
    test.wait_serial(primary, NAME, 1)
    update(primary, ("add", "a", 300, "A", "192.0.2.1"))
    answer = dns.query.udp(ixfr_query(1), primary.address, port=primary.port, timeout=10, source=test.next_address())
    assert answer.rcode() == dns.rcode.REFUSED and not answer.answer, answer


def test_many_small_versions_are_condensed(test):
    primary = updatable(test)
    primary.start()
    test.wait_serial(primary, NAME, 1)
    for n in range(40):
        update(primary, ("replace", "www", 300, "A", f"192.0.2.{n}"), ("add", f"n{n % 2}", 300, "A", "192.0.2.99"),
               ("delete", f"n{(n + 1) % 2}"))
    answer = ask_ixfr(primary, 1, tcp=True)
    assert serials(answer) == [41, 1, 41, 41], serials(answer)
    assert sorted(str(r[2]) for r in records(answer) if r[1] == "A") == ["192.0.2.39", "192.0.2.80", "192.0.2.99"], answer
    assert serials(ask_ixfr(primary, 38)) == [41, 38, 41, 41], "over UDP from memory, too"
    # Each step alone is as it was, and so is a row that has nothing in common.
    assert serials(ask_ixfr(primary, 40, tcp=True)) == [41, 40, 41, 41]
    # Whoever follows it holds the same.
    secondary = test.lockstep("secondary")
    secondary.add(Zone(NAME, primaries=[primary]))
    secondary.start()
    test.wait_serial(secondary, NAME, 41)
    secondary.stop()
    for n in range(20):
        update(primary, ("replace", "www", 300, "A", f"192.0.2.{n}"))
    secondary.start()
    test.wait_serial(secondary, NAME, 41)
    subprocess.run([test.build / "lockstep", "refresh", "-s", secondary.home / "lockstepd.ctl", NAME], check=True, timeout=20,
                   stdout=subprocess.DEVNULL)
    test.wait_serial(secondary, NAME, 61)
    test.wait_for("the log", lambda: "form=IXFR from_serial=41" in secondary.log())
    assert test.same(NAME, primary, secondary) == 7


def test_a_chain_of_secondaries_follows_by_ixfr(test):
    """What a secondary shows, its own secondaries can have at once, before its disk has it."""
    servers = [updatable(test)] + [test.lockstep(f"level{n}") for n in (2, 3, 4)]
    for above, below in zip(servers, servers[1:]):
        above.zones[0].secondaries = [below]
        below.add(Zone(NAME, primaries=[above]))
    for server in servers:
        server.start()
    test.wait_serial(servers[-1], NAME, 1)
    for n in range(2, 42):
        update(servers[0], ("replace", "www", 300, "A", f"192.0.2.{n}"))
        if n % 10 == 1:
            for server in servers:
                test.wait_serial(server, NAME, n)
    assert test.same(NAME, *servers) == 6
    for server in servers[1:]:
        test.wait_for("the last transfer in the log", lambda server=server: "(serial 41)" in server.log())
        log = server.log()
        assert log.count("Transfer status: success (form=AXFR)") == 1, f"{server.name} took more than one whole zone"
        assert "form=AXFR-style" not in log, f"{server.name} was sent the whole zone for a difference"
        assert log.count("Transfer status: success (form=IXFR)") >= 4
