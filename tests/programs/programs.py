"""Goes through every service, case and way to it; prints TAP.

Usage: programs.py BUILD WORK [SERVICE...], inside the namespace of `run`.
ENOUGH=N in the environment ends it after N failures.
"""

import os
import re
import socket
import subprocess
import sys

from cells import CASES, PROXIES, Cell, Pinfast, fault, survey, table
from harness import (ADDRESS, FLEET, Keys, NAMES, PASSWORD, PROXY_ADDRESS, Server,
                     USER, pin_of)
from middle import Middle, application, through_connect, through_socks5
from renewal import Renewal

PROXY_SERVERS = {"tinyproxy": [8888, 8889], "squid": [3128],
                 "danted": [1080, 1081]}


class Tap:
    """Counts and prints."""

    def __init__(self):
        self.count = self.failed = 0
        self.enough = float(os.environ.get("ENOUGH", "inf"))

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
        if self.failed >= self.enough:
            sys.exit("that is enough")

    def trial(self, name, body, *args):
        try:
            self.row(name, body(*args))
        except (RuntimeError, OSError, subprocess.SubprocessError) as e:
            self.row(name, e)


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
    if "nginx" in [r["server"] for r in rows]:
        running["nginx-fleet"] = Server("nginx-fleet", work, FLEET, [443],
                                        "good")
    for name, listen in PROXY_SERVERS.items():
        running[name] = Server(name, work, PROXY_ADDRESS, listen, "good")
    return running


def s_client(row, case, proxy):
    """openssl s_client at a service; (status, certificate, what it said)."""
    host, port = NAMES[case], int(row["port"])
    where = ["-connect", f"{host}:{port}"]
    relay = None
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
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
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
    words = ["openssl", "s_client", "-quiet", "-connect",
             f"127.0.0.1:{relay.port}"]
    if row["starttls"] != "none":
        words += ["-starttls", row["starttls"], "-xmpphost", NAMES["right"]]
    with subprocess.Popen(words, stdin=subprocess.PIPE,
                          stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as client:
        client.stdin.write(row["noise"].encode().decode("unicode_escape")
                           .encode("latin-1"))
        client.stdin.flush()
        try:
            server.since(row["never"], seconds=0.5)
        except RuntimeError:
            pass  # some write it when the client has gone
        client.kill()
    server.since(row["never"])
    sent = relay.records()
    relay.close()
    if not any(list(application(one)) for one in sent):
        return f"no record looks like an application's: {sent}"
    return None


def prove(tap, row, running, keys):
    """The servers are what the table says, and tell what they are sent."""
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


def ask(tap, pinfast, row, running):
    """pinfast about one service: every case, every way."""
    for case in CASES:
        if row["starttls"] == "none" and case in ("refuse", "inject"):
            continue
        for proxy in [None] + PROXIES:
            cell = Cell(pinfast, row, case, proxy, running)
            name = f"{row['service']} {proxy[0] if proxy else 'directly'}: " \
                + case
            tap.trial("pin " + name, cell.run, cell.pin)
            tap.trial("check " + name, cell.run, cell.check)


def ask_once(tap, pinfast, row, running):
    """What is asked of each service one time."""
    cell = Cell(pinfast, row, "right", None, running)
    tap.trial(f"init {row['service']}", cell.run, cell.init)
    if row["starttls"] != "none":
        cell = Cell(pinfast, row, "late", None, running)
        tap.trial(f"pin {row['service']}: text in the middle of the "
                  "handshake", cell.run, cell.late)


def surveys(tap, pinfast, rows):
    """Every service in one policy: one that is bad spoils no other."""
    count = len(rows)
    for what, cases, numbers in (
            ("good servers", ["right"], (count, 0, 0)),
            ("good and other keys", ["right", "wrong"], (count, count, 0)),
            ("good servers and some without TLS", ["right", "refuse"],
             (count, 0, count)),
            ("everything", ["right", "wrong", "refuse"],
             (count, count, count))):
        tap.trial("check a whole policy: " + what, survey, pinfast, rows,
                  [NAMES[case] for case in cases],
                  dict(zip(("ok", "denied", "undecided"), numbers)))


def main():
    build, work, wanted = sys.argv[1], sys.argv[2], set(sys.argv[3:])
    tap = Tap()
    everything = table("services.tsv")
    rows = [r for r in everything if not wanted or r["service"] in wanted]
    keys = Keys(work)
    pinfast = Pinfast(build, work, keys)
    running = start_all(work, everything if "faults" in wanted else rows,
                        everything)
    for key, server in running.items():
        name = key if isinstance(key, str) else " ".join(key)
        tap.trial(f"{name}: starts", lambda s: s.wait() and None, server)
    for row in rows:
        prove(tap, row, running, keys)
        ask(tap, pinfast, row, running)
        ask_once(tap, pinfast, row, running)
    if not wanted:
        surveys(tap, pinfast, rows)
    if not wanted or "faults" in wanted:
        for row in table("faults.tsv"):
            tap.trial("fault: " + row["case"], fault, pinfast, row)
    if not wanted or "renewal" in wanted:
        renewal = Renewal(build, work, keys)
        for name, *body in renewal.rows():
            tap.trial("renewal: " + name, *body)
    for server in running.values():
        server.stop()
    print(f"1..{tap.count}")
    return tap.failed > 0


if __name__ == "__main__":
    sys.exit(main())
