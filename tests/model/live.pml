/*
 * The live policy (src/core/live.c) as a model for spin: readers that judge,
 * loaders that replace and free stores: two readers and one loader, or, with
 * LOADERS_MEET, one reader and two loaders.  Every step below is one atomic
 * operation of the C code; the comments name its function.
 *
 * Must hold in every interleaving: no store is freed while a reader looks at
 * it, a reader looks at one store from enter to leave, and a store is freed
 * once and never while it is in service.
 *
 * A planted bug is compiled in by a macro; spin must then find an assertion
 * that fails:
 *   SPLIT_READ  the pointer is read before the reader has counted itself in
 *   ONE_PHASE   freed when one side was empty, without changing sides
 *   NO_WAIT     freed without looking at the readers
 *   NO_FLAG     two loaders at once (with LOADERS_MEET)
 */
#ifdef LOADERS_MEET
#define READERS 1
#define LOADERS 2
#define LOADS 2 /* of each */
#else
#define READERS 2
#define LOADERS 1
#define LOADS 3
#endif
#define READS 2

byte current = 1; /* the store in service; 0 is none */
byte epoch = 0;
byte inside[2];
bool freed[6];

active [READERS] proctype reader()
{
	byte side, store, again;
	byte reads = 0;

	do
	:: reads < READS ->
		/* pf_live_enter() */
		side = epoch;
#ifdef SPLIT_READ
		store = current;
		inside[side] = inside[side] + 1;
#else
		inside[side] = inside[side] + 1;
		store = current;
#endif
		/* pf_conn_judge(): reads the store more than once */
		again = store;
		assert(!freed[store]);
		assert(!freed[again] && again == store);
		/* pf_live_leave() */
		inside[side] = inside[side] - 1;
		reads++
	:: else -> break
	od
}

byte retired = 0;
byte waiting = 0;
byte phase = 0;

/* pinfast_store_free() of what was waiting, and only once. */
inline free_store()
{
	assert(waiting != 0 && !freed[waiting] && waiting != current);
	freed[waiting] = true;
	waiting = 0
}

/* reclaim() */
inline reclaim()
{
	do
	:: true ->
		if
		:: waiting == 0 && retired == 0 -> break
		:: waiting == 0 && retired != 0 ->
			waiting = retired;
			retired = 0;
			phase = 0
		:: else -> skip
		fi;
#ifndef NO_WAIT
		if
		:: inside[1 - epoch] != 0 -> break
		:: else -> skip
		fi;
#endif
#if !defined(ONE_PHASE) && !defined(NO_WAIT)
		if
		:: phase == 0 ->
			epoch = 1 - epoch;
			phase = 1
		:: else ->
			free_store()
		fi
#else
		free_store()
#endif
	od
}

bool loading = false;
byte next = 2;

active [LOADERS] proctype loader()
{
	byte loads = 0;
	byte mine, now;

	do
	:: loads < LOADS ->
		atomic { /* the caller opens a store of its own */
			mine = next;
			next++;
			loads++
		}
		/* pinfast_load() */
		if
#ifdef NO_FLAG
		:: true -> skip
#else
		:: atomic { loading -> goto refused } /* EBUSY */
		:: atomic { !loading -> loading = true }
#endif
		fi;
		/* swap() */
		now = current;
		reclaim();
		if
		:: retired != 0 -> skip /* EBUSY: the caller keeps its store */
		:: else ->
			current = mine;
			retired = now;
			reclaim()
		fi;
		loading = false;
refused:
		skip
	:: else -> break
	od
}
