"""Stands between a client and a server: passes bytes on, injects plaintext
behind the server's go-ahead, or goes on through a SOCKS5 proxy; and writes
down which TLS records the client sent."""

import base64
import selectors
import socket
import threading

# What a client asks with, and what somebody on the way would say behind the
# server's answer.  MySQL's server speaks first and gives no answer at all.
INJECTED = {
    "smtp": (b"STARTTLS", b"250 injected\r\n"),
    "lmtp": (b"STARTTLS", b"250 injected\r\n"),
    "imap": (b"STARTTLS", b"* CAPABILITY IMAP4rev1 INJECTED\r\n"),
    "nntp": (b"STARTTLS", b"281 injected\r\n"),
    "sieve": (b"STARTTLS", b'"INJECTED" "yes"\r\nOK\r\n'),
    "pop3": (b"STLS", b"+OK injected\r\n"),
    "ftp": (b"AUTH TLS", b"230 injected\r\n"),
    "ldap": (b"1.3.6.1.4.1.1466.20037",
             bytes.fromhex("300c02010261070a010004000400")),
    "postgres": (b"\x04\xd2\x16\x2f", b"R\0\0\0\x08\0\0\0\0"),
    "mysql": (b"", b"\x07\0\0\x02\0\0\0\x02\0\0\0"),
    "xmpp": (b"<starttls", b"<message><body>injected</body></message>"),
    "xmpp-server": (b"<starttls", b"<message><body>injected</body></message>"),
}


def through_socks5(proxy, host, port, user=None, password=None):
    """A connection to HOST:PORT that a SOCKS5 proxy made (RFC 1928, 1929)."""
    s = socket.create_connection(proxy, 5)
    s.sendall(b"\x05\x01\x02" if user else b"\x05\x01\x00")
    method = s.recv(2)
    if user and method == b"\x05\x02":
        s.sendall(b"\x01" + bytes([len(user)]) + user.encode() +
                  bytes([len(password)]) + password.encode())
        if s.recv(2) != b"\x01\x00":
            raise OSError("SOCKS5: wrong password")
    elif method != b"\x05\x00":
        raise OSError(f"SOCKS5: no common method: {method!r}")
    name = host.encode()
    s.sendall(b"\x05\x01\x00\x03" + bytes([len(name)]) + name +
              port.to_bytes(2, "big"))
    reply = s.recv(4)
    if reply[:2] != b"\x05\x00":
        raise OSError(f"SOCKS5: refused: {reply!r}")
    s.recv({1: 4, 4: 16}[reply[3]] + 2)
    s.settimeout(None)
    return s


def through_connect(proxy, host, port, user=None, password=None):
    """A connection to HOST:PORT that an HTTP proxy made (RFC 9110, 9.3.6)."""
    s = socket.create_connection(proxy, 5)
    s.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n"
              .encode())
    if user:
        word = base64.b64encode(f"{user}:{password}".encode())
        s.sendall(b"Proxy-Authorization: Basic " + word + b"\r\n")
    s.sendall(b"\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = s.recv(1)
        if not byte:
            raise OSError("CONNECT: the proxy said no more")
        head += byte
    if head.split()[1] != b"200":
        raise OSError(f"CONNECT: refused: {head!r}")
    s.settimeout(None)
    return s


class Middle:
    """Listens, and makes a thread for each connection."""

    def __init__(self, listen, onward, inject=None, late=False):
        self.onward, self.late = onward, late
        self.asked, self.injected = INJECTED[inject] if inject else (None, b"")
        self.threads = []
        self.sent = []
        self.listener = socket.create_server(listen, backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._pass, args=(client,),
                                      daemon=True)
            thread.start()
            self.threads.append(thread)

    def _pass(self, client):
        try:
            server = self.onward()
        except OSError:
            client.close()
            return
        sent = b""
        armed = self.asked is not None
        watch = selectors.DefaultSelector()
        watch.register(client, selectors.EVENT_READ, server)
        watch.register(server, selectors.EVENT_READ, client)
        try:
            while True:
                for key, _ in watch.select():
                    data = key.fileobj.recv(65536)
                    if not data:
                        return
                    if key.fileobj is client:
                        sent += data
                    elif armed and self._is_time(sent):
                        armed = False
                        data = self.injected + data if self.late \
                            else data + self.injected
                    key.data.sendall(data)
        except OSError:
            pass
        finally:
            self.sent.append(list(records(sent)))
            client.close()
            server.close()

    def _is_time(self, sent):
        """Behind the go-ahead, or when it is late, before the ServerHello."""
        if self.late:
            return b"\x16\x03\x01" in sent
        return self.asked in sent

    def records(self):
        """The TLS records of each connection, when all have ended."""
        for thread in self.threads:
            thread.join(5)
        return self.sent

    def close(self):
        """Wakes accept(), which a mere close() does not."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def records(sent):
    """(type, length) of each TLS record; the ClientHello is the first."""
    at = sent.find(b"\x16\x03\x01")
    while at >= 0 and at + 5 <= len(sent):
        length = int.from_bytes(sent[at + 3:at + 5], "big")
        yield sent[at], length
        at += 5 + length


def application(sent):
    """The records among SENT that may hold bytes of an application.

    In TLS 1.3 all encrypted records look alike but for their length: an empty
    Certificate has 25 bytes, an alert 19, and the one Finished 53 or 69, with
    a Certificate before it in the same record 61 or 77.
    """
    finished = False
    for kind, length in sent:
        if kind != 23 or length in (19, 25):
            continue
        if length in (53, 61, 69, 77) and not finished:
            finished = True
            continue
        yield kind, length
