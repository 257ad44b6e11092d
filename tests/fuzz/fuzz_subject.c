/*
 * Any bytes as a name, and the names, role and key of what is a certificate or
 * a request: the text for people ends in a NUL inside its room, however small
 * that is, and there is a role.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/subject.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_name(struct pinfast_bytes name)
{
	static const size_t rooms[] = {1, 4, 5, 24, 300};

	for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
		char *room = malloc(rooms[i]);

		if (room == NULL)
			abort();
		memset(room, 'x', rooms[i]);
		pf_subject_text(name, room, rooms[i]);
		if (memchr(room, '\0', rooms[i]) == NULL)
			abort();
		free(room);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + (size == 0));
	struct pinfast_bytes der = {copy, size}, subject;
	struct pf_cert cert;
	struct pf_key key;

	if (copy == NULL)
		abort();
	memcpy(copy, data, size);
	check_name(der);
	if (pf_cert_walk(der, &cert, NULL) == PINFAST_OK) {
		check_name(cert.subject);
		check_name(cert.issuer);
		if (strlen(pf_cert_role(&cert)) == 0)
			abort();
		(void)pf_pin_caveat(&cert.key);
	}
	if (pf_csr_walk(der, &key, &subject, NULL) == PINFAST_OK) {
		check_name(subject);
		(void)pf_pin_caveat(&key);
	}
	if (pf_spki_walk(der, &key, NULL) == PINFAST_OK)
		(void)pf_pin_caveat(&key);
	free(copy);
	return 0;
}
