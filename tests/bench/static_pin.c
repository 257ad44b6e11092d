/* The floor of `pinfast pin FILE`: a program that does only this. */
#include <fcntl.h>
#include <unistd.h>

#include "pinfast.h"

int
main(int argc, char *argv[])
{
	static unsigned char der[65536], hash[PINFAST_PIN_LEN];
	char text[PINFAST_PIN_TEXT_LEN];
	int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
	long n = fd < 0 ? 0 : read(fd, der, sizeof der);
	struct pinfast_bytes bytes = {der, n > 0 ? (size_t)n : 0};

	if (pinfast_pin_of(bytes, hash, NULL) != PINFAST_OK)
		return 3;
	pinfast_pin_write(hash, text);
	text[PINFAST_PIN_TEXT_LEN - 1] = '\n';
	return write(1, text, sizeof text) != sizeof text;
}
