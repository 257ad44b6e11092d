#include "core/pin.h"

#include "base/base64.h"
#include "base/bytes.h"
#include "base/sha256.h"
#include "core/known.h"
#include "core/spki.h"

#define VALUE_LEN PF_PIN_VALUE_LEN

#define SHA1 "this is a SHA-1 value: only SHA-256 pins are accepted"
#define MD5 "this is an MD5 value: only SHA-256 pins are accepted"
#define SHA2 "this is another hash: only SHA-256 pins are accepted"
#define HEX                                                                    \
	"this is hexadecimal, and a pin is base64: write sha256/ if this is "  \
	"an SPKI hash, cert-sha256/ if it is a fingerprint (it is what "       \
	"`openssl x509 -fingerprint` prints), and behind it the same bytes "   \
	"in base64"
#define SLASH "write sha256/ with a slash"
#define SMALL "write sha256/ in small letters"

/* What may stand in front of a value. */
static const struct prefix {
	const char *text;
	const char *behind; /* the value */
	enum pf_pin_kind kind;
} prefixes[] = {
    {"sha256//", "", PF_PIN_SPKI}, /* curl */
    {"sha256/", "", PF_PIN_SPKI},
    {"cert-sha256/", "", PF_PIN_CERT},
    {"pin-sha256=\"", "\"", PF_PIN_SPKI}, /* RFC 7469 */
    {"", "", PF_PIN_SPKI},
};
#define CURL_PREFIX 0
#define PREFIXES (sizeof prefixes / sizeof *prefixes)

/* What people write there by mistake, in letters of any size. */
static const struct {
	const char *text;
	const char *why;
} mistakes[] = {
    {"sha256/", SMALL},
    {"cert-sha256/", "write cert-sha256/ in small letters"},
    {"pin-sha256=",
        "write pin-sha256=\"...\" in small letters and with quotation "
        "marks, or sha256/"},
    {"sha-256/", "write sha256/ without a hyphen"},
    {"sha256:", SLASH},
    {"sha256-", SLASH},
    {"sha256=", SLASH},
    {"sha256 fingerprint=", HEX},
    {"sha1 fingerprint=", SHA1},
    {"sha1/", SHA1},
    {"sha1:", SHA1},
    {"sha-1/", SHA1},
    {"md5/", MD5},
    {"md5:", MD5},
    {"sha384/", SHA2},
    {"sha512/", SHA2},
};

/* What was found wrong, and where. */
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

/* The same for letters of any size; `with` has small ones. */
static int
starts_like(const char *in, size_t len, const char *with)
{
	size_t n = strlen(with);

	if (len < n)
		return 0;
	for (size_t i = 0; i < n; i++) {
		char c = in[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c != with[i])
			return 0;
	}
	return 1;
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
		if (in[i] == ':' && digits % 2 == 0)
			continue;
		if (!is_hex(in[i]))
			return 0;
		digits++;
	}
	return digits;
}

static enum pinfast_error
check_hex(const char *in, size_t len, struct complaint *c)
{
	switch (hex_digits(in, len)) {
	case 64:
		return complain(c, 0, HEX);
	case 40:
		return complain(c, 0, SHA1);
	case 32:
		return complain(c, 0, MD5);
	default:
		return PINFAST_OK;
	}
}

/* One character again and again, as OkHttp's documentation has it to make a
 * first connection fail (CertificatePinner, "sha256/AAAA...="). */
static enum pinfast_error
check_placeholder(const char *in, size_t len, struct complaint *c)
{
	size_t same = 0;

	while (same < len && in[same] == in[0])
		same++;
	if (same < VALUE_LEN - 1)
		return PINFAST_OK;
	return complain(c, 0,
	    "this is a placeholder from documentation, not your key");
}

static enum pinfast_error
check_characters(const char *in, size_t len, struct complaint *c)
{
	for (size_t i = 0; i < len; i++) {
		if (memchr(" \t\r\n", in[i], 4))
			return complain(c, i,
			    "a pin holds no white space, and a field holds "
			    "one pin");
		if (memchr("-_", in[i], 2))
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
	size_t chars = len;
	const char *inner;

	while (chars > 0 && in[chars - 1] == '=')
		chars--;
	inner = memchr(in, '=', chars);
	if (inner)
		return complain(c, (size_t)(inner - in),
		    "`=` stands only at the end, and a field holds one pin");
	if (len == VALUE_LEN && chars == VALUE_LEN - 1)
		return PINFAST_OK;
	if (len == VALUE_LEN - 1 && chars == len)
		return complain(c, len,
		    "the padding is missing: add `=` at the end");
	if (chars == VALUE_LEN - 1)
		return complain(c, VALUE_LEN,
		    "too much padding: the value ends in one `=`");
	if (chars == 27)
		return complain(c, 0, SHA1);
	if (chars == 22)
		return complain(c, 0, MD5);
	return complain(c, 0,
	    "a SHA-256 pin is 44 characters of base64 (32 bytes): this has "
	    "another length");
}

/* The value itself, without what stands around it. */
static enum pinfast_error
read_value(const char *in, size_t len, uint8_t hash[PINFAST_PIN_LEN],
    struct complaint *c)
{
	size_t got;

	if (len == 0)
		return complain(c, 0, "the pin is empty");
	if (check_hex(in, len, c) || check_placeholder(in, len, c) ||
	    check_characters(in, len, c) || check_length(in, len, c))
		return PINFAST_EFORMAT;
	c->why = pf_known_pin(in);
	if (c->why)
		return PINFAST_EFORMAT;
	if (pf_base64_decode(in, len, hash, PINFAST_PIN_LEN, &got))
		return complain(c, pf_base64_bad_at(in, len),
		    "the last character has bits that belong to nothing: the "
		    "value was cut or mistyped");
	return PINFAST_OK;
}

/* A value may begin with a slash: what ends in padding at the right length
 * is ours, not curl's. */
static const struct prefix *
find_prefix(const char *in, size_t len)
{
	size_t i = 0;

	if (len == strlen("sha256/") + VALUE_LEN && in[len - 1] == '=')
		i = CURL_PREFIX + 1;
	while (i < PREFIXES - 1 && !starts(in, len, prefixes[i].text))
		i++;
	return &prefixes[i];
}

/* A bare value may begin with such letters, so what has its length is left
 * alone. */
static enum pinfast_error
check_mistakes(const char *in, size_t len, struct complaint *c)
{
	if (len == VALUE_LEN)
		return PINFAST_OK;
	for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++)
		if (starts_like(in, len, mistakes[i].text))
			return complain(c, 0, mistakes[i].why);
	return PINFAST_OK;
}

static enum pinfast_error
check_list(const char *in, size_t len, struct complaint *c)
{
	for (size_t i = 0; i < len; i++)
		if (memchr(",;", in[i], 2))
			return complain(c, i,
			    "this is a list: write an item of its own for "
			    "each pin");
	return PINFAST_OK;
}

static enum pinfast_error
read_text(const char *in, size_t len, struct pf_pin *pin, struct complaint *c)
{
	const struct prefix *prefix = find_prefix(in, len);
	size_t before = strlen(prefix->text);
	size_t behind = strlen(prefix->behind);
	enum pinfast_error error = check_list(in, len, c);

	if (!error && before == 0)
		error = check_mistakes(in, len, c);
	if (error)
		return error;
	in += before;
	len -= before;
	if (behind > 0 && (len == 0 || in[len - 1] != *prefix->behind))
		return complain(c, before + len,
		    "the closing quotation mark is missing");
	error = read_value(in, len - behind, pin->hash, c);
	c->at += before;
	pin->kind = prefix->kind;
	return error;
}

/* The ordinary spelling, without a look at the mistakes: most pins of a
 * policy of a million hosts. */
static int
read_ordinary(const char *in, size_t len, struct pf_pin *pin)
{
	struct complaint ignored;
	size_t got;

	if (len != 7 + PF_PIN_VALUE_LEN || !starts(in, len, "sha256/"))
		return 0;
	pin->kind = PF_PIN_SPKI;
	return pf_base64_decode(in + 7, PF_PIN_VALUE_LEN, pin->hash,
	           PINFAST_PIN_LEN, &got) == PINFAST_OK &&
	       got == PINFAST_PIN_LEN && pf_known_pin(in + 7) == NULL &&
	       check_placeholder(in + 7, PF_PIN_VALUE_LEN, &ignored) ==
	           PINFAST_OK;
}

enum pinfast_error
pf_pin_text(const char *in, size_t len, struct pf_pin *out, size_t *bad_at,
    const char **why)
{
	struct complaint c = {0, NULL};
	struct pf_pin pin;
	enum pinfast_error error = PINFAST_OK;

	if (!read_ordinary(in, len, &pin))
		error = read_text(in, len, &pin, &c);
	if (error) {
		*bad_at = c.at;
		*why = c.why;
		return error;
	}
	*out = pin;
	return PINFAST_OK;
}

enum pinfast_error
pinfast_pin_read(const char *text, uint8_t pin[PINFAST_PIN_LEN])
{
	uint8_t value[PINFAST_PIN_LEN];
	size_t got;

	if (!text || strlen(text) != PINFAST_PIN_TEXT_LEN - 1 ||
	    !starts(text, PINFAST_PIN_TEXT_LEN - 1, "sha256/"))
		return PINFAST_EFORMAT;
	if (pf_base64_decode(text + strlen("sha256/"), VALUE_LEN, value,
	        sizeof value, &got) ||
	    got != sizeof value)
		return PINFAST_EFORMAT;
	memcpy(pin, value, sizeof value);
	return PINFAST_OK;
}

void
pinfast_pin_write(const uint8_t pin[PINFAST_PIN_LEN],
    char text[PINFAST_PIN_TEXT_LEN])
{
	static const char prefix[] = {'s', 'h', 'a', '2', '5', '6', '/'};

	memcpy(text, prefix, sizeof prefix);
	text += sizeof prefix;
	text[pf_base64_encode(pin, PINFAST_PIN_LEN, text)] = '\0';
}

/*
 * The three kinds cannot be mistaken for each other: what comes first inside
 * is another thing in each.  Where none fits, the one that was understood
 * furthest says where it ends.
 */
enum pinfast_error
pinfast_pin_of(struct pinfast_bytes der, uint8_t pin[PINFAST_PIN_LEN],
    size_t *bad_at)
{
	struct pf_cert cert;
	size_t at, furthest;
	enum pinfast_error error = pf_cert_walk(der, &cert, &furthest);

	if (error) {
		error = pf_csr_walk(der, &cert.key, NULL, &at);
		if (error && at > furthest)
			furthest = at;
	}
	if (error) {
		error = pf_spki_walk(der, &cert.key, &at);
		if (error && at > furthest)
			furthest = at;
	}
	if (!error)
		pf_sha256(cert.key.spki.data, cert.key.spki.len, pin);
	else if (bad_at)
		*bad_at = furthest;
	return error;
}
