#include "model/intern.h"

#include "core/sum.h"
#include "model/grow.h"

static uint64_t
hash_of(const struct pf_intern *in, size_t item)
{
	const struct pf_interned *i = &in->items[item];

	return pf_name_hash(0, in->bytes + i->at, i->len);
}

static enum pinfast_error
grow_table(struct pf_intern *in)
{
	size_t slots = in->slots == 0 ? 64 : in->slots * 2;
	uint32_t *bigger =
	    in->alloc.alloc(in->alloc.arg, slots * sizeof *bigger);

	if (bigger == NULL)
		return PINFAST_ENOMEM;
	memset(bigger, 0, slots * sizeof *bigger);
	for (size_t i = 0; i < in->count; i++) {
		size_t j = (size_t)hash_of(in, i);

		while (bigger[j & (slots - 1)] != 0)
			j++;
		bigger[j & (slots - 1)] = (uint32_t)i + 1;
	}
	in->alloc.free(in->alloc.arg, in->table);
	in->table = bigger;
	in->slots = slots;
	return PINFAST_OK;
}

static enum pinfast_error
append(struct pf_intern *in, const uint8_t *data, size_t len)
{
	void *bytes = in->bytes, *items = in->items;
	enum pinfast_error error =
	    pf_grow(&in->alloc, &bytes, &in->room, in->len, len, 1);
	struct pf_interned *item;

	in->bytes = bytes;
	if (error == PINFAST_OK)
		error = pf_grow(&in->alloc, &items, &in->item_room, in->count,
		    1, sizeof *in->items);
	in->items = items;
	if (error != PINFAST_OK)
		return error;
	item = &in->items[in->count++];
	item->at = in->len;
	item->len = (uint32_t)len;
	item->uses = 1;
	memcpy(in->bytes + in->len, data, len);
	in->len += len;
	return PINFAST_OK;
}

enum pinfast_error
pf_intern_add(struct pf_intern *in, const uint8_t *data, size_t len,
    uint32_t *number)
{
	size_t j = (size_t)pf_name_hash(0, data, len);
	enum pinfast_error error = PINFAST_OK;

	if (in->count * 2 >= in->slots)
		error = grow_table(in);
	for (; error == PINFAST_OK; j++) {
		uint32_t *slot = &in->table[j & (in->slots - 1)];
		struct pf_interned *item;

		if (*slot == 0) {
			error = append(in, data, len);
			if (error == PINFAST_OK) {
				*slot = (uint32_t)in->count;
				*number = *slot - 1;
			}
			break;
		}
		item = &in->items[*slot - 1];
		if (item->len == len &&
		    pf_same(in->bytes + item->at, data, len)) {
			item->uses++;
			*number = *slot - 1;
			break;
		}
	}
	return error;
}

void
pf_intern_fini(struct pf_intern *in)
{
	in->alloc.free(in->alloc.arg, in->bytes);
	in->alloc.free(in->alloc.arg, in->items);
	in->alloc.free(in->alloc.arg, in->table);
}
