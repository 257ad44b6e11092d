#include "core/pin.h"

#include "base/base64.h"
#include "base/bytes.h"
#include "base/sha256.h"
#include "core/spki.h"

#define VALUE_LEN 44 /* base64 of 32 bytes */

/* Values that stand in documentation, so that nobody can hold their key. */
static const struct {
	const char *value;
	const char *why;
} known[] = {
    {"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
	"this is the hash of empty input, not of a key: the command that "
	"made it got no certificate"},
    {"d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=",
	"this is an example from RFC 7469, not your key"},
    {"E9CZ9INDbd+2eRQozYqqbQ2yXLVKB9+xcprMF+44U1g=",
	"this is an example from RFC 7469, not your key"},
    {"LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
	"this is an example from RFC 7469, not your key"},
    {"7HIpactkIAq2Y49orFOOQKurWxmmSFZhBCoQYcRhJ3Y=",
	"this is an example from Android's documentation, not your key"},
    {"fwza0LRMXouZHRC8Ei+4PyuldPDcf3UKgO/04cDM1oE=",
	"this is an example from Android's documentation, not your key"},
};

struct complaint {
	size_t at;
	const char *why;
};

static enum pinfast_error
complain(struct complaint *c, size_t at, const char *why)
{
	c->at = at;
	c->why = why;
	return PINFAST_EFORMAT;
}

static int
starts(const char *in, size_t len, const char *with)
{
	size_t n = strlen(with);

	return len >= n && memcmp(in, with, n) == 0;
}

static int
is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	    (c >= 'A' && c <= 'F');
}

/* How many hexadecimal digits, when there is nothing else but colons between
 * pairs; 0: something else. */
static size_t
hex_digits(const char *in, size_t len)
{
	size_t digits = 0;

	for (size_t i = 0; i < len; i++) {
		if (in[i] == ':' && digits > 0 && digits % 2 == 0)
			continue;
		if (!is_hex(in[i]))
			return 0;
		digits++;
	}
	return digits;
}

/* Is it 43 times the same letter, as in documentation? */
static int
is_placeholder(const char *in, size_t len)
{
	size_t n = len > 0 && in[len - 1] == '=' ? len - 1 : len;

	if (n < 8)
		return 0;
	for (size_t i = 1; i < n; i++)
		if (in[i] != in[0])
			return 0;
	return 1;
}

static enum pinfast_error
check_hex(const char *in, size_t len, struct complaint *c)
{
	switch (hex_digits(in, len)) {
	case 64:
		return complain(c, 0,
		    "this is hexadecimal: write its base64 behind sha256/ if "
		    "it is an SPKI hash, cert-sha256/ if it is a "
		    "fingerprint (`openssl x509 -fingerprint` prints one); "
		    "`pinfast pin FILE` prints both forms ready to use");
	case 40:
		return complain(c, 0,
		    "this is a SHA-1 value: only SHA-256 pins are accepted");
	case 32:
		return complain(c, 0,
		    "this is an MD5 value: only SHA-256 pins are accepted");
	default:
		return PINFAST_OK;
	}
}

static enum pinfast_error
check_characters(const char *in, size_t len, struct complaint *c)
{
	for (size_t i = 0; i < len; i++) {
		if (in[i] == ' ' || in[i] == '\t' || in[i] == '\n' ||
		    in[i] == '\r')
			return complain(
			    c, i, "a pin holds no white space");
		if (in[i] == ',' || in[i] == ';')
			return complain(c, i,
			    "one pin a line: write a list with an item for "
			    "each pin");
		if (in[i] == '-' || in[i] == '_')
			return complain(c, i,
			    "this is the URL-safe alphabet: write `+` for "
			    "`-` and `/` for `_`");
		if (in[i] != '=' && pf_base64_value(in[i]) < 0)
			return complain(c, i,
			    "this character does not belong to base64");
	}
	return PINFAST_OK;
}

static enum pinfast_error
check_length(const char *in, size_t len, struct complaint *c)
{
	size_t pads = 0;

	while (pads < len && in[len - 1 - pads] == '=')
		pads++;
	if (memchr(in, '=', len - pads) != NULL)
		return complain(c, 0,
		    "`=` stands only at the end; one pin has one value");
	if (len - pads == VALUE_LEN - 1 && pads == 0)
		return complain(
		    c, len, "the padding is missing: add `=` at the end");
	if (len - pads == VALUE_LEN - 1 && pads > 1)
		return complain(c, len - pads + 1,
		    "too much padding: the value ends in one `=`");
	if (len - pads == 27)
		return complain(c, 0,
		    "this is a SHA-1 value: only SHA-256 pins are accepted");
	if (len - pads == 22)
		return complain(c, 0,
		    "this is an MD5 value: only SHA-256 pins are accepted");
	if (len != VALUE_LEN || pads != 1)
		return complain(c, 0,
		    "a SHA-256 pin is 44 characters of base64 (32 bytes); "
		    "this has another length");
	return PINFAST_OK;
}

/* The 44 characters themselves. */
static enum pinfast_error
read_value(const char *in, size_t len, uint8_t hash[PINFAST_PIN_LEN],
    struct complaint *c)
{
	uint8_t value[PINFAST_PIN_LEN];
	size_t got, bad;
	enum pinfast_error error = check_hex(in, len, c);

	if (error == PINFAST_OK && is_placeholder(in, len))
		error = complain(c, 0,
		    "this is a placeholder from documentation, not your key");
	if (error == PINFAST_OK)
		error = check_characters(in, len, c);
	if (error == PINFAST_OK)
		error = check_length(in, len, c);
	if (error != PINFAST_OK)
		return error;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (pf_same(in, known[i].value, VALUE_LEN))
			return complain(c, 0, known[i].why);
	if (pf_base64_decode(in, len, value, sizeof value, &got, &bad) !=
	    PINFAST_OK)
		return complain(c, bad,
		    "the last character has bits that belong to nothing: the "
		    "value was cut or mistyped");
	memcpy(hash, value, sizeof value);
	return PINFAST_OK;
}

/* What stands in front of the value; its length in *skip. */
static enum pinfast_error
read_prefix(const char *in, size_t len, enum pf_pin_kind *kind, size_t *skip,
    struct complaint *c)
{
	*kind = PF_PIN_SPKI;
	/* A value may begin with a slash itself: then the length tells. */
	if (starts(in, len, "sha256//") && len != 7 + VALUE_LEN)
		*skip = 8;
	else if (starts(in, len, "sha256/"))
		*skip = 7;
	else if (starts(in, len, "pin-sha256=\""))
		*skip = 12;
	else if (starts(in, len, "cert-sha256/"))
		*skip = 12;
	else if (starts(in, len, "SHA256/") || starts(in, len, "Sha256/"))
		return complain(c, 0, "write sha256/ in small letters");
	else if (starts(in, len, "sha1/"))
		return complain(c, 0,
		    "this is a SHA-1 value: only SHA-256 pins are accepted");
	else if (starts(in, len, "sha256:"))
		return complain(c, 6, "write sha256/ with a slash");
	else
		*skip = 0;
	if (starts(in, len, "cert-sha256/"))
		*kind = PF_PIN_CERT;
	return PINFAST_OK;
}

enum pinfast_error
pf_pin_text(const char *in, size_t len, struct pf_pin *out, size_t *bad_at,
    const char **why)
{
	struct complaint c = {0, NULL};
	enum pf_pin_kind kind;
	uint8_t hash[PINFAST_PIN_LEN];
	size_t skip = 0;
	enum pinfast_error error = PINFAST_OK;

	if (len == 0)
		error = complain(&c, 0, "the pin is empty");
	if (error == PINFAST_OK)
		error = read_prefix(in, len, &kind, &skip, &c);
	if (error == PINFAST_OK && starts(in, len, "pin-sha256=\"")) {
		if (in[len - 1] != '"' || len == skip)
			error = complain(&c, len - 1,
			    "the closing quotation mark is missing");
		else
			len--;
	}
	if (error == PINFAST_OK) {
		error = read_value(in + skip, len - skip, hash, &c);
		c.at += skip;
	}
	if (error != PINFAST_OK) {
		*bad_at = c.at;
		*why = c.why;
		return error;
	}
	out->kind = kind;
	memcpy(out->hash, hash, sizeof hash);
	return PINFAST_OK;
}

enum pinfast_error
pinfast_pin_read(const char *text, uint8_t pin[PINFAST_PIN_LEN])
{
	uint8_t value[PINFAST_PIN_LEN];
	size_t got;

	if (text == NULL || !starts(text, strlen(text), "sha256/") ||
	    strlen(text) != PINFAST_PIN_TEXT_LEN - 1)
		return PINFAST_EFORMAT;
	if (pf_base64_decode(text + 7, VALUE_LEN, value, sizeof value, &got,
		NULL) != PINFAST_OK)
		return PINFAST_EFORMAT;
	memcpy(pin, value, sizeof value);
	return PINFAST_OK;
}

void
pinfast_pin_write(
    const uint8_t pin[PINFAST_PIN_LEN], char text[PINFAST_PIN_TEXT_LEN])
{
	memcpy(text, "sha256/", 7);
	text[7 + pf_base64_encode(pin, PINFAST_PIN_LEN, text + 7)] = '\0';
}

enum pinfast_error
pinfast_pin_of(struct pinfast_bytes der, uint8_t pin[PINFAST_PIN_LEN],
    size_t *bad_at)
{
	struct pf_cert cert;
	struct pf_key key;
	struct pinfast_bytes subject;
	size_t at, furthest = 0;
	enum pinfast_error error = pf_cert_walk(der, &cert, &furthest);

	if (error == PINFAST_OK) {
		key = cert.key;
	} else {
		error = pf_csr_walk(der, &key, &subject, &at);
		if (error != PINFAST_OK) {
			furthest = at > furthest ? at : furthest;
			error = pf_spki_walk(der, &key, &at);
		}
		if (error != PINFAST_OK) {
			if (bad_at != NULL)
				*bad_at = at > furthest ? at : furthest;
			return error;
		}
	}
	pf_sha256(key.spki.data, key.spki.len, pin);
	return PINFAST_OK;
}
