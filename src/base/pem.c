#include "base/pem.h"

#include "base/base64.h"
#include "base/bytes.h"

static const char begin[] = "-----BEGIN ";
static const char end_mark[] = "-----END ";
static const char dashes[] = "-----";

static int
stands(struct pinfast_bytes text, size_t at, const char *what)
{
	size_t len = strlen(what);

	return text.len - at >= len && pf_same(text.data + at, what, len);
}

static size_t
line_end(struct pinfast_bytes text, size_t at)
{
	while (at < text.len && text.data[at] != '\n')
		at++;
	return at;
}

static int
is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Finds a line that begins a block; its label. */
static int
find_begin(struct pinfast_bytes text, size_t *at, struct pf_pem *block)
{
	for (; *at < text.len; *at = line_end(text, *at) + 1, block->line++) {
		size_t label = *at + sizeof begin - 1, stop;

		if (!stands(text, *at, begin))
			continue;
		stop = label;
		while (stop < text.len && text.data[stop] != '\n' &&
		       !stands(text, stop, dashes))
			stop++;
		if (stop == text.len || text.data[stop] == '\n')
			continue;
		block->label = (const char *)text.data + label;
		block->label_len = stop - label;
		block->at = *at;
		*at = line_end(text, stop);
		return 1;
	}
	return 0;
}

static int
ends_block(struct pinfast_bytes text, size_t at, const struct pf_pem *block)
{
	size_t label = at + sizeof end_mark - 1;

	return stands(text, at, end_mark) &&
	       text.len - label >= block->label_len &&
	       pf_same(text.data + label, block->label, block->label_len) &&
	       stands(text, label + block->label_len, dashes);
}

/* Decodes four characters at a time; white space may stand anywhere. */
static enum pinfast_error
decode(struct pinfast_bytes text, size_t *at, struct pf_pem *block,
    uint8_t *out, size_t size)
{
	char four[4];
	size_t held = 0, written = 0;
	int ended = 0;

	for (; *at < text.len && text.data[*at] != '-'; (*at)++) {
		size_t got;
		enum pinfast_error error;

		if (is_space(text.data[*at]))
			continue;
		if (ended)
			return PINFAST_EFORMAT;
		four[held++] = (char)text.data[*at];
		if (held < 4)
			continue;
		held = 0;
		error = pf_base64_decode(four, 4, out + written, size - written,
		    &got);
		if (error != PINFAST_OK)
			return error;
		written += got;
		ended = got < 3;
	}
	if (held != 0 || *at >= text.len || !ends_block(text, *at, block))
		return PINFAST_EFORMAT;
	block->len = written;
	return PINFAST_OK;
}

enum pinfast_error
pf_pem_next(struct pinfast_bytes text, size_t *pos, struct pf_pem *block,
    uint8_t *out, size_t size)
{
	size_t at = *pos;
	enum pinfast_error error;

	memset(block, 0, sizeof *block);
	block->line = 1;
	for (size_t i = 0; i < at; i++)
		block->line += text.data[i] == '\n';
	if (!find_begin(text, &at, block))
		return PINFAST_ENOTFOUND;
	error = decode(text, &at, block, out, size);
	if (error == PINFAST_OK)
		*pos = line_end(text, at);
	return error;
}

int
pf_pem_is(const struct pf_pem *block, const char *label)
{
	return block->label_len == strlen(label) &&
	       pf_same(block->label, label, block->label_len);
}
