/*
 * Asks the judge about certificates in files, without a TLS library: a policy
 * built in code, one connection, one verdict.
 *
 *   cc offline.c $(pkg-config --cflags --libs pinfast)
 *   ./a.out leaf.der intermediate.der root.der
 */
#include <pinfast.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static unsigned char bytes[PINFAST_PATH_MAX][65536];

static int
read_path(int count, char *files[], struct pinfast_cert *path)
{
	for (int i = 0; i < count; i++) {
		FILE *f = fopen(files[i], "rb");

		if (f == NULL)
			return 0;
		path[i].der.data = bytes[i];
		path[i].der.len = fread(bytes[i], 1, sizeof bytes[i], f);
		fclose(f);
	}
	return 1;
}

/* A policy that pins the leaf's key for one host. */
static int
load_policy(struct pinfast *policy, struct pinfast_builder *builder,
    struct pinfast_bytes leaf)
{
	unsigned char pin[PINFAST_PIN_LEN];
	char text[PINFAST_PIN_TEXT_LEN];
	struct pinfast_bytes image;
	struct pinfast_store *store;
	struct pinfast_diag diag = {0};

	if (pinfast_pin_of(leaf, pin, NULL) != PINFAST_OK)
		return 0;
	pinfast_pin_write(pin, text);
	pinfast_builder_entry(builder, "www.example.test", 0,
	    PINFAST_SCOPE_EXACT);
	pinfast_builder_pin(builder, PINFAST_ROLE_LEAF, text);
	if (pinfast_builder_finish(builder, &diag, &image) != PINFAST_OK ||
	    pinfast_store_open_memory(image, NULL, &diag, &store) !=
	        PINFAST_OK) {
		fprintf(stderr, "%s\n", diag.text);
		return 0;
	}
	return pinfast_load(policy, store, &diag) == PINFAST_OK;
}

int
main(int argc, char *argv[])
{
	struct pinfast_cert path[PINFAST_PATH_MAX] = {0};
	struct pinfast_builder *builder;
	struct pinfast *policy;
	struct pinfast_conn *conn;
	struct pinfast_verdict verdict;
	char sentence[1024];

	if (argc < 2 || argc > PINFAST_PATH_MAX + 1 ||
	    !read_path(argc - 1, argv + 1, path) ||
	    pinfast_builder_new(NULL, &builder) != PINFAST_OK ||
	    pinfast_new(NULL, &policy) != PINFAST_OK)
		return 2;
	if (!load_policy(policy, builder, path[0].der) ||
	    pinfast_conn_new(policy, "www.example.test", 443,
	        (int64_t)time(NULL), &conn) != PINFAST_OK)
		return 3;
	/* No TLS library has read these certificates. */
	pinfast_insecure_conn_one_parser(conn);
	verdict = pinfast_judge_path(conn, path, (size_t)argc - 1);
	pinfast_conn_explain(conn, sentence, sizeof sentence);
	puts(sentence);
	pinfast_conn_free(conn);
	pinfast_free(policy);
	pinfast_builder_free(builder);
	return verdict.decision == PINFAST_ALLOW ? 0 : 1;
}
