"""What must come of a cell: all of it follows from the row and the flow."""
from rows import options as options_of

SEND = 16  # bytes that the application sends at a time


def session_wanted(cell, row):
    """What must be said of the session before it is offered; None: whatever."""
    both = options_of(row).get('session')
    if both is None:
        return None
    right, _, wrong = both.partition('/')
    want = right if cell.pin == 'right' else wrong or right
    return None if want == '-' else want


def refusal_complaints(refusal, pin, shim, peer):
    """What is not as it must be where the adapter cannot express the cell."""
    right, _, wrong = refusal['reason'].partition('/')
    wanted = {'decision': 'deny',
              'reason': wrong if wrong and pin == 'wrong' else right,
              'attach': refusal['attach']}
    out = [f'refused for {refusal["cap"]}: {what} {shim[what]}, not {want}'
           for what, want in wanted.items() if shim[what] != want]
    return out + [f'refused for {refusal["cap"]}: {peer[b]} {b} bytes'
                  for b in ('app', 'early') if peer[b]]


def bytes_wanted(cell, row, allow, options):
    """Application and early bytes that must reach the server."""
    if cell.flow.endswith('reuse'):
        return (2 * SEND if allow else SEND), 0
    if {'rehost', 'late'} & set(options):
        first = options.get('first') == 'allow' and cell.pin == 'right'
        return (2 * SEND if allow else SEND if first else 0), 0
    if not allow:
        return 0, 0
    early = cell.flow.endswith('early') and \
        session_wanted(cell, row) in (None, 'pin-matched')
    return (0, SEND) if early else (SEND, 0)


def resumes(cell, allow, row, caps):
    """Must the session be resumed (1), must it not (0), or either (None)?"""
    if cell.flow == 'resume-plain' and 'verify-again' in caps:
        return None
    if 'cache-12' in caps and cell.tls == '1.3' and \
            options_of(row).get('tickets') == 'no':
        return 0
    if cell.flow in ('full', 'mtls', 'reuse', 'resume-plain'):
        return 0
    if cell.flow == 'resume-reuse':
        return 1
    said = session_wanted(cell, row)
    if not allow and options_of(row).get('tickets') == 'no':
        return None  # OpenSSL asks nobody before it resumes from its cache
    if not allow or (said is not None and said != 'pin-matched'):
        return 0
    if {'firstname', 'clock', 'otherring'} & set(options_of(row)):
        return 0
    if cell.flow == 'mtls-tighten':
        return None  # a server may forget its sessions with each policy
    same = row['right'] == row[cell.pin]
    return 1 if same or not cell.flow.startswith('tighten') else None


def wanted(cell, row, caps):
    """The decision and the reason that must come of a cell."""
    want = row['want_' + cell.pin]
    if 'pkix-first' in caps and want == 'deny/pin-mismatch' and \
            row['want_right'] == 'deny/pkix-failed':
        want = 'deny/*'  # whichever of the two comes first
    return want


def events_wanted(cell, row, allow, caps):
    """One for a connection; behind a proxy that let it through there are two.
    """
    if 'proxy' not in options_of(row):
        return 1
    # Where nobody sees the proxy by itself, the two are refused as one; but
    # a connection that is used again was let in before.
    if not allow and 'proxy-path' not in caps and cell.flow != 'reuse':
        return 1
    # A policy says the origin's keys, a comma, the proxy's.
    of_proxy = [row[pin].partition(',')[2] for pin in ('right', cell.pin)]
    return 2 if of_proxy[0] == of_proxy[1] else 1


def complaints(cell, row, shim, peer, caps):
    """What is not as it must be."""
    want, _, reason = wanted(cell, row, caps).partition('/')
    options = options_of(row)
    allow = want == 'allow'
    # A shim whose application speaks a protocol says how long a request is.
    app, early = (n * shim.get('unit', SEND) // SEND
                  for n in bytes_wanted(cell, row, allow, options))
    out = []

    def must(what, got, wanted):
        if wanted is not None and got != wanted:
            out.append(f'{what} {got}, not {wanted}')
    must('decision', shim['decision'], want)
    silent = reason == '*' or 'oracle' in caps
    must('reason', shim['reason'], None if silent else reason)
    must('attach', shim['attach'], options.get('attach', 'ok'))
    must('events', shim.get('events'), None if 'oracle' in caps else
         events_wanted(cell, row, allow, caps))
    must('session', shim.get('session'), session_wanted(cell, row))
    if 'usercb' in options and cell.flow == 'full' and cell.pin == 'right':
        must("application's callback called", shim['verify_calls'] > 0, True)
    if early:
        # A server may decline early data, and then it comes again.
        must('early bytes offered', shim['early'], early)
        must('bytes', peer['app'] + peer['early'], early)
    else:
        must('application bytes', peer['app'], app)
        must('early bytes', peer['early'], 0)
    must('resumed', peer['resumed'], resumes(cell, allow, row, caps))
    # Who never came was not refused.
    must('the peer was greeted', bool((peer['client_random'] or '').strip('0')),
         None if 'attach' in options else True)
    return out


def first_complaints(cell, row, first):
    """A second connection says something only if the first was let in."""
    options = options_of(row)
    let_in = cell.pin == 'right' or 'firstname' in options or \
        'tighten' in cell.flow or cell.flow == 'resume-reuse'
    if first is None:
        return []
    said, seen = first
    out = []
    if said['decision'] == 'allow':
        wanted = said.get('unit', SEND)
    else:
        wanted = 0
        if let_in:
            out.append(f'the first connection: {said["reason"]}')
    for what, want in (('app', wanted), ('early', 0)):
        if seen[what] != want:
            out.append(f'the first connection: {seen[what]} {what} bytes, '
                       f'not {want}')
    return out


def agreement(results, is_oracle):
    """Cells that several adapters express: how many, and who disagrees."""
    said, alike, other = {}, 0, []
    for r in results:
        if r['refused'] is None:
            said.setdefault((r['row'], r['flow'], r['tls'], r['pin']),
                            []).append(r)
    for key, both in said.items():
        # The oracle says no reasons, and `*` leaves them to the library.
        silent = both[0]['expected'].endswith('/*')
        words = {(r['expected'], r['got']) for r in both if not silent and
                 not is_oracle(r['adapter'])}
        # Where a way of an adapter lets another reason be wanted, reasons are
        # compared among those who want the same.
        if len(words) > len({want for want, _ in words}) or len({r['got'].split('/')[0] for r in both}) > 1:
            other.append(' '.join(key) + ': ' + ', '.join(
                f'{r["adapter"]} {r["got"]}' for r in both))
        elif len(both) > 1:
            alike += 1
    return alike, other
