/*
 * Connections for callgrind and for counting memory: only client_step() is
 * counted.
 *
 *   client-LIB plain|pinfast|known full|resumed COUNT PORT CA PIN [KNOWN]
 *   client-LIB plain|pinfast first 1 PORT CA PIN
 *   client-LIB plain|pinfast memory COUNT PORT CA PIN
 *                 prints bytes of heap for each connection that is open
 *
 * The first connections fetch and cache, and do not count, unless the first one
 * is asked for.  PAD=BYTES moves the heap: what comparing strings costs depends
 * on where they lie.
 */
#define _GNU_SOURCE
#include "client.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST 6

void
die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static int
dial(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	to.sin_port = htons((uint16_t)port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, (void *)&to, sizeof to) != 0)
		die("connect");
	return fd;
}

/* STORE names a compiled policy; else ten entries, one of them ours. */
static struct pinfast *
make_policy(const char *pin)
{
	struct pinfast_builder *b;
	struct pinfast_store *store;
	struct pinfast_bytes image;
	struct pinfast_diag diag = {0};
	struct pinfast *policy;

	if (pinfast_new(NULL, &policy) != PINFAST_OK)
		die("policy");
	if (getenv("STORE") != NULL) {
		if (pinfast_load_file(policy, getenv("STORE"), &diag) !=
		    PINFAST_OK)
			die(diag.text);
		return policy;
	}
	if (pinfast_builder_new(NULL, &b) != PINFAST_OK)
		die("builder");
	for (int i = 0; i < 10; i++) {
		char host[32] = HOST;

		if (i > 0)
			snprintf(host, sizeof host, "host%d.test", i);
		pinfast_builder_entry(b, host, 0, PINFAST_SCOPE_EXACT);
		pinfast_builder_entry_set(b, PINFAST_ENTRY_MODE,
		    PINFAST_ENFORCE);
		pinfast_builder_pin(b, PINFAST_ROLE_LEAF, pin);
	}
	if (pinfast_builder_finish(b, &diag, &image) != PINFAST_OK ||
	    pinfast_store_open_memory(image, NULL, &diag, &store) !=
	        PINFAST_OK ||
	    pinfast_load(policy, store, &diag) != PINFAST_OK)
		die(diag.text);
	return policy;
}

/* What is counted. */
void client_step(void *conn, int resume) __attribute__((noinline));

void
client_step(void *conn, int resume)
{
	lib_shake(conn, resume);
}

static void
one_by_one(int first, int count, int port, int resume)
{
	for (int i = 0; i < first + count; i++) {
		int fd = dial(port);
		void *conn = lib_open(fd);
		int resumes = resume && i > 0;

		if (i < first)
			lib_shake(conn, resumes);
		else
			client_step(conn, resumes);
		if (lib_resumed(conn) != resumes)
			die("resumed, or not resumed");
		lib_talk(conn);
		if (resume && i == 0)
			lib_keep(conn);
		lib_close(conn);
		close(fd);
	}
}

static size_t
used(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void
all_at_once(int count, int port)
{
	void **conns = calloc((size_t)count, sizeof *conns);
	size_t before;

	one_by_one(FIRST, 0, port, 0);
	before = used();
	for (int i = 0; i < count; i++) {
		conns[i] = lib_open(dial(port));
		client_step(conns[i], 0);
		lib_talk(conns[i]);
	}
	printf("%zu\n", (used() - before) / (size_t)count);
}

int
main(int argc, char *argv[])
{
	struct setup setup = {0};
	const char *pad = getenv("PAD");
	/* Volatile: else the compiler leaves it out. */
	void *volatile padding =
	    malloc(pad != NULL ? strtoul(pad, NULL, 10) : 1);
	int count, port;

	if (argc < 7)
		die("usage: see the source");
	count = atoi(argv[3]);
	port = atoi(argv[4]);
	setup.ca = argv[5];
	setup.tls12 = getenv("TLS12") != NULL;
	if (strcmp(argv[1], "pinfast") == 0)
		setup.policy = make_policy(argv[6]);
	else if (strcmp(argv[1], "known") == 0 && argc > 7)
		setup.known = argv[7];
	lib_begin(&setup);
	if (strcmp(argv[2], "memory") == 0)
		all_at_once(count, port);
	else if (strcmp(argv[2], "first") == 0)
		one_by_one(0, 1, port, 0);
	else
		one_by_one(FIRST, count, port, strcmp(argv[2], "resumed") == 0);
	free(padding);
	return 0;
}
