/* SPDX-License-Identifier: Apache-2.0 */
/* Makes traffic for a plane: as many flows as SAs, one inner destination each. */
#include "bench/workload.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <natmux/error.h>

#include "base/bytes.h"
#include "bench/gen.h"
#include "bench/packets.h"
#include "esp/inner.h"
#include "wire/checksum.h"

enum {
	SPI_FIRST = 0x10000000,
	HEADERS = 40, /* IPv4 20, TCP 20 */
	ORDER = 65536,
	REPLAY_WINDOW = 1024,
	CLOCK_START_MS = 1000000,
	IP_LEN = 2,
	IP_CHECKSUM = 10,
	IP_DESTINATION = 16,
	TCP = 20,
	TCP_SEQUENCE = TCP + 4,
	TCP_CHECKSUM = 16,
};

static const uint8_t inner_source[4] = {10, 1, 0, 1};
static const struct natmux_path path = {
	.local = {.ip = {192, 0, 2, 1}, .port = 4500, .family = NATMUX_FAMILY_IPV4},
	.remote = {.ip = {192, 0, 2, 2}, .port = 4500, .family = NATMUX_FAMILY_IPV4},
};

/* 11.0.0.0/8: one address for each SA. */
static uint32_t inner_destination(uint32_t sa)
{
	return UINT32_C(11) << 24 | sa;
}

static void fill(void *user, void *buf, size_t len)
{
	(void)user;
	randombytes_buf(buf, len);
}

static void count_sent(void *user, const struct natmux_train *trains, size_t n)
{
	struct nm_workload *workload = user;

	for (size_t i = 0; i < n; i++)
		workload->sent += natmux_train_count(&trains[i]);
}

static void count_delivered(void *user, const struct natmux_gathered *packet)
{
	struct nm_workload *workload = user;

	/* Every part brings one packet's payload, the first with the headers. */
	workload->delivered += packet->parts_len;
}

static void count_dropped(void *user, enum natmux_drop drop, uint64_t packets)
{
	struct nm_workload *workload = user;

	(void)drop;
	workload->dropped += packets;
}

static int make_plane(struct nm_workload *workload)
{
	const struct nm_workload_config *config = &workload->config;
	struct natmux_esp_config esp;

	natmux_esp_config_init(&esp);
	esp.sas_max = 2 * config->sas;
	esp.policies_max = config->policies;
	esp.engine = config->engine;
	esp.random.fill = fill;
	esp.send = count_sent;
	esp.deliver = count_delivered;
	esp.drop = count_dropped;
	esp.user = workload;
	esp.can_tcp = esp.can_udp = true;
	return natmux_esp_new(&esp, &workload->esp);
}

/* In and out are found by different keys: the same SPIs will do. */
static int add_sa(struct nm_workload *workload, enum natmux_sa_direction direction, uint32_t number)
{
	struct natmux_sa_config config;

	natmux_sa_config_init(&config);
	config.direction = direction;
	config.spi = SPI_FIRST + number;
	config.suite = workload->config.suite;
	config.key = nm_packets_keymat;
	config.key_len = natmux_suite_key_len(config.suite);
	config.has_esn = true; /* as the sealing SA */
	config.replay_window = REPLAY_WINDOW;
	config.path = path;
	config.reqid = number + 1;
	return natmux_esp_sa_add(workload->esp, workload->now_ms, &config);
}

static uint64_t resident_bytes(void)
{
	unsigned long long total, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (file && fscanf(file, "%llu %llu", &total, &resident) != 2)
		resident = 0;
	if (file)
		fclose(file);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int add_sas(struct nm_workload *workload)
{
	uint64_t before = resident_bytes(), window = nm_replay_bytes(REPLAY_WINDOW);
	uint32_t sas = workload->config.sas;

	assert(sas > 0);
	for (uint32_t i = 0; i < sas; i++) {
		int err = add_sa(workload, NATMUX_SA_IN, i);

		if (err == 0)
			err = add_sa(workload, NATMUX_SA_OUT, i);
		if (err < 0)
			return err;
	}
	workload->sa_bytes = (resident_bytes() - before) / sas / 2;
	workload->sa_bytes -= workload->sa_bytes > window / 2 ? window / 2 : 0;
	return 0;
}

static int add_policies(struct nm_workload *workload)
{
	for (uint32_t i = 0; i < workload->config.policies; i++) {
		struct natmux_policy policy = {
			.priority = 1,
			.action = i < workload->config.sas ? NATMUX_POLICY_PROTECT
							   : NATMUX_POLICY_DISCARD,
			.reqid = i + 1,
			.selector =
				{
					.source = {{.family = NATMUX_FAMILY_IPV4}, 0},
					.destination = {{.family = NATMUX_FAMILY_IPV4}, 32},
					.source_ports = {0, UINT16_MAX},
					.destination_ports = {0, UINT16_MAX},
				},
		};
		int err;

		nm_put32(policy.selector.destination.base.ip, inner_destination(i));
		err = natmux_esp_policy_add(workload->esp, &policy);
		if (err < 0)
			return err;
	}
	return 0;
}

static void set_ip_checksum(uint8_t *ip)
{
	nm_put16(ip + IP_CHECKSUM, 0);
	nm_sum_put(ip + IP_CHECKSUM, nm_sum_bytes(0, ip, TCP));
}

/* A segment of a stream, IPv4 and TCP, with right checksums. */
static void make_segment(uint8_t *packet, uint32_t len, uint32_t destination, uint32_t sequence)
{
	static const uint8_t start[HEADERS] = {0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 1, 0,
		1, 0, 0, 0, 0, 0x30, 0x39, 0xd4, 0x31, 0, 0, 0, 0, 0, 0, 0, 1, 0x50, 0x10, 0x10, 0};
	uint8_t pseudo[12] = {0};

	memcpy(packet, start, sizeof(start));
	memcpy(packet + 12, inner_source, sizeof(inner_source));
	nm_put16(packet + IP_LEN, (uint16_t)len);
	nm_put32(packet + IP_DESTINATION, destination);
	nm_put32(packet + TCP_SEQUENCE, sequence);
	set_ip_checksum(packet);
	memcpy(pseudo, packet + 12, 8);
	pseudo[9] = 6;
	nm_put16(pseudo + 10, (uint16_t)(len - TCP));
	nm_sum_put(packet + TCP + TCP_CHECKSUM,
		nm_sum_bytes(nm_sum_bytes(0, pseudo, sizeof(pseudo)), packet + TCP, len - TCP));
}

static int make_inner(struct nm_workload *workload)
{
	const struct nm_workload_config *config = &workload->config;
	uint32_t segment = config->len - HEADERS, len = HEADERS + segment * config->train;
	struct nm_gen gen = {0};

	workload->inner = malloc((size_t)len * workload->trains_len);
	if (!workload->inner)
		return NATMUX_ENOMEM;
	nm_gen_bytes(&gen, workload->inner, (size_t)len * workload->trains_len);
	for (uint32_t i = 0; i < workload->trains_len; i++) {
		struct natmux_inner *inner = &workload->packets[i];

		*inner = (struct natmux_inner){
			.data = workload->inner + (size_t)i * len,
			.len = len,
			.offload = {.needs_checksum = 1,
				.header_len = HEADERS,
				.checksum_start = TCP,
				.checksum_offset = TCP_CHECKSUM},
		};
		if (config->train > 1) {
			inner->offload.kind = NATMUX_OFFLOAD_TCP4;
			inner->offload.segment = (uint16_t)segment;
		}
		make_segment(inner->data, len, 0, 0);
	}
	return 0;
}

static int make_order(struct nm_workload *workload)
{
	struct nm_gen gen = {7};

	workload->order = calloc(ORDER, sizeof(*workload->order));
	workload->sequences = calloc(workload->config.sas, sizeof(*workload->sequences));
	if (!workload->order || !workload->sequences)
		return NATMUX_ENOMEM;
	for (uint32_t i = 0; i < ORDER; i++) {
		uint32_t number = workload->config.is_random ? (uint32_t)nm_gen_number(&gen) : i;

		workload->order[i] = number % workload->config.sas;
	}
	return 0;
}

static uint32_t next_sa(struct nm_workload *workload)
{
	uint32_t number = workload->order[workload->at];

	workload->at = (workload->at + 1) % ORDER;
	return number;
}

int nm_workload_init(struct nm_workload *workload, const struct nm_workload_config *config)
{
	uint32_t stride;
	int err;

	memset(workload, 0, sizeof(*workload));
	if (config->train < 1 || config->train > NM_WORKLOAD_TRAIN_MAX || config->len <= HEADERS ||
		config->sas < 1)
		return NATMUX_ERANGE;
	workload->config = *config;
	workload->now_ms = CLOCK_START_MS;
	workload->trains_len = NM_WORKLOAD_PACKETS / config->train;
	err = make_plane(workload);
	if (err == 0)
		err = add_sas(workload);
	if (err == 0)
		err = add_policies(workload);
	if (err == 0)
		err = make_order(workload);
	if (err == 0)
		err = make_inner(workload);
	if (err == 0)
		err = nm_sealing_init(
			&workload->sealing, &nm_engine_openssl, config->suite, config->len);
	if (err == 0) {
		stride = nm_sa_sealed_len(workload->sealing.out, config->len);
		workload->sealed = malloc((size_t)stride * NM_WORKLOAD_PACKETS);
		err = workload->sealed ? 0 : NATMUX_ENOMEM;
	}
	if (err < 0)
		nm_workload_done(workload);
	return err;
}

void nm_workload_done(struct nm_workload *workload)
{
	natmux_esp_free(workload->esp);
	nm_sealing_done(&workload->sealing);
	free(workload->inner);
	free(workload->sealed);
	free(workload->order);
	free(workload->sequences);
	memset(workload, 0, sizeof(*workload));
}

uint32_t nm_workload_packets(const struct nm_workload *workload)
{
	return workload->trains_len * workload->config.train;
}

void nm_workload_prepare_output(struct nm_workload *workload)
{
	for (uint32_t i = 0; i < workload->trains_len; i++) {
		uint32_t sa = next_sa(workload) % workload->config.policies;
		uint8_t *packet = workload->packets[i].data;

		nm_put32(packet + IP_DESTINATION, inner_destination(sa));
		set_ip_checksum(packet);
	}
}

void nm_workload_output(struct nm_workload *workload)
{
	natmux_esp_output(workload->esp, workload->now_ms, workload->packets, workload->trains_len);
}

/* Seals a train in the name of SA `number`, at its sequence number. */
static void seal_train(struct nm_workload *workload, uint32_t number, uint8_t *at)
{
	struct nm_sa *sa = workload->sealing.out;
	uint32_t n = workload->config.train, len = workload->config.len, payload = len - HEADERS;
	uint32_t stride = nm_sa_sealed_len(sa, len);
	struct nm_seal_item items[NM_WORKLOAD_TRAIN_MAX];

	sa->spi = SPI_FIRST + number;
	atomic_store(&sa->sequence->last, workload->sequences[number]);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t sequence = (workload->sequences[number] + i) * payload;

		items[i] = (struct nm_seal_item){.packet = at + (size_t)i * stride,
			.len = len,
			.next_header = NM_PROTO_IPIP};
		make_segment(nm_seal_inner(sa, items[i].packet), len, inner_destination(number),
			sequence);
	}
	nm_seal(sa, &workload->sealing.ivs, items, n);
	workload->sequences[number] += n;
}

void nm_workload_prepare_input(struct nm_workload *workload)
{
	uint32_t n = workload->config.train;
	uint32_t stride = nm_sa_sealed_len(workload->sealing.out, workload->config.len);

	for (uint32_t i = 0; i < workload->trains_len; i++) {
		uint8_t *at = workload->sealed + (size_t)i * n * stride;

		seal_train(workload, next_sa(workload), at);
		workload->trains[i] = (struct natmux_train){
			.data = at,
			.len = n * stride,
			.segment = stride,
			.flow = NATMUX_FLOW_NONE,
			.path = path,
		};
	}
}

void nm_workload_input(struct nm_workload *workload)
{
	natmux_esp_input(workload->esp, workload->now_ms, workload->trains, workload->trains_len);
}
