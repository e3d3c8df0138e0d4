"""Counts what a client says: a TCP proxy between it and the server that understands where messages begin.

A *turnaround* is the client speaking after the server has spoken: a round trip that it waited for. The log-in and the
goodbye are not counted.
"""

import collections
import socket
import threading

UNTYPED = {80877103: "SSLRequest", 80877104: "GSSENCRequest", 80877102: "CancelRequest"}


class Counting:
    def __init__(self, server_port):
        self.server_port = server_port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.messages, self.turnarounds, self.sessions = collections.Counter(), 0, 0
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.server_port))
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(self, client, server)
            for work in (session.from_client, session.from_server):
                threading.Thread(target=work, daemon=True).start()


class Session:
    def __init__(self, counting, client, server):
        self.counting, self.client, self.server = counting, client, server
        self.ready, self.server_spoke = False, False
        self.rest = b""

    def from_client(self):
        self.pump(self.client, self.server, self.client_said)

    def from_server(self):
        self.pump(self.server, self.client, self.server_said)

    def pump(self, source, sink, said):
        try:
            while data := source.recv(1 << 16):
                said(data)
                sink.sendall(data)
        except OSError:
            pass
        # Either end may go first; whoever is left learns it from this.
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def server_said(self, data):
        with self.counting.lock:
            # The log-in ends with the first ReadyForQuery: Z, length 5, idle.
            if not self.ready and data.endswith(b"Z\0\0\0\x05I"):
                self.ready = True
                self.counting.sessions += 1
            self.server_spoke = True

    def client_said(self, data):
        with self.counting.lock:
            if not self.ready:
                return
            self.rest += data
            kinds = []
            while len(self.rest) >= 5:
                length = int.from_bytes(self.rest[1:5], "big") + 1
                if len(self.rest) < length:
                    break
                kinds.append(chr(self.rest[0]))
                self.rest = self.rest[length:]
            self.counting.messages.update(kinds)
            if self.server_spoke and kinds != ["X"]:
                self.counting.turnarounds += 1
            self.server_spoke = False
