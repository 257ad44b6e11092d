#include "base/limits.h"
#include "core/store.h"
#include "os/file.h"

static void
release(const uint8_t *data, size_t len)
{
	struct pf_map map;

	map.data = data;
	map.len = len;
	pf_map_close(&map);
}

enum pinfast_error
pinfast_store_open_file(const char *path, const struct pinfast_alloc *alloc,
    struct pinfast_diag *diag, struct pinfast_store **out)
{
	struct pf_map map;
	struct pinfast_bytes image;
	enum pinfast_error error;

	if (path == NULL || out == NULL)
		return PINFAST_EUSAGE;
	error = pf_map_open(path, PF_MAX_STORE, diag, &map);
	if (error != PINFAST_OK)
		return error;
	image.data = map.data;
	image.len = map.len;
	error = pf_store_open_owned(image, alloc, diag, release, out);
	if (error != PINFAST_OK)
		pf_map_close(&map);
	return error;
}

enum pinfast_error
pinfast_load_file(struct pinfast *policy, const char *path,
    struct pinfast_diag *diag)
{
	struct pinfast_store *store;
	enum pinfast_error error;

	if (policy == NULL)
		return PINFAST_EUSAGE;
	error = pinfast_store_open_file(path, NULL, diag, &store);
	if (error != PINFAST_OK)
		return error;
	error = pinfast_load(policy, store, diag);
	if (error != PINFAST_OK)
		pinfast_store_free(store);
	return error;
}
