#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/time.h"
#include "cli/object.h"
#include "cli_live/live_command.h"
#include "cli_live/reach.h"
#include "cli_live/sight.h"
#include "core/pin.h"
#include "os/file.h"

#define MAX_BACKUPS 16

static const char help[] =
    "usage: pinfast init [OPTIONS] HOST[:PORT]...\n\n"
    "Writes a first policy, in mode report, from what the servers show now:\n"
    "every address of each name, ECDSA and RSA certificates.  All of them "
    "must\n"
    "answer and verify.\n\n"
    "  --backup FILE|PIN  a key that no server has yet: a certificate, "
    "request\n"
    "                     or key, or its pin; may be given several times.\n"
    "                     Without one the exit status is 1\n"
    "  --help\n";

struct backup {
	const char *text;
	uint8_t pin[PINFAST_PIN_LEN];
	int is_file;
};

/* A host of the command line. */
struct named {
	struct pf_server server;
	size_t failed;
};

struct asking {
	struct pf_reach reach;
	struct backup backup[MAX_BACKUPS];
	size_t backups;
	char **names; /* as they were written */
	size_t name_count;
	struct named *named;
	struct pf_probe *probe;
	size_t count;
	struct pf_sights sights;
};

/* ------------------------------------------------------------------ output */

static const char *
kind_name(enum pf_probe_key kind)
{
	return kind == PF_PROBE_RSA     ? "RSA"
	       : kind == PF_PROBE_ECDSA ? "ECDSA"
	                                : "unknown key";
}

/* A comment: what the key was seen with. */
static void
print_seen(const struct pf_sight *s)
{
	char end[24] = "?";

	if (s->cert[0].not_after != 0)
		pf_time_write(s->cert[0].not_after, end);
	printf("      # %s, ", kind_name(s->kind));
	if (s->cert[0].subject[0] != '\0') {
		pf_print_safe(stdout, s->cert[0].subject,
		    strlen(s->cert[0].subject));
		fputs(", ", stdout);
	}
	printf("certificate until %.10s", end);
	for (size_t i = 0; i < s->address_count; i++)
		printf("%s%s", i == 0 ? ", shown by " : ", ", s->address[i]);
	putchar('\n');
}

static void
print_pin(const uint8_t pin[PINFAST_PIN_LEN])
{
	char text[PINFAST_PIN_TEXT_LEN];

	pinfast_pin_write(pin, text);
	printf("      - %s\n", text);
}

/* Is it the key of a chain of this server, up to `end`? */
static int
is_shown(const struct asking *a, const struct pf_probe *probe,
    const uint8_t pin[PINFAST_PIN_LEN], const struct pf_sight *end)
{
	for (const struct pf_sight *s = a->sights.first; s != end; s = s->next)
		if (s->probe == probe &&
		    memcmp(s->cert[0].pin, pin, PINFAST_PIN_LEN) == 0)
			return 1;
	return 0;
}

static void
print_backups(const struct asking *a, const struct pf_probe *probe)
{
	int none = 1;

	for (size_t i = 0; i < a->backups; i++) {
		if (is_shown(a, probe, a->backup[i].pin, NULL))
			continue;
		none = 0;
		fputs("      # backup", stdout);
		if (a->backup[i].is_file) {
			fputs(", ", stdout);
			pf_print_safe(stdout, a->backup[i].text,
			    strlen(a->backup[i].text));
		}
		putchar('\n');
		print_pin(a->backup[i].pin);
	}
	if (none)
		puts("      # no backup: without one, a lost key locks every "
		     "client out");
}

static void
print_entry(const struct asking *a, const struct pf_probe *probe)
{
	printf("  - name: \"%s\"\n    port: %u\n    mode: report\n"
	       "    leaf:\n",
	    probe->host, probe->port);
	for (const struct pf_sight *s = a->sights.first; s != NULL;
	     s = s->next) {
		if (s->probe != probe)
			continue;
		print_seen(s);
		if (!is_shown(a, probe, s->cert[0].pin, s))
			print_pin(s->cert[0].pin);
	}
	print_backups(a, probe);
	/* Also that there is none, where `check` would think so. */
	if (a->reach.starttls != pf_starttls_of_port(probe->port))
		printf("    probe: [{ starttls: %s }]\n",
		    pf_starttls_name(a->reach.starttls));
}

static void
print_head(void)
{
	char now[24];

	pf_time_write(pf_clock_now(), now);
	printf("# Made by `pinfast init` at %s from what servers showed "
	       "then.\n"
	       "# It only reports.  Compare the pins with the keys that you "
	       "hold, let clients\n"
	       "# report for a while, and then say `mode: enforce`.\n"
	       "pinfast: 1\nissued: %.10s\nhosts:\n",
	    now, now);
}

/* --------------------------------------------------------------- judgement */

static int
complain(const struct pf_probe *probe, const char *text)
{
	char name[PF_SIGHT_NAME];

	pf_sight_name(probe, "", name);
	pf_complain(name, text);
	return 0;
}

/* How many pins its entry would have. */
static size_t
count_pins(const struct asking *a, const struct pf_probe *probe)
{
	size_t count = 0;

	for (const struct pf_sight *s = a->sights.first; s != NULL; s = s->next)
		count +=
		    s->probe == probe && !is_shown(a, probe, s->cert[0].pin, s);
	for (size_t i = 0; i < a->backups; i++)
		count += !is_shown(a, probe, a->backup[i].pin, NULL);
	return count;
}

/* All that a policy may rest on. */
static int
is_fit(const struct asking *a, size_t index)
{
	const struct pf_probe *probe = &a->probe[index];
	char text[320];

	for (const struct pf_sight *s = a->sights.first; s != NULL;
	     s = s->next) {
		if (s->probe != probe || s->pkix.ok)
			continue;
		snprintf(text, sizeof text,
		    "left out: its certificate does not verify (%s); name its "
		    "anchor with --ca-file, or write an entry with `pkix: "
		    "none` by hand",
		    s->pkix.error);
		return complain(probe, text);
	}
	if (pf_sights_of(&a->sights, probe) == 0)
		return complain(probe, "left out: it showed no certificate");
	if (a->named[index].failed > 0)
		return complain(probe,
		    "left out: every address must answer, or its clients "
		    "might be locked out; --connect-to chooses addresses");
	if (count_pins(a, probe) > PF_MAX_PINS)
		return complain(probe,
		    "left out: its keys and the backups are more than 64 "
		    "pins, which is the limit of an entry");
	return 1;
}

/* Is there a backup that is none of the keys in service? */
static int
has_backup(const struct asking *a, const struct pf_probe *probe)
{
	int has = 0;

	for (size_t i = 0; i < a->backups; i++) {
		if (!is_shown(a, probe, a->backup[i].pin, NULL))
			has = 1;
		else
			pf_complain(a->backup[i].text,
			    "is a key in service: a backup is a key that no "
			    "server has yet");
	}
	return has;
}

/* Writes what is fit; the exit status. */
static int
write_policy(const struct asking *a)
{
	int no_backup = 0, entries = 0, left_out = 0;

	for (size_t i = 0; i < a->count; i++) {
		if (!is_fit(a, i)) {
			left_out++;
			continue;
		}
		if (pf_reach_is_blind(&a->reach, &a->named[i].server))
			(void)complain(&a->probe[i],
			    "the proxy chose one of its addresses; a key that "
			    "only others show is not in the policy");
		if (entries++ == 0)
			print_head();
		no_backup |= !has_backup(a, &a->probe[i]);
		print_entry(a, &a->probe[i]);
	}
	if (no_backup && a->backups == 0)
		pf_complain(NULL,
		    "the policy has no backup pin yet: make a key with "
		    "`pinfast keygen backup.key` and say --backup backup.key");
	return left_out    ? PF_EXIT_UNDECIDED
	       : no_backup ? PF_EXIT_NO
	                   : PF_EXIT_FINE;
}

/* ------------------------------------------------------------------ asking */

static void
on_result(void *arg, const struct pf_probe *probe,
    const struct pf_probe_result *result)
{
	struct asking *a = arg;
	size_t before = a->sights.failed;

	pf_sights_take(&a->sights, probe, result);
	a->named[probe - a->probe].failed += a->sights.failed - before;
}

static int
ask(struct asking *a)
{
	struct pf_probe_options options = pf_reach_options(&a->reach);
	enum pf_probe_end end;
	int status;

	options.stop = pf_reach_interrupt();
	options.done = on_result;
	options.arg = a;
	options.anchors = pf_reach_anchors(&a->reach);
	if (options.anchors == NULL)
		return PF_EXIT_UNDECIDED;
	end = pf_probe_all(a->probe, a->count, &options);
	X509_STORE_free(options.anchors);
	if (end == PF_PROBE_STOPPED) {
		pf_complain(NULL, "interrupted: no policy is written");
		status = pf_reach_interrupted();
	} else if (end == PF_PROBE_FAILED || a->sights.memory) {
		pf_complain(NULL, "out of memory or file descriptors");
		status = PF_EXIT_UNDECIDED;
	} else {
		status = write_policy(a);
	}
	pf_sights_fini(&a->sights);
	return status;
}

static int
is_twice(const struct asking *a, size_t index)
{
	const struct pf_server *s = &a->named[index].server;

	for (size_t i = 0; i < index; i++) {
		const struct pf_server *t = &a->named[i].server;

		if (t->port == s->port &&
		    strcmp(t->host.text, s->host.text) == 0)
			return 1;
	}
	return 0;
}

static int
init_servers(struct asking *a)
{
	size_t count = a->name_count;
	int status = PF_EXIT_FINE;

	a->named = calloc(count + 1, sizeof *a->named);
	a->probe = calloc(count + 1, sizeof *a->probe);
	if (a->named == NULL || a->probe == NULL) {
		pf_complain(NULL, "out of memory");
		status = PF_EXIT_UNDECIDED;
	}
	for (size_t i = 0; i < count && status == PF_EXIT_FINE; i++) {
		struct pf_server *server = &a->named[i].server;

		if (!pf_server_read("init", &a->reach, a->names[i], server))
			status = PF_EXIT_USAGE;
		else if (is_twice(a, i))
			status = pf_usage("init", "named twice:", a->names[i]);
		a->probe[i] = pf_server_probe(server, &a->reach);
		a->probe[i].both = 1;
		a->count = i + 1;
	}
	if (status == PF_EXIT_FINE && pf_reach_complain_unused(&a->reach) > 0)
		status = PF_EXIT_USAGE;
	if (status == PF_EXIT_FINE)
		status = ask(a);
	for (size_t i = 0; i < a->count; i++)
		pf_server_fini(&a->named[i].server);
	free(a->named);
	free(a->probe);
	return status;
}

/* ----------------------------------------------------------------- options */

/* A file or a pin.  -1: taken; else the exit status. */
static int
read_backup(struct asking *a, const char *text)
{
	struct backup *backup = &a->backup[a->backups];
	struct pf_object object;
	struct pf_pin pin;
	const char *why;
	size_t at;

	if (a->backups == MAX_BACKUPS)
		return pf_usage("init", "more than 16 backups", NULL);
	backup->text = text;
	if (pf_pin_text(text, strlen(text), &pin, &at, &why) == PINFAST_OK) {
		if (pin.kind != PF_PIN_SPKI)
			return pf_usage("init",
			    "a backup is a key, not the certificate", text);
		memcpy(backup->pin, pin.hash, PINFAST_PIN_LEN);
	} else if (strncmp(text, "sha256/", 7) == 0 ||
	           strncmp(text, "cert-sha256/", 12) == 0) {
		(void)pf_usage("init", why, text);
		return PF_EXIT_USAGE;
	} else {
		backup->is_file = 1;
		if (!pf_object_read(text, &object))
			return PF_EXIT_UNDECIDED;
		memcpy(backup->pin, object.pin, PINFAST_PIN_LEN);
	}
	a->backups++;
	return -1;
}

static int
read_option(int argc, char *argv[], int *i, void *arg)
{
	struct asking *a = arg;
	const char *value = pf_option(argc, argv, i, "--backup");

	return value != NULL
	           ? read_backup(a, value)
	           : pf_reach_option("init", argc, argv, i, &a->reach);
}

static int
read_word(char *word, void *arg)
{
	struct asking *a = arg;

	a->names[a->name_count++] = word;
	return -1;
}

/* -1: go on; else the exit status. */
static int
read_options(int argc, char *argv[], struct asking *a)
{
	const char *const texts[] = {help, pf_reach_help, NULL};
	const struct pf_arguments how = {texts, read_option, read_word};
	int status;

	/* Options may stand between names: those move together. */
	a->names = argv;
	status = pf_read_arguments(argc, argv, &how, a);
	if (status >= 0 || a->name_count > 0)
		return status;
	return pf_usage("init", "name at least one server", NULL);
}

int
pf_cmd_init(int argc, char *argv[])
{
	struct asking a;
	int status;

	memset(&a, 0, sizeof a);
	status = read_options(argc, argv, &a);
	if (status < 0)
		status = init_servers(&a);
	pf_reach_fini(&a.reach);
	return status;
}
