#define _GNU_SOURCE
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum pinfast_error
fail(struct pinfast_diag *diag, const char *path, int number)
{
	if (diag != NULL) {
		snprintf(diag->file, sizeof diag->file, "%s", path);
		snprintf(diag->text, sizeof diag->text, "cannot be written: %s",
		    strerror(number));
	}
	return PINFAST_EIO;
}

/* What is there already is no file. */
static enum pinfast_error
fail_kind(struct pinfast_diag *diag, const char *path, mode_t mode)
{
	if (diag != NULL) {
		snprintf(diag->file, sizeof diag->file, "%s", path);
		snprintf(diag->text, sizeof diag->text, "%s",
		    pf_file_kind(mode));
	}
	return PINFAST_EIO;
}

static int
write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Closes in any case; the first error counts. */
static int
write_and_close(int fd, struct pinfast_bytes bytes, unsigned mode)
{
	int number = write_all(fd, bytes.data, bytes.len);

	if (number == 0 && fchmod(fd, (mode_t)mode) != 0)
		number = errno;
	if (number == 0 && fsync(fd) != 0)
		number = errno;
	if (close(fd) != 0 && number == 0)
		number = errno;
	return number;
}

/* path is shorter than PATH_MAX. */
static int
open_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];

	if (slash == NULL)
		return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	memcpy(folder, path, (size_t)(slash - path) + 1);
	folder[slash - path + 1] = '\0';
	return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A file gets its name, unless the name is taken; else errno. */
static int
give_new_name(const char *temporary, const char *path)
{
	if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) ==
	    0)
		return 0;
	/* Not every file system knows that; most of the others know links. */
	if (errno != EINVAL && errno != ENOSYS)
		return errno;
	if (link(temporary, path) != 0)
		return errno;
	(void)unlink(temporary);
	return 0;
}

static int
replace_name(const char *temporary, const char *path)
{
	return rename(temporary, path) != 0 ? errno : 0;
}

/* Writes a temporary file beside path and lets name() give it its name. */
static enum pinfast_error
write_file(const char *path, struct pinfast_bytes bytes, unsigned mode,
    int (*name)(const char *temporary, const char *path),
    struct pinfast_diag *diag)
{
	char temporary[PATH_MAX];
	int folder, fd, number;

	if (snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >=
	    (int)sizeof temporary)
		return fail(diag, path, ENAMETOOLONG);
	folder = open_folder(path);
	if (folder < 0)
		return fail(diag, path, errno);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		number = errno;
		close(folder);
		return fail(diag, path, number);
	}
	number = write_and_close(fd, bytes, mode);
	if (number == 0)
		number = name(temporary, path);
	if (number != 0)
		unlink(temporary);
	else if (fsync(folder) != 0 && errno != EINVAL)
		number = errno;
	close(folder);
	return number == 0 ? PINFAST_OK : fail(diag, path, number);
}

enum pinfast_error
pf_file_write(const char *path, const void *data, size_t len, unsigned mode,
    struct pinfast_diag *diag)
{
	struct pinfast_bytes bytes = {data, len};
	struct stat st;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return fail_kind(diag, path, st.st_mode);
	return write_file(path, bytes, mode, replace_name, diag);
}

enum pinfast_error
pf_file_create(const char *path, const void *data, size_t len, unsigned mode,
    struct pinfast_diag *diag)
{
	struct pinfast_bytes bytes = {data, len};
	struct stat st;

	/* Only for the sentence: it is looked at again when it is named. */
	if (lstat(path, &st) == 0)
		return fail(diag, path, EEXIST);
	return write_file(path, bytes, mode, give_new_name, diag);
}
