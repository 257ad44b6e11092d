#define _GNU_SOURCE
#include "os/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define LARGE (4UL * 1024 * 1024)
#define HUGE_PAGE (2UL * 1024 * 1024)

/* Stands in front of what is handed out, and keeps its alignment. */
union head {
	size_t mapped; /* bytes; 0: from malloc */
	max_align_t align;
};

static void *
map(size_t size)
{
	union head *head;
	size_t whole;

	if (size > SIZE_MAX - sizeof *head - HUGE_PAGE)
		return NULL;
	whole = (size + sizeof *head + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	head = mmap(NULL, whole, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (head == MAP_FAILED)
		return NULL;
	/* Only faster when the kernel agrees. */
	(void)madvise(head, whole, MADV_HUGEPAGE);
	head->mapped = whole;
	return head + 1;
}

static void *
large_alloc(void *arg, size_t size)
{
	union head *head;

	(void)arg;
	if (size >= LARGE)
		return map(size);
	head = malloc(sizeof *head + size);
	if (head == NULL)
		return NULL;
	head->mapped = 0;
	return head + 1;
}

static void
large_free(void *arg, void *ptr)
{
	union head *head = ptr;

	(void)arg;
	if (head == NULL)
		return;
	head--;
	if (head->mapped > 0)
		munmap(head, head->mapped);
	else
		free(head);
}

struct pinfast_alloc
pf_alloc_large(void)
{
	struct pinfast_alloc alloc = {large_alloc, large_free, NULL};

	return alloc;
}
