#include "edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#define ROOM 8000
#define FIELDS 9 /* version to extensions, and one unique identifier */

enum { VERSION, SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT, KEY, MORE };

/* Some bytes of DER; larger than any certificate here. */
struct piece {
	size_t len;
	unsigned char data[ROOM];
};

static const char *const field_names[] = {
    "version", "serial", "algorithm", "issuer", "validity", "subject", "key"};

static void
add(struct piece *to, const void *data, size_t len)
{
	if (len > ROOM - to->len) {
		fprintf(stderr, "mkworld: a certificate is too large\n");
		exit(1);
	}
	memcpy(to->data + to->len, data, len);
	to->len += len;
}

static void
add_piece(struct piece *to, const struct piece *what)
{
	add(to, what->data, what->len);
}

/* Tag and length before the content. */
static struct piece
wrap(unsigned char tag, const struct piece *content)
{
	struct piece out = {0, {0}};
	unsigned char head[4] = {tag, 0x82, (unsigned char)(content->len >> 8),
	    (unsigned char)content->len};

	if (content->len < 128) {
		head[1] = (unsigned char)content->len;
		add(&out, head, 2);
	} else if (content->len < 256) {
		head[1] = 0x81;
		head[2] = head[3];
		add(&out, head, 3);
	} else {
		add(&out, head, 4);
	}
	add_piece(&out, content);
	return out;
}

/* Where the content of the element begins; what OpenSSL made is DER. */
static size_t
head_len(const unsigned char *at)
{
	return at[1] < 128 ? 2 : 2 + (size_t)(at[1] & 127);
}

static size_t
element_len(const unsigned char *at)
{
	size_t len = at[1];

	if (len >= 128) {
		len = 0;
		for (size_t i = 2; i < head_len(at); i++)
			len = len << 8 | at[i];
	}
	return head_len(at) + len;
}

static struct piece
content_of(const struct piece *element)
{
	struct piece out = {0, {0}};
	size_t head = head_len(element->data);

	add(&out, element->data + head, element->len - head);
	return out;
}

/* The children of a constructed element; gives how many. */
static size_t
split(const struct piece *element, struct piece *child, size_t most)
{
	size_t at = head_len(element->data), count = 0;

	while (at < element->len && count < most) {
		child[count].len = 0;
		add(&child[count], element->data + at,
		    element_len(element->data + at));
		at += child[count++].len;
	}
	return count;
}

static struct piece
join(const struct piece *child, size_t count)
{
	struct piece out = {0, {0}};

	for (size_t i = 0; i < count; i++)
		add_piece(&out, &child[i]);
	return out;
}

static struct piece
spki_of(EVP_PKEY *key)
{
	struct piece out = {0, {0}};
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);

	add(&out, der, len > 0 ? (size_t)len : 0);
	OPENSSL_free(der);
	return out;
}

/* An identifier and, as its value, a copy of the key. */
static struct piece
copy_in(const char *oid, size_t oid_len, unsigned char tag, int is_bits,
    const struct piece *spki)
{
	struct piece value = {0, {0}}, both = {0, {0}};

	if (is_bits)
		add(&value, "", 1);
	add_piece(&value, spki);
	value = wrap(tag, &value);
	add(&both, oid, oid_len);
	add_piece(&both, &value);
	return wrap(0x30, &both);
}

/* The other key's SPKI, whole, where no key is looked for. */
static int
hide(struct piece *field, size_t *count, const char *place,
    const struct piece *spki)
{
	struct piece bits = {0, {0}}, one;

	add(&bits, "", 1);
	add_piece(&bits, spki);
	if (strcmp(place, "serial") == 0) {
		field[SERIAL] = wrap(0x02, spki);
	} else if (strcmp(place, "rdn") == 0) {
		one = copy_in("\x06\x03\x55\x04\x2d", 5, 0x03, 1, spki);
		one = wrap(0x31, &one);
		field[SUBJECT] = wrap(0x30, &one);
	} else if (strcmp(place, "uid") == 0) {
		for (size_t i = (*count)++; i > MORE; i--)
			field[i] = field[i - 1];
		field[MORE] = wrap(0x82, &bits);
	} else if (strcmp(place, "ext") == 0) {
		struct piece inner = content_of(&field[*count - 1]);

		inner = content_of(&inner);
		one = copy_in("\x06\x03\x55\x1d\x48", 5, 0x04, 0, spki);
		add_piece(&inner, &one);
		inner = wrap(0x30, &inner);
		field[*count - 1] = wrap(0xa3, &inner);
	} else {
		return 0;
	}
	return 1;
}

/* The AlgorithmIdentifier swallows the real key's bits. */
static void
eat_bits(struct piece *field, const struct piece *spki)
{
	struct piece ours[2], theirs[2], inner;

	split(&field[KEY], ours, 2);
	split(spki, theirs, 2);
	inner = content_of(&ours[0]);
	add_piece(&inner, &ours[1]);
	ours[0] = wrap(0x30, &inner);
	ours[1] = theirs[1];
	inner = join(ours, 2);
	field[KEY] = wrap(0x30, &inner);
}

/*
 * A field swallows its successors.  Who reads its content one after another
 * finds the certificate's key, who steps over its length finds the other.
 */
static int
eat(struct piece *field, const char *name, const struct piece *spki)
{
	size_t which = 0;
	struct piece inner;
	unsigned char tag;

	while (which <= KEY && strcmp(field_names[which], name) != 0)
		which++;
	if (which > KEY)
		return 0;
	if (which == KEY) {
		eat_bits(field, spki);
		return 1;
	}
	tag = field[which].data[0];
	inner = content_of(&field[which]);
	for (size_t i = which + 1; i <= KEY; i++)
		add_piece(&inner, &field[i]);
	field[which] = wrap(tag, &inner);
	field[KEY] = *spki;
	return 1;
}

/* Encodings that BER allows and DER does not; the key's bits. */
static int
loosen_key(struct piece *field, const char *form)
{
	struct piece part[2], inner;

	split(&field[KEY], part, 2);
	if (strcmp(form, "bits") == 0)
		part[1] = wrap(0x23, &part[1]);
	else if (strcmp(form, "unused") == 0)
		part[1].data[head_len(part[1].data)] = 1;
	else
		return 0;
	inner = join(part, 2);
	field[KEY] = wrap(0x30, &inner);
	return 1;
}

/* The same for what is signed as a whole. */
static int
loosen(const struct piece *inner, const char *form, struct piece *tbs)
{
	unsigned char head[6] = {0x30, 0x84, 0, 0,
	    (unsigned char)(inner->len >> 8), (unsigned char)inner->len};

	tbs->len = 0;
	if (strcmp(form, "indefinite") == 0)
		add(tbs, "\x30\x80", 2);
	else if (strcmp(form, "long") == 0)
		add(tbs, head, sizeof head);
	else
		return 0;
	add_piece(tbs, inner);
	if (strcmp(form, "indefinite") == 0)
		add(tbs, "\0", 2);
	return 1;
}

/* An INTEGER where the algorithm of an RSA key has NULL. */
static int
odd_params(struct piece *field)
{
	struct piece part[2], algorithm[2], inner;

	split(&field[KEY], part, 2);
	split(&part[0], algorithm, 2);
	algorithm[1].len = 0;
	add(&algorithm[1], "\x02\x01\x05", 3);
	inner = join(algorithm, 2);
	part[0] = wrap(0x30, &inner);
	inner = join(part, 2);
	field[KEY] = wrap(0x30, &inner);
	return 1;
}

/* The certificate's own key in another encoding. */
static int
reform(struct piece *field, const char *form, EVP_PKEY *key)
{
	EVP_PKEY *copy = EVP_PKEY_dup(key);
	int done, is_curve = strcmp(form, "explicit") == 0;

	done = copy != NULL &&
	       EVP_PKEY_set_utf8_string_param(copy,
	           is_curve ? OSSL_PKEY_PARAM_EC_ENCODING
	                    : OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
	           form);
	if (done)
		field[KEY] = spki_of(copy);
	EVP_PKEY_free(copy);
	return done;
}

static int
change(struct piece *tbs, const char *how, EVP_PKEY *key, EVP_PKEY *other)
{
	struct piece field[FIELDS], inner, spki = {0, {0}};
	size_t count = split(tbs, field, FIELDS - 1);
	const char *colon = strchr(how, ':');
	char name[20];
	int done = 0;

	snprintf(name, sizeof name, "%.*s", (int)strcspn(how, ":"), how);
	if (other != NULL)
		spki = spki_of(other);
	if (strcmp(name, "form") == 0 && colon != NULL)
		done = reform(field, colon + 1, key);
	else if (strncmp(name, "in-", 3) == 0 && other != NULL)
		done = hide(field, &count, name + 3, &spki);
	else if (strncmp(name, "eat-", 4) == 0 && other != NULL)
		done = eat(field, name + 4, &spki);
	else if (strncmp(name, "ber-", 4) == 0)
		done = loosen_key(field, name + 4);
	else if (strcmp(name, "params") == 0)
		done = odd_params(field);
	inner = join(field, count);
	if (done)
		*tbs = wrap(0x30, &inner);
	else if (strncmp(name, "ber-", 4) == 0)
		done = loosen(&inner, name + 4, tbs);
	return done;
}

static int
sign(const struct piece *tbs, EVP_PKEY *signer, struct piece *bits)
{
	unsigned char buffer[600];
	size_t len = sizeof buffer;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int done =
	    ctx != NULL &&
	    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, signer) == 1 &&
	    EVP_DigestSign(ctx, buffer, &len, tbs->data, tbs->len) == 1;

	EVP_MD_CTX_free(ctx);
	bits->len = 0;
	add(bits, "", 1);
	if (done)
		add(bits, buffer, len);
	*bits = wrap(0x03, bits);
	return done;
}

size_t
edit_certificate(X509 *plain, const char *how, const struct edit_keys *keys,
    unsigned char **out)
{
	struct piece whole = {0, {0}}, part[3], inner;
	unsigned char *der = NULL;
	int len = i2d_X509(plain, &der);

	if (len <= 0)
		return 0;
	add(&whole, der, (size_t)len);
	OPENSSL_free(der);
	if (split(&whole, part, 3) != 3 ||
	    !change(&part[0], how, keys->own, keys->other) ||
	    !sign(&part[0], keys->signer, &part[2]))
		return 0;
	inner = join(part, 3);
	whole = wrap(0x30, &inner);
	*out = OPENSSL_malloc(whole.len);
	if (*out == NULL)
		return 0;
	memcpy(*out, whole.data, whole.len);
	return whole.len;
}

size_t
edit_spki(const unsigned char *der, size_t len, unsigned char *out, size_t size)
{
	struct piece whole = {0, {0}}, part[3], field[FIELDS];

	add(&whole, der, len);
	if (split(&whole, part, 3) != 3 ||
	    split(&part[0], field, FIELDS) < MORE)
		return 0;
	if (field[KEY].len <= size)
		memcpy(out, field[KEY].data, field[KEY].len);
	return field[KEY].len;
}
