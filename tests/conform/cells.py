"""Which cells the conformance tables make: computed, never typed."""
import collections

import tables

# What a policy's pins are as TLSA records: their certificate usages.
USAGES = {'leaf': '1', 'leaf2': '1', 'ca': '0', 'any': '01', 'none': '3'}
# Options that mean nothing else to a judge without policies.
ORACLE_OPTIONS = {'tls', 'partial', 'nameport', 'sni', 'ciphers', 'needs'}
# Flows of one handshake; in all others a session or a connection comes back.
FIRST = ('full', 'mtls')
Cell = collections.namedtuple('Cell', 'adapter row flow tls pin')


def caps_of(table, adapter):
    """What an adapter can, as a set."""
    return set(table.adapters[adapter]['caps'].split(','))


def for_oracle(row, caps):
    """Can pins alone, without a policy, say what this row says?"""
    options = tables.options(row)
    needs = set(options.get('needs', '').split(',')) - {''}
    return (set(options) <= ORACLE_OPTIONS and needs <= caps and
            all(row[pin].split(':')[0] in USAGES for pin in ('right', 'wrong')))


def versions_of(row, flow, caps):
    """The TLS versions that a row's flow runs in."""
    return [tls for tls in ('1.2', '1.3')
            if 'tls' + tls.replace('.', '') in caps and
            not (flow.endswith('early') and tls == '1.2') and
            tables.options(row).get('tls', tls) == tls]


def cells_of(table, adapter, names=()):
    """Every cell of an adapter, or of some of its rows."""
    caps = caps_of(table, adapter)
    for row in table.rows.values():
        if names and row['id'] not in names:
            continue
        if 'oracle' in caps and not for_oracle(row, caps):
            continue
        for flow in tables.flows_of(row):
            if 'oracle' in caps and flow != 'full':
                continue
            for tls in versions_of(row, flow, caps):
                for pin in ('right', 'wrong'):
                    yield Cell(adapter, row['id'], flow, tls, pin)
