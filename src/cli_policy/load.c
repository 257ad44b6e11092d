#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/time.h"
#include "cli_policy/load.h"
#include "core/layout.h"
#include "core/store.h"
#include "os/alloc.h"
#include "os/file.h"

static void
print_finding(struct pf_listener *l, const struct pf_finding *f)
{
	static const char *const names[] = {"", "error", "warning", "note"};

	if (l->json != NULL) {
		pf_json_begin(l->json, NULL, '{');
		pf_json_string(l->json, "file", l->path);
		pf_json_number(l->json, "line", f->line);
		pf_json_number(l->json, "column", f->column);
		pf_json_string(l->json, "level", names[f->level]);
		pf_json_string(l->json, "rule", f->rule);
		pf_json_string(l->json, "text", f->text);
		pf_json_end(l->json, '}');
		return;
	}
	pf_print_safe(l->out, l->path, strlen(l->path));
	if (f->line > 0)
		fprintf(l->out, ":%u:%u", f->line, f->column);
	fprintf(l->out, ": %s: ", names[f->level]);
	pf_print_safe(l->out, f->text, strlen(f->text));
	fprintf(l->out, " [%s]\n", f->rule);
}

static void
hear(void *arg, const struct pf_finding *finding)
{
	struct pf_listener *l = arg;

	l->errors += finding->level == PF_LEVEL_ERROR;
	l->warnings += finding->level == PF_LEVEL_WARNING;
	if ((int)finding->level <= l->quiet_below)
		print_finding(l, finding);
}

void
pf_listener_init(struct pf_listener *l, const char *path)
{
	memset(l, 0, sizeof *l);
	l->path = path;
	l->quiet_below = PF_LEVEL_NOTE;
	l->out = stdout;
	l->sink.say = hear;
	l->sink.arg = l;
}

static int
open_store(const char *path, struct pinfast_bytes text, struct pf_loaded *out)
{
	struct pinfast_diag diag;
	enum pinfast_error error;

	memset(&diag, 0, sizeof diag);
	/* Standard input has been read; `-` may also be a file's name. */
	if (strcmp(path, "-") == 0)
		error =
		    pinfast_store_open_memory(text, NULL, &diag, &out->store);
	else
		error = pinfast_store_open_file(path, NULL, &diag, &out->store);
	if (error == PINFAST_OK &&
	    pinfast_store_verify(out->store) != PINFAST_OK) {
		strcpy(diag.text, "the store is damaged: its digest is "
		                  "another one");
		error = PINFAST_EFORMAT;
	}
	if (error == PINFAST_OK)
		return PF_EXIT_FINE;
	pf_complain(path, diag.text);
	return PF_EXIT_UNDECIDED;
}

static int
is_binary(const uint8_t *text, size_t len)
{
	return len > 0 &&
	       (text[0] < 0x09 ||
	           memchr(text, '\0', len < 512 ? len : 512) != NULL);
}

static int
compile_text(const char *path, size_t len, int64_t now, struct pf_listener *l,
    struct pf_loaded *out)
{
	struct pf_text_options options = {path, now, 0};
	struct pinfast_bytes text = {out->text, len};
	struct pinfast_diag diag;
	const struct pinfast_alloc alloc = pf_alloc_large();
	enum pinfast_error error = pinfast_builder_new(&alloc, &out->builder);

	memset(&diag, 0, sizeof diag);
	if (error == PINFAST_OK)
		error = pf_policy_read(text, &options, out->builder, &l->sink);
	if (error == PINFAST_OK)
		error =
		    pinfast_builder_finish(out->builder, &diag, &out->image);
	if (error == PINFAST_OK)
		error = pinfast_store_open_memory(out->image, NULL, &diag,
		    &out->store);
	if (error == PINFAST_OK) {
		free(out->text);
		out->text = NULL;
		return PF_EXIT_FINE;
	}
	if (l->errors == 0)
		pf_complain(path, diag.text[0] != '\0'
		                      ? diag.text
		                      : pinfast_error_text(error));
	return PF_EXIT_UNDECIDED;
}

int
pf_policy_load(const char *path, int64_t now, struct pf_listener *l,
    struct pf_loaded *out)
{
	struct pinfast_diag diag;
	struct pf_content file;

	memset(out, 0, sizeof *out);
	memset(&diag, 0, sizeof diag);
	if (pf_file_read(path, PF_MAX_POLICY_TEXT, PF_FILE_OURS, &diag,
	        &file) != PINFAST_OK) {
		pf_complain_diag(&diag);
		return PF_EXIT_UNDECIDED;
	}
	out->text = file.data;
	if (file.len >= PF_MAGIC_LEN &&
	    memcmp(out->text, PF_MAGIC, PF_MAGIC_LEN) == 0) {
		struct pinfast_bytes text = {out->text, file.len};

		if (strcmp(path, "-") != 0) {
			free(out->text);
			out->text = NULL;
		}
		return open_store(path, text, out);
	}
	if (is_binary(out->text, file.len)) {
		pf_complain(path,
		    "is neither policy text nor a compiled policy");
		return PF_EXIT_UNDECIDED;
	}
	return compile_text(path, file.len, now, l, out);
}

void
pf_loaded_free(struct pf_loaded *loaded)
{
	pinfast_store_free(loaded->store);
	pinfast_builder_free(loaded->builder);
	free(loaded->text);
}

int
pf_time_option(const char *command, const char *text, int64_t *now)
{
	if (pf_time_parse(text, strlen(text), now) == PINFAST_OK)
		return 1;
	(void)pf_usage(command,
	    "--time takes 2027-05-20 or 2027-05-20T12:00:00Z, not", text);
	return 0;
}

int
pf_target_split(const char *text, size_t *len, uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	unsigned long value;
	char *end;

	*len = strlen(text);
	*port = 0;
	if (colon == NULL || strchr(colon, ']') != NULL ||
	    (text[0] != '[' && strchr(text, ':') != colon))
		return 1;
	value = strtoul(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end != '\0' || value == 0 ||
	    value > 65535)
		return 0;
	*len = (size_t)(colon - text);
	*port = (uint16_t)value;
	return 1;
}
