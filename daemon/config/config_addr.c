/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and blocks as values of keys. Judges one alone; how they fit is config_check.c's. */
#include "daemon/config/config_addr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#include "daemon/config/config_value.h"

enum { PORT_OF_IKE = 500, PORT_OF_NATT = 4500, PORT_OF_STUN = 3478 /* RFC 8489 8.1 */ };

bool nm_config_addr_is_wildcard(const struct natmux_addr *addr)
{
	static const uint8_t zeros[16];

	return memcmp(addr->ip, zeros, sizeof(zeros)) == 0;
}

/* Class D, class E and 0/8 are nobody's address. */
static bool is_unicast4(const uint8_t ip[16])
{
	return ip[0] > 0 && ip[0] < 224;
}

static bool is_unicast6(const struct natmux_addr *addr)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool is_link_local = addr->ip[0] == 0xfe && (addr->ip[1] & 0xc0) == 0x80;

	if (addr->ip[0] == 0xff || memcmp(addr->ip, mapped, sizeof(mapped)) == 0)
		return false;
	/* RFC 4007 6: a link-local address means nothing without its link, others have none. */
	return !nm_config_addr_is_wildcard(addr) && is_link_local == (addr->scope_id != 0);
}

static bool is_unicast(const struct natmux_addr *addr)
{
	return addr->family == NATMUX_FAMILY_IPV4 ? is_unicast4(addr->ip) : is_unicast6(addr);
}

bool nm_config_addr_same_ip(const struct natmux_addr *a, const struct natmux_addr *b)
{
	struct natmux_addr x = *a, y = *b;

	x.port = y.port = 0;
	return natmux_addr_equal(&x, &y);
}

bool nm_config_addr_is_edge(const struct natmux_prefix *prefix, const struct natmux_addr *addr)
{
	struct natmux_addr last = prefix->base;

	if (nm_config_addr_same_ip(&prefix->base, addr))
		return true;
	if (prefix->base.family != NATMUX_FAMILY_IPV4)
		return false;
	for (unsigned int bit = prefix->bits; bit < 32; bit++)
		last.ip[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return nm_config_addr_same_ip(&last, addr);
}

/* An address without port, brackets or anything else around it. */
static int parse_bare(const char *text, struct natmux_addr *addr)
{
	bool has_port =
		strchr(text, '.') && strchr(text, ':') == strrchr(text, ':') && strchr(text, ':');

	if (has_port || strchr(text, '['))
		return NATMUX_EINVAL;
	return natmux_addr_parse(text, 0, addr);
}

static int parse_listen(const struct nm_config_key *key, const char *text, void *field)
{
	struct natmux_addr addr;

	(void)key;
	if (parse_bare(text, &addr) < 0)
		return NATMUX_EINVAL;
	if (!is_unicast(&addr) && (!nm_config_addr_is_wildcard(&addr) || addr.scope_id != 0))
		return NATMUX_EINVAL;
	memcpy(field, &addr, sizeof(addr));
	return 0;
}

/* "" switches a family off. */
static int parse_side(const char *text, enum natmux_family family, void *field)
{
	struct natmux_addr addr = {0};

	if (*text) {
		if (parse_bare(text, &addr) < 0 || addr.family != family || !is_unicast(&addr))
			return NATMUX_EINVAL;
		if (addr.scope_id != 0)
			return NATMUX_EINVAL;
	}
	memcpy(field, &addr, sizeof(addr));
	return 0;
}

static int parse_addr4(const struct nm_config_key *key, const char *text, void *field)
{
	(void)key;
	return parse_side(text, NATMUX_FAMILY_IPV4, field);
}

static int parse_addr6(const struct nm_config_key *key, const char *text, void *field)
{
	(void)key;
	return parse_side(text, NATMUX_FAMILY_IPV6, field);
}

static int parse_alias(const struct nm_config_key *key, const char *text, void *field)
{
	if (strchr(text, ':'))
		return parse_addr6(key, text, field);
	return parse_addr4(key, text, field);
}

static int parse_endpoint(const char *text, uint16_t default_port, void *field)
{
	struct natmux_addr addr;

	if (natmux_addr_parse(text, default_port, &addr) < 0 || !is_unicast(&addr))
		return NATMUX_EINVAL;
	if (addr.port == 0)
		return NATMUX_EINVAL;
	memcpy(field, &addr, sizeof(addr));
	return 0;
}

/* RFC 3948 2: a peer that is spoken to on port 500 knows no encapsulation. */
static int parse_peer(const struct nm_config_key *key, const char *text, void *field)
{
	struct natmux_addr addr;

	(void)key;
	if (parse_endpoint(text, PORT_OF_NATT, &addr) < 0 || addr.port == PORT_OF_IKE)
		return NATMUX_EINVAL;
	memcpy(field, &addr, sizeof(addr));
	return 0;
}

/* "" for a peer that may be anywhere. */
static int parse_anywhere(const struct nm_config_key *key, const char *text, void *field)
{
	struct natmux_addr none = {0};

	if (*text)
		return parse_peer(key, text, field);
	memcpy(field, &none, sizeof(none));
	return 0;
}

static int parse_server(const struct nm_config_key *key, const char *text, void *field)
{
	(void)key;
	return parse_endpoint(text, PORT_OF_STUN, field);
}

/* "" for an address that is not set. */
static void format_addr(const struct nm_config_key *key, const void *field, char *text, size_t size)
{
	char addr_text[NATMUX_ADDR_TEXT];
	struct natmux_addr addr;

	(void)key;
	memcpy(&addr, field, sizeof(addr));
	if (addr.family != NATMUX_FAMILY_NONE)
		natmux_addr_format(&addr, addr_text);
	else
		addr_text[0] = '\0';
	snprintf(text, size, "%s", addr_text);
}

/* Without the port, which is the key port's. */
static void format_bare(const struct nm_config_key *key, const void *field, char *text, size_t size)
{
	struct natmux_addr addr;

	memcpy(&addr, field, sizeof(addr));
	addr.port = 0;
	format_addr(key, &addr, text, size);
}

const char *nm_config_prefix_format(const struct natmux_prefix *prefix, char *text, size_t size)
{
	char base[NATMUX_ADDR_TEXT];

	snprintf(text, size, "%s/%u", natmux_addr_format(&prefix->base, base), prefix->bits);
	return text;
}

static int parse_bits(const char *text, unsigned int most, uint8_t *bits)
{
	size_t digits = strspn(text, "0123456789");
	int value = atoi(text);

	if (digits == 0 || digits > 3 || text[digits] || *text == '0' || value > (int)most)
		return NATMUX_EINVAL;
	*bits = (uint8_t)value;
	return 0;
}

/* "10.1.0.1/24": an address of our own, and the network it is in; without a length it is alone. */
static int parse_host(const char *text, enum natmux_family family, void *field)
{
	unsigned int most = family == NATMUX_FAMILY_IPV4 ? 32 : 128;
	struct nm_config_host host = {.bits = *text ? (uint8_t)most : 0};
	size_t len = strcspn(text, "/");
	char addr[NATMUX_ADDR_TEXT];

	if (len >= sizeof(addr) || (text[len] && parse_bits(text + len + 1, most, &host.bits) < 0))
		return NATMUX_EINVAL;
	snprintf(addr, sizeof(addr), "%.*s", (int)len, text);
	if (parse_side(addr, family, &host.addr) < 0 || (*text && !*addr))
		return NATMUX_EINVAL;
	memcpy(field, &host, sizeof(host));
	return 0;
}

static int parse_host4(const struct nm_config_key *key, const char *text, void *field)
{
	(void)key;
	return parse_host(text, NATMUX_FAMILY_IPV4, field);
}

static int parse_host6(const struct nm_config_key *key, const char *text, void *field)
{
	(void)key;
	return parse_host(text, NATMUX_FAMILY_IPV6, field);
}

static void format_host(const struct nm_config_key *key, const void *field, char *text, size_t size)
{
	struct nm_config_host host;
	struct natmux_prefix prefix;

	(void)key;
	memcpy(&host, field, sizeof(host));
	prefix = (struct natmux_prefix){.base = host.addr, .bits = host.bits};
	if (host.addr.family == NATMUX_FAMILY_NONE)
		*text = '\0';
	else
		nm_config_prefix_format(&prefix, text, size);
}

static int parse_pool(
	const struct nm_config_key *key, const char *text, enum natmux_family family, void *field)
{
	struct natmux_prefix prefix;

	if (natmux_prefix_parse(text, &prefix) < 0 || prefix.base.family != family)
		return NATMUX_EINVAL;
	if (prefix.bits < key->min || prefix.bits > key->max || !is_unicast(&prefix.base))
		return NATMUX_EINVAL;
	memcpy(field, &prefix, sizeof(prefix));
	return 0;
}

static int parse_pool4(const struct nm_config_key *key, const char *text, void *field)
{
	return parse_pool(key, text, NATMUX_FAMILY_IPV4, field);
}

static int parse_pool6(const struct nm_config_key *key, const char *text, void *field)
{
	return parse_pool(key, text, NATMUX_FAMILY_IPV6, field);
}

static void format_pool(const struct nm_config_key *key, const void *field, char *text, size_t size)
{
	struct natmux_prefix prefix;

	(void)key;
	memcpy(&prefix, field, sizeof(prefix));
	nm_config_prefix_format(&prefix, text, size);
}

const struct nm_config_type nm_config_type_listen = {parse_listen, format_bare,
	.allowed = "an address of this machine or a wildcard, IPv4 or IPv6, without a port",
	.is_quoted = true, .is_list = true};
const struct nm_config_type nm_config_type_addr4 = {parse_addr4, format_addr,
	.allowed = "\"\" or a unicast IPv4 address without a port", .is_quoted = true};
const struct nm_config_type nm_config_type_addr6 = {parse_addr6, format_addr,
	.allowed = "\"\" or a unicast IPv6 address without a port or scope", .is_quoted = true};
const struct nm_config_type nm_config_type_alias = {parse_alias, format_addr,
	.allowed = "\"\" or a unicast IPv4 or IPv6 address without a port", .is_quoted = true};
const struct nm_config_type nm_config_type_host4 = {parse_host4, format_host,
	.allowed = "\"\" or a unicast IPv4 address with the length of its network, such as "
		   "\"10.1.0.1/24\"",
	.is_quoted = true};
const struct nm_config_type nm_config_type_host6 = {parse_host6, format_host,
	.allowed = "\"\" or a unicast IPv6 address with the length of its network, such as "
		   "\"fd01::1/64\"",
	.is_quoted = true};
const struct nm_config_type nm_config_type_pool4 = {parse_pool4, format_pool,
	.allowed = "an IPv4 prefix without host bits, /16 to /30", .is_quoted = true};
const struct nm_config_type nm_config_type_pool6 = {parse_pool6, format_pool,
	.allowed = "an IPv6 prefix without host bits, /64 to /126", .is_quoted = true};
const struct nm_config_type nm_config_type_peer = {parse_peer, format_addr,
	.allowed = "a unicast address and port, such as \"203.0.113.2:4500\" (never port 500)",
	.is_quoted = true};
const struct nm_config_type nm_config_type_endpoint = {parse_anywhere, format_addr,
	.allowed =
		"\"\" or a unicast address and port, such as \"203.0.113.2:4500\" (never port 500)",
	.is_quoted = true};
const struct nm_config_type nm_config_type_server = {parse_server, format_addr,
	.allowed = "a unicast address and port, such as \"192.0.2.1:3478\"", .is_quoted = true};
