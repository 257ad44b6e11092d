#include "cli/out.h"

#include <string.h>

static void
escape(FILE *out, unsigned char c)
{
	if (c == '"' || c == '\\')
		fprintf(out, "\\%c", c);
	else if (c < 0x20 || c >= 0x7f)
		fprintf(out, "\\u%04x", c);
	else
		putc(c, out);
}

static void
quote(FILE *out, const char *text, size_t len)
{
	putc('"', out);
	for (size_t i = 0; i < len; i++)
		escape(out, (unsigned char)text[i]);
	putc('"', out);
}

static void
member(struct pf_json *j, const char *key)
{
	if (!j->first)
		putc(',', j->out);
	j->first = 0;
	if (key != NULL) {
		quote(j->out, key, strlen(key));
		putc(':', j->out);
	}
}

void
pf_json_begin(struct pf_json *j, const char *key, char bracket)
{
	member(j, key);
	putc(bracket, j->out);
	j->first = 1;
}

void
pf_json_end(struct pf_json *j, char bracket)
{
	putc(bracket, j->out);
	j->first = 0;
}

void
pf_json_text(
    struct pf_json *j, const char *key, const char *text, size_t len)
{
	member(j, key);
	quote(j->out, text, len);
}

void
pf_json_string(struct pf_json *j, const char *key, const char *text)
{
	pf_json_text(j, key, text, strlen(text));
}

void
pf_json_number(struct pf_json *j, const char *key, int64_t number)
{
	member(j, key);
	fprintf(j->out, "%lld", (long long)number);
}

void
pf_json_bool(struct pf_json *j, const char *key, int value)
{
	member(j, key);
	fputs(value ? "true" : "false", j->out);
}

void
pf_json_pin(struct pf_json *j, const char *key,
    const uint8_t pin[PINFAST_PIN_LEN])
{
	char text[PINFAST_PIN_TEXT_LEN];

	pinfast_pin_write(pin, text);
	pf_json_string(j, key, text);
}

void
pf_print_safe(FILE *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\x%02x", c);
		else
			putc(c, out);
	}
}

void
pf_complain(const char *file, const char *text)
{
	fputs("pinfast: ", stderr);
	if (file != NULL && file[0] != '\0') {
		pf_print_safe(stderr, file, strlen(file));
		fputs(": ", stderr);
	}
	pf_print_safe(stderr, text, strlen(text));
	putc('\n', stderr);
}

void
pf_complain_diag(const struct pinfast_diag *diag)
{
	pf_complain(diag->file, diag->text);
}

int
pf_usage(const char *command, const char *text, const char *word)
{
	fprintf(stderr, "pinfast %s: %s", command, text);
	if (word != NULL) {
		fputs(" `", stderr);
		pf_print_safe(stderr, word, strlen(word));
		putc('`', stderr);
	}
	fprintf(stderr, "\nTry `pinfast %s --help`.\n", command);
	return PF_EXIT_USAGE;
}

int
pf_finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	pf_complain(NULL, "the output could not be written");
	return PF_EXIT_UNDECIDED;
}

const char *
pf_option(int argc, char *const argv[], int *i, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(argv[*i], name, len) != 0)
		return NULL;
	if (argv[*i][len] == '=')
		return argv[*i] + len + 1;
	if (argv[*i][len] != '\0' || *i + 1 >= argc)
		return NULL;
	return argv[++*i];
}
