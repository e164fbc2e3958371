/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATMUX_ADDR_H
#define NATMUX_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;

#ifdef __cplusplus
extern "C" {
#endif

enum natmux_family {
	NATMUX_FAMILY_NONE = 0,
	NATMUX_FAMILY_IPV4 = 4,
	NATMUX_FAMILY_IPV6 = 6,
};

/*
 * One transport address. 24 bytes without padding: two addresses are equal exactly when their
 * bytes are, so an address can be hashed and compared as memory. An IPv4 address is never kept in
 * its IPv6-mapped form.
 */
struct natmux_addr {
	uint8_t ip[16];    /* network order; IPv4 in the first four bytes, the rest zero */
	uint32_t scope_id; /* interface index of an IPv6 link-local address, else 0 */
	uint16_t port;     /* host byte order */
	uint8_t family;    /* enum natmux_family; 0: no address */
	uint8_t reserved;  /* zero */
};

/* Where datagrams travel: our address and port, and theirs. */
struct natmux_path {
	struct natmux_addr local;
	struct natmux_addr remote;
};

/* A block of addresses: the first `bits` bits of `base` count, the others are zero. */
struct natmux_prefix {
	struct natmux_addr base; /* port 0 */
	uint8_t bits;            /* 0-32 or 0-128 */
};

/* Longest text of an address with port and scope: "[xxxx:…:xxxx%4294967295]:65535" and a NUL. */
#define NATMUX_ADDR_TEXT 64

/* Whether two addresses are the same, port and scope included. */
bool natmux_addr_equal(const struct natmux_addr *a, const struct natmux_addr *b);

/*
 * Reads "192.0.2.1", "192.0.2.1:4500", "2001:db8::1", "[2001:db8::1]:4500" or "[fe80::1%2]:4500"
 * (the scope as a number). Without a port in the text the result has `default_port`.
 * Returns 0, or NATMUX_EINVAL for anything else, names included: nothing is resolved.
 */
int natmux_addr_parse(const char *text, uint16_t default_port, struct natmux_addr *addr);

/* Reads "100.64.0.0/24" or "fd00::/64". NATMUX_EINVAL when bits beyond the length are set. */
int natmux_prefix_parse(const char *text, struct natmux_prefix *prefix);

/* Whether the address lies in the block. Ports and scopes do not count. */
bool natmux_prefix_contains(const struct natmux_prefix *prefix, const struct natmux_addr *addr);

/*
 * Writes "192.0.2.1:4500" or "[2001:db8::1]:4500"; without the port (and brackets) when it is 0;
 * "-" for no address. Returns `text`, which has NATMUX_ADDR_TEXT bytes.
 */
char *natmux_addr_format(const struct natmux_addr *addr, char text[NATMUX_ADDR_TEXT]);

/*
 * From and to the socket API's form (AF_INET, AF_INET6; a mapped IPv4 address becomes IPv4).
 * `len` is the size of what `sa` points to. to_sockaddr returns the size written, 0 for no address;
 * `sa` has room for a struct sockaddr_storage. NATMUX_EINVAL: another family or a short length.
 */
int natmux_addr_from_sockaddr(const struct sockaddr *sa, size_t len, struct natmux_addr *addr);
size_t natmux_addr_to_sockaddr(const struct natmux_addr *addr, struct sockaddr *sa);

#ifdef __cplusplus
}
#endif
#endif
