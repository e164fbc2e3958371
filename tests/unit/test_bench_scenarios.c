/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios as the command line calls them: exit codes, pcap files, interruption, ELF sizes. */
#include "test.h"

#include <elf.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <natmux/error.h>
#include "bench/console.h"
#include "bench/corpus.h"
#include "bench/elf_size.h"
#include "bench/pcap_file.h"
#include "bench/scenario.h"

enum { ARGS_MAX = 8, FILE_SIZE = 512 };

static char folder[] = "/tmp/natmux-scenarios-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/file", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

/* `line`: the scenario's name and arguments, parted by one blank each. */
static int run(const struct nm_scenario *scenario, const char *line)
{
	char copy[256], *argv[ARGS_MAX];
	int argc = 0;

	assert_true(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	for (char *arg = strtok(copy, " "); arg && argc < ARGS_MAX; arg = strtok(NULL, " "))
		argv[argc++] = arg;
	return scenario->run(argc, argv);
}

static void test_exit_codes(void **state)
{
	static const struct nm_scenario *const scenarios[] = {&nm_scenario_classify,
		&nm_scenario_dispatch, &nm_scenario_receive, &nm_scenario_memory,
		&nm_scenario_crypto, &nm_scenario_esp, &nm_scenario_tunnel, &nm_scenario_compare};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		char line[64];

		assert_non_null(scenarios[i]->summary);
		snprintf(line, sizeof(line), "%s --help", scenarios[i]->name);
		assert_int_equal(run(scenarios[i], line), NM_EXIT_OK);
		snprintf(line, sizeof(line), "%s --nonsense", scenarios[i]->name);
		assert_int_equal(run(scenarios[i], line), NM_EXIT_USAGE);
		snprintf(line, sizeof(line), "%s nonsense", scenarios[i]->name);
		assert_int_equal(run(scenarios[i], line), NM_EXIT_USAGE);
		snprintf(line, sizeof(line), "%s --save /nonexistent/f", scenarios[i]->name);
		assert_int_equal(run(scenarios[i], line), NM_EXIT_FAILED);
	}
	assert_int_equal(
		run(&nm_scenario_classify, "classify --pcap /nonexistent"), NM_EXIT_FAILED);
	assert_int_equal(run(&nm_scenario_crypto, "crypto --suite rot13"), NM_EXIT_USAGE);
	assert_int_equal(run(&nm_scenario_tunnel, "tunnel --traffic pigeon"), NM_EXIT_USAGE);
	assert_int_equal(run(&nm_scenario_tunnel, "tunnel --offloads maybe"), NM_EXIT_USAGE);
	assert_int_equal(run(&nm_scenario_tunnel, "tunnel --plane astral"), NM_EXIT_USAGE);
	assert_int_equal(run(&nm_scenario_tunnel, "tunnel --workers 0"), NM_EXIT_USAGE);
	assert_int_equal(run(&nm_scenario_tunnel, "tunnel --workers 17"), NM_EXIT_USAGE);
	assert_int_equal(run(&nm_scenario_tunnel, "tunnel --plane kernel --peers"), NM_EXIT_USAGE);
	assert_int_equal(
		run(&nm_scenario_tunnel, "tunnel --plane kernel --workers 2"), NM_EXIT_USAGE);
	assert_int_equal(run(&nm_scenario_memory, "memory --natmuxd /nonexistent --repeat 1"),
		NM_EXIT_FAILED);
	assert_int_equal(
		run(&nm_scenario_memory, "memory --natmuxd /nonexistent --library /nonexistent"),
		NM_EXIT_FAILED);
}

static void put_little32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

/* A little-endian pcap file of link type RAW with one keepalive over IPv4; returns its size. */
static size_t make_pcap(uint8_t file[FILE_SIZE])
{
	static const uint8_t packet[] = {0x45, 0, 0, 29, 0, 0, 0x40, 0, 64, 17, 0xb6, 0xcc, 192, 0,
		2, 1, 192, 0, 2, 2, 0x11, 0x94, 0x11, 0x94, 0, 9, 0, 0, 0xff};

	memset(file, 0, FILE_SIZE);
	put_little32(file, 0xa1b2c3d4);
	file[4] = 2;
	file[6] = 4;
	put_little32(file + 16, 65535);
	put_little32(file + 20, 101);
	put_little32(file + 32, sizeof(packet));
	put_little32(file + 36, sizeof(packet));
	memcpy(file + 40, packet, sizeof(packet));
	return 40 + sizeof(packet);
}

static void write_file(const uint8_t *bytes, size_t len)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static int read_pcap(struct nm_corpus *corpus)
{
	char error[256] = "";
	int err = nm_pcap_file_read(path, corpus, error, sizeof(error));

	/* One line for people where it failed, and only there. */
	assert_int_equal(err < 0, error[0] != '\0');
	return err;
}

static void test_pcap_file(void **state)
{
	struct nm_corpus corpus = {0};
	uint8_t file[FILE_SIZE];
	char line[128];
	int err;

	(void)state;
	write_file(file, make_pcap(file));
	err = read_pcap(&corpus);
	if (err == NATMUX_EUNSUPPORTED) {
		print_message("skipped: built without libpcap\n");
		skip();
	}
	assert_int_equal(err, 0);
	assert_int_equal(corpus.count, 1);
	assert_int_equal(corpus.items[0].len, 1);
	assert_int_equal(corpus.memory[0], 0xff);
	nm_corpus_done(&corpus);
	snprintf(line, sizeof(line), "classify --repeat 1 --pcap %s", path);
	assert_int_equal(run(&nm_scenario_classify, line), NM_EXIT_OK);

	/* Of an unknown link type, without UDP, cut in the middle of a packet, not pcap at all. */
	make_pcap(file);
	put_little32(file + 20, 147);
	write_file(file, 69);
	assert_int_equal(read_pcap(&corpus), NATMUX_EUNSUPPORTED);
	make_pcap(file);
	file[49] = 6;
	write_file(file, 69);
	assert_int_equal(read_pcap(&corpus), NATMUX_ENOTFOUND);
	write_file(file, 24);
	assert_int_equal(read_pcap(&corpus), NATMUX_ENOTFOUND);
	write_file(file, 60);
	assert_int_equal(read_pcap(&corpus), NATMUX_EMALFORMED);
	write_file(file + 1, 60);
	assert_int_equal(read_pcap(&corpus), NATMUX_ESYSTEM);
	assert_int_equal(corpus.count, 0);
}

typedef ElfW(Ehdr) elf_header;
typedef ElfW(Shdr) elf_section;

struct elf {
	elf_header header;
	elf_section sections[5];
};

static struct elf make_elf(void)
{
	const uint16_t one = 1;
	struct elf elf = {
		.header = {.e_shoff = offsetof(struct elf, sections),
			.e_shentsize = sizeof(elf_section),
			.e_shnum = 5},
		.sections = {{.sh_size = 1000},
			{.sh_size = 100, .sh_flags = SHF_ALLOC | SHF_EXECINSTR},
			{.sh_size = 20, .sh_flags = SHF_ALLOC},
			{.sh_size = 3, .sh_flags = SHF_ALLOC | SHF_WRITE},
			{.sh_size = 4, .sh_type = SHT_NOBITS, .sh_flags = SHF_ALLOC | SHF_WRITE}},
	};

	memcpy(elf.header.e_ident, ELFMAG, SELFMAG);
	elf.header.e_ident[EI_CLASS] = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
	elf.header.e_ident[EI_DATA] = *(const uint8_t *)&one ? ELFDATA2LSB : ELFDATA2MSB;
	return elf;
}

static void test_elf_size(void **state)
{
	struct elf elf = make_elf();
	struct nm_elf_size size;

	(void)state;
	assert_int_equal(nm_elf_size((const uint8_t *)&elf, sizeof(elf), &size), 0);
	assert_int_equal(size.code, 100);
	assert_int_equal(size.text, 120);
	assert_int_equal(size.data, 7);
}

static void test_elf_size_refuses(void **state)
{
	struct elf elf = make_elf();
	struct nm_elf_size size = {9, 9, 9};

	(void)state;
	for (size_t len = 0; len < sizeof(elf); len++)
		assert_int_equal(nm_elf_size((const uint8_t *)&elf, len, &size), NATMUX_EMALFORMED);
	elf.header.e_ident[EI_CLASS] ^= 3;
	assert_int_equal(nm_elf_size((const uint8_t *)&elf, sizeof(elf), &size), NATMUX_EMALFORMED);
	elf = make_elf();
	elf.header.e_ident[EI_DATA] ^= 3;
	assert_int_equal(nm_elf_size((const uint8_t *)&elf, sizeof(elf), &size), NATMUX_EMALFORMED);
	elf = make_elf();
	elf.header.e_shoff = ~(ElfW(Off))0;
	assert_int_equal(nm_elf_size((const uint8_t *)&elf, sizeof(elf), &size), NATMUX_EMALFORMED);
	elf = make_elf();
	elf.header.e_shnum = 0;
	assert_int_equal(nm_elf_size((const uint8_t *)&elf, sizeof(elf), &size), NATMUX_EMALFORMED);
	elf = make_elf();
	elf.header.e_shentsize = 1;
	assert_int_equal(nm_elf_size((const uint8_t *)&elf, sizeof(elf), &size), NATMUX_EMALFORMED);
	assert_int_equal(size.text, 9);
}

/* Last: from then on every scenario ends at once, with what it has. */
static void test_interruption(void **state)
{
	(void)state;
	nm_console_catch_signals();
	assert_false(nm_console_stopped());
	raise(SIGINT);
	assert_true(nm_console_stopped());
	assert_int_equal(run(&nm_scenario_dispatch, "dispatch"), NM_EXIT_FAILED);
	assert_int_equal(run(&nm_scenario_receive, "receive"), NM_EXIT_FAILED);
	assert_int_equal(run(&nm_scenario_classify, "classify --memory 1"), NM_EXIT_FAILED);
	assert_int_equal(run(&nm_scenario_crypto, "crypto --all"), NM_EXIT_FAILED);
	assert_int_equal(run(&nm_scenario_esp, "esp --sealing"), NM_EXIT_FAILED);
	assert_int_equal(run(&nm_scenario_tunnel, "tunnel"), NM_EXIT_FAILED);
	assert_int_equal(run(&nm_scenario_tunnel, "tunnel --plane kernel"), NM_EXIT_FAILED);
	assert_int_equal(run(&nm_scenario_compare, "compare"), NM_EXIT_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_pcap_file),
		cmocka_unit_test(test_elf_size),
		cmocka_unit_test(test_elf_size_refuses),
		cmocka_unit_test(test_interruption),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
