/* Fails a test with the name of the table row that it is at. */
#ifndef CLAIM_H
#define CLAIM_H

#define claim(row, condition)                                                  \
	do {                                                                   \
		if (!(condition))                                              \
			fail_msg("%s: %s", (row), #condition);                 \
	} while (0)

#endif
