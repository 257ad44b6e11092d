#include "core/sentence.h"

static void
put_char(struct pf_sentence *s, char c)
{
	if (s->len + 1 < s->size) {
		s->out[s->len] = c;
		s->out[s->len + 1] = '\0';
	}
	s->len++;
}

void
pf_say(struct pf_sentence *s, const char *text)
{
	if (s->len == 0 && s->size > 0)
		s->out[0] = '\0';
	for (; *text != '\0'; text++)
		put_char(s, *text);
}

void
pf_say_number(struct pf_sentence *s, uint64_t number)
{
	char digits[21];
	unsigned at = 20;

	digits[at] = '\0';
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	pf_say(s, digits + at);
}

void
pf_say_pin(struct pf_sentence *s, const uint8_t pin[PINFAST_PIN_LEN])
{
	char text[PINFAST_PIN_TEXT_LEN];

	pinfast_pin_write(pin, text);
	pf_say(s, text);
}
