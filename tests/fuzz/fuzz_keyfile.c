/*
 * Any bytes as a private key.  Where a public half is made it fits into the
 * room that is promised, and what the walker then reads as a key is all of
 * it; nothing is written elsewhere.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cli/keyfile.h"
#include "core/spki.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *room = malloc(PF_KEYFILE_MAX);
	uint8_t *copy = malloc(size + (size == 0));
	struct pinfast_bytes der = {copy, size}, spki = {room, 0};
	const size_t untouched = (size_t)-1;
	struct pf_key key;
	size_t len = untouched;

	if (room == NULL || copy == NULL)
		abort();
	memcpy(copy, data, size);
	switch (pf_keyfile_public(der, room, &len)) {
	case PF_KEYFILE_MADE:
		if (len > PF_KEYFILE_MAX)
			abort();
		spki.len = len;
		if (pf_spki_walk(spki, &key, NULL) == PINFAST_OK &&
		    (key.spki.data != room || key.spki.len != len))
			abort();
		break;
	case PF_KEYFILE_NONE:
	case PF_KEYFILE_NEEDS_MORE:
		if (len != untouched)
			abort();
		break;
	}
	free(copy);
	free(room);
	return 0;
}
