#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "os/alloc.h"
#include "os/file.h"
#include "claim.h"

/* Each test works in a folder of its own, which is removed behind it. */
static char folder[64];

static int
enter(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/pinfast-test-XXXXXX");
	return mkdtemp(folder) == NULL || chdir(folder) != 0 ? -1 : 0;
}

static int
leave(void **state)
{
	DIR *d = opendir(".");
	struct dirent *e;

	(void)state;
	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			remove(e->d_name);
	closedir(d);
	return chdir("/") != 0 || rmdir(folder) != 0 ? -1 : 0;
}

static void
put(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static unsigned
files_here(void)
{
	DIR *d = opendir(".");
	struct dirent *e;
	unsigned count = 0;

	while ((e = readdir(d)) != NULL)
		count += e->d_name[0] != '.';
	closedir(d);
	return count;
}

static void
assert_holds(const char *path, const char *text)
{
	struct pinfast_diag diag;
	struct pf_content file;

	assert_int_equal(pf_file_read(path, 1000, PF_FILE_ANY, &diag, &file),
	    0);
	assert_int_equal(file.len, strlen(text));
	/* With the NUL that is promised. */
	assert_memory_equal(file.data, text, file.len + 1);
	free(file.data);
}

/* ------------------------------------------------------------- reading */

static void
make_odd_files(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	put("five", "12345", 0644);
	put("anybody", "12345", 0666);
	put("group", "12345", 0664);
	put("empty", "", 0644);
	assert_int_equal(mkdir("folder", 0755), 0);
	assert_int_equal(mkfifo("pipe", 0644), 0);
	assert_int_equal(symlink("folder", "link"), 0);
	strcpy(address.sun_path, "socket");
	assert_int_equal(bind(s, (struct sockaddr *)&address, sizeof address),
	    0);
	close(s);
}

static const struct {
	const char *name, *path;
	size_t max;
	enum pf_file_trust trust;
	enum pinfast_error error;
	const char *text; /* a part of the complaint */
} refused[] = {
    {"missing", "nothing", 9, PF_FILE_ANY, PINFAST_EIO, "No such file"},
    {"folder", "folder", 9, PF_FILE_ANY, PINFAST_EIO, "is a directory"},
    {"link to a folder", "link", 9, PF_FILE_ANY, PINFAST_EIO, "is a directory"},
    {"device", "/dev/null", 9, PF_FILE_ANY, PINFAST_EIO, "is a device"},
    {"pipe", "pipe", 9, PF_FILE_ANY, PINFAST_EIO, "is a pipe"},
    {"socket", "socket", 9, PF_FILE_ANY, PINFAST_EIO, "No such device"},
    {"limit and one", "five", 4, PF_FILE_ANY, PINFAST_ELIMIT,
        "is larger than the limit of 4 bytes"},
    {"anybody may write it", "anybody", 9, PF_FILE_OURS, PINFAST_EUNSAFE,
        "run `chmod o-w` on it"},
    {"no file in a file", "five/six", 9, PF_FILE_ANY, PINFAST_EIO,
        "Not a directory"},
};

static void
what_cannot_be_read_is_told_and_why(void **state)
{
	(void)state;
	make_odd_files();
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct pinfast_diag diag = {.text = ""};
		struct pf_content file = {NULL, 77};
		enum pinfast_error error = pf_file_read(refused[i].path,
		    refused[i].max, refused[i].trust, &diag, &file);

		claim(refused[i].name, error == refused[i].error);
		claim(refused[i].name,
		    strstr(diag.text, refused[i].text) != NULL);
		claim(refused[i].name, strcmp(diag.file, refused[i].path) == 0);
		claim(refused[i].name, file.data == NULL && file.len == 77);
	}
}

static void
a_file_at_the_limit_is_read(void **state)
{
	struct pinfast_diag diag;
	struct pf_content file;

	(void)state;
	make_odd_files();
	assert_int_equal(pf_file_read("five", 5, PF_FILE_OURS, &diag, &file),
	    0);
	assert_int_equal(file.len, 5);
	free(file.data);
	assert_int_equal(pf_file_read("group", 5, PF_FILE_OURS, NULL, &file),
	    0);
	free(file.data);
	assert_int_equal(pf_file_read("anybody", 5, PF_FILE_ANY, NULL, &file),
	    0);
	free(file.data);
	assert_holds("empty", "");
}

/* Standard input as a file of this many bytes. */
static enum pinfast_error
read_input(size_t size, size_t max, size_t *len)
{
	struct pinfast_diag diag;
	int old = dup(0), fd = open("input", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct pf_content file = {NULL, 0};
	enum pinfast_error error;

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(dup2(fd, 0), 0);
	error = pf_file_read("-", max, PF_FILE_OURS, &diag, &file);
	if (error == PINFAST_ELIMIT)
		assert_string_equal(diag.file, "standard input");
	*len = file.len;
	free(file.data);
	dup2(old, 0);
	close(old);
	close(fd);
	return error;
}

static void
standard_input_has_the_same_limit(void **state)
{
	size_t len;

	(void)state;
	assert_int_equal(read_input(0, 10, &len), 0);
	assert_int_equal(len, 0);
	assert_int_equal(read_input(10, 10, &len), 0);
	assert_int_equal(len, 10);
	assert_int_equal(read_input(11, 10, &len), PINFAST_ELIMIT);
	assert_int_equal(read_input(300000, 300000, &len), 0);
	assert_int_equal(len, 300000);
	assert_int_equal(read_input(300001, 300000, &len), PINFAST_ELIMIT);
	assert_int_equal(read_input(65536, 65536, &len), 0);
	assert_int_equal(len, 65536);
}

static void
caught(int number)
{
	(void)number;
}

static void
a_signal_ends_the_wait_for_standard_input(void **state)
{
	struct sigaction action = {.sa_handler = caught};
	struct sigaction before;
	struct pf_content file;
	int ends[2], old = dup(0);

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dup2(ends[0], 0), 0);
	sigaction(SIGALRM, &action, &before);
	alarm(1);
	assert_int_equal(pf_file_read("-", 9, PF_FILE_ANY, NULL, &file),
	    PINFAST_EIO);
	sigaction(SIGALRM, &before, NULL);
	dup2(old, 0);
	close(old);
	close(ends[0]);
	close(ends[1]);
}

/* ------------------------------------------------------------- writing */

static void
a_file_is_made_and_replaced(void **state)
{
	struct pinfast_diag diag;
	struct stat st;
	mode_t mask = umask(077);

	(void)state;
	assert_int_equal(pf_file_write("new", "one", 3, 0644, &diag), 0);
	assert_holds("new", "one");
	assert_int_equal(stat("new", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(pf_file_write("./new", "two!", 4, 0600, &diag), 0);
	assert_holds("new", "two!");
	assert_int_equal(stat("new", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(pf_file_write("new", NULL, 0, 0600, NULL), 0);
	assert_holds("new", "");
	assert_int_equal(files_here(), 1);
	umask(mask);
}

static void
a_new_file_takes_no_name_that_is_taken(void **state)
{
	static const char *const taken[] = {
	    "file", "folder", "pipe", "dangling"};
	struct pinfast_diag diag;
	struct stat st;
	mode_t mask = umask(0);

	(void)state;
	assert_int_equal(pf_file_create("new", "one", 3, 0600, &diag), 0);
	assert_holds("new", "one");
	assert_int_equal(stat("new", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	umask(mask);
	put("file", "old", 0644);
	assert_int_equal(mkdir("folder", 0755), 0);
	assert_int_equal(mkfifo("pipe", 0644), 0);
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
		claim(taken[i], pf_file_create(taken[i], "x", 1, 0600, &diag) ==
		                        PINFAST_EIO &&
		                    strstr(diag.text, "File exists") != NULL);
	}
	assert_int_equal(pf_file_create("no/new", "x", 1, 0600, &diag),
	    PINFAST_EIO);
	assert_holds("file", "old");
	assert_int_equal(files_here(), 5);
}

static void
a_full_disk_leaves_the_old_file_and_nothing_else(void **state)
{
	struct rlimit old, small;
	struct pinfast_diag diag;

	(void)state;
	put("file", "old", 0644);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 4;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(pf_file_write("file", "longer", 6, 0644, &diag),
	    PINFAST_EIO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_non_null(strstr(diag.text, "cannot be written: File too"));
	assert_holds("file", "old");
	assert_int_equal(files_here(), 1);
}

static void
what_cannot_be_written_is_told(void **state)
{
	static char far[5000];
	static char no_room[4095];
	static char no_suffix[253]; /* the temporary file's name is longer */
	static const struct {
		const char *path, *text;
	} rows[] = {{"none/file", "No such file"}, {"folder", "is a directory"},
	    {"five/file", "Not a directory"}, {"pipe", "is a pipe"},
	    {"/dev/null", "is a device"}, {far, "too long"},
	    {no_room, "too long"}, {no_suffix, "too long"},
	    {"", "No such file"}};
	struct pinfast_diag diag;
	unsigned before;

	(void)state;
	memset(far, 'f', sizeof far - 1);
	memset(no_room, 'n', sizeof no_room - 1);
	memset(no_suffix, 'n', sizeof no_suffix - 1);
	make_odd_files();
	before = files_here();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		claim(rows[i].path, pf_file_write(rows[i].path, "x", 1, 0644,
		                        &diag) == PINFAST_EIO);
		if (strstr(diag.text, rows[i].text) == NULL)
			fail_msg("%.20s: %s", rows[i].path, diag.text);
		claim(rows[i].path, files_here() == before);
	}
	assert_holds("five", "12345");
}

/* ------------------------------------------------------------- mapping */

static void
a_file_that_is_ours_is_mapped(void **state)
{
	struct pf_map map;

	(void)state;
	put("file", "content", 0644);
	assert_int_equal(pf_map_open("file", 7, NULL, &map), 0);
	assert_int_equal(map.len, 7);
	assert_memory_equal(map.data, "content", 7);
	pf_map_close(&map);
}

static void
a_file_that_others_can_shorten_is_copied(void **state)
{
	static uint8_t large[200000];
	struct pinfast_diag diag;
	struct pf_map map;

	(void)state;
	memset(large, 'l', sizeof large);
	assert_int_equal(pf_file_write("file", large, sizeof large, 0664,
	                     &diag),
	    0);
	assert_int_equal(pf_map_open("file", sizeof large, NULL, &map), 0);
	assert_int_equal(map.len, sizeof large);
	/* Reading a mapped file behind its end would be a SIGBUS. */
	assert_int_equal(truncate("file", 0), 0);
	assert_memory_equal(map.data, large, sizeof large);
	pf_map_close(&map);
}

static void
what_is_unsafe_or_no_file_is_not_mapped(void **state)
{
	static const struct {
		const char *path;
		size_t max;
		enum pinfast_error error;
		const char *text;
	} rows[] = {{"anybody", 9, PINFAST_EUNSAFE, "chmod o-w"},
	    {"empty", 9, PINFAST_EFORMAT, "is empty"},
	    {"five", 4, PINFAST_ELIMIT, "limit of 4 bytes"},
	    {"folder", 9, PINFAST_EIO, "is a directory"},
	    {"pipe", 9, PINFAST_EIO, "is a pipe"},
	    {"nothing", 9, PINFAST_EIO, "No such file"}};
	struct pinfast_diag diag;
	struct pf_map map = {NULL, 0};

	(void)state;
	make_odd_files();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		claim(rows[i].path, pf_map_open(rows[i].path, rows[i].max,
		                        &diag, &map) == rows[i].error);
		claim(rows[i].path, strstr(diag.text, rows[i].text) != NULL);
		claim(rows[i].path, map.data == NULL);
	}
}

static void
a_store_that_is_none_is_refused(void **state)
{
	struct pinfast_diag diag;
	struct pinfast_store *store = NULL;
	struct pinfast *policy;

	(void)state;
	put("file", "this is no store", 0644);
	assert_int_equal(pinfast_new(NULL, &policy), 0);
	assert_int_equal(pinfast_store_open_file("file", NULL, &diag, &store),
	    PINFAST_EFORMAT);
	assert_null(store);
	assert_int_equal(pinfast_store_open_file(NULL, NULL, &diag, &store),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_store_open_file("file", NULL, &diag, NULL),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_load_file(policy, "file", &diag),
	    PINFAST_EFORMAT);
	assert_int_equal(pinfast_load_file(policy, "nothing", &diag),
	    PINFAST_EIO);
	assert_int_equal(pinfast_load_file(NULL, "file", &diag),
	    PINFAST_EUSAGE);
	assert_int_equal(pinfast_generation(policy), 0);
	pinfast_free(policy);
}

/* A store with one exempt host. */
static void
write_store(const char *path, int64_t serial)
{
	struct pinfast_builder *b;
	struct pinfast_bytes image;
	struct pinfast_diag diag;

	assert_int_equal(pinfast_builder_new(NULL, &b), 0);
	(void)pinfast_builder_set(b, PINFAST_POLICY_SERIAL, serial);
	(void)pinfast_builder_entry(b, "example.com", 0, PINFAST_SCOPE_EXACT);
	(void)pinfast_builder_entry_set(b, PINFAST_ENTRY_MODE, PINFAST_OFF);
	assert_int_equal(pinfast_builder_finish(b, &diag, &image), 0);
	assert_int_equal(pf_file_write(path, image.data, image.len, 0644,
	                     &diag),
	    0);
	pinfast_builder_free(b);
}

static void
a_store_is_loaded_from_a_file_and_never_goes_back(void **state)
{
	struct pinfast_diag diag;
	struct pinfast *policy;
	uint8_t digest[32];
	uint64_t serial;

	(void)state;
	write_store("two", 2);
	write_store("one", 1);
	assert_int_equal(pinfast_new(NULL, &policy), 0);
	assert_int_equal(pinfast_load_file(policy, "two", &diag), 0);
	assert_int_equal(pinfast_load_file(policy, "one", &diag),
	    PINFAST_EOLDER);
	assert_int_equal(pinfast_identity(policy, &serial, digest), 0);
	assert_int_equal(serial, 2);
	assert_int_equal(chmod("two", 0666), 0);
	assert_int_equal(pinfast_load_file(policy, "two", &diag),
	    PINFAST_EUNSAFE);
	pinfast_free(policy);
}

static void
the_clock_goes(void **state)
{
	(void)state;
	assert_true(pf_clock_now() > 1700000000);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, enter, leave)

/* Whose owner could shorten it, a file is copied first. */
static void
a_strangers_file_is_copied_before_it_is_read(void **state)
{
	struct pinfast_diag diag;
	struct pf_map map;
	FILE *f;

	(void)state;
	put("theirs", "", 0644);
	if (geteuid() == 0)
		assert_int_equal(chown("theirs", 65534, 65534), 0);
	else
		print_message("# only root can give a file away\n");
	assert_int_equal(pf_map_open("theirs", 1 << 20, &diag, &map),
	    PINFAST_EFORMAT);
	assert_non_null(strstr(diag.text, "is empty"));
	f = fopen("theirs", "w");
	assert_non_null(f);
	for (int i = 0; i < 100000; i++)
		fputs("0123456789", f);
	fclose(f);
	assert_int_equal(pf_map_open("theirs", 1 << 20, &diag, &map), 0);
	assert_int_equal(map.len, 1000000);
	if (geteuid() == 0) {
		assert_int_equal(truncate("theirs", 10), 0);
		assert_memory_equal(map.data + 999990, "0123456789", 10);
	}
	pf_map_close(&map);
}

static void
large_memory_is_there_and_goes(void **state)
{
	static const size_t sizes[] = {0, 1, 4096, 4 * 1024 * 1024 - 1,
	    4 * 1024 * 1024, 9 * 1024 * 1024 + 1};
	struct pinfast_alloc alloc = pf_alloc_large();

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint8_t *p = alloc.alloc(alloc.arg, sizes[i]);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		memset(p, 0xff, sizes[i]);
		alloc.free(alloc.arg, p);
	}
	alloc.free(alloc.arg, NULL);
	assert_null(alloc.alloc(alloc.arg, SIZE_MAX));
	assert_null(alloc.alloc(alloc.arg, SIZE_MAX / 2));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
	        a_strangers_file_is_copied_before_it_is_read, enter, leave),
	    in_folder(what_cannot_be_read_is_told_and_why),
	    in_folder(a_file_at_the_limit_is_read),
	    in_folder(standard_input_has_the_same_limit),
	    in_folder(a_signal_ends_the_wait_for_standard_input),
	    in_folder(a_file_is_made_and_replaced),
	    in_folder(a_new_file_takes_no_name_that_is_taken),
	    in_folder(a_full_disk_leaves_the_old_file_and_nothing_else),
	    in_folder(what_cannot_be_written_is_told),
	    in_folder(a_file_that_is_ours_is_mapped),
	    in_folder(a_file_that_others_can_shorten_is_copied),
	    in_folder(what_is_unsafe_or_no_file_is_not_mapped),
	    in_folder(a_store_that_is_none_is_refused),
	    in_folder(a_store_is_loaded_from_a_file_and_never_goes_back),
	    cmocka_unit_test(the_clock_goes),
	    cmocka_unit_test(large_memory_is_there_and_goes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
