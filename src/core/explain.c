#include "core/conn.h"
#include "core/sentence.h"

/* What to do about it; NULL: nothing more to say. */
static const char *
remedy(int32_t reason)
{
	switch (reason) {
	case PINFAST_REASON_NO_POLICY:
		return "load a policy before connecting";
	case PINFAST_REASON_HOST_INVALID:
		return "ask for a host name of letters, digits, `-` and `_`, "
		       "or a canonical address";
	case PINFAST_REASON_HOST_UNKNOWN:
		return "tell pinfast the name, or set the verify host";
	case PINFAST_REASON_PARSER_DISAGREEMENT:
		return "the certificate is crafted, or the adapter gave no "
		       "view of the library's key";
	case PINFAST_REASON_NOT_VERIFIED:
		return "switch the TLS library's verification on and set the "
		       "reference name; an entry with its own `trust` counts "
		       "only what was verified under it";
	case PINFAST_REASON_PIN_MISMATCH:
		return "if the server's key was changed on purpose, add its "
		       "pin to the policy and publish it";
	case PINFAST_REASON_EXPIRED:
		return "renew the entry's `expires`";
	case PINFAST_REASON_TAG_INVALID:
	case PINFAST_REASON_TAG_MISMATCH:
	case PINFAST_REASON_TAG_EXPIRED:
	case PINFAST_REASON_TAG_INCOMPLETE:
		return "make a full handshake";
	case PINFAST_REASON_BACKEND_CANNOT_PROVE:
		return "pin leaf keys alone for this host, or use a libcurl "
		       "built on a TLS library that pinfast can look into";
	case PINFAST_REASON_CLIENT_UNLISTED:
		return "add the label to the policy's `clients`";
	default:
		return NULL;
	}
}

static void
say_shown(struct pf_sentence *s, const struct pf_shown *shown)
{
	int any = 0;

	for (unsigned i = 0; i < shown->count; i++) {
		if (!(shown->known >> i & 1))
			continue;
		pf_say(s, any ? ", " : "; shown: ");
		pf_say_pin(s, shown->hash[i]);
		any = 1;
	}
	if (!shown->leaf_cert_known)
		return;
	pf_say(s, any ? ", cert-" : "; shown: cert-");
	pf_say_pin(s, shown->leaf_cert);
}

static void
say_wanted(struct pf_sentence *s, const struct pf_judgement *j)
{
	uint32_t named =
	    j->wanted_count < PF_WANTED ? j->wanted_count : PF_WANTED;

	for (uint32_t i = 0; i < named; i++) {
		pf_say(s, i > 0 ? ", " : "; wanted: ");
		if (j->wanted_certs >> i & 1)
			pf_say(s, "cert-");
		pf_say_pin(s, j->wanted[i]);
	}
	if (j->wanted_count > named) {
		pf_say(s, " and ");
		pf_say_number(s, j->wanted_count - named);
		pf_say(s, " more");
	}
}

static void
say_host(struct pf_sentence *s, const struct pinfast_conn *conn)
{
	if (conn->name_count == 0) {
		pf_say(s,
		    conn->invalid ? "an invalid host" : "an unknown host");
		return;
	}
	pf_say(s, conn->names[conn->last.name]->text);
	if (conn->port != 0) {
		pf_say(s, ":");
		pf_say_number(s, conn->port);
	}
}

size_t
pinfast_conn_explain(const struct pinfast_conn *conn, char *text, size_t size)
{
	const struct pf_judgement *j = &conn->last;
	struct pf_sentence s = {text, size, 0};
	int allowed = j->verdict.decision == PINFAST_ALLOW;
	int named = j->outcome.reported || !allowed;

	pf_say(&s, allowed ? "allowed " : "denied ");
	say_host(&s, conn);
	pf_say(&s, ": ");
	pf_say(&s, pinfast_reason_text(j->verdict.reason));
	if (j->outcome.reported)
		pf_say(&s, " (report-only)");
	if (j->outcome.loosened == PINFAST_LOOSENED_EXPIRY)
		pf_say(&s, " (the entry has expired)");
	if (j->outcome.loosened == PINFAST_LOOSENED_LAPSE)
		pf_say(&s, " (the policy has lapsed)");
	if (named)
		say_shown(&s, &conn->shown);
	if (named && j->verdict.reason == PINFAST_REASON_PIN_MISMATCH)
		say_wanted(&s, j);
	if (named && remedy(j->verdict.reason) != NULL) {
		pf_say(&s, "; ");
		pf_say(&s, remedy(j->verdict.reason));
	}
	return s.len;
}
