/* SPDX-License-Identifier: Apache-2.0 */
/* Which kernels are trusted with ESP in GRO, and which SPIs would take STUN there. */
#include "test.h"

#include "daemon/port/esp_gro.h"

static void test_releases(void **state)
{
	static const struct {
		const char *release;
		bool is_in;
	} cases[] = {
		{"6.12.41", true},
		{"6.12.117+deb12-amd64", true},
		{"6.16.0", true},
		{"6.16", true},
		{"6.18.44-generic", true},
		{"7.0.1", true},
		{"10.0", true},
		/* corrected in 6.12.41 */
		{"6.12.40", false},
		{"6.12.31", false},
		{"6.12", false},
		/* of other people's corrections nothing is known */
		{"6.12.0-55.9.1.el10_0.x86_64", false},
		{"6.8.0-45-generic", false},
		{"6.15.11", false},
		{"6.14.9", false},
		{"6.13.12", false},
		{"6.11.99", false},
		/* before it came */
		{"6.6.120", false},
		{"6.1.0-41-amd64", false},
		{"5.15.200", false},
		{"4.19.0", false},
		/* no release at all */
		{"", false},
		{"6", false},
		{"6.", false},
		{".16.0", false},
		{"six.16", false},
		{"-6.16", false},
		{"61", false},
		{"Linux 6.16", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("\"%s\"\n", cases[i].release);
		assert_int_equal(nm_esp_gro_is_in(cases[i].release), cases[i].is_in);
	}
}

static void test_spis(void **state)
{
	static const struct {
		uint32_t spi;
		bool takes_stun;
	} cases[] = {
		{0x00010000, true}, /* a Binding request without attributes */
		{0x00010058, true},
		{0x0001fffc, true},
		{0x00110008, true}, /* indication */
		{0x0101000c, true}, /* success */
		{0x01110020, true}, /* error */
		{0x00030010, true}, /* Allocate */
		{0x0103000c, true},
		{0x01130048, true},
		/* no length is odd, nor even without being a multiple of four */
		{0x00010001, false},
		{0x00010002, false},
		{0x0001ffff, false},
		/* no method of ours */
		{0x00020004, false},
		{0x00040004, false},
		{0x0fff0004, false},
		{0x02010004, false},
		/* the first two bits of STUN are zero */
		{0x40010004, false},
		{0x80010004, false},
		{0xc0010004, false},
		{0xc0000000, false},
		{256, false},
		{0x1001, false},
		{0x1004, false},
		{UINT32_MAX, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("0x%08x\n", cases[i].spi);
		assert_int_equal(nm_esp_gro_takes_stun(cases[i].spi), cases[i].takes_stun);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_releases),
		cmocka_unit_test(test_spis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
