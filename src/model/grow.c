#include "model/grow.h"

#include <string.h>

enum pinfast_error
pf_grow(const struct pinfast_alloc *alloc, void **array, size_t *room,
    size_t count, size_t more, size_t size)
{
	size_t want = *room < 16 ? 16 : *room;
	void *bigger;

	if (count + more <= *room)
		return PINFAST_OK;
	while (want < count + more) {
		if (want > SIZE_MAX / 2 / size)
			return PINFAST_ENOMEM;
		want *= 2;
	}
	bigger = alloc->alloc(alloc->arg, want * size);
	if (bigger == NULL)
		return PINFAST_ENOMEM;
	if (count > 0)
		memcpy(bigger, *array, count * size);
	alloc->free(alloc->arg, *array);
	*array = bigger;
	*room = want;
	return PINFAST_OK;
}
