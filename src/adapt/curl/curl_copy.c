/* For dladdr1() and struct link_map. */
#define _GNU_SOURCE

#include "adapt/curl/curl.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

/* What the dynamic linker knows of one object. */
struct object {
	const struct link_map *map;
	const ElfW(Sym) * symbols;
	const char *names;
};

/* Some platforms leave the addresses in there as they are in the file. */
static uintptr_t
address(const struct link_map *map, ElfW(Addr) value)
{
	return value < map->l_addr ? map->l_addr + value : value;
}

static uintptr_t
entry(const struct link_map *map, ElfW(Sxword) tag)
{
	for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++)
		if ((ElfW(Sxword))d->d_tag == tag)
			return (uintptr_t)d->d_un.d_ptr;
	return 0;
}

static const void *
pointer(const struct link_map *map, ElfW(Sxword) tag)
{
	uintptr_t value = entry(map, tag);
	const void *out = NULL;

	if (value != 0) {
		value = address(map, (ElfW(Addr))value);
		memcpy(&out, &value, sizeof out);
	}
	return out;
}

/* The object that an address lies in; 0: none. */
static int
open_object(void *at, struct object *out)
{
	struct link_map *map = NULL;
	Dl_info info;
	void *extra = NULL;

	if (dladdr1(at, &info, &extra, RTLD_DL_LINKMAP) == 0 || extra == NULL)
		return 0;
	map = extra;
	out->map = map;
	out->symbols = pointer(map, DT_SYMTAB);
	out->names = pointer(map, DT_STRTAB);
	return out->symbols != NULL && out->names != NULL;
}

/* Where one relocation puts the address of what it imports under that name;
 * NULL: it is about something else. */
static void *
slot(const struct object *o, uintptr_t info, ElfW(Addr) offset,
    const char *name)
{
#if __ELF_NATIVE_CLASS == 64
	const ElfW(Sym) *symbol = &o->symbols[ELF64_R_SYM(info)];
#else
	const ElfW(Sym) *symbol = &o->symbols[ELF32_R_SYM(info)];
#endif
	uintptr_t at = o->map->l_addr + offset;
	void *value = NULL, *where;

	if (symbol->st_shndx != SHN_UNDEF ||
	    strcmp(o->names + symbol->st_name, name) != 0)
		return NULL;
	memcpy(&where, &at, sizeof where);
	memcpy(&value, where, sizeof value);
	return value;
}

/* One table of relocations; both kinds begin with offset and info. */
static void *
search(const struct object *o, ElfW(Sxword) table, ElfW(Sxword) size,
    int has_addend, const char *name)
{
	const unsigned char *at = pointer(o->map, table);
	size_t left = entry(o->map, size);
	size_t step = has_addend ? sizeof(ElfW(Rela)) : sizeof(ElfW(Rel));

	for (; at != NULL && left >= step; at += step, left -= step) {
		ElfW(Rel) one;
		void *value;

		memcpy(&one, at, sizeof one);
		value = slot(o, one.r_info, one.r_offset, name);
		if (value != NULL)
			return value;
	}
	return NULL;
}

/* What an object calls under a name that it imports; NULL: it does not. */
static void *
imported(const struct object *o, const char *name)
{
	void *value = search(o, DT_JMPREL, DT_PLTRELSZ,
	    entry(o->map, DT_PLTREL) == DT_RELA, name);

	if (value == NULL)
		value = search(o, DT_RELA, DT_RELASZ, 1, name);
	if (value == NULL)
		value = search(o, DT_REL, DT_RELSZ, 0, name);
	return value;
}

/* An import that was never called yet leads back into the object itself. */
static void *
resolve(const struct object *o, void *value, const char *name)
{
	struct object at;
	void *library;

	if (!open_object(value, &at) || at.map != o->map)
		return value;
	library = dlopen(o->map->l_name, RTLD_LAZY | RTLD_NOLOAD);
	if (library == NULL)
		return NULL;
	value = dlsym(library, name);
	dlclose(library);
	return value;
}

int
pf_curl_calls(void (*caller)(void), const char *symbol, void (*function)(void))
{
	struct object o;
	void *at, *wanted, *other;

	memcpy(&at, &caller, sizeof at);
	memcpy(&wanted, &function, sizeof wanted);
	if (!open_object(at, &o))
		return 0;
	/* A program may hand out an entry of its own table for libcurl's. */
	other = imported(&o, "curl_easy_getinfo");
	if (other != NULL && !open_object(other, &o))
		return 0;
	at = imported(&o, symbol);
	return at != NULL && resolve(&o, at, symbol) == wanted;
}
