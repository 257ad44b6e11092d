#include "model/intern.h"

#include "core/sum.h"
#include "model/grow.h"

static struct pf_intern_slot *
slot_at(const struct pf_intern *in, size_t at)
{
	return &in->table[at & (in->slots - 1)];
}

static enum pinfast_error
grow_table(struct pf_intern *in)
{
	struct pf_intern_slot *old = in->table;
	size_t count = in->slots;
	size_t slots = count == 0 ? 64 : count * 2;
	struct pf_intern_slot *bigger =
	    in->alloc.alloc(in->alloc.arg, slots * sizeof *bigger);

	if (bigger == NULL)
		return PINFAST_ENOMEM;
	memset(bigger, 0, slots * sizeof *bigger);
	in->table = bigger;
	in->slots = slots;
	for (size_t i = 0; i < count; i++) {
		size_t j = old[i].hash;

		if (old[i].item == 0)
			continue;
		while (slot_at(in, j)->item != 0)
			j++;
		*slot_at(in, j) = old[i];
	}
	in->alloc.free(in->alloc.arg, old);
	return PINFAST_OK;
}

static enum pinfast_error
append(struct pf_intern *in, const uint8_t *data, size_t len)
{
	void *bytes = in->bytes, *items = in->items;
	enum pinfast_error error =
	    pf_grow(&in->alloc, &bytes, &in->room, in->len + len, 1);
	struct pf_interned *item;

	in->bytes = bytes;
	if (error == PINFAST_OK)
		error = pf_grow(&in->alloc, &items, &in->item_room,
		    in->count + 1, sizeof *in->items);
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
	uint32_t hash = (uint32_t)pf_name_hash(0, data, len);
	enum pinfast_error error = PINFAST_OK;

	if (in->count * 2 >= in->slots)
		error = grow_table(in);
	for (size_t j = hash; error == PINFAST_OK; j++) {
		struct pf_intern_slot *slot = slot_at(in, j);
		struct pf_interned *item;

		if (slot->item == 0) {
			error = append(in, data, len);
			if (error == PINFAST_OK) {
				slot->hash = hash;
				slot->item = (uint32_t)in->count;
				*number = slot->item - 1;
			}
			break;
		}
		item = &in->items[slot->item - 1];
		if (slot->hash == hash && item->len == len &&
		    pf_same(in->bytes + item->at, data, len)) {
			item->uses++;
			*number = slot->item - 1;
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
