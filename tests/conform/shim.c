#define _POSIX_C_SOURCE 200809L
#include "shim.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int
shim_parse(char *line, struct shim_request *request)
{
	char *save = NULL;
	char *word = strtok_r(line, " \t\r\n", &save);

	memset(request, 0, sizeof *request);
	request->verb = word;
	while (word != NULL &&
	       (word = strtok_r(NULL, " \t\r\n", &save)) != NULL) {
		char *value = strchr(word, '=');

		if (value == NULL || request->count == SHIM_KEYS)
			continue;
		*value++ = '\0';
		request->key[request->count] = word;
		request->value[request->count++] = value;
	}
	return request->verb != NULL;
}

const char *
shim_get(const struct shim_request *request, const char *key,
    const char *otherwise)
{
	for (int i = 0; i < request->count; i++)
		if (strcmp(request->key[i], key) == 0)
			return strcmp(request->value[i], "-") == 0
			           ? otherwise
			           : request->value[i];
	return otherwise;
}

int
shim_int(const struct shim_request *request, const char *key, int otherwise)
{
	const char *value = shim_get(request, key, NULL);

	return value == NULL ? otherwise : atoi(value);
}

int
shim_has(const struct shim_request *request, const char *key, const char *word)
{
	const char *at = shim_get(request, key, "");
	size_t len = strlen(word);

	for (;;) {
		size_t n = strcspn(at, ",");

		if (n == len && strncmp(at, word, n) == 0)
			return 1;
		if (at[n] == '\0')
			return 0;
		at += n + 1;
	}
}

/* ----------------------------------------------------------------- answers */

static struct pinfast_event last_event;
static int events;

static void
on_event(void *arg, const struct pinfast_event *event)
{
	(void)arg;
	last_event = *event;
	events++;
}

void
shim_answer_init(struct shim_answer *answer, const struct shim_request *request)
{
	memset(answer, 0, sizeof *answer);
	memset(&last_event, 0, sizeof last_event);
	events = 0;
	answer->id = shim_get(request, "id", "");
	answer->attach = "ok";
	answer->alert_sent = -1;
	answer->alert_got = -1;
	answer->session = -1;
}

static void
print_text(const char *key, const char *text)
{
	printf(",\"%s\":\"", key);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static const char *
evidence_name(int32_t evidence)
{
	static const char *const names[] = {
	    "none", "verified-path", "leaf-only", "raw-key", "tag", "failed"};

	return evidence >= 0 && evidence < 6 ? names[evidence] : "?";
}

static const char *
decision(struct pinfast_verdict verdict)
{
	return verdict.decision == PINFAST_ALLOW ? "allow" : "deny";
}

void
shim_print(const struct shim_answer *a)
{
	printf("{\"id\":\"%s\",\"decision\":\"%s\",\"reason\":\"%s\"", a->id,
	    decision(a->verdict), pinfast_reason_name(a->verdict.reason));
	if (a->rechecked)
		printf(",\"first\":\"%s\",\"first_reason\":\"%s\"",
		    decision(a->first), pinfast_reason_name(a->first.reason));
	if (a->session >= 0)
		printf(",\"session\":\"%s\"", pinfast_reason_name(a->session));
	printf(",\"attach\":\"%s\",\"evidence\":\"%s\",\"reported\":%d"
	       ",\"events\":%d,\"resumed\":%d,\"hs\":%d,\"sent\":%d"
	       ",\"early\":%d,\"got\":%d,\"alert_sent\":%d,\"alert_got\":%d"
	       ",\"verify_calls\":%d",
	    a->attach, evidence_name(last_event.evidence), last_event.reported,
	    events, a->resumed, a->hs, a->sent, a->early, a->got, a->alert_sent,
	    a->alert_got, a->verify_calls);
	if (a->unit > 0)
		printf(",\"unit\":%d", a->unit);
	print_text("explain", a->explain);
	print_text("error", a->error);
	printf("}\n");
	fflush(stdout);
}

/* ------------------------------------------------------------ what is kept */

struct kept {
	char name[200];
	void *what;
	void (*drop)(void *what);
	struct kept *next;
};
static struct kept *all;

void *
shim_kept(const char *name)
{
	for (struct kept *k = all; k != NULL; k = k->next)
		if (strcmp(k->name, name) == 0)
			return k->what;
	return NULL;
}

void
shim_keep(const char *name, void *what, void (*drop)(void *))
{
	struct kept *k;

	for (k = all; k != NULL; k = k->next)
		if (strcmp(k->name, name) == 0) {
			k->drop(k->what);
			k->what = what;
			return;
		}
	k = calloc(1, sizeof *k);
	if (k == NULL)
		abort();
	snprintf(k->name, sizeof k->name, "%s", name);
	k->what = what;
	k->drop = drop;
	k->next = all;
	all = k;
}

/* ---------------------------------------------------------------- policies */

struct handle {
	struct pinfast *policy;
	char loaded[400];
};

static void
drop_handle(void *what)
{
	(void)what; /* connections may still look at it */
}

const char *
shim_error_name(enum pinfast_error error)
{
#define NAME(name, value, text)                                                \
	case PINFAST_##name:                                                   \
		return #name;
	switch (error) {
		PINFAST_ERRORS(NAME)
	case PINFAST_ERROR_MIN_:
	default:
		return "?";
	}
#undef NAME
}

static struct handle *
handle_of(const struct shim_request *request)
{
	char name[200];
	struct handle *h;

	snprintf(name, sizeof name, "policy:%s",
	    shim_get(request, "handle", shim_get(request, "policy", "none")));
	h = shim_kept(name);
	if (h != NULL)
		return h;
	h = calloc(1, sizeof *h);
	if (h == NULL || pinfast_new(NULL, &h->policy) != PINFAST_OK)
		abort();
	pinfast_on_event(h->policy, on_event, NULL);
	shim_keep(name, h, drop_handle);
	return h;
}

static int
load(struct handle *h, const char *path, struct shim_answer *answer)
{
	struct pinfast_diag diag = {0};
	enum pinfast_error error;

	if (strcmp(path, "none") == 0 || strcmp(h->loaded, path) == 0)
		return 0;
	error = pinfast_load_file(h->policy, path, &diag);
	if (error != PINFAST_OK) {
		answer->attach = shim_error_name(error);
		snprintf(answer->error, sizeof answer->error, "%.200s",
		    diag.text);
		return -1;
	}
	snprintf(h->loaded, sizeof h->loaded, "%s", path);
	return 0;
}

struct pinfast *
shim_policy(const struct shim_request *request, struct shim_answer *answer)
{
	struct handle *h = handle_of(request);

	return load(h, shim_get(request, "policy", "none"), answer) == 0
	           ? h->policy
	           : NULL;
}

int
shim_reload(const struct shim_request *request, const char *path,
    struct shim_answer *answer)
{
	return load(handle_of(request), path, answer);
}

/* ----------------------------------------------------------------- sockets */

static int
address(const char *addr, int port, struct sockaddr_storage *out,
    socklen_t *len)
{
	struct sockaddr_in *v4 = (void *)out;
	struct sockaddr_in6 *v6 = (void *)out;

	memset(out, 0, sizeof *out);
	if (strchr(addr, ':') != NULL) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		*len = sizeof *v6;
		return inet_pton(AF_INET6, addr, &v6->sin6_addr) == 1;
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)port);
	*len = sizeof *v4;
	return inet_pton(AF_INET, addr, &v4->sin_addr) == 1;
}

/* Nobody waits for ever, nor for the other side to acknowledge. */
static void
set_deadline(int fd)
{
	struct timeval limit = {10, 0};
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

int
shim_connect(const char *addr, int port)
{
	struct sockaddr_storage to;
	socklen_t len;
	int fd;

	if (!address(addr, port, &to, &len))
		return -1;
	fd = socket(to.ss_family, SOCK_STREAM, 0);
	if (fd < 0)
		return -1;
	set_deadline(fd);
	if (connect(fd, (struct sockaddr *)&to, len) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int
shim_listen(const char *addr, int *port)
{
	struct sockaddr_storage at;
	socklen_t len;
	int fd;

	if (!address(addr, 0, &at, &len))
		return -1;
	fd = socket(at.ss_family, SOCK_STREAM, 0);
	if (fd < 0)
		return -1;
	set_deadline(fd);
	if (bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, 1) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
		close(fd);
		return -1;
	}
	*port = ntohs(at.ss_family == AF_INET6
	                  ? ((struct sockaddr_in6 *)(void *)&at)->sin6_port
	                  : ((struct sockaddr_in *)(void *)&at)->sin_port);
	return fd;
}

/* Reads a line and nothing behind it. */
static int
skip_line(int fd)
{
	char c = 0;

	while (c != '\n')
		if (recv(fd, &c, 1, 0) != 1)
			return -1;
	return 0;
}

int
shim_starttls(int fd)
{
	static const char ask[] = "STARTTLS\r\n";

	if (skip_line(fd) != 0 ||
	    send(fd, ask, sizeof ask - 1, 0) != (ssize_t)sizeof ask - 1)
		return -1;
	return skip_line(fd);
}
