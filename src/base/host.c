#include "base/host.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "base/punycode.h"

static int
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int
hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Four decimal numbers without leading zeros; nothing else. */
static int
read_ipv4(const char *in, size_t len, uint8_t out[4])
{
	size_t at = 0;

	for (unsigned part = 0; part < 4; part++) {
		unsigned value = 0;
		size_t start = at;

		if (part > 0 && (at >= len || in[at++] != '.'))
			return 0;
		if (part > 0)
			start = at;
		while (at < len && is_digit(in[at]) && at - start < 3)
			value = value * 10 + (unsigned)(in[at++] - '0');
		if (at == start || value > 255 ||
		    (at - start > 1 && in[start] == '0'))
			return 0;
		out[part] = (uint8_t)value;
	}
	return at == len;
}

/* One group of an IPv6 address: 1 to 4 hexadecimal digits. */
static size_t
read_group(const char *in, size_t len, uint8_t out[2])
{
	unsigned value = 0;
	size_t n = 0;

	while (n < len && n < 4 && hex_value(in[n]) >= 0)
		value = value << 4 | (unsigned)hex_value(in[n++]);
	out[0] = (uint8_t)(value >> 8);
	out[1] = (uint8_t)value;
	return n;
}

/*
 * Reads groups until the text ends or "::" begins; a dotted quad may end
 * them.  Returns the number of bytes, or 17 when the text is wrong.
 */
static size_t
read_groups(const char *in, size_t len, size_t *at, uint8_t out[16])
{
	size_t bytes = 0;

	while (*at < len && in[*at] != ':') {
		uint8_t quad[4];
		size_t n;

		if (bytes <= 12 && read_ipv4(in + *at, len - *at, quad)) {
			memcpy(out + bytes, quad, 4);
			*at = len;
			return bytes + 4;
		}
		if (bytes == 16)
			return 17;
		n = read_group(in + *at, len - *at, out + bytes);
		if (n == 0)
			return 17;
		bytes += 2;
		*at += n;
		if (*at == len)
			return bytes;
		if (in[*at] != ':' || *at + 1 == len)
			return 17;
		if (in[*at + 1] == ':')
			return bytes;
		*at += 1;
	}
	return bytes;
}

static int
read_ipv6(const char *in, size_t len, uint8_t out[16])
{
	uint8_t head[16], tail[16];
	size_t at = 0, front, back;

	front = read_groups(in, len, &at, head);
	if (front > 16)
		return 0;
	if (at == len) {
		memcpy(out, head, 16);
		return front == 16;
	}
	/* read_groups stopped at a colon: only "::" may stand here. */
	if (len - at < 2 || in[at + 1] != ':')
		return 0;
	at += 2;
	back = read_groups(in, len, &at, tail);
	if (at != len || front + back > 14)
		return 0;
	memset(out, 0, 16);
	memcpy(out, head, front);
	memcpy(out + 16 - back, tail, back);
	return 1;
}

static size_t
put_decimal(char *out, unsigned value)
{
	size_t n = 0;

	if (value >= 100)
		out[n++] = (char)('0' + value / 100);
	if (value >= 10)
		out[n++] = (char)('0' + value / 10 % 10);
	out[n++] = (char)('0' + value % 10);
	return n;
}

static size_t
write_ipv4(const uint8_t a[4], char *out)
{
	size_t n = 0;

	for (unsigned i = 0; i < 4; i++) {
		if (i > 0)
			out[n++] = '.';
		n += put_decimal(out + n, a[i]);
	}
	return n;
}

static size_t
put_hex(char *out, unsigned value)
{
	size_t n = 0;

	for (int shift = 12; shift >= 0; shift -= 4)
		if (value >> shift != 0 || shift == 0)
			out[n++] = "0123456789abcdef"[value >> shift & 15];
	return n;
}

/* The longest run of two or more zero groups, the first of equals. */
static void
zero_run(const unsigned group[8], unsigned *at, unsigned *len)
{
	*at = 8;
	*len = 1;
	for (unsigned i = 0; i < 8; i++) {
		unsigned n = 0;

		while (i + n < 8 && group[i + n] == 0)
			n++;
		if (n > *len) {
			*at = i;
			*len = n;
		}
	}
}

/* RFC 5952 section 4. */
static size_t
write_ipv6(const uint8_t a[16], char *out)
{
	unsigned group[8], run_at, run_len;
	size_t n = 0;

	for (unsigned i = 0; i < 8; i++)
		group[i] = (unsigned)a[2 * i] << 8 | a[2 * i + 1];
	zero_run(group, &run_at, &run_len);
	for (unsigned i = 0; i < 8;) {
		if (i == run_at) {
			out[n++] = ':';
			out[n++] = ':';
			i += run_len;
			continue;
		}
		if (i > 0 && i != run_at + run_len)
			out[n++] = ':';
		n += put_hex(out + n, group[i++]);
	}
	return n;
}

enum pinfast_error
pf_host_parse_binary(const uint8_t *addr, size_t len, struct pf_host *out)
{
	static const uint8_t mapped[12] = {
	    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	if (len == 16 && pf_same(addr, mapped, sizeof mapped)) {
		addr += 12;
		len = 4;
	}
	if (len != 4 && len != 16)
		return PINFAST_EHOST;
	memset(out, 0, sizeof *out);
	out->kind = len == 4 ? PF_HOST_IPV4 : PF_HOST_IPV6;
	out->key[0] = out->kind;
	memcpy(out->key + 1, addr, len);
	out->key_len = (uint8_t)(len + 1);
	out->text_len = (uint8_t)(len == 4 ? write_ipv4(addr, out->text)
	                                   : write_ipv6(addr, out->text));
	return PINFAST_OK;
}

/* Does the name's last label look like a number (so that some resolver would
 * read an address)? */
static int
ends_in_number(const char *in, size_t len)
{
	size_t start = len, digits;

	while (start > 0 && in[start - 1] != '.')
		start--;
	if (len - start >= 2 && in[start] == '0' &&
	    lower(in[start + 1]) == 'x') {
		for (digits = start + 2; digits < len; digits++)
			if (hex_value(in[digits]) < 0)
				return 0;
		return 1;
	}
	for (digits = start; digits < len; digits++)
		if (!is_digit(in[digits]))
			return 0;
	return 1;
}

/* The characters of labels as they stand in a canonical name; else 0. */
/* clang-format off */
static const char name_char[256] = {
	['-'] = '-', ['_'] = '_',
	['0'] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9',
	['A'] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm',
	'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
	['a'] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm',
	'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
};
/* clang-format on */

static int
is_name_char(char c)
{
	return name_char[(unsigned char)c] != 0;
}

static int
is_xn(const char *label, size_t len)
{
	return len >= 4 && lower(label[0]) == 'x' && lower(label[1]) == 'n' &&
	       label[2] == '-' && label[3] == '-';
}

/* Of a label that is not plain: of good characters only xn-- comes here. */
static const char *
label_complaint(const char *label, size_t len)
{
	if (len == 0)
		return "a label is empty: write one dot between labels, and "
		       "none in front";
	if (len > PF_MAX_LABEL)
		return "a label is longer than 63 octets";
	for (size_t i = 0; i < len; i++) {
		if (is_name_char(label[i]))
			continue;
		if (label[i] == '\0')
			return "the name holds a NUL byte";
		if (label[i] == '%')
			return "`%` has no place in a host: write addresses "
			       "without a zone identifier";
		if (label[i] == '@')
			return "`@` has no place in a host: write the host "
			       "alone, without a user";
		if (label[i] == '*')
			return "wildcards are not names: write the parent's "
			       "name with `subdomains: one` or `any`";
		if (label[i] == '/')
			return "write the host alone, without scheme, port or "
			       "path";
		if ((unsigned char)label[i] >= 0x80)
			return "the name is not ASCII: write its A-labels "
			       "(xn--...)";
		return "a label has a character other than letters, digits, "
		       "`-` and `_`";
	}
	return pf_punycode_valid(label + 4, len - 4)
	           ? NULL
	           : "an xn-- label does not decode (RFC 3492)";
}

/* Does a label that has only good characters need no second look? */
static int
is_plain(const char *label, size_t len)
{
	return len > 0 && len <= PF_MAX_LABEL && !is_xn(label, len);
}

/* What is wrong with a name from which the trailing dot has been taken. */
static const char *
name_complaint(const char *in, size_t len)
{
	if (len == 0)
		return "the host is empty";
	if (len > PF_MAX_HOST)
		return "the name is longer than 253 octets";
	for (size_t start = 0, end; start <= len; start = end + 1) {
		const char *complaint;

		end = start;
		while (end < len && is_name_char(in[end]))
			end++;
		if (is_plain(in + start, end - start) &&
		    (end == len || in[end] == '.'))
			continue;
		while (end < len && in[end] != '.')
			end++;
		complaint = label_complaint(in + start, end - start);
		if (complaint != NULL)
			return complaint;
	}
	if (ends_in_number(in, len))
		return "a name whose last label is a number must be an IPv4 "
		       "address: four decimal numbers without leading zeros";
	return NULL;
}

/*
 * Reads an address into out, returns 1; 0: no address, try a name; -1: meant
 * as an IPv6 address and wrong.
 */
static int
read_address(const char *in, size_t len, struct pf_host *out)
{
	uint8_t addr[16];

	if (read_ipv4(in, len, addr))
		return pf_host_parse_binary(addr, 4, out) == PINFAST_OK;
	if (len >= 2 && in[0] == '[' && in[len - 1] == ']') {
		if (!read_ipv6(in + 1, len - 2, addr))
			return -1;
		return pf_host_parse_binary(addr, 16, out) == PINFAST_OK;
	}
	if (len > 0 && memchr(in, ':', len) != NULL) {
		if (!read_ipv6(in, len, addr))
			return -1;
		return pf_host_parse_binary(addr, 16, out) == PINFAST_OK;
	}
	return 0;
}

static size_t
without_dot(const char *in, size_t len)
{
	return len > 0 && in[len - 1] == '.' ? len - 1 : len;
}

enum pinfast_error
pf_host_parse(const char *in, size_t len, struct pf_host *out)
{
	int address = read_address(in, len, out);

	if (address != 0)
		return address > 0 ? PINFAST_OK : PINFAST_EHOST;
	len = without_dot(in, len);
	if (name_complaint(in, len) != NULL)
		return PINFAST_EHOST;
	out->kind = PF_HOST_NAME;
	out->key_len = out->text_len = (uint8_t)len;
	for (size_t i = 0; i < len; i++)
		out->text[i] = in[i] == '.' ? '.' : name_char[(uint8_t)in[i]];
	memcpy(out->key, out->text, len);
	/* Not the whole struct: a name is parsed for every connection, and
	 * half a KiB takes longer to clear than the rest takes. */
	out->text[len] = '\0';
	out->key[len] = 0;
	return PINFAST_OK;
}

const char *
pf_host_complaint(const char *in, size_t len)
{
	struct pf_host host;
	int address = read_address(in, len, &host);

	if (address > 0)
		return NULL;
	if (address < 0 && memchr(in, '%', len) != NULL)
		return "an address is written without a zone identifier";
	if (address < 0)
		return "not an IPv6 address (nor a host with a port, which "
		       "has no place here)";
	return name_complaint(in, without_dot(in, len));
}
