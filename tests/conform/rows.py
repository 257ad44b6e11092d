"""What a row of the conformance table says, taken apart."""

ALL = ('full', 'resume-mem', 'resume-ser', 'renew-mem', 'tighten-mem',
       'tighten-ser', 'reuse')
VERSIONS = ('1.2', '1.3')


class TableError(Exception):
    """A table breaks a rule; the text says where and which."""


def words(text):
    """The words of a comma-separated cell; `-` is none."""
    return [] if text in ('', '-') else text.split(',')


def options(row):
    """The row's options as a dictionary."""
    if row['options'] == '-':
        return {}
    return dict(o.split('=', 1) for o in row['options'].split(' '))


def needs_of(row):
    """What an adapter must be able to do to express the row, in order."""
    return words(options(row).get('needs', ''))


def flows_of(row):
    """The names of the flows a row runs in."""
    out = []
    for flow in row['flows'].split(','):
        out.extend(ALL if flow == 'all' else [flow])
    return out
