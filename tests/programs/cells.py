"""What pinfast says about every service, and what the services saw of it."""

import csv
import json
import os
import re
import socket
import subprocess

from harness import (ADDRESS, ALL_NAMES, HERE, NAMES, PASSWORD, PROXY_ADDRESS,
                     USER)
from middle import Middle, application

# name, scheme, port, whether it wants a password
PROXIES = [("tinyproxy", "http", 8888, False),
           ("tinyproxy with a password", "http", 8889, True),
           ("squid", "http", 3128, False),
           ("danted", "socks5", 1080, False),
           ("danted with a password", "socks5", 1081, True)]
TWO_KEYS = {"nginx", "postfix"}
CASES = ["right", "wrong", "refuse", "inject"]
DROPPED = "in plain text behind its go-ahead"


def table(name):
    """The rows of a table; a line that begins with # is a comment."""
    with open(f"{HERE}/{name}", encoding="ascii") as lines:
        return list(csv.DictReader((r for r in lines if r[0] != "#"),
                                   delimiter="\t", quoting=csv.QUOTE_NONE))


class Pinfast:
    """The program that is tested."""

    def __init__(self, build, work, keys):
        self.program, self.ca = build + "/pinfast", keys.ca
        self.work, self.keys = work, keys
        self.env = dict(os.environ, PINFAST_EXEC_PATH=build, LC_ALL="C")

    def __call__(self, *arguments):
        return subprocess.run(
            (self.program,) + arguments, env=self.env, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
            check=False)

    def policy(self, pins):
        """A policy that wants these leaf keys of every name."""
        path = self.work + "/policy.yaml"
        with open(path, "w", encoding="ascii") as out:
            out.write("pinfast: 1\nhosts:\n")
            for name in ALL_NAMES:
                out.write(f"  - {{name: {name}, leaf: [{', '.join(pins)}]}}\n")
        return path


def passed(proxy, host, port):
    """What the proxy logs when it has made this connection."""
    if proxy[1] == "http":
        return f"CONNECT {host}:{port}"
    who = f"username%{USER}@" if proxy[3] else r": 127"
    return rf"pass\(.*{who}.*\.{port}\b"


def proxy_url(proxy):
    who = f"{USER}:{PASSWORD}@" if proxy[3] else ""
    return f"{proxy[1]}://{who}{PROXY_ADDRESS}:{proxy[2]}"


class Cell:
    """A service, a case of it, a way to it."""

    def __init__(self, pinfast, row, case, proxy, running):
        self.pinfast, self.row, self.case = pinfast, row, case
        self.two = row["server"] in TWO_KEYS
        self.server = running[row["server"],
                              "right" if case in ("inject", "late") else case]
        self.proxy = proxy and running[proxy[0].split()[0]]
        self.passed = proxy and passed(proxy, NAMES[case], row["port"])
        self.target = f"{NAMES[case]}:{row['port']}"
        self.options = ["--ca-file", pinfast.ca]
        if row["starttls"] != "none":
            self.options += ["--starttls", row["starttls"]]
        if proxy:
            self.options += ["--proxy", proxy_url(proxy)]

    def pins(self, name):
        keys = self.pinfast.keys.pins
        return {keys[name], keys[name + "-rsa"]} if self.two else {keys[name]}

    def pin(self):
        """pinfast pin: a complaint, or None."""
        done = self.pinfast("pin", "--plain", self.target, *self.options)
        said = f"status {done.returncode}\n{done.stdout}{done.stderr}"
        if self.case == "refuse":
            if done.returncode != 3 or done.stdout:
                return "not refused: " + said
            if not re.search(self.row["refused"], done.stderr):
                return f"nothing of {self.row['refused']!r}: " + said
            return None
        shown = set(done.stdout.split())
        wanted = self.pins("bad" if self.case == "wrong" else "good")
        if done.returncode != 0 or shown != wanted:
            return f"not {wanted}: " + said
        if (DROPPED in done.stderr) != (self.case == "inject"):
            return "the warning about plain text: " + said
        return None

    def check(self):
        """pinfast check with a policy that wants the good keys."""
        policy = self.pinfast.policy(self.pins("good"))
        done = self.pinfast("check", "--json", policy, self.target,
                            *self.options)
        said = f"status {done.returncode}\n{done.stdout}{done.stderr}"
        status, word = {"right": (0, "ok"), "wrong": (1, "denied"),
                        "refuse": (3, "undecided"),
                        "inject": (0, "ok")}[self.case]
        if done.returncode != status:
            return f"not {status}: " + said
        server = json.loads(done.stdout)["servers"][0]
        if server["status"] != word:
            return f"not {word}: " + said
        made = [c for c in server["connections"] if not c.get("absent")]
        if self.case == "refuse":
            texts = " ".join(c.get("why", "") for c in made)
            pattern = self.row["refused"].replace("starttls: ", "")
            return None if re.search(pattern, texts) else \
                f"nothing of {pattern!r}: " + said
        shown = {c["pin"] for c in made if "pin" in c}
        if shown != self.pins("bad" if self.case == "wrong" else "good"):
            return "not the keys that were shown: " + said
        if any(c.get("dropped", 0) for c in made) != (self.case == "inject"):
            return "the bytes in plain text: " + said
        return None

    def init(self):
        """pinfast init, and what it wrote as a policy for the server."""
        backup = self.pinfast.keys.pins["bad"]
        done = self.pinfast("init", "--backup", backup, self.target,
                            *self.options)
        if done.returncode != 0 or \
                not all(p in done.stdout for p in self.pins("good")):
            return f"status {done.returncode}\n{done.stdout}{done.stderr}"
        path = self.pinfast.work + "/first.yaml"
        with open(path, "w", encoding="utf-8") as out:
            out.write(done.stdout)
        done = self.pinfast("check", path, *self.options)
        if done.returncode != 0 or "1 ok, 0 reported" not in done.stdout:
            return f"the policy is not met: {done.stdout}{done.stderr}"
        return None

    def late(self):
        """Text comes when the handshake has begun: there is no pin."""
        done = self.pinfast("pin", "--plain", self.target, *self.options)
        said = f"status {done.returncode}\n{done.stdout}{done.stderr}"
        if done.returncode != 3 or done.stdout or \
                "handshake: what it answered is not TLS" not in done.stderr:
            return "not refused: " + said
        return None

    def run(self, body):
        """BODY, and then what the server saw."""
        relay = None
        if self.case in ("inject", "late"):
            relay = Middle((ADDRESS["inject"], int(self.row["port"])),
                           self._to_server, self.row["starttls"],
                           self.case == "late")
        self.server.mark()
        if self.proxy:
            self.proxy.mark()
        try:
            complaint = body()
            if not complaint and self.proxy:
                self.proxy.since(self.passed)
            if not complaint and self.case not in ("refuse", "late"):
                complaint = self._quiet(relay)
            return complaint
        finally:
            if relay:
                relay.close()

    def _to_server(self):
        return socket.create_connection(
            (ADDRESS["right"], int(self.row["port"])), 5)

    def _quiet(self, relay):
        """A complaint when the server was sent more than a handshake."""
        text = self.server.since(self.row["log"], 2 if self.two else 1)
        if re.search(self.row["never"], text):
            return "the server was sent something after the handshake:\n" \
                + text
        for sent in relay.records() if relay else []:
            if list(application(sent)):
                return f"bytes of an application were sent: {sent}"
        return None


def fault(pinfast, row):
    """A row of faults.tsv: a complaint, or None."""
    first = [row["command"]]
    if row["command"] == "check":
        first.append(pinfast.policy({pinfast.keys.pins["good"],
                                     pinfast.keys.pins["good-rsa"]}))
    done = pinfast(*first, row["target"], "--ca-file", pinfast.ca,
                   *row["options"].split())
    said = f"status {done.returncode}\n{done.stdout}{done.stderr}"
    if done.returncode != int(row["status"]):
        return f"not {row['status']}: {said}"
    if row["command"] == "pin" and (done.returncode == 0) != \
            ("sha256/" in done.stdout):
        return "pins are printed with status 0 only: " + said
    if row["sentence"] not in said:
        return f"nothing of {row['sentence']!r}: {said}"
    return None


def survey(pinfast, rows, names, wanted):
    """The whole policy at once: WANTED says how many servers are what."""
    good = {pinfast.keys.pins["good"], pinfast.keys.pins["good-rsa"]}
    path = pinfast.work + "/survey.yaml"
    with open(path, "w", encoding="ascii") as out:
        out.write("pinfast: 1\nhosts:\n")
        for name in names:
            out.write(f"  - name: {name}\n    leaf: [{', '.join(good)}]\n"
                      "    probe:\n")
            for row in rows:
                out.write(f"      - {{ host: {name}, port: {row['port']}, "
                          f"starttls: {row['starttls']} }}\n")
    done = pinfast("check", "--json", path, "--ca-file", pinfast.ca)
    said = f"status {done.returncode}\n{done.stdout}{done.stderr}"
    status = 1 if wanted["denied"] else 3 if wanted["undecided"] else 0
    if done.returncode != status:
        return f"not {status}: " + said
    counts = {word: json.loads(done.stdout)[word] for word in wanted}
    return None if counts == wanted else f"{counts}, not {wanted}: {said}"
