#!/usr/bin/env python3
"""A server of one manner on loopback, for the tests of the live commands.

usage: server.py MANNER [--cert CHAIN.pem --key KEY.pem] [--family 6]

The first line that it prints is its port.  Manners: silent, drip, garbage,
closing, alert; smtp (STARTTLS), smtp-refusing, smtp-injecting,
smtp-injecting-late; connect, connect-refusing, connect-auth (an HTTP proxy,
user u:p), socks5, socks5-auth.  Proxies connect to the address asked for.
sink: answers nothing, and says what comes, a line for each reading.
again-no, again-broken, again-closing: the first connection goes to --far, all
others get a handshake_failure, an internal_error, or nothing.
each: TLS on 64 addresses, on the n-th with what stands in CERT.n.
one-at-a-time: a way to --far, and none for whoever comes meanwhile.
alert-after: TLS, and a fatal alert behind --after messages (alerts.py).
"""
import argparse
import base64
import socket
import ssl
import threading
import time

import alerts

AGAIN = {"again-no": 40, "again-broken": 80}
ALERT = b"\x15\x03\x03\x00\x02\x02\x28"


def line(conn):
    text = b""
    while not text.endswith(b"\n"):
        byte = conn.recv(1)
        if not byte:
            break
        text += byte
    return text


def exactly(conn, count):
    data = b""
    while len(data) < count:
        more = conn.recv(count - len(data))
        if not more:
            raise OSError("closed")
        data += more
    return data


def relay(a, b):
    def one(source, sink):
        try:
            while True:
                data = source.recv(4096)
                if not data:
                    break
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
    other = threading.Thread(target=one, args=(b, a), daemon=True)
    other.start()
    one(a, b)
    other.join()


def tls(conn, options):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(options.cert, options.key)
    with ctx.wrap_socket(conn, server_side=True) as inner:
        print("application bytes: %d" % len(inner.recv(100)), flush=True)


def smtp(conn, options):
    conn.sendall(b"220 mail.test ESMTP\r\n")
    line(conn)
    if options.manner == "smtp-refusing":
        conn.sendall(b"250-mail.test\r\n250 SIZE 1000\r\n")
        line(conn)
        conn.sendall(b"454 \x1b[2Jno TLS today\r\n")
        return
    conn.sendall(b"250-mail.test\r\n250 STARTTLS\r\n")
    line(conn)
    if options.manner == "smtp-injecting":
        conn.sendall(b"220 go ahead\r\n250 injected\r\n")
    else:
        conn.sendall(b"220 go ahead\r\n")
    tls(conn, options)


def dial(host, port):
    """Also where no /etc/hosts says who localhost is."""
    address = "127.0.0.1" if host == "localhost" else host
    return socket.create_connection((address, port))


def connect(conn, options):
    request = line(conn).split()
    known = None
    while True:
        header = line(conn).strip()
        if not header:
            break
        name, _, value = header.partition(b":")
        if name.lower() == b"proxy-authorization":
            known = base64.b64decode(value.split()[1])
    if options.manner == "connect-refusing":
        conn.sendall(b"HTTP/1.1 403 Not today\r\nContent-Length: 0\r\n\r\n")
        return
    if options.manner == "connect-auth" and known != b"u:p":
        conn.sendall(b"HTTP/1.1 407 Who are you\r\n\r\n")
        return
    host, _, port = request[1].decode().rpartition(":")
    print("asked for %s" % request[1].decode(), flush=True)
    far = dial(host.strip("[]"), int(port))
    conn.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
    relay(conn, far)


def socks5(conn, options):
    _, count = exactly(conn, 2)
    methods = exactly(conn, count)
    if options.manner == "socks5-auth":
        if 2 not in methods:
            conn.sendall(b"\x05\xff")
            return
        conn.sendall(b"\x05\x02")
        _, n = exactly(conn, 2)
        user = exactly(conn, n)
        password = exactly(conn, exactly(conn, 1)[0])
        good = (user, password) == (b"u", b"p")
        conn.sendall(b"\x01\x00" if good else b"\x01\x01")
        if not good:
            return
    else:
        conn.sendall(b"\x05\x00")
    _, _, _, kind = exactly(conn, 4)
    if kind == 3:
        host = exactly(conn, exactly(conn, 1)[0]).decode()
    else:
        host = socket.inet_ntop(
            socket.AF_INET if kind == 1 else socket.AF_INET6,
            exactly(conn, 4 if kind == 1 else 16))
    port = int.from_bytes(exactly(conn, 2), "big")
    print("asked for %s:%d" % (host, port), flush=True)
    far = dial(host, port)
    conn.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
    relay(conn, far)


def again(conn, options):
    options.count += 1
    if options.count == 1:
        relay(conn, dial("127.0.0.1", options.far))
        return
    conn.recv(10000)
    print("asked a second time", flush=True)
    if options.manner in AGAIN:
        conn.sendall(ALERT[:-1] + bytes([AGAIN[options.manner]]))
        conn.recv(10000)
        print("it has left", flush=True)


def one_at_a_time(conn, options):
    if options.lock.acquire(blocking=False):
        relay(conn, dial("127.0.0.1", options.far))
        options.lock.release()


def serve(conn, options):
    manner = options.manner
    if manner == "alert-after":
        alerts.serve(conn, options)
    elif manner == "one-at-a-time":
        one_at_a_time(conn, options)
    elif manner.startswith("again"):
        again(conn, options)
    elif manner == "silent":
        print("somebody came", flush=True)
        time.sleep(60)
    elif manner == "sink":
        for data in iter(lambda: conn.recv(65536), b""):
            print(data, flush=True)
    elif manner == "drip":
        conn.sendall(b"\x16\x03\x03\x40\x00")
        while True:
            time.sleep(0.05)
            conn.sendall(b"\x00")
    elif manner == "garbage":
        conn.sendall(b"\x1b[2JHTTP/1.0 400 What?\r\n\r\n")
    elif manner == "alert":
        conn.recv(10)
        conn.sendall(ALERT)
        conn.recv(10000)
    elif manner.startswith("smtp"):
        smtp(conn, options)
    elif manner.startswith("connect"):
        connect(conn, options)
    elif manner.startswith("socks5"):
        socks5(conn, options)


def safely(conn, options):
    try:
        with conn:
            serve(conn, options)
    except OSError:
        pass


def show_each(first, options):
    for n in range(1, 65):
        listener = first
        if n > 1:
            listener = socket.socket()
            listener.bind(("127.0.0.%d" % n, first.getsockname()[1]))
            listener.listen(8)
        threading.Thread(target=accept_with, args=(listener, n, options),
                         daemon=True).start()


def accept_with(listener, n, options):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain("%s.%d" % (options.cert, n))
    while True:
        conn, _ = listener.accept()
        try:
            ctx.wrap_socket(conn, server_side=True).recv(1)
        except OSError:
            pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("manner")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--far", type=int)
    parser.add_argument("--after", type=int)
    parser.add_argument("--tls", default="1.3")
    parser.add_argument("--family", type=int, default=4)
    options = parser.parse_args()
    options.count = 0
    options.lock = threading.Lock()
    listener = socket.socket(
        socket.AF_INET if options.family == 4 else socket.AF_INET6)
    listener.bind(("127.0.0.1" if options.family == 4 else "::1", 0))
    listener.listen(64)
    if options.manner == "each":
        show_each(listener, options)
    print(listener.getsockname()[1], flush=True)
    while options.manner == "each":
        time.sleep(1)
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=safely, args=(conn, options),
                         daemon=True).start()


main()
