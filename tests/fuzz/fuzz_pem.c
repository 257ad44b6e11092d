/*
 * Any text as PEM.  Blocks come in their order and lie inside the text; the
 * bytes of each fit into the room that the header asks for, and into room of
 * just their size; written again they are the characters that stood there.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/bytes.h"
#include "base/pem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(int condition)
{
	if (!condition)
		abort();
}

/* The block's characters, without white space, against the bytes. */
static void
check_characters(struct pinfast_bytes text, const struct pf_pem *block,
    struct pinfast_bytes bytes)
{
	char *again = malloc(bytes.len / 3 * 4 + 5);
	const uint8_t *at = text.data + block->at;
	const uint8_t *end = text.data + text.len;
	size_t len;

	must(again != NULL);
	len = pf_base64_encode(bytes.data, bytes.len, again);
	while (*at != '\n')
		at++;
	for (size_t i = 0; i < len; at++) {
		must(at < end);
		if (strchr(" \t\r\n", *at) == NULL)
			must(*at == (uint8_t)again[i++]);
	}
	free(again);
}

/* Room of just so many bytes is enough, one less is not. */
static void
check_room(struct pinfast_bytes text, size_t pos, size_t wanted)
{
	for (size_t less = 0; less <= (wanted > 0); less++) {
		uint8_t *room = malloc(wanted - less);
		struct pf_pem block;
		size_t at = pos;
		enum pinfast_error error =
		    pf_pem_next(text, &at, &block, room, wanted - less);

		must((error == PINFAST_OK) == (less == 0));
		must(less == 0 ? block.len == wanted : at == pos);
		free(room);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pinfast_bytes text = {data, size}, bytes;
	size_t room = size / 4 * 3, pos = 0, line = 0, from = 0;
	uint8_t *out = malloc(room + 1);
	struct pf_pem block;

	must(out != NULL);
	bytes.data = out;
	while (pf_pem_next(text, &pos, &block, out, room) == PINFAST_OK) {
		bytes.len = block.len;
		must(block.at >= from && block.at < pos && pos <= size);
		must(block.line > line && bytes.len <= room);
		must((const uint8_t *)block.label == data + block.at + 11);
		must(block.label_len < pos - block.at);
		(void)pf_pem_is(&block, "CERTIFICATE");
		check_characters(text, &block, bytes);
		check_room(text, from, bytes.len);
		from = pos;
		line = block.line;
	}
	must(pos == from);
	free(out);
	return 0;
}
