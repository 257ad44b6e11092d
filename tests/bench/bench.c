/*
 * The figures that a program in C can take, each beside its peer in turns.
 * Prints samples, see bench.h.
 *
 *   bench lookup STORE HOSTS | suffix HOSTS | find HOSTS | sharing HOSTS
 *   bench open STORE | yaml TEXT | sha
 */
#include <openssl/sha.h>
#include <string.h>
#include <yaml.h>

#include "base/sha256.h"
#include "bench.h"
#include "os/file.h"
#include "pinfast.h"

static uint8_t *
read_all(const char *path, size_t *len)
{
	struct pinfast_diag diag;
	struct pf_content file;

	must(pf_file_read(path, 0xffffffffUL, PF_FILE_ANY, &diag, &file) ==
	         PINFAST_OK,
	    path);
	*len = file.len;
	return file.data;
}

static void
bench_open(const char *path)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	size_t len;
	uint8_t *data = read_all(path, &len);

	for (int r = 0; r < ROUNDS; r++) {
		struct pinfast_store *store;
		double start = now_ns();

		SHA256(data, len, digest);
		sample("openssl-file", (now_ns() - start) / 1e6);
		start = now_ns();
		must(pinfast_store_open_file(path, NULL, NULL, &store) == 0,
		    path);
		sample("open", (now_ns() - start) / 1e6);
		pinfast_store_free(store);
	}
	free(data);
}

static void
bench_sha(void)
{
	const int times = 200000;
	uint8_t in[91] = {1}, out[32];

	for (int r = 0; r < ROUNDS; r++) {
		double start = now_ns();

		for (int i = 0; i < times; i++) {
			SHA256_CTX c;

			SHA256_Init(&c);
			SHA256_Update(&c, in, sizeof in);
			SHA256_Final(out, &c);
			in[0] ^= out[0];
		}
		sample("openssl-91", (now_ns() - start) / times);
		start = now_ns();
		for (int i = 0; i < times; i++) {
			pf_sha256(in, sizeof in, out);
			in[0] ^= out[0];
		}
		sample("sha-91", (now_ns() - start) / times);
	}
}

static void
bench_yaml(const char *path)
{
	size_t len;
	uint8_t *data = read_all(path, &len);
	double start = now_ns();
	yaml_parser_t p;
	yaml_event_t e;
	int done = 0;

	must(yaml_parser_initialize(&p), "yaml");
	yaml_parser_set_input_string(&p, data, len);
	while (!done) {
		must(yaml_parser_parse(&p, &e), path);
		done = e.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&p);
	sample("libyaml", (now_ns() - start) / 1e9);
	free(data);
}

int
main(int argc, char *argv[])
{
	const char *what = argc > 1 ? argv[1] : "";
	uint32_t hosts =
	    argc > 2 ? (uint32_t)strtoul(argv[argc - 1], NULL, 10) : 0;

	if (strcmp(what, "lookup") == 0 && argc == 4)
		bench_lookup(argv[2], hosts);
	else if (strcmp(what, "suffix") == 0 && hosts > 0)
		bench_suffix(hosts);
	else if (strcmp(what, "find") == 0 && hosts > 0)
		bench_find(hosts);
	else if (strcmp(what, "sharing") == 0 && hosts > 0)
		bench_sharing(hosts);
	else if (strcmp(what, "open") == 0 && argc == 3)
		bench_open(argv[2]);
	else if (strcmp(what, "yaml") == 0 && argc == 3)
		bench_yaml(argv[2]);
	else if (strcmp(what, "sha") == 0)
		bench_sha();
	else
		return 2;
	return 0;
}
