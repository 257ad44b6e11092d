/*
 * Makes the Nth system call of a program fail, or kills the program in front
 * of it.
 *
 *   nth kill N PROGRAM...      SIGKILL before the call is made
 *   nth ENOSPC N PROGRAM...    the call is not made and fails; also EIO
 *
 * Exit status: the program's; 137 when it was killed; 99 when it made fewer
 * than N calls (the program then ran undisturbed).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOT_REACHED = 99, OWN_FAILURE = 98 };

static void
need(int fine, const char *what)
{
	if (fine)
		return;
	perror(what);
	exit(OWN_FAILURE);
}

/* Lets the child go on to the next stop; 0 when it has ended. */
static int
step(pid_t child, int *status)
{
	long deliver = 0;

	for (;;) {
		need(ptrace(PTRACE_SYSCALL, child, NULL, deliver) == 0,
		    "ptrace");
		need(waitpid(child, status, 0) == child, "waitpid");
		if (!WIFSTOPPED(*status))
			return 0;
		if (WSTOPSIG(*status) == (SIGTRAP | 0x80))
			return 1;
		deliver = WSTOPSIG(*status) == SIGTRAP ? 0 : WSTOPSIG(*status);
	}
}

/* Lets the call be one that does not exist, and its result an error. */
static int
fail_call(pid_t child, int number, int *status)
{
	struct user_regs_struct regs;

	need(ptrace(PTRACE_GETREGS, child, NULL, &regs) == 0, "ptrace");
	regs.orig_rax = (unsigned long long)-1;
	need(ptrace(PTRACE_SETREGS, child, NULL, &regs) == 0, "ptrace");
	if (!step(child, status))
		return 0;
	need(ptrace(PTRACE_GETREGS, child, NULL, &regs) == 0, "ptrace");
	regs.rax = (unsigned long long)-(long long)number;
	need(ptrace(PTRACE_SETREGS, child, NULL, &regs) == 0, "ptrace");
	return 1;
}

/* 1: the child is still running, 0: it has ended. */
static int
disturb(pid_t child, const char *how, int *status)
{
	if (strcmp(how, "kill") == 0) {
		need(kill(child, SIGKILL) == 0, "kill");
		need(waitpid(child, status, 0) == child, "waitpid");
		return 0;
	}
	return fail_call(child, strcmp(how, "EIO") == 0 ? EIO : ENOSPC, status);
}

static int
run(pid_t child, const char *how, long nth)
{
	int status, alive = 1, reached = 0;

	need(waitpid(child, &status, 0) == child && WIFSTOPPED(status),
	    "the program does not start");
	need(ptrace(PTRACE_SETOPTIONS, child, NULL,
	         PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0,
	    "ptrace");
	for (long call = 1; alive && step(child, &status); call++) {
		if (call == nth) {
			reached = 1;
			alive = disturb(child, how, &status);
			continue;
		}
		alive = step(child, &status);
	}
	if (!reached)
		return NOT_REACHED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int
main(int argc, char *argv[])
{
	pid_t child;

	if (argc < 4 || atol(argv[2]) < 1) {
		fputs("usage: nth kill|ENOSPC|EIO N PROGRAM...\n", stderr);
		return OWN_FAILURE;
	}
	child = fork();
	need(child >= 0, "fork");
	if (child == 0) {
		need(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0, "ptrace");
		execv(argv[3], argv + 3);
		need(0, argv[3]);
	}
	return run(child, argv[1], atol(argv[2]));
}
