#include "cli_live/verdict.h"

#include <stdio.h>
#include <string.h>

#include "base/sha256.h"
#include "cli/out.h"
#include "cli/subject.h"

void
pf_answer_hear(void *arg, const struct pinfast_event *event)
{
	struct pf_answer *answer = arg;

	answer->matched = event->matched;
	answer->reported = event->reported;
	answer->warn = event->warn;
	answer->shadow = event->shadow;
	answer->entry_scope = event->entry_scope;
	answer->entry_port = event->entry_port;
	answer->entry[0] = '\0';
	if (event->entry_scope >= 0)
		snprintf(answer->entry, sizeof answer->entry, "%s",
		    event->host + event->entry_at);
}

const char *
pf_scope_name(int scope)
{
	static const char *const names[] = {"exact", "one", "any", "client"};

	return scope >= 0 && scope < 4 ? names[scope] : "";
}

void
pf_answer_fini(struct pf_answer *a)
{
	pinfast_conn_free(a->conn);
	sk_X509_pop_free(a->path, X509_free);
	a->conn = NULL;
	a->path = NULL;
}

/* A certificate as people know it. */
struct shown {
	char pin[PINFAST_PIN_TEXT_LEN + 5];
	char subject[512];
	const char *role;
	int wanted; /* its key is one of the policy's */
};

static void
write_pin(struct pinfast_bytes bytes, const char *prefix, char *out)
{
	uint8_t hash[PINFAST_PIN_LEN];
	size_t len = strlen(prefix);

	pf_sha256(bytes.data, bytes.len, hash);
	memcpy(out, prefix, len);
	pinfast_pin_write(hash, out + len);
}

/* as_matched: a certificate whose key no list names matched as a whole. */
static void
show(const struct pf_answer *a, int index, int as_matched, struct shown *out)
{
	unsigned char *der = NULL;
	int len = i2d_X509(sk_X509_value(a->path, index), &der);
	struct pinfast_bytes bytes = {der, len > 0 ? (size_t)len : 0};
	struct pf_cert cert;

	memset(out, 0, sizeof *out);
	out->role = "malformed";
	if (len > 0 && pf_cert_walk(bytes, &cert, NULL) == PINFAST_OK) {
		out->role = pf_cert_role(&cert);
		out->wanted = pinfast_conn_wants(a->conn, cert.key.spki);
		pf_subject_text(cert.subject, out->subject,
		    sizeof out->subject);
		if (as_matched && out->wanted != 1)
			write_pin(bytes, "cert-", out->pin);
		else
			write_pin(cert.key.spki, "", out->pin);
	}
	OPENSSL_free(der);
}

static int
count(const struct pf_answer *a)
{
	return a->path != NULL ? sk_X509_num(a->path) : 0;
}

void
pf_answer_print(const struct pf_answer *a)
{
	char text[4096];
	struct shown s;

	(void)pinfast_conn_explain(a->conn, text, sizeof text);
	pf_print_safe(stdout, text, strlen(text));
	putchar('\n');
	if (!a->pkix_ran)
		printf("PKIX: not run\n");
	else
		printf("PKIX: %s\n", a->pkix_ok ? "ok" : a->pkix_error);
	for (int i = 0; i < count(a); i++) {
		show(a, i, i == a->matched, &s);
		printf("%s  %s  ", s.pin[0] != '\0' ? s.pin : "-", s.role);
		if (s.subject[0] != '\0')
			pf_print_safe(stdout, s.subject, strlen(s.subject));
		else
			putchar('-');
		puts(i == a->matched ? "  <- matched" : "");
	}
}

static void
print_matched(struct pf_json *j, const struct pf_answer *a)
{
	struct shown s;

	if (a->matched < 0 || a->matched >= count(a))
		return;
	show(a, a->matched, 1, &s);
	pf_json_begin(j, "matched", '{');
	pf_json_string(j, "pin", s.pin);
	pf_json_number(j, "index", a->matched);
	pf_json_string(j, "subject", s.subject);
	pf_json_end(j, '}');
}

void
pf_answer_print_json(const struct pf_answer *a)
{
	struct pf_json j = {stdout, 1};
	struct shown s;

	pf_json_begin(&j, NULL, '{');
	pf_json_string(&j, "decision",
	    a->verdict.decision == PINFAST_ALLOW ? "allow" : "deny");
	pf_json_string(&j, "reason", pinfast_reason_name(a->verdict.reason));
	print_matched(&j, a);
	pf_json_begin(&j, "path", '[');
	for (int i = 0; i < count(a); i++) {
		show(a, i, 0, &s);
		pf_json_begin(&j, NULL, '{');
		pf_json_string(&j, "subject", s.subject);
		pf_json_string(&j, "pin", s.pin);
		pf_json_end(&j, '}');
	}
	pf_json_end(&j, ']');
	pf_json_begin(&j, "pkix", '{');
	pf_json_bool(&j, "ok", a->pkix_ok);
	if (!a->pkix_ok)
		pf_json_string(&j, "error",
		    a->pkix_ran ? a->pkix_error : "not run");
	pf_json_end(&j, '}');
	pf_json_end(&j, '}');
	putchar('\n');
}
