#include "adapt/mbed/mbed.h"

#include <string.h>

#include <mbedtls/error.h>

#include "adapt/covers.h"

/* One verification, put to the judge. */
struct hook {
	struct pinfast_mbedtls *m;
	struct pf_link links[PINFAST_PATH_MAX];
	const struct pf_link *first[PINFAST_PATH_MAX];
	struct pf_pool sent;
	struct pf_pool anchors;
	struct pf_paths paths;
	struct pinfast_verdict verdict;
};

static struct pinfast_bytes
der_of(const mbedtls_x509_crt *crt)
{
	struct pinfast_bytes der = {crt->raw.p, crt->raw.len};

	return der;
}

/* What cannot be added is not found later: the first path still counts. */
static void
fill(struct pf_pool *pool, const mbedtls_x509_crt *crt)
{
	for (; crt != NULL; crt = crt->next) {
		void *object;

		memcpy(&object, &crt, sizeof object);
		if (crt->raw.p != NULL &&
		    pf_pool_add(pool, der_of(crt), object) == PINFAST_ENOMEM)
			return;
	}
}

static void
set_up(struct hook *h, struct pinfast_mbedtls *m)
{
	size_t count =
	    m->count < PINFAST_PATH_MAX ? m->count : PINFAST_PATH_MAX;

	memset(h, 0, sizeof *h);
	h->m = m;
	h->paths.conn = m->a.conn;
	h->paths.arg = m;
	h->paths.view = pf_mbed_view;
	h->paths.one_path = 1;
	pf_pool_init(&h->sent);
	pf_pool_init(&h->anchors);
	for (size_t i = 0; i < count; i++) {
		(void)pf_link_set(&h->links[i], der_of(m->path[i]), m->path[i]);
		h->first[i] = &h->links[i];
	}
	if (count > 0)
		h->paths.leaf = &h->links[0];
}

/* Is the path's end one of those that we said count?  An application's SNI
 * callback may have put others in their place. */
static int
ends_well(const struct pinfast_mbedtls *m)
{
	const mbedtls_x509_crt *end = m->path[m->count - 1];
	const mbedtls_x509_crt *anchor;

	if (!m->had_anchors)
		return 1;
	for (anchor = &m->anchors; anchor != NULL; anchor = anchor->next)
		if (anchor->raw.len == end->raw.len && end->raw.len > 0 &&
		    memcmp(anchor->raw.p, end->raw.p, end->raw.len) == 0)
			return 1;
	return 0;
}

/* The path that mbedTLS verified, further ones when that does not do. */
static void
judge_paths(struct hook *h)
{
	const struct pinfast_mbedtls *m = h->m;

	h->verdict = pf_paths_verified(&h->paths, h->first, m->count);
	if (h->verdict.decision == PINFAST_ALLOW ||
	    !(pinfast_conn_needs(m->a.conn) & PINFAST_NEED_PATH))
		return;
	fill(&h->sent, m->path[0]->next);
	fill(&h->anchors, pf_mbed_trusted(m));
	h->paths.sent = &h->sent;
	h->paths.anchors = &h->anchors;
	h->paths.verify = pf_mbed_exactly;
	h->paths.one_path = 0;
	h->verdict = pf_paths_verified(&h->paths, h->first, m->count);
}

static int
is_named(const struct pinfast_mbedtls *m)
{
	return m->a.server || m->a.has_host ||
	       m->ssl->MBEDTLS_PRIVATE(hostname) != NULL;
}

/* A leaf that is refused in any case, for what its bytes are or for want of
 * mbedTLS's opinion of them. */
static struct pinfast_verdict
refuse_leaf(const struct pinfast_mbedtls *m, struct pinfast_bytes der)
{
	struct pinfast_cert leaf = {.der = der};
	struct pinfast_verdict verdict =
	    pinfast_judge_path(m->a.conn, &leaf, 1);

	/* Nobody asked about its key: it is no certificate all the same. */
	if (verdict.decision == PINFAST_ALLOW)
		verdict = pinfast_judge_failed(m->a.conn, NULL,
		    PINFAST_REASON_PKIX_FAILED);
	return verdict;
}

static struct pinfast_verdict
judge_malformed(const struct pinfast_mbedtls *m)
{
	static const uint8_t nothing[1];
	struct pinfast_bytes der = {nothing, sizeof nothing};

	return refuse_leaf(m, der);
}

/* What verification proved, in the judge's terms. */
static void
judge(struct hook *h)
{
	struct pinfast_mbedtls *m = h->m;
	int leaf_only = pinfast_conn_needs(m->a.conn) == PINFAST_NEED_LEAF_ONLY;

	m->a.by_peer = 1;
	pf_mbed_leaf_id(m->path[0], m->shown);
	if (!pf_mbed_sent_exactly(m) || !h->links[0].is_walked)
		h->verdict = judge_malformed(m);
	else if (leaf_only)
		h->verdict =
		    m->left != 0
		        ? pf_paths_failed(&h->paths, PINFAST_REASON_PKIX_FAILED)
		        : pf_paths_leaf(&h->paths, PINFAST_PKIX_NOT_RUN);
	else if (pf_paths_before(&h->paths))
		h->verdict = pinfast_conn_verdict(m->a.conn);
	else if (m->next_error != 0 || m->left != 0 || m->bad_anchors ||
	         (m->count <= PINFAST_PATH_MAX && !ends_well(m)))
		h->verdict =
		    pf_paths_failed(&h->paths, PINFAST_REASON_PKIX_FAILED);
	else if (m->found != 0)
		h->verdict = pf_paths_leaf(&h->paths, PINFAST_PKIX_OVERRIDDEN);
	else if (!is_named(m))
		h->verdict = pf_paths_leaf(&h->paths, PINFAST_PKIX_NOT_RUN);
	else
		judge_paths(h);
}

int
pf_mbed_covers(const mbedtls_x509_crt *leaf, const char *name)
{
	char host[PINFAST_HOST_LEN];
	struct pf_cert cert;

	return leaf != NULL &&
	       pinfast_host_canonical(name, host) == PINFAST_OK &&
	       pf_cert_walk(der_of(leaf), &cert, NULL) == PINFAST_OK &&
	       pf_cert_covers(&cert, host);
}

/* The name is ours to compare. */
static void
check_name(const struct pinfast_mbedtls *m, const mbedtls_x509_crt *leaf,
    uint32_t *flags)
{
	const char *name = m->ssl->MBEDTLS_PRIVATE(hostname);

	if (m->a.server)
		return;
	*flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH;
	if (m->a.has_host)
		name = m->a.host;
	if (name != NULL && !pf_mbed_covers(leaf, name))
		*flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
}

/* Makes the handshake fail, whatever its authmode is. */
static int
refuse(struct pinfast_mbedtls *m, int32_t reason, uint32_t *flags)
{
	const mbedtls_ssl_config *conf = m->ssl->MBEDTLS_PRIVATE(conf);

	m->denied = 1;
	*flags = PF_MBED_FLAG;
	if (reason == PINFAST_REASON_PKIX_FAILED && m->left != 0)
		*flags = m->left;
	if (m->next_error != 0)
		return m->next_error;
	if (m->forced ||
	    conf->MBEDTLS_PRIVATE(authmode) == MBEDTLS_SSL_VERIFY_REQUIRED)
		return 0;
	return MBEDTLS_ERR_X509_FATAL_ERROR;
}

/* The path that was judged last, should somebody ask about its other keys. */
static void
keep(struct pinfast_mbedtls *m, const struct pf_paths *paths)
{
	if (m->found != 0 || m->count > PINFAST_PATH_MAX)
		return;
	m->count = paths->count;
	for (size_t i = 0; i < paths->count; i++)
		m->path[i] = paths->path[i]->object;
}

/* The first of a verification's certificates: the anchor. */
static int
start(struct pinfast_mbedtls *m, int depth)
{
	m->verifying = 1;
	m->count = (size_t)depth + 1;
	m->found = 0;
	m->left = 0;
	m->next_error = 0;
	if (m->a.doomed)
		return 0;
	/* Nobody told us of this handshake's beginning, or it is another. */
	if (pf_mbed_ready(m) != PINFAST_OK)
		return 0;
	pf_mbed_learn(m);
	return 1;
}

/* One certificate: what mbedTLS found, and what the application makes of it.
 */
static void
note(struct pinfast_mbedtls *m, mbedtls_x509_crt *crt, int depth,
    uint32_t *flags)
{
	if (depth < PINFAST_PATH_MAX)
		m->path[depth] = crt;
	if (depth == 0)
		check_name(m, crt, flags);
	m->found |= *flags;
	/* Kept: a policy that is loaded meanwhile may ask for the chain. */
	if (pinfast_conn_needs(m->a.conn) == PINFAST_NEED_LEAF_ONLY) {
		m->left |= *flags;
		/* The application was not asked about this one. */
		if (m->next.verify != NULL)
			m->left |= PF_MBED_FLAG;
		*flags = 0;
		return;
	}
	/* What it says is kept until the leaf is there to be judged. */
	if (m->next.verify != NULL && m->next_error == 0)
		m->next_error =
		    m->next.verify(m->next.verify_arg, crt, depth, flags);
	m->left |= *flags;
	*flags = 0;
}

int
pf_mbed_verify(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	struct pinfast_mbedtls *m = arg;
	struct hook h;

	if (!m->verifying && !start(m, depth))
		m->a.doomed = 1;
	if (!m->a.doomed)
		note(m, crt, depth, flags);
	if (depth > 0)
		return 0;
	m->verifying = 0;
	if (m->a.doomed)
		return refuse(m, PINFAST_REASON_NOT_JUDGED, flags);
	set_up(&h, m);
	judge(&h);
	if (h.verdict.decision == PINFAST_ALLOW)
		keep(m, &h.paths);
	/* The path that was judged last may lie in them. */
	pf_pool_fini(&h.sent, NULL);
	pf_pool_fini(&h.anchors, NULL);
	if (h.verdict.decision == PINFAST_ALLOW)
		return 0;
	h.verdict = pinfast_conn_settle(m->a.conn);
	return refuse(m, h.verdict.reason, flags);
}

/* ---------------------------------------------- before and after the judge */

/* What a certificate that mbedTLS could not parse says by itself. */
struct unread {
	struct pinfast_bytes der;
	struct pf_cert cert;
};

static int
get_unread(void *arg, size_t index, struct pinfast_cert *out)
{
	const struct unread *u = arg;

	(void)index;
	memset(out, 0, sizeof *out);
	out->der = u->der;
	/* It is asked about to be refused: there is no second opinion. */
	out->key_spki = u->cert.key.spki;
	return 0;
}

/* The leaf that mbedTLS could not use: refused in any case, and this is why.
 */
static struct pinfast_verdict
judge_unread(const struct pinfast_mbedtls *m, int code)
{
	struct unread u = {.der = pf_mbed_sent_leaf(m)};
	struct pinfast_path path = {1, &u, get_unread, NULL, NULL, NULL};

	if (code == -MBEDTLS_ERR_X509_FATAL_ERROR) {
		/* More issuers than it verifies. */
		path.count = PINFAST_PATH_MAX + 1;
		return pinfast_judge_path_lazy(m->a.conn, &path);
	}
	if (u.der.len > 0 && pf_cert_walk(u.der, &u.cert, NULL) != PINFAST_OK)
		return judge_malformed(m);
	/* What it cannot read as a key is another than the one we read. */
	if (u.der.len > 0 && code == -MBEDTLS_ERR_PK_INVALID_ALG)
		return refuse_leaf(m, u.der);
	if (u.der.len > 0 && pinfast_judge_before(m->a.conn, &path))
		return pinfast_conn_verdict(m->a.conn);
	return pinfast_judge_failed(m->a.conn, NULL,
	    PINFAST_REASON_PKIX_FAILED);
}

void
pf_mbed_judge_error(struct pinfast_mbedtls *m, int ret)
{
	struct pinfast_verdict verdict;
	int code = -ret & 0xff80;

	/* Errors of X.509, keys and curves. */
	if (m->a.conn == NULL || m->a.by_peer || m->a.doomed || m->denied ||
	    code < -MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE ||
	    code > -MBEDTLS_ERR_ECP_BAD_INPUT_DATA)
		return;
	m->denied = 1;
	verdict = judge_unread(m, code);
	if (verdict.decision == PINFAST_ALLOW)
		verdict = pinfast_judge_failed(m->a.conn, NULL,
		    PINFAST_REASON_PKIX_FAILED);
	(void)verdict;
}

#if defined(MBEDTLS_SSL_KEEP_PEER_CERTIFICATE)
int
pf_mbed_covers_now(void *arg, const char *host)
{
	struct pinfast_mbedtls *m = arg;

	return pf_mbed_covers(mbedtls_ssl_get_peer_cert(m->ssl), host);
}

static int
is_in(const mbedtls_x509_crt *list, const mbedtls_x509_crt *crt)
{
	while (list != NULL && list != crt)
		list = list->next;
	return list != NULL;
}

enum pinfast_error
pf_mbed_complete(void *arg)
{
	struct pinfast_mbedtls *m = arg;
	const mbedtls_x509_crt *sent = mbedtls_ssl_get_peer_cert(m->ssl);
	struct pinfast_path path;
	struct hook h;
	size_t i;

	/* What is not there any more is not looked at. */
	for (i = 0; i < m->count && i < PINFAST_PATH_MAX; i++)
		if (!is_in(sent, m->path[i]) &&
		    !is_in(pf_mbed_trusted(m), m->path[i]))
			return PINFAST_ENOTFOUND;
	if (!m->a.by_peer || i == 0 || i != m->count)
		return PINFAST_ENOTFOUND;
	set_up(&h, m);
	/* Another may have come to lie in the same place. */
	if (!pf_mbed_exactly(m, h.first, m->count))
		return PINFAST_ENOTFOUND;
	memcpy(h.paths.path, h.first, sizeof h.paths.path);
	h.paths.count = m->count;
	path = pf_paths_last(&h.paths);
	return pinfast_conn_complete(m->a.conn, &path);
}
#else
int
pf_mbed_covers_now(void *arg, const char *host)
{
	(void)arg, (void)host;
	return 0;
}

enum pinfast_error
pf_mbed_complete(void *arg)
{
	(void)arg;
	return PINFAST_ENOTFOUND;
}
#endif
