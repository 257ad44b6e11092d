#include "wire/httpconnect.h"

#include "base/base64.h"
#include "base/bytes.h"
#include "base/host.h"
#include "wire/protocol.h"

enum { STATUS, FIELDS, INTERIM };

static const struct pf_turn turns[] = {
    {"the proxy's answer to CONNECT", NULL, "", 0, 0, 0},
    {"the end of the proxy's answer", NULL, NULL, 0, 0, 0},
    {"the proxy's answer to CONNECT", NULL, NULL, 0, 0, 0},
};

/* The code of "HTTP/1.1 200 ...", 0 when it is none. */
static unsigned
status_of(const char *line, size_t len)
{
	static const char version[] = "HTTP/1.";
	unsigned code = 0;

	if (len < 12 || !pf_same(line, version, sizeof version - 1) ||
	    (line[7] != '0' && line[7] != '1') || line[8] != ' ' ||
	    (len > 12 && line[12] != ' '))
		return 0;
	for (size_t i = 9; i < 12; i++) {
		if (line[i] < '0' || line[i] > '9')
			return 0;
		code = code * 10 + (unsigned)(line[i] - '0');
	}
	return code;
}

static void
take_status(struct pf_dialogue *d, const char *line, size_t len)
{
	unsigned code = status_of(line, len);

	pf_wire_hear(d, line, len);
	if (code >= 200 && code < 300) {
		d->step = FIELDS;
	} else if (code >= 100 && code < 200) {
		d->step = INTERIM;
		d->said_len = 0;
	} else if (code == 407) {
		pf_wire_refuse(d, "the proxy wants a user name and password "
		                  "that it knows");
	} else if (code >= 300 && code < 600) {
		pf_wire_refuse(d, "the proxy refused CONNECT");
	} else {
		pf_wire_break(d, "the proxy does not speak HTTP");
	}
}

/* Fields are passed over: behind a 2xx to CONNECT none of them counts. */
static void
take(struct pf_dialogue *d)
{
	const char *line = (const char *)d->in;
	size_t len = (size_t)d->in_len - 1;

	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (d->step == STATUS)
		take_status(d, line, len);
	else if (len == 0 && d->step == FIELDS)
		d->state = PF_DIALOGUE_DONE;
	else if (len == 0)
		d->step = STATUS;
}

static const struct pf_protocol http = {
    .whole = pf_lines_whole, .take = take, .turns = turns, .is_proxy = 1};

static void
put_port(struct pf_dialogue *d, uint16_t port)
{
	char digits[6];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + port % 10);
		port = (uint16_t)(port / 10);
	} while (port > 0);
	pf_wire_put(d, digits + at, sizeof digits - at);
}

static void
put_authority(struct pf_dialogue *d, const struct pf_host *host, uint16_t port)
{
	if (host->kind == PF_HOST_IPV6)
		pf_wire_put_text(d, "[");
	pf_wire_put(d, host->text, host->text_len);
	pf_wire_put_text(d, host->kind == PF_HOST_IPV6 ? "]:" : ":");
	put_port(d, port);
}

static void
put_credentials(struct pf_dialogue *d, const char *user, const char *password)
{
	uint8_t both[255 + 1 + 255];
	char text[684];
	size_t user_len = strlen(user), len = strlen(password);

	memcpy(both, user, user_len);
	both[user_len] = ':';
	memcpy(both + user_len + 1, password, len);
	len = pf_base64_encode(both, user_len + 1 + len, text);
	pf_wire_put_text(d, "Proxy-Authorization: Basic ");
	pf_wire_put(d, text, len);
	pf_wire_put_text(d, "\r\n");
}

void
pf_httpconnect_begin(struct pf_dialogue *d, const char *host, uint16_t port,
    const char *user, const char *password)
{
	struct pf_host to;

	pf_wire_begin(d, &http);
	if (!password)
		password = "";
	if (pf_host_parse(host, strlen(host), &to) != PINFAST_OK) {
		pf_wire_break(d,
		    "this is no host that a proxy can be asked for");
		return;
	}
	if (user && (strlen(user) > 255 || strchr(user, ':') != NULL)) {
		pf_wire_break(d, "the proxy's user name is longer than 255 "
		                 "bytes or has a colon");
		return;
	}
	if (strlen(password) > 255) {
		pf_wire_break(d,
		    "the proxy's password is longer than 255 bytes");
		return;
	}
	pf_wire_put_text(d, "CONNECT ");
	put_authority(d, &to, port);
	pf_wire_put_text(d, " HTTP/1.1\r\nHost: ");
	put_authority(d, &to, port);
	pf_wire_put_text(d, "\r\n");
	if (user)
		put_credentials(d, user, password);
	pf_wire_put_text(d, "\r\n");
}
