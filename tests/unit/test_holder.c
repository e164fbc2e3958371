/* SPDX-License-Identifier: Apache-2.0 */
/* Whom attach = join joins, over everything that may be found on a port. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <natmux/addr.h>
#include "dispatcher/holder.h"

enum { ROOT = 0, NOBODY = 65534, WAN = 3, LAN = 4, SOCKETS = 24, HOLDERS = 40 };

static struct nm_port_socket sockets[SOCKETS];
static struct nm_port_holder holders[HOLDERS];
static size_t sockets_n, holders_n;
static struct nm_holder_choice choice;

static struct natmux_addr addr_of(const char *text)
{
	struct natmux_addr addr;

	if (natmux_addr_parse(text, 4500, &addr) < 0)
		abort();
	return addr;
}

static int setup(void **state)
{
	(void)state;
	sockets_n = holders_n = 0;
	return 0;
}

static void add_socket(const char *local)
{
	sockets[sockets_n] = (struct nm_port_socket){
		.local = addr_of(local), .inode = 1000 + (uint32_t)sockets_n, .is_v6only = true};
	sockets_n++;
}

static void add_holder(size_t socket, int pid, const char *name)
{
	holders[holders_n] = (struct nm_port_holder){.socket = socket, .pid = pid, .fd = 20};
	holders[holders_n].fd += (int)holders_n;
	strcpy(holders[holders_n].name, name);
	holders_n++;
}

/* A socket and the process that has it. */
static void add(const char *local, int pid, const char *name)
{
	add_socket(local);
	add_holder(sockets_n - 1, pid, name);
}

static struct nm_holder_wish wish_all(void)
{
	static struct natmux_addr listen[2];

	listen[0] = addr_of("0.0.0.0");
	listen[1] = addr_of("[::]:4500");
	return (struct nm_holder_wish){
		.listen = listen, .listen_n = 2, .port = 4500, .uid = ROOT, .user = "root"};
}

static void judge(const struct nm_holder_wish *wish)
{
	nm_holder_judge(wish, sockets, sockets_n, holders, holders_n, &choice);
}

static void expect(
	const struct nm_holder_wish *wish, enum nm_holder_verdict verdict, const char *why)
{
	judge(wish);
	assert_int_equal(choice.verdict, verdict);
	if (strcmp(choice.why, why) != 0)
		fail_msg("is \"%s\", should be \"%s\"", choice.why, why);
}

static void test_charon(void **state)
{
	struct nm_holder_wish wish = wish_all();

	(void)state;
	add("0.0.0.0:4500", 815, "charon");
	add("[::]:4500", 815, "charon");
	expect(&wish, NM_HOLDER_JOIN, "");
	assert_int_equal(choice.pid, 815);
	assert_string_equal(choice.name, "charon");
	assert_int_equal(choice.parts_n, 2);
	assert_int_equal(choice.parts[0].socket, 0);
	assert_int_equal(choice.parts[0].fd, 20);
	assert_int_equal(choice.parts[1].socket, 1);
	assert_int_equal(choice.parts[1].fd, 21);
}

/* pluto binds each address. */
static void test_pluto(void **state)
{
	struct nm_holder_wish wish = wish_all();

	(void)state;
	add("127.0.0.1:4500", 7, "pluto");
	add("192.0.2.1:4500", 7, "pluto");
	add("[::1]:4500", 7, "pluto");
	add("[2001:db8::1]:4500", 7, "pluto");
	expect(&wish, NM_HOLDER_JOIN, "");
	assert_int_equal(choice.parts_n, 4);
}

static void test_listen_chooses(void **state)
{
	struct natmux_addr listen = addr_of("192.0.2.1");
	struct nm_holder_wish wish = wish_all();

	(void)state;
	wish.listen = &listen;
	wish.listen_n = 1;
	add("127.0.0.1:4500", 9, "dnsmasq");
	add("192.0.2.1:4500", 7, "pluto");
	add("[::]:4500", 8, "other");
	sockets[2].uid = NOBODY;
	expect(&wish, NM_HOLDER_JOIN, "");
	assert_int_equal(choice.pid, 7);
	assert_int_equal(choice.parts_n, 1);
	assert_int_equal(choice.parts[0].socket, 1);
}

static void test_nobody(void **state)
{
	struct nm_holder_wish wish = wish_all();

	(void)state;
	expect(&wish, NM_HOLDER_NOBODY, "nobody has UDP port 4500");
}

static void test_outside(void **state)
{
	struct natmux_addr listen[] = {addr_of("192.0.2.1"), addr_of("[2001:db8::1]:4500")};
	struct nm_holder_wish wish = wish_all();

	(void)state;
	wish.listen = listen;
	add("0.0.0.0:4500", 7, "charon");
	add("[::]:4500", 7, "charon");
	expect(&wish, NM_HOLDER_OUTSIDE,
		"UDP port 4500 is in use at 0.0.0.0:4500 and at no address in listen");
}

static void test_hidden(void **state)
{
	struct nm_holder_wish wish = wish_all();

	(void)state;
	add_socket("0.0.0.0:4500");
	expect(&wish, NM_HOLDER_HIDDEN,
		"0.0.0.0:4500 belongs to no process that natmuxd can see: to one in another PID "
		"namespace or behind hidepid, to the kernel itself, or for a while to nobody, as "
		"iked's when it starts");
	wish.closed = 31;
	expect(&wish, NM_HOLDER_HIDDEN,
		"0.0.0.0:4500 belongs to one of 31 processes that natmuxd may not look into "
		"(CAP_SYS_PTRACE, and CAP_DAC_READ_SEARCH where natmuxd is not root)");
	/* One of two is not enough. */
	add("[::]:4500", 7, "charon");
	judge(&wish);
	assert_int_equal(choice.verdict, NM_HOLDER_HIDDEN);
}

static void test_several(void **state)
{
	struct nm_holder_wish wish = wish_all();
	const char *both = "charon (process 7) and pluto (process 8) both have UDP port 4500: "
			   "natmux joins one daemon";

	(void)state;
	add("192.0.2.1:4500", 7, "charon");
	add("192.0.2.2:4500", 8, "pluto");
	expect(&wish, NM_HOLDER_SEVERAL, both);
	/* One socket in two processes. */
	setup(NULL);
	add("192.0.2.1:4500", 7, "charon");
	add_holder(0, 8, "pluto");
	expect(&wish, NM_HOLDER_SEVERAL, both);
	/* Two descriptors of one socket in one process are no harm. */
	setup(NULL);
	add("192.0.2.1:4500", 7, "charon");
	add_holder(0, 7, "charon");
	expect(&wish, NM_HOLDER_JOIN, "");
	assert_int_equal(choice.parts_n, 1);
}

static void test_twins(void **state)
{
	struct nm_holder_wish wish = wish_all();

	(void)state;
	add("0.0.0.0:4500", 7, "iked");
	add("0.0.0.0:4500", 7, "iked");
	expect(&wish, NM_HOLDER_SEVERAL,
		"iked (process 7) has several sockets at 0.0.0.0:4500: natmux would not know which "
		"of them is the first");
	/* On two interfaces they are no group. */
	sockets[0].interface = WAN;
	sockets[1].interface = LAN;
	expect(&wish, NM_HOLDER_JOIN, "");
	assert_int_equal(choice.parts_n, 2);
}

static void test_natmuxd(void **state)
{
	struct nm_holder_wish wish = wish_all();

	(void)state;
	add("0.0.0.0:4500", 7, "natmuxd");
	expect(&wish, NM_HOLDER_NATMUX,
		"0.0.0.0:4500 belongs to another natmuxd (process 7): one is enough");
}

static void test_user(void **state)
{
	struct nm_holder_wish wish = wish_all();

	(void)state;
	add("0.0.0.0:4500", 7, "charon");
	sockets[0].uid = NOBODY;
	expect(&wish, NM_HOLDER_USER,
		"0.0.0.0:4500 belongs to charon (process 7) of the user with the number 65534, not "
		"of root (0): see join.user");
	wish.uid = NOBODY;
	expect(&wish, NM_HOLDER_JOIN, "");
	/* A second socket of somebody else spoils it. */
	add("[::]:4500", 7, "charon");
	judge(&wish);
	assert_int_equal(choice.verdict, NM_HOLDER_USER);
}

static void test_device(void **state)
{
	struct nm_holder_wish wish = wish_all();

	(void)state;
	add("0.0.0.0:4500", 7, "charon");
	wish.interface = WAN;
	expect(&wish, NM_HOLDER_DEVICE,
		"0.0.0.0:4500 of charon (process 7) is bound to none: leave the key device out");
	sockets[0].interface = LAN;
	expect(&wish, NM_HOLDER_DEVICE,
		"0.0.0.0:4500 of charon (process 7) is bound to another interface: leave the key "
		"device out");
	sockets[0].interface = WAN;
	expect(&wish, NM_HOLDER_JOIN, "");
	wish.interface = 0;
	expect(&wish, NM_HOLDER_JOIN, "");
}

static void test_both_families(void **state)
{
	struct nm_holder_wish wish = wish_all();
	const char *alone =
		"[::]:4500 of racoon (process 7) takes IPv4, too (no IPV6_V6ONLY), and has no "
		"socket at 0.0.0.0 beside it: natmux joins sockets of one family";

	(void)state;
	add("[::]:4500", 7, "racoon");
	sockets[0].is_v6only = false;
	expect(&wish, NM_HOLDER_BOTH, alone);
	/* One address does not keep all others away. */
	add("192.0.2.1:4500", 7, "racoon");
	expect(&wish, NM_HOLDER_BOTH, alone);
	/* Nor does one on another interface, or nobody's, or somebody else's. */
	sockets[1].local = addr_of("0.0.0.0");
	sockets[1].interface = WAN;
	expect(&wish, NM_HOLDER_BOTH, alone);
	sockets[1].interface = 0;
	holders_n = 1;
	expect(&wish, NM_HOLDER_BOTH, alone);
	add_holder(1, 8, "racoon");
	judge(&wish);
	assert_int_equal(choice.verdict, NM_HOLDER_BOTH);
	/* It says nothing of an IPv4 socket. */
	setup(NULL);
	add("0.0.0.0:4500", 7, "racoon");
	sockets[0].is_v6only = false;
	expect(&wish, NM_HOLDER_JOIN, "");
}

/* OpenIKED's IPv6 socket takes IPv4, too, and beside it is one for IPv4, whatever listen says. */
static void test_openiked(void **state)
{
	const struct natmux_addr listen[] = {addr_of("0.0.0.0"), addr_of("[::]:4500")};
	struct nm_holder_wish all = wish_all(), one = wish_all();

	(void)state;
	one.listen_n = 1;
	for (size_t ipv6 = 0; ipv6 < 2; ipv6++) {
		setup(NULL);
		add(ipv6 == 0 ? "[::]:4500" : "0.0.0.0:4500", 7, "iked");
		add(ipv6 == 1 ? "[::]:4500" : "0.0.0.0:4500", 7, "iked");
		sockets[ipv6].is_v6only = false;
		expect(&all, NM_HOLDER_JOIN, "");
		assert_int_equal(choice.parts_n, 2);
		for (size_t i = 0; i < ARRAY_SIZE(listen); i++) {
			one.listen = &listen[i];
			expect(&one, NM_HOLDER_JOIN, "");
			assert_int_equal(choice.parts_n, 1);
			assert_int_equal(choice.parts[0].socket, i == 0 ? 1 - ipv6 : ipv6);
		}
	}
}

static void test_too_many(void **state)
{
	struct nm_holder_wish wish = wish_all();
	char local[40];

	(void)state;
	for (int i = 0; i < NM_HOLDER_SOCKETS; i++) {
		snprintf(local, sizeof(local), "192.0.2.%d:4500", i + 1);
		add(local, 7, "pluto");
	}
	expect(&wish, NM_HOLDER_JOIN, "");
	assert_int_equal(choice.parts_n, NM_HOLDER_SOCKETS);
	add("192.0.2.99:4500", 7, "pluto");
	expect(&wish, NM_HOLDER_TOO_MANY,
		"pluto (process 7) has more than 16 sockets on port 4500: name those to be joined "
		"with the key listen");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_charon, setup),
		cmocka_unit_test_setup(test_pluto, setup),
		cmocka_unit_test_setup(test_listen_chooses, setup),
		cmocka_unit_test_setup(test_nobody, setup),
		cmocka_unit_test_setup(test_outside, setup),
		cmocka_unit_test_setup(test_hidden, setup),
		cmocka_unit_test_setup(test_several, setup),
		cmocka_unit_test_setup(test_twins, setup),
		cmocka_unit_test_setup(test_natmuxd, setup),
		cmocka_unit_test_setup(test_user, setup),
		cmocka_unit_test_setup(test_device, setup),
		cmocka_unit_test_setup(test_both_families, setup),
		cmocka_unit_test_setup(test_openiked, setup),
		cmocka_unit_test_setup(test_too_many, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
