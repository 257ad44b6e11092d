#define _GNU_SOURCE
#include "net/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

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
	case ECONNRESET:
		return "the connection was reset before it was made";
	case EACCES:
	case EPERM:
		return "this machine's own firewall forbids the connection";
	default:
		return strerror(error);
	}
}
