/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets through the TUN device of the user ESP plane, between the kernel's own sockets: two
 * namespaces, each with a device, and this test as the wire between the two.
 */
#include "inner_tun_host.h"

#include <sys/socket.h>

enum { STREAM = 6 * 1024 * 1024, CWR = 0x80 };

/* What the wire does to packets, and what it saw. */
static struct {
	unsigned int pieces;  /* a packet goes out in so many parts; 0: one */
	unsigned int ce_each; /* every so many ECT packets of IPv6 met congestion; 0: none */
	uint64_t packets, ect, cut, cwr, completed;
	uint32_t largest[NATMUX_OFFLOAD_UDP + 1]; /* by kind */
} wire;

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
		nm_put16(out + 10, (uint16_t)~inet_sum(out, 20, 0));
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
		inet_field(inet_sum(transport, len - start, pseudo_sum(out, len - start))));
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

static void open_host(struct host *host, bool use_tso, bool use_uso)
{
	struct nm_inner_tun_config config = config_of(host->ip4, host->ip6);

	config.use_tso = use_tso;
	config.use_uso = use_uso;
	config.mtu = MTU;
	open_with(host, &config);
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
	for (int tries = 0; tries < 4000 && udp_peer_is_empty(&receiver); tries++) {
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
		assert_in_range(idle, 0, 20000);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tcp, setup, tidy),
		cmocka_unit_test_setup_teardown(test_tcp_ecn, setup, tidy),
		cmocka_unit_test_setup_teardown(test_tcp_without_tso, setup, tidy),
		cmocka_unit_test_setup_teardown(test_udp, setup, tidy),
	};
	int result = enter_namespace();

	if (result != 0)
		return result;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = octet_at(i);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
