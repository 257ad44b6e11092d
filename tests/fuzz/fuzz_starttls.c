/*
 * Any bytes as what a server says before TLS.  The first chooses the protocol,
 * the second the size of pieces.  Nothing that comes behind the go-ahead is
 * left to anybody.
 */
#include "held.h"
#include "wire/starttls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pf_dialogue begun;
	struct pinfast_bytes peer = {data + 2, size - 2};
	struct held held;

	if (size < 2)
		return 0;
	pf_starttls_begin(&begun,
	    (enum pf_starttls)(data[0] % PF_STARTTLS_COUNT), "a.example");
	held = held_all(&begun, peer, (size_t)data[1] + 1);
	must(pf_dialogue_dropped(held.d) <= held.used);
	if (pf_dialogue_state(held.d) == PF_DIALOGUE_DONE)
		must(held.used == peer.len);
	must(pf_dialogue_end(held.d) != PF_DIALOGUE_MORE);
	free(held.d);
	return 0;
}
