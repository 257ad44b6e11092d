/*
 * What went wrong, in a sentence with a remedy.  The server's own text may
 * stand in it: whoever prints it escapes it.
 */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "probe/flight.h"

#define ALERTS 1000 /* OpenSSL's reasons for received alerts begin here */

const char *
pf_probe_stage_name(enum pf_probe_stage stage)
{
	static const char *const names[] = {
	    "done", "resolve", "connect", "proxy", "starttls", "handshake"};

	return (size_t)stage < sizeof names / sizeof *names ? names[stage] : "";
}

enum pf_step
pf_fault(struct pf_probe_result *result, const char *why)
{
	snprintf(result->why, sizeof result->why, "%s", why);
	return PF_STEP_FAILED;
}

/* What OpenSSL's reasons mean to somebody who asked a server. */
static const char *
known(int reason)
{
	switch (reason) {
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
	case SSL_R_ENCRYPTED_LENGTH_TOO_LONG:
	case SSL_R_BAD_RECORD_TYPE:
	case SSL_R_UNEXPECTED_MESSAGE:
	case SSL_R_UNEXPECTED_RECORD:
		return "what it answered is not TLS; a server that begins in "
		       "plain text needs --starttls";
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_WRONG_SSL_VERSION:
		return "it speaks no version of TLS from 1.0 to 1.3";
	case SSL_R_EXCESSIVE_MESSAGE_SIZE:
		return "its certificates take more than 256 KiB, which is the "
		       "limit";
	default:
		return NULL;
	}
}

int
pf_fault_is_no(int alert)
{
	return alert == SSL_AD_HANDSHAKE_FAILURE ||
	       alert == SSL_AD_ILLEGAL_PARAMETER ||
	       alert == SSL_AD_INSUFFICIENT_SECURITY;
}

enum pf_step
pf_fault_closed(struct pf_flight *f, struct pf_probe_result *result)
{
	f->hung_up = 1;
	return pf_fault(result,
	    "it closed the connection in the middle of the handshake; is this "
	    "a port for TLS?");
}

enum pf_step
pf_fault_alert(struct pf_flight *f, int number, struct pf_probe_result *result)
{
	int wants = f->wants_client;

	f->alert = number;
	result->alert = SSL_alert_desc_string_long(number);
	snprintf(result->why, sizeof result->why,
	    "it ended the handshake with the alert \"%s\"%s", result->alert,
	    wants ? "; it wants a client certificate, which a probe has not: "
	            "read its own from a file"
	    : number == SSL_AD_UNRECOGNIZED_NAME
	        ? "; it does not know this name"
	        : "");
	return PF_STEP_FAILED;
}

enum pf_step
pf_fault_tls(struct pf_flight *f, int ssl_error, int system_error,
    struct pf_probe_result *result)
{
	unsigned long error = ERR_peek_error();
	int reason = ERR_GET_REASON(error);

	ERR_clear_error();
	if (f->too_many)
		return pf_fault(result,
		    "it shows more than 100 certificates, which is the limit");
	if (f->read > PF_PROBE_MAX_BYTES)
		return pf_fault(result,
		    "its handshake has more than 1 MiB, which is the limit");
	if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING || error == 0) {
		if (ssl_error == SSL_ERROR_SYSCALL && system_error != 0 &&
		    system_error != ECONNRESET && system_error != EPIPE)
			return pf_fault(result, strerror(system_error));
		return pf_fault_closed(f, result);
	}
	if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason >= ALERTS)
		return pf_fault_alert(f, reason - ALERTS, result);
	if (ERR_GET_LIB(error) == ERR_LIB_SSL && known(reason) != NULL)
		return pf_fault(result, known(reason));
	snprintf(result->why, sizeof result->why, "the handshake failed: %s",
	    ERR_reason_error_string(error) != NULL
	        ? ERR_reason_error_string(error)
	        : "an error without a name");
	return PF_STEP_FAILED;
}

void
pf_fault_timeout(const struct pf_flight *f, struct pf_probe_result *result)
{
	static const char *const texts[][2] = {{"", ""},
	    {"the name server gave no answer for this name in ", ""},
	    {"no answer in ", "; is it up, or does a firewall drop this?"},
	    {"", ""}, {"", ""},
	    {"no TLS handshake in ",
	        "; a server that begins in plain text needs --starttls"}};

	result->timed_out = 1;
	if (f->dialogue != NULL)
		pf_talk_late(f, result);
	else
		snprintf(result->why, sizeof result->why, "%s%g s%s",
		    texts[f->stage][0], f->run->timeout_ms / 1000.0,
		    texts[f->stage][1]);
}
