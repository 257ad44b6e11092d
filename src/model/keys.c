#include "model/draft.h"

#include "base/bytes.h"
#include "core/sum.h"

static struct pinfast_bytes
name_of(const struct pinfast_builder *b, const struct pf_name_key *key)
{
	return pf_entry_name(&b->model, &b->model.entries[key->entry]);
}

static int
compare_bytes(struct pinfast_bytes a, struct pinfast_bytes b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = memcmp(a.data, b.data, len);

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* The order among equal hashes: name, scope, port, place in the text. */
static int
compare(const struct pinfast_builder *b, const struct pf_name_key *x,
    const struct pf_name_key *y)
{
	const struct pf_entry *ex = &b->model.entries[x->entry];
	const struct pf_entry *ey = &b->model.entries[y->entry];
	int order = compare_bytes(name_of(b, x), name_of(b, y));

	if (order != 0)
		return order;
	if (x->scope != y->scope)
		return x->scope < y->scope ? -1 : 1;
	if (ex->port != ey->port)
		return ex->port < ey->port ? -1 : 1;
	return x->entry < y->entry ? -1 : 1;
}

/* One pass of a radix sort over 8 bits of the hash. */
static void
radix_pass(const struct pf_name_key *from, struct pf_name_key *to, size_t count,
    unsigned shift)
{
	uint32_t places[256] = {0};
	uint32_t sum = 0;

	for (size_t i = 0; i < count; i++)
		places[from[i].hash >> shift & 0xff]++;
	for (size_t i = 0; i < 256; i++) {
		uint32_t n = places[i];

		places[i] = sum;
		sum += n;
	}
	for (size_t i = 0; i < count; i++)
		to[places[from[i].hash >> shift & 0xff]++] = from[i];
}

/* Orders what the radix sort left in order of the text. */
static void
sort_equal_hashes(const struct pinfast_builder *b, struct pf_name_key *keys,
    size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct pf_name_key key = keys[i];
		size_t j = i;

		for (; j > 0 && keys[j - 1].hash == key.hash &&
		       compare(b, &keys[j - 1], &key) > 0;
		     j--)
			keys[j] = keys[j - 1];
		keys[j] = key;
	}
}

static size_t
fill_keys(const struct pinfast_builder *b, uint64_t seed,
    struct pf_name_key *keys)
{
	size_t count = 0;

	for (size_t i = 0; i < b->model.entry_count; i++) {
		const struct pf_entry *e = &b->model.entries[i];
		struct pinfast_bytes name = pf_entry_name(&b->model, e);
		uint64_t hash = pf_name_hash(seed, name.data, name.len);

		for (unsigned s = 0; s <= PINFAST_SCOPE_CLIENT; s++) {
			if (!(e->scopes >> s & 1))
				continue;
			memset(&keys[count], 0, sizeof keys[count]);
			keys[count].hash = hash;
			keys[count].entry = (uint32_t)i;
			keys[count].scope = (uint8_t)s;
			count++;
		}
	}
	return count;
}

enum pinfast_error
pf_keys_make(struct pinfast_builder *b, uint64_t seed, struct pf_keys *out)
{
	size_t room = b->model.entry_count * 2;
	struct pf_name_key *keys = pf_draft_alloc(b, room, sizeof *keys);
	struct pf_name_key *spare = pf_draft_alloc(b, room, sizeof *keys);
	size_t count;

	if (keys == NULL || spare == NULL) {
		pf_draft_release(b, keys);
		pf_draft_release(b, spare);
		return PINFAST_ENOMEM;
	}
	count = fill_keys(b, seed, keys);
	for (unsigned shift = 0; shift < 64; shift += 16) {
		radix_pass(keys, spare, count, shift);
		radix_pass(spare, keys, count, shift + 8);
	}
	sort_equal_hashes(b, keys, count);
	pf_draft_release(b, spare);
	out->at = keys;
	out->count = count;
	out->seed = seed;
	return PINFAST_OK;
}

void
pf_keys_free(struct pinfast_builder *b, struct pf_keys *keys)
{
	pf_draft_release(b, keys->at);
	keys->at = NULL;
}

static int
same_rule(const struct pinfast_builder *b, const struct pf_name_key *x,
    const struct pf_name_key *y)
{
	return x->hash == y->hash && x->scope == y->scope &&
	       compare_bytes(name_of(b, x), name_of(b, y)) == 0;
}

size_t
pf_keys_rule(const struct pinfast_builder *b, const struct pf_keys *keys,
    size_t i)
{
	size_t n = 1;

	while (i + n < keys->count &&
	       same_rule(b, &keys->at[i], &keys->at[i + n]))
		n++;
	return n;
}

size_t
pf_keys_find(const struct pinfast_builder *b, const struct pf_keys *keys,
    struct pinfast_bytes name, uint8_t scope, size_t *at)
{
	uint64_t hash = pf_name_hash(keys->seed, name.data, name.len);
	size_t low = 0, high = keys->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (keys->at[mid].hash < hash)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < keys->count && keys->at[low].hash == hash; low++)
		if (keys->at[low].scope == scope &&
		    compare_bytes(name_of(b, &keys->at[low]), name) == 0) {
			*at = low;
			return pf_keys_rule(b, keys, low);
		}
	return 0;
}
