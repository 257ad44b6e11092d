/*
 * Any bytes as what a proxy answers.  The first chooses the proxy and whether
 * there are credentials, the second the size of pieces, the third and fourth
 * how many bytes are the host and the credentials.  What is asked for is asked
 * for in one piece, and what lies behind the answer is left alone.
 */
#include "held.h"
#include "wire/httpconnect.h"
#include "wire/socks5.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *at, *end;

/* The next bytes as text, up to len of them or a NUL. */
static char *
take_text(size_t len)
{
	char *text = malloc(len + 1);

	must(text != NULL);
	if (len > (size_t)(end - at))
		len = (size_t)(end - at);
	memcpy(text, at, len);
	text[len] = '\0';
	at += len;
	return text;
}

static void
check_request(const struct held *h, int http)
{
	static const char connect[] = "CONNECT ";
	size_t ends = 0;

	if (!http) {
		must(h->ours[0] == 5 && h->ours[1] + 2U <= h->ours_len);
		return;
	}
	must(memcmp(h->ours, connect, sizeof connect - 1) == 0);
	for (size_t i = 3; i < h->ours_len; i++)
		ends += memcmp(h->ours + i - 3, "\r\n\r\n", 4) == 0;
	must(ends == 1);
	must(memcmp(h->ours + h->ours_len - 4, "\r\n\r\n", 4) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pf_dialogue begun;
	char *host, *user, *password;
	struct pinfast_bytes peer;
	struct held held;

	if (size < 4)
		return 0;
	at = data + 4;
	end = data + size;
	host = take_text(data[2]);
	user = take_text(data[3] * 2U);
	password = take_text(data[3] * 2U);
	peer.data = at;
	peer.len = (size_t)(end - at);
	(data[0] & 1 ? pf_httpconnect_begin : pf_socks5_begin)(&begun,
	    data[0] & 2 ? host : "a.example", data[1],
	    data[0] & 4 ? user : NULL, data[0] & 8 ? password : NULL);
	held = held_all(&begun, peer, (size_t)data[1] + 1);
	must(pf_dialogue_dropped(held.d) == 0);
	if (pf_dialogue_state(held.d) == PF_DIALOGUE_DONE)
		check_request(&held, data[0] & 1);
	free(held.d);
	free(host);
	free(user);
	free(password);
	return 0;
}
