# SPDX-License-Identifier: BSD-3-Clause
"""A name server that follows a script: sockets and threads; what it says is its subclass's matter."""
import socket
import threading


class ScriptedServer:
    """UDP and TCP on one free port of 127.0.0.1, from begin() to end()."""

    kind = "scripted"
    patience = 5  # seconds for which a connection may be silent

    def __init__(self, test, name):
        self.name, self.address, self.port = name, "127.0.0.1", test.next_port()
        self.open = True

    def begin(self):
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((self.address, self.port))
        self.tcp = socket.create_server((self.address, self.port))
        for sock in (self.udp, self.tcp):
            sock.settimeout(0.2)
        self.threads = [threading.Thread(target=f, daemon=True) for f in (self.serve_udp, self.serve_tcp)]
        for thread in self.threads:
            thread.start()
        return self

    def end(self):
        self.open = False
        for thread in self.threads:
            thread.join()
        self.udp.close()
        self.tcp.close()

    def datagram(self, data):
        """The answer to a datagram, or None."""
        raise NotImplementedError

    def connection(self, sock):
        """A whole connection; ending it in any way is fine."""
        raise NotImplementedError

    def serve_udp(self):
        while self.open:
            try:
                data, peer = self.udp.recvfrom(65535)
            except socket.timeout:
                continue
            answer = self.datagram(data)
            if answer is not None:
                self.udp.sendto(answer, peer)

    def serve_tcp(self):
        while self.open:
            try:
                sock, _ = self.tcp.accept()
            except socket.timeout:
                continue
            with sock:
                sock.settimeout(self.patience)
                try:
                    self.connection(sock)
                except OSError:
                    pass
