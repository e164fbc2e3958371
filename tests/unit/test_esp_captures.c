/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two strongSwan gateways sent each other, in eight suites: every ESP packet of both directions
 * opens with the keys beside the capture, holds an IP packet that is whole, and is refused the second
 * time. Ledger rows E1, E6, E7, G1-G4.
 */
#include "capture.h"
#include "esp_test.h"
#include "oracle_json.h"

#include "esp/inner.h"
#include "wire/checksum.h"

enum { ROOM = 2048, PACKETS = 12 };

/* The two SAs of a capture. */
struct capture {
	const char *name;
	struct nm_secret_pool *keys;
	struct nm_sa *sas[2]; /* to the responder, to the initiator */
	uint8_t sent[2][PACKETS][ROOM];
	uint32_t lens[2][PACKETS], count[2];
};

static enum natmux_suite suite_of(const char *name)
{
	char word[64];
	enum natmux_suite suite;

	snprintf(word, sizeof(word), "%.*s", (int)strcspn(name, "."), name);
	if (natmux_suite_parse(word, &suite) < 0)
		fail_msg("%s: no such suite", word);
	return suite;
}

static struct nm_sa *make_sa(const struct capture *capture, const json_t *root, bool to_initiator)
{
	struct natmux_sa_config config;
	enum natmux_suite suite = suite_of(capture->name);
	uint8_t keymat[NATMUX_SUITE_KEY_MAX];
	struct nm_sa *sa = NULL;

	esp_config(&config, NATMUX_SA_IN, suite);
	config.spi = (uint32_t)strtoul(
		json_text(root, to_initiator ? "spi_to_initiator" : "spi_to_responder"), NULL, 16);
	/* The keys are named by who seals with them. */
	config.key = keymat;
	config.key_len =
		json_bytes(root, to_initiator ? "encryption_responder" : "encryption_initiator",
			keymat, sizeof(keymat));
	if (natmux_suite_get(suite)->auth_len > 0)
		config.key_len += json_bytes(root,
			to_initiator ? "integrity_responder" : "integrity_initiator",
			keymat + config.key_len, sizeof(keymat) - config.key_len);
	assert_int_equal(nm_sa_new(&config, esp_engine_of(suite), capture->keys, NULL, 0, &sa), 0);
	return sa;
}

static bool checksums_are_right(const uint8_t *inner, const struct nm_inner_info *info)
{
	size_t addr_len = info->family == NATMUX_FAMILY_IPV4 ? 4 : 16;
	uint8_t rest[6] = {0, info->protocol};
	uint32_t len = (uint32_t)info->len - info->transport;
	uint64_t sum = 0;

	if (info->family == NATMUX_FAMILY_IPV4 && !nm_sum_is_valid(nm_sum_bytes(0, inner, 20)))
		return false;
	if (info->protocol != NM_PROTO_ICMP) {
		nm_put32(rest + 2, len);
		sum = nm_sum_bytes(nm_sum_bytes(0, info->source, 2 * addr_len), rest, sizeof(rest));
	}
	return nm_sum_is_valid(nm_sum_bytes(sum, inner + info->transport, len));
}

static void check_inner(const struct capture *capture, const struct nm_open_item *item)
{
	struct nm_inner_info info;

	if (item->verdict != NM_OPEN_GOOD)
		fail_msg("%s: verdict %d", capture->name, (int)item->verdict);
	assert_true(nm_inner_read(item->inner, item->inner_len, &info));
	assert_int_equal(info.len, item->inner_len);
	assert_int_equal(item->next_header,
		info.family == NATMUX_FAMILY_IPV4 ? NM_PROTO_IPIP : NM_PROTO_IPV6);
	if (!checksums_are_right(item->inner, &info))
		fail_msg("%s: protocol %u, wrong checksum", capture->name, info.protocol);
}

static void open_datagram(void *user, const uint8_t *payload, size_t len, bool is_odd)
{
	struct capture *capture = user;
	uint8_t packet[ROOM];
	struct nm_open_item item = {.packet = packet, .len = (uint32_t)len};
	int to_initiator;

	if (len < 8 || nm_get32(payload) == 0)
		return; /* IKE, keepalive */
	assert_false(is_odd);
	assert_true(len <= ROOM);
	to_initiator = nm_get32(payload) == capture->sas[1]->spi;
	assert_int_equal(nm_get32(payload), capture->sas[to_initiator]->spi);
	assert_true(capture->count[to_initiator] < PACKETS);
	memcpy(packet, payload, len);
	memcpy(capture->sent[to_initiator][capture->count[to_initiator]], payload, len);
	capture->lens[to_initiator][capture->count[to_initiator]++] = (uint32_t)len;
	nm_open(capture->sas[to_initiator], &item, 1);
	check_inner(capture, &item);
}

/* Once more, all in one vector; then as somebody would who cannot make the ICV. */
static void replay(struct capture *capture, int direction)
{
	struct nm_open_item items[PACKETS];
	uint32_t n = capture->count[direction];
	struct nm_sa *sa = capture->sas[direction];

	for (uint32_t i = 0; i < n; i++)
		items[i] = (struct nm_open_item){
			.packet = capture->sent[direction][i], .len = capture->lens[direction][i]};
	nm_open(sa, items, n);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(items[i].verdict, NM_OPEN_DUPLICATE);
	assert_int_equal(sa->counters.duplicate, n);
	for (uint32_t i = 0; i < n; i++)
		nm_put32(items[i].packet + 4, 1000 + i);
	nm_open(sa, items, n);
	assert_int_equal(sa->counters.bad_icv, n);
	assert_int_equal(sa->replay.top, n);
	assert_int_equal(sa->counters.lost, 0);
}

static void open_capture(const char *name, const uint8_t *data, size_t len)
{
	static struct capture capture;
	char keys_name[256];
	json_t *root;

	memset(&capture, 0, sizeof(capture));
	capture.name = name;
	capture.keys = nm_secret_pool_new(esp_engine_of(suite_of(name))->key_size(suite_of(name)));
	snprintf(keys_name, sizeof(keys_name), "strongswan/%.*s.json", (int)strcspn(name, "."),
		name);
	root = oracle_json(oracle_path(keys_name));
	capture.sas[0] = make_sa(&capture, root, false);
	capture.sas[1] = make_sa(&capture, root, true);
	json_decref(root);
	capture_read(name, data, len, open_datagram, &capture);
	assert_int_equal(capture.count[0] + capture.count[1], 12);
	assert_true(capture.count[0] > 0 && capture.count[1] > 0);
	for (int direction = 0; direction < 2; direction++) {
		replay(&capture, direction);
		nm_sa_free(capture.sas[direction]);
	}
	nm_secret_pool_free(capture.keys);
}

static void test_strongswan(void **state)
{
	(void)state;
	assert_int_equal(oracle_each("strongswan", ".pcap", open_capture), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strongswan),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
