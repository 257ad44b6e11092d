"""examples/renewal/renew-pinned with Debian's certbot and lego, which ask a
real certificate authority: a certificate that the policy refuses goes nowhere.
"""

import os
import ssl
import subprocess
import urllib.request

from harness import HERE, Server, pin_of

NAME = "acme.example.test"
ADDRESS = "127.0.0.5"


class Renewal:
    """An authority, a policy, and the file that a server would read."""

    def __init__(self, build, work, keys):
        self.build, self.dir = build, work + "/renewal"
        os.mkdir(self.dir)
        self.pebble = Server("pebble", work, ADDRESS, [14000, 15000], "good")
        self.out = self.dir + "/served.pem"
        self.policy = self.dir + "/policy.yaml"
        self.keys = keys
        self.env = dict(os.environ, PATH=f"{build}:{os.environ['PATH']}",
                        PINFAST_EXEC_PATH=build, REQUESTS_CA_BUNDLE=keys.ca,
                        LEGO_CA_CERTIFICATES=keys.ca,
                        CHECK_OPTIONS=f"--ca-file {self.dir}/root.pem")

    def start(self):
        self.pebble.wait()
        trust = ssl.create_default_context(cafile=self.keys.ca)
        with urllib.request.urlopen(f"https://{NAME}:15000/roots/0",
                                    context=trust) as answer:
            with open(self.dir + "/root.pem", "wb") as root:
                root.write(answer.read())
        self.pin = self._pinfast("keygen", self.dir + "/next.key")
        self._pinfast("keygen", self.dir + "/stray.key")

    def _pinfast(self, *arguments):
        return subprocess.run(("pinfast",) + arguments, env=self.env,
                              check=True, stdout=subprocess.PIPE, text=True
                              ).stdout.split()[0]

    def _expect(self, client, pins, key, status, issued):
        """Runs the example; a complaint when something else comes of it."""
        with open(self.policy, "w", encoding="ascii") as policy:
            policy.write(f"pinfast: 1\nhosts:\n  - name: {NAME}\n    {pins}\n")
        with open(self.out, "w", encoding="ascii") as out:
            out.write("old\n")
        self.pebble.mark()
        done = subprocess.run(
            [HERE + "/../../examples/renewal/renew-pinned", client,
             self.policy, f"{self.dir}/{key}.key", self.out, NAME, "--"]
            + self._options(client), env=self.env, cwd=self.dir,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False)
        if done.returncode != status:
            return f"exit status {done.returncode}, not {status}\n" \
                + done.stdout
        if ("Issued certificate" in self.pebble.since()) != issued:
            return f"the authority was asked: {not issued}\n" + done.stdout
        with open(self.out, "rb") as out:
            text = out.read()
        if status:
            return None if text == b"old\n" else f"replaced by {text}"
        return None if pin_of(text) == self.pin else f"not our key: {text}"

    def _options(self, client):
        server = ["--server", f"https://{NAME}:14000/dir"]
        if client == "lego":
            return server + ["--email", "pins@example.test", "--http",
                             "--http.port", f"{ADDRESS}:80"]
        return server + [
            "--standalone", "--agree-tos",
            "--register-unsafely-without-email", "--config-dir",
            self.dir + "/etc", "--work-dir", self.dir + "/var",
            "--logs-dir", self.dir + "/log"]

    def pinned(self, client):
        return self._expect(client, f"leaf: [{self.pin}]", "next", 0, True)

    def stray(self, client):
        return self._expect(client, f"leaf: [{self.pin}]", "stray", 1, False)

    def other_issuer(self, client):
        """Its own key is as it should be, but nobody pinned this issuer."""
        return self._expect(
            client, f"require: all-lists\n    leaf: [{self.pin}]\n"
            f"    ca: [{self.keys.pins['bad']}]", "next", 1, True)

    def hook_is_late(self):
        """Why the example is there: left alone, certbot makes a new key, and
        when its hook may say no, the certificate lies where servers look."""
        done = subprocess.run(
            ["certbot", "certonly", "--non-interactive", "-d", NAME,
             "--deploy-hook",
             f"pinfast check {self.policy} --ca-file {self.dir}/root.pem "
             f"--new-cert $RENEWED_LINEAGE/fullchain.pem"]
            + self._options("certbot"),
            env=self.env, cwd=self.dir, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False)
        live = f"{self.dir}/etc/live/{NAME}/fullchain.pem"
        if not os.path.exists(live):
            return "certbot did not put it there\n" + done.stdout
        if "breaks" not in done.stdout:
            return "pinfast did not say that it breaks\n" + done.stdout
        return None

    def rows(self):
        rows = [("the authority starts", self.start)]
        for client in "certbot", "lego":
            rows += [(f"{client}: a pinned key is renewed", self.pinned,
                      client),
                     (f"{client}: a stray key is not even sent", self.stray,
                      client),
                     (f"{client}: an issuer that nobody pinned goes nowhere",
                      self.other_issuer, client)]
        return rows + [("a deploy hook would come too late",
                        self.hook_is_late)]
