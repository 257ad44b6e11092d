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

/* The way that holds these bytes; PF_SEEN_WAYS: none does. */
static unsigned
find(const struct pf_seen *seen, struct pinfast_bytes bytes,
    struct pinfast_bytes other)
{
	unsigned set = set_of(bytes), i;

	for (i = 0; i < PF_SEEN_WAYS; i++) {
		const uint8_t *kept = seen->slot[set][i].bytes;

		if (kept != NULL && seen->slot[set][i].len == bytes.len &&
		    seen->slot[set][i].other_len == other.len &&
		    pf_same(kept, bytes.data, bytes.len) &&
		    pf_same(kept + bytes.len, other.data, other.len))
			break;
	}
	return i;
}

/* A slice of some bytes becomes the same one of others. */
static void
move(struct pinfast_bytes *slice, const uint8_t *from, const uint8_t *to)
{
	if (slice->data != NULL)
		slice->data = to + (slice->data - from);
}

static void
move_all(struct pf_cert *cert, const uint8_t *from, const uint8_t *to)
{
	move(&cert->key.spki, from, to);
	move(&cert->key.oid, from, to);
	move(&cert->key.params, from, to);
	move(&cert->key.bits, from, to);
	move(&cert->issuer, from, to);
	move(&cert->subject, from, to);
	move(&cert->not_before, from, to);
	move(&cert->not_after, from, to);
	move(&cert->extensions, from, to);
}

int
pf_seen_get(struct pf_seen *seen, struct pinfast_bytes bytes,
    struct pinfast_bytes other, struct pf_facts *facts)
{
	unsigned set = set_of(bytes), way;

	if (pthread_mutex_trylock(&seen->lock) != 0)
		return 0;
	way = find(seen, bytes, other);
	if (way < PF_SEEN_WAYS && facts != NULL) {
		*facts = seen->slot[set][way].facts;
		move_all(&facts->walked, seen->slot[set][way].bytes,
		    bytes.data);
	}
	pthread_mutex_unlock(&seen->lock);
	return way < PF_SEEN_WAYS;
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

/* Takes the copy over; what is to be freed. */
static uint8_t *
keep(struct pf_seen *seen, struct pinfast_bytes copy,
    struct pinfast_bytes other, const struct pf_facts *facts)
{
	unsigned set = set_of(copy), way = find(seen, copy, other);
	uint8_t *old, *bytes;

	memcpy(&bytes, &copy.data, sizeof bytes);
	if (way < PF_SEEN_WAYS) {
		struct pf_facts *kept = &seen->slot[set][way].facts;

		kept->has_pin |= facts->has_pin;
		if (facts->has_pin)
			memcpy(kept->pin, facts->pin, PINFAST_PIN_LEN);
		return bytes;
	}
	way = way_of(seen, set);
	old = seen->slot[set][way].bytes;
	seen->slot[set][way].bytes = bytes;
	seen->slot[set][way].len = copy.len;
	seen->slot[set][way].other_len = other.len;
	seen->slot[set][way].facts = *facts;
	return old;
}

void
pf_seen_put(struct pf_seen *seen, struct pinfast_bytes bytes,
    struct pinfast_bytes other, const struct pf_facts *facts)
{
	struct pf_facts moved;
	struct pinfast_bytes kept;
	uint8_t *copy;

	if (bytes.len == 0 || bytes.len > PF_SEEN_MAX ||
	    other.len > PF_SEEN_MAX - bytes.len)
		return;
	copy = malloc(bytes.len + other.len);
	if (copy == NULL)
		return;
	memcpy(copy, bytes.data, bytes.len);
	if (other.len > 0)
		memcpy(copy + bytes.len, other.data, other.len);
	kept.data = copy;
	kept.len = bytes.len;
	if (facts != NULL)
		moved = *facts;
	else
		memset(&moved, 0, sizeof moved);
	move_all(&moved.walked, bytes.data, copy);
	if (pthread_mutex_trylock(&seen->lock) == 0) {
		copy = keep(seen, kept, other, &moved);
		pthread_mutex_unlock(&seen->lock);
	}
	free(copy);
}
