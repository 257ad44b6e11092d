#define _GNU_SOURCE
#include "net/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

static int
can_connect(const struct sockaddr_storage *to, socklen_t len)
{
	/* Datagrams have ports of their own, and send nothing yet. */
	int fd = socket(to->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int fine = fd < 0 || connect(fd, (const struct sockaddr *)to, len) == 0;

	if (fd >= 0)
		(void)close(fd);
	return fine;
}

int
pf_dial_has_route(int family)
{
	struct pf_address far = {.family = (uint8_t)family, .port = 443};
	struct sockaddr_storage to;
	socklen_t len;

	far.bytes[0] = family == 6 ? 0x20 : 128;
	far.bytes[family == 6 ? 15 : 3] = 1;
	len = pf_address_to_system(&far, &to);
	return can_connect(&to, len);
}

int
pf_dial(const struct pf_address *address)
{
	struct sockaddr_storage to;
	socklen_t len = pf_address_to_system(address, &to);
	int one = 1, error;
	int fd =
	    socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, (const struct sockaddr *)&to, len) == 0 ||
	    errno == EINPROGRESS || errno == EINTR)
		return fd;
	error = errno;
	(void)close(fd);
	/* The system says this of an address family that is switched off, and
	 * also when all local ports are taken. */
	if (error == EADDRNOTAVAIL && can_connect(&to, len))
		error = EADDRINUSE;
	errno = error;
	return -1;
}

int
pf_dial_result(int fd)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		return errno;
	return error;
}

const char *
pf_dial_sentence(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return "nothing listens there (connection refused); is the "
		       "port right, and the server running?";
	case EHOSTUNREACH:
		return "the network says that this address cannot be reached";
	case ENETUNREACH:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		return "there is no route to this address from here";
	case EADDRINUSE:
		return "this machine has no free port for one more connection "
		       "to it; in a minute there will be some";
	case ECONNRESET:
		return "the connection was reset before it was made";
	case EACCES:
	case EPERM:
		return "this machine's own firewall forbids the connection";
	default:
		return strerror(error);
	}
}
