#define _GNU_SOURCE
#include "cli/out.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/*
 * The length of the character at text and its number; 0: not UTF-8
 * (RFC 3629: no surrogates, no long forms).
 */
static size_t
utf8(const unsigned char *text, size_t left, uint32_t *number)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = text[0] < 0x80   ? 1
	             : text[0] < 0xc2 ? 0
	             : text[0] < 0xe0 ? 2
	             : text[0] < 0xf0 ? 3
	             : text[0] < 0xf5 ? 4
	                              : 0;
	uint32_t n = len < 2 ? text[0] : text[0] & (0x7fU >> len);

	if (len > left)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		n = n << 6 | (text[i] & 0x3fU);
	}
	if (len == 0 || n < least[len] || n > 0x10ffff ||
	    (n >= 0xd800 && n < 0xe000))
		return 0;
	*number = n;
	return len;
}

/* Characters that steer a terminal, turn the direction of writing or cannot
 * be seen: first and last of each range. */
static const uint32_t unseen[][2] = {{0, 0x1f}, {0x7f, 0x9f}, {0xad, 0xad},
    {0x61c, 0x61c}, {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},
    {0x2060, 0x206f}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb},
    {0xe0000, 0x10ffff}};

static int
is_seen(uint32_t number)
{
	for (size_t i = 0; i < sizeof unseen / sizeof *unseen; i++)
		if (number >= unseen[i][0] && number <= unseen[i][1])
			return 0;
	return 1;
}

static void
escape(FILE *out, const char *text, size_t len, uint32_t number)
{
	if (len == 0)
		fputs("\\ufffd", out);
	else if (number == '"' || number == '\\')
		fprintf(out, "\\%c", *text);
	else if (is_seen(number))
		fwrite(text, 1, len, out);
	else if (number < 0x10000)
		fprintf(out, "\\u%04x", (unsigned)number);
	else
		fprintf(out, "\\u%04x\\u%04x",
		    (unsigned)(0xd7c0 + (number >> 10)),
		    (unsigned)(0xdc00 + (number & 0x3ff)));
}

static void
quote(FILE *out, const char *text, size_t len)
{
	putc('"', out);
	for (size_t i = 0, step; i<len; i += step> 0 ? step : 1) {
		uint32_t number = 0;

		step = utf8((const unsigned char *)text + i, len - i, &number);
		escape(out, text + i, step, number);
	}
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
pf_json_text(struct pf_json *j, const char *key, const char *text, size_t len)
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
	for (size_t i = 0, step; i < len; i += step) {
		uint32_t number = 0;

		step = utf8((const unsigned char *)text + i, len - i, &number);
		if (step > 0 && is_seen(number)) {
			fwrite(text + i, 1, step, out);
			continue;
		}
		step = step > 0 ? step : 1;
		for (size_t k = 0; k < step; k++)
			fprintf(out, "\\x%02x", (unsigned char)text[i + k]);
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
		/* The value of an option may be a secret. */
		size_t len = word[0] == '-' ? strcspn(word, "=") : strlen(word);

		fputs(" `", stderr);
		pf_print_safe(stderr, word, len);
		putc('`', stderr);
	}
	fprintf(stderr, "\nTry `pinfast %s --help`.\n", command);
	return PF_EXIT_USAGE;
}

void
pf_streams_guard(void)
{
	/* In the wrong direction, so that using them fails as before. */
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null",
		        fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			return;
}

int
pf_finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	pf_complain(NULL, "the output could not be written");
	return PF_EXIT_UNDECIDED;
}

static const char *lacking; /* the last word, behind which a value is missing */

const char *
pf_option(int argc, char *const argv[], int *i, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(argv[*i], name, len) != 0)
		return NULL;
	if (argv[*i][len] == '=')
		return argv[*i] + len + 1;
	if (argv[*i][len] != '\0')
		return NULL;
	if (*i + 1 < argc)
		return argv[++*i];
	lacking = argv[*i];
	return NULL;
}

static int
print_help(const char *const *help)
{
	for (; *help != NULL; help++)
		fputs(*help, stdout);
	return PF_EXIT_FINE;
}

int
pf_read_arguments(int argc, char *argv[], const struct pf_arguments *how,
    void *arg)
{
	int only_words = 0, status = -1;

	for (int i = 1; i < argc && status < 0; i++) {
		if (only_words || argv[i][0] != '-' || argv[i][1] == '\0')
			status = how->word(argv[i], arg);
		else if (strcmp(argv[i], "--help") == 0)
			return print_help(how->help);
		else if (strcmp(argv[i], "--") == 0)
			only_words = 1;
		else
			status = how->option(argc, argv, &i, arg);
	}
	return status;
}

int
pf_unknown(const char *command, const char *word)
{
	return pf_usage(command,
	    word == lacking ? "a value is missing behind" : "no such option",
	    word);
}
