#define _GNU_SOURCE
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

static enum pinfast_error
say(struct pinfast_diag *diag, enum pinfast_error error, const char *path,
    const char *text)
{
	if (diag != NULL) {
		snprintf(diag->file, sizeof diag->file, "%s", path);
		snprintf(diag->text, sizeof diag->text, "%s", text);
	}
	return error;
}

static enum pinfast_error
say_errno(struct pinfast_diag *diag, const char *path)
{
	return say(diag, errno == ENOMEM ? PINFAST_ENOMEM : PINFAST_EIO, path,
	    strerror(errno));
}

static enum pinfast_error
say_limit(struct pinfast_diag *diag, const char *path, size_t max)
{
	char text[128];

	snprintf(text, sizeof text, "is larger than the limit of %zu bytes",
	    max);
	return say(diag, PINFAST_ELIMIT, path, text);
}

const char *
pf_file_kind(unsigned mode)
{
	if (S_ISDIR(mode))
		return "is a directory, not a file";
	if (S_ISCHR(mode) || S_ISBLK(mode))
		return "is a device, not a file";
	if (S_ISFIFO(mode))
		return "is a pipe, not a file";
	return "is a socket, not a file";
}

static enum pinfast_error
check_stat(const char *path, const struct stat *st, size_t max,
    enum pf_file_trust trust, struct pinfast_diag *diag)
{
	if (!S_ISREG(st->st_mode))
		return say(diag, PINFAST_EIO, path, pf_file_kind(st->st_mode));
	if (trust == PF_FILE_OURS && (st->st_mode & S_IWOTH) != 0)
		return say(diag, PINFAST_EUNSAFE, path,
		    "everybody may write this file; run `chmod o-w` on it "
		    "and check what it says");
	if (trust == PF_FILE_SECRET && (st->st_mode & 077) != 0)
		return say(diag, PINFAST_EUNSAFE, path,
		    "others may read the secrets in this file: chmod 600");
	if (st->st_size < 0 || (uint64_t)st->st_size > max)
		return say_limit(diag, path, max);
	return PINFAST_OK;
}

/* An open file and what it was when it was opened. */
struct opened {
	int fd;
	struct stat st;
};

/* Opens without waiting for the other end of a pipe. */
static enum pinfast_error
open_checked(const char *path, size_t max, enum pf_file_trust trust,
    struct pinfast_diag *diag, struct opened *out)
{
	enum pinfast_error error;
	int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (opened < 0)
		return say_errno(diag, path);
	if (fstat(opened, &out->st) != 0)
		error = say_errno(diag, path);
	else
		error = check_stat(path, &out->st, max, trust, diag);
	if (error != PINFAST_OK)
		close(opened);
	else
		out->fd = opened;
	return error;
}

/* Reads up to size bytes; *len says how many there were.  A signal that the
 * program catches ends the wait for standard input, so that it can stop. */
static int
read_up_to(int fd, uint8_t *data, size_t size, size_t *len)
{
	*len = 0;
	while (*len < size) {
		ssize_t n = read(fd, data + *len, size - *len);

		if (n < 0 && errno == EINTR && fd != STDIN_FILENO)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		*len += (size_t)n;
	}
	return 0;
}

/* What is read to its end. */
struct source {
	int fd;
	const char *path;
	size_t room; /* what it is likely to need */
	size_t max;
};

static enum pinfast_error
read_source(const struct source *from, struct pinfast_diag *diag,
    struct pf_content *out)
{
	uint8_t *buffer = NULL;
	size_t have = 0, room = from->room;

	for (;;) {
		uint8_t *bigger = realloc(buffer, room + 1);
		size_t got;

		if (bigger == NULL) {
			free(buffer);
			return say(diag, PINFAST_ENOMEM, from->path,
			    "out of memory");
		}
		buffer = bigger;
		if (read_up_to(from->fd, buffer + have, room - have, &got) !=
		    0) {
			free(buffer);
			return say_errno(diag, from->path);
		}
		have += got;
		if (have > from->max) {
			free(buffer);
			return say_limit(diag, from->path, from->max);
		}
		if (have < room)
			break;
		room *= 2;
	}
	buffer[have] = '\0';
	out->data = buffer;
	out->len = have;
	return PINFAST_OK;
}

enum pinfast_error
pf_file_read(const char *path, size_t max, enum pf_file_trust trust,
    struct pinfast_diag *diag, struct pf_content *out)
{
	struct source from = {STDIN_FILENO, "standard input", 65536, max};
	struct opened file;
	enum pinfast_error error;

	if (strcmp(path, "-") == 0)
		return read_source(&from, diag, out);
	error = open_checked(path, max, trust, diag, &file);
	if (error != PINFAST_OK)
		return error;
	from.fd = file.fd;
	from.path = path;
	from.room = (size_t)file.st.st_size + 1;
	error = read_source(&from, diag, out);
	close(file.fd);
	return error;
}

/*
 * Where another machine or another process is the file's server, nobody's
 * rights here keep it from shrinking.  statfs(2) names these numbers.
 */
static int
is_served(int fd)
{
	static const uint32_t served[] = {0x65735546 /* FUSE */,
	    0x6969 /* NFS */, 0x517b /* SMB */, 0xff534d42 /* CIFS */,
	    0xfe534d42 /* SMB2 */, 0x01021997 /* 9P */, 0x00c36400 /* Ceph */,
	    0x5346414f /* AFS */};
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return 1;
	for (size_t i = 0; i < sizeof served / sizeof *served; i++)
		if ((uint32_t)fs.f_type == served[i])
			return 1;
	return 0;
}

/* Could nobody else shorten the file while it is mapped? */
static int
only_ours(int fd, const struct stat *st)
{
	return !is_served(fd) && (st->st_uid == 0 || st->st_uid == geteuid()) &&
	       (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Copies into memory that nobody can change or shorten. */
static enum pinfast_error
copy_sealed(int fd, const char *path, size_t len, struct pinfast_diag *diag,
    int *sealed)
{
	uint8_t buffer[65536];
	size_t done = 0;
	int memory = memfd_create("pinfast", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (memory < 0)
		return say_errno(diag, path);
	while (done < len) {
		size_t got, want = len - done;

		if (want > sizeof buffer)
			want = sizeof buffer;
		if (read_up_to(fd, buffer, want, &got) != 0 || got == 0 ||
		    write(memory, buffer, got) != (ssize_t)got) {
			close(memory);
			return say(diag, PINFAST_EIO, path,
			    "changed while it was read");
		}
		done += got;
	}
	if (fcntl(memory, F_ADD_SEALS,
	        F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) !=
	    0) {
		close(memory);
		return say_errno(diag, path);
	}
	*sealed = memory;
	return PINFAST_OK;
}

enum pinfast_error
pf_map_open(const char *path, size_t max, struct pinfast_diag *diag,
    struct pf_map *out)
{
	struct opened file;
	enum pinfast_error error;
	size_t size;
	int fd, sealed = -1;
	void *at;

	error = open_checked(path, max, PF_FILE_OURS, diag, &file);
	if (error != PINFAST_OK)
		return error;
	fd = file.fd;
	size = (size_t)file.st.st_size;
	if (size == 0) {
		close(fd);
		return say(diag, PINFAST_EFORMAT, path, "is empty");
	}
	if (!only_ours(fd, &file.st)) {
		error = copy_sealed(fd, path, size, diag, &sealed);
		close(fd);
		if (error != PINFAST_OK)
			return error;
		fd = sealed;
	}
	at = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (at == MAP_FAILED)
		error = say_errno(diag, path);
	close(fd);
	if (error != PINFAST_OK)
		return error;
	out->data = at;
	out->len = size;
	return PINFAST_OK;
}

void
pf_map_close(const struct pf_map *map)
{
	munmap((void *)(uintptr_t)map->data, map->len);
}

int64_t
pf_clock_now(void)
{
	return (int64_t)time(NULL);
}
