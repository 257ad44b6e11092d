/* LDAP's StartTLS: one request, one answer, in BER (RFC 4511). */
#include "base/bytes.h"
#include "wire/protocol.h"

#define SEQUENCE 0x30
#define INTEGER 0x02
#define OCTETS 0x04
#define ENUMERATED 0x0a
#define EXTENDED_RESPONSE 0x78

/* Message 1: an extended request with the name 1.3.6.1.4.1.1466.20037. */
static const uint8_t request[] = {SEQUENCE, 29, INTEGER, 1, 1, 0x77, 24, 0x80,
    22, '1', '.', '3', '.', '6', '.', '1', '.', '4', '.', '1', '.', '1', '4',
    '6', '6', '.', '2', '0', '0', '3', '7'};

static const struct pf_turn turns[] = {
    {"the server's answer to StartTLS", NULL, NULL, 0, 0, 0},
};

struct ber {
	const uint8_t *at;
	const uint8_t *end;
};

/*
 * The length behind a tag; the octets it takes, 0 when it is indefinite or
 * absurd.  BER may spend more octets than needed, and some servers always do.
 */
static size_t
ber_length(const uint8_t *at, size_t room, size_t *len)
{
	size_t octets = at[0] & 0x7fU;

	*len = at[0];
	if (at[0] < 0x80)
		return 1;
	if (octets == 0 || octets > 4 || octets >= room)
		return 0;
	*len = 0;
	for (size_t i = 1; i <= octets; i++) {
		*len = *len << 8 | at[i];
		if (*len > PF_MAX_DIALOGUE_LINE)
			return 0;
	}
	return 1 + octets;
}

/* Takes the next element, which must have this tag; its content. */
static int
ber_take(struct ber *from, uint8_t tag, struct ber *out)
{
	size_t room = (size_t)(from->end - from->at), len, took;

	if (room < 2 || from->at[0] != tag)
		return 0;
	took = ber_length(from->at + 1, room - 1, &len);
	if (took == 0 || len > room - 1 - took)
		return 0;
	out->at = from->at + 1 + took;
	out->end = out->at + len;
	from->at = out->end;
	return 1;
}

/* A number of up to four octets, not negative. */
static int
ber_number(struct ber *from, uint8_t tag, uint32_t *out)
{
	struct ber content;

	if (!ber_take(from, tag, &content) || content.at == content.end ||
	    content.end - content.at > 4 || *content.at >= 0x80)
		return 0;
	for (*out = 0; content.at < content.end; content.at++)
		*out = *out << 8 | *content.at;
	return 1;
}

static int
whole(struct pf_dialogue *d, uint8_t byte)
{
	size_t have = d->in_len, octets, len = 0;

	if (d->in[0] != SEQUENCE) {
		pf_wire_break(d, "the server does not speak LDAP");
		return 0;
	}
	if (have < 2 || (have == 2 && byte > 0x80 && byte <= 0x84))
		return 0;
	octets = d->in[1] > 0x80 ? d->in[1] & 0x7fU : 0;
	if (have < 2 + octets)
		return 0;
	octets = ber_length(d->in + 1, have - 1, &len);
	if (octets == 0 || 1 + octets + len > sizeof d->in) {
		pf_wire_break(d,
		    "the server does not speak LDAP, or its message is longer "
		    "than " PF_WIRE_LINE);
		return 0;
	}
	return have == 1 + octets + len;
}

/* RFC 4511 section 4.14.2 and appendix A: those that servers give. */
static const char *
refusal(uint32_t result)
{
	static const struct {
		uint32_t result;
		const char *why;
	} rows[] = {
	    {1, "the server refused StartTLS (operationsError)"},
	    {2, "the server refused StartTLS (protocolError)"},
	    {8, "the server refused StartTLS (strongerAuthRequired)"},
	    {10, "the server refers StartTLS to another one (referral)"},
	    {51, "the server refused StartTLS (busy)"},
	    {52, "the server refused StartTLS (unavailable)"},
	    {53, "the server refused StartTLS (unwillingToPerform)"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].result == result)
			return rows[i].why;
	return "the server refused StartTLS";
}

static void
take(struct pf_dialogue *d)
{
	struct ber message = {d->in + 1, d->in + d->in_len}, answer, text;
	uint32_t id, result;
	size_t len;

	message.at += ber_length(d->in + 1, (size_t)d->in_len - 1, &len);
	if (!ber_number(&message, INTEGER, &id) || id > 1 ||
	    !ber_take(&message, EXTENDED_RESPONSE, &answer) ||
	    !ber_number(&answer, ENUMERATED, &result) ||
	    !ber_take(&answer, OCTETS, &text) ||
	    !ber_take(&answer, OCTETS, &text)) {
		pf_wire_break(d, "the server's answer to StartTLS is no LDAP");
		return;
	}
	pf_wire_hear(d, text.at, (size_t)(text.end - text.at));
	if (id == 0) /* a notice that nobody asked for: section 4.4 */
		pf_wire_refuse(d, "the server disconnects");
	else if (result != 0)
		pf_wire_refuse(d, refusal(result));
	else
		pf_wire_next(d);
}

const struct pf_protocol pf_ldap = {.whole = whole,
    .take = take,
    .turns = turns,
    .hello = {request, sizeof request}};
