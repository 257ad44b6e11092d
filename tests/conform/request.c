#define _POSIX_C_SOURCE 200809L
#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 0: there is no such key. */
static int
set(struct request *r, const char *key, const char *value)
{
	const struct {
		const char *key;
		char *text;
		size_t size;
	} texts[] = {{"tag", r->tag, sizeof r->tag},
	    {"chain", r->chain, sizeof r->chain},
	    {"key", r->key, sizeof r->key}, {"ring", r->ring, sizeof r->ring},
	    {"inner", r->inner, sizeof r->inner},
	    {"innerkey", r->innerkey, sizeof r->innerkey}};
	const struct {
		const char *key;
		int *number;
	} numbers[] = {{"tickets", &r->tickets}, {"early", &r->early},
	    {"anon", &r->anon}, {"psk", &r->psk}, {"port", &r->port},
	    {"hrr", &r->hrr}, {"save", &r->save}, {"use", &r->use},
	    {"starttls", &r->starttls}, {"bomb", &r->bomb}, {"rpk", &r->rpk}};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (strcmp(key, texts[i].key) == 0) {
			snprintf(texts[i].text, texts[i].size, "%s", value);
			return 1;
		}
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if (strcmp(key, numbers[i].key) == 0) {
			*numbers[i].number = atoi(value);
			return 1;
		}
	if (strcmp(key, "tls") != 0)
		return 0;
	r->tls13 = strcmp(value, "1.3") == 0;
	return 1;
}

const char *
request_read(char *line, struct request *r)
{
	char *save = NULL, *word = strtok_r(line, " \n", &save);

	if (word == NULL ||
	    (strcmp(word, "serve") != 0 && strcmp(word, "dial") != 0))
		return line;
	while ((word = strtok_r(NULL, " \n", &save)) != NULL) {
		char *value = strchr(word, '=');

		if (value == NULL)
			return word;
		*value++ = '\0';
		if (!set(r, word, value))
			return word;
	}
	return NULL;
}
