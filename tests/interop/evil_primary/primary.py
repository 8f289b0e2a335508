# SPDX-License-Identifier: BSD-3-Clause
"""A primary that answers as it is told: a server on one address, and messages made octet by octet.

Nothing here checks anything: what cannot be said in DNS is said all the same.
"""
import select
import socket
import struct
import threading
import time

import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.renderer
import dns.tsig

IN, CH = 1, 3
A, NS, SOA, TXT, AXFR, IXFR = 1, 2, 6, 16, 252, 251


def name(text):
    return dns.name.from_text(text).to_wire()


def rr(owner, rdtype, rdata, rdclass=IN, ttl=300, size=None):
    """One record; owner and rdata are octets, `size` lies about the length."""
    return owner + struct.pack("!HHIH", rdtype, rdclass, ttl, len(rdata) if size is None else size) + rdata


def soa(zone, serial, owner=None, refresh=3600):
    rdata = name("ns1." + zone) + name("admin." + zone) + struct.pack("!IIIII", serial, refresh, 1, 1209600, 300)
    return rr(name(owner or zone), SOA, rdata)


def body(zone, count=2):
    """What a sound zone has besides its SOA."""
    yield rr(name(zone), NS, name("ns1." + zone))
    yield rr(name("ns1." + zone), A, bytes([192, 0, 2, 1]))
    yield rr(name("www." + zone), A, bytes([192, 0, 2, 80]))
    for i in range(count):
        yield rr(name(f"h{i}.{zone}"), A, bytes([198, 51, 100, i & 255]))


class Request:
    """A transfer that was asked for, and the means to answer it in any way."""

    def __init__(self, sock, wire, message):
        self.sock, self.wire, self.message = sock, wire, message
        self.id = message.id
        self.zone = message.question[0].name.to_text()
        self.rdtype = message.question[0].rdtype
        self.question = wire[12:12 + len(message.question[0].name.to_wire()) + 4]
        self.ended = None
        self.tsig_context = None

    def serial(self):
        """Of an IXFR request: what the secondary has."""
        return self.message.authority[0][0].serial if self.rdtype == IXFR else None

    def message_of(self, records, question=True, flags=0x8400, counts=None, ident=None):
        records = list(records)
        if counts is None:
            counts = (1 if question else 0, len(records), 0, 0)
        asked = question if isinstance(question, bytes) else self.question if question else b""
        return (struct.pack("!HHHHHH", self.id if ident is None else ident, flags, *counts)
                + asked + b"".join(records))

    def send(self, records, **how):
        self.send_wire(self.message_of(records, **how))

    def send_wire(self, wire, size=None):
        self.sock.sendall(struct.pack("!H", len(wire) if size is None else size) + wire)

    def honest(self, serial):
        records = [soa(self.zone, serial), *body(self.zone), soa(self.zone, serial)]
        self.send(records)

    def sign(self, wire, keyring_key, keyname, spoil=None, when=None):
        """The message with a TSIG record; `spoil` changes its MAC or whatever else."""
        when = int(time.time()) if when is None else when
        key = dns.tsig.Key(keyname, keyring_key, "hmac-sha256")
        rdata = dns.rdtypes.ANY.TSIG.TSIG(dns.rdataclass.ANY, dns.rdatatype.TSIG, key.algorithm, when, 300, b"",
                                          self.id, 0, b"")
        mac = self.message.mac if self.tsig_context is None else b""
        rdata, self.tsig_context = dns.tsig.sign(wire, key, rdata, when, mac, self.tsig_context, True)
        octets = bytearray(rdata.to_wire())
        if spoil is not None:
            octets[len(dns.name.from_text("hmac-sha256").to_wire()) + 10 + spoil] ^= 1
        arcount = struct.unpack("!H", wire[10:12])[0] + 1
        return wire[:10] + struct.pack("!H", arcount) + wire[12:] + rr(name(keyname), 250, bytes(octets), 255, 0)


class Primary:
    """Listens on one address. `attack(request)` answers transfers, once `evil` is set; None: honestly."""

    def __init__(self, address, port, zone, attack=None, key=None, soa_answer=None):
        self.address, self.port, self.zone = address, port, zone
        self.attack, self.key, self.soa_answer = attack, key, soa_answer
        self.serial, self.evil, self.stopping = 1, False, False
        self.transfers = 0
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for sock in (self.udp, self.tcp):
            sock.bind((address, port))
        self.tcp.listen(50)
        self.threads = [threading.Thread(target=self.serve, daemon=True)]
        self.threads[0].start()

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join(15)
        self.udp.close()
        self.tcp.close()

    def keyring(self):
        return None if self.key is None else {dns.name.from_text(self.key[0]): dns.tsig.Key(self.key[0], self.key[1])}

    def serve(self):
        while not self.stopping:
            ready, _, _ = select.select([self.udp, self.tcp], [], [], 0.1)
            if self.udp in ready:
                wire, peer = self.udp.recvfrom(4096)
                try:
                    self.udp.sendto(self.answer(wire), peer)
                except (OSError, dns.exception.DNSException):
                    pass
            if self.tcp in ready:
                sock, _ = self.tcp.accept()
                thread = threading.Thread(target=self.connection, args=(sock,), daemon=True)
                self.threads.append(thread)
                thread.start()

    def answer(self, wire):
        """To a SOA query, over UDP or TCP."""
        query = dns.message.from_wire(wire, keyring=self.keyring())
        request = Request(None, wire, query)
        if self.evil and self.soa_answer is not None:
            return self.soa_answer(request, self.serial)
        reply = request.message_of([soa(self.zone, self.serial)])
        if query.had_tsig:
            reply = request.sign(reply, self.key[1], self.key[0])
        return reply

    def connection(self, sock):
        data = b""
        with sock:
            sock.settimeout(0.2)
            while not self.stopping:
                try:
                    more = sock.recv(65536)
                except TimeoutError:
                    continue
                except OSError:
                    return
                if not more:
                    return
                data += more
                while len(data) >= 2 and len(data) >= 2 + struct.unpack("!H", data[:2])[0]:
                    size = struct.unpack("!H", data[:2])[0]
                    wire, data = data[2:2 + size], data[2 + size:]
                    try:
                        sock.settimeout(30)
                        if not self.request(sock, wire):
                            return
                        sock.settimeout(0.2)
                    except (OSError, dns.exception.DNSException):
                        return

    def request(self, sock, wire):
        """False: the connection is to be closed."""
        message = dns.message.from_wire(wire, keyring=self.keyring())
        request = Request(sock, wire, message)
        request.primary = self
        if request.rdtype not in (AXFR, IXFR):
            request.send_wire(self.answer(wire))
            return True
        self.transfers += 1
        if self.evil and self.attack is not None:
            return self.attack(request, self.serial) is not False
        if message.had_tsig:
            wire = request.message_of([soa(self.zone, self.serial), *body(self.zone), soa(self.zone, self.serial)])
            request.send_wire(request.sign(wire, self.key[1], self.key[0]))
        else:
            request.honest(self.serial)
        return True

    def notify(self, server):
        """Tells `server` from our own address; its answer is not waited for."""
        message = dns.message.make_query(self.zone, SOA)
        message.set_opcode(4)
        message.flags |= dns.flags.AA
        if self.key is not None:
            message.use_tsig(self.keyring())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((self.address, 0))
            sock.sendto(message.to_wire(), (server.address, server.port))
