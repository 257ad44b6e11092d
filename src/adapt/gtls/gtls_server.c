#include "adapt/gtls/gtls.h"

#include <string.h>

#include "base/sha256.h"

/* What a server's sessions are bound to, mixed with what the application
 * calls them. */
static void
bind(const struct pf_gtls *st, const gnutls_datum_t *what, const char *purpose,
    uint8_t out[32])
{
	struct pf_sha256 hash;

	pf_sha256_init(&hash);
	pf_sha256_update(&hash, purpose, strlen(purpose) + 1);
	pf_sha256_update(&hash, st->id, sizeof st->id);
	pf_sha256_update(&hash, what->data, what->size);
	pf_sha256_final(&hash, out);
}

static struct pf_gtls *
server_of(gnutls_session_t session)
{
	struct pf_gtls *st = pf_gtls_of(session);

	return st != NULL && st->a.server && !st->a.doomed ? st : NULL;
}

enum pinfast_error
pinfast_gnutls_tickets(gnutls_session_t session, const gnutls_datum_t *key)
{
	struct pf_gtls *st = server_of(session);
	uint8_t derived[64];
	gnutls_datum_t own = {derived, sizeof derived};
	int error;

	if (st == NULL || key == NULL || key->size != sizeof derived)
		return PINFAST_EUSAGE;
	bind(st, key, "pinfast ticket 1", derived);
	bind(st, key, "pinfast ticket 2", derived + 32);
	error = gnutls_session_ticket_enable_server(session, &own);
	gnutls_memset(derived, 0, sizeof derived);
	st->bound = error == 0;
	return error == 0 ? PINFAST_OK : PINFAST_ENOMEM;
}

/* -------------------------------------------------------------------- cache */

static int
store(void *ptr, gnutls_datum_t key, gnutls_datum_t data)
{
	struct pf_gtls *st = ptr;
	uint8_t id[32];
	gnutls_datum_t own = {id, sizeof id};

	bind(st, &key, "pinfast cache", id);
	return st->cache.store(st->cache.ptr, own, data);
}

static gnutls_datum_t
retrieve(void *ptr, gnutls_datum_t key)
{
	struct pf_gtls *st = ptr;
	uint8_t id[32];
	gnutls_datum_t own = {id, sizeof id};

	bind(st, &key, "pinfast cache", id);
	return st->cache.retrieve(st->cache.ptr, own);
}

static int
drop(void *ptr, gnutls_datum_t key)
{
	struct pf_gtls *st = ptr;
	uint8_t id[32];
	gnutls_datum_t own = {id, sizeof id};

	bind(st, &key, "pinfast cache", id);
	return st->cache.remove(st->cache.ptr, own);
}

enum pinfast_error
pinfast_gnutls_cache(gnutls_session_t session,
    const struct pinfast_gnutls_cache *cache)
{
	struct pf_gtls *st = server_of(session);

	if (st == NULL || cache == NULL || cache->store == NULL ||
	    cache->retrieve == NULL || cache->remove == NULL)
		return PINFAST_EUSAGE;
	st->cache = *cache;
	gnutls_db_set_ptr(session, st);
	gnutls_db_set_store_function(session, store);
	gnutls_db_set_retrieve_function(session, retrieve);
	gnutls_db_set_remove_function(session, drop);
	return PINFAST_OK;
}
