#include "core/reason.h"

struct words {
	int32_t value;
	const char *name;
	const char *text;
};

#define REASON_ROW(name, value, word, text) {value, word, text},
#define ERROR_ROW(name, value, text) {value, #name, text},

static const struct words reasons[] = {PINFAST_REASONS(REASON_ROW)};
static const struct words errors[] = {PINFAST_ERRORS(ERROR_ROW)};

static const struct words *
find(const struct words *table, size_t count, int32_t value)
{
	static const struct words unknown = {0, "unknown", "unknown"};

	for (size_t i = 0; i < count; i++)
		if (table[i].value == value)
			return &table[i];
	return &unknown;
}

const char *
pinfast_reason_name(int32_t reason)
{
	return find(reasons, sizeof reasons / sizeof *reasons, reason)->name;
}

const char *
pinfast_reason_text(int32_t reason)
{
	return find(reasons, sizeof reasons / sizeof *reasons, reason)->text;
}

const char *
pinfast_error_text(enum pinfast_error error)
{
	return find(errors, sizeof errors / sizeof *errors, (int32_t)error)
	    ->text;
}

#define STRING_(x) #x
#define STRING(x) STRING_(x)

const char *
pinfast_version(void)
{
	return STRING(PINFAST_VERSION_MAJOR) "." STRING(
	    PINFAST_VERSION_MINOR) "." STRING(PINFAST_VERSION_PATCH);
}
