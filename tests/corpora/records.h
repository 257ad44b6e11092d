/*
 * Reads a corpus of certificates: records of a big-endian 32-bit length and
 * that many bytes, and beside them a table whose row N is about record N.
 * Hides both formats.  Stops the program on a file that is damaged: a runner
 * that reads half of a corpus would report half of the truth.
 */
#ifndef RECORDS_H
#define RECORDS_H

#include <stdio.h>

#include "pinfast.h"

struct records {
	FILE *corpus;
	FILE *table;
	size_t number;            /* of the record, from 0 */
	char line[8192];          /* its row */
	char *sha256;             /* of the record, hexadecimal */
	char tier;                /* A, B or C */
	char *hex;                /* the pin, or "-" */
	char *base64;             /* the pin, or "-" */
	size_t spki_len;          /* 0: no pin */
	char *accepted;           /* by which libraries, a letter each */
	char *other;              /* libraries that hash something else */
	struct pinfast_bytes der; /* in a block of just this size */
	uint8_t *block;
};

void records_open(struct records *r, const char *corpus, const char *table);

/* 0: there are no more. */
int records_next(struct records *r);

/* 32 bytes as the table writes them. */
void records_hex(const uint8_t hash[32], char hex[65]);

#endif
