/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the TUN device of the user ESP plane comes to be: what is proved, what is left out when the
 * kernel refuses it or a proof fails, and every call failing in turn.
 */
#include "inner_tun_test.h"

#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <natmux/error.h>

#define OWN4 "10.99.0.1"
#define OWN6 "fd99::1"

/* What may be on, by direction and kind. */
enum { READ_TSO = 1, WRITE_TSO = 2, READ_USO = 4, WRITE_USO = 8, ALL = 15 };

/* What this kernel can when nothing is made to fail: Linux before 6.2 has no USO. */
static unsigned int kernel_has;

static unsigned int flags_of(struct nm_inner_tun *tun)
{
	const struct nm_inner_tun_status *status = status_of(tun);

	return (status->tso.is_read ? READ_TSO : 0) | (status->tso.is_written ? WRITE_TSO : 0) |
	       (status->uso.is_read ? READ_USO : 0) | (status->uso.is_written ? WRITE_USO : 0);
}

/* A reason is given exactly where something is off. */
static void check_whys(struct nm_inner_tun *tun)
{
	const struct nm_inner_tun_offload *offloads[] = {
		&status_of(tun)->tso, &status_of(tun)->uso};

	for (size_t i = 0; i < ARRAY_SIZE(offloads); i++)
		assert_true((offloads[i]->why[0] == '\0') ==
			    (offloads[i]->is_read && offloads[i]->is_written));
}

static struct nm_inner_tun_config config_all(void)
{
	return config_of(OWN4, OWN6);
}

static struct nm_inner_tun *open_with(const struct nm_inner_tun_config *config)
{
	struct nm_inner_tun *tun = NULL;

	assert_int_equal(nm_inner_tun_open(config, &tun), 0);
	assert_non_null(tun);
	check_whys(tun);
	return tun;
}

/* Nothing waits in any queue. */
static void check_empty(struct nm_inner_tun *tun)
{
	struct natmux_inner packets[4];

	for (uint32_t i = 0; i < nm_inner_tun_queues(tun); i++) {
		struct nm_inner_tun_queue *queue = nm_inner_tun_queue(tun, i);

		assert_int_equal(nm_inner_tun_read(queue, packets, 4), 0);
		assert_false(nm_inner_tun_has_more(queue));
	}
}

static short interface_flags(const char *name)
{
	struct udp_peer peer = udp_peer_open("0.0.0.0");
	struct ifreq ifr = {0};

	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	assert_int_equal(ioctl(peer.fd, SIOCGIFFLAGS, &ifr), 0);
	udp_peer_close(&peer);
	return ifr.ifr_flags;
}

static int interface_mtu(const char *name)
{
	struct udp_peer peer = udp_peer_open("0.0.0.0");
	struct ifreq ifr = {0};

	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	assert_int_equal(ioctl(peer.fd, SIOCGIFMTU, &ifr), 0);
	udp_peer_close(&peer);
	return ifr.ifr_mtu;
}

static void test_all_on(void **state)
{
	struct nm_inner_tun_config config = config_all();
	struct nm_inner_tun *tun = open_with(&config);
	struct udp_peer peer = udp_peer_open(OWN4);
	const struct nm_inner_tun_status *status = status_of(tun);

	(void)state;
	assert_true(kernel_has & READ_TSO && kernel_has & WRITE_TSO);
	assert_int_equal(flags_of(tun), kernel_has);
	assert_int_equal(tape.lines, kernel_has == ALL ? 0 : 1);
	assert_int_equal(strncmp(nm_inner_tun_name(tun), "test", 4), 0);
	assert_null(strchr(nm_inner_tun_name(tun), '%'));
	assert_int_equal(interface_mtu(nm_inner_tun_name(tun)), 1400);
	assert_true(interface_flags(nm_inner_tun_name(tun)) & IFF_UP);
	assert_int_equal(nm_inner_tun_queues(tun), 1);
	assert_string_equal(nm_inner_tun_queues_why(tun), "");
	assert_false(status->is_gone);
	assert_int_equal(status->read.packets + status->read.drops + status->uncut, 0);
	assert_int_equal(status->written.packets + status->written.drops, 0);
	assert_int_equal(status->read.super_packets + status->written.super_packets, 0);
	udp_peer_close(&peer);
	if (has_v6) {
		peer = udp_peer_open(OWN6);
		udp_peer_close(&peer);
	}
	nm_inner_tun_close(tun);
	assert_false(udp_peer_binds(OWN4)); /* the device is gone */
	nm_inner_tun_close(NULL);
}

/* The proof leaves nothing behind: no packet, no answer to one, nothing for a socket. */
static void test_is_quiet(void **state)
{
	struct nm_inner_tun_config config = config_all();
	struct nm_inner_tun *tun;
	struct pollfd waiting = {.events = POLLIN};

	(void)state;
	config.queues = 2;
	tun = open_with(&config);
	check_empty(tun);
	waiting.fd = nm_inner_tun_fd(nm_inner_tun_queue(tun, 0));
	assert_int_equal(poll(&waiting, 1, 1500), 0);
	check_empty(tun);
	nm_inner_tun_close(tun);
}

static void test_by_configuration(void **state)
{
	static const struct {
		bool use_tso, use_uso;
		unsigned int flags;
	} cases[] = {{false, false, 0}, {true, false, READ_TSO | WRITE_TSO},
		{false, true, READ_USO | WRITE_USO}, {true, true, ALL}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_inner_tun_config config = config_all();
		struct nm_inner_tun *tun;

		config.use_tso = cases[i].use_tso;
		config.use_uso = cases[i].use_uso;
		tun = open_with(&config);
		assert_int_equal(flags_of(tun), cases[i].flags & kernel_has);
		if (!cases[i].use_tso)
			assert_string_equal(
				status_of(tun)->tso.why, "switched off by configuration");
		if (!cases[i].use_uso)
			assert_string_equal(
				status_of(tun)->uso.why, "switched off by configuration");
		if (cases[i].flags == 0)
			assert_int_equal(tape.lines, 0);
		nm_inner_tun_close(tun);
	}
}

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

static void test_queues(void **state)
{
	static const uint32_t wanted[] = {0, 1, 2, 3, 8, NM_INNER_TUN_QUEUES_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		struct nm_inner_tun_config config = config_all();
		uint32_t n = wanted[i] > 0 ? wanted[i] : 1;
		struct nm_inner_tun *tun;

		config.queues = wanted[i];
		tun = open_with(&config);
		assert_int_equal(nm_inner_tun_queues(tun), n);
		assert_string_equal(nm_inner_tun_queues_why(tun), "");
		for (uint32_t k = 0; k < n; k++) {
			struct nm_inner_tun_queue *queue = nm_inner_tun_queue(tun, k);

			assert_true(nm_inner_tun_fd(queue) >= 0);
			assert_true(
				k == 0 || nm_inner_tun_fd(queue) !=
						  nm_inner_tun_fd(nm_inner_tun_queue(tun, k - 1)));
			assert_memory_equal(&nm_inner_tun_status(queue)->tso, &status_of(tun)->tso,
				sizeof(status_of(tun)->tso));
			assert_true(nm_inner_tun_status(queue)->uso.is_written ==
				    status_of(tun)->uso.is_written);
		}
		check_empty(tun);
		nm_inner_tun_close(tun);
	}
}

/* The third queue cannot be had: two it is. */
static void test_fewer_queues(void **state)
{
	static const struct {
		enum fake_call call;
		unsigned int skip;
		int error;
		const char *why;
	} cases[] = {
		{FAKE_OPEN, 2, EMFILE, "/dev/net/tun: Too many open files"},
		{FAKE_MAP, 2, ENOMEM, "Cannot allocate memory"},
		{FAKE_IOCTL, 0, E2BIG, "TUNSETIFF"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_inner_tun_config config = config_all();
		unsigned int skip = cases[i].skip;
		struct nm_inner_tun *tun;

		if (cases[i].call == FAKE_IOCTL) {
			/* The ioctl of the third queue is the last of all. */
			config.queues = 2;
			fake_sys_reset();
			nm_inner_tun_close(open_with(&config));
			skip = fake_sys_calls(FAKE_IOCTL);
		}
		config = config_all();
		config.queues = 5;
		fake_sys_reset();
		fake_sys_fail(cases[i].call, skip, 1, cases[i].error);
		tun = open_with(&config);
		assert_int_equal(nm_inner_tun_queues(tun), 2);
		assert_non_null(strstr(nm_inner_tun_queues_why(tun), cases[i].why));
		assert_true(log_tape_has(&tape, "going on with 2 queues"));
		nm_inner_tun_close(tun);
	}
}

/* A persistent device, made as `ip tuntap add` makes it; and the descriptor that still holds it. */
static int make_persistent(const char *name, int flags)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | flags)};

	assert_true(fd >= 0);
	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	assert_int_equal(ioctl(fd, TUNSETPERSIST, 1), 0);
	return fd;
}

static void remove_persistent(const char *name, int flags)
{
	int fd = make_persistent(name, flags);

	assert_int_equal(ioctl(fd, TUNSETPERSIST, 0), 0);
	close(fd);
}

/* Whoever had it left offloads on, big headers, and an address that we want too. */
static void test_persistent(void **state)
{
	static const int kinds[] = {0, IFF_MULTI_QUEUE};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds) * 2; i++) {
		struct nm_inner_tun_config config = config_all();
		int fd = make_persistent("kept0", kinds[i % 2] | IFF_VNET_HDR), size = 24;
		struct nm_inner_tun *tun;

		assert_int_equal(ioctl(fd, TUNSETVNETHDRSZ, &size), 0);
		assert_int_equal(ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4), 0);
		close(fd);
		config.name = "kept0";
		config.queues = i / 2 ? 3 : 1;
		for (int again = 0; again < 2 && (kinds[i % 2] == 0 || config.queues > 1);
			again++) {
			tun = open_with(&config);
			assert_int_equal(flags_of(tun), kernel_has);
			assert_int_equal(nm_inner_tun_queues(tun),
				kinds[i % 2] == IFF_MULTI_QUEUE ? config.queues : 1);
			assert_true((nm_inner_tun_queues_why(tun)[0] == '\0') ==
				    (nm_inner_tun_queues(tun) == config.queues));
			nm_inner_tun_close(tun);
			assert_true(udp_peer_binds(OWN4)); /* it is still there */
		}
		remove_persistent("kept0", kinds[i % 2]);
	}
}

static void bring_up(const char *name)
{
	struct udp_peer peer = udp_peer_open("0.0.0.0");
	struct ifreq ifr = {.ifr_flags = IFF_UP};

	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	assert_int_equal(ioctl(peer.fd, SIOCSIFFLAGS, &ifr), 0);
	udp_peer_close(&peer);
}

static void test_in_use(void **state)
{
	static const int kinds[] = {0, IFF_MULTI_QUEUE};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds) * 2; i++) {
		struct nm_inner_tun_config config = config_all();
		int fd = make_persistent("kept0", kinds[i % 2]);
		struct nm_inner_tun *tun = NULL;

		bring_up("kept0");
		config.name = "kept0";
		config.queues = i / 2 ? 3 : 1;
		/* One queue of a device that is made for many: no TUN of this kind. */
		assert_int_equal(nm_inner_tun_open(&config, &tun),
			kinds[i % 2] && config.queues == 1 ? NATMUX_ESYSTEM : NATMUX_EEXISTS);
		assert_null(tun);
		assert_int_equal(tape.lines, 1);
		close(fd);
		remove_persistent("kept0", kinds[i % 2]);
	}
}

static void test_name_in_use(void **state)
{
	(void)state;
	for (uint32_t queues = 1; queues <= 2; queues++) {
		struct nm_inner_tun_config config = config_all();
		struct nm_inner_tun *tun, *second = NULL;

		config.queues = queues;
		tun = open_with(&config);
		config = config_all();
		config.queues = queues;
		config.name = nm_inner_tun_name(tun);
		assert_int_equal(nm_inner_tun_open(&config, &second), NATMUX_EEXISTS);
		assert_true(log_tape_has(&tape, "Device or resource busy"));
		config = config_all();
		config.name = "lo";
		config.queues = queues;
		assert_int_equal(nm_inner_tun_open(&config, &second), NATMUX_ESYSTEM);
		assert_true(log_tape_has(&tape, "no TUN of this kind"));
		assert_int_equal(tape.lines, 1);
		assert_null(second);
		nm_inner_tun_close(tun);
	}
}

/* The proof of USO takes two messages each way, behind the first three; not without USO. */
static unsigned int unproved(unsigned int messages)
{
	return kernel_has == ALL || messages < 5 ? 0 : 2;
}

static void test_open_fails(void **state)
{
	static const struct {
		unsigned long request; /* 0: `call` fails */
		enum fake_call call;
		unsigned int skip;
		int error, result;
		const char *said;
	} cases[] = {
		{0, FAKE_MAP, 0, ENOMEM, NATMUX_ENOMEM, ""},
		{0, FAKE_OPEN, 0, ENOENT, NATMUX_EUNSUPPORTED, "modprobe tun"},
		{0, FAKE_OPEN, 0, EACCES, NATMUX_EUNSUPPORTED, "open /dev/net/tun"},
		{TUNSETIFF, 0, 0, EPERM, NATMUX_ESYSTEM, "CAP_NET_ADMIN"},
		{TUNSETIFF, 0, 0, EBUSY, NATMUX_EEXISTS, "another program uses the device"},
		{TUNSETIFF, 0, 0, EINVAL, NATMUX_ESYSTEM, "no TUN of this kind"},
		{TUNSETOFFLOAD, 0, 0, EIO, NATMUX_ESYSTEM, "TUNSETOFFLOAD"},
		{0, FAKE_SOCKET, 0, EMFILE, NATMUX_ESYSTEM, "socket"},
		{SIOCGIFINDEX, 0, 0, ENODEV, NATMUX_EUNSUPPORTED, "SIOCGIFINDEX"},
		{SIOCSIFMTU, 0, 0, EIO, NATMUX_ESYSTEM, "SIOCSIFMTU"},
		{SIOCGIFFLAGS, 0, 0, EIO, NATMUX_ESYSTEM, "SIOCGIFFLAGS"},
		{SIOCSIFFLAGS, 0, 0, ENOBUFS, NATMUX_ENOMEM, "SIOCSIFFLAGS"},
		{0, FAKE_SOCKET, 3, EMFILE, NATMUX_ESYSTEM, "RTM_NEWADDR, IPv4"},
		{0, FAKE_SENDMSG, 5, EIO, NATMUX_ESYSTEM, "RTM_NEWADDR, IPv4"},
		{0, FAKE_RECVMSG, 5, EIO, NATMUX_ESYSTEM, "RTM_NEWADDR, IPv4"},
		{0, FAKE_SOCKET, 4, EMFILE, NATMUX_ESYSTEM, "RTM_NEWADDR, IPv6"},
		{0, FAKE_SENDMSG, 6, EACCES, NATMUX_EUNSUPPORTED, "disable_ipv6"},
		{0, FAKE_RECVMSG, 6, ENOBUFS, NATMUX_ENOMEM, "RTM_NEWADDR, IPv6"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		struct nm_inner_tun_config config = config_all();
		struct nm_inner_tun *tun = NULL;
		size_t k = i / 2;

		config.queues = i % 2 ? 4 : 1;
		if (!has_v6 && strstr(cases[k].said, "IPv6"))
			continue;
		fake_sys_reset();
		if (cases[k].request)
			fake_sys_fail_ioctl(cases[k].request, cases[k].error);
		else
			fake_sys_fail(cases[k].call, cases[k].skip - unproved(cases[k].skip), 1,
				cases[k].error);
		assert_int_equal(nm_inner_tun_open(&config, &tun), cases[k].result);
		assert_null(tun);
		assert_true(log_tape_has(&tape, cases[k].said));
		/* A kernel without USO is worth a line of its own. */
		assert_true(tape.lines <= (kernel_has == ALL ? 1 : 2));
		assert_int_equal(fake_sys_maps(), 0);
		assert_int_equal(fake_sys_open_fds(), 0);
	}
}

/* A kernel that cannot be told to be quiet: a few packets more, no reason to give up. */
static void test_quiet_refused(void **state)
{
	struct nm_inner_tun_config config = config_all();

	(void)state;
	config.ipv6.ip.family = NATMUX_FAMILY_NONE;
	fake_sys_fail(FAKE_SENDMSG, 0, 1, EAFNOSUPPORT);
	nm_inner_tun_close(open_with(&config));
}

static void test_bad_config(void **state)
{
	struct nm_inner_tun_config good = config_all(), bad[9];
	struct nm_inner_tun *tun = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = good;
	bad[0].name = NULL;
	bad[1].name = "";
	bad[2].name = "a-name-of-sixteen";
	bad[3].ipv4.bits = 33;
	bad[4].ipv4.ip = test_addr("::1");
	bad[5].ipv6 = (struct nm_tun_address){test_addr("fd99::1"), 129};
	bad[6].ipv6 = (struct nm_tun_address){test_addr("fd99::1"), 64};
	bad[6].mtu = 1279;
	bad[7].mtu = 65536;
	bad[8].queues = NM_INNER_TUN_QUEUES_MAX + 1;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(nm_inner_tun_open(&bad[i], &tun), NATMUX_EINVAL);
	assert_null(tun);
	assert_int_equal(fake_sys_calls(FAKE_OPEN), 0);
}

static unsigned int prefix_bits4(const char *name)
{
	struct udp_peer peer = udp_peer_open("0.0.0.0");
	struct ifreq ifr = {0};
	struct sockaddr_in sin;
	uint32_t mask;

	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	assert_int_equal(ioctl(peer.fd, SIOCGIFNETMASK, &ifr), 0);
	memcpy(&sin, &ifr.ifr_netmask, sizeof(sin));
	mask = ntohl(sin.sin_addr.s_addr);
	udp_peer_close(&peer);
	return mask ? 32 - (unsigned int)__builtin_ctz(mask) : 0;
}

/* /proc/net/if_inet6: address, index, prefix, scope, flags, name */
static unsigned int prefix_bits6(const char *name)
{
	FILE *stream = fopen("/proc/thread-self/net/if_inet6", "re");
	unsigned int bits = 999;
	char line[256];

	assert_non_null(stream);
	while (bits == 999 && fgets(line, sizeof(line), stream))
		if (strstr(line, name))
			assert_int_equal(sscanf(line, "%*s %*s %x", &bits), 1);
	fclose(stream);
	return bits;
}

/* Every prefix length is one; no address at all is fine too; so is the least MTU. */
static void test_prefixes_and_mtus(void **state)
{
	static const uint8_t bits[] = {0, 1, 8, 31, 32};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		struct nm_inner_tun_config config = config_all();
		struct nm_inner_tun *tun;

		config.ipv4.bits = bits[i];
		config.ipv6.bits = (uint8_t)(bits[i] * 4);
		tun = open_with(&config);
		assert_true(udp_peer_binds(OWN4));
		assert_true(!has_v6 || udp_peer_binds(OWN6));
		assert_int_equal(prefix_bits4(nm_inner_tun_name(tun)), bits[i]);
		if (has_v6)
			assert_int_equal(prefix_bits6(nm_inner_tun_name(tun)), config.ipv6.bits);
		nm_inner_tun_close(tun);
		config.ipv4.ip.family = config.ipv6.ip.family = NATMUX_FAMILY_NONE;
		config.mtu = 68;
		tun = open_with(&config);
		assert_int_equal(flags_of(tun), kernel_has);
		assert_int_equal(interface_mtu(nm_inner_tun_name(tun)), 68);
		nm_inner_tun_close(tun);
	}
}

static void test_set_mtu(void **state)
{
	struct nm_inner_tun_config config = config_all();
	struct nm_inner_tun *tun = open_with(&config);

	(void)state;
	assert_int_equal(nm_inner_tun_set_mtu(tun, 1281), 0);
	assert_int_equal(interface_mtu(nm_inner_tun_name(tun)), 1281);
	assert_int_equal(nm_inner_tun_set_mtu(tun, 67), NATMUX_EINVAL);
	assert_int_equal(nm_inner_tun_set_mtu(tun, 0), NATMUX_EINVAL);
	assert_int_equal(nm_inner_tun_set_mtu(tun, 65536), NATMUX_EINVAL);
	fake_sys_fail_ioctl(SIOCSIFMTU, EPERM);
	assert_int_equal(nm_inner_tun_set_mtu(tun, 1300), NATMUX_ESYSTEM);
	assert_true(log_tape_has(&tape, "CAP_NET_ADMIN"));
	fake_sys_reset();
	fake_sys_fail(FAKE_SOCKET, 0, 1, EMFILE);
	assert_int_equal(nm_inner_tun_set_mtu(tun, 1300), NATMUX_ESYSTEM);
	assert_int_equal(interface_mtu(nm_inner_tun_name(tun)), 1281);
	assert_int_equal(nm_inner_tun_set_mtu(tun, 65535), 0);
	nm_inner_tun_close(tun);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_is_quiet, setup, teardown),
		cmocka_unit_test_setup_teardown(test_by_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kernel_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_says_what_is_needed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_proof_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_proof_sees_lies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_proof_goes_no_further, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_vnet, setup, teardown),
		cmocka_unit_test_setup_teardown(test_header_of_old_kernels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_header_of_another_size, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queues, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fewer_queues, setup, teardown),
		cmocka_unit_test_setup_teardown(test_persistent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_name_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_quiet_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_config, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prefixes_and_mtus, setup, teardown),
		cmocka_unit_test_setup_teardown(test_set_mtu, setup, teardown),
	};
	struct nm_inner_tun *tun = NULL;
	struct nm_inner_tun_config config;
	int result = enter_namespace();

	if (result != 0)
		return result;
	config = config_all();
	if (nm_inner_tun_open(&config, &tun) == 0)
		kernel_has = flags_of(tun);
	nm_inner_tun_close(tun);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
