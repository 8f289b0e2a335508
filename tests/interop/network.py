# SPDX-License-Identifier: BSD-3-Clause
"""Network namespaces for scenarios and benchmarks: a client and a server with a wire between them."""
import os
import re
import subprocess

CLIENT, SERVER = ("198.51.100.1", "2001:db8::1"), ("198.51.100.2", "2001:db8::2")


def run(*words, check=True):
    return subprocess.run(words, check=check, timeout=30, capture_output=True, text=True).stdout


class Wire:
    """Two namespaces and the wire between them."""

    def __init__(self, queues=1):
        self.client, self.server = f"lsc-{os.getpid()}", f"lss-{os.getpid()}"
        for name in (self.client, self.server):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        each = ("numrxqueues", str(queues), "numtxqueues", str(queues))
        run("ip", "-n", self.client, "link", "add", "c0", *each, "type", "veth", "peer", "name", "s0", *each,
            "netns", self.server)
        for name, link, addresses in ((self.client, "c0", CLIENT), (self.server, "s0", SERVER)):
            for address, bits in zip(addresses, (24, 64)):
                run("ip", "-n", name, "address", "add", f"{address}/{bits}", "dev", link,
                    *(["nodad"] if ":" in address else []))
            run("ip", "-n", name, "link", "set", link, "up")

    def end(self):
        for name in (self.client, self.server):
            run("ip", "netns", "del", name, check=False)

    def dig(self, *words):
        return run("ip", "netns", "exec", self.client, "dig", "+time=2", "+tries=2", *words, check=False)

    def bad_checksums(self):
        """UDP datagrams that the client's kernel threw away because of theirs."""
        lines = [line.split() for line in run("ip", "netns", "exec", self.client, "cat", "/proc/net/snmp").splitlines()]
        names, numbers = [line for line in lines if line[0] == "Udp:"]
        return int(numbers[names.index("InCsumErrors")])

    def datagrams(self):
        """That the kernel's stack of the server took in: (IPv4, IPv6)."""
        text = run("ip", "netns", "exec", self.server, "cat", "/proc/net/snmp", "/proc/net/snmp6")
        v4 = [line.split() for line in text.splitlines() if line.startswith("Udp:")]
        return (int(v4[1][v4[0].index("InDatagrams")]), int(re.search(r"Udp6InDatagrams\s+(\d+)", text).group(1)))
