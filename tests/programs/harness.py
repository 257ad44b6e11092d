"""Starts real servers, each in its own folder, and stops what it started."""

import os
import re
import signal
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = {"right": "good.example.test", "wrong": "wrong.example.test",
         "refuse": "plain.example.test", "inject": "inject.example.test",
         "late": "inject.example.test"}
ADDRESS = {"right": "127.0.0.1", "wrong": "127.0.0.2",
           "refuse": "127.0.0.3", "inject": "127.0.0.4"}
OTHER_NAMES = [n + ".example.test" for n in ("acme", "eight", "six")]
ALL_NAMES = sorted(set(NAMES.values())) + OTHER_NAMES
FLEET = "127.0.8.8"
PROXY_ADDRESS = "127.0.0.9"
USER, PASSWORD = "pinner", "secret"


def run(*command, **more):
    """Runs a command that must succeed and returns what it printed."""
    return subprocess.run(command, check=True, capture_output=True,
                          **more).stdout


class Keys:
    """One authority, and two keys for the same names: the good one, which is
    pinned, and one that the same authority was tricked into certifying."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = folder + "/ca.pem"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
            "/CN=Example Root", "-keyout", folder + "/ca.key", "-out", self.ca)
        self.pins = {}
        for name in "good", "bad":
            self._leaf(name, "ec", "ec_paramgen_curve:P-256")
            self._leaf(name + "-rsa", "rsa", "rsa_keygen_bits:2048")

    def _leaf(self, name, kind, option):
        path = self.folder + "/" + name
        run("openssl", "req", "-newkey", kind, "-pkeyopt", option, "-nodes",
            "-subj", "/CN=good.example.test", "-keyout", path + ".key",
            "-out", path + ".csr")
        names = ",".join("DNS:" + n for n in ALL_NAMES)
        with open(path + ".ext", "w", encoding="ascii") as out:
            out.write("subjectAltName=" + names + "\n")
        leaf = run("openssl", "x509", "-req", "-in", path + ".csr", "-days",
                   "20", "-CA", self.ca, "-CAkey", self.folder + "/ca.key",
                   "-CAcreateserial", "-extfile", path + ".ext")
        with open(path + ".pem", "wb") as out:
            out.write(leaf)
        os.chmod(path + ".key", 0o644)
        self.pins[name] = pin_of(leaf)


def pin_of(certificate):
    """The pin of a certificate as openssl alone computes it."""
    public = run("openssl", "x509", "-pubkey", "-noout", input=certificate)
    der = run("openssl", "pkey", "-pubin", "-outform", "DER", input=public)
    digest = run("openssl", "dgst", "-sha256", "-binary", input=der)
    return "sha256/" + run("openssl", "base64", "-A",
                           input=digest).decode().strip()


class Server:
    """A running server.  LOG grows; mark() and since() read a part of it."""

    def __init__(self, name, work, address, ports, key, tls=True):
        self.name, self.address, self.ports = name, address, ports
        self.dir = f"{work}/{name}-{address}"
        os.mkdir(self.dir, 0o755)
        self.log = self.dir + "/log"
        env = dict(os.environ, DIR=self.dir, ADDR=address,
                   CERT=f"{work}/{key}.pem", KEY=f"{work}/{key}.key",
                   OTHER_CERT=f"{work}/bad.pem", OTHER_KEY=f"{work}/bad.key",
                   TLS="yes" if tls else "no", NAMES=" ".join(ALL_NAMES),
                   HOST="good.example.test", LC_ALL="C",
                   PROXY_USER=USER, PROXY_PASSWORD=PASSWORD)
        for i, port in enumerate(ports):
            env["PORT" + str(i + 1) if i else "PORT"] = str(port)
        with open(self.log, "ab") as log:
            os.chmod(self.log, 0o666)
            self.process = subprocess.Popen(
                [f"{HERE}/servers/{name}"], env=env, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True)
        self.mark_at = 0

    def wait(self, seconds=60):
        """Comes back when it listens at every port."""
        end = time.monotonic() + seconds
        for port in self.ports:
            while not listens(self.address, port):
                if self.process.poll() is not None:
                    raise RuntimeError(f"{self.name} ended:\n{self.text()}")
                if time.monotonic() > end:
                    raise RuntimeError(f"{self.name}: nothing at port {port}"
                                       f":\n{self.text()}")
        return self

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def mark(self):
        self.mark_at = os.stat(self.log).st_size

    def since(self, pattern=None, count=1, seconds=30):
        """What was written since mark(); waits for COUNT times PATTERN."""
        end = time.monotonic() + seconds
        while True:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                log.seek(self.mark_at)
                text = log.read()
            if not pattern or len(re.findall(pattern, text)) >= count:
                return text
            if time.monotonic() > end:
                raise RuntimeError(f"{self.name} did not write {pattern!r} "
                                   f"{count} times:\n" + text)
            pause()

    def stop(self):
        """Ends the server and what it started itself."""
        for sign in signal.SIGTERM, signal.SIGKILL:
            try:
                os.killpg(self.process.pid, sign)
                self.process.wait(5)
                return
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                pass


def pause():
    """A look a hundred times a second is often enough."""
    time.sleep(0.01)


def listens(address, port):
    """Does somebody listen there?  Looked up, not tried: a connection that is
    made and closed would be told in the log of a server, some time later."""
    octets = [int(o) for o in address.split(".")]
    wanted = f"{octets[3]:02X}{octets[2]:02X}{octets[1]:02X}{octets[0]:02X}"
    with open("/proc/net/tcp", encoding="ascii") as sockets:
        for words in map(str.split, sockets):
            if words[1] == f"{wanted}:{port:04X}" and words[3] == "0A":
                return True
    pause()
    return False
