#include "model/grow.h"

#include <string.h>

enum pinfast_error
pf_grow(const struct pinfast_alloc *alloc, void **array, size_t *room,
    size_t count, size_t size)
{
	size_t want = *room < 16 ? 16 : *room;
	void *bigger;

	if (count <= *room)
		return PINFAST_OK;
	while (want < count) {
		if (want > SIZE_MAX / 2 / size)
			return PINFAST_ENOMEM;
		want *= 2;
	}
	bigger = alloc->alloc(alloc->arg, want * size);
	if (bigger == NULL)
		return PINFAST_ENOMEM;
	if (*room > 0)
		memcpy(bigger, *array, *room * size);
	alloc->free(alloc->arg, *array);
	*array = bigger;
	*room = want;
	return PINFAST_OK;
}
