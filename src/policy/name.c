#include "policy/name.h"

#include <idn2.h>
#include <libpsl.h>
#include <string.h>

static int
is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] >= 0x80)
			return 0;
	return 1;
}

/* Most names are fine: what is wrong is asked only when something is. */
static int
read_ascii(const char *text, size_t len, struct pf_host *out, const char **why)
{
	*why = NULL;
	if (pf_host_parse(text, len, out) == PINFAST_OK)
		return 1;
	*why = pf_host_complaint(text, len);
	if (*why == NULL)
		*why = "not a host name";
	return 0;
}

int
pf_name_read(const char *text, size_t len, struct pf_host *out,
    const char **why)
{
	uint8_t *alabels = NULL;
	int fine;

	if (is_ascii(text, len))
		return read_ascii(text, len, out, why);
	if (strlen(text) != len ||
	    idn2_lookup_u8((const uint8_t *)text, &alabels,
	        IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK) {
		*why = "not a valid internationalised name (UTS 46)";
		return 0;
	}
	fine = read_ascii((const char *)alabels, strlen((const char *)alabels),
	    out, why);
	idn2_free(alabels);
	return fine;
}

enum pf_suffix
pf_name_suffix(const struct pf_host *name)
{
	const psl_ctx_t *list = psl_builtin();
	char text[PINFAST_HOST_LEN];

	if (list == NULL)
		return PF_SUFFIX_NO_LIST;
	memcpy(text, name->text, name->text_len);
	text[name->text_len] = '\0';
	if (psl_is_public_suffix2(list, text,
	        PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE))
		return PF_SUFFIX_PUBLIC;
	return strchr(text, '.') == NULL ? PF_SUFFIX_SINGLE_LABEL
	                                 : PF_SUFFIX_NONE;
}
