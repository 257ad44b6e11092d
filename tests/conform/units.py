"""Unit tests and golden cases that show what no connection can."""
import os
import re

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
# Which test goes through the golden cases.
CASES = {'tests/data/policy': (
    'tests/cli/policy_cases.bats',
    'each mistake gets its sentence, its line and its column')}


def text_of(path):
    """A file of the tree; empty when there is none."""
    try:
        with open(os.path.join(ROOT, path), encoding='utf-8') as f:
            return f.read()
    except OSError:
        return ''


def registered_in_c(path, name):
    """Is it one of cmocka's, in a program that is built and run?"""
    folder, file = os.path.split(path)
    program = re.fullmatch(r'test_(\w+)\.c', file)
    return (program is not None and
            f"'{program.group(1)}'" in text_of(folder + '/meson.build') and
            re.search(r'cmocka_unit_test\w*\(\s*' + re.escape(name) + r'\b',
                      text_of(path)) is not None)


def where(test):
    """The program and the name of the test that must have run."""
    path, _, name = test.partition(':')
    if name:
        return path, name
    return CASES.get(os.path.dirname(path), ('', ''))


def is_registered(test):
    """Is `FILE:NAME`, or the folder of a golden case, run by make check?"""
    path, name = where(test)
    if not test.partition(':')[2]:
        folder = os.path.join(ROOT, test.partition(':')[0])
        if not all(os.path.exists(os.path.join(folder, f))
                   for f in ('policy.yaml', 'expected')):
            return False
    if path.endswith('.bats'):
        return f'\n@test "{name}" {{\n' in text_of(path)
    return registered_in_c(path, name)


def has_run(test, taps):
    """Is there an `ok` of it in the folder where make check keeps TAP?"""
    path, name = where(test)
    folder, file = os.path.split(path)
    program = re.sub(r'^test_|\.(c|bats)$', '', file)
    log = os.path.join(taps, f'{os.path.basename(folder)} {program}')
    if not os.path.exists(log):
        return False
    with open(log, encoding='utf-8') as f:
        return re.search(r'^ok \d+ (- )?' + re.escape(name) + r'$', f.read(),
                         re.M) is not None
