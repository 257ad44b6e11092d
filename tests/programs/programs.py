"""Goes through every service, case and way to it; prints TAP.

Usage: programs.py BUILD WORK [SERVICE...], inside the namespace of `run`.
"""

import csv
import re
import socket
import subprocess
import sys

from harness import (ADDRESS, HERE, Keys, NAMES, PASSWORD, PROXY_ADDRESS,
                     Server, USER, pin_of)
from middle import Middle, application, through_connect, through_socks5
from renewal import Renewal

# name, server, its port, "password" or ""
PROXIES = [("tinyproxy", "http", 8888, ""),
           ("tinyproxy with a password", "http", 8889, "password"),
           ("squid", "http", 3128, ""),
           ("danted", "socks5", 1080, ""),
           ("danted with a password", "socks5", 1081, "password")]
PROXY_SERVERS = {"tinyproxy": [8888, 8889], "squid": [3128],
                 "danted": [1080, 1081]}


class Tap:
    """Counts and prints."""

    def __init__(self):
        self.count = self.failed = 0

    def row(self, name, complaint=None):
        self.count += 1
        if complaint:
            self.failed += 1
            print(f"not ok {self.count} - {name}")
            for line in str(complaint).splitlines()[-40:]:
                print("# " + line)
        else:
            print(f"ok {self.count} - {name}")
        sys.stdout.flush()

    def trial(self, name, body, *args):
        try:
            self.row(name, body(*args))
        except (RuntimeError, OSError, subprocess.SubprocessError) as e:
            self.row(name, e)


def services(wanted):
    with open(HERE + "/services.tsv", encoding="ascii") as table:
        rows = csv.DictReader((r for r in table if r[0] != "#"),
                              delimiter="\t", quoting=csv.QUOTE_NONE)
        return [r for r in rows if not wanted or r["service"] in wanted]


def start_all(work, rows, everything):
    """Every server three times: with the good key, another, and none."""
    ports = {}
    for row in everything:
        ports.setdefault(row["server"], []).append(int(row["port"]))
    running = {}
    for name in dict.fromkeys(r["server"] for r in rows):
        for case, key in (("right", "good"), ("wrong", "bad"),
                          ("refuse", "good")):
            if case == "refuse" and name == "nginx":
                continue
            running[name, case] = Server(name, work, ADDRESS[case],
                                         ports[name], key, case != "refuse")
    for name, listen in PROXY_SERVERS.items():
        running[name] = Server(name, work, PROXY_ADDRESS, listen, "good")
    return running


def s_client(row, case, proxy, relay=None, noise=b""):
    """openssl s_client at a service; (status, certificate, what it said).

    NOISE is sent to the server when the handshake is over."""
    host, port = NAMES[case], int(row["port"])
    where = ["-connect", f"{host}:{port}"]
    if proxy:
        # Not -proxy: s_client loses what stands behind the proxy's answer.
        who = (USER, PASSWORD) if proxy[3] else ()
        ask = through_connect if proxy[1] == "http" else through_socks5
        relay = Middle(("127.0.0.1", 0), lambda: ask(
            (PROXY_ADDRESS, proxy[2]), host, port, *who))
    if relay:
        where = ["-connect", f"127.0.0.1:{relay.port}"]
    if row["starttls"] != "none":
        where += ["-starttls", row["starttls"], "-xmpphost", host]
    try:
        done = subprocess.run(
            ["openssl", "s_client", "-servername", host] + where,
            input=noise, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=2 if case == "refuse" else 20, check=False)
    except subprocess.TimeoutExpired:
        return None, None, "s_client waited too long"
    finally:
        if relay:
            relay.close()
    found = re.search(b"-----BEGIN CERT.*?-----END CERTIFICATE-----\n",
                      done.stdout, re.S)
    return done.returncode, found and found.group(0), done.stdout.decode(
        errors="replace")


def quiet(row, server):
    """A complaint when the server's log shows more than a handshake."""
    text = server.since(row["log"])
    if re.search(row["never"], text):
        return f"the server was sent something after the handshake:\n{text}"
    return None


def control(row, case, proxy, running, keys):
    """Without pinfast: shows that the servers are what the table says."""
    server = running[row["server"], case]
    server.mark()
    status, certificate, said = s_client(row, case, proxy)
    if case == "refuse":
        return said if status == 0 or certificate else None
    if status != 0 or not certificate:
        return f"openssl s_client: {status}\n{said}"
    want = keys.pins["good" if case == "right" else "bad"]
    pin = pin_of(certificate)
    both = (want, keys.pins["good-rsa" if case == "right" else "bad-rsa"])
    if pin not in both:
        return f"{pin}, not {want}"
    return quiet(row, server)


def noise(row, running):
    """The log and the records must tell a byte after the handshake."""
    server = running[row["server"], "right"]
    server.mark()
    relay = Middle(("127.0.0.1", 0), lambda: socket.create_connection(
        (ADDRESS["right"], int(row["port"])), 5))
    s_client(row, "right", None, relay, row["noise"].encode().decode(
        "unicode_escape").encode("latin-1"))
    server.since(row["never"])
    relay.done.wait(5)
    if not list(application(relay.records)):
        return f"no record looks like an application's: {relay.records}"
    return None


def main():
    build, work, wanted = sys.argv[1], sys.argv[2], set(sys.argv[3:])
    tap = Tap()
    everything = services(set())
    rows = services(wanted)
    keys = Keys(work)
    running = start_all(work, rows, everything)
    for key, server in running.items():
        name = key if isinstance(key, str) else " ".join(key)
        tap.trial(f"{name}: starts", lambda s: s.wait() and None, server)
    for row in rows:
        for proxy in [None] + PROXIES:
            way = proxy[0] if proxy else "directly"
            tap.trial(f"{row['service']} {way}: openssl s_client sees the key",
                      control, row, "right", proxy, running, keys)
        tap.trial(f"{row['service']}: another key is another pin",
                  control, row, "wrong", None, running, keys)
        tap.trial(f"{row['service']}: a byte after the handshake is noticed",
                  noise, row, running)
        if (row["server"], "refuse") in running:
            tap.trial(f"{row['service']}: no TLS when it has no certificate",
                      control, row, "refuse", None, running, keys)
    if not wanted or "renewal" in wanted:
        renewal = Renewal(build, work, keys)
        for name, body in renewal.rows():
            tap.trial("renewal: " + name, body)
    for server in running.values():
        server.stop()
    print(f"1..{tap.count}")
    return tap.failed > 0


if __name__ == "__main__":
    sys.exit(main())
