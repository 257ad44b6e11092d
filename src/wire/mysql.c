/* MySQL and MariaDB: the server greets, the client's packet asks for TLS. */
#include "base/bytes.h"
#include "wire/protocol.h"

#define HEADER 4
#define ERROR 0xff
#define VERSION 10

/* What client and server can; here only what leads to TLS. */
#define CAN_LONG_PASSWORD 0x1U
#define CAN_PROTOCOL_41 0x200U
#define CAN_SSL 0x800U
#define CAN_SECURE_CONNECTION 0x8000U
#define CAN_PLUGIN_AUTH 0x80000U
#define UTF8 33

static const struct pf_turn turns[] = {
    {"the server's greeting", NULL, NULL, 0, 0, 0},
};

static int
whole(struct pf_dialogue *d, uint8_t byte)
{
	size_t len;

	(void)byte;
	if (d->in_len < HEADER)
		return 0;
	len = (size_t)d->in[0] | (size_t)d->in[1] << 8 | (size_t)d->in[2] << 16;
	if (len == 0 || len > sizeof d->in - HEADER) {
		pf_wire_break(d,
		    "the server does not speak MySQL, or its packet is longer "
		    "than " PF_WIRE_LINE);
		return 0;
	}
	return d->in_len == HEADER + len;
}

/* The request is the first half of a login, with the number 1. */
static void
ask(struct pf_dialogue *d)
{
	uint8_t packet[HEADER + 32] = {32, 0, 0, 1};

	pf_put_le32(packet + HEADER, CAN_LONG_PASSWORD | CAN_PROTOCOL_41 |
	                                 CAN_SSL | CAN_SECURE_CONNECTION |
	                                 CAN_PLUGIN_AUTH);
	pf_put_le32(packet + HEADER + 4, 1U << 24); /* longest packet */
	packet[HEADER + 8] = UTF8;
	pf_wire_put(d, packet, sizeof packet);
	pf_wire_next(d);
}

/* An error: its number, perhaps a state behind '#', its text. */
static void
refuse(struct pf_dialogue *d, const uint8_t *at, size_t len)
{
	size_t skip = len > 3 && at[3] == '#' ? 9 : 3;

	if (len > skip)
		pf_wire_hear(d, at + skip, len - skip);
	pf_wire_refuse(d, "the server refuses service");
}

/* Its version as text, thread (4), challenge (8), 0, what it can (2). */
static void
take(struct pf_dialogue *d)
{
	const uint8_t *at = d->in + HEADER, *stop;
	size_t len = (size_t)d->in_len - HEADER;

	if (at[0] == ERROR) {
		refuse(d, at, len);
		return;
	}
	stop = memchr(at, 0, len);
	if (at[0] != VERSION || d->in[3] != 0 || !stop ||
	    (size_t)(at + len - stop) < 1 + 4 + 8 + 1 + 2) {
		pf_wire_break(d, "the server does not speak MySQL");
		return;
	}
	pf_wire_hear(d, at + 1, (size_t)(stop - at) - 1);
	if ((pf_le16(stop + 14) & CAN_SSL) == 0)
		pf_wire_refuse(d, "the server does not offer TLS");
	else
		ask(d);
}

const struct pf_protocol pf_mysql = {
    .whole = whole, .take = take, .turns = turns};
