/* SPDX-License-Identifier: Apache-2.0 */
/* Key files: who may read them, what may be in them, and that no message repeats it. */
#include "test.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <natmux/error.h>
#include "daemon/config/config_keys.h"
#include "daemon/config/key_file.h"

enum { KEY = 20 };

static char folder[] = "/tmp/natmux-test-key-XXXXXX", path[64];

static const uint8_t key_octets[KEY] = {
	0x80, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19};

static void write_file(const void *bytes, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void test_forms(void **state)
{
#define HEX "800102030405060708090a0b0c0d0e0f10111213"
	static const char *const good[] = {HEX, "800102030405060708090A0B0C0D0E0F10111213\n",
		"0x" HEX, "  0X" HEX "\r\n",
		"80:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13",
		"80010203 04050607\n08090a0b 0c0d0e0f\n10111213\n",
		"gAECAwQFBgcICQoLDA0ODxAREhM=", "gAECAwQFBgcICQoLDA0ODxAREhM\n",
		"gAECAwQFBgcICQ\noLDA0ODxAREhM=\n"};
	uint8_t key[KEY];

	(void)state;
	assert_int_equal(nm_key_decode(key_octets, KEY, key, KEY), 0);
	assert_memory_equal(key, key_octets, KEY);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		memset(key, 0xff, sizeof(key));
		if (nm_key_decode((const uint8_t *)good[i], strlen(good[i]), key, KEY) < 0)
			fail_msg("refused: %s", good[i]);
		assert_memory_equal(key, key_octets, KEY);
	}
}

static void test_bad_forms(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{"", 0},
		{"\n\n", 2},
		/* One digit, one octet too few or too many. */
		{"800102030405060708090a0b0c0d0e0f1011121", 39},
		{"800102030405060708090a0b0c0d0e0f101112", 38},
		{"800102030405060708090a0b0c0d0e0f1011121314", 42},
		{"800102030405060708090a0b0c0d0e0f1011121g", 40},
		{"gAECAwQFBgcICQoLDA0ODxAREg==", 28},
		{"gAECAwQFBgcICQoLDA0ODxAREhMU", 28},
		{"gAECAwQFBgcICQoLDA0ODxAREhM_", 28},
		/* Words, and digits that somebody took for octets. */
		{"correct horse batter", 20},
		{"01234567890123456789", 20},
		{"\x80\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12",
			19},
		{"\x80\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13"
		 "\n",
			21},
	};
	static const uint8_t zeros[KEY];
	uint8_t key[KEY];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *exact = malloc(bad[i].len + 1);

		memcpy(exact, bad[i].bytes, bad[i].len);
		memset(key, 0, sizeof(key));
		if (nm_key_decode((const uint8_t *)exact, bad[i].len, key, KEY) != NATMUX_EINVAL)
			fail_msg("accepted: %s", bad[i].bytes);
		assert_memory_equal(key, zeros, KEY);
		free(exact);
	}
}

static void expect(int err, const char *part)
{
	uint8_t bytes[NM_KEY_FILE_MAX];
	char message[200] = "";
	size_t len = 0;

	assert_int_equal(nm_key_file_read(path, bytes, &len, message, sizeof(message)), err);
	if (part && !strstr(message, part))
		fail_msg("\"%s\" lacks \"%s\"", message, part);
	if (err == 0) {
		assert_int_equal(len, KEY);
		assert_memory_equal(bytes, key_octets, KEY);
		assert_string_equal(message, "");
	}
}

static void test_modes(void **state)
{
	static const struct {
		mode_t mode;
		const char *refused;
	} cases[] = {
		{0600, NULL},
		{0400, NULL},
		{0640, NULL},
		{0440, NULL},
		{0700, NULL},
		{0604, "its mode is 0604"},
		{0644, "its mode is 0644, allowed is one that others cannot read and only its "
		       "owner writes: chmod 600"},
		{0602, "its mode is 0602"},
		{0601, "its mode is 0601"},
		{0620, "its mode is 0620"},
		{0660, "its mode is 0660"},
		{0666, "its mode is 0666"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		write_file(key_octets, KEY, cases[i].mode);
		expect(cases[i].refused ? NATMUX_EINVAL : 0, cases[i].refused);
	}
	unlink(path);
}

static void test_kinds(void **state)
{
	static uint8_t large[NM_KEY_FILE_MAX + 1];

	(void)state;
	expect(NATMUX_ESYSTEM, "No such file");
	assert_int_equal(mkdir(path, 0700), 0);
	expect(NATMUX_EINVAL, "not a regular file");
	rmdir(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect(NATMUX_EINVAL, "not a regular file");
	unlink(path);
	memset(large, 'a', sizeof(large));
	write_file(large, sizeof(large), 0600);
	expect(NATMUX_EINVAL, "more than 1024 bytes");
	unlink(path);
	if (geteuid() == 0) {
		write_file(key_octets, KEY, 0600);
		assert_int_equal(chown(path, 65534, 65534), 0);
		expect(NATMUX_EINVAL, "it belongs to user 65534");
		unlink(path);
	}
}

/* As natmuxd reads its configuration: the key is there, its mark is not it, and then it is gone. */
static struct nm_config *read_config(const char *suite, char message[NM_CONFIG_MESSAGE_SIZE])
{
	struct nm_config *config = NULL;
	char file[80];
	FILE *out;

	snprintf(file, sizeof(file), "%s.conf", path);
	out = fopen(file, "w");
	assert_non_null(out);
	fprintf(out,
		"esp = user\nhandoff = none\nsa \"a\" {\n\tdirection = in\n\tspi = 256\n"
		"\tsuite = %s\n\tkey-file = \"%s\"\n}\n",
		suite, path);
	fclose(out);
	message[0] = '\0';
	if (nm_config_read(file, &config, message, NM_CONFIG_MESSAGE_SIZE) < 0)
		assert_null(config);
	unlink(file);
	return config;
}

static void test_config(void **state)
{
	static const uint8_t other[KEY] = {0x80, 0xff};
	char message[NM_CONFIG_MESSAGE_SIZE];
	const struct nm_config_section *section = nm_config_section_find("sa");
	struct nm_config *config, *again, *changed;

	(void)state;
	write_file(key_octets, KEY, 0600);
	config = read_config("aes128gcm16", message);
	again = read_config("aes128gcm16", message);
	assert_non_null(config);
	assert_int_equal(config->sas[0].key_len, KEY);
	assert_memory_equal(config->sas[0].key, key_octets, KEY);
	assert_true(nm_config_item_is_same(section, &config->sas[0], &again->sas[0]));
	nm_config_wipe_keys(config);
	assert_null(config->sas[0].key);
	/* The same file with another key in it is a difference, keys or no keys. */
	write_file(other, KEY, 0600);
	changed = read_config("aes128gcm16", message);
	assert_false(nm_config_item_is_same(section, &config->sas[0], &changed->sas[0]));
	assert_true(nm_config_item_is_same(section, &config->sas[0], &again->sas[0]));
	nm_config_free(config);
	nm_config_free(again);
	nm_config_free(changed);
	unlink(path);
}

static void test_config_refusals(void **state)
{
	static const char digits[] = "000102030405060708090a0b0c0d0e0f10111213";
	char message[NM_CONFIG_MESSAGE_SIZE], want[NM_CONFIG_MESSAGE_SIZE];

	(void)state;
	write_file(digits, strlen(digits), 0600);
	assert_null(read_config("aes256gcm16", message));
	snprintf(want, sizeof(want),
		"%s.conf:7: sa \"a\".key-file: found \"%s\": it holds no key of that suite, "
		"allowed "
		"are its 36 octets as they are, in hexadecimal or in base64",
		path, path);
	assert_string_equal(message, want);
	assert_null(strstr(message, "0001"));
	assert_int_equal(chmod(path, 0644), 0);
	assert_null(read_config("aes128gcm16", message));
	assert_non_null(strstr(message, "its mode is 0644"));
	unlink(path);
	assert_null(read_config("aes128gcm16", message));
	assert_non_null(strstr(message, ":7: sa \"a\".key-file: "));
	assert_non_null(strstr(message, "No such file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_bad_forms),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_config_refusals),
	};
	int failed;

	if (sodium_init() < 0 || !mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/key", folder);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
