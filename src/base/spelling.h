/*
 * How far a word is from the one that was meant, for "did you mean".  Hides
 * how that is counted.  Here as a whole, because only programs ask: what links
 * the library carries none of it.
 */
#ifndef PF_SPELLING_H
#define PF_SPELLING_H

#include <stddef.h>
#include <string.h>

#define PF_SPELLING_MAX 40 /* letters; longer words are as far as that */

/* The smaller one. */
static inline unsigned
pf_spelling_least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* How many letters must be put in, left out, changed, or swapped with their
 * neighbour, to make one word the other. */
static inline unsigned
pf_spelling_mistakes(const char *typed, const char *meant)
{
	/* Of the row, of the one before and of the one before that. */
	unsigned rows[3][PF_SPELLING_MAX + 1] = {{0}};
	size_t n = strlen(typed), m = strlen(meant);

	if (n > PF_SPELLING_MAX || m > PF_SPELLING_MAX)
		return PF_SPELLING_MAX;
	for (size_t i = 0; i <= n; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *last = rows[(i + 2) % 3];

		row[0] = (unsigned)i;
		for (size_t k = 1; k <= m; k++) {
			if (i == 0) {
				row[k] = (unsigned)k;
				continue;
			}
			row[k] = pf_spelling_least(pf_spelling_least(last[k],
			                               row[k - 1]) +
			                               1,
			    last[k - 1] + (typed[i - 1] != meant[k - 1]));
			if (i > 1 && k > 1 && typed[i - 1] == meant[k - 2] &&
			    typed[i - 2] == meant[k - 1])
				row[k] = pf_spelling_least(row[k],
				    rows[(i + 1) % 3][k - 2] + 1);
		}
	}
	return rows[n % 3][m];
}

#endif
