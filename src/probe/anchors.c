/*
 * The system's trust anchors, read as late as can be.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include "probe/probe.h"

/* Set in the look-up once it has read the bundle. */
static char bundle_was_read;

/*
 * Asked when nothing else knows the issuer: reads the whole bundle into the
 * store, once, and then looks into the store.
 */
static int
by_subject(X509_LOOKUP *lookup, X509_LOOKUP_TYPE type, const X509_NAME *name,
    X509_OBJECT *out)
{
	const char *file = getenv(X509_get_default_cert_file_env());
	X509_STORE *store = X509_LOOKUP_get_store(lookup);
	X509_OBJECT *found;
	X509 *cert;

	if (type != X509_LU_X509 ||
	    X509_LOOKUP_get_method_data(lookup) == &bundle_was_read)
		return 0;
	X509_LOOKUP_set_method_data(lookup, &bundle_was_read);
	(void)X509_STORE_load_file(store,
	    file != NULL ? file : X509_get_default_cert_file());
	ERR_clear_error();
	if (!X509_STORE_lock(store))
		return 0;
	found = X509_OBJECT_retrieve_by_subject(X509_STORE_get0_objects(store),
	    type, name);
	cert = found != NULL ? X509_OBJECT_get0_X509(found) : NULL;
	/* OpenSSL counts the reference itself. */
	if (cert != NULL && X509_OBJECT_set1_X509(out, cert))
		X509_free(cert);
	X509_STORE_unlock(store);
	return cert != NULL;
}

X509_STORE *
pf_probe_system_anchors(void)
{
	static X509_LOOKUP_METHOD *late;
	X509_STORE *store = X509_STORE_new();
	X509_LOOKUP *folder;

	if (late == NULL) {
		late = X509_LOOKUP_meth_new("the bundle, late");
		if (late != NULL)
			X509_LOOKUP_meth_set_get_by_subject(late, by_subject);
	}
	folder = store != NULL
	             ? X509_STORE_add_lookup(store, X509_LOOKUP_hash_dir())
	             : NULL;
	if (late != NULL && folder != NULL &&
	    X509_LOOKUP_add_dir(folder, NULL, X509_FILETYPE_DEFAULT) == 1 &&
	    X509_STORE_add_lookup(store, late) != NULL)
		return store;
	X509_STORE_free(store);
	return NULL;
}
