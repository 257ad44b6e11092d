#include "base/host.h"

#include "base/bytes.h"

enum pinfast_error
pinfast_host_canonical(const char *in, char out[PINFAST_HOST_LEN])
{
	struct pf_host host;

	if (in == NULL || pf_host_parse(in, strlen(in), &host) != PINFAST_OK)
		return PINFAST_EHOST;
	memcpy(out, host.text, host.text_len);
	out[host.text_len] = '\0';
	return PINFAST_OK;
}
