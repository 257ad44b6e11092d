#define _DEFAULT_SOURCE
#include "cli_check/stream.h"

#include <stdlib.h>
#include <string.h>

#include "cli/out.h"
#include "os/file.h"

int
pf_stream_init(struct pf_stream *stream)
{
	stream->text = NULL;
	stream->len = 0;
	stream->out = open_memstream(&stream->text, &stream->len);
	return stream->out != NULL;
}

void
pf_stream_fini(struct pf_stream *stream)
{
	if (stream->out != NULL)
		fclose(stream->out);
	free(stream->text);
	stream->out = NULL;
	stream->text = NULL;
}

void
pf_stream_append(FILE *to, struct pf_stream *stream)
{
	if (fflush(stream->out) == 0)
		fwrite(stream->text, 1, stream->len, to);
}

int
pf_stream_save(struct pf_stream *stream, const char *path)
{
	struct pinfast_diag diag;

	memset(&diag, 0, sizeof diag);
	if (fflush(stream->out) != 0 || ferror(stream->out)) {
		pf_complain(path, "out of memory");
		return 0;
	}
	if (pf_file_write(path, stream->text, stream->len, 0644, &diag) ==
	    PINFAST_OK)
		return 1;
	pf_complain_diag(&diag);
	return 0;
}
