/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that reads a STUN message from the network: decoder, values, integrity, responder,
 * client. Each input is read as it is, and again with its length and CRC set right.
 */
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>
#include "stun/attr.h"
#include "stun/auth.h"
#include "stun/client.h"
#include "stun/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void want(bool is_so)
{
	if (!is_so)
		abort();
}

static void read_values(const struct nm_stun_msg *msg)
{
	struct nm_stun_attr attr = {0};
	uint16_t types[NM_STUN_UNKNOWN_MAX];

	while (nm_stun_next(msg, &attr)) {
		struct nm_stun_error_info error;
		struct natmux_addr addr;
		const uint8_t *text;
		uint16_t port;
		uint32_t u32;
		uint64_t u64;
		size_t len;

		want(attr.value + attr.len <= msg->data + msg->len);
		if (nm_stun_get_addr(msg, attr.type, &addr) == 0)
			want(addr.family == NATMUX_FAMILY_IPV4 ||
				addr.family == NATMUX_FAMILY_IPV6);
		if (nm_stun_get_text(msg, attr.type, &text, &len) == 0)
			want(text + len <= msg->data + msg->len);
		nm_stun_get_u32(msg, attr.type, &u32);
		nm_stun_get_u64(msg, attr.type, &u64);
		nm_stun_get_port(msg, attr.type, &port);
		nm_stun_get_flag(msg, attr.type);
		if (nm_stun_get_error(msg, &error) == 0)
			want(error.code >= 300 && error.code <= 699);
		if (nm_stun_get_unknown(msg, types, &len) == 0)
			want(len <= NM_STUN_UNKNOWN_MAX);
	}
	want(nm_stun_unknown(msg, 0, types) <= NM_STUN_UNKNOWN_MAX);
}

/* Nobody has signed anything here with this key. */
static void check_integrity(const struct nm_stun_msg *msg)
{
	static const struct nm_stun_user user = {"evtj:h6vY", 9, "no such password", 16};
	struct nm_stun_auth auth;

	if (nm_stun_auth_init(&auth) < 0)
		return;
	want(nm_stun_judge_request(&auth, msg, &user) != 0);
	want(!nm_stun_response_is_authentic(&auth, msg, NM_STUN_SHA1, "no such password", 16));
	want(!nm_stun_response_is_authentic(&auth, msg, NM_STUN_SHA256, "no such password", 16));
	nm_stun_auth_done(&auth);
}

static void respond(const uint8_t *data, size_t size, enum natmux_responder mode, uint8_t family)
{
	struct natmux_addr remote = {.ip = {192, 0, 2, 1}, .port = 4500, .family = family};
	size_t growth = mode == NATMUX_RESPONDER_STRICT ? 0
			: family == NATMUX_FAMILY_IPV4  ? NM_STUN_GROWTH_IPV4
							: NM_STUN_GROWTH_IPV6;
	uint8_t reply[NM_STUN_REPLY_MAX];
	enum natmux_drop drop = NATMUX_DROP_COUNT;
	struct nm_stun_msg msg, request;
	size_t len = nm_stun_respond(mode, data, size, &remote, reply, sizeof(reply), &drop);

	want((len > 0) == (drop == NATMUX_DROP_COUNT));
	if (len == 0)
		return;
	want(mode != NATMUX_RESPONDER_OFF && len <= size + growth);
	want(nm_stun_decode(reply, len, &msg) == 0 && nm_stun_decode(data, size, &request) == 0);
	want(memcmp(msg.tid, request.tid, NM_STUN_TID_LEN) == 0);
	want((msg.fingerprint_at > 0) == (request.fingerprint_at > 0));
}

static void fill(void *user, void *buf, size_t len)
{
	memset(buf, *(const uint8_t *)user, len);
}

static void on_info(void *user, const struct natmux_server_info *info)
{
	want(info->answers + info->timeouts == *(const uint64_t *)user);
}

/* The message as an answer to what a client has just asked. */
static void ask(uint8_t *data, size_t size)
{
	uint8_t byte = 0x5a, buf[NM_STUN_REQUEST_LEN];
	struct natmux_random random = {fill, &byte};
	struct natmux_addr server = {.ip = {192, 0, 2, 1}, .port = 3478, .family = 4};
	struct natmux_addr local = {.ip = {10, 0, 0, 1}, .port = 4500, .family = 4};
	struct natmux_path path;
	struct nm_stun_client *client;
	struct natmux_event event;
	enum natmux_drop drop = NATMUX_DROP_COUNT;
	uint64_t ends;
	bool is_expected;

	if (nm_stun_client_new(&random, 25000, &client) < 0)
		return;
	nm_stun_client_server_add(client, 0, "a", &server);
	nm_stun_client_set_locals(client, 0, &local, 1);
	want(nm_stun_client_output(client, 0, &path, buf, sizeof(buf)) == sizeof(buf));
	is_expected = nm_stun_client_expects(client, &path, data, size);
	ends = nm_stun_client_input(client, 1, &path, data, size, &event, &drop);
	want((ends == 1) == is_expected && (drop == NATMUX_DROP_COUNT) == is_expected);
	want(!nm_stun_client_expects(client, &path, data, size));
	nm_stun_client_each(client, on_info, &ends);
	nm_stun_client_free(client);
}

static void read_message(uint8_t *data, size_t size)
{
	struct nm_stun_msg msg;

	if (nm_stun_decode(data, size, &msg) == 0) {
		read_values(&msg);
		check_integrity(&msg);
		nm_stun_has_credentials(data, size);
	}
	for (int mode = NATMUX_RESPONDER_OFF; mode <= NATMUX_RESPONDER_OPEN; mode++) {
		respond(data, size, (enum natmux_responder)mode, NATMUX_FAMILY_IPV4);
		respond(data, size, (enum natmux_responder)mode, NATMUX_FAMILY_IPV6);
	}
	ask(data, size);
}

static void mend(uint8_t *data, size_t size)
{
	size_t end = size - NM_STUN_FINGERPRINT_LEN;

	nm_put16(data + NM_STUN_LENGTH_AT, (uint16_t)(size - NM_STUN_HEADER_LEN));
	nm_put32(data + NM_STUN_COOKIE_AT, NM_STUN_COOKIE);
	memset(data + NM_STUN_TID_AT, 0x5a, NM_STUN_TID_LEN); /* what the client asked with */
	if (size >= NM_STUN_HEADER_LEN + NM_STUN_FINGERPRINT_LEN &&
		nm_get32(data + end) == 0x80280004)
		nm_put32(data + end + 4, nm_stun_fingerprint(data, end));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);

	if (!copy)
		return 0;
	if (size > 0)
		memcpy(copy, data, size);
	read_message(copy, size);
	if (size >= NM_STUN_HEADER_LEN) {
		mend(copy, size);
		read_message(copy, size);
	}
	free(copy);
	return 0;
}
