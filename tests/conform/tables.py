"""The conformance tables: read, and refused when they break a rule."""
import os
import re

import adapters
import units
from rows import VERSIONS, TableError, flows_of, options

HERE = os.path.dirname(os.path.abspath(__file__))
ROW = ('id', 'scenarios', 'chain', 'peer', 'trust', 'name', 'right', 'wrong',
       'flows', 'want_right', 'want_wrong', 'control', 'options', 'what')
# Scenarios that may wait, and the reasons that wait with them.
LATER = {'CON-12': set(), 'POL-10': set(),
         'POL-13': {'allowed-by-pass'}}
# Options that say what is expected, not what is done.
WANTS = {'attach', 'first', 'needs', 'session'}
# Options that the runner keeps to itself, and those of the second step only.
CHAINS = {'firstchain', 'proxychain'}
OURS = WANTS | CHAINS | {'host', 'tls', 'firstname', 'otherring'}
SECOND = {'clock', 'late', 'recheck', 'rehost'}


def lines(path, fields):
    """Rows of a table as dictionaries; `#` begins a comment line."""
    rows = []
    with open(os.path.join(HERE, path), encoding='utf-8') as f:
        for number, line in enumerate(f, 1):
            if line.startswith('#') or not line.strip():
                continue
            cells = line.rstrip('\n').split('\t')
            if len(cells) != len(fields):
                raise TableError(f'{path}:{number}: {len(cells)} columns, '
                                 f'not {len(fields)}')
            rows.append(dict(zip(fields, cells), at=f'{path}:{number}'))
    return rows


def index(rows, key):
    """The rows by one column, which must be unique."""
    out = {}
    for row in rows:
        if row[key] in out:
            raise TableError(f'{row["at"]}: {row[key]} is there twice')
        out[row[key]] = row
    return out


def done(row):
    """What is done in a row: columns, and each option for itself."""
    out = {c: row[c] for c in ('chain', 'peer', 'trust', 'name', 'right')}
    out['host'] = row['name'].rstrip('.').lower()
    out.update({o: value for o, value in options(row).items()
                if o not in WANTS and o != 'tls'})
    return out


def runs_in(row):
    """Each flow and TLS version that a row runs in."""
    only = options(row).get('tls')
    return {(flow, tls) for flow in flows_of(row) for tls in VERSIONS
            if only in (None, tls)}


def check_control(row, rows):
    """A row that must be refused has one that differs once and is allowed."""
    if not row['want_right'].startswith('deny'):
        return
    if row['control'] not in rows:
        raise TableError(f'{row["at"]}: {row["id"]} is refused also with the '
                         'right pin, and has no control row')
    control = rows[row['control']]
    both = f'{row["at"]}: {row["id"]} and its control row {control["id"]}'
    if not control['want_right'].startswith('allow'):
        raise TableError(f'{row["at"]}: the control row {control["id"]} is '
                         'refused, too')
    ours, theirs = done(row), done(control)
    differ = sorted(c for c in ours.keys() | theirs.keys()
                    if ours.get(c) != theirs.get(c))
    if len(differ) != 1:
        raise TableError(f'{both} differ in {", ".join(differ) or "nothing"}')
    alone = runs_in(row) - runs_in(control)
    if alone:
        raise TableError(f'{both}: only one runs in '
                         f'{", ".join(sorted(" ".join(a) for a in alone))}')


def header():
    """The public header, which names every error and reason."""
    path = os.path.join(HERE, '..', '..', 'include', 'pinfast.h')
    with open(path, encoding='utf-8') as f:
        return f.read()


def reasons():
    """Every reason of the judge, by the name that programs print."""
    return frozenset(re.findall(r'X\([A-Z_]+, \d+, "([a-z-]+)",', header()))


class Tables:
    """All tables, checked."""

    def __init__(self, **files):
        """files: another file in the place of a table's own, by its name."""
        def read(name, fields):
            return lines(files.get(name.partition('.')[0], name), fields)
        self.rows = index(read('rows.tsv', ROW), 'id')
        self.chains = index(read('world/chains.tsv',
                                 ('chain', 'key', 'certs')), 'chain')
        self.scripts = index(read('peer/scripts.tsv',
                                  ('peer', 'steps', 'for')), 'peer')
        self.flows = index(read('flows.tsv',
                                ('flow', 'first', 'second', 'what',
                                 'axis')), 'flow')
        self.adapters = index(read('adapters.tsv',
                                   ('adapter', 'shim', 'caps', 'without')),
                              'adapter')
        self.caps = index(read('caps.tsv', ('cap', 'kind', 'what')), 'cap')
        self.refusals = read('refusals.tsv', ('adapter', 'cap', 'attach',
                                              'reason', 'why'))
        self.scenarios = index(read('scenarios.tsv', ('scenario', 'what')),
                               'scenario')
        self.later = index(read('later.tsv', ('scenario', 'why')), 'scenario')
        self.units = index(read('units.tsv', ('scenario', 'test')), 'scenario')
        self.trust = index(read('world/trust.tsv', ('trust', 'certs')),
                           'trust')
        self.check()

    def check(self):
        """Every name is known, everything is used, every row is controlled."""
        used = {'chain': set(), 'peer': set(), 'policy': set()}
        for row in self.rows.values():
            for column, table in (('chain', self.chains),
                                  ('peer', self.scripts),
                                  ('trust', self.trust)):
                if row[column] not in table:
                    raise TableError(f'{row["at"]}: no such {column}: '
                                     f'{row[column]}')
            for flow in flows_of(row):
                if flow not in self.flows:
                    raise TableError(f'{row["at"]}: no such flow: {flow}')
            for want in (row['want_right'], row['want_wrong']):
                if not re.fullmatch(r'(allow|deny)/([a-z-]+|\*)', want):
                    raise TableError(f'{row["at"]}: {want} is no expectation')
            used['chain'].add(row['chain'])
            used['chain'].update(value for key, value in options(row).items()
                                 if key in CHAINS)
            used['peer'].add(row['peer'])
            for policy in (row['right'], row['wrong']):
                used['policy'].add(policy.split(':')[0])
            check_control(row, self.rows)
        self.check_unused(used)
        self.check_reasons()
        self.check_units()
        self.check_scenarios()
        adapters.check(self, header())

    def check_unused(self, used):
        """What no row names is a mistake of the table."""
        policies = {f[:-5] for f in os.listdir(os.path.join(HERE, 'policy'))}
        for what, known in (('chain', set(self.chains)),
                            ('peer', set(self.scripts)),
                            ('policy', policies)):
            unused = known - used[what]
            if unused:
                raise TableError(f'unused {what}: {", ".join(sorted(unused))}')
            missing = used[what] - known - {'missing'}
            if missing:
                raise TableError(f'no such {what}: '
                                 f'{", ".join(sorted(missing))}')

    def check_reasons(self):
        """Each reason is wanted of a cell, or waits with its scenario."""
        seen = set().union(*(LATER.get(name, ()) for name in self.later))
        for row in self.rows.values():
            wants = [row['want_right'].split('/')[1],
                     row['want_wrong'].split('/')[1],
                     *options(row).get('session', '*').split('/')]
            for want in wants:
                if want not in reasons() | {'*', '-'}:
                    raise TableError(f'{row["at"]}: no such reason: {want}')
            seen.update(wants)
        for refusal in self.refusals:
            seen.update(refusal['reason'].split('/'))
        missing = reasons() - seen
        if missing:
            raise TableError('in no cell: reason '
                             f'{", ".join(sorted(missing))}')

    def check_units(self):
        """What a unit test or a golden case shows must be there and run."""
        for unit in self.units.values():
            if not units.is_registered(unit['test']):
                raise TableError(f'{unit["at"]}: no such test: '
                                 f'{unit["test"]}')

    def check_scenarios(self):
        """Each scenario has rows or a unit test, or waits with a reason."""
        for name, waits in self.later.items():
            if name not in LATER:
                raise TableError(f'{waits["at"]}: {name} may not wait')
        for unit in self.units.values():
            if unit['scenario'] not in self.scenarios:
                raise TableError(f'{unit["at"]}: no such scenario: '
                                 f'{unit["scenario"]}')
        seen = set(self.later) | set(self.units)
        for row in self.rows.values():
            for scenario in row['scenarios'].split(','):
                if scenario not in self.scenarios:
                    raise TableError(f'{row["at"]}: no such scenario: '
                                     f'{scenario}')
                seen.add(scenario)
        missing = set(self.scenarios) - seen
        if missing:
            raise TableError('no row, no unit test: '
                             f'{", ".join(sorted(missing))}')
