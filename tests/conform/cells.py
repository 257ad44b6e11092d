"""Which cells the conformance tables make: computed, never typed."""
import collections

from rows import VERSIONS, flows_of, needs_of, options, words

# What a policy's pins are as TLSA records: their certificate usages.
USAGES = {'leaf': '1', 'leaf2': '1', 'ca': '0', 'any': '01', 'none': '3'}
# Options that mean nothing else to a judge without policies.
ORACLE_OPTIONS = {'tls', 'partial', 'nameport', 'sni', 'ciphers', 'needs'}
# Flows of one handshake; in all others a session or a connection comes back.
FIRST = ('full', 'mtls')
# refused: the capability that the row needs and the adapter lacks, or None.
Cell = collections.namedtuple('Cell', 'adapter row flow tls pin refused')


def caps_of(table, adapter):
    """What an adapter can, as a set."""
    return set(words(table.adapters[adapter]['caps']))


def is_oracle(table, adapter):
    """Does it judge by keys alone?"""
    return 'oracle' in caps_of(table, adapter)


def for_oracle(row, flow, lacks):
    """Can pins alone, without a policy, say what this row says?"""
    return (flow == 'full' and lacks is None and
            set(options(row)) <= ORACLE_OPTIONS and
            all(row[pin].split(':')[0] in USAGES for pin in ('right', 'wrong')))


def versions_of(row, flow, caps):
    """The TLS versions that a row's flow runs in."""
    return [tls for tls in VERSIONS
            if 'tls' + tls.replace('.', '') in caps and
            not (flow.endswith('early') and tls == '1.2') and
            options(row).get('tls', tls) == tls]


def cells_of_row(table, adapter, row):
    """Every cell that an adapter has of a row; none on axes that it lacks."""
    caps = caps_of(table, adapter)
    lacks = next((cap for cap in needs_of(row) if cap not in caps), None)
    if any(table.caps[cap]['kind'] == 'axis' and cap not in caps
           for cap in needs_of(row)):
        return
    for flow in flows_of(row):
        if not set(words(table.flows[flow]['axis'])) <= caps or \
                'oracle' in caps and not for_oracle(row, flow, lacks):
            continue
        for tls in versions_of(row, flow, caps):
            for pin in ('right', 'wrong'):
                yield Cell(adapter, row['id'], flow, tls, pin, lacks)


def cells_of(table, adapter, names=()):
    """Every cell of an adapter, or of some of its rows."""
    for row in table.rows.values():
        if not names or row['id'] in names:
            yield from cells_of_row(table, adapter, row)
