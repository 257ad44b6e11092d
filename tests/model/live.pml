/*
 * The live policy (src/core/live.c) as a model for spin: readers that judge,
 * one loader that replaces and frees stores.  Every step below is one atomic
 * operation of the C code; the comments name its function.
 *
 * Must hold in every interleaving: no store is freed while a reader looks at
 * it, and a reader looks at one store from enter to leave.
 *
 * A planted bug is compiled in by a macro; spin must then find an assertion
 * that fails:
 *   SPLIT_READ  the pointer is read before the reader has counted itself in
 *   ONE_PHASE   freed when one side was empty, without changing sides
 *   NO_WAIT     freed without looking at the readers
 */
#define READERS 2
#define READS 2
#define LOADS 3

byte current = 1; /* the store in service; 0 is none */
byte epoch = 0;
byte inside[2];
bool freed[5];

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
			freed[waiting] = true;
			waiting = 0
		fi
#else
		freed[waiting] = true;
		waiting = 0
#endif
	od
}

active proctype loader()
{
	byte next = 2;

	/* pinfast_load(), once after the other: `loading` keeps others out */
	do
	:: next < 2 + LOADS ->
		/* swap() */
		reclaim();
		if
		:: retired != 0 -> skip /* EBUSY: the caller keeps its store */
		:: else ->
			retired = current;
			current = next;
			reclaim()
		fi;
		next++
	:: else -> break
	od
}
