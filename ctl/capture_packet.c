/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the headers that the daemon does not keep; writing files is pcap_file.c's work. */
#include "ctl/capture_packet.h"

#include <sodium.h>
#include <natmux/error.h>

/* The payload goes behind the room for the largest headers. */
static int decode_payload(const json_t *datagram, uint8_t *data, size_t *len)
{
	const json_t *text = json_object_get(datagram, "data");

	if (!json_is_string(text))
		return NATMUX_EMALFORMED;
	if (sodium_base642bin(data, NM_CAPTURED_MAX - NM_UDP_STACK_MAX, json_string_value(text),
		    json_string_length(text), NULL, len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return NATMUX_EMALFORMED;
	return 0;
}

static int decode_addr(const json_t *datagram, const char *key, struct natmux_addr *addr)
{
	const char *text = json_string_value(json_object_get(datagram, key));

	/* A datagram that the kernel will give its address has no port in its text either. */
	return text && natmux_addr_parse(text, 4500, addr) == 0 ? 0 : NATMUX_EMALFORMED;
}

static int decode_path(
	const json_t *datagram, struct natmux_addr *source, struct natmux_addr *destination)
{
	const char *direction = json_string_value(json_object_get(datagram, "direction"));
	bool is_sent = direction && strcmp(direction, "out") == 0;

	if (decode_addr(datagram, is_sent ? "local" : "remote", source) < 0 ||
		decode_addr(datagram, is_sent ? "remote" : "local", destination) < 0 ||
		source->family != destination->family)
		return NATMUX_EMALFORMED;
	return 0;
}

int nm_captured_decode(const json_t *datagram, struct nm_captured *packet)
{
	json_int_t length = json_integer_value(json_object_get(datagram, "length"));
	json_int_t time_us = json_integer_value(json_object_get(datagram, "time_us"));
	uint8_t tos = (uint8_t)json_integer_value(json_object_get(datagram, "tos"));
	uint8_t stack[NM_UDP_STACK_MAX], *payload = packet->data + NM_UDP_STACK_MAX;
	struct natmux_addr source, destination;
	size_t kept, stack_len;

	if (decode_payload(datagram, payload, &kept) < 0 ||
		decode_path(datagram, &source, &destination) < 0)
		return NATMUX_EMALFORMED;
	if (time_us < 0 || length < (json_int_t)kept ||
		length > (json_int_t)nm_udp_payload_max(source.family))
		return NATMUX_EMALFORMED;
	if (kept == (size_t)length) {
		stack_len = nm_udp_encode(stack, &source, &destination, tos, payload, kept);
	} else {
		stack_len =
			nm_udp_encode_partial(stack, &source, &destination, tos, (size_t)length);
		nm_put16(stack + stack_len - 2, 0);
	}
	memmove(packet->data + stack_len, payload, kept);
	memcpy(packet->data, stack, stack_len);
	packet->time_us = (uint64_t)time_us;
	packet->len = (uint32_t)(stack_len + kept);
	packet->wire_len = (uint32_t)stack_len + (uint32_t)length;
	return 0;
}
