#define _DEFAULT_SOURCE /* explicit_bzero() */
#include "adapt/blob.h"

#include <stdlib.h>
#include <string.h>

#include "adapt/adapter.h"
#include "base/bytes.h"
#include "os/file.h"

#define MAGIC_LEN 4
#define HEAD 8

size_t
pf_blob_write(const char *magic, const struct pf_blob *blob, uint8_t *out,
    size_t size)
{
	size_t all;

	if (blob->session.len == 0 || blob->session.len > PF_BLOB_MAX ||
	    blob->tag.len > PINFAST_TAG_MAX)
		return 0;
	all = HEAD + blob->tag.len + blob->session.len;
	if (all > PF_BLOB_MAX)
		return 0;
	if (out == NULL || size < all)
		return all;
	memcpy(out, magic, MAGIC_LEN);
	pf_put_le32(out + MAGIC_LEN, (uint32_t)blob->tag.len);
	if (blob->tag.len > 0)
		memcpy(out + HEAD, blob->tag.data, blob->tag.len);
	memcpy(out + HEAD + blob->tag.len, blob->session.data,
	    blob->session.len);
	return all;
}

enum pinfast_error
pf_blob_read(const char *magic, const uint8_t *data, size_t len,
    struct pf_blob *out)
{
	size_t tag_len;

	if (len < HEAD || len > PF_BLOB_MAX ||
	    memcmp(data, magic, MAGIC_LEN) != 0)
		return PINFAST_EFORMAT;
	tag_len = pf_le32(data + MAGIC_LEN);
	if (tag_len > PINFAST_TAG_MAX || tag_len >= len - HEAD)
		return PINFAST_EFORMAT;
	out->tag.data = data + HEAD;
	out->tag.len = tag_len;
	out->session.data = data + HEAD + tag_len;
	out->session.len = len - HEAD - tag_len;
	return PINFAST_OK;
}

enum pinfast_error
pf_blob_save(const char *path, pf_blob_write_fn fn, void *arg,
    struct pinfast_diag *diag)
{
	enum pinfast_error error = PINFAST_ENOMEM;
	size_t len = fn(arg, NULL, 0);
	uint8_t *bytes;

	if (len == 0)
		return pf_attached_refuse(diag, PINFAST_ENOTFOUND,
		    "this connection's session cannot be resumed safely");
	bytes = malloc(len);
	if (bytes == NULL)
		return pf_attached_refuse(diag, error, "out of memory");
	if (fn(arg, bytes, len) == len)
		error = pf_file_write(path, bytes, len, 0600, diag);
	else
		pf_attached_refuse(diag, error, "out of memory");
	explicit_bzero(bytes, len);
	free(bytes);
	return error;
}

enum pinfast_error
pf_blob_load(const char *path, pf_blob_read_fn fn, void *arg,
    struct pinfast_diag *diag)
{
	struct pf_content file;
	enum pinfast_error error =
	    pf_file_read(path, PF_BLOB_MAX, PF_FILE_SECRET, diag, &file);

	if (error != PINFAST_OK)
		return error;
	error = fn(arg, file.data, file.len);
	explicit_bzero(file.data, file.len);
	free(file.data);
	return error;
}
