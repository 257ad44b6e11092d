/*
 * Text that is written bit by bit and becomes a file as a whole or not at
 * all.  Hides the memory it grows in.
 */
#ifndef PF_STREAM_H
#define PF_STREAM_H

#include <stdio.h>

struct pf_stream {
	FILE *out; /* NULL: out of memory */
	char *text;
	size_t len; /* both valid after fflush() */
};

int pf_stream_init(struct pf_stream *stream); /* 0: out of memory */
void pf_stream_fini(struct pf_stream *stream);

/* What one stream holds goes behind what the other does. */
void pf_stream_append(FILE *to, struct pf_stream *stream);

/* Replaces a file; 0 after a complaint. */
int pf_stream_save(struct pf_stream *stream, const char *path);

#endif
