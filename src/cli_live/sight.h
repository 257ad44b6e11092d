/*
 * What servers showed, for people: the pins of each certificate, which
 * addresses showed the same, and what did not work.  Hides DER and OpenSSL's
 * chains.  Refuses certificates that are not structure-exact DER or that
 * OpenSSL reads another key from.
 */
#ifndef PF_SIGHT_H
#define PF_SIGHT_H

#include "probe/probe.h"

/* One certificate. */
struct pf_sighted {
	uint8_t pin[PINFAST_PIN_LEN];  /* of its key */
	uint8_t cert[PINFAST_PIN_LEN]; /* of the whole certificate */
	const char *role;
	const char *caveat; /* NULL: none */
	char subject[512];
	int64_t not_after; /* 0: not readable */
};

/* One chain, and every address of one server that showed it. */
struct pf_sight {
	struct pf_sight *next;
	const struct pf_probe *probe;
	enum pf_probe_key asked;
	enum pf_probe_key kind; /* of the leaf's key */
	struct pf_probe_pkix pkix;
	int is_path; /* the verified path, not what was presented */
	char version[16];
	size_t count;
	struct pf_sighted cert[PINFAST_PATH_MAX];
	size_t address_count;
	char (*address)[PF_ADDRESS_TEXT];
};

/* Everything that came, and what went wrong. */
struct pf_sights {
	struct pf_sight *first; /* by server, then as they came */
	size_t failed;          /* connections without a certificate */
	size_t no_route;        /* addresses that cannot be reached from here */
	int memory;             /* there was not enough */
};

/*
 * Takes a result: keeps what it shows, or complains on standard error with
 * the server's name and address.
 */
void pf_sights_take(struct pf_sights *sights, const struct pf_probe *probe,
    const struct pf_probe_result *result);

/* How many chains of this server there are. */
size_t pf_sights_of(const struct pf_sights *sights,
    const struct pf_probe *probe);

/* Frees the chains. */
void pf_sights_fini(struct pf_sights *sights);

/* "host:443, 192.0.2.7", for complaints. */
#define PF_SIGHT_NAME (PINFAST_HOST_LEN + PF_ADDRESS_TEXT + 16)
void pf_sight_name(const struct pf_probe *probe, const char *address,
    char out[PF_SIGHT_NAME]);

#endif
