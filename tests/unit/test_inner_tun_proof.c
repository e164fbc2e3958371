/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is proved of the TUN device of the user ESP plane before it is used, and what is left out when
 * the kernel refuses it or a proof fails.
 */
#include "inner_tun_open_test.h"

#include <limits.h>
#include <sys/ioctl.h>
#include <linux/if_tun.h>
#include <natmux/error.h>

/* A call that fails, and what is on all the same. */
struct fault {
	enum fake_call call;
	unsigned int skip, times;
	int error;
	unsigned int flags;
	const char *tso_why, *uso_why; /* parts of them; NULL: on */
};

static void check_fault(const struct fault *fault)
{
	struct nm_inner_tun_config config = config_all();
	const struct nm_inner_tun_status *status;
	struct nm_inner_tun *tun;

	fake_sys_reset();
	fake_sys_fail(fault->call, fault->skip, fault->times, fault->error);
	tun = open_with(&config);
	status = status_of(tun);
	assert_int_equal(flags_of(tun), fault->flags);
	if (fault->tso_why)
		assert_non_null(strstr(status->tso.why, fault->tso_why));
	if (fault->uso_why)
		assert_non_null(strstr(status->uso.why, fault->uso_why));
	/* One line for each kind that is off, and none about packets. */
	assert_int_equal(tape.lines, (fault->tso_why != NULL) + (fault->uso_why != NULL));
	assert_true(!fault->tso_why || log_tape_has(&tape, "TSO is off"));
	assert_true(!fault->uso_why || log_tape_has(&tape, "USO is off"));
	fake_sys_reset();
	check_empty(tun);
	nm_inner_tun_close(tun);
}

/* Step by step: without USO, without TSO. Before it come FEATURES, SETIFF, VNETLE, VNETHDRSZ. */
static void test_kernel_refuses(void **state)
{
	static const struct fault faults[] = {
		{FAKE_IOCTL, 4, 1, EINVAL, ALL & ~READ_USO, NULL, "TUNSETOFFLOAD"},
		{FAKE_IOCTL, 4, 2, EINVAL, WRITE_TSO | WRITE_USO, "TUNSETOFFLOAD", "TUNSETOFFLOAD"},
		{FAKE_SOCKET, 2, 1, EPERM, 0, "AF_PACKET", "Operation not permitted"},
		{FAKE_SOCKET, 2, 1, EAFNOSUPPORT, 0, "AF_PACKET", "AF_PACKET"},
		{FAKE_BIND, 0, 1, ENODEV, 0, "bind", "No such device"},
		{FAKE_SETSOCKOPT, 0, 1, EINVAL, 0, "PACKET_VNET_HDR", "PACKET_VNET_HDR"},
		{FAKE_SETSOCKOPT, 1, 1, EINVAL, 0, "SO_RCVTIMEO", "SO_RCVTIMEO"},
	};

	(void)state;
	if (kernel_has != ALL) {
		print_message("skipped: this kernel has no USO (Linux 6.2)\n");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		check_fault(&faults[i]);
	assert_true(log_tape_has(&tape, "is off"));
}

static void test_says_what_is_needed(void **state)
{
	struct nm_inner_tun_config config = config_all();
	struct nm_inner_tun *tun;

	(void)state;
	fake_sys_fail(FAKE_SOCKET, 2, 1, EPERM);
	tun = open_with(&config);
	assert_true(log_tape_has(&tape, "needs CAP_NET_RAW"));
	nm_inner_tun_close(tun);
}

/* TCP over IPv4 and IPv6, UDP over both: each a write, a look, a send and a read. */
static void test_proof_fails(void **state)
{
	static const struct fault faults[] = {
		{FAKE_WRITEV, 0, 1, EINVAL, ALL & ~WRITE_TSO, "proof, write: Invalid", NULL},
		{FAKE_WRITEV, 1, 1, EIO, ALL & ~WRITE_TSO, "proof, write: Input", NULL},
		{FAKE_WRITEV, 2, 1, EINVAL, ALL & ~WRITE_USO, NULL, "proof, write"},
		{FAKE_WRITEV, 3, 1, EINVAL, ALL & ~WRITE_USO, NULL, "proof, write"},
		{FAKE_WRITEV, 0, 9, EINVAL, READ_TSO | READ_USO, "proof, write", "proof, write"},
		{FAKE_RECVMSG, 1, 1, EAGAIN, ALL & ~WRITE_TSO, "proof, write: No message", NULL},
		{FAKE_RECVMSG, 1, 3, EINTR, ALL, NULL, NULL},
		{FAKE_RECVMSG, 2, 1, ENETDOWN, ALL & ~WRITE_TSO, "Network is down", NULL},
		{FAKE_RECVMSG, 3, 1, EAGAIN, ALL & ~WRITE_USO, NULL, "proof, write"},
		{FAKE_RECVMSG, 4, 1, EAGAIN, ALL & ~WRITE_USO, NULL, "proof, write"},
		{FAKE_SENDMSG, 1, 1, EINVAL, ALL & ~READ_TSO, "proof, read: Invalid", NULL},
		{FAKE_SENDMSG, 2, 1, ENOBUFS, ALL & ~READ_TSO, "proof, read", NULL},
		{FAKE_SENDMSG, 3, 1, EINVAL, ALL & ~READ_USO, NULL, "proof, read"},
		{FAKE_SENDMSG, 4, 1, EINVAL, ALL & ~READ_USO, NULL, "proof, read"},
	};

	(void)state;
	if (kernel_has != ALL) {
		print_message("skipped: this kernel has no USO (Linux 6.2)\n");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		check_fault(&faults[i]);
}

/* What a liar among kernels does to packets of the proof: from the `from`th call on. */
static struct {
	size_t calls, from, at;
	uint8_t flip;
	bool hide;
} liar;

static ssize_t lie(uint8_t *bytes, ssize_t n)
{
	if (n <= 0 || liar.calls++ < liar.from)
		return n;
	if (liar.at < (size_t)n)
		bytes[liar.at] ^= liar.flip;
	if (!liar.hide)
		return n;
	errno = EAGAIN;
	return -1;
}

static ssize_t lying_read(int fd, void *buf, size_t len)
{
	return lie(buf, fake_sys.read(fd, buf, len));
}

static ssize_t lying_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return lie(msg->msg_iov->iov_base, fake_sys.recvmsg(fd, msg, flags));
}

static unsigned long offloads_asked;

static int noting_ioctl(int fd, unsigned long request, void *arg)
{
	if (request == TUNSETOFFLOAD)
		offloads_asked = (unsigned long)arg;
	return fake_sys.ioctl(fd, request, arg);
}

/* A super-packet that is not quite what was sent, or does not come: its kind is off. */
static void test_proof_sees_lies(void **state)
{
	static const struct {
		size_t at;
		uint8_t flip;
		bool hide;
	} lies[] = {
		{1000, 0, true},    /* it is gone */
		{0, 1, false},      /* the checksum needs no completion */
		{1, 0xff, false},   /* another kind */
		{4, 1, false},      /* segments of another size */
		{6, 1, false},      /* a checksum from elsewhere */
		{8, 2, false},      /* and to elsewhere */
		{10 + 4, 1, false}, /* another identification, or payload length */
		{10 + 100, 1, false}, {10 + 114, 0x80, false}, /* payload */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lies) * 4; i++) {
		struct nm_sys sys = fake_sys;
		struct nm_inner_tun_config config = config_all();
		unsigned int expected = kernel_has;
		struct nm_inner_tun *tun;
		bool is_read = i / 2 % 2, is_tso = i % 2 == 0;

		memset(&liar, 0, sizeof(liar));
		liar.at = lies[i / 4].at;
		liar.flip = lies[i / 4].flip;
		liar.hide = lies[i / 4].hide;
		/* The first message of all is the kernel's word about link-local addresses. */
		liar.from = (is_read ? 0 : 1) + (is_tso ? 0 : 2);
		config.ipv4.ip.family = config.ipv6.ip.family = NATMUX_FAMILY_NONE;
		config.sys = &sys;
		sys.ioctl = noting_ioctl;
		if (is_read)
			sys.read = lying_read;
		else
			sys.recvmsg = lying_recvmsg;
		expected &= ~(is_read ? READ_USO : WRITE_USO);
		if (is_tso)
			expected &= ~(is_read ? READ_TSO : WRITE_TSO);
		tun = open_with(&config);
		assert_int_equal(flags_of(tun), expected);
		/* What cannot be read is not asked for any more. */
		assert_true(!(offloads_asked & TUN_F_TSO4) == !(expected & READ_TSO));
		assert_true(!(offloads_asked & 0x20 /* USO4 */) == !(expected & READ_USO));
		nm_inner_tun_close(tun);
	}
}

/* The number behind a name in a file of /proc/net; `row`: in a table of such rows. */
static unsigned long net_count(const char *file, const char *row, const char *name)
{
	char path[64], names[1024], values[1024];
	unsigned long count = ULONG_MAX;
	FILE *stream;

	snprintf(path, sizeof(path), "/proc/thread-self/net/%s", file);
	stream = fopen(path, "re");
	assert_non_null(stream);
	while (count == ULONG_MAX && fgets(names, sizeof(names), stream)) {
		char *n, *v, *next_n, *next_v;

		if (!row) { /* a name and its number in each line */
			n = strtok_r(names, " \t\n", &next_n);
			v = strtok_r(NULL, " \t\n", &next_n);
			if (n && v && strcmp(n, name) == 0)
				count = strtoul(v, NULL, 10);
			continue;
		}
		assert_non_null(fgets(values, sizeof(values), stream)); /* a line of each */
		if (strncmp(names, row, strlen(row)) != 0)
			continue;
		n = strtok_r(names, " \n", &next_n);
		v = strtok_r(values, " \n", &next_v);
		for (; n && v;
			n = strtok_r(NULL, " \n", &next_n), v = strtok_r(NULL, " \n", &next_v))
			if (strcmp(n, name) == 0)
				count = strtoul(v, NULL, 10);
	}
	fclose(stream);
	assert_true(count != ULONG_MAX);
	return count;
}

/* The proof's packets are discarded at the first look: bad headers, no more. */
static void test_proof_goes_no_further(void **state)
{
	struct nm_inner_tun_config config = config_all();
	unsigned long expected = kernel_has == ALL ? 2 : 1;

	(void)state;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	nm_inner_tun_close(open_with(&config));
	assert_int_equal(net_count("snmp", "Ip:", "InReceives"), expected);
	assert_int_equal(net_count("snmp", "Ip:", "InHdrErrors"), expected);
	assert_int_equal(net_count("snmp", "Ip:", "InDelivers"), 0);
	assert_int_equal(net_count("snmp", "Ip:", "OutRequests"), 0);
	if (!has_v6)
		return;
	assert_int_equal(net_count("snmp6", NULL, "Ip6InReceives"), expected);
	assert_int_equal(net_count("snmp6", NULL, "Ip6InHdrErrors"), expected);
	assert_int_equal(net_count("snmp6", NULL, "Ip6InDelivers"), 0);
}

/* A kernel without virtio headers: whole packets only. */
static void test_without_vnet(void **state)
{
	struct nm_inner_tun_config config = config_all();
	struct nm_inner_tun *tun;

	(void)state;
	config.queues = 3;
	fake_sys_fail_ioctl(TUNGETFEATURES, EINVAL);
	tun = open_with(&config);
	assert_int_equal(flags_of(tun), 0);
	assert_non_null(strstr(status_of(tun)->tso.why, "IFF_VNET_HDR"));
	assert_non_null(strstr(status_of(tun)->uso.why, "IFF_VNET_HDR"));
	assert_int_equal(nm_inner_tun_queues(tun), 1);
	assert_non_null(strstr(nm_inner_tun_queues_why(tun), "IFF_MULTI_QUEUE"));
	assert_int_equal(tape.lines, 3);
	nm_inner_tun_close(tun);
}

/* Old kernels know neither; what they have is what they always had. */
static void test_header_of_old_kernels(void **state)
{
	struct nm_inner_tun_config config = config_all();
	struct nm_inner_tun *tun;

	(void)state;
	fake_sys_fail_ioctl(TUNSETVNETLE, EINVAL);
	tun = open_with(&config);
	assert_int_equal(flags_of(tun), kernel_has);
	nm_inner_tun_close(tun);
	fake_sys_reset();
	fake_sys_fail(FAKE_IOCTL, 3, 2, EINVAL); /* SETVNETHDRSZ, GETVNETHDRSZ */
	tun = open_with(&config);
	assert_int_equal(flags_of(tun), kernel_has);
	nm_inner_tun_close(tun);
}

static int stubborn_size;

/* Keeps its size of virtio headers. */
static int stubborn_ioctl(int fd, unsigned long request, void *arg)
{
	int size = stubborn_size;

	if (request != TUNSETVNETHDRSZ)
		return fake_sys.ioctl(fd, request, arg);
	if (size >= 10 && size < 1000)
		assert_int_equal(fake_sys.ioctl(fd, request, &size), 0);
	errno = EINVAL;
	return -1;
}

static int lying_size(int fd, unsigned long request, void *arg)
{
	if (request == TUNGETVNETHDRSZ) {
		memcpy(arg, &stubborn_size, sizeof(stubborn_size));
		return 0;
	}
	return stubborn_ioctl(fd, request, arg);
}

static void test_header_of_another_size(void **state)
{
	static const int bad[] = {-1, 0, 9, 65, 1000000};
	struct nm_sys sys = fake_sys;
	struct nm_inner_tun_config config = config_all();
	struct nm_inner_tun *tun;

	(void)state;
	config.sys = &sys;
	sys.ioctl = stubborn_ioctl;
	for (stubborn_size = 10; stubborn_size <= 64; stubborn_size += 18) {
		tun = open_with(&config);
		assert_int_equal(flags_of(tun), kernel_has);
		nm_inner_tun_close(tun);
	}
	sys.ioctl = lying_size;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		stubborn_size = bad[i];
		tun = NULL;
		assert_int_equal(nm_inner_tun_open(&config, &tun), NATMUX_ESYSTEM);
		assert_null(tun);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kernel_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_says_what_is_needed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_proof_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_proof_sees_lies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_proof_goes_no_further, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_vnet, setup, teardown),
		cmocka_unit_test_setup_teardown(test_header_of_old_kernels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_header_of_another_size, setup, teardown),
	};
	int result = enter_and_look();

	return result != 0 ? result : cmocka_run_group_tests(tests, NULL, NULL);
}
