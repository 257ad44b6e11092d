#include "adapt/adapter.h"

#include <string.h>

#include "os/file.h"

enum pinfast_error
pf_attached_init(struct pf_attached *a, struct pinfast *policy,
    const char *host, uint16_t port, int server)
{
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
	return pinfast_host_canonical(host, a->host);
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

static struct pinfast_verdict
not_judged(void)
{
	struct pinfast_verdict verdict = {0, PINFAST_REASON_NOT_JUDGED};

	return verdict;
}

struct pinfast_verdict
pf_attached_end(struct pf_attached *a, int resumed)
{
	struct pinfast_verdict verdict;

	if (a->conn == NULL)
		return not_judged();
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
	struct pinfast_verdict verdict = not_judged();

	if (a->conn != NULL)
		verdict = pinfast_conn_verdict(a->conn);
	return verdict.decision == PINFAST_ALLOW ? not_judged() : verdict;
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
