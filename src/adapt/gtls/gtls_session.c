#include "adapt/gtls/gtls.h"

#include <stdlib.h>
#include <string.h>

#include "adapt/blob.h"

#define MAGIC "PFG1"
/* Shorter ones are what GnuTLS says when there is no ticket. */
#define MIN_SESSION 16

void
pf_gtls_forget(struct pf_gtls *st)
{
	if (st->offered != NULL)
		gnutls_memset(st->offered, 0, st->offered_len);
	free(st->offered);
	st->offered = NULL;
	st->offered_len = 0;
}

/* ------------------------------------------------------------ client hellos */

struct reader {
	const uint8_t *at;
	size_t left;
};

/* A vector (RFC 8446, 3.4) whose length has that many octets. */
static int
take(struct reader *r, unsigned octets, struct reader *out)
{
	size_t len = 0;

	if (r->left < octets)
		return 0;
	for (unsigned i = 0; i < octets; i++)
		len = len << 8 | r->at[i];
	if (r->left - octets < len)
		return 0;
	out->at = r->at + octets;
	out->left = len;
	r->at += octets + len;
	r->left -= octets + len;
	return 1;
}

static unsigned
number(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static struct pinfast_bytes
bytes_of(const struct reader *r)
{
	struct pinfast_bytes bytes = {r->at, r->left};

	return bytes;
}

static int
read_extension(struct reader *all, struct pf_gtls_hello *out)
{
	struct reader body, identities, identity;
	unsigned type;

	if (all->left < 2)
		return 0;
	type = number(all->at);
	all->at += 2;
	all->left -= 2;
	if (!take(all, 2, &body))
		return 0;
	if (type == 42)
		out->early = 1; /* early_data */
	if (type == 35)
		out->ticket = bytes_of(&body); /* session_ticket */
	if (type != 41)
		return 1;
	/* pre_shared_key: the first is a ticket's. */
	if (!take(&body, 2, &identities) || !take(&identities, 2, &identity))
		return 0;
	out->psk = bytes_of(&identity);
	return 1;
}

int
pf_gtls_hello_read(const uint8_t *at, size_t len, struct pf_gtls_hello *out)
{
	struct reader r = {at, len}, id, skipped, extensions;

	memset(out, 0, sizeof *out);
	if (len < 34)
		return 0;
	r.at += 34; /* version and random */
	r.left -= 34;
	if (!take(&r, 1, &id) || !take(&r, 2, &skipped) ||
	    !take(&r, 1, &skipped))
		return 0;
	out->id = bytes_of(&id);
	if (r.left == 0)
		return 1;
	if (!take(&r, 2, &extensions) || r.left != 0)
		return 0;
	while (extensions.left > 0)
		if (!read_extension(&extensions, out))
			return 0;
	return 1;
}

static int
has(const struct pf_gtls *st, struct pinfast_bytes what)
{
	if (st->offered == NULL || what.len == 0 || what.len > st->offered_len)
		return 0;
	for (size_t i = 0; i <= st->offered_len - what.len; i++)
		if (memcmp(st->offered + i, what.data, what.len) == 0)
			return 1;
	return 0;
}

/* A TLS 1.2 server may take the ticket or the identifier, and GnuTLS keeps a
 * ticket when it is given another session without one. */
unsigned
pf_gtls_offers(const struct pf_gtls *st, const struct pf_gtls_hello *hello)
{
	unsigned versions = has(st, hello->psk) ? PF_GTLS_TLS13 : 0;

	if (has(st, hello->id) &&
	    (hello->ticket.len == 0 || has(st, hello->ticket)))
		versions |= PF_GTLS_TLS12;
	return versions;
}

/* ------------------------------------------------------------------ writing */

size_t
pinfast_gnutls_session_write(gnutls_session_t session, uint8_t *out,
    size_t size)
{
	struct pf_gtls *st = pf_gtls_of(session);
	struct pf_blob blob = {{NULL, 0}, {NULL, 0}};
	uint8_t tag[PINFAST_TAG_MAX];
	gnutls_datum_t data;
	size_t len = 0;

	if (st == NULL || st->a.server || st->a.doomed ||
	    !pf_gtls_over(session, st) ||
	    pf_gtls_end(session, st).decision != PINFAST_ALLOW ||
	    gnutls_session_get_data2(session, &data) != 0)
		return 0;
	blob.tag.data = tag;
	blob.session.data = data.data;
	blob.session.len = data.size;
	if (data.size >= MIN_SESSION &&
	    pinfast_conn_tag(st->a.conn, blob.session, tag, &blob.tag.len) ==
	        PINFAST_OK)
		len = pf_blob_write(MAGIC, &blob, out, size);
	gnutls_memset(data.data, 0, data.size);
	gnutls_free(data.data);
	return len;
}

static size_t
write_to(void *session, uint8_t *out, size_t size)
{
	return pinfast_gnutls_session_write(session, out, size);
}

enum pinfast_error
pinfast_gnutls_session_save(gnutls_session_t session, const char *path,
    struct pinfast_diag *diag)
{
	return pf_blob_save(path, write_to, session, diag);
}

/* ------------------------------------------------------------------ reading */

/* The session passed: it is offered. */
static enum pinfast_error
set(gnutls_session_t session, struct pf_gtls *st, struct pinfast_bytes data)
{
	int error;

	st->offered = malloc(data.len);
	if (st->offered == NULL)
		return PINFAST_ENOMEM;
	st->offered_len = data.len;
	memcpy(st->offered, data.data, data.len);
	error = gnutls_session_set_data(session, data.data, data.len);
	if (error == 0)
		return PINFAST_OK;
	pf_gtls_forget(st);
	return error == GNUTLS_E_MEMORY_ERROR ? PINFAST_ENOMEM
	                                      : PINFAST_EFORMAT;
}

enum pinfast_error
pinfast_gnutls_session_read(gnutls_session_t session, const uint8_t *data,
    size_t len)
{
	struct pf_gtls *st = pf_gtls_of(session);
	struct pf_blob blob = {{NULL, 0}, {NULL, 0}};
	enum pinfast_error error;
	int passed;

	if (st == NULL || st->a.server || st->a.doomed || data == NULL ||
	    st->hello || st->a.conn == NULL)
		return PINFAST_EUSAGE;
	pf_gtls_forget(st);
	/* One without a tag is judged as such. */
	error = pf_blob_read(MAGIC, data, len, &blob);
	passed = pf_attached_resume(&st->a, blob.tag, blob.session);
	if (error == PINFAST_OK && passed)
		error = set(session, st, blob.session);
	else if (error == PINFAST_OK)
		error = PINFAST_EPOLICY;
	st->a.by_tag = error == PINFAST_OK;
	return error;
}

static enum pinfast_error
read_from(void *session, const uint8_t *data, size_t len)
{
	return pinfast_gnutls_session_read(session, data, len);
}

enum pinfast_error
pinfast_gnutls_session_load(gnutls_session_t session, const char *path,
    struct pinfast_diag *diag)
{
	return pf_blob_load(path, read_from, session, diag);
}
