#include "adapt/remember.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* A certificate ends in its signature, which is as good as drawn by lot. */
static unsigned
set_of(struct pinfast_bytes bytes)
{
	return bytes.len == 0 ? 0 : bytes.data[bytes.len - 1] % PF_SEEN_SETS;
}

void
pf_seen_init(struct pf_seen *seen)
{
	memset(seen, 0, sizeof *seen);
	pthread_mutex_init(&seen->lock, NULL);
}

void
pf_seen_fini(struct pf_seen *seen)
{
	for (unsigned set = 0; set < PF_SEEN_SETS; set++)
		for (unsigned i = 0; i < PF_SEEN_WAYS; i++)
			free(seen->slot[set][i].bytes);
	pthread_mutex_destroy(&seen->lock);
}

int
pf_seen_get(struct pf_seen *seen, struct pinfast_bytes bytes,
    struct pinfast_bytes other, uint8_t value[PINFAST_PIN_LEN])
{
	unsigned set = set_of(bytes);
	int found = 0;

	pthread_mutex_lock(&seen->lock);
	for (unsigned i = 0; i < PF_SEEN_WAYS && !found; i++) {
		const uint8_t *kept = seen->slot[set][i].bytes;

		if (kept == NULL || seen->slot[set][i].len != bytes.len ||
		    seen->slot[set][i].other_len != other.len ||
		    !pf_same(kept, bytes.data, bytes.len) ||
		    !pf_same(kept + bytes.len, other.data, other.len))
			continue;
		memcpy(value, seen->slot[set][i].value, PINFAST_PIN_LEN);
		found = 1;
	}
	pthread_mutex_unlock(&seen->lock);
	return found;
}

/* A free one, else the one that has stood longest, more or less. */
static unsigned
way_of(struct pf_seen *seen, unsigned set)
{
	for (unsigned i = 0; i < PF_SEEN_WAYS; i++)
		if (seen->slot[set][i].bytes == NULL)
			return i;
	return seen->next++ % PF_SEEN_WAYS;
}

void
pf_seen_put(struct pf_seen *seen, struct pinfast_bytes bytes,
    struct pinfast_bytes other, const uint8_t value[PINFAST_PIN_LEN])
{
	unsigned set = set_of(bytes);
	uint8_t *copy, *old;
	unsigned way;

	if (bytes.len == 0 || bytes.len > PF_SEEN_MAX ||
	    other.len > PF_SEEN_MAX - bytes.len)
		return;
	copy = malloc(bytes.len + other.len);
	if (copy == NULL)
		return;
	memcpy(copy, bytes.data, bytes.len);
	if (other.len > 0)
		memcpy(copy + bytes.len, other.data, other.len);
	pthread_mutex_lock(&seen->lock);
	way = way_of(seen, set);
	old = seen->slot[set][way].bytes;
	seen->slot[set][way].bytes = copy;
	seen->slot[set][way].len = bytes.len;
	seen->slot[set][way].other_len = other.len;
	memcpy(seen->slot[set][way].value, value, PINFAST_PIN_LEN);
	pthread_mutex_unlock(&seen->lock);
	free(old);
}
