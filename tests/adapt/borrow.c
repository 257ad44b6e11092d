/*
 * A test, preloaded into a program that carries another OpenSSL and exports
 * it: there the test finds what it would find in libssl, runs before the
 * program does, and ends it.  Built with -Dmain=pf_borrowing_main.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int pf_borrowing_main(int argc, char **argv);

/* glibc hands every constructor what main() will get. */
__attribute__((constructor)) static void
run(int argc, char **argv)
{
	int status;

	/* Programs that the test starts are not borrowed from. */
	unsetenv("LD_PRELOAD");
	status = pf_borrowing_main(argc, argv);
	fflush(NULL);
	_exit(status);
}
