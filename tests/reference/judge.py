#!/usr/bin/env python3
"""A second judge, written from the design's text and not from the C.

Reads what `triples SEED COUNT --dump` prints and says where the two differ.
"""
import ipaddress
import json
import re
import sys

ENFORCE, REPORT, OFF, DENY, UNPIN, PASS = 1, 2, 3, 4, 5, 6
EXACT, ONE, ANY = 0, 1, 2
NOW = 1800000000

def canonical(host):
    try:
        address = ipaddress.ip_address(host)
        return str(getattr(address, "ipv4_mapped", None) or address)
    except ValueError:
        pass
    host = host.lower()
    host = host[:-1] if host.endswith(".") else host
    labels = host.split(".")
    fine = all(re.fullmatch(r"[a-z0-9_-]{1,63}", x) for x in labels)
    return host if fine and len(host) <= 253 and not labels[-1].isdigit() else None

def covers(entry, host):
    """How near the entry's host rule is, or None; more is nearer."""
    name, scope = entry["name"], entry["scope"]
    if scope == EXACT:
        return (999, 0) if name == host else None
    if name[0].isdigit() or not host.endswith("." + name):
        return None
    front = host[: -len(name) - 1]
    if scope == ONE and "." in front:
        return None
    return (len(name), 1 if scope == ONE else 0)

def levels(policy, host, port):
    """The covering entries that are candidates, nearest first, one a level."""
    found = {}
    for e in policy["entries"]:
        near = covers(e, host)
        if near is None or (e["port"] not in (0, port)):
            continue
        if near not in found or e["port"] == port:
            found[near] = e
    return [found[near] for near in sorted(found, reverse=True)]

def resolve(chain):
    """The entry with what it joins and what rejects for it."""
    own = dict(chain[0])
    lists = {k: set(own[k]) for k in ("any", "leaf", "ca")}
    reject = set(own["reject"])
    joining = own["union"]
    for parent in chain[1:]:
        reject |= set(parent["reject"])
        if joining:
            for k in lists:
                lists[k] |= set(parent[k])
            joining = parent["union"]
    own.update({k: v for k, v in lists.items()}, reject=reject)
    return own

def mode_now(policy, e):
    mode = e["mode"]
    if e["expires"] and NOW >= e["expires"]:
        mode = e["then"]
    if mode == ENFORCE and policy["lapse"] == REPORT and not e["none"]:
        mode = REPORT
    return mode

def pins_match(e, chain, leaf_only):
    leaf = chain[0] in e["leaf"]
    if leaf_only:
        return leaf
    anywhere = bool(e["any"] & set(chain))
    issuer = bool(e["ca"] & set(chain[1:]))
    if e["all"]:
        wanted = [(e["any"], anywhere), (e["leaf"], leaf), (e["ca"], issuer)]
        return all(ok for pins, ok in wanted if pins)
    return anywhere or leaf or issuer

def judge_entry(policy, e, kind, chain):
    """(allow, reported)"""
    mode, none = mode_now(policy, e), e["none"]
    if kind == "failed" and not none:
        return False, False
    if mode == DENY:
        return False, False
    if (e["reject"] | set(policy["reject"])) & set(chain):
        # What a lapse made of an expiry that enforces is not the entry's own.
        before_lapse = mode_now({"lapse": ENFORCE}, e)
        softened = e["mode"] == REPORT and before_lapse == REPORT
        return softened, softened
    if none:
        if kind == "raw" and not e["ignore"]:
            return False, False
        return pins_match(e, chain, True), False
    if mode in (OFF, UNPIN):
        return True, False
    good = kind == "path" and (
        pins_match(e, chain, False) or not (e["any"] | e["leaf"] | e["ca"]))
    return good or mode == REPORT, not good and mode == REPORT

def judge(policy, host, port, kind, chain):
    host = canonical(host)
    if host is None:
        return False, False
    chain = chain if kind == "path" else chain[:1]
    if port:
        asked = [port]
    else:  # every entry of the chosen host rule, and all must allow
        near = [covers(e, host) for e in policy["entries"]]
        best = max((n for n in near if n), default=None)
        rule = [e for e, n in zip(policy["entries"], near) if n == best and n]
        asked = sorted({e["port"] for e in rule})
        if 0 in asked:  # what covers it may say more for some ports
            asked = sorted({e["port"] for e, n in zip(policy["entries"], near) if n})
    answers = []
    for p in asked:
        found = levels(policy, host, p)
        if found:
            answers.append(judge_entry(policy, resolve(found), kind, chain))
    if not answers:
        if kind == "failed" or set(policy["reject"]) & set(chain):
            return False, False
        return policy["unlisted"] != DENY, policy["unlisted"] == REPORT
    allow = all(a for a, _ in answers)
    return allow, allow and any(r for _, r in answers)

KINDS = {0: "leaf", 1: "leaf", 2: "raw", 3: "failed"}
policy, refused, count, wrong = None, 0, 0, 0
for line in sys.stdin:
    if line.endswith(" refused\n"):
        refused += 1
        continue
    row = json.loads(line)
    if "entries" in row:
        policy = row
        continue
    count += 1
    got = judge(policy, row["host"], row["port"], KINDS.get(row["kind"], "path"), row["chain"])
    if got != (bool(row["allow"]), bool(row["reported"])):
        wrong += 1
        if wrong <= 5:
            print("differs:", json.dumps(policy), line.strip(), "reference:", got)
print(f"{count} triples, {wrong} differ; {refused} policies were refused")
sys.exit(wrong > 0 or count == 0)
