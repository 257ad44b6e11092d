#!/usr/bin/env python3
"""A server for one connection that says what its application received.

Usage: curl_server.py KIND CERT KEY [LOCATION]
KIND: https, imaps, imap, smtp, pop3s, ftps, ftp, proxy.  Prints the port, and
at the end every byte that came behind a TLS handshake, as one line of text; a
STARTTLS protocol also shows, behind `clear:`, what came before, and FTP,
behind `data:`, what its second connection brought.  There LOCATION is whose
certificate that one shows.
"""
import socket
import ssl
import sys


def line(sock):
    """One line, without its end; None: no more."""
    out = b''
    while not out.endswith(b'\n'):
        byte = sock.recv(1)
        if not byte:
            return out or None
        out += byte
    return out


class Server:
    """What one connection received."""

    def __init__(self, kind, cert, key, location):
        self.kind, self.location = kind, location
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.clear, self.secret, self.data = b'', b'', b''

    def tls(self, sock):
        """The handshake."""
        return self.context.wrap_socket(sock, server_side=True)

    def hear(self, sock, secret=True):
        """A line, kept."""
        said = line(sock)
        if said and secret:
            self.secret += said
        elif said:
            self.clear += said
        return said

    def http(self, sock, answer):
        """Requests; the same answer to each."""
        while True:
            said = self.hear(sock)
            if not said:
                return
            if said == b'\r\n':
                sock.sendall(answer)

    def dialogue(self, sock, secret):
        """A protocol of lines: yes to all; stops when TLS is asked for."""
        if not (self.kind == 'smtp' and secret) and not (
                self.kind == 'imap' and secret):
            sock.sendall(b'* OK IMAP4rev1\r\n' if 'imap' in self.kind else
                         b'+OK\r\n' if 'pop' in self.kind else b'220 hi\r\n')
        while True:
            said = self.hear(sock, secret)
            if not said:
                return
            word = said.upper()
            if 'imap' in self.kind:
                tag = said.split(b' ')[0]
                more = b'* CAPABILITY IMAP4rev1 STARTTLS\r\n' \
                    if b'CAPABILITY' in word else b''
                sock.sendall(more + tag + b' OK done\r\n')
            elif 'pop' in self.kind:
                sock.sendall(b'+OK\r\n.\r\n' if b'CAPA' in word else b'+OK\r\n')
            elif word.startswith(b'EHLO'):
                sock.sendall(b'250-x\r\n250-AUTH PLAIN LOGIN\r\n'
                             b'250 STARTTLS\r\n')
            elif word.startswith(b'USER'):
                sock.sendall(b'331 more\r\n')
            else:
                sock.sendall(b'220 go\r\n' if b'STARTTLS' in word else
                             b'235 ok\r\n')
            if b'STARTTLS' in word and b'CAPA' not in word:
                return

    def take_data(self, listener):
        """FTP's second connection (RFC 4217, 7): what it brings is kept."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.location + '-chain.pem',
                                self.location + '.key')
        sock, _ = listener.accept()
        try:
            with context.wrap_socket(sock, server_side=True) as inside:
                while more := inside.recv(4096):
                    self.data += more
        except (OSError, ssl.SSLError):
            pass

    def ftp(self, sock):
        """RFC 959 and 4217, as far as it takes to store a file."""
        answers = {b'AUTH': b'234 go', b'USER': b'331 more',
                   b'PWD': b'257 "/"', b'QUIT': b'221 bye'}
        sock.sendall(b'220 hi\r\n')
        inside, listener = sock, None
        while said := self.hear(inside, inside is not sock):
            word = said.split()[0].upper()
            if word == b'EPSV':
                listener = socket.create_server(('127.0.0.1', 0))
                listener.settimeout(5)
                inside.sendall(b'229 (|||%d|)\r\n' %
                               listener.getsockname()[1])
            elif word == b'STOR':
                inside.sendall(b'150 go\r\n')
                self.take_data(listener)
                inside.sendall(b'226 fine\r\n')
            else:
                inside.sendall(answers.get(word, b'200 fine') + b'\r\n')
            if word == b'AUTH':
                inside = self.tls(sock)

    def serve(self, sock):
        """One connection."""
        if self.kind == 'ftp':
            self.ftp(sock)
            return
        if self.kind in ('imap', 'smtp'):
            self.dialogue(sock, False)
            self.dialogue(self.tls(sock), True)
            return
        inside = self.tls(sock)
        if self.kind == 'proxy':
            self.http(inside, b'HTTP/1.1 502 no\r\nContent-Length: 0\r\n\r\n')
        elif self.kind == 'https':
            head = b'HTTP/1.1 200 OK\r\n'
            if self.location:
                head = b'HTTP/1.1 302 there\r\nLocation: ' + \
                    self.location.encode() + b'\r\n'
            self.http(inside, head + b'Content-Length: 0\r\n\r\n')
        else:
            self.dialogue(inside, True)

    def run(self):
        """Waits for somebody, and says what he said."""
        listener = socket.create_server(('127.0.0.1', 0))
        listener.settimeout(15)
        print(listener.getsockname()[1], flush=True)
        try:
            sock, _ = listener.accept()
            sock.settimeout(8)
            self.serve(sock)
        except (OSError, ssl.SSLError):
            pass
        text = b'clear:' + self.clear + b' secret:' + self.secret
        if self.kind == 'ftp':
            text += b' data:' + self.data
        print(text.decode('latin-1').replace('\r\n', '|'), flush=True)


Server(sys.argv[1], sys.argv[2], sys.argv[3],
       sys.argv[4] if len(sys.argv) > 4 else None).run()
