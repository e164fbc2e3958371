/* SPDX-License-Identifier: Apache-2.0 */
/*
 * natmux's STUN codec on standard input, for judges in other languages. One command a line, one
 * answer a line, bytes as hexadecimal digits:
 *
 *   classify BYTES                                the class
 *   check PASSWORD BYTES                          what a message says, as words name=value
 *   build ALGORITHM PASSWORD TID USERNAME PRIORITY TIE-BREAKER
 *                                                 an ICE check; ALGORITHM sha1, sha256 or both
 *   respond MODE ADDRESS BYTES                    the responder's reply, or "drop REASON"
 */
#include <inttypes.h>
#include <natmux/error.h>
#include "stun/attr.h"
#include "stun/auth.h"
#include "stun/server.h"
#include "tests/tools/word_lines.h"

static struct nm_stun_auth auth;

static void print_hex(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

static const char *verdict(int err)
{
	switch (err) {
	case 0: return "right";
	case NATMUX_ENOTFOUND: return "none";
	default: return "wrong";
	}
}

static void print_values(const struct nm_stun_msg *msg)
{
	char text[NATMUX_ADDR_TEXT];
	struct natmux_addr addr;
	const uint8_t *name;
	size_t len;
	uint32_t priority;
	uint64_t tie;

	if (nm_stun_get_text(msg, NM_STUN_USERNAME, &name, &len) == 0)
		printf(" username=%.*s", (int)len, (const char *)name);
	if (nm_stun_get_u32(msg, NM_STUN_PRIORITY, &priority) == 0)
		printf(" priority=%" PRIu32, priority);
	if (nm_stun_get_u64(msg, NM_STUN_ICE_CONTROLLING, &tie) == 0)
		printf(" controlling=%016" PRIx64, tie);
	if (nm_stun_get_flag(msg, NM_STUN_USE_CANDIDATE) == 0)
		printf(" use-candidate=1");
	if (nm_stun_get_addr(msg, NM_STUN_XOR_MAPPED_ADDRESS, &addr) == 0)
		printf(" mapped=%s", natmux_addr_format(&addr, text));
}

static void check(char **words)
{
	static uint8_t data[BYTES_MAX];
	size_t len = unhex(words[2], data, sizeof(data)), key_len = strlen(words[1]);
	struct nm_stun_msg msg;

	if (nm_stun_decode(data, len, &msg) < 0) {
		printf("malformed\n");
		return;
	}
	printf("method=%u class=%d fingerprint=%d", msg.method, (int)msg.cls,
		msg.fingerprint_at > 0);
	printf(" sha1=%s",
		verdict(nm_stun_integrity_check(&auth, &msg, NM_STUN_SHA1, words[1], key_len)));
	printf(" sha256=%s",
		verdict(nm_stun_integrity_check(&auth, &msg, NM_STUN_SHA256, words[1], key_len)));
	print_values(&msg);
	printf("\n");
}

static void build(char **words)
{
	bool is_both = strcmp(words[1], "both") == 0;
	uint8_t buf[1500], tid[NM_STUN_TID_LEN];
	struct nm_stun_builder b;

	if (unhex(words[3], tid, sizeof(tid)) != sizeof(tid))
		exit(2);
	nm_stun_begin(&b, buf, sizeof(buf), NM_STUN_BINDING, NM_STUN_REQUEST, tid);
	nm_stun_put(&b, NM_STUN_USERNAME, words[4], strlen(words[4]));
	nm_stun_put_u32(&b, NM_STUN_PRIORITY, (uint32_t)strtoul(words[5], NULL, 10));
	nm_stun_put_u64(&b, NM_STUN_ICE_CONTROLLING, strtoull(words[6], NULL, 16));
	nm_stun_put(&b, NM_STUN_USE_CANDIDATE, NULL, 0);
	if (is_both || strcmp(words[1], "sha1") == 0)
		nm_stun_put_integrity(&b, &auth, NM_STUN_SHA1, words[2], strlen(words[2]));
	if (is_both || strcmp(words[1], "sha256") == 0)
		nm_stun_put_integrity(&b, &auth, NM_STUN_SHA256, words[2], strlen(words[2]));
	nm_stun_put_fingerprint(&b);
	print_hex(buf, nm_stun_end(&b));
}

static void respond(char **words)
{
	enum natmux_responder mode =
		strcmp(words[1], "open") == 0 ? NATMUX_RESPONDER_OPEN : NATMUX_RESPONDER_STRICT;
	static uint8_t data[BYTES_MAX];
	size_t len = unhex(words[3], data, sizeof(data));
	uint8_t reply[NM_STUN_REPLY_MAX];
	struct natmux_addr remote;
	enum natmux_drop drop;

	if (natmux_addr_parse(words[2], 0, &remote) < 0)
		exit(2);
	len = nm_stun_respond(mode, data, len, &remote, reply, sizeof(reply), &drop);
	if (len > 0)
		print_hex(reply, len);
	else
		printf("drop %s\n", natmux_drop_name(drop));
}

static void classify(char **words)
{
	static uint8_t data[BYTES_MAX];
	size_t len = unhex(words[1], data, sizeof(data));

	printf("%s\n", natmux_class_name(natmux_classify(data, len)));
}

static const struct word_command commands[] = {
	{"classify", 2, classify},
	{"check", 3, check},
	{"build", 7, build},
	{"respond", 4, respond},
};

int main(void)
{
	if (nm_stun_auth_init(&auth) < 0)
		return 1;
	run_lines(commands, sizeof(commands) / sizeof(commands[0]));
	nm_stun_auth_done(&auth);
	return 0;
}
