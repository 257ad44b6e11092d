#define _DEFAULT_SOURCE /* explicit_bzero() */
#include "adapt/blob.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

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
pf_blob_save(const char *path, const uint8_t *data, size_t len,
    struct pinfast_diag *diag)
{
	return pf_file_write(path, data, len, 0600, diag);
}

enum pinfast_error
pf_blob_load(const char *path, struct pinfast_diag *diag,
    struct pf_content *out)
{
	return pf_file_read(path, PF_BLOB_MAX, PF_FILE_SECRET, diag, out);
}

void
pf_blob_forget(struct pf_content *file)
{
	if (file->data != NULL)
		explicit_bzero(file->data, file->len);
	free(file->data);
	file->data = NULL;
	file->len = 0;
}
