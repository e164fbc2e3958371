/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: text, socket API form, prefixes. Resolves nothing. */
#include <natmux/addr.h>
#include <natmux/error.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/export.h"

NM_EXPORT bool natmux_addr_equal(const struct natmux_addr *a, const struct natmux_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* A decimal number without sign or blanks, the whole of `text`. */
static int parse_number(const char *text, uint32_t max, uint32_t *value)
{
	char *end;
	unsigned long long v;

	if (*text < '0' || *text > '9' || strlen(text) > 10)
		return NATMUX_EINVAL;
	v = strtoull(text, &end, 10); /* wider than any of 10 digits, on 32 bits too */
	if (*end || v > max)
		return NATMUX_EINVAL;
	*value = (uint32_t)v;
	return 0;
}

/* RFC 4291 2.5.5.2: an IPv4 address in IPv6 clothes, which this library never keeps. */
static bool is_mapped(const uint8_t ip[16])
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(ip, prefix, sizeof(prefix)) == 0;
}

static void unmap(struct natmux_addr *addr)
{
	memcpy(addr->ip, addr->ip + 12, 4);
	memset(addr->ip + 4, 0, 12);
	addr->scope_id = 0;
	addr->family = NATMUX_FAMILY_IPV4;
}

/* `ip` alone: no port, no brackets. Cuts the text at the scope. */
static int parse_ip(char *ip, struct natmux_addr *addr)
{
	char *scope = strchr(ip, '%');
	uint32_t index = 0;

	if (inet_pton(AF_INET, ip, addr->ip) == 1) {
		addr->family = NATMUX_FAMILY_IPV4;
		return 0;
	}
	if (scope) {
		*scope = '\0';
		if (parse_number(scope + 1, UINT32_MAX, &index) < 0)
			return NATMUX_EINVAL;
	}
	if (inet_pton(AF_INET6, ip, addr->ip) != 1)
		return NATMUX_EINVAL;
	addr->family = NATMUX_FAMILY_IPV6;
	addr->scope_id = index;
	if (is_mapped(addr->ip))
		unmap(addr);
	return 0;
}

/* Splits "ip", "ip:port", "[ip]" and "[ip]:port" in place; `port` is NULL when there is none. */
static int split_port(char *text, char **ip, char **port)
{
	char *colon, *bracket;

	*port = NULL;
	if (*text == '[') {
		bracket = strchr(text, ']');
		if (!bracket || (bracket[1] && bracket[1] != ':'))
			return NATMUX_EINVAL;
		*bracket = '\0';
		*ip = text + 1;
		*port = bracket[1] ? bracket + 2 : NULL;
		return strchr(*ip, ':') ? 0 : NATMUX_EINVAL;
	}
	*ip = text;
	colon = strchr(text, ':');
	if (colon && !strchr(colon + 1, ':')) {
		*colon = '\0';
		*port = colon + 1;
	}
	return 0;
}

NM_EXPORT int natmux_addr_parse(const char *text, uint16_t default_port, struct natmux_addr *addr)
{
	struct natmux_addr result = {.port = default_port};
	uint32_t number;
	char copy[NATMUX_ADDR_TEXT], *ip, *port;

	if (strlen(text) >= sizeof(copy))
		return NATMUX_EINVAL;
	strcpy(copy, text);
	if (split_port(copy, &ip, &port) < 0 || parse_ip(ip, &result) < 0)
		return NATMUX_EINVAL;
	if (port) {
		if (parse_number(port, UINT16_MAX, &number) < 0)
			return NATMUX_EINVAL;
		result.port = (uint16_t)number;
	}
	*addr = result;
	return 0;
}

/* Clears all but the first `bits` bits; returns whether any was set. */
static bool mask_ip(uint8_t ip[16], unsigned int bits)
{
	bool any = false;

	for (unsigned int i = 0; i < 16; i++) {
		unsigned int keep = bits >= 8 * (i + 1) ? 8 : bits > 8 * i ? bits - 8 * i : 0;
		uint8_t mask = (uint8_t)(0xff00 >> keep);

		any |= (ip[i] & (uint8_t)~mask) != 0;
		ip[i] &= mask;
	}
	return any;
}

NM_EXPORT int natmux_prefix_parse(const char *text, struct natmux_prefix *prefix)
{
	struct natmux_prefix result = {0};
	char copy[NATMUX_ADDR_TEXT], *slash;
	uint32_t bits;

	if (strlen(text) >= sizeof(copy))
		return NATMUX_EINVAL;
	strcpy(copy, text);
	slash = strchr(copy, '/');
	if (!slash)
		return NATMUX_EINVAL;
	*slash = '\0';
	if (strpbrk(copy, "[]%") || parse_ip(copy, &result.base) < 0 ||
		parse_number(
			slash + 1, result.base.family == NATMUX_FAMILY_IPV4 ? 32 : 128, &bits) < 0)
		return NATMUX_EINVAL;
	result.bits = (uint8_t)bits;
	if (mask_ip(result.base.ip, result.bits))
		return NATMUX_EINVAL;
	*prefix = result;
	return 0;
}

NM_EXPORT bool natmux_prefix_contains(
	const struct natmux_prefix *prefix, const struct natmux_addr *addr)
{
	uint8_t ip[16];

	if (prefix->base.family != addr->family)
		return false;
	memcpy(ip, addr->ip, sizeof(ip));
	mask_ip(ip, prefix->bits);
	return memcmp(ip, prefix->base.ip, sizeof(ip)) == 0;
}

NM_EXPORT char *natmux_addr_format(const struct natmux_addr *addr, char text[NATMUX_ADDR_TEXT])
{
	char ip[INET6_ADDRSTRLEN], scope[12] = "";
	bool is_v6 = addr->family == NATMUX_FAMILY_IPV6;

	if (addr->family == NATMUX_FAMILY_NONE) {
		strcpy(text, "-");
		return text;
	}
	inet_ntop(is_v6 ? AF_INET6 : AF_INET, addr->ip, ip, sizeof(ip));
	if (addr->scope_id)
		snprintf(scope, sizeof(scope), "%%%u", addr->scope_id);
	if (addr->port == 0)
		snprintf(text, NATMUX_ADDR_TEXT, "%s%s", ip, scope);
	else
		snprintf(text, NATMUX_ADDR_TEXT, is_v6 ? "[%s%s]:%u" : "%s%s:%u", ip, scope,
			addr->port);
	return text;
}

NM_EXPORT int natmux_addr_from_sockaddr(
	const struct sockaddr *sa, size_t len, struct natmux_addr *addr)
{
	struct natmux_addr result = {0};
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (len >= sizeof(v4) && sa->sa_family == AF_INET) {
		memcpy(&v4, sa, sizeof(v4));
		memcpy(result.ip, &v4.sin_addr, 4);
		result.port = ntohs(v4.sin_port);
		result.family = NATMUX_FAMILY_IPV4;
	} else if (len >= sizeof(v6) && sa->sa_family == AF_INET6) {
		memcpy(&v6, sa, sizeof(v6));
		memcpy(result.ip, &v6.sin6_addr, 16);
		result.port = ntohs(v6.sin6_port);
		result.scope_id = v6.sin6_scope_id;
		result.family = NATMUX_FAMILY_IPV6;
		if (is_mapped(result.ip))
			unmap(&result);
	} else {
		return NATMUX_EINVAL;
	}
	*addr = result;
	return 0;
}

NM_EXPORT size_t natmux_addr_to_sockaddr(const struct natmux_addr *addr, struct sockaddr *sa)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
		.sin6_port = htons(addr->port),
		.sin6_scope_id = addr->scope_id};

	switch (addr->family) {
	case NATMUX_FAMILY_IPV4:
		memcpy(&v4.sin_addr, addr->ip, 4);
		memcpy(sa, &v4, sizeof(v4));
		return sizeof(v4);
	case NATMUX_FAMILY_IPV6:
		memcpy(&v6.sin6_addr, addr->ip, 16);
		memcpy(sa, &v6, sizeof(v6));
		return sizeof(v6);
	default: return 0;
	}
}
