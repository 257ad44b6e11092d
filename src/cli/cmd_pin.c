#define _DEFAULT_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/pem.h"
#include "base/sha256.h"
#include "cli/command.h"
#include "cli/object.h"
#include "cli/out.h"
#include "os/file.h"

#define MAX_CHAIN 16

static const char help[] =
    "usage: pinfast pin [OPTIONS] FILE...\n"
    "       pinfast pin [OPTIONS] HOST[:PORT]...\n\n"
    "Prints `sha256/BASE64  ROLE  SUBJECT` for a certificate, chain,\n"
    "certificate request, public or private key, PEM or DER (`-` reads\n"
    "standard input), or for what a server shows now: every address of its\n"
    "name, ECDSA and RSA certificates.\n\n"
    "  --plain          print only the pins\n"
    "  --chain all      every certificate of a file or of a server's\n"
    "                   verified path, not only the first\n"
    "  --cert-hash      cert-sha256/ pins of whole certificates\n"
    "  --tlsa           TLSA record data (RFC 6698)\n"
    "  --json           one JSON document\n"
    "  --help\n\n"
    "For servers:\n"
    "  --starttls P     ask for TLS first: smtp, lmtp, imap, pop3, ftp, nntp,\n"
    "                   sieve, ldap, postgres, mysql, xmpp, xmpp-server\n"
    "  --proxy URL      http://[USER:PASSWORD@]HOST:PORT or socks5://...\n"
    "  --timeout S      seconds for each step (default 10)\n"
    "  --connect-to HOST:PORT:ADDRESS:PORT\n"
    "                   the address in place of the name's\n"
    "  --ca-file FILE   trust anchors, PEM (default: the system's)\n"
    "  --pkix none      print also what does not verify\n";

struct options {
	int plain, chain, cert_hash, tlsa, json;
	struct pf_json j;
};

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static void
print_hex(FILE *out, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%02x", bytes[i]);
}

static void
print_json(struct options *o, const struct pf_object *ob, const char *pin)
{
	pf_json_begin(&o->j, NULL, '{');
	pf_json_string(&o->j, "file", ob->file);
	pf_json_string(&o->j, "pin", pin);
	pf_json_string(&o->j, "role", ob->role);
	pf_json_string(&o->j, "subject", ob->subject);
	if (ob->caveat != NULL)
		pf_json_string(&o->j, "warning", ob->caveat);
	pf_json_end(&o->j, '}');
}

/* TLSA: usage 3 (leaf) or 2 (issuer), selector 1 (key) or 0 (certificate),
 * SHA-256. */
static void
print_tlsa(const struct options *o, const struct pf_object *ob)
{
	int ca = strcmp(ob->role, "root") == 0 ||
	         strcmp(ob->role, "intermediate") == 0;

	printf("%d %d 1 ", ca ? 2 : 3, !o->cert_hash);
	print_hex(stdout, ob->pin, PINFAST_PIN_LEN);
	putchar('\n');
}

static void
print_object(struct options *o, struct pf_object *ob)
{
	char pin[PINFAST_PIN_TEXT_LEN + 5];

	if (o->cert_hash) {
		memcpy(pin, "cert-", 5);
		pf_sha256(ob->der.data, ob->der.len, ob->pin);
	}
	pinfast_pin_write(ob->pin, o->cert_hash ? pin + 5 : pin);
	if (o->json) {
		print_json(o, ob, pin);
	} else if (o->tlsa) {
		print_tlsa(o, ob);
	} else if (o->plain) {
		puts(pin);
	} else {
		printf("%s  %s  ", pin, ob->role);
		if (ob->subject[0] != '\0')
			pf_print_safe(stdout, ob->subject, strlen(ob->subject));
		else
			putchar('-');
		putchar('\n');
	}
	if (ob->caveat != NULL && !o->cert_hash)
		pf_complain(ob->file, ob->caveat);
}

static int
handle(struct options *o, const char *file, struct pinfast_bytes der)
{
	struct pf_object ob;

	ob.file = file;
	ob.der = der;
	if (!pf_object_identify(&ob))
		return PF_EXIT_UNDECIDED;
	if (o->cert_hash && !ob.is_cert) {
		pf_complain(file, "--cert-hash is for certificates");
		return PF_EXIT_UNDECIDED;
	}
	print_object(o, &ob);
	return PF_EXIT_FINE;
}

static int
is_private(const struct pf_pem *block)
{
	return block->label_len >= 11 &&
	       memcmp(block->label + block->label_len - 11, "PRIVATE KEY",
	           11) == 0;
}

static int
is_known(const struct pf_pem *block)
{
	return pf_pem_is(block, "CERTIFICATE") ||
	       pf_pem_is(block, "CERTIFICATE REQUEST") ||
	       pf_pem_is(block, "NEW CERTIFICATE REQUEST") ||
	       pf_pem_is(block, "PUBLIC KEY") ||
	       pf_pem_is(block, "RSA PUBLIC KEY") ||
	       pf_pem_is(block, "PRIVATE KEY") ||
	       pf_pem_is(block, "RSA PRIVATE KEY") ||
	       pf_pem_is(block, "EC PRIVATE KEY");
}

static int
complain_block(const char *file, const struct pf_pem *block, const char *what)
{
	char text[256];

	if (is_private(block))
		snprintf(text, sizeof text, "line %zu: %s", block->line,
		    pf_object_remedy);
	else
		snprintf(text, sizeof text, "line %zu: `%.*s` %s", block->line,
		    (int)block->label_len, block->label, what);
	pf_complain(file, text);
	return PF_EXIT_UNDECIDED;
}

static int
handle_block(struct options *o, const char *file, const struct pf_pem *block,
    struct pinfast_bytes der)
{
	if (!is_known(block))
		return complain_block(file, block, "is nothing that has a pin");
	return handle(o, file, der);
}

/* Every PEM block, or the first; status so far. */
static int
handle_pem(struct options *o, const char *file, struct pinfast_bytes text,
    uint8_t *buffer, int *blocks)
{
	struct pf_pem block;
	struct pinfast_bytes der;
	size_t pos = 0;
	int status = PF_EXIT_FINE, others = 0;

	der.data = buffer;
	for (;;) {
		enum pinfast_error error =
		    pf_pem_next(text, &pos, &block, buffer, text.len + 4);

		if (error == PINFAST_ENOTFOUND)
			break;
		if (error != PINFAST_OK) {
			++*blocks;
			return complain_block(file, &block,
			    "is a damaged PEM block");
		}
		/* openssl ecparam -genkey writes one in front of the key. */
		if (pf_pem_is(&block, "EC PARAMETERS"))
			continue;
		if (++*blocks > MAX_CHAIN) {
			pf_complain(file,
			    "more than 16 certificates: that is no chain");
			return PF_EXIT_UNDECIDED;
		}
		der.len = block.len;
		if (*blocks > 1 && !o->chain)
			others++;
		else if (handle_block(o, file, &block, der) != PF_EXIT_FINE)
			status = PF_EXIT_UNDECIDED;
	}
	if (others > 0 && !o->plain && !o->json)
		fprintf(stderr,
		    "pinfast: %d more in the file; --chain all prints "
		    "them\n",
		    others);
	return status;
}

static int
handle_file(struct options *o, const char *path)
{
	struct pinfast_diag diag;
	struct pf_content file;
	struct pinfast_bytes text;
	uint8_t *buffer;
	int status, blocks = 0;

	memset(&diag, 0, sizeof diag);
	if (pf_file_read(path, PF_OBJECT_FILE, PF_FILE_ANY, &diag, &file) !=
	    PINFAST_OK) {
		if (interrupted)
			return PF_EXIT_UNDECIDED;
		pf_complain(path[0] != '\0' ? diag.file : "``", diag.text);
		return PF_EXIT_UNDECIDED;
	}
	text.data = file.data;
	text.len = file.len;
	buffer = malloc(text.len + 4);
	if (text.len == 0 || buffer == NULL) {
		pf_complain(path, text.len == 0 ? "is empty" : "out of memory");
		status = PF_EXIT_UNDECIDED;
	} else {
		status = handle_pem(o, path, text, buffer, &blocks);
		if (blocks == 0 && status == PF_EXIT_FINE)
			status = handle(o, path, text);
	}
	/* It may have been a private key. */
	if (buffer != NULL)
		explicit_bzero(buffer, text.len + 4);
	explicit_bzero(file.data, text.len);
	free(buffer);
	free(file.data);
	return status;
}

/* Reads the options; the index of the first file, or 0 and a status. */
static int
read_options(int argc, char *argv[], struct options *o, int *status)
{
	int i;

	for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
		const char *value = NULL;

		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (strcmp(argv[i], "--help") == 0) {
			fputs(help, stdout);
			*status = PF_EXIT_FINE;
			return 0;
		}
		if (strcmp(argv[i], "--plain") == 0)
			o->plain = 1;
		else if (strcmp(argv[i], "--cert-hash") == 0)
			o->cert_hash = 1;
		else if (strcmp(argv[i], "--tlsa") == 0)
			o->tlsa = 1;
		else if (strcmp(argv[i], "--json") == 0)
			o->json = 1;
		else if ((value = pf_option(argc, argv, &i, "--chain")) !=
		             NULL &&
		         strcmp(value, "all") == 0)
			o->chain = 1;
		else {
			*status = value != NULL
			              ? pf_usage("pin",
			                    "--chain takes all, not", argv[i])
			              : pf_unknown("pin", argv[i]);
			return 0;
		}
	}
	if (o->plain + o->tlsa + o->json > 1) {
		*status = pf_usage("pin",
		    "choose one of --plain, --tlsa and --json", NULL);
		return 0;
	}
	return i;
}

/* ----------------------------------------------------------------- servers */

/* Options that files have no use for. */
static int
is_of_servers(const char *word)
{
	static const char *const names[] = {"--starttls", "--proxy",
	    "--timeout", "--connect-to", "--ca-file", "--pkix"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t len = strlen(names[i]);

		if (strncmp(word, names[i], len) == 0 &&
		    (word[len] == '\0' || word[len] == '='))
			return 1;
	}
	return 0;
}

static int
ends_as_file(const char *word)
{
	static const char *const endings[] = {".pem", ".crt", ".cer", ".der",
	    ".csr", ".key", ".pub", ".p7b", ".p12", ".pfx", ".req", ".txt"};
	size_t len = strlen(word);

	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if (len > 4 && strcmp(word + len - 4, endings[i]) == 0)
			return 1;
	return 0;
}

/* No file, and nothing that is spelled as one: a server. */
static int
is_server(const char *word)
{
	return strchr(word, '/') == NULL && strpbrk(word, ".:") != NULL &&
	       !ends_as_file(word) && access(word, F_OK) != 0;
}

/* 1: servers are asked for, 0: files, -1: both. */
static int
asks_servers(int argc, char *argv[])
{
	int servers = 0, files = 0, only = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0)
			return 0;
		only |= is_of_servers(argv[i]);
		if (argv[i][0] == '-' && argv[i][1] != '\0') {
			/* The one option that has a word behind it. */
			i += strcmp(argv[i], "--chain") == 0;
			continue;
		}
		if (is_server(argv[i]))
			servers = 1;
		else
			files = 1;
	}
	if (only)
		return 1;
	return servers && files ? -1 : servers;
}

int
pf_cmd_pin(int argc, char *argv[])
{
	struct options o = {0, 0, 0, 0, 0, {stdout, 1}};
	struct sigaction action;
	int status = PF_EXIT_FINE, servers = asks_servers(argc, argv);
	int i;

	if (servers < 0)
		return pf_usage("pin",
		    "files and servers want commands of their own: some of "
		    "these are files, some are not",
		    NULL);
	if (servers)
		return pf_run_program("pinfast-live", argv);
	i = read_options(argc, argv, &o, &status);
	if (i == 0)
		return status;
	if (i >= argc)
		return pf_usage("pin", "name at least one file or server",
		    NULL);
	memset(&action, 0, sizeof action);
	action.sa_handler = on_interrupt;
	sigaction(SIGINT, &action, NULL);
	if (o.json)
		pf_json_begin(&o.j, NULL, '[');
	for (; i < argc && !interrupted; i++)
		if (handle_file(&o, argv[i]) != PF_EXIT_FINE)
			status = PF_EXIT_UNDECIDED;
	if (o.json) {
		pf_json_end(&o.j, ']');
		putchar('\n');
	}
	return interrupted ? 130 : status;
}
