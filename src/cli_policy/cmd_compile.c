#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "cli/out.h"
#include "cli_policy/policy_command.h"
#include "core/store.h"
#include "os/file.h"

static const char help[] =
    "usage: pinfast compile POLICY -o STORE [OPTIONS]\n\n"
    "Turns a policy into the store that programs load.  A policy with\n"
    "errors leaves an existing store as it is.\n\n"
    "  -o, --output FILE  where the store goes; -: to standard output\n"
    "  --format store|c   a store file (default), or a C array\n"
    "  --time T           compile as if it were this time\n"
    "  --quiet            no summary\n"
    "  --help\n";

struct options {
	const char *path, *output;
	int as_c, quiet;
	int64_t now;
};

static int
read_option(int argc, char *argv[], int *i, void *arg)
{
	struct options *o = arg;
	const char *value;

	if (strcmp(argv[*i], "--quiet") == 0) {
		o->quiet = 1;
	} else if ((value = pf_option(argc, argv, i, "--format")) != NULL) {
		if (strcmp(value, "c") != 0 && strcmp(value, "store") != 0)
			return pf_usage("compile",
			    "--format is store or c, not", value);
		o->as_c = strcmp(value, "c") == 0;
	} else if ((value = pf_option(argc, argv, i, "--time")) != NULL) {
		if (!pf_time_option("compile", value, &o->now))
			return PF_EXIT_USAGE;
	} else if ((value = pf_option(argc, argv, i, "--output")) != NULL ||
	           (value = pf_option(argc, argv, i, "-o")) != NULL) {
		o->output = value;
	} else {
		return pf_unknown("compile", argv[*i]);
	}
	return -1;
}

static int
read_word(char *word, void *arg)
{
	struct options *o = arg;

	if (o->path != NULL)
		return pf_usage("compile", "one policy at a time, not also",
		    word);
	o->path = word;
	return -1;
}

static int
read_options(int argc, char *argv[], struct options *o)
{
	static const char *const texts[] = {help, NULL};
	static const struct pf_arguments how = {texts, read_option, read_word};
	int status = pf_read_arguments(argc, argv, &how, o);

	if (status >= 0)
		return status;
	if (o->path == NULL)
		return pf_usage("compile", "name a policy", NULL);
	if (o->output == NULL)
		return pf_usage("compile", "say -o STORE", NULL);
	return -1;
}

/* The store as a C array; the text's length, NULL: no memory. */
static char *
as_c(const struct pinfast_store *store, size_t *len)
{
	size_t size = 1024 + store->size * 6, at;
	char *out = malloc(size);
	char digest[65];

	if (out == NULL)
		return NULL;
	pf_hex_write(pinfast_store_digest(store), 32, digest);
	at = (size_t)snprintf(out, size,
	    "/* A compiled pinfast policy.  serial %llu, digest %s */\n"
	    "#include <stddef.h>\n\n"
	    "const unsigned char pinfast_policy[] = {",
	    (unsigned long long)pinfast_store_serial(store), digest);
	for (size_t i = 0; i < store->size; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%u,",
		    i % 16 == 0 ? "\n" : "", store->base[i]);
	at += (size_t)snprintf(out + at, size - at,
	    "\n};\nconst size_t pinfast_policy_len = sizeof "
	    "pinfast_policy;\n");
	*len = at;
	return out;
}

static int
is_stdout(const char *output)
{
	return output != NULL && strcmp(output, "-") == 0;
}

static int
write_output(const struct options *o, const struct pinfast_store *store)
{
	struct pinfast_diag diag;
	const void *data = store->base;
	size_t len = store->size;
	char *text = NULL;
	enum pinfast_error error = PINFAST_OK;

	memset(&diag, 0, sizeof diag);
	if (o->as_c) {
		text = as_c(store, &len);
		data = text;
	}
	if (data == NULL)
		strcpy(diag.text, "out of memory");
	else if (is_stdout(o->output)) /* pf_finish() sees what fails */
		(void)fwrite(data, 1, len, stdout);
	else
		error = pf_file_write(o->output, data, len, 0644, &diag);
	free(text);
	if (data != NULL && error == PINFAST_OK)
		return PF_EXIT_FINE;
	pf_complain_diag(&diag);
	return PF_EXIT_UNDECIDED;
}

static int
count_one(void *arg, const char *name, size_t len, enum pinfast_scope scope,
    uint16_t port)
{
	(void)name;
	(void)len;
	(void)scope;
	(void)port;
	++*(unsigned long *)arg;
	return 0;
}

static void
print_summary(const struct options *o, const struct pinfast_store *store)
{
	unsigned long entries = 0;
	char digest[65];

	(void)pinfast_store_each(store, count_one, &entries);
	pf_hex_write(pinfast_store_digest(store), 32, digest);
	printf("%s: %lu entries, %zu bytes, serial %llu, digest %s\n",
	    o->output, entries, store->size,
	    (unsigned long long)pinfast_store_serial(store), digest);
}

int
pf_cmd_compile(int argc, char *argv[])
{
	struct options o = {NULL, NULL, 0, 0, pf_clock_now()};
	struct pf_listener l;
	struct pf_loaded policy;
	int status = read_options(argc, argv, &o);

	if (status >= 0)
		return status;
	pf_listener_init(&l, o.path);
	l.quiet_below = PF_LEVEL_ERROR;
	l.out = stderr;
	status = pf_policy_load(o.path, o.now, &l, &policy);
	if (status == PF_EXIT_FINE)
		status = write_output(&o, policy.store);
	if (status == PF_EXIT_FINE && !o.quiet && !is_stdout(o.output))
		print_summary(&o, policy.store);
	pf_loaded_free(&policy);
	return status;
}
