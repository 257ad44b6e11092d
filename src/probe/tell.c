/*
 * What a connection has come to, as its caller hears it.
 */
#include "net/dial.h"
#include "probe/flight.h"

enum pf_probe_key
pf_tell_kind(X509 *leaf)
{
	const EVP_PKEY *key = leaf != NULL ? X509_get0_pubkey(leaf) : NULL;

	if (key == NULL)
		return PF_PROBE_ANY;
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		return PF_PROBE_RSA;
	default:
		return PF_PROBE_ECDSA;
	}
}

/*
 * Asked for the other kind of key, and nothing came of it: has the server
 * none?  It says so with one of these alerts, or, as Schannel does, by hanging
 * up without a word.  Every other failure is one, as when this machine has no
 * memory to ask: a key of that kind may be behind it.
 */
static int
has_none(const struct pf_flight *f)
{
	if (f->stage != PF_STAGE_HANDSHAKE || f->shown == f->asked)
		return 0;
	return pf_fault_is_no(f->alert) || (f->hung_up && f->read == 0);
}

void
pf_tell(struct pf_flight *f, enum pf_step step, struct pf_probe_result *result)
{
	result->stage = step == PF_STEP_DONE ? PF_STAGE_DONE : f->stage;
	if (step == PF_STEP_DONE)
		result->why[0] = '\0';
	/* What was dialled is the proxy then, and no address of the name. */
	if (result->stage == PF_STAGE_CONNECT && f->run->o->proxy != NULL) {
		result->stage = PF_STAGE_PROXY;
		result->no_route = 0;
	}
	pf_address_text(&f->address, result->address);
	result->asked = f->asked;
	result->pkix = f->pkix;
	result->wants_client = f->wants_client;
	result->dropped = f->dropped;
	result->judged = f->judged;
	pf_handshake_tell(f, result);
	if (f->asked == PF_PROBE_ANY || result->timed_out ||
	    result->interrupted)
		return;
	/* A certificate of another kind than was asked for is judged, too. */
	result->absent = step != PF_STEP_DONE && has_none(f);
	result->silent = result->absent && f->read == 0;
}

void
pf_tell_missing(struct pf_run *run, const struct pf_batch *batch)
{
	struct pf_probe_result result = {.stage = PF_STAGE_RESOLVE};
	int family = batch->query->missing;

	(void)pf_fault(&result,
	    family == 6 ? "its IPv6 addresses could not be looked up (AAAA): "
	                  "the name server failed, as it did not for IPv4"
	                : "its IPv4 addresses could not be looked up (A): "
	                  "the name server failed, as it did not for IPv6");
	/* As if they had been dialled. */
	result.no_route = !pf_dial_has_route(family);
	run->o->done(run->o->arg, batch->probe, &result);
}
