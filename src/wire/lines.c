#include "base/bytes.h"
#include "wire/protocol.h"

/* RFC 5321 wants a name; this one tells nothing about who asks. */
#define CLIENT "pinfast.invalid"

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

int
pf_wire_is_text(uint8_t byte)
{
	return (byte >= ' ' && byte != 0x7f) || byte == '\t' || byte == '\r' ||
	       byte == '\n';
}

int
pf_wire_word(const char *line, size_t len, const char *word)
{
	size_t i = 0;

	while (i < len && word[i] != '\0' && lower(line[i]) == lower(word[i]))
		i++;
	return word[i] == '\0' && (i == len || line[i] == ' ');
}

int
pf_lines_whole(struct pf_dialogue *d, uint8_t byte)
{
	if (!pf_wire_is_text(byte)) {
		d->said_len = 0;
		pf_wire_break(d,
		    "bytes came that are no text: it may speak TLS from the "
		    "first byte");
		return 0;
	}
	return byte == '\n';
}

void
pf_lines_take(struct pf_dialogue *d)
{
	const struct pf_turn *turn = d->protocol->turns + d->step;
	const char *line = (const char *)d->in;
	size_t len = (size_t)d->in_len - 1;
	enum pf_reply answer;

	if (len > 0 && line[len - 1] == '\r')
		len--;
	pf_wire_hear(d, line, len);
	answer = d->protocol->read(d, line, len);
	if (answer == PF_ANSWER_ODD)
		pf_wire_break(d, d->protocol->foreign);
	else if (answer == PF_ANSWER_NO)
		pf_wire_refuse(d, turn->refused);
	else if (answer == PF_ANSWER_YES && turn->offers && !d->offered)
		pf_wire_refuse(d, "the server does not offer STARTTLS");
	else if (answer == PF_ANSWER_YES)
		pf_wire_next(d);
}

/* The three digits before an answer, 0 when there are none. */
static uint16_t
code_of(const char *line, size_t len)
{
	unsigned code = 0;

	if (len < 3 || (len > 3 && line[3] != ' ' && line[3] != '-'))
		return 0;
	for (size_t i = 0; i < 3; i++) {
		if (line[i] < '0' || line[i] > '9')
			return 0;
		code = code * 10 + (unsigned)(line[i] - '0');
	}
	return (uint16_t)code;
}

/* What the last line of an answer with this code means. */
static enum pf_reply
meaning(const struct pf_dialogue *d, uint16_t code)
{
	const struct pf_turn *turn = d->protocol->turns + d->step;

	if (code == turn->yes || code == turn->yes_too)
		return PF_ANSWER_YES;
	return code >= 400 && code < 600 ? PF_ANSWER_NO : PF_ANSWER_ODD;
}

/* SMTP, LMTP, NNTP: every line of an answer has its code. */
static enum pf_reply
read_coded(struct pf_dialogue *d, const char *line, size_t len)
{
	uint16_t code = code_of(line, len);

	if (code == 0 || (d->number != 0 && code != d->number))
		return PF_ANSWER_ODD;
	if (d->number != 0 && len > 4 &&
	    pf_wire_word(line + 4, len - 4, "STARTTLS"))
		d->offered = 1;
	if (len > 3 && line[3] == '-') {
		d->number = code;
		return PF_ANSWER_MORE;
	}
	d->number = 0;
	return meaning(d, code);
}

/* FTP: between the first and the last line anything may stand. */
static enum pf_reply
read_ftp(struct pf_dialogue *d, const char *line, size_t len)
{
	uint16_t code = code_of(line, len);
	int goes_on = len > 3 && line[3] == '-';

	if (d->number != 0 && (code != d->number || goes_on))
		return PF_ANSWER_MORE;
	if (code == 0)
		return PF_ANSWER_ODD;
	d->number = goes_on ? code : 0;
	if (goes_on || code < 200) /* 120: ready in some minutes */
		return PF_ANSWER_MORE;
	return meaning(d, code);
}

/* Is one of the line's words this one? */
static int
has_word(const char *line, size_t len, const char *word)
{
	for (size_t i = 0; i < len; i++)
		if ((i == 0 || line[i - 1] == ' ') &&
		    pf_wire_word(line + i, len - i, word))
			return 1;
	return 0;
}

/* Behind the tag: OK, NO, BAD. */
static enum pf_reply
imap_status(const char *line, size_t len)
{
	if (pf_wire_word(line, len, "OK"))
		return PF_ANSWER_YES;
	if (pf_wire_word(line, len, "NO") || pf_wire_word(line, len, "BAD") ||
	    pf_wire_word(line, len, "BYE") ||
	    pf_wire_word(line, len, "PREAUTH"))
		return PF_ANSWER_NO;
	return PF_ANSWER_ODD;
}

/* PREAUTH is a no: who is known by now may not begin TLS any more. */
static enum pf_reply
read_imap(struct pf_dialogue *d, const char *line, size_t len)
{
	const char tag[] = {'p', (char)('0' + d->step), '\0'};

	if (pf_wire_word(line, len, "*")) {
		size_t skip = len > 1 ? 2 : 1;

		line += skip;
		len -= skip;
		if (d->step == 0)
			return imap_status(line, len);
		if (pf_wire_word(line, len, "CAPABILITY") &&
		    has_word(line, len, "STARTTLS"))
			d->offered = 1;
		return pf_wire_word(line, len, "BYE") ? PF_ANSWER_NO
		                                      : PF_ANSWER_MORE;
	}
	if (d->step == 0 || !pf_wire_word(line, len, tag) || len < 4)
		return PF_ANSWER_ODD;
	return imap_status(line + 3, len - 3);
}

static enum pf_reply
read_pop3(struct pf_dialogue *d, const char *line, size_t len)
{
	(void)d;
	if (pf_wire_word(line, len, "+OK"))
		return PF_ANSWER_YES;
	return pf_wire_word(line, len, "-ERR") ? PF_ANSWER_NO : PF_ANSWER_ODD;
}

/* The greeting is a list of capabilities that ends with OK. */
static enum pf_reply
read_sieve(struct pf_dialogue *d, const char *line, size_t len)
{
	if (pf_wire_word(line, len, "OK"))
		return PF_ANSWER_YES;
	if (pf_wire_word(line, len, "NO") || pf_wire_word(line, len, "BYE"))
		return PF_ANSWER_NO;
	if (d->step > 0 || len == 0 || line[0] != '"')
		return PF_ANSWER_ODD;
	if (pf_wire_word(line, len, "\"STARTTLS\""))
		d->offered = 1;
	return PF_ANSWER_MORE;
}

#define GREETING "the server's greeting"
#define NOT_NOW "the server refuses service"
#define ANSWER_TO(command) "the server's answer to " command
#define REFUSED(command) "the server refused " command
#define COMMAND(command, next) ANSWER_TO(command), REFUSED(command), next

static const struct pf_turn smtp[] = {
    {GREETING, NOT_NOW, "EHLO " CLIENT "\r\n", 220, 0, 0},
    {COMMAND("EHLO", "STARTTLS\r\n"), 250, 0, 1},
    {COMMAND("STARTTLS", NULL), 220, 0, 0},
};
static const struct pf_turn lmtp[] = {
    {GREETING, NOT_NOW, "LHLO " CLIENT "\r\n", 220, 0, 0},
    {COMMAND("LHLO", "STARTTLS\r\n"), 250, 0, 1},
    {COMMAND("STARTTLS", NULL), 220, 0, 0},
};
static const struct pf_turn imap[] = {
    {GREETING, "the server's greeting leaves no room for STARTTLS",
        "p1 CAPABILITY\r\n", 0, 0, 0},
    {COMMAND("CAPABILITY", "p2 STARTTLS\r\n"), 0, 0, 1},
    {COMMAND("STARTTLS", NULL), 0, 0, 0},
};
static const struct pf_turn pop3[] = {
    {GREETING, NOT_NOW, "STLS\r\n", 0, 0, 0},
    {COMMAND("STLS", NULL), 0, 0, 0},
};
static const struct pf_turn ftp[] = {
    {GREETING, NOT_NOW, "AUTH TLS\r\n", 220, 0, 0},
    {COMMAND("AUTH TLS", NULL), 234, 0, 0},
};
static const struct pf_turn nntp[] = {
    {GREETING, NOT_NOW, "STARTTLS\r\n", 200, 201, 0},
    {COMMAND("STARTTLS", NULL), 382, 0, 0},
};
static const struct pf_turn sieve[] = {
    {GREETING, NOT_NOW, "STARTTLS\r\n", 0, 0, 1},
    {COMMAND("STARTTLS", NULL), 0, 0, 0},
};

#define LINES(reads, its_turns, name)                                          \
	{                                                                      \
		.whole = pf_lines_whole, .take = pf_lines_take, .read = reads, \
		.turns = its_turns,                                            \
		.foreign = "the server does not speak " name                   \
	}

const struct pf_protocol pf_smtp = LINES(read_coded, smtp, "SMTP");
const struct pf_protocol pf_lmtp = LINES(read_coded, lmtp, "LMTP");
const struct pf_protocol pf_imap = LINES(read_imap, imap, "IMAP");
const struct pf_protocol pf_pop3 = LINES(read_pop3, pop3, "POP3");
const struct pf_protocol pf_ftp = LINES(read_ftp, ftp, "FTP");
const struct pf_protocol pf_nntp = LINES(read_coded, nntp, "NNTP");
const struct pf_protocol pf_sieve = LINES(read_sieve, sieve, "ManageSieve");
