#include "core/live.h"

#include <stdatomic.h>

#include "base/bytes.h"
#include "base/sha256.h"
#include "core/sentence.h"

/* 32-bit machines have no 64-bit atomics that never wait: four seconds are
 * fine enough, and last until the year 2514. */
#define FLOOR_UNIT 4

/*
 * The guard.  `current` is what readers use.  A replaced store first stands
 * in `retired`; when nothing is being waited for it moves to `waiting`, and
 * then in two phases: the idle side must be empty, the sides change, and the
 * other side must be empty.  A reader that was counted in before the change
 * holds its side; one that comes later can only see newer stores.
 */
struct pinfast {
	struct pinfast_alloc alloc;
	_Atomic(struct pinfast_store *) current;
	atomic_uint epoch;
	atomic_size_t active[2];
	atomic_flag loading;
	atomic_uint generation;
	atomic_uint floor;             /* in units of FLOOR_UNIT */
	struct pinfast_store *retired; /* by the loader only, as the next two */
	struct pinfast_store *waiting;
	int phase;
	pinfast_sha256_fn sha256;
	void *sha256_arg;
	pinfast_event_fn event;
	void *event_arg;
};

static int
own_sha256(void *arg, const void *data, size_t len, uint8_t *out)
{
	(void)arg;
	pf_sha256(data, len, out);
	return 0;
}

enum pinfast_error
pinfast_new(const struct pinfast_alloc *alloc, struct pinfast **out)
{
	struct pinfast_alloc use = pf_alloc_or_default(alloc);
	struct pinfast *p;

	if (out == NULL)
		return PINFAST_EUSAGE;
	p = use.alloc(use.arg, sizeof *p);
	if (p == NULL)
		return PINFAST_ENOMEM;
	memset(p, 0, sizeof *p);
	p->alloc = use;
	atomic_init(&p->current, NULL);
	atomic_init(&p->epoch, 0);
	atomic_init(&p->active[0], 0);
	atomic_init(&p->active[1], 0);
	atomic_flag_clear(&p->loading);
	atomic_init(&p->generation, 0);
	atomic_init(&p->floor, 0);
	p->sha256 = own_sha256;
	*out = p;
	return PINFAST_OK;
}

void
pinfast_free(struct pinfast *p)
{
	struct pinfast_alloc alloc;

	if (p == NULL)
		return;
	pinfast_store_free(atomic_load(&p->current));
	pinfast_store_free(p->retired);
	pinfast_store_free(p->waiting);
	alloc = p->alloc;
	alloc.free(alloc.arg, p);
}

const struct pinfast_store *
pf_live_enter(struct pinfast *p, unsigned *side)
{
	*side = atomic_load(&p->epoch) & 1;
	atomic_fetch_add(&p->active[*side], 1);
	return atomic_load(&p->current);
}

void
pf_live_leave(struct pinfast *p, unsigned side)
{
	atomic_fetch_sub(&p->active[side], 1);
}

/* Frees what nobody can be reading any more. */
static void
reclaim(struct pinfast *p)
{
	for (;;) {
		unsigned side = atomic_load(&p->epoch) & 1;

		if (p->waiting == NULL) {
			if (p->retired == NULL)
				return;
			p->waiting = p->retired;
			p->retired = NULL;
			p->phase = 0;
		}
		if (atomic_load(&p->active[!side]) != 0)
			return;
		if (p->phase == 0) {
			atomic_store(&p->epoch, !side);
			p->phase = 1;
			continue;
		}
		pinfast_store_free(p->waiting);
		p->waiting = NULL;
	}
}

static enum pinfast_error
refuse(struct pinfast_diag *diag, enum pinfast_error error, uint64_t serial,
    const char *why, uint64_t write)
{
	struct pf_sentence s = {NULL, 0, 0};

	if (diag == NULL)
		return error;
	s.out = diag->text;
	s.size = sizeof diag->text;
	pf_say(&s, "serial ");
	pf_say_number(&s, serial);
	pf_say(&s, why);
	pf_say_number(&s, write);
	pf_say(&s, " or higher");
	return error;
}

static enum pinfast_error
check_serial(const struct pinfast_store *now, const struct pinfast_store *next,
    struct pinfast_diag *diag)
{
	uint64_t have, is;

	if (now == NULL)
		return PINFAST_OK;
	have = pinfast_store_serial(now);
	is = pinfast_store_serial(next);
	if (is < have)
		return refuse(diag, PINFAST_EOLDER, is,
		    " is older than the policy in service: write serial ",
		    have + 1);
	if (is == have && is != 0 &&
	    !pf_same(pinfast_store_digest(now), pinfast_store_digest(next), 32))
		return refuse(diag, PINFAST_ESAMESERIAL, is,
		    " is in service with other content: write serial ",
		    have + 1);
	return PINFAST_OK;
}

static enum pinfast_error
swap(struct pinfast *p, struct pinfast_store *store, struct pinfast_diag *diag)
{
	struct pinfast_store *now = atomic_load(&p->current);
	enum pinfast_error error = check_serial(now, store, diag);

	if (error != PINFAST_OK)
		return error;
	reclaim(p);
	if (p->retired != NULL)
		return pf_diag(diag, PINFAST_EBUSY,
		    "two replaced policies are still in use; try again");
	atomic_store(&p->current, store);
	p->retired = now;
	atomic_fetch_add(&p->generation, 1);
	reclaim(p);
	return PINFAST_OK;
}

enum pinfast_error
pinfast_load(struct pinfast *p, struct pinfast_store *store,
    struct pinfast_diag *diag)
{
	enum pinfast_error error;

	if (p == NULL || store == NULL || store == atomic_load(&p->current))
		return PINFAST_EUSAGE;
	if (atomic_flag_test_and_set(&p->loading))
		return pf_diag(diag, PINFAST_EBUSY,
		    "another thread is loading a policy");
	error = swap(p, store, diag);
	atomic_flag_clear(&p->loading);
	return error;
}

uint32_t
pinfast_generation(const struct pinfast *p)
{
	return atomic_load(&p->generation);
}

enum pinfast_error
pinfast_identity(struct pinfast *p, uint64_t *serial, uint8_t digest[32])
{
	unsigned side;
	const struct pinfast_store *store = pf_live_enter(p, &side);

	if (store != NULL) {
		*serial = pinfast_store_serial(store);
		memcpy(digest, pinfast_store_digest(store), 32);
	}
	pf_live_leave(p, side);
	return store != NULL ? PINFAST_OK : PINFAST_ENOTFOUND;
}

/* Known answers (FIPS 180-4 examples): one block, two blocks, none. */
static int
knows_answers(pinfast_sha256_fn fn, void *arg)
{
	static const struct {
		const char *in;
		uint8_t out[8]; /* the first eight bytes */
	} tests[] = {
	    {"", {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14}},
	    {"abc", {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea}},
	    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	        {0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8}},
	};

	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
		uint8_t theirs[PINFAST_PIN_LEN] = {0};
		uint8_t ours[PINFAST_PIN_LEN];
		size_t len = strlen(tests[i].in);

		pf_sha256(tests[i].in, len, ours);
		if (fn(arg, tests[i].in, len, theirs) != 0 ||
		    !pf_same(theirs, tests[i].out, sizeof tests[i].out) ||
		    !pf_same(theirs, ours, sizeof ours))
			return 0;
	}
	return 1;
}

enum pinfast_error
pinfast_use_sha256(struct pinfast *p, pinfast_sha256_fn fn, void *arg)
{
	if (fn == NULL) {
		fn = own_sha256;
		arg = NULL;
	}
	if (!knows_answers(fn, arg))
		return PINFAST_EUNSAFE;
	p->sha256 = fn;
	p->sha256_arg = arg;
	return PINFAST_OK;
}

int
pinfast_hashes_itself(const struct pinfast *p)
{
	return p->sha256 == own_sha256;
}

int
pf_live_hash(struct pinfast *p, const void *data, size_t len,
    uint8_t out[PINFAST_PIN_LEN])
{
	return p->sha256(p->sha256_arg, data, len, out);
}

int64_t
pf_live_floor(struct pinfast *p)
{
	return (int64_t)atomic_load(&p->floor) * FLOOR_UNIT;
}

void
pinfast_time_floor(struct pinfast *p, int64_t at)
{
	const int64_t most = (int64_t)0xffffffffU * FLOOR_UNIT;
	unsigned old = atomic_load(&p->floor);
	unsigned next;

	if (at <= 0)
		return;
	next = (unsigned)((at > most ? most : at) / FLOOR_UNIT);
	while (next > old) {
		/* LCOV_EXCL_BR_START: fails when another thread was faster */
		if (atomic_compare_exchange_weak(&p->floor, &old, next))
			break;
		/* LCOV_EXCL_BR_STOP */
	}
}

void
pinfast_on_event(struct pinfast *p, pinfast_event_fn fn, void *arg)
{
	p->event = fn;
	p->event_arg = arg;
}

void
pf_live_event(struct pinfast *p, const struct pinfast_event *event)
{
	if (p->event != NULL)
		p->event(p->event_arg, event);
}

const struct pinfast_alloc *
pf_live_alloc(const struct pinfast *p)
{
	return &p->alloc;
}
