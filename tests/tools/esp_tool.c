/* SPDX-License-Identifier: Apache-2.0 */
/*
 * natmux's ESP on standard input, for judges in other languages. One command a line, one answer a line,
 * bytes as hexadecimal digits ("-": none). NUMBER is the sequence number, all 64 bits of it:
 *
 *   seal SUITE KEY SPI NUMBER ESN TFC NEXT INNER   the packet; ESN 0 or 1, TFC 0 or octets
 *   open SUITE KEY SPI NUMBER ESN PACKET           "good NEXT INNER", or what was wrong; NUMBER is the
 *                                                  last one seen
 *   suites                                         what there is: NAME KEY-LENGTH ALIGNMENT…
 */
#include <inttypes.h>
#include <sodium.h>

#include "esp/open.h"
#include "esp/seal.h"
#include "tests/tools/word_lines.h"

static struct nm_engine_choice choice;
static struct nm_iv_source ivs;

static void print_hex(const uint8_t *bytes, size_t len)
{
	if (len == 0)
		printf("-");
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

static void fill(void *user, void *buf, size_t len)
{
	(void)user;
	randombytes_buf(buf, len);
}

/* Words 1 to 5: suite, key, SPI, last number, ESN. */
static struct nm_sa *make_sa(
	char **words, enum natmux_sa_direction direction, uint16_t tfc_pad, uint64_t last)
{
	uint8_t key[NATMUX_SUITE_KEY_MAX];
	struct natmux_sa_config config;
	struct nm_secret_pool *keys;
	const struct nm_engine *engine;
	struct nm_sa *sa;

	natmux_sa_config_init(&config);
	config.direction = direction;
	if (natmux_suite_parse(words[1], &config.suite) < 0)
		exit(2);
	engine = choice.of[config.suite];
	keys = nm_secret_pool_new(engine->key_size(config.suite));
	config.key = key;
	config.key_len = unhex(words[2], key, sizeof(key));
	config.spi = (uint32_t)strtoul(words[3], NULL, 0);
	config.sequence = last;
	config.has_esn = strcmp(words[5], "1") == 0;
	config.tfc_pad = tfc_pad;
	if (!keys || natmux_addr_parse("192.0.2.1:4500", 0, &config.path.remote) < 0 ||
		nm_sa_new(&config, engine, keys, NULL, 0, &sa) < 0)
		exit(2);
	return sa;
}

static void free_sa(struct nm_sa *sa)
{
	struct nm_secret_pool *keys = sa->keys;

	nm_sa_free(sa);
	nm_secret_pool_free(keys);
}

static void seal(char **words)
{
	static uint8_t packet[BYTES_MAX + NM_ESP_OVERHEAD_MAX];
	struct nm_sa *sa = make_sa(words, NATMUX_SA_OUT, (uint16_t)strtoul(words[6], NULL, 10),
		strtoull(words[4], NULL, 0) - 1);
	struct nm_seal_item item = {.packet = packet};

	item.next_header = (uint8_t)strtoul(words[7], NULL, 10);
	item.len = (uint32_t)unhex(words[8], nm_seal_inner(sa, packet), BYTES_MAX);
	if (nm_seal(sa, &ivs, &item, 1))
		print_hex(packet, nm_sa_sealed_len(sa, item.len));
	else
		printf("exhausted\n");
	free_sa(sa);
}

static void open_one(char **words)
{
	static const char *const verdicts[] = {
		[NM_OPEN_DUMMY] = "dummy",
		[NM_OPEN_TOO_SHORT] = "too-short",
		[NM_OPEN_LATE] = "late",
		[NM_OPEN_DUPLICATE] = "duplicate",
		[NM_OPEN_REPLAYED] = "replayed",
		[NM_OPEN_BAD_ICV] = "bad-icv",
		[NM_OPEN_BAD_PADDING] = "bad-padding",
	};
	static uint8_t packet[BYTES_MAX];
	struct nm_sa *sa = make_sa(words, NATMUX_SA_IN, 0, strtoull(words[4], NULL, 0));
	struct nm_open_item item = {
		.packet = packet, .len = (uint32_t)unhex(words[6], packet, sizeof(packet))};

	nm_open(sa, &item, 1);
	if (item.verdict == NM_OPEN_GOOD) {
		printf("good %u ", item.next_header);
		print_hex(item.inner, item.inner_len);
	} else {
		printf("%s\n", verdicts[item.verdict]);
	}
	free_sa(sa);
}

static void suites(char **words)
{
	(void)words;
	for (int i = 0; i < NATMUX_SUITE_COUNT; i++) {
		const struct natmux_suite_info *info = natmux_suite_get((enum natmux_suite)i);

		printf("%s%s %zu %u", i ? " " : "", info->name,
			natmux_suite_key_len((enum natmux_suite)i), info->align);
	}
	printf("\n");
}

static const struct word_command commands[] = {
	{"seal", 9, seal},
	{"open", 7, open_one},
	{"suites", 1, suites},
};

int main(int argc, char **argv)
{
	const struct natmux_random random = {fill, NULL};

	if (sodium_init() < 0)
		return 1;
	nm_engine_choose(&choice, argc > 1 ? argv[1] : NULL, NULL, NULL);
	nm_iv_source_init(&ivs, &random);
	run_lines(commands, sizeof(commands) / sizeof(commands[0]));
	nm_iv_source_done(&ivs);
	return 0;
}
