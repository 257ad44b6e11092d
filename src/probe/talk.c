/*
 * What is said before TLS: carries a dialogue (wire/dialogue.h) over a socket.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/dial.h"
#include "probe/flight.h"
#include "wire/httpconnect.h"
#include "wire/socks5.h"
#include "wire/starttls.h"

#define TURNS 64          /* readings in one go: others wait, too */
#define MAX_DROPPED 65536 /* bytes behind the go-ahead */

void
pf_talk_begin(struct pf_flight *f)
{
	const struct pf_probe *probe = f->batch->probe;
	const struct pf_proxy *proxy = f->run->o->proxy;
	char literal[PF_ADDRESS_TEXT];
	const char *host = probe->host;

	if (f->stage == PF_STAGE_STARTTLS) {
		pf_starttls_begin(f->dialogue,
		    (enum pf_starttls)probe->starttls, host);
		return;
	}
	if (f->address.family != 0) {
		pf_address_text(&f->address, literal);
		host = literal;
	}
	if (proxy->socks5)
		pf_socks5_begin(f->dialogue, host,
		    f->address.family != 0 ? f->address.port : probe->port,
		    proxy->user, proxy->password);
	else
		pf_httpconnect_begin(f->dialogue, host,
		    f->address.family != 0 ? f->address.port : probe->port,
		    proxy->user, proxy->password);
}

static enum pf_step
broken(int error, struct pf_probe_result *result)
{
	if (error == ECONNRESET || error == EPIPE)
		return pf_fault(result, "it reset the connection");
	return pf_fault(result, pf_dial_sentence(error));
}

/* WAIT: the socket takes no more; DONE: all is sent. */
static enum pf_step
send_out(struct pf_flight *f, struct pf_probe_result *result)
{
	struct pinfast_bytes out;
	ssize_t sent;

	while ((out = pf_dialogue_out(f->dialogue)).len > 0) {
		sent = send(f->fd, out.data, out.len, MSG_NOSIGNAL);
		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			return PF_STEP_WAIT;
		if (sent < 0)
			return broken(errno, result);
		pf_dialogue_sent(f->dialogue, (size_t)sent);
	}
	return PF_STEP_DONE;
}

/*
 * Looks at what has come and takes away what the dialogue has used: what is
 * behind a proxy's go-ahead stays for the next layer.
 */
static enum pf_step
take_in(struct pf_flight *f, struct pf_probe_result *result)
{
	uint8_t data[4096];
	size_t used = 0;
	ssize_t got = recv(f->fd, data, sizeof data, MSG_PEEK);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return PF_STEP_WAIT;
	if (got < 0)
		return broken(errno, result);
	if (got == 0)
		(void)pf_dialogue_end(f->dialogue);
	else
		(void)pf_dialogue_in(f->dialogue, data, (size_t)got, &used);
	if (used > 0)
		(void)!recv(f->fd, data, used, 0);
	return PF_STEP_DONE;
}

/*
 * A server waits for the ClientHello now: what comes before it came from
 * somebody else, or too early, and in the clear.
 */
static enum pf_step
drop_rest(struct pf_flight *f, struct pf_probe_result *result)
{
	uint8_t data[4096];
	ssize_t got;

	f->dropped += (size_t)pf_dialogue_dropped(f->dialogue);
	while ((got = recv(f->fd, data, sizeof data, 0)) > 0) {
		f->dropped += (size_t)got;
		if (f->dropped > MAX_DROPPED)
			return pf_fault(result,
			    "it goes on in plain text behind its go-ahead for "
			    "TLS");
	}
	return PF_STEP_DONE;
}

enum pf_step
pf_talk_move(struct pf_flight *f, struct pf_probe_result *result)
{
	for (int i = 0; i < TURNS; i++) {
		enum pf_step step = send_out(f, result);

		if (step != PF_STEP_DONE)
			return step;
		switch (pf_dialogue_state(f->dialogue)) {
		case PF_DIALOGUE_MORE:
			step = take_in(f, result);
			if (step != PF_STEP_DONE)
				return step;
			break;
		case PF_DIALOGUE_DONE:
			return f->stage == PF_STAGE_STARTTLS
			           ? drop_rest(f, result)
			           : PF_STEP_DONE;
		case PF_DIALOGUE_REFUSED:
		case PF_DIALOGUE_BROKEN:
		default:
			return pf_fault(result, pf_dialogue_said(f->dialogue));
		}
	}
	return pf_fault(result, "it says too much before TLS begins");
}

void
pf_talk_late(const struct pf_flight *f, struct pf_probe_result *result)
{
	snprintf(result->why, sizeof result->why, "%s had not come after %g s",
	    pf_dialogue_awaits(f->dialogue), f->run->timeout_ms / 1000.0);
}
