#include "records.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/sha256.h"

#define COLUMNS 11
#define RECORD_MAX (16U << 20)

static void
die(const struct records *r, const char *what)
{
	(void)fprintf(stderr, "record %zu: %s\n", r->number, what);
	exit(2);
}

static FILE *
open_or_die(const char *path)
{
	FILE *file = fopen(path, "rb");

	if (!file) {
		perror(path);
		exit(2);
	}
	return file;
}

void
records_hex(const uint8_t hash[32], char hex[65])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < 32; i++) {
		hex[2 * i] = digits[hash[i] >> 4];
		hex[2 * i + 1] = digits[hash[i] & 15];
	}
	hex[64] = '\0';
}

void
records_open(struct records *r, const char *corpus, const char *table)
{
	memset(r, 0, sizeof *r);
	r->corpus = open_or_die(corpus);
	r->table = open_or_die(table);
	r->number = (size_t)-1;
}

static int
read_bytes(struct records *r)
{
	uint8_t head[4];
	uint32_t len;
	size_t got = fread(head, 1, sizeof head, r->corpus);

	if (got == 0)
		return 0;
	len = pf_be32(head);
	if (got != sizeof head || len > RECORD_MAX)
		die(r, "damaged length");
	free(r->block);
	r->block = malloc(len + 1);
	if (!r->block)
		die(r, "out of memory");
	/* At its end, so that reading beyond is seen; not aligned, either. */
	r->der.data = r->block + 1;
	r->der.len = len;
	if (fread(r->block + 1, 1, len, r->corpus) != len)
		die(r, "the corpus ends inside");
	return 1;
}

/* Cuts the row into its columns; a line that begins with # is none. */
static void
read_row(struct records *r)
{
	char *column[COLUMNS], *at;

	do {
		if (!fgets(r->line, sizeof r->line, r->table))
			die(r, "has no row");
	} while (r->line[0] == '#');
	at = r->line;
	for (size_t i = 0; i < COLUMNS; i++) {
		if (!at)
			die(r, "its row has too few columns");
		column[i] = at;
		at = strchr(at, '\t');
		if (at)
			*at++ = '\0';
	}
	r->sha256 = column[0];
	r->tier = column[1][0];
	r->hex = column[2];
	r->base64 = column[3];
	r->spki_len = strtoul(column[4], NULL, 10);
	r->accepted = column[6];
	r->other = column[8];
}

int
records_next(struct records *r)
{
	uint8_t hash[32];
	char hex[65];

	r->number++;
	if (!read_bytes(r)) {
		if (fgets(r->line, sizeof r->line, r->table))
			die(r, "is missing, there is a row");
		free(r->block);
		(void)fclose(r->corpus);
		(void)fclose(r->table);
		return 0;
	}
	read_row(r);
	pf_sha256(r->der.data, r->der.len, hash);
	records_hex(hash, hex);
	if (strcmp(hex, r->sha256) != 0)
		die(r, "is not what its row is about");
	return 1;
}
