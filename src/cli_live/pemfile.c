#include "cli_live/pemfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "base/pem.h"
#include "cli/out.h"

#define MAX_PEM_FILE (16UL * 1024 * 1024)

static int
complain_at(const char *path, const struct pf_pem *block, const char *what)
{
	char text[256];

	snprintf(text, sizeof text, "line %zu: `%.*s` %s", block->line,
	    block->label_len < 40 ? (int)block->label_len : 40, block->label,
	    what);
	pf_complain(path, text);
	return 0;
}

static int
add(STACK_OF(X509) * certs, struct pinfast_bytes der)
{
	const unsigned char *at = der.data;
	X509 *cert = d2i_X509(NULL, &at, (long)der.len);

	if (cert != NULL && at == der.data + der.len &&
	    sk_X509_push(certs, cert) > 0)
		return 1;
	X509_free(cert);
	ERR_clear_error();
	return 0;
}

static int
read_blocks(const char *path, struct pinfast_bytes text, uint8_t *buffer,
    STACK_OF(X509) * certs)
{
	struct pinfast_bytes der = {buffer, 0};
	struct pf_pem block;
	size_t pos = 0;

	for (;;) {
		enum pinfast_error error =
		    pf_pem_next(text, &pos, &block, buffer, text.len + 4);

		if (error == PINFAST_ENOTFOUND)
			break;
		if (error != PINFAST_OK)
			return complain_at(path, &block,
			    "is a damaged PEM block; save the certificates "
			    "again");
		if (!pf_pem_is(&block, "CERTIFICATE"))
			return complain_at(path, &block,
			    "is no certificate; the file may hold only "
			    "certificates");
		der.len = block.len;
		if (!add(certs, der))
			return complain_at(path, &block,
			    "cannot be read as an X.509 certificate; save it "
			    "again");
	}
	if (sk_X509_num(certs) > 0)
		return 1;
	pf_complain(path,
	    text.len == 0
	        ? "is empty; it must hold certificates in PEM"
	        : "holds no certificate in PEM; `openssl x509 -inform DER` "
	          "makes PEM of DER");
	return 0;
}

STACK_OF(X509) * pf_pemfile_read(const char *path, enum pf_file_trust trust)
{
	STACK_OF(X509) *certs = sk_X509_new_null();
	struct pinfast_bytes text = {NULL, 0};
	struct pinfast_diag diag;
	struct pf_content file = {NULL, 0};
	uint8_t *buffer = NULL;
	int fine = 0;

	memset(&diag, 0, sizeof diag);
	if (pf_file_read(path, MAX_PEM_FILE, trust, &diag, &file) !=
	    PINFAST_OK) {
		pf_complain(path[0] != '\0' ? path : "``", diag.text);
	} else {
		text.data = file.data;
		text.len = file.len;
		buffer = malloc(text.len + 4);
		if (buffer == NULL || certs == NULL)
			pf_complain(path, "out of memory");
		else
			fine = read_blocks(path, text, buffer, certs);
	}
	free(buffer);
	free(file.data);
	if (fine)
		return certs;
	pf_pemfile_free(certs);
	return NULL;
}

void
pf_pemfile_free(STACK_OF(X509) * certs)
{
	sk_X509_pop_free(certs, X509_free);
}
