#include "adapt/adapter.h"

#include <stdio.h>
#include <string.h>

#include "base/host.h"
#include "base/sha256.h"
#include "os/file.h"

int
pf_is_address(const char *host)
{
	struct pf_host parsed;

	return pf_host_parse(host, strlen(host), &parsed) == PINFAST_OK &&
	       parsed.kind != PF_HOST_NAME;
}

enum pinfast_error
pf_attached_init(struct pf_attached *a, struct pinfast *policy,
    const char *host, uint16_t port, int server)
{
	struct pf_host parsed;

	memset(a, 0, sizeof *a);
	a->policy = policy;
	a->port = port;
	a->server = server != 0;
	if (host == NULL)
		return server ? PINFAST_EUSAGE : PINFAST_OK;
	a->has_host = 1;
	/* Kept also when invalid: such a connection denies, not learns. */
	if (server) {
		if (strlen(host) >= sizeof a->host)
			return PINFAST_EHOST;
		memcpy(a->host, host, strlen(host) + 1);
		return PINFAST_OK;
	}
	if (pf_host_parse(host, strlen(host), &parsed) != PINFAST_OK)
		return PINFAST_EHOST;
	a->is_address = parsed.kind != PF_HOST_NAME;
	memcpy(a->host, parsed.text, parsed.text_len);
	return PINFAST_OK;
}

enum pinfast_error
pf_attached_misnamed(struct pinfast_diag *diag, enum pinfast_error error,
    int server)
{
	const char *text = "not a valid host name or address";

	if (error == PINFAST_OK)
		return error;
	if (server)
		text = error == PINFAST_EHOST
		           ? "the label is longer than 253 characters"
		           : "no label";
	return pf_attached_refuse(diag, error, text);
}

enum pinfast_error
pf_attached_unverified(struct pf_attached *a, struct pinfast_diag *diag,
    const char *why)
{
	char text[sizeof diag->text];

	if (a->has_host &&
	    pinfast_conn_needs(a->conn) == PINFAST_NEED_LEAF_ONLY)
		return PINFAST_OK;
	snprintf(text, sizeof text,
	    "%s, or write `pkix: none` into the host's entry", why);
	return pf_attached_doom(a, diag, PINFAST_EUNSAFE, text);
}

void
pf_attached_fini(struct pf_attached *a)
{
	pinfast_conn_free(a->conn);
	a->conn = NULL;
}

enum pinfast_error
pf_attached_begin(struct pf_attached *a)
{
	int64_t now = pf_clock_now();

	a->by_peer = 0;
	a->by_tag = 0;
	a->complete = 0;
	/* The verdict of an earlier handshake must not outlive a failure. */
	pinfast_conn_free(a->conn);
	a->conn = NULL;
	if (a->server)
		return pinfast_conn_new_server(a->policy, a->host, now,
		    &a->conn);
	return pinfast_conn_new(a->policy, a->has_host ? a->host : NULL,
	    a->port, now, &a->conn);
}

enum pinfast_error
pf_attached_ready(struct pf_attached *a)
{
	if (a->conn == NULL || a->complete)
		return pf_attached_begin(a);
	return PINFAST_OK;
}

int
pf_attached_trust(struct pf_attached *a, pinfast_anchor_fn fn, void *arg)
{
	int count = pinfast_conn_trust(a->conn, fn, arg);

	return count < 0 ? -1 : count;
}

int
pf_attached_resume(struct pf_attached *a, struct pinfast_bytes tag,
    struct pinfast_bytes blob)
{
	a->by_tag =
	    pinfast_judge_tag(a->conn, tag, blob).decision == PINFAST_ALLOW;
	return a->by_tag;
}

enum pinfast_error
pf_attached_session_id(struct pf_attached *a, uint8_t id[32])
{
	uint8_t text[8 + 32 + PINFAST_HOST_LEN] = "pinfast";
	enum pinfast_error error = pf_attached_begin(a);

	if (error != PINFAST_OK)
		return error;
	/* Without a policy every client is refused anyway. */
	(void)pinfast_conn_terms(a->conn, text + 8);
	memcpy(text + 40, a->host, sizeof a->host);
	pf_sha256(text, sizeof text, id);
	return PINFAST_OK;
}

struct pinfast_verdict
pf_not_judged(void)
{
	struct pinfast_verdict verdict = {0, PINFAST_REASON_NOT_JUDGED};

	return verdict;
}

struct pinfast_verdict
pf_attached_end(struct pf_attached *a, int resumed)
{
	struct pinfast_verdict verdict;

	if (a->conn == NULL)
		return pf_not_judged();
	if (a->complete)
		return pinfast_conn_verdict(a->conn);
	a->complete = 1;
	/* What was judged must be what this handshake rests on. */
	if (!a->by_peer && !(a->by_tag && resumed)) {
		verdict = pinfast_judge_failed(a->conn, NULL,
		    PINFAST_REASON_NO_CERTIFICATE);
		(void)verdict;
	}
	return pinfast_conn_settle(a->conn);
}

struct pinfast_verdict
pf_attached_so_far(const struct pf_attached *a)
{
	struct pinfast_verdict verdict = pf_not_judged();

	if (a->conn != NULL)
		verdict = pinfast_conn_verdict(a->conn);
	return verdict.decision == PINFAST_ALLOW ? pf_not_judged() : verdict;
}

/* For keys that nobody asked about before, the path may still be there. */
static struct pinfast_verdict
ask_again(struct pf_attached *a, const char *host, uint16_t port,
    const struct pf_kept *kept)
{
	int64_t now = pf_clock_now();
	struct pinfast_verdict verdict =
	    pinfast_conn_recheck(a->conn, host, port, now, 1);

	if (verdict.reason != PINFAST_REASON_TAG_INCOMPLETE ||
	    kept->complete == NULL || kept->complete(kept->arg) != PINFAST_OK)
		return verdict;
	return pinfast_conn_recheck(a->conn, host, port, now, 1);
}

struct pinfast_verdict
pf_attached_recheck(struct pf_attached *a, const char *host, uint16_t port,
    const struct pf_kept *kept)
{
	struct pinfast_verdict verdict = pf_not_judged();
	char name[PINFAST_HOST_LEN];

	if (a->conn == NULL || !a->complete || a->doomed)
		return verdict;
	verdict = pinfast_conn_verdict(a->conn);
	if (verdict.decision != PINFAST_ALLOW)
		return verdict;
	if (host == NULL)
		return ask_again(a, NULL, 0, kept);
	verdict.decision = 0;
	verdict.reason = PINFAST_REASON_HOST_INVALID;
	if (pinfast_host_canonical(host, name) != PINFAST_OK)
		return verdict;
	verdict.reason = PINFAST_REASON_PKIX_FAILED;
	if (strcmp(name, a->host) != 0 &&
	    (kept->covers == NULL || !kept->covers(kept->arg, name)))
		return verdict;
	return ask_again(a, name, port, kept);
}

size_t
pf_attached_explain(const struct pf_attached *a, char *text, size_t size)
{
	const char *why = "nothing has judged this connection";
	size_t len;

	if (a != NULL && a->conn != NULL) {
		if ((a->complete && !a->doomed) ||
		    pinfast_conn_verdict(a->conn).decision != PINFAST_ALLOW)
			return pinfast_conn_explain(a->conn, text, size);
		if (!a->doomed)
			why = "what the peer showed is allowed, but the "
			      "handshake was not completed";
	}
	len = strlen(why);
	if (size > 0) {
		size_t fits = len < size ? len : size - 1;

		memcpy(text, why, fits);
		text[fits] = '\0';
	}
	return len;
}

enum pinfast_error
pf_attached_doom(struct pf_attached *a, struct pinfast_diag *diag,
    enum pinfast_error error, const char *text)
{
	a->doomed = 1;
	return pf_attached_refuse(diag, error, text);
}

enum pinfast_error
pf_attached_refuse(struct pinfast_diag *diag, enum pinfast_error error,
    const char *text)
{
	size_t len = strlen(text);

	if (diag == NULL)
		return error;
	memset(diag, 0, sizeof *diag);
	if (len >= sizeof diag->text)
		len = sizeof diag->text - 1;
	memcpy(diag->text, text, len);
	return error;
}
