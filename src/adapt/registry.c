#include "adapt/registry.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_LEN 16

static int
is_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789");

	return len > 0 && len <= NAME_MAX_LEN && name[len] == '\0';
}

enum pinfast_error
pf_registry_check(const char *name, const struct pf_adapter *adapter)
{
	if (adapter == NULL)
		return PINFAST_EFORMAT;
	/* What we do not know stands behind what we know. */
	if (adapter->abi != PF_ADAPTER_ABI || adapter->size < sizeof *adapter)
		return PINFAST_EVERSION;
	if (adapter->name == NULL || strcmp(adapter->name, name) != 0 ||
	    adapter->library == NULL || adapter->attach == NULL ||
	    adapter->result == NULL || adapter->explain == NULL ||
	    adapter->conn == NULL)
		return PINFAST_EFORMAT;
	return PINFAST_OK;
}

static enum pinfast_error
refuse(struct pinfast_diag *diag, enum pinfast_error error, const char *name,
    const char *what)
{
	char text[sizeof diag->text];

	snprintf(text, sizeof text, "the adapter for %.*s: %s", NAME_MAX_LEN,
	    name, what);
	return pf_attached_refuse(diag, error, text);
}

static enum pinfast_error
ask(void *library, const char *name, const struct pf_adapter **out)
{
	char symbol[64];
	pf_adapter_fn fn;
	void *found;

	snprintf(symbol, sizeof symbol, "pinfast_adapter_%s", name);
	found = dlsym(library, symbol);
	if (found == NULL)
		return PINFAST_EFORMAT;
	/* POSIX: what dlsym() finds may be a function. */
	memcpy(&fn, &found, sizeof fn);
	*out = fn();
	return pf_registry_check(name, *out);
}

enum pinfast_error
pf_registry_find(const char *name, struct pinfast_diag *diag,
    const struct pf_adapter **out)
{
	const struct pf_adapter *adapter = NULL;
	enum pinfast_error error;
	char file[64];
	void *library;

	if (name == NULL || !is_name(name))
		return pf_attached_refuse(diag, PINFAST_EUSAGE,
		    "not the name of an adapter");
	snprintf(file, sizeof file, "libpinfast-%s.so.0", name);
	/* Its TLS library is not to be taken for the program's own. */
	library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL) {
		const char *why = dlerror();

		return refuse(diag, PINFAST_ENOTFOUND, name,
		    why != NULL ? why : "it cannot be loaded");
	}
	error = ask(library, name, &adapter);
	if (error != PINFAST_OK) {
		dlclose(library);
		return refuse(diag, error, name,
		    error == PINFAST_EVERSION
		        ? "it was made for another version of pinfast"
		        : "it is not what its name says");
	}
	*out = adapter;
	return PINFAST_OK;
}
