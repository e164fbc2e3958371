/* SPDX-License-Identifier: Apache-2.0 */
/* What natmuxctl doctor finds out: from a made-up root directory, and about this machine. */
#include "test.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/capability.h>
#include "ctl/doctor.h"

/* A machine made of files. */
static char root[64];

static int make_root(void **state)
{
	(void)state;
	strcpy(root, "/tmp/natmux-doctor-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int remove_root(void **state)
{
	(void)state;
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

static const char *below_root(const char *path)
{
	static char full[512];

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(full, 0700);
		*slash = '/';
	}
	return full;
}

static void put_file(const char *path, const char *text)
{
	FILE *file = fopen(below_root(path), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void put_link(const char *path, const char *target)
{
	assert_int_equal(symlink(target, below_root(path)), 0);
}

/* A row as the kernel writes it: the address's words in host order. */
static void add_socket_row(char *text, const char *where, int inode)
{
	struct natmux_addr addr;
	size_t words;

	assert_int_equal(natmux_addr_parse(where, 0, &addr), 0);
	words = addr.family == NATMUX_FAMILY_IPV4 ? 1 : 4;
	strcat(text, "  123: ");
	for (size_t i = 0; i < words; i++) {
		uint32_t word;

		memcpy(&word, addr.ip + 4 * i, 4);
		sprintf(text + strlen(text), "%08X", word);
	}
	sprintf(text + strlen(text),
		":%04X %.*s:0000 07 00000000:00000000 00:00000000 00000000 "
		"    0        0 %d 2 0000000000000000 0\n",
		addr.port, (int)(8 * words), "00000000000000000000000000000000", inode);
}

static struct nm_doctor_facts read_root(void)
{
	struct nm_doctor_facts facts = {.port = 4500, .tun = "natmux0"};

	nm_doctor_read_files(&facts, root);
	return facts;
}

static void test_empty_machine(void **state)
{
	struct nm_doctor_facts facts = read_root();
	struct nm_doctor_report report;

	(void)state;
	assert_int_equal(facts.holders_n, 0);
	assert_string_equal(facts.kernel, "unknown");
	assert_int_equal(facts.rmem_max, -1);
	assert_int_equal(facts.rp_filter_all, -1);
	assert_int_equal(facts.rp_filter_tun, -1);
	assert_false(facts.has_ipv6 || facts.has_tun || facts.has_xfrm);
	assert_null(nm_doctor_ike_daemon(&facts));
	nm_doctor_judge(&facts, &report);
}

static void test_sockets_and_their_holders(void **state)
{
	char udp[2048] = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n";
	char udp6[2048] = "   sl  local_address                         remote_address\n";
	struct nm_doctor_facts facts;
	char text[NATMUX_ADDR_TEXT];

	(void)state;
	add_socket_row(udp, "192.0.2.1:4500", 1001);
	add_socket_row(udp, "0.0.0.0:500", 1002);
	add_socket_row(udp, "127.0.0.1:53", 1003);
	add_socket_row(udp6, "[2001:db8::1]:4500", 1004);
	strcat(udp6, "rubbish\n\n  1: 00:1194 0:0 07\n");
	put_file("/proc/net/udp", udp);
	put_file("/proc/net/udp6", udp6);
	put_file("/proc/77/comm", "charon\n");
	put_link("/proc/77/fd/3", "socket:[1001]");
	put_link("/proc/77/fd/4", "socket:[1002]");
	put_link("/proc/77/fd/5", "/dev/null");
	put_link("/proc/77/fd/6", "socket:[x]");
	put_file("/proc/88/comm", "natmuxd\n");
	put_file("/proc/99x/comm", "pluto\n");
	put_file("/proc/sys/comm", "iked\n");
	facts = read_root();
	assert_int_equal(facts.holders_n, 3);
	assert_string_equal(natmux_addr_format(&facts.holders[0].local, text), "192.0.2.1:4500");
	assert_string_equal(facts.holders[0].name, "charon");
	assert_int_equal(facts.holders[0].pid, 77);
	assert_int_equal(facts.holders[1].pid, 77);
	assert_string_equal(
		natmux_addr_format(&facts.holders[2].local, text), "[2001:db8::1]:4500");
	assert_int_equal(facts.holders[2].pid, 0);
	assert_int_equal(facts.daemons[NM_DOCTOR_CHARON].pid, 77);
	assert_int_equal(facts.daemons[NM_DOCTOR_NATMUXD].pid, 88);
	assert_int_equal(facts.daemons[NM_DOCTOR_PLUTO].pid, 0);
	assert_int_equal(facts.daemons[NM_DOCTOR_IKED].pid, 0);
}

/* iked's first process has its name and no socket of it; the one that has comes before others. */
static void test_daemon_of_many_processes(void **state)
{
	char udp[1024] = "";
	struct nm_doctor_facts facts;

	(void)state;
	add_socket_row(udp, "0.0.0.0:4500", 1001);
	put_file("/proc/net/udp", udp);
	put_file("/proc/70/comm", "iked\n");
	put_link("/proc/70/fd/3", "socket:[7]");
	put_file("/proc/71/comm", "iked\n");
	put_link("/proc/71/fd/3", "socket:[1001]");
	put_file("/proc/72/comm", "iked\n");
	put_link("/proc/72/fd/3", "socket:[8]");
	facts = read_root();
	assert_int_equal(facts.daemons[NM_DOCTOR_IKED].pid, 71);
	assert_int_equal(facts.holders_n, 1);
	assert_int_equal(facts.holders[0].pid, 71);
}

static void test_more_sockets_than_kept(void **state)
{
	static char udp[40 * 200];
	struct nm_doctor_facts facts;

	(void)state;
	for (int i = 0; i < 40; i++)
		add_socket_row(udp, "192.0.2.1:4500", i);
	put_file("/proc/net/udp", udp);
	facts = read_root();
	assert_int_equal(facts.holders_n, NM_DOCTOR_HOLDERS);
}

static void test_settings(void **state)
{
	struct nm_doctor_facts facts;

	(void)state;
	put_file("/proc/sys/kernel/osrelease", "6.12.1-test\n");
	put_file("/proc/sys/net/core/rmem_max", "212992\n");
	put_file("/proc/sys/net/core/wmem_max", "lots\n");
	put_file("/proc/sys/net/ipv4/conf/all/rp_filter", "0\n");
	put_file("/proc/sys/net/ipv4/conf/default/rp_filter", "2\n");
	put_file("/proc/sys/net/ipv4/conf/natmux0/rp_filter", "1\n");
	put_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1\n");
	put_file("/proc/net/if_inet6", "");
	put_file("/proc/net/xfrm_stat", "");
	put_file("/sys/class/net/natmux0", "");
	put_file("/proc/self/status", "Name:\tx\nUid:\t0\t1000\t0\t0\nCapEff:\t0000000000081000\n");
	put_file("/usr/libexec/ipsec/charon", "");
	put_file("/usr/sbin/iked", "");
	facts = read_root();
	assert_string_equal(facts.kernel, "6.12.1-test");
	assert_int_equal(facts.rmem_max, 212992);
	assert_int_equal(facts.wmem_max, -1);
	assert_int_equal(facts.rp_filter_all, 0);
	assert_int_equal(facts.rp_filter_default, 2);
	assert_int_equal(facts.rp_filter_tun, 1);
	assert_int_equal(facts.disable_ipv6, 1);
	assert_true(facts.has_ipv6 && facts.has_tun && facts.has_xfrm);
	assert_int_equal(facts.uid, 1000);
	assert_true(nm_doctor_may(&facts, CAP_NET_ADMIN));
	assert_true(nm_doctor_may(&facts, CAP_SYS_PTRACE));
	assert_false(nm_doctor_may(&facts, CAP_NET_RAW));
	assert_string_equal(facts.daemons[NM_DOCTOR_CHARON].path, "/usr/libexec/ipsec/charon");
	assert_string_equal(nm_doctor_ike_daemon(&facts)->name, "charon");
}

static void test_blacklists(void **state)
{
	struct nm_doctor_facts facts;

	(void)state;
	put_file("/etc/modprobe.d/a.conf", "# blacklist esp4\noptions esp4 x=1\nalias esp4 esp4\n");
	put_file("/etc/modprobe.d/b.conf.bak", "blacklist esp4\n");
	facts = read_root();
	assert_string_equal(facts.blacklisted_esp4, "");
	put_file("/etc/modprobe.d/c.conf", "blacklist esp44\n\n  install esp6 /bin/false\n");
	put_file("/lib/modprobe.d/d.conf", "blacklist esp4");
	facts = read_root();
	assert_string_equal(facts.blacklisted_esp4, "/lib/modprobe.d/d.conf:1");
	assert_string_equal(facts.blacklisted_esp6, "/etc/modprobe.d/c.conf:3");
}

/* On any machine: every probe comes to an end and leaves no device behind. */
static void test_probes_of_this_machine(void **state)
{
	struct nm_doctor_facts facts = {.port = 4500, .tun = "natmux0"};
	struct nm_doctor_report report;

	(void)state;
	nm_doctor_read_files(&facts, "");
	nm_doctor_probe(&facts);
	nm_doctor_judge(&facts, &report);
	assert_int_not_equal(facts.gro.works, NM_UNKNOWN);
	assert_int_not_equal(facts.tun_open.works, NM_UNKNOWN);
	assert_true(facts.gro.works == NM_YES || facts.gro.error > 0);
	assert_true(access("/sys/class/net/nmdoctor0", F_OK) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROOT(test_empty_machine),
		WITH_ROOT(test_sockets_and_their_holders),
		WITH_ROOT(test_daemon_of_many_processes),
		WITH_ROOT(test_more_sockets_than_kept),
		WITH_ROOT(test_settings),
		WITH_ROOT(test_blacklists),
		cmocka_unit_test(test_probes_of_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
