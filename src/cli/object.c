#define _DEFAULT_SOURCE
#include "cli/object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pem.h"
#include "base/sha256.h"
#include "cli/out.h"
#include "cli/subject.h"
#include "core/der.h"
#include "os/file.h"

const char pf_object_remedy[] =
    "a private key from which the public one must be computed: run "
    "`openssl pkey -in KEY -pubout | pinfast pin -`";

static void
complain_at(const char *file, const char *what, size_t bad_at)
{
	char text[256];

	snprintf(text, sizeof text,
	    "%s (byte %zu is wrong); nothing can be pinned safely here", what,
	    bad_at);
	pf_complain(file, text);
}

static void
set_key(struct pf_object *o, const struct pf_key *key, const char *role)
{
	pf_sha256(key->spki.data, key->spki.len, o->pin);
	o->role = role;
	o->caveat = pf_pin_caveat(key);
}

int
pf_object_identify(struct pf_object *o)
{
	struct pf_cert cert;
	struct pf_key key;
	struct pinfast_bytes subject, spki;
	size_t at[3], furthest = 0;

	o->subject[0] = '\0';
	o->is_cert = pf_cert_walk(o->der, &cert, &at[0]) == PINFAST_OK;
	if (o->is_cert) {
		set_key(o, &cert.key, pf_cert_role(&cert));
		pf_subject_text(cert.subject, o->subject, sizeof o->subject);
		return 1;
	}
	if (pf_csr_walk(o->der, &key, &subject, &at[1]) == PINFAST_OK) {
		set_key(o, &key, "csr");
		pf_subject_text(subject, o->subject, sizeof o->subject);
		return 1;
	}
	if (pf_spki_walk(o->der, &key, &at[2]) == PINFAST_OK) {
		set_key(o, &key, "public-key");
		return 1;
	}
	switch (pf_keyfile_public(o->der, o->made, &spki.len)) {
	case PF_KEYFILE_MADE:
		spki.data = o->made;
		if (pf_spki_walk(spki, &key, NULL) != PINFAST_OK)
			break;
		set_key(o, &key, "private-key");
		return 1;
	case PF_KEYFILE_NEEDS_MORE:
		pf_complain(o->file, pf_object_remedy);
		return 0;
	case PF_KEYFILE_NONE:
		break;
	}
	for (unsigned i = 0; i < 3; i++)
		if (at[i] > furthest)
			furthest = at[i];
	complain_at(o->file,
	    o->der.len > 0 && o->der.data[0] != PF_DER_SEQUENCE
	        ? "neither a PEM block nor DER"
	        : "not a certificate, request or key in exact DER",
	    furthest);
	return 0;
}

/* The first PEM block that is a key, or the whole file. */
static int
first_of(const char *path, struct pinfast_bytes text, uint8_t *buffer,
    struct pf_object *out)
{
	struct pf_pem block;
	size_t pos = 0;
	enum pinfast_error error;

	out->file = path;
	out->der.data = buffer;
	do {
		error = pf_pem_next(text, &pos, &block, buffer, text.len + 4);
	} while (error == PINFAST_OK && pf_pem_is(&block, "EC PARAMETERS"));
	if (error == PINFAST_ENOTFOUND)
		out->der = text;
	else
		out->der.len = error == PINFAST_OK ? block.len : 0;
	return pf_object_identify(out);
}

int
pf_object_read(const char *path, struct pf_object *out)
{
	struct pinfast_diag diag;
	struct pf_content file;
	uint8_t *buffer;
	int fine = 0;

	memset(&diag, 0, sizeof diag);
	if (pf_file_read(path, PF_OBJECT_FILE, PF_FILE_ANY, &diag, &file) !=
	    PINFAST_OK) {
		pf_complain(path[0] != '\0' ? diag.file : "``", diag.text);
		return 0;
	}
	buffer = malloc(file.len + 4);
	if (buffer != NULL)
		fine = first_of(path,
		    (struct pinfast_bytes){file.data, file.len}, buffer, out);
	else
		pf_complain(path, "out of memory");
	/* It may have been a private key. */
	if (buffer != NULL)
		explicit_bzero(buffer, file.len + 4);
	explicit_bzero(file.data, file.len);
	free(buffer);
	free(file.data);
	return fine;
}
