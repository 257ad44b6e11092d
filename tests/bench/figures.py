#!/usr/bin/env python3
"""Takes the figures that the project promises, each beside its peer in the
same run, and writes them as JSON and as a table.

usage: figures.py BUILD OUT     BUILD holds what tools/bench has built

HOSTS in the environment makes the large policies smaller, for a quick look.
"""
import base64
import hashlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time

HOSTS = int(os.environ.get("HOSTS", "1000000"))
OKHTTP = [n for n in (10, 1000, 100000, 1000000) if n <= HOSTS]
JUDGED = [n for n in (10, 10000, 1000000) if n <= HOSTS]
OKHTTP_LIMIT = {10: 1, 1000: 1 / 50, 100000: 1 / 10000, 1000000: 1 / 100000}
CERTS = ["tests/data/certs/%s.der" % n
         for n in ("leaf", "intermediate", "root", "p256")]
JARS = "/usr/share/java/okhttp.jar:/usr/share/java/okio.jar"
COMPILES = 5
PINS = 101
SCANS = 7
CHECKED = 1000

samples = {}
skipped = {}


def keep(text):
    for line in text.splitlines():
        series, value = line.split()
        samples.setdefault(series, []).append(float(value))


def run(*args):
    return subprocess.run(args, check=True, stdout=subprocess.PIPE,
                          text=True).stdout


def say(what):
    print(what, file=sys.stderr, flush=True)


def write_policy(path):
    def pin(kind, i):
        raw = hashlib.sha256(b"%s%d" % (kind, i)).digest()
        return base64.b64encode(raw).decode()
    with open(path, "w") as f:
        f.write("pinfast: 1\nhosts:\n")
        for i in range(HOSTS):
            f.write("  - { name: h%d.example%d.com, leaf: [sha256/%s, "
                    "sha256/%s] }\n" % (i, i % 9973, pin(b"a", i),
                                        pin(b"b", i)))


def compiling(build, policy, store):
    for _ in range(COMPILES):
        keep(run(build + "/bench", "yaml", policy))
        start = time.perf_counter()
        run(build + "/pinfast-policy", "compile", policy, "-o", store,
            "--quiet")
        samples.setdefault("compile", []).append(time.perf_counter() - start)
    # Of all children so far, and the compiler is the largest by far.
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    samples["compile-memory"] = [used]


def judging(build, work):
    """Instructions, from the dumps that callgrind writes by name."""
    for hosts in JUDGED:
        out = "%s/callgrind.%d" % (work, hosts)
        run("valgrind", "-q", "--tool=callgrind",
            "--callgrind-out-file=" + out, build + "/bench_judge", str(hosts),
            *CERTS)
        for name in os.listdir(work):
            if not name.startswith("callgrind.%d." % hosts):
                continue
            what = None
            for line in open(work + "/" + name):
                if line.startswith("desc: Trigger: Client Request: "):
                    what = line.split(": ")[3].strip().replace(" ", "-")
                elif line.startswith("totals: ") and what:
                    samples["%s-%d" % (what, hosts)] = [
                        float(line.split()[1])]


def okhttp(build, work):
    run("javac", "-nowarn", "-cp", JARS, "-d", work,
        "tests/bench/okhttp3/FindPins.java")
    for hosts in OKHTTP:
        keep(run("java", "-Xms4g", "-Xmx4g", "-XX:+UseSerialGC", "-cp",
                 JARS + ":" + work, "okhttp3.FindPins", str(hosts), "7",
                 "0.4"))
        keep(run(build + "/bench", "find", str(hosts)))


def pinning(build):
    """Whole processes, in turns."""
    def once(*args):
        start = time.perf_counter()
        pid = os.posix_spawn(args[0], args, {}, file_actions=[
            (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
        _, status = os.waitpid(pid, 0)
        assert status == 0, args
        return (time.perf_counter() - start) * 1e3
    samples["pin"], samples["pin-floor"] = [], []
    for _ in range(PINS):
        samples["pin"].append(once(build + "/pinfast", "pin", CERTS[0]))
        samples["pin-floor"].append(once(build + "/static_pin", CERTS[0]))


def make_chain(work):
    """A leaf with its intermediate, and their root."""
    def openssl(*args, **more):
        subprocess.run(("openssl",) + args, check=True, cwd=work,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       **more)
    signer = None
    for name, ext in (("root", "basicConstraints=critical,CA:TRUE"),
                      ("int", "basicConstraints=critical,CA:TRUE"),
                      ("leaf", "subjectAltName=DNS:www.example.test,DNS:*.many.test")):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout",
                "-out", name + ".key")
        openssl("req", "-new", "-key", name + ".key", "-subj", "/CN=" + name,
                "-out", name + ".csr")
        with open(work + "/" + name + ".ext", "w") as f:
            f.write(ext + "\n")
        by = (["-CA", signer + ".pem", "-CAkey", signer + ".key",
               "-set_serial", "7"] if signer else
              ["-signkey", name + ".key"])
        openssl("x509", "-req", "-in", name + ".csr", "-days", "30",
                "-extfile", name + ".ext", "-out", name + ".pem", *by)
        signer = name
    with open(work + "/chain.pem", "w") as f:
        for name in ("leaf", "int"):
            f.write(open(work + "/" + name + ".pem").read())


def on_cpu(cpu, *args):
    """Server and client each have a processor, where there are two."""
    return (("taskset", "-c", str(cpu)) + args if os.cpu_count() > 1
            else args)


def check_many(build, work, port, count):
    """The command that checks this many servers, with a compiled policy."""
    policy, store = work + "/many.yaml", "%s/many%d" % (work, count)
    pin = run(build + "/pinfast", "pin", "--plain", work + "/leaf.pem").strip()
    backup = base64.b64encode(hashlib.sha256(b"backup").digest()).decode()
    with open(policy, "w") as f:
        f.write("pinfast: 1\nhosts:\n")
        for i in range(count):
            f.write("  - { name: h%d.many.test, leaf: [%s, sha256/%s] }\n"
                    % (i, pin, backup))
    run(build + "/pinfast", "compile", "--quiet", policy, "-o", store)
    return (build + "/pinfast", "check", store, "--ca-file",
            work + "/root.pem", "--connect-to", "::127.0.0.1:" + port)


def whole(build, work, command):
    """Processor time in ms and memory in MiB of a whole process."""
    run(*on_cpu(1, build + "/scan", "whole", work + "/whole", *command))
    with open(work + "/whole") as f:
        cpu, peak = f.read().split()
    return float(cpu), float(peak) / 1024


def asking(build, work):
    """Loopback servers: the engine and whole processes, each in turns with a
    plain client of OpenSSL."""
    make_chain(work)
    root = work + "/root.pem"
    server = subprocess.Popen(
        on_cpu(0, build + "/scan", "serve", work + "/chain.pem",
               work + "/leaf.key"), stdout=subprocess.PIPE, text=True)
    try:
        port = server.stdout.readline().strip()
        check = check_many(build, work, port, 1000)
        for _ in range(SCANS):
            for mode in ("plain", "engine", "both"):
                name, _, cpu, _ = run(*on_cpu(
                    1, build + "/scan", mode, port, "1000", root)).split()
                samples.setdefault("scan-" + name, []).append(float(cpu))
            cpu, _ = whole(build, work, check)
            samples.setdefault("check", []).append(cpu / 1000)
        for count in (100, 10000):
            out = run(*on_cpu(1, build + "/scan", "both", port, str(count),
                              root))
            samples["scan-memory-%d" % count] = [float(out.split()[3]) / 1024]
            _, peak = whole(build, work,
                            check_many(build, work, port, count))
            samples["check-memory-%d" % count] = [peak]
        where = "www.example.test:443:127.0.0.1:" + port
        turns(PINS, {
            "pin-host": (build + "/pinfast", "pin", "--ca-file", root,
                         "--connect-to", where, "www.example.test"),
            "pin-host-floor": (build + "/scan", "one", port, root)})
    finally:
        server.kill()
        server.wait()


def turns(times, commands):
    """Processor time of whole processes, in turns."""
    for _ in range(times):
        for series, args in commands.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            run(*on_cpu(1, *args))
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            samples.setdefault(series, []).append(
                1e3 * (after.ru_utime + after.ru_stime - before.ru_utime -
                       before.ru_stime))


def measure(build, work):
    policy, store = work + "/policy.yaml", work + "/store"
    steps = [
        ("the text of %d hosts" % HOSTS, lambda: write_policy(policy)),
        ("compiling", lambda: compiling(build, policy, store)),
        ("look-up", lambda: keep(run(build + "/bench", "lookup", store,
                                     str(HOSTS)))),
        ("look-up among suffix rules", lambda: keep(
            run(build + "/bench", "suffix", str(HOSTS)))),
        ("shared sets", lambda: keep(run(build + "/bench", "sharing",
                                         str(HOSTS)))),
        ("opening", lambda: keep(run(build + "/bench", "open", store))),
        ("SHA-256", lambda: keep(run(build + "/bench", "sha"))),
        ("pinfast pin", lambda: pinning(build)),
        ("asking servers", lambda: asking(build, work)),
        ("OkHttp", lambda: okhttp(build, work)),
        ("judging under callgrind", lambda: judging(build, work)),
    ]
    for what, step in steps:
        say("measuring: " + what)
        try:
            step()
        except (OSError, subprocess.CalledProcessError) as e:
            skipped[what] = str(e)
            say("  failed: %s" % e)


rows = []


def row(what, ours, peer, peer_what, unit, limit):
    """One row: ours and peer are series; limit is of their ratio."""
    a, b = samples.get(ours), samples.get(peer)
    if not a or not b:
        rows.append({"what": what, "reached": False,
                     "reason": "not measured: %s" % (skipped or "no samples")})
        return
    m, p = statistics.median(a), statistics.median(b)
    rows.append({
        "what": what, "unit": unit, "n": len(a), "median": m, "min": min(a),
        "max": max(a), "peer": peer_what, "peer_median": p,
        "peer_min": min(b), "peer_max": max(b), "ratio": m / p,
        "limit": limit, "reached": m / p <= limit})


def plain_row(what, ours, unit, limit, peer=None, peer_what=None):
    """A row whose limit is a value and no ratio."""
    a, b = samples.get(ours), samples.get(peer)
    if not a:
        rows.append({"what": what, "reached": False,
                     "reason": "not measured: %s" % (skipped or "no samples")})
        return
    rows.append({
        "what": what, "unit": unit, "n": len(a),
        "median": statistics.median(a), "min": min(a), "max": max(a),
        "peer": peer_what, "peer_median": statistics.median(b) if b else None,
        "limit_value": limit, "reached": statistics.median(a) <= limit})


def make_rows():
    floor = "plain open-addressing table of the same names"
    row("look-up hit incl. its pins", "hit", "floor-hit", floor + ", hit",
        "ns", 1.2)
    row("look-up miss", "miss", "floor-miss", floor + ", miss", "ns", 1.1)
    row("absent, 10 % suffix rules, 4 labels", "absent-4", "floor-absent-4",
        floor + ", miss", "ns", 2)
    row("absent, 10 % suffix rules, 3 labels", "absent-3", "floor-absent-3",
        floor + ", miss", "ns", 2)
    for n in OKHTTP:
        row("from a host's text to its pins, %d hosts" % n, "find-%d" % n,
            "okhttp-find-%d" % n, "OkHttp findMatchingPins", "ns",
            OKHTTP_LIMIT[n])
    plain_row("bytes a host, 2 own pins", "bytes-a-host", "B", 110,
              "okhttp-heap-%d" % OKHTTP[-1], "OkHttp, bytes of heap")
    plain_row("bytes beside the name, shared sets", "bytes-beside-the-name",
              "B", 16)
    row("opening the store", "open", "openssl-file",
        "hashing the file once with OpenSSL", "ms", 0.2)
    row("compiling from text", "compile", "libyaml",
        "reading the same text with libyaml alone", "s", 2)
    plain_row("compiling from text, memory", "compile-memory", "MiB", 1024)
    for case, what in (("leaf", "leaf hit"), ("root", "root hit"),
                       ("none", "mismatch")):
        row("judging a path of 3, " + what,
            "%s.example.test-%d" % (case, JUDGED[-1]),
            "bare-%s-%d" % (case, JUDGED[-1]),
            "3 walks and the hashes it needs", "instructions", 1.3)
        for n in JUDGED[:-1]:
            row("judging, %s, %d against %d hosts" % (what, JUDGED[-1], n),
                "%s.example.test-%d" % (case, JUDGED[-1]),
                "%s.example.test-%d" % (case, n), "%d hosts" % n,
                "instructions", 1.05)
    row("own SHA-256 at 91 bytes", "sha-91", "openssl-91",
        "OpenSSL low-level", "ns", 1.55)
    row("asking a server, certificate", "scan-engine", "scan-plain",
        "epoll client of OpenSSL that verifies", "ms of CPU", 1 / 0.9)
    row("asking a server, both kinds of keys", "scan-both", "scan-plain",
        "epoll client of OpenSSL that verifies", "ms of CPU", 1 / 0.9)
    row("pinfast check of 1,000 servers, a server", "check", "scan-plain",
        "epoll client of OpenSSL that verifies", "ms of CPU", 1 / 0.9)
    row("pinfast check of 10,000 servers, memory", "check-memory-10000",
        "check-memory-100", "100 servers", "MiB", 1.1)
    row("memory for 10,000 servers", "scan-memory-10000", "scan-memory-100",
        "100 servers", "MiB", 1.1)
    row("pinfast pin HOST, whole process", "pin-host", "pin-host-floor",
        "C client of OpenSSL", "ms of CPU", 1.15)
    row("pinfast pin FILE, whole process", "pin", "pin-floor",
        "static C program", "ms", 1.5)


def number(v):
    if v is None:
        return "-"
    if v >= 1e5:
        return "%.0f" % v
    return "%.4g" % v if v < 1000 else "%.0f" % v


def spread(r):
    return "%s (%s..%s) %s" % (
        number(r["median"]), number(r["min"]), number(r["max"]),
        {"instructions": "instr"}.get(r["unit"], r["unit"]))


def table():
    line = "%-43s %-30s %8s %8s  %-11s %9s  %s"
    out = [line % ("what", "median (min..max)", "ratio", "limit", "",
                   "peer has", "peer")]
    for r in rows:
        if "median" not in r:
            out.append("%-43s %s" % (r["what"], r["reason"]))
            continue
        out.append((line % (
            r["what"], spread(r), number(r.get("ratio")),
            number(r.get("limit", r.get("limit_value"))),
            "reached" if r["reached"] else "NOT REACHED",
            number(r["peer_median"]), r["peer"] or "-")).rstrip())
    return "\n".join(out) + "\n\n"


def machine():
    cpu, flags = "?", ""
    try:
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                cpu = line.split(": ", 1)[1].strip()
            if line.startswith("flags"):
                flags = line
    except OSError:
        pass
    return "%s, %s, %d CPUs, SHA instructions: %s, load %.2f" % (
        platform.machine(), cpu, os.cpu_count(),
        "yes" if " sha_ni" in flags else "no", os.getloadavg()[0])


def main():
    build, out = sys.argv[1:3]
    begun = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    where = machine()
    with tempfile.TemporaryDirectory() as work:
        measure(build, work)
    make_rows()
    missed = sum(not r["reached"] for r in rows)
    head = "%s, %s\n\n" % (begun, where)
    tail = "%d of %d rows reached\n" % (len(rows) - missed, len(rows))
    with open(out + ".json", "w") as f:
        json.dump({"begun": begun, "machine": where, "hosts": HOSTS,
                   "rows": rows}, f, indent=1)
        f.write("\n")
    with open(out + ".txt", "w") as f:
        f.write(head + table() + tail)
    print(head + table() + tail, end="")


main()
