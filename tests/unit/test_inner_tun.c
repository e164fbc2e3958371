/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets through the TUN device of the user ESP plane, between the kernel's own sockets: two
 * namespaces, each with a device, and this test as the wire between the two.
 */
#include "inner_tun_test.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "base/bytes.h"
#include "tests/fakes/alloc_count.h"
#include "tests/fakes/ip_link.h"

enum {
	MTU = 1400,
	STREAM = 6 * 1024 * 1024,
	CWR = 0x80,
	PORT = 14500,
};

static uint8_t bytes[65536];

/* One end of the wire. */
struct host {
	int ns;
	const char *ip4, *ip6;
	struct nm_inner_tun *tun;
	struct nm_inner_tun_queue *queue;
};

static struct host a = {.ns = -1, .ip4 = "10.99.0.1", .ip6 = "fd99::1"};
static struct host b = {.ns = -1, .ip4 = "10.99.0.2", .ip6 = "fd99::2"};

/* What the wire does to packets, and what it saw. */
static struct {
	unsigned int pieces;  /* a packet goes out in so many parts; 0: one */
	unsigned int ce_each; /* every so many ECT packets of IPv6 met congestion; 0: none */
	uint64_t packets, ect, cut, cwr, completed;
	uint32_t largest[NATMUX_OFFLOAD_UDP + 1]; /* by kind */
} wire;

static void enter(struct host *host)
{
	if (host->ns < 0) {
		assert_int_equal(unshare(CLONE_NEWNET), 0);
		host->ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		assert_true(host->ns >= 0);
	}
	assert_int_equal(setns(host->ns, CLONE_NEWNET), 0);
}

/* The Internet checksum's sum (RFC 1071), carried on from `sum`. */
static uint32_t sum16(const uint8_t *data, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += nm_get16(data + i);
	if (len % 2)
		sum += (uint32_t)data[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static bool is_v6(const uint8_t *ip)
{
	return ip[0] >> 4 == 6;
}

static uint32_t ip_len(const uint8_t *ip)
{
	return is_v6(ip) ? 40 : 20; /* nobody here sends options */
}

static uint8_t protocol_of(const uint8_t *ip)
{
	return ip[is_v6(ip) ? 6 : 9];
}

static uint32_t pseudo_sum(const uint8_t *ip, uint32_t len)
{
	return sum16(ip + (is_v6(ip) ? 8 : 12), is_v6(ip) ? 32 : 8, protocol_of(ip) + len);
}

static uint32_t checksum_offset(const uint8_t *ip)
{
	return protocol_of(ip) == IPPROTO_TCP ? 16 : 6;
}

/* Everything the device says about a packet is so. */
static void check_packet(const struct natmux_inner *packet)
{
	const struct natmux_offload *offload = &packet->offload;
	const uint8_t *ip = packet->data, *transport = ip + ip_len(ip);
	uint32_t start = ip_len(ip), len = packet->len - start, header_len = start + 8;

	assert_true((uintptr_t)ip % 64 == 0);
	assert_true(is_v6(ip) || ip[0] == 0x45);
	assert_int_equal(packet->len, is_v6(ip) ? 40 + nm_get16(ip + 4) : nm_get16(ip + 2));
	if (!is_v6(ip))
		assert_int_equal(sum16(ip, 20, 0), 0xffff);
	if (offload->needs_checksum) {
		assert_int_equal(offload->checksum_start, start);
		assert_int_equal(offload->checksum_offset, checksum_offset(ip));
		assert_int_equal(
			nm_get16(transport + offload->checksum_offset), pseudo_sum(ip, len));
	} else if (protocol_of(ip) == IPPROTO_TCP || protocol_of(ip) == IPPROTO_UDP) {
		assert_int_equal(sum16(transport, len, pseudo_sum(ip, len)), 0xffff);
	}
	if (offload->kind == NATMUX_OFFLOAD_NONE) {
		assert_int_equal(offload->header_len, 0);
		assert_int_equal(offload->segment, 0);
		return;
	}
	if (protocol_of(ip) == IPPROTO_TCP)
		header_len = start + (transport[12] >> 4) * 4;
	assert_true(offload->needs_checksum);
	assert_int_equal(offload->header_len, header_len);
	assert_in_range(offload->segment, 1, MTU - header_len);
	assert_true(packet->len > (uint32_t)offload->header_len + offload->segment);
	assert_int_equal(offload->kind, protocol_of(ip) == IPPROTO_UDP ? NATMUX_OFFLOAD_UDP
					: is_v6(ip)                    ? NATMUX_OFFLOAD_TCP6
								       : NATMUX_OFFLOAD_TCP4);
}

/* The packet in up to `pieces` parts of odd sizes, as a list of places is. */
static void gather(const struct natmux_inner *packet, struct natmux_gathered *gathered)
{
	unsigned int pieces = wire.pieces > 0 ? wire.pieces : 1;
	uint32_t at = 0, step = (packet->len / pieces + 1) | 1;

	gathered->offload = packet->offload;
	gathered->parts_len = 0;
	while (at < packet->len) {
		uint32_t left = packet->len - at, len = left < step ? left : step;

		gathered->parts[gathered->parts_len++] =
			(struct natmux_gather_part){packet->data + at, len};
		at += len;
	}
	assert_in_range(gathered->parts_len, 1, NATMUX_GATHER_PARTS);
}

/* Segment `i` of a super-packet, byte by byte as the RFCs have it; returns its length. */
static uint32_t cut(const struct natmux_inner *packet, uint32_t i, uint8_t *out)
{
	const struct natmux_offload *offload = &packet->offload;
	uint32_t at = offload->header_len + i * offload->segment, start = ip_len(packet->data);
	uint32_t payload =
		packet->len - at < offload->segment ? packet->len - at : offload->segment;
	uint32_t len = offload->header_len + payload;
	uint8_t *transport = out + start;

	memcpy(out, packet->data, offload->header_len);
	memcpy(out + offload->header_len, packet->data + at, payload);
	if (is_v6(out)) {
		nm_put16(out + 4, (uint16_t)(len - 40));
	} else {
		nm_put16(out + 2, (uint16_t)len);
		nm_put16(out + 4, (uint16_t)(nm_get16(out + 4) + i));
		nm_put16(out + 10, 0);
		nm_put16(out + 10, (uint16_t)~sum16(out, 20, 0));
	}
	if (offload->kind == NATMUX_OFFLOAD_UDP) {
		nm_put16(transport + 4, (uint16_t)(len - start));
	} else {
		nm_put32(transport + 4, nm_get32(transport + 4) + i * offload->segment);
		transport[13] &= (uint8_t) ~(i > 0 ? CWR : 0);
		transport[13] &= (uint8_t) ~(at + payload < packet->len ? 0x09 : 0); /* PSH, FIN */
	}
	nm_put16(transport + offload->checksum_offset, 0);
	nm_put16(transport + offload->checksum_offset,
		(uint16_t)~sum16(transport, len - start, pseudo_sum(out, len - start)));
	return len;
}

/* What the device gave back: the wire sends it as single packets. */
static void write_cut(struct nm_inner_tun_queue *to, const struct natmux_inner *packet)
{
	uint32_t payload = packet->len - packet->offload.header_len;
	uint32_t n = (payload + packet->offload.segment - 1) / packet->offload.segment;

	assert_int_not_equal(packet->offload.kind, NATMUX_OFFLOAD_NONE);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t single[MTU];
		struct natmux_gathered gathered = {
			.parts_len = 1, .parts = {{single, cut(packet, i, single)}}};

		assert_int_equal(nm_inner_tun_write(to, &gathered, 1), 1);
	}
	wire.cut++;
}

static void note(struct natmux_inner *packet)
{
	uint8_t *ip = packet->data;
	uint8_t kind = packet->offload.kind;

	wire.packets++;
	wire.completed += kind == NATMUX_OFFLOAD_NONE && packet->offload.needs_checksum;
	if (packet->len > wire.largest[kind])
		wire.largest[kind] = packet->len;
	if (kind == NATMUX_OFFLOAD_TCP6 && ip[40 + 13] & CWR)
		wire.cwr++;
	/* RFC 3168 5: data is ECT, acknowledgements are not; ECT may become CE. */
	if (wire.ce_each > 0 && is_v6(ip) && ip[1] & 0x30 && ++wire.ect % wire.ce_each == 0)
		ip[1] |= 0x30;
}

/* All that waits at one end goes to the other. */
static size_t carry(struct host *from, struct host *to)
{
	struct natmux_inner packets[16];
	size_t n = nm_inner_tun_read(from->queue, packets, ARRAY_SIZE(packets));

	for (size_t i = 0; i < n; i++) {
		struct natmux_gathered gathered;

		check_packet(&packets[i]);
		note(&packets[i]);
		gather(&packets[i], &gathered);
		if (nm_inner_tun_write(to->queue, &gathered, 1) == 0)
			write_cut(to->queue, &packets[i]);
	}
	return n;
}

static void open_with(struct host *host, const struct nm_inner_tun_config *config)
{
	enter(host);
	assert_int_equal(nm_inner_tun_open(config, &host->tun), 0);
	host->queue = nm_inner_tun_queue(host->tun, 0);
	log_tape_clear(&tape); /* what this kernel has not */
}

static void open_host(struct host *host, bool use_tso, bool use_uso)
{
	struct nm_inner_tun_config config = config_of(host->ip4, host->ip6);

	config.use_tso = use_tso;
	config.use_uso = use_uso;
	config.mtu = MTU;
	open_with(host, &config);
}

static void close_host(struct host *host)
{
	nm_inner_tun_close(host->tun);
	host->tun = NULL;
	host->queue = NULL;
}

/* The kernel adds the route of an IPv6 address a moment after the address. */
static void await_ipv6(struct host *from, struct host *to)
{
	struct natmux_addr far = test_addr(to->ip6);
	struct udp_peer sender, receiver;

	enter(to);
	receiver = udp_peer_open(to->ip6);
	far.port = receiver.addr.port;
	enter(from);
	sender = udp_peer_open(from->ip6);
	for (int tries = 0; tries < 200 && udp_peer_is_empty(&receiver); tries++) {
		udp_peer_send(&sender, &far, bytes, 1, 0, 0);
		while (carry(from, to) > 0)
			;
		usleep(5000);
	}
	assert_false(udp_peer_is_empty(&receiver));
	udp_peer_close(&sender);
	udp_peer_close(&receiver);
}

static void open_wire(bool use_tso, bool use_uso)
{
	memset(&wire, 0, sizeof(wire));
	open_host(&a, use_tso, use_uso);
	open_host(&b, true, true);
	if (has_v6) {
		await_ipv6(&a, &b);
		await_ipv6(&b, &a);
	}
	memset(&wire, 0, sizeof(wire));
}

static void close_wire(void)
{
	close_host(&a);
	close_host(&b);
}

static int tcp_socket(const struct natmux_addr *addr, bool is_listener)
{
	struct sockaddr_storage sa;
	socklen_t len = (socklen_t)natmux_addr_to_sockaddr(addr, (struct sockaddr *)&sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int on = 1;

	assert_true(fd >= 0);
	if (is_listener) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
		assert_int_equal(listen(fd, 1), 0);
	} else {
		assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), -1);
		assert_int_equal(errno, EINPROGRESS);
	}
	return fd;
}

static uint8_t octet_at(size_t i)
{
	return (uint8_t)(i * 13 + i / 251 + i / 65521);
}

static size_t stream_send(int fd, size_t sent)
{
	static uint8_t chunk[256 * 1024];
	size_t len = STREAM - sent < sizeof(chunk) ? STREAM - sent : sizeof(chunk);
	ssize_t n;

	for (size_t i = 0; i < len; i++)
		chunk[i] = octet_at(sent + i);
	n = send(fd, chunk, len, MSG_NOSIGNAL);
	assert_true(n >= 0 || errno == EAGAIN);
	return n < 0 ? 0 : (size_t)n;
}

/* Returns how many octets came; each is held against what was sent. */
static size_t stream_receive(int fd, size_t received)
{
	static uint8_t chunk[256 * 1024];
	ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

	assert_true(n > 0 || (n < 0 && errno == EAGAIN));
	for (ssize_t i = 0; i < n; i++)
		if (chunk[i] != octet_at(received + (size_t)i))
			fail_msg("octet %zu is not what was sent", received + (size_t)i);
	return n < 0 ? 0 : (size_t)n;
}

/* A stream from one end's kernel to the other's. */
static void run_stream(struct host *from, struct host *to, bool use_v6)
{
	struct natmux_addr addr = test_addr(use_v6 ? to->ip6 : to->ip4);
	int listener, sender, receiver = -1;
	size_t sent = 0, received = 0;

	addr.port = PORT;
	enter(to);
	listener = tcp_socket(&addr, true);
	enter(from);
	sender = tcp_socket(&addr, false);
	for (size_t idle = 0; received < STREAM; idle++) {
		if (carry(from, to) + carry(to, from) > 0)
			idle = 0;
		if (receiver < 0) {
			receiver = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		} else {
			sent += sent < STREAM ? stream_send(sender, sent) : 0;
			received += stream_receive(receiver, received);
		}
		if (idle > 100)
			usleep(1000);
		assert_in_range(idle, 0, 5000);
	}
	assert_int_equal(sent, STREAM);
	close(sender);
	close(receiver);
	close(listener);
	for (int i = 0; i < 4; i++)
		(void)(carry(from, to) + carry(to, from));
}

/* Nothing was lost on the way that the devices know of. */
static void check_no_drops(const struct host *host)
{
	const struct nm_inner_tun_status *status = nm_inner_tun_status(host->queue);

	assert_int_equal(status->read.drops, 0);
	assert_int_equal(status->written.drops, 0);
	assert_false(status->is_gone);
	assert_int_equal(tape.lines, 0);
}

/* From socket to socket in super-packets of at least 16 KiB, both ways, both IPs, in many parts. */
static void test_tcp(void **state)
{
	static const unsigned int pieces[] = {0, 2, 45, 64};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		uint8_t kind = i % 2 ? NATMUX_OFFLOAD_TCP6 : NATMUX_OFFLOAD_TCP4;
		const struct nm_inner_tun_status *status;

		if (!has_v6 && i % 2)
			continue;
		open_wire(true, true);
		wire.pieces = pieces[i];
		run_stream(i < 2 ? &a : &b, i < 2 ? &b : &a, i % 2);
		assert_in_range(wire.largest[kind], 16 * 1024, 65535 + 40);
		assert_int_equal(wire.cut, 0);
		assert_true(wire.completed > 0); /* SYN, ACK, FIN */
		check_no_drops(&a);
		check_no_drops(&b);
		status = nm_inner_tun_status(i < 2 ? a.queue : b.queue);
		assert_in_range(status->read.super_packets, STREAM / 66000, status->read.packets);
		assert_true(status->read.bytes > STREAM);
		assert_true(nm_inner_tun_status(i < 2 ? b.queue : a.queue)->written.super_packets ==
			    status->read.super_packets);
		close_wire();
	}
}

/* CWR on the first segment of many (RFC 3168 6.1.2): the kernel marks that kind, we take it. */
static void test_tcp_ecn(void **state)
{
	(void)state;
	if (!has_v6) {
		print_message("skipped: needs IPv6\n");
		return;
	}
	open_wire(true, true);
	for (int i = 0; i < 2; i++) {
		int fd;

		enter(i ? &b : &a);
		fd = open("/proc/sys/net/ipv4/tcp_ecn", O_WRONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, "1", 1), 1);
		close(fd);
	}
	wire.ce_each = 20;
	run_stream(&a, &b, true);
	assert_true(wire.cwr > 0);
	assert_int_equal(wire.cut, 0);
	check_no_drops(&a);
	check_no_drops(&b);
	close_wire();
}

/* One end without super-packets: it is given none, and what comes for it has to be cut. */
static void test_tcp_without_tso(void **state)
{
	(void)state;
	for (int i = 0; i < (has_v6 ? 2 : 1); i++) {
		open_wire(false, false);
		run_stream(&a, &b, i);
		assert_int_equal(wire.largest[NATMUX_OFFLOAD_TCP4 + i], 0);
		assert_int_equal(wire.largest[NATMUX_OFFLOAD_NONE], MTU);
		assert_int_equal(nm_inner_tun_status(a.queue)->read.super_packets, 0);
		run_stream(&b, &a, i);
		assert_in_range(wire.largest[NATMUX_OFFLOAD_TCP4 + i], 16 * 1024, 65535 + 40);
		assert_true(wire.cut > 0);
		assert_int_equal(nm_inner_tun_status(a.queue)->uncut, wire.cut);
		assert_int_equal(nm_inner_tun_status(a.queue)->written.super_packets, 0);
		check_no_drops(&a);
		check_no_drops(&b);
		close_wire();
	}
}

/* A train of datagrams from a sender with UDP_SEGMENT to a receiver that knows nothing of GRO. */
static void run_train(struct host *from, struct host *to, bool use_v6, uint32_t len, int segment)
{
	struct natmux_addr far = test_addr(use_v6 ? to->ip6 : to->ip4), source;
	struct udp_peer sender, receiver;
	int tos;

	enter(to);
	receiver = udp_peer_open(use_v6 ? to->ip6 : to->ip4);
	far.port = receiver.addr.port;
	enter(from);
	sender = udp_peer_open(use_v6 ? from->ip6 : from->ip4);
	udp_peer_send(&sender, &far, bytes, len, segment, 0);
	while (carry(from, to) > 0)
		;
	for (uint32_t at = 0; at < len; at += (uint32_t)segment) {
		static uint8_t received[65536];
		uint32_t wanted = len - at < (uint32_t)segment ? len - at : (uint32_t)segment;

		assert_int_equal(
			udp_peer_recv(&receiver, received, sizeof(received), &source, &tos),
			wanted);
		assert_memory_equal(received, bytes + at, wanted);
		assert_int_equal(source.port, sender.addr.port);
	}
	assert_true(udp_peer_is_empty(&receiver));
	udp_peer_close(&sender);
	udp_peer_close(&receiver);
}

static void test_udp(void **state)
{
	static const struct {
		uint32_t len;
		int segment;
	} cases[] = {{1037, 100}, {1000, 100}, {101, 100}, {64000, 1352}, {6400, 100}, {64, 1},
		{4096, 64}, {65487, 1352}, {1300, 1300}};

	(void)state;
	for (int mode = 0; mode < 3; mode++) {
		open_wire(mode != 1, mode != 1);
		if (!nm_inner_tun_status(b.queue)->uso.is_read) {
			print_message("skipped: this kernel has no USO (Linux 6.2)\n");
			close_wire();
			return;
		}
		wire.pieces = mode == 2 ? 64 : 0;
		for (size_t i = 0; i < ARRAY_SIZE(cases) * 4; i++) {
			bool is_super = cases[i / 4].len > (uint32_t)cases[i / 4].segment;
			bool is_from_a = i % 4 < 2;

			if (!has_v6 && i % 2)
				continue;
			wire.cut = wire.largest[NATMUX_OFFLOAD_UDP] = 0;
			run_train(is_from_a ? &a : &b, is_from_a ? &b : &a, i % 2, cases[i / 4].len,
				cases[i / 4].segment);
			/* One super-packet, unless our end wants none. */
			assert_int_equal(wire.largest[NATMUX_OFFLOAD_UDP],
				is_super && (mode != 1 || !is_from_a)
					? cases[i / 4].len + (i % 2 ? 48 : 28)
					: 0);
			assert_int_equal(wire.cut, is_super && mode == 1 && !is_from_a);
		}
		check_no_drops(&a);
		check_no_drops(&b);
		close_wire();
	}
}

/* Datagrams to a far port, one by one. */
static void send_to_far(struct host *from, int n, size_t len)
{
	struct natmux_addr far = test_addr("10.99.0.77");
	struct udp_peer sender;

	enter(from);
	sender = udp_peer_open(from->ip4);
	far.port = PORT;
	for (int i = 0; i < n; i++) {
		memcpy(bytes, &i, sizeof(i));
		udp_peer_send(&sender, &far, bytes, len, 0, 0);
	}
	udp_peer_close(&sender);
}

/* Without IPv6, whose multicast reports could come between. */
static void open_alone(void)
{
	struct nm_inner_tun_config config = config_of(a.ip4, a.ip6);

	config.ipv6.ip.family = NATMUX_FAMILY_NONE;
	memset(&wire, 0, sizeof(wire));
	open_with(&a, &config);
}

/* All rooms are written to, and then each still has what was written there. */
static void fill_rooms(const struct natmux_inner *packets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		memset(packets[i].data - NATMUX_INNER_ROOM, (int)i, NATMUX_INNER_ROOM);
		memset(packets[i].data + packets[i].len, (int)i, NATMUX_INNER_ROOM);
	}
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < NATMUX_INNER_ROOM; k++) {
			assert_int_equal(packets[i].data[-1 - k], i);
			assert_int_equal(packets[i].data[(int)packets[i].len + k], i);
		}
}

/* Many packets in one call: each with its room, which is the reader's. */
static void test_read_many(void **state)
{
	static const size_t lens[] = {0, 1, 36, 1300};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(lens); k++) {
		struct natmux_inner packets[64];
		size_t n, got = 0, calls = 0;
		bool had_more = true;

		open_alone();
		send_to_far(&a, 300, lens[k]);
		while ((n = nm_inner_tun_read(a.queue, packets, 64)) > 0) {
			fill_rooms(packets, n);
			for (size_t i = 0; i < n; i++, got++) {
				int number = (int)got;

				check_packet(&packets[i]);
				assert_int_equal(packets[i].len, lens[k] + 28);
				memcpy(bytes, &number, sizeof(number));
				assert_memory_equal(packets[i].data + 28, bytes, lens[k]);
			}
			assert_true(had_more);
			had_more = nm_inner_tun_has_more(a.queue);
			calls++;
		}
		assert_false(nm_inner_tun_has_more(a.queue));
		assert_int_equal(got, 300);
		assert_in_range(calls, 300 / 64, 8);
		assert_int_equal(nm_inner_tun_status(a.queue)->read.packets, 300);
		assert_int_equal(nm_inner_tun_status(a.queue)->read.bytes, 300 * (lens[k] + 28));
		assert_int_equal(nm_inner_tun_status(a.queue)->read.super_packets, 0);
		assert_int_equal(nm_inner_tun_read(a.queue, packets, 0), 0);
		assert_true(nm_inner_tun_has_more(a.queue)); /* who knows */
		close_host(&a);
	}
}

/* A call ends while what it read is in the cache, and begins at the same place. */
static void test_read_reuses_memory(void **state)
{
	struct natmux_inner packets[16];
	size_t got = 0, n;
	struct udp_peer sender;
	struct natmux_addr far = test_addr("10.99.0.77");

	(void)state;
	open_alone();
	far.port = PORT;
	sender = udp_peer_open(a.ip4);
	for (int i = 0; i < 16; i++)
		udp_peer_send(&sender, &far, bytes, 64000, 1352, 0);
	if (!nm_inner_tun_status(a.queue)->uso.is_read) {
		print_message("skipped: this kernel has no USO (Linux 6.2)\n");
	} else {
		uint8_t *first = NULL;

		while ((n = nm_inner_tun_read(a.queue, packets, 16)) > 0) {
			assert_in_range(n, 1, 3);
			first = first ? first : packets[0].data;
			assert_ptr_equal(packets[0].data, first);
			for (size_t i = 0; i < n; i++, got++) {
				assert_in_range(packets[i].data - first, 0, 140 * 1024);
				assert_int_equal(packets[i].len, 64028);
				assert_memory_equal(packets[i].data + 28, bytes, 64000);
			}
		}
		assert_int_equal(got, 16);
		assert_int_equal(nm_inner_tun_status(a.queue)->read.super_packets, 16);
	}
	udp_peer_close(&sender);
	close_host(&a);
}

/* The longest there are: 65535 octets, and IPv6's header above that. */
static void test_read_largest(void **state)
{
	static const size_t lens[] = {65507, 65487};
	struct natmux_inner packet;

	(void)state;
	for (size_t i = 0; i < (has_v6 ? 2u : 1u); i++) {
		struct natmux_addr far = test_addr(i ? "fd99::77" : "10.99.0.77");
		struct udp_peer sender;
		size_t n = 0;

		open_host(&a, true, true);
		assert_int_equal(nm_inner_tun_set_mtu(a.tun, 65535), 0);
		sender = udp_peer_open(i ? a.ip6 : a.ip4);
		far.port = PORT;
		for (int tries = 0; tries < 200 && n == 0; tries++) {
			usleep(5000); /* for the route of the IPv6 address */
			udp_peer_send(&sender, &far, bytes, lens[i], 0, 0);
			n = nm_inner_tun_read(a.queue, &packet, 1);
		}
		assert_int_equal(n, 1);
		assert_int_equal(packet.len, 65535);
		assert_memory_equal(packet.data + (i ? 48 : 28), bytes, lens[i]);
		udp_peer_close(&sender);
		close_host(&a);
	}
}

/* What a kernel never says; from the `at`th octet of the header on. */
static struct {
	size_t at, returned;
	uint8_t value;
} odd;

static ssize_t odd_read(int fd, void *buf, size_t len)
{
	ssize_t n = fake_sys.read(fd, buf, len);

	if (n <= 0)
		return n;
	((uint8_t *)buf)[odd.at] = odd.value;
	return odd.returned == SIZE_MAX ? (ssize_t)len
	       : odd.returned > 0       ? (ssize_t)odd.returned
					: n;
}

static void test_read_odd(void **state)
{
	static const struct {
		size_t at, returned;
		uint8_t value;
	} cases[] = {{1, 0, 3}, {1, 0, 2}, {1, 0, 0x7f}, {1, 0, 4}, {7, 0, 0xff}, {1, SIZE_MAX, 0},
		{0, 10, 0}, {0, 1, 0}};
	struct nm_sys sys = fake_sys;
	struct natmux_inner packets[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_inner_tun_config config = config_of(a.ip4, a.ip6);
		bool is_super;

		config.sys = &sys;
		config.ipv6.ip.family = NATMUX_FAMILY_NONE;
		sys.read = fake_sys.read;
		open_with(&a, &config);
		send_to_far(&a, 5, 100);
		odd.at = cases[i].at;
		odd.returned = cases[i].returned;
		odd.value = cases[i].value;
		sys.read = odd_read;
		assert_int_equal(nm_inner_tun_read(a.queue, packets, 3), 0);
		assert_int_equal(nm_inner_tun_status(a.queue)->read.drops, 3);
		assert_true(nm_inner_tun_has_more(a.queue));
		sys.read = fake_sys.read;
		assert_int_equal(nm_inner_tun_read(a.queue, packets, 3), 2);
		assert_int_equal(nm_inner_tun_status(a.queue)->read.packets, 2);
		/* A broken super-packet is the last one: told once, and the kernel makes no more. */
		is_super = cases[i].at == 1 && cases[i].value != 0;
		assert_int_equal(tape.lines, is_super);
		assert_true(nm_inner_tun_status(a.queue)->tso.is_read == !is_super);
		assert_true(nm_inner_tun_status(a.queue)->uso.is_read == !is_super);
		assert_true(nm_inner_tun_status(a.queue)->tso.is_written);
		close_host(&a);
	}
}

static void test_read_fails(void **state)
{
	static const struct {
		int error;
		uint64_t drops;
		size_t lines;
		bool is_gone;
	} cases[] = {{EAGAIN, 0, 0, false}, {EINTR, 0, 0, false}, {EIO, 1, 1, false},
		{EBADFD, 1, 2, true}, {ENODEV, 1, 2, true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_inner packet;

		open_alone();
		fake_sys_fail(FAKE_READ, 0, 3, cases[i].error);
		for (int k = 0; k < 3; k++)
			assert_int_equal(nm_inner_tun_read(a.queue, &packet, 1), 0);
		assert_false(nm_inner_tun_has_more(a.queue));
		assert_int_equal(nm_inner_tun_status(a.queue)->read.drops, cases[i].drops * 3);
		assert_int_equal(tape.lines, cases[i].lines);
		assert_true(nm_inner_tun_status(a.queue)->is_gone == cases[i].is_gone);
		close_host(&a);
	}
}

/* A packet or super-packet of UDP from the far side to a socket of host a. */
struct written {
	uint8_t data[28 + 3000];
	struct natmux_gathered gathered;
};

static void make_written(struct written *written, const struct udp_peer *to, uint16_t segment)
{
	static const uint8_t ip[20] = {
		0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, IPPROTO_UDP, 0, 0, 10, 99, 0, 77, 10, 99, 0, 1};
	uint32_t len = segment > 0 ? 3000 : 500;
	uint8_t *udp = written->data + 20;

	memcpy(written->data, ip, sizeof(ip));
	nm_put16(written->data + 2, (uint16_t)(28 + len));
	nm_put16(written->data + 10, (uint16_t)~sum16(written->data, 20, 0));
	nm_put16(udp, PORT);
	nm_put16(udp + 2, to->addr.port);
	nm_put16(udp + 4, (uint16_t)(8 + len));
	memcpy(udp + 8, bytes, len);
	nm_put16(udp + 6, (uint16_t)pseudo_sum(written->data, 8 + len));
	written->gathered = (struct natmux_gathered){
		.offload = {.kind = segment > 0 ? NATMUX_OFFLOAD_UDP : NATMUX_OFFLOAD_NONE,
			.needs_checksum = 1,
			.header_len = segment > 0 ? 28 : 0,
			.segment = segment,
			.checksum_start = 20,
			.checksum_offset = 6},
		.parts_len = 2,
		.parts = {{written->data, 28}, {written->data + 28, len}},
	};
}

static void expect(struct udp_peer *peer, uint32_t len, uint32_t segment)
{
	for (uint32_t at = 0; at < len; at += segment) {
		struct natmux_addr from;
		uint8_t received[4000];
		int tos;

		assert_int_equal(
			udp_peer_recv(peer, received, sizeof(received), &from, &tos), segment);
		assert_memory_equal(received, bytes + at, segment);
	}
}

/* The kernel changes its mind: one line, a reason, and from then on the caller cuts. */
static void test_kind_refused(void **state)
{
	static const int errors[] = {EINVAL, EIO};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		const struct nm_inner_tun_status *status;
		struct natmux_gathered packets[3];
		struct udp_peer peer;
		struct written super, single;

		open_alone();
		status = nm_inner_tun_status(a.queue);
		if (!status->uso.is_written) {
			print_message("skipped: this kernel has no USO (Linux 6.2)\n");
			close_host(&a);
			return;
		}
		peer = udp_peer_open(a.ip4);
		make_written(&super, &peer, 500);
		make_written(&single, &peer, 0);
		packets[0] = packets[2] = single.gathered;
		packets[1] = super.gathered;
		assert_int_equal(nm_inner_tun_write(a.queue, packets, 3), 3);
		expect(&peer, 500, 500);
		expect(&peer, 3000, 500);
		expect(&peer, 500, 500);
		/* The super-packet, and the harmless one that is offered to see why. */
		fake_sys_fail(FAKE_WRITEV, 1, 2, errors[i]);
		assert_int_equal(nm_inner_tun_write(a.queue, packets, 3), 1);
		assert_false(status->uso.is_written);
		assert_true(status->uso.is_read);
		assert_true(status->tso.is_written && status->tso.is_read);
		assert_non_null(strstr(status->uso.why, strerror(errors[i])));
		assert_int_equal(tape.lines, 1);
		assert_true(log_tape_has(&tape, "no more super-packets of UDP"));
		for (int k = 0; k < 10; k++)
			assert_int_equal(nm_inner_tun_write(a.queue, packets + 1, 2), 0);
		assert_int_equal(nm_inner_tun_write(a.queue, packets + 2, 1), 1);
		assert_int_equal(status->uncut, 11);
		assert_int_equal(status->written.drops, 0);
		assert_int_equal(status->written.packets, 5);
		assert_int_equal(status->written.super_packets, 1);
		assert_int_equal(status->written.bytes, 4 * 528 + 3028);
		assert_int_equal(tape.lines, 1);
		expect(&peer, 500, 500);
		expect(&peer, 500, 500);
		assert_true(udp_peer_is_empty(&peer));
		udp_peer_close(&peer);
		close_host(&a);
	}
}

/* A kernel that takes no super-packets of one type, and says so with `error`. */
static struct {
	uint8_t type;
	int error;
	unsigned int offered;
} picky;

static ssize_t picky_writev(int fd, const struct iovec *iov, int n)
{
	const uint8_t *vnet = iov[0].iov_base, *ip = iov[1].iov_base;

	if (vnet[1] != picky.type)
		return fake_sys.writev(fd, iov, n);
	/* Kinds of TCP are of one IP version. */
	assert_true(vnet[1] != 1 || ip[0] == 0x45);
	assert_true(vnet[1] != 4 || ip[0] == 0x60);
	picky.offered++;
	errno = picky.error;
	return -1;
}

/* Each kind alone: what is offered to see why is of the same kind, and TCP is one for both IPs. */
static void test_each_kind_refused(void **state)
{
	static const struct {
		uint8_t kind, type;
	} cases[] = {{NATMUX_OFFLOAD_TCP4, 1}, {NATMUX_OFFLOAD_TCP6, 4}, {NATMUX_OFFLOAD_UDP, 5}};
	struct nm_sys sys = fake_sys;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		struct nm_inner_tun_config config = config_of(a.ip4, a.ip6);
		const struct nm_inner_tun_status *status;
		bool is_udp = cases[i / 2].kind == NATMUX_OFFLOAD_UDP, had_uso;
		uint8_t ip[60] = {cases[i / 2].kind == NATMUX_OFFLOAD_TCP6 ? 0x60 : 0x45};
		struct natmux_gathered packet = {
			.offload = {.kind = cases[i / 2].kind, .header_len = 40, .segment = 9},
			.parts_len = 1,
			.parts = {{ip, sizeof(ip)}}};

		config.sys = &sys;
		sys.writev = fake_sys.writev;
		open_with(&a, &config);
		status = nm_inner_tun_status(a.queue);
		had_uso = status->uso.is_written;
		if (is_udp && !had_uso) {
			close_host(&a);
			break;
		}
		picky.type = cases[i / 2].type;
		picky.error = i % 2 ? EIO : EINVAL;
		picky.offered = 0;
		sys.writev = picky_writev;
		for (int k = 0; k < 5; k++)
			assert_int_equal(nm_inner_tun_write(a.queue, &packet, 1), 0);
		assert_int_equal(picky.offered, 2);
		assert_true(status->tso.is_written == is_udp);
		assert_true(status->uso.is_written == (had_uso && !is_udp));
		assert_true(status->tso.is_read && status->uso.is_read == had_uso);
		assert_int_equal(status->uncut, 5);
		assert_int_equal(status->written.drops, 0);
		assert_int_equal(tape.lines, 1);
		assert_true(log_tape_has(&tape, is_udp ? "of UDP" : "of TCP"));
		close_host(&a);
	}
}

/* One packet that the kernel does not like says nothing about the others. */
static void test_packet_refused(void **state)
{
	struct udp_peer peer;
	struct written super;

	(void)state;
	open_alone();
	peer = udp_peer_open(a.ip4);
	make_written(&super, &peer, 500);
	if (nm_inner_tun_status(a.queue)->uso.is_written) {
		for (uint64_t i = 1; i <= 50; i++) {
			fake_sys_fail(FAKE_WRITEV, 0, 1, EINVAL);
			assert_int_equal(nm_inner_tun_write(a.queue, &super.gathered, 1), 0);
			assert_int_equal(nm_inner_tun_status(a.queue)->uncut, i);
			assert_int_equal(nm_inner_tun_write(a.queue, &super.gathered, 1), 1);
			expect(&peer, 3000, 500);
		}
		assert_true(nm_inner_tun_status(a.queue)->uso.is_written);
		/* The kernel's own opinion: no datagrams of 65535 octets in a train */
		super.gathered.offload.segment = 0xffff;
		assert_int_equal(nm_inner_tun_write(a.queue, &super.gathered, 1), 0);
		assert_true(nm_inner_tun_status(a.queue)->uso.is_written);
		assert_int_equal(nm_inner_tun_status(a.queue)->written.drops, 0);
		assert_int_equal(tape.lines, 0);
	}
	assert_true(udp_peer_is_empty(&peer));
	udp_peer_close(&peer);
	close_host(&a);
}

/* Other errors are about the moment: the packet is lost, super or not. */
static void test_write_fails(void **state)
{
	struct natmux_gathered packets[3];
	struct udp_peer peer;
	struct written super, single;
	size_t n = 2;

	(void)state;
	open_alone();
	peer = udp_peer_open(a.ip4);
	make_written(&super, &peer, 500);
	make_written(&single, &peer, 0);
	packets[0] = packets[1] = single.gathered;
	if (nm_inner_tun_status(a.queue)->uso.is_written)
		packets[n++] = super.gathered;
	for (unsigned int i = 0; i < 300; i++) {
		unsigned int lost = i % (unsigned int)n;

		fake_sys_fail(FAKE_WRITEV, lost, 1, i % 2 ? ENOMEM : EAGAIN);
		assert_int_equal(nm_inner_tun_write(a.queue, packets, n), n);
		for (unsigned int k = 0; k < n; k++)
			if (k != lost)
				expect(&peer, k == 2 ? 3000 : 500, 500);
	}
	assert_int_equal(nm_inner_tun_status(a.queue)->written.drops, 300);
	assert_int_equal(nm_inner_tun_status(a.queue)->uncut, 0);
	assert_int_equal(tape.lines, 2); /* one per errno */
	assert_true(udp_peer_is_empty(&peer));
	udp_peer_close(&peer);
	close_host(&a);
}

static void set_link(const char *name, short flags)
{
	struct ifreq ifr = {.ifr_flags = flags};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &ifr), 0);
	close(fd);
}

/* `ip link set down` and up again: packets are lost, offloads are not. */
static void test_link_down(void **state)
{
	const struct nm_inner_tun_status *status;
	struct natmux_gathered packets[3];
	struct udp_peer peer;
	struct written super, single;

	(void)state;
	open_alone();
	status = nm_inner_tun_status(a.queue);
	peer = udp_peer_open(a.ip4);
	make_written(&super, &peer, 500);
	make_written(&single, &peer, 0);
	packets[0] = packets[2] = single.gathered;
	packets[1] = status->uso.is_written ? super.gathered : single.gathered;
	set_link(nm_inner_tun_name(a.tun), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(nm_inner_tun_write(a.queue, packets, 3), 3);
	assert_int_equal(status->written.drops, 60);
	assert_int_equal(status->uncut, 0);
	assert_int_equal(tape.lines, 1);
	set_link(nm_inner_tun_name(a.tun), IFF_UP | IFF_RUNNING);
	assert_int_equal(nm_inner_tun_write(a.queue, packets, 3), 3);
	expect(&peer, 500, 500);
	expect(&peer, status->uso.is_written ? 3000 : 500, 500);
	expect(&peer, 500, 500);
	assert_int_equal(status->written.drops, 60);
	udp_peer_close(&peer);
	close_host(&a);
}

/* Without virtio headers nobody completes checksums. */
static void test_write_without_vnet(void **state)
{
	struct nm_inner_tun_config config = config_of(a.ip4, a.ip6);
	struct written super, single;
	struct udp_peer peer;
	uint8_t *udp;

	(void)state;
	fake_sys_fail(FAKE_IOCTL, 0, 1, EINVAL); /* TUNGETFEATURES */
	open_with(&a, &config);
	peer = udp_peer_open(a.ip4);
	make_written(&super, &peer, 500);
	make_written(&single, &peer, 0);
	assert_int_equal(nm_inner_tun_write(a.queue, &super.gathered, 1), 0);
	assert_int_equal(nm_inner_tun_write(a.queue, &single.gathered, 1), 0);
	assert_int_equal(nm_inner_tun_status(a.queue)->uncut, 2);
	udp = single.data + 20;
	nm_put16(udp + 6, (uint16_t)~sum16(udp, 508, 0)); /* the field has the pseudo header's */
	single.gathered.offload = (struct natmux_offload){0};
	assert_int_equal(nm_inner_tun_write(a.queue, &single.gathered, 1), 1);
	expect(&peer, 500, 500);
	assert_true(udp_peer_is_empty(&peer));
	send_to_far(&a, 1, 100);
	assert_int_equal(carry(&a, &a), 1); /* whole, checksum and all */
	udp_peer_close(&peer);
	close_host(&a);
}

/* A flow stays in its queue and in order; every queue writes. */
static void test_many_queues(void **state)
{
	enum { QUEUES = 4, FLOWS = 32, DATAGRAMS = 8 };
	struct nm_inner_tun_config config = config_of(a.ip4, a.ip6);
	uint32_t flow_queue[FLOWS], next[FLOWS] = {0}, used[QUEUES] = {0}, got = 0;
	struct natmux_addr far = test_addr("10.99.0.77");
	struct udp_peer peers[FLOWS];
	struct natmux_inner packets[8];
	unsigned int queues_used = 0;

	(void)state;
	config.queues = QUEUES;
	config.ipv6.ip.family = NATMUX_FAMILY_NONE;
	open_with(&a, &config);
	assert_int_equal(nm_inner_tun_queues(a.tun), QUEUES);
	far.port = PORT;
	for (uint32_t f = 0; f < FLOWS; f++)
		peers[f] = udp_peer_open(a.ip4);
	for (uint32_t i = 0; i < FLOWS * DATAGRAMS; i++) {
		uint8_t datagram[2] = {(uint8_t)(i % FLOWS), (uint8_t)(i / FLOWS)};

		udp_peer_send(&peers[i % FLOWS], &far, datagram, 2, 0, 0);
	}
	for (uint32_t q = 0; q < QUEUES; q++) {
		struct nm_inner_tun_queue *queue = nm_inner_tun_queue(a.tun, q);
		size_t n;

		while ((n = nm_inner_tun_read(queue, packets, 8)) > 0) {
			for (size_t i = 0; i < n; i++, got++) {
				uint32_t flow = packets[i].data[28];

				check_packet(&packets[i]);
				assert_in_range(flow, 0, FLOWS - 1);
				flow_queue[flow] = next[flow] == 0 ? q : flow_queue[flow];
				assert_int_equal(flow_queue[flow], q);
				assert_int_equal(packets[i].data[29], next[flow]++);
				used[q]++;
			}
		}
		assert_int_equal(nm_inner_tun_status(queue)->read.packets, used[q]);
		queues_used += used[q] > 0;
	}
	assert_int_equal(got, FLOWS * DATAGRAMS);
	assert_true(queues_used > 1);
	for (uint32_t q = 0; q < QUEUES; q++) {
		struct nm_inner_tun_queue *queue = nm_inner_tun_queue(a.tun, q);
		struct written written;

		make_written(
			&written, &peers[q], nm_inner_tun_status(queue)->uso.is_written ? 500 : 0);
		assert_int_equal(nm_inner_tun_write(queue, &written.gathered, 1), 1);
		assert_int_equal(nm_inner_tun_status(queue)->written.packets, 1);
		expect(&peers[q], nm_inner_tun_status(queue)->uso.is_written ? 3000 : 500, 500);
	}
	for (uint32_t f = 0; f < FLOWS; f++)
		udp_peer_close(&peers[f]);
	close_host(&a);
}

/* What one queue learned does not touch the others: they may be other threads'. */
static void test_queues_are_apart(void **state)
{
	struct nm_inner_tun_config config = config_of(a.ip4, a.ip6);
	struct written super;
	struct udp_peer peer;

	(void)state;
	config.queues = 2;
	open_with(&a, &config);
	peer = udp_peer_open(a.ip4);
	make_written(&super, &peer, 500);
	if (nm_inner_tun_status(nm_inner_tun_queue(a.tun, 0))->uso.is_written) {
		fake_sys_fail(FAKE_WRITEV, 0, 2, EINVAL);
		assert_int_equal(
			nm_inner_tun_write(nm_inner_tun_queue(a.tun, 0), &super.gathered, 1), 0);
		assert_int_equal(
			nm_inner_tun_write(nm_inner_tun_queue(a.tun, 1), &super.gathered, 1), 1);
		expect(&peer, 3000, 500);
	}
	udp_peer_close(&peer);
	close_host(&a);
}

/* `ip link delete` while we are running. */
static void test_device_deleted(void **state)
{
	struct natmux_inner packets[8];

	(void)state;
	open_alone();
	if (!ip_link_delete(nm_inner_tun_name(a.tun))) {
		print_message("skipped: needs ip(8)\n");
		close_host(&a);
		return;
	}
	for (int i = 0; i < 3; i++)
		nm_inner_tun_read(a.queue, packets, 8);
	assert_true(nm_inner_tun_status(a.queue)->is_gone);
	assert_true(log_tape_has(&tape, "the device was deleted"));
	assert_int_equal(tape.lines, 2);
	close_host(&a);
}

static void test_allocates_nothing(void **state)
{
	struct written super, single;
	struct natmux_inner packets[8];
	struct udp_peer peer;
	unsigned long before;

	(void)state;
	open_alone();
	peer = udp_peer_open(a.ip4);
	make_written(&super, &peer, 500);
	make_written(&single, &peer, 0);
	before = alloc_count();
	assert_true(before > 0);
	for (int i = 0; i < 50; i++) {
		send_to_far(&a, 3, 100);
		fake_sys_fail(FAKE_WRITEV, 0, i % 10 == 0 ? 1 : 0, EINVAL);
		nm_inner_tun_write(a.queue, &super.gathered, 1);
		assert_int_equal(nm_inner_tun_write(a.queue, &single.gathered, 1), 1);
		assert_in_range(nm_inner_tun_read(a.queue, packets, 8), 3, 8);
	}
	fake_sys_fail(FAKE_WRITEV, 0, 2, EINVAL);
	nm_inner_tun_write(a.queue, &super.gathered, 1);
	assert_int_equal(alloc_count(), before);
	udp_peer_close(&peer);
	close_host(&a);
}

/* A test that fails must not take the next one along. */
static int tidy(void **state)
{
	close_host(&a);
	close_host(&b);
	return teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tcp, setup, tidy),
		cmocka_unit_test_setup_teardown(test_tcp_ecn, setup, tidy),
		cmocka_unit_test_setup_teardown(test_tcp_without_tso, setup, tidy),
		cmocka_unit_test_setup_teardown(test_udp, setup, tidy),
		cmocka_unit_test_setup_teardown(test_read_many, setup, tidy),
		cmocka_unit_test_setup_teardown(test_read_reuses_memory, setup, tidy),
		cmocka_unit_test_setup_teardown(test_read_largest, setup, tidy),
		cmocka_unit_test_setup_teardown(test_read_odd, setup, tidy),
		cmocka_unit_test_setup_teardown(test_read_fails, setup, tidy),
		cmocka_unit_test_setup_teardown(test_kind_refused, setup, tidy),
		cmocka_unit_test_setup_teardown(test_each_kind_refused, setup, tidy),
		cmocka_unit_test_setup_teardown(test_packet_refused, setup, tidy),
		cmocka_unit_test_setup_teardown(test_write_fails, setup, tidy),
		cmocka_unit_test_setup_teardown(test_link_down, setup, tidy),
		cmocka_unit_test_setup_teardown(test_write_without_vnet, setup, tidy),
		cmocka_unit_test_setup_teardown(test_many_queues, setup, tidy),
		cmocka_unit_test_setup_teardown(test_queues_are_apart, setup, tidy),
		cmocka_unit_test_setup_teardown(test_device_deleted, setup, tidy),
		cmocka_unit_test_setup_teardown(test_allocates_nothing, setup, tidy),
	};
	int result = enter_namespace();

	if (result != 0)
		return result;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = octet_at(i);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
