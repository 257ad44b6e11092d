#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pem.h"
#include "base/sha256.h"
#include "core/pin.h"
#include "core/spki.h"
#include "policy/reader.h"

/* An item of a pin list while it is read. */
struct item {
	struct pf_reader_pin *out;
	int cert_ok;
	int is_cert;
	int found; /* pin, file or pem was given */
	int fine;
};

static void
read_text(struct pf_reader *r, struct item *item)
{
	struct pf_pin pin;
	size_t bad_at;
	const char *why;

	if (!pf_is_scalar(r, "a pin"))
		return;
	if (pf_pin_text(pf_yaml_text(&r->yaml), pf_yaml_len(&r->yaml), &pin,
	        &bad_at, &why) != PINFAST_OK) {
		pf_reader_error_at(r, pf_yaml_line(&r->yaml),
		    pf_yaml_column(&r->yaml) + (uint32_t)bad_at +
		        !pf_yaml_plain(&r->yaml),
		    "pin", why);
		return;
	}
	item->is_cert = pin.kind == PF_PIN_CERT;
	if (item->is_cert && !item->cert_ok) {
		pf_reader_error(r, "pin",
		    "cert-sha256/ pins a whole certificate, which only "
		    "`leaf` can; write the sha256/ pin of its key");
		return;
	}
	memcpy(item->out->hash, pin.hash, PINFAST_PIN_LEN);
	item->fine = 1;
}

/* The one object of a file or of inline PEM. */
static const char *
one_object(struct pinfast_bytes text, uint8_t *buffer, size_t size,
    struct pinfast_bytes *der)
{
	struct pf_pem block, second;
	size_t pos = 0;
	enum pinfast_error error =
	    pf_pem_next(text, &pos, &block, buffer, size);

	if (error == PINFAST_ENOTFOUND) {
		*der = text;
		return NULL;
	}
	if (error != PINFAST_OK)
		return "its PEM is damaged";
	if (!pf_pem_is(&block, "CERTIFICATE") &&
	    !pf_pem_is(&block, "CERTIFICATE REQUEST") &&
	    !pf_pem_is(&block, "NEW CERTIFICATE REQUEST") &&
	    !pf_pem_is(&block, "PUBLIC KEY"))
		return "it holds neither a certificate, a certificate "
		       "request nor a public key";
	if (pf_pem_next(text, &pos, &second, buffer + block.len,
	        size - block.len) != PINFAST_ENOTFOUND)
		return "it holds more than one object: write one pin a file";
	der->data = buffer;
	der->len = block.len;
	return NULL;
}

static void
read_object(struct pf_reader *r, struct item *item, struct pinfast_bytes text,
    uint32_t line, uint32_t column)
{
	uint8_t *buffer = malloc(text.len + 4);
	struct pinfast_bytes der;
	const char *why;
	char sentence[256];
	size_t bad_at;

	if (buffer == NULL) {
		pf_reader_error_at(r, line, column, "memory", "out of memory");
		return;
	}
	why = one_object(text, buffer, text.len + 4, &der);
	if (why == NULL &&
	    pinfast_pin_of(der, item->out->hash, &bad_at) != PINFAST_OK) {
		snprintf(sentence, sizeof sentence,
		    "it is no certificate, request or public key in exact "
		    "DER (byte %zu is wrong)",
		    bad_at);
		why = sentence;
	}
	if (why != NULL)
		pf_reader_error_at(r, line, column, "file", why);
	else
		item->fine = 1;
	free(buffer);
}

static int
once(struct pf_reader *r, struct item *item)
{
	if (item->found++ == 0)
		return 1;
	pf_reader_error(r, "pin",
	    "a pin is one of `pin`, `file` and `pem`, not two");
	return 0;
}

static int
field_pin(struct pf_reader *r, void *object)
{
	if (once(r, object))
		read_text(r, object);
	return pf_yaml_skip(&r->yaml);
}

static int
field_file(struct pf_reader *r, void *object)
{
	struct pinfast_bytes text;
	uint32_t line = pf_yaml_line(&r->yaml);
	uint32_t column = pf_yaml_column(&r->yaml);
	uint8_t *data;

	if (!once(r, object) || !pf_is_scalar(r, "`file`"))
		return pf_yaml_skip(&r->yaml);
	data =
	    pf_reader_file(r, pf_yaml_text(&r->yaml), line, column, &text.len);
	if (data == NULL)
		return 0;
	text.data = data;
	read_object(r, object, text, line, column);
	free(data);
	return 0;
}

static int
field_pem(struct pf_reader *r, void *object)
{
	struct pinfast_bytes text;

	if (!once(r, object) || !pf_is_scalar(r, "`pem`"))
		return pf_yaml_skip(&r->yaml);
	text.data = (const uint8_t *)pf_yaml_text(&r->yaml);
	text.len = pf_yaml_len(&r->yaml);
	read_object(r, object, text, pf_yaml_line(&r->yaml),
	    pf_yaml_column(&r->yaml));
	return 0;
}

static int
field_note(struct pf_reader *r, void *object)
{
	(void)object;
	(void)pf_is_scalar(r, "a note");
	return pf_yaml_skip(&r->yaml);
}

int
pf_read_pin(struct pf_reader *r, int cert_ok, struct pf_reader_pin *out,
    int *is_cert)
{
	static const struct pf_field fields[] = {{"pin", field_pin},
	    {"file", field_file}, {"pem", field_pem}, {"note", field_note}};
	struct item item = {out, cert_ok, 0, 0, 0};
	int errors = r->errors;
	uint32_t line = pf_yaml_line(&r->yaml);
	uint32_t column = pf_yaml_column(&r->yaml);

	if (r->yaml.event.type == YAML_MAPPING_START_EVENT) {
		if (pf_read_mapping(r, fields, 4, "a pin", &item) < 0)
			return -1;
		if (item.found == 0 && errors == r->errors)
			pf_reader_error_at(r, line, column, "pin",
			    "a pin needs `pin`, `file` or `pem`");
	} else {
		read_text(r, &item);
		if (pf_yaml_skip(&r->yaml) < 0)
			return -1;
	}
	*is_cert = item.is_cert;
	return item.fine;
}

struct list {
	struct pf_reader_set *set;
	enum pinfast_role role;
};

static int
is_listed(const struct pf_reader_set *set, const struct pf_reader_pin *pin)
{
	for (unsigned i = 0; i < set->count; i++)
		if (memcmp(&set->pins[i], pin, sizeof *pin) == 0)
			return 1;
	return 0;
}

static int
read_item(struct pf_reader *r, void *object)
{
	struct list *list = object;
	struct pf_reader_pin pin;
	uint32_t line = pf_yaml_line(&r->yaml);
	uint32_t column = pf_yaml_column(&r->yaml);
	int leaf = list->role == PINFAST_ROLE_LEAF ||
	           list->role == PINFAST_ROLE_SHADOW_LEAF;
	int is_cert = 0;
	int got = pf_read_pin(r, leaf, &pin, &is_cert);

	if (got <= 0)
		return got;
	pin.role = (uint8_t)list->role;
	if (is_cert)
		pin.role = list->role == PINFAST_ROLE_LEAF
		               ? PINFAST_ROLE_CERT
		               : PINFAST_ROLE_SHADOW_CERT;
	if (is_listed(list->set, &pin))
		pf_reader_warn_at(r, line, column, "duplicate-pin",
		    "this pin stands twice in the list");
	else if (list->set->count == PF_READER_PINS)
		pf_reader_error_at(r, line, column, "limit",
		    "a set has more than 64 pins");
	else
		list->set->pins[list->set->count++] = pin;
	return 0;
}

int
pf_read_pins(struct pf_reader *r, struct pf_reader_set *set,
    enum pinfast_role role)
{
	struct list list = {set, role};
	uint32_t line = pf_yaml_line(&r->yaml);
	uint32_t column = pf_yaml_column(&r->yaml);
	unsigned before = set->count;
	int errors = r->errors;
	int result = pf_read_sequence(r, read_item, "pins", &list);

	if (result == 0 && set->count == before && errors == r->errors)
		pf_reader_error_at(r, line, column, "empty-list",
		    "the list is empty: remove it, or write its pins");
	return result;
}
