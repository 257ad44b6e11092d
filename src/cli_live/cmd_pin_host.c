/*
 * `pinfast pin` for servers.  Files, and --help, are cli/cmd_pin.c's, which
 * needs no TLS library; it starts this when a server is named.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "cli_live/live_command.h"
#include "cli_live/reach.h"
#include "cli_live/sight.h"

struct options {
	int plain, chain, cert_hash, tlsa, json, unverified;
	char **names; /* as they were written */
	size_t name_count;
	struct pf_reach reach;
	struct pf_json j;
};

struct asking {
	struct options *o;
	struct pf_server *server;
	struct pf_probe *probe;
	size_t count;
	struct pf_sights sights;
};

/* ------------------------------------------------------------------ output */

static const uint8_t *
hash_of(const struct options *o, const struct pf_sighted *cert)
{
	return o->cert_hash ? cert->cert : cert->pin;
}

static void
write_pin(const struct options *o, const struct pf_sighted *cert, char *out)
{
	if (o->cert_hash)
		memcpy(out, "cert-", 5);
	pinfast_pin_write(hash_of(o, cert), o->cert_hash ? out + 5 : out);
}

static void
print_json(struct options *o, const struct pf_sight *s,
    const struct pf_sighted *cert, const char *pin)
{
	pf_json_begin(&o->j, NULL, '{');
	pf_json_string(&o->j, "host", s->probe->host);
	pf_json_number(&o->j, "port", s->probe->port);
	pf_json_begin(&o->j, "addresses", '[');
	for (size_t i = 0; i < s->address_count; i++)
		pf_json_string(&o->j, NULL, s->address[i]);
	pf_json_end(&o->j, ']');
	pf_json_string(&o->j, "pin", pin);
	pf_json_string(&o->j, "role", cert->role);
	pf_json_string(&o->j, "subject", cert->subject);
	pf_json_string(&o->j, "tls", s->version);
	pf_json_begin(&o->j, "pkix", '{');
	pf_json_bool(&o->j, "ok", s->pkix.ok);
	if (!s->pkix.ok)
		pf_json_string(&o->j, "error", s->pkix.error);
	pf_json_end(&o->j, '}');
	if (cert->caveat != NULL)
		pf_json_string(&o->j, "warning", cert->caveat);
	pf_json_end(&o->j, '}');
}

/* As for files: usage 3 (leaf) or 2 (issuer). */
static void
print_tlsa(const struct options *o, const struct pf_sighted *cert, size_t i)
{
	char hex[2 * PINFAST_PIN_LEN + 1];

	pf_hex_write(hash_of(o, cert), PINFAST_PIN_LEN, hex);
	printf("%d %d 1 %s\n", i > 0 ? 2 : 3, !o->cert_hash, hex);
}

/* Was the same line printed for this server, of another chain? */
static int
is_printed(const struct options *o, const struct pf_sight *first,
    const struct pf_sight *s, const struct pf_sighted *cert)
{
	for (; first != s; first = first->next) {
		if (first->probe != s->probe ||
		    (!first->pkix.ok && !o->unverified))
			continue;
		for (size_t i = 0; i < (o->chain ? first->count : 1); i++)
			if (memcmp(hash_of(o, &first->cert[i]),
			        hash_of(o, cert), PINFAST_PIN_LEN) == 0)
				return 1;
	}
	return 0;
}

static void
print_cert(struct asking *a, const struct pf_sight *s, size_t i)
{
	struct options *o = a->o;
	const struct pf_sighted *cert = &s->cert[i];
	char pin[PINFAST_PIN_TEXT_LEN + 5], name[PF_SIGHT_NAME];

	write_pin(o, cert, pin);
	if (o->json) {
		print_json(o, s, cert, pin);
		return;
	}
	if (is_printed(o, a->sights.first, s, cert))
		return;
	if (o->tlsa) {
		print_tlsa(o, cert, i);
	} else if (o->plain) {
		puts(pin);
	} else {
		printf("%s  %s  ", pin, cert->role);
		if (cert->subject[0] != '\0')
			pf_print_safe(stdout, cert->subject,
			    strlen(cert->subject));
		else
			putchar('-');
		putchar('\n');
	}
	if (cert->caveat == NULL || o->cert_hash)
		return;
	pf_sight_name(s->probe, "", name);
	pf_complain(name, cert->caveat);
}

static int
unverified(struct asking *a, const struct pf_sight *s)
{
	char name[PF_SIGHT_NAME], text[400];

	for (const struct pf_sight *e = a->sights.first; e != s; e = e->next)
		if (e->probe == s->probe &&
		    strcmp(e->pkix.error, s->pkix.error) == 0)
			return a->o->json;
	snprintf(text, sizeof text,
	    "its certificate does not verify (%s): anybody could have shown "
	    "it; name its anchor with --ca-file, or print it all the same "
	    "with --pkix none",
	    s->pkix.error);
	pf_sight_name(s->probe, s->address_count > 0 ? s->address[0] : "",
	    name);
	pf_complain(name, text);
	return a->o->json;
}

/* Addresses of a name that show different keys are worth a word. */
static void
tell_difference(const struct asking *a, const struct pf_probe *probe)
{
	const struct pf_sight *one = NULL;
	char name[PF_SIGHT_NAME];

	for (const struct pf_sight *s = a->sights.first; s != NULL;
	     s = s->next) {
		if (s->probe != probe || s->asked != PF_PROBE_ANY)
			continue;
		if (one == NULL)
			one = s;
		if (s->kind != one->kind ||
		    memcmp(one->cert[0].pin, s->cert[0].pin, PINFAST_PIN_LEN) ==
		        0)
			continue;
		pf_sight_name(probe, "", name);
		pf_complain(name,
		    "not every address shows the same key; --json says which "
		    "shows what");
		return;
	}
}

/* Prints what came; the exit status so far. */
static int
print_all(struct asking *a)
{
	struct options *o = a->o;
	int status = a->sights.failed > 0 || a->sights.memory
	                 ? PF_EXIT_UNDECIDED
	                 : PF_EXIT_FINE;

	if (a->sights.memory)
		pf_complain(NULL, "out of memory");
	for (size_t i = 0; i < a->count; i++) {
		if (pf_sights_of(&a->sights, &a->probe[i]) == 0)
			status = PF_EXIT_UNDECIDED;
		else
			tell_difference(a, &a->probe[i]);
	}
	if (o->json)
		pf_json_begin(&o->j, NULL, '[');
	for (const struct pf_sight *s = a->sights.first; s != NULL;
	     s = s->next) {
		if (!s->pkix.ok && !o->unverified) {
			status = PF_EXIT_UNDECIDED;
			if (!unverified(a, s))
				continue;
		}
		for (size_t i = 0; i < (o->chain ? s->count : 1); i++)
			print_cert(a, s, i);
	}
	if (o->json) {
		pf_json_end(&o->j, ']');
		putchar('\n');
	}
	return status;
}

/* ------------------------------------------------------------------ asking */

static void
on_result(void *arg, const struct pf_probe *probe,
    const struct pf_probe_result *result)
{
	struct asking *a = arg;

	pf_sights_take(&a->sights, probe, result);
}

static int
ask(struct asking *a)
{
	struct pf_probe_options options = pf_reach_options(&a->o->reach);
	enum pf_probe_end end;
	int status;

	options.stop = pf_reach_interrupt();
	options.done = on_result;
	options.arg = a;
	options.anchors = pf_reach_anchors(&a->o->reach);
	if (options.anchors == NULL)
		return PF_EXIT_UNDECIDED;
	end = pf_probe_all(a->probe, a->count, &options);
	X509_STORE_free(options.anchors);
	if (end == PF_PROBE_FAILED) {
		pf_complain(NULL, "out of memory or file descriptors");
		return PF_EXIT_UNDECIDED;
	}
	status = print_all(a);
	pf_sights_fini(&a->sights);
	return end == PF_PROBE_STOPPED ? pf_reach_interrupted() : status;
}

/* Reads the servers and asks them. */
static int
pin_servers(struct options *o)
{
	struct asking a = {.o = o};
	size_t count = o->name_count;
	int status = PF_EXIT_FINE;

	a.server = calloc(count + 1, sizeof *a.server);
	a.probe = calloc(count + 1, sizeof *a.probe);
	if (a.server == NULL || a.probe == NULL) {
		pf_complain(NULL, "out of memory");
		status = PF_EXIT_UNDECIDED;
	}
	for (size_t i = 0; i < count && status == PF_EXIT_FINE; i++) {
		if (!pf_server_read("pin", &o->reach, o->names[i],
		        &a.server[i]))
			status = PF_EXIT_USAGE;
		a.probe[i] = pf_server_probe(&a.server[i], &o->reach);
		a.probe[i].both = 1;
		a.count = i + 1;
	}
	if (status == PF_EXIT_FINE && pf_reach_complain_unused(&o->reach) > 0)
		status = PF_EXIT_USAGE;
	if (status == PF_EXIT_FINE)
		status = ask(&a);
	for (size_t i = 0; i < a.count; i++)
		pf_server_fini(&a.server[i]);
	free(a.server);
	free(a.probe);
	return status;
}

/* ----------------------------------------------------------------- options */

static int
read_option(int argc, char *argv[], int *i, void *arg)
{
	static const struct {
		const char *name;
		size_t at;
	} flags[] = {{"--plain", offsetof(struct options, plain)},
	    {"--cert-hash", offsetof(struct options, cert_hash)},
	    {"--tlsa", offsetof(struct options, tlsa)},
	    {"--json", offsetof(struct options, json)}};
	struct options *o = arg;
	const char *value;
	const int yes = 1;

	for (size_t k = 0; k < sizeof flags / sizeof *flags; k++)
		if (strcmp(argv[*i], flags[k].name) == 0) {
			memcpy((char *)o + flags[k].at, &yes, sizeof yes);
			return -1;
		}
	if ((value = pf_option(argc, argv, i, "--chain")) != NULL) {
		o->chain = 1;
		if (strcmp(value, "all") == 0)
			return -1;
		return pf_usage("pin", "--chain takes all, not", value);
	}
	if ((value = pf_option(argc, argv, i, "--pkix")) != NULL) {
		o->unverified = 1;
		if (strcmp(value, "none") == 0)
			return -1;
		return pf_usage("pin", "--pkix takes none, not", value);
	}
	return pf_reach_option("pin", argc, argv, i, &o->reach);
}

static int
read_word(char *word, void *arg)
{
	struct options *o = arg;

	o->names[o->name_count++] = word;
	return -1;
}

/* -1: go on; else the exit status.  --help is that of `pin FILE` as well, and
 * asks for no server. */
static int
read_options(int argc, char *argv[], struct options *o)
{
	static const char *const texts[] = {NULL};
	static const struct pf_arguments how = {texts, read_option, read_word};
	int status;

	/* Options may stand between names: those move together. */
	o->names = argv;
	status = pf_read_arguments(argc, argv, &how, o);
	if (status >= 0)
		return status;
	if (o->plain + o->tlsa + o->json > 1)
		return pf_usage("pin",
		    "choose one of --plain, --tlsa and --json", NULL);
	if (o->name_count == 0)
		return pf_usage("pin", "name at least one server", NULL);
	return -1;
}

int
pf_cmd_pin_host(int argc, char *argv[])
{
	struct options o = {.j = {stdout, 1}};
	int status = read_options(argc, argv, &o);

	if (status < 0)
		status = pin_servers(&o);
	pf_reach_fini(&o.reach);
	return status;
}
