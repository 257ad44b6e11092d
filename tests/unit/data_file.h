/* Reads one of the files of tests/data/certs. */
#ifndef DATA_FILE_H
#define DATA_FILE_H

#include <stdint.h>
#include <stdio.h>

static inline size_t
data_file(const char *name, uint8_t *data, size_t size)
{
	char path[1024];
	FILE *file;
	size_t len;

	(void)snprintf(path, sizeof path, "%s/certs/%s", PF_TEST_DATA, name);
	file = fopen(path, "rb");
	if (!file)
		fail_msg("%s: missing", path);
	len = fread(data, 1, size, file);
	(void)fclose(file);
	return len;
}

#endif
