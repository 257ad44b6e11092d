#include "cli_check/turns.h"

#include <stdlib.h>

struct pf_in_turn *
pf_turns_take(struct pf_turns *turns)
{
	struct pf_in_turn *turn = calloc(1, sizeof *turn);

	if (turn == NULL)
		return NULL;
	turn->prev = turns->last;
	if (turns->last != NULL)
		turns->last->next = turn;
	else
		turns->first = turn;
	turns->last = turn;
	return turn;
}

static void
end(struct pf_turns *turns, struct pf_in_turn *turn)
{
	if (turn->is_told)
		turns->tell(turns->arg, &turn->checked);
	if (turn->prev != NULL)
		turn->prev->next = turn->next;
	else
		turns->first = turn->next;
	if (turn->next != NULL)
		turn->next->prev = turn->prev;
	else
		turns->last = turn->prev;
	turns->waiting--;
	pf_checked_fini(&turn->checked);
	free(turn);
}

void
pf_turns_over(struct pf_turns *turns, struct pf_in_turn *turn, int worth_it)
{
	turn->is_over = 1;
	turn->is_told = worth_it;
	turns->waiting++;
	if (!turns->first->is_over) {
		if (turns->waiting > turns->most)
			end(turns, turn);
		return;
	}
	while (turns->first != NULL && turns->first->is_over)
		end(turns, turns->first);
}
