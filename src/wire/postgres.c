/* PostgreSQL: a request of eight bytes, an answer of one. */
#include "base/bytes.h"
#include "wire/protocol.h"

/* Its length, and 1234.5679 as the version. */
static const uint8_t request[] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};

static const struct pf_turn turns[] = {
    {"the server's answer to SSLRequest", NULL, NULL, 0, 0, 0},
};

/* An error has a length of four bytes, which counts itself. */
static int
whole(struct pf_dialogue *d, uint8_t byte)
{
	uint32_t len;

	(void)byte;
	if (d->in[0] != 'E')
		return 1;
	if (d->in_len < 5)
		return 0;
	len = pf_be32(d->in + 1);
	if (len < 4 || len > sizeof d->in - 1) {
		pf_wire_break(d,
		    "the server does not speak PostgreSQL, or its message is "
		    "longer than " PF_WIRE_LINE);
		return 0;
	}
	return d->in_len == 1 + len;
}

/* The error's text: fields of a letter and a string, M is for people. */
static void
hear_error(struct pf_dialogue *d)
{
	const uint8_t *at = d->in + 5, *end = d->in + d->in_len, *stop;

	while (at < end && *at != 0) {
		stop = memchr(at, 0, (size_t)(end - at));
		if (!stop)
			return;
		if (*at == 'M')
			pf_wire_hear(d, at + 1, (size_t)(stop - at) - 1);
		at = stop + 1;
	}
}

static void
take(struct pf_dialogue *d)
{
	switch (d->in[0]) {
	case 'S':
		pf_wire_next(d);
		break;
	case 'N':
		pf_wire_refuse(d, "the server does not offer TLS");
		break;
	case 'E':
		hear_error(d);
		pf_wire_refuse(d, "the server refused SSLRequest");
		break;
	default:
		pf_wire_break(d, "the server does not speak PostgreSQL");
		break;
	}
}

const struct pf_protocol pf_postgres = {.whole = whole,
    .take = take,
    .turns = turns,
    .hello = {request, sizeof request}};
