"""The rules for adapters: what each can, what it refuses, and why."""
import re

import cells
from rows import TableError, needs_of, words

KINDS = ('axis', 'row', 'judge', 'way')
# Refused cells of an adapter: at most one in so many.
FEW = 20


def check_caps(table):
    """Every capability is known, has a kind, and makes a difference."""
    lines = [(a['at'], words(a['caps'])) for a in table.adapters.values()]
    lines += [(f['at'], words(f['axis'])) for f in table.flows.values()]
    lines += [(r['at'], needs_of(r)) for r in table.rows.values()]
    lines += [(r['at'], [r['cap']]) for r in table.refusals]
    for at, used in lines:
        for cap in used:
            if cap not in table.caps:
                raise TableError(f'{at}: no such capability: {cap}')
    for cap in table.caps.values():
        if cap['kind'] not in KINDS:
            raise TableError(f'{cap["at"]}: {cap["kind"]} is no kind of '
                             'capability')
        if not any(cap['cap'] in words(a['caps'])
                   for a in table.adapters.values()):
            raise TableError(f'{cap["at"]}: no adapter can {cap["cap"]}')
    of_flows = {'tls12', 'tls13'}.union(*(words(f['axis'])
                                          for f in table.flows.values()))
    for row in table.rows.values():
        for cap in needs_of(row):
            if table.caps[cap]['kind'] == 'judge' or cap in of_flows:
                raise TableError(f'{row["at"]}: {cap} is no need of a row')


def check_lacking(table):
    """A row needs nothing that all who could run it have."""
    for cap in (c for c in table.caps.values() if c['kind'] == 'row'):
        rows = [r for r in table.rows.values() if cap['cap'] in needs_of(r)]
        if not rows:
            raise TableError(f'{cap["at"]}: no row needs {cap["cap"]}')
        for row in rows:
            bare = {**row, 'options': ' '.join(
                o for o in row['options'].split(' ')
                if not o.startswith('needs='))or '-'}
            if not any(cap['cap'] not in cells.caps_of(table, a) and
                       any(cells.cells_of_row(table, a, bare))
                       for a in table.adapters):
                raise TableError(f'{row["at"]}: every adapter that could run '
                                 f'it can {cap["cap"]}')


def check_axes(table):
    """An axis on which an adapter has no cells has a cause."""
    axes = [c['cap'] for c in table.caps.values() if c['kind'] == 'axis']
    for adapter in table.adapters.values():
        named = words(adapter['without'].partition(':')[0].replace(' ', ''))
        lacking = [a for a in axes if a not in words(adapter['caps'])]
        if sorted(named) != sorted(lacking):
            raise TableError(
                f'{adapter["at"]}: no cells for {", ".join(lacking) or "-"}, '
                f'but a cause for {", ".join(named) or "-"}')
        if named and len(adapter['without'].partition(':')[2].split()) < 4:
            raise TableError(f'{adapter["at"]}: no cause')


def check_refusals(table, errors, reasons):
    """Each refused cell has one refusal, and each refusal has a cell."""
    for refusal in table.refusals:
        at = refusal['at']
        if refusal['adapter'] not in table.adapters:
            raise TableError(f'{at}: no such adapter: {refusal["adapter"]}')
        if refusal['attach'] not in errors | {'ok'}:
            raise TableError(f'{at}: no such error: {refusal["attach"]}')
        for reason in refusal['reason'].split('/'):
            if reason not in reasons:
                raise TableError(f'{at}: no such reason: {reason}')
        if len(refusal['why'].split()) < 4:
            raise TableError(f'{at}: no cause')
    known = {(r['adapter'], r['cap']): r for r in table.refusals}
    if len(known) < len(table.refusals):
        raise TableError('refusals.tsv: one capability of one adapter twice')
    for name in table.adapters:
        made = list(cells.cells_of(table, name))
        seen = {c.refused for c in made} - {None}
        for cap in sorted(seen):
            if (name, cap) not in known:
                raise TableError(f'{name} cannot {cap}: what does it do '
                                 'instead, and why?')
        for cap in sorted(c for a, c in known if a == name and
                          c not in seen):
            raise TableError(f'{known[name, cap]["at"]}: {name} refuses '
                             'nothing for this')
        refused = sum(c.refused is not None for c in made)
        if refused * FEW > len(made):
            raise TableError(f'{name} refuses {refused} of {len(made)} cells, '
                             f'more than one in {FEW}')


def of(table, adapter, cap):
    """What an adapter does where it lacks a capability."""
    return next(r for r in table.refusals
                if (r['adapter'], r['cap']) == (adapter, cap))


def check(table, header):
    """All of them; header is the text of include/pinfast.h."""
    errors = frozenset(re.findall(r'X\((E[A-Z]+), -\d+,', header))
    reasons = frozenset(re.findall(r'X\([A-Z_]+, \d+, "([a-z-]+)",', header))
    check_caps(table)
    check_lacking(table)
    check_axes(table)
    check_refusals(table, errors, reasons)
