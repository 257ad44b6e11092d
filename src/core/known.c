#include "core/known.h"

#include <stddef.h>

#include "base/bytes.h"

#define EXAMPLE(source) "this is an example from " source ", not your key"

#define RFC "RFC 7469"
#define ANDROID "Android's documentation"
#define CURL "curl's documentation"
#define OKHTTP "OkHttp's documentation"
#define MDN "MDN's documentation"

/* Looked up on 2026-11-21. */
static const struct {
	const char *value;
	const char *why;
	const char *source;
} known[] = {
    {"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "this is the hash of empty input, not of a key: the command that "
        "made it was given no certificate",
        "FIPS 180-4, the empty message"},
    {"d6qzRu9zOECb90Uez27xWltNsj0e1Md7GkYYkVoZWmM=", EXAMPLE(RFC),
        "RFC 7469 section 2.1.5"},
    {"E9CZ9INDbd+2eRQozYqqbQ2yXLVKB9+xcprMF+44U1g=", EXAMPLE(RFC),
        "RFC 7469 section 2.1.5"},
    {"LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", EXAMPLE(RFC),
        "RFC 7469 section 2.1.5"},
    {"7HIpactkIAq2Y49orFOOQKurWxmmSFZhBCoQYcRhJ3Y=", EXAMPLE(ANDROID),
        "Network security configuration, Pin certificates"},
    {"fwza0LRMXouZHRC8Ei+4PyuldPDcf3UKgO/04cDM1oE=", EXAMPLE(ANDROID),
        "Network security configuration, Pin certificates, backup pin"},
    {"YhKJKSzoTt2b5FP18fvpHo7fJYqQCjAa3HWY3tvRMwE=", EXAMPLE(CURL),
        "CURLOPT_PINNEDPUBLICKEY(3), example"},
    {"t62CeU2tQiqkexU74Gxa2eg7fRbEgoChTociMee9wno=", EXAMPLE(CURL),
        "CURLOPT_PINNEDPUBLICKEY(3), example"},
    {"afwiKY3RxoMmLkuRW1l7QsPZTJPwDS2pdDROQjXw8ig=", EXAMPLE(OKHTTP),
        "CertificatePinner, publicobject.com"},
    {"cUPcTAZWKaASuYWhhneDttWpY3oBAkE3h2+soZS7sWs=", EXAMPLE(MDN),
        "HTTP Public-Key-Pins, example"},
    {"M8HztCzM3elUxkcjR2S5P4hhyBNf6lHkmjAHKhpGPWE=", EXAMPLE(MDN),
        "HTTP Public-Key-Pins, example"},
};

const char *
pf_known_pin(const char *value)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (pf_same(value, known[i].value, PF_PIN_VALUE_LEN))
			return known[i].why;
	return NULL;
}
