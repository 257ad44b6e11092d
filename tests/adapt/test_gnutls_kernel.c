/*
 * The GnuTLS adapter where the kernel encrypts (`ktls = true` in GnuTLS's
 * configuration): GnuTLS then calls none of the transport functions that the
 * adapter takes away.  That the kernel does is said here, since neither every
 * kernel nor Debian's GnuTLS can.
 */
#include "gtls_pair.h"

#include <sys/socket.h>
#include <unistd.h>

#include <gnutls/socket.h>

/* In GnuTLS's place, for the adapter as well. */
__attribute__((visibility("default"))) gnutls_transport_ktls_enable_flags_t
gnutls_transport_is_ktls_enabled(gnutls_session_t session)
{
	(void)session;
	return GNUTLS_KTLS_DUPLEX;
}

static gnutls_session_t
open_socket(unsigned flags, gnutls_certificate_credentials_t cred, int fd)
{
	gnutls_session_t session;

	assert_int_equal(gnutls_init(&session, flags | GNUTLS_NONBLOCK), 0);
	assert_int_equal(gnutls_set_default_priority(session), 0);
	assert_int_equal(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE,
	                     cred),
	    0);
	gnutls_transport_set_int(session, fd);
	return session;
}

static size_t
waiting(int fd)
{
	char buffer[4096];
	ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);

	return n > 0 ? (size_t)n : 0;
}

static void
a_refused_sessions_socket_is_shut_down(void **state)
{
	struct stage st = ordinary_stage(TLS13);
	struct two t = {0};
	int fd[2], in, out;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	                     fd),
	    0);
	t.c = open_socket(GNUTLS_CLIENT, st.client, fd[0]);
	t.s = open_socket(GNUTLS_SERVER, st.server, fd[1]);
	pin(t.c, st.policy);
	shake_two(&t);
	assert_int_equal(t.shaken, 0);
	expect(pinfast_gnutls_result(t.c), ALLOW, PINFAST_REASON_PIN_MATCHED);
	assert_int_equal(send(fd[0], "0123456789abcdef", 16, MSG_NOSIGNAL), 16);
	assert_true(waiting(fd[1]) >= 16);

	change_policy(st.policy, 2, PINFAST_ROLE_LEAF, &evil);
	expect(pinfast_gnutls_result(t.c), DENY, PINFAST_REASON_PIN_MISMATCH);
	(void)waiting(fd[1]);
	assert_true(gnutls_record_send(t.c, "0123456789abcdef", 16) < 0);
	assert_true(send(fd[0], "0123456789abcdef", 16, MSG_NOSIGNAL) < 0);
	assert_int_equal(waiting(fd[1]), 0);
	/* GnuTLS would write to it without any of our functions. */
	gnutls_transport_get_int2(t.c, &in, &out);
	assert_int_equal(in, -1);
	assert_int_equal(out, -1);
	gnutls_deinit(t.c);
	gnutls_deinit(t.s);
	close(fd[0]);
	close(fd[1]);
	end_stage(&st);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_refused_sessions_socket_is_shut_down),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_everybody, free_everybody);
}
