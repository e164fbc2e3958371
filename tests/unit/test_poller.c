/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that show errors, on a real loop: listening goes on, as libuv's own would not. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <natmux/error.h>
#include "daemon/process/poller.h"

enum { PATIENCE_MS = 20000 };

static uv_loop_t loop;
static struct nm_poller poller;
static int fd, peer;
static struct sockaddr_in peer_name;

/* What reading found, and what the owner does about it. */
static unsigned int calls, errors, datagrams;
static enum { GOES_ON, STOPS, CLOSES } what;

static void on_readable(void *user)
{
	char bytes[8];
	ssize_t len;

	assert_ptr_equal(user, &poller);
	calls++;
	while ((len = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) >= 0 || errno == ECONNREFUSED) {
		errors += len < 0;
		datagrams += len >= 0;
	}
	if (what == STOPS)
		nm_poller_stop(&poller);
	if (what == CLOSES)
		nm_poller_close(&poller);
	uv_stop(&loop);
}

static int bind_peer(void)
{
	int made = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(peer_name);

	assert_true(made >= 0);
	assert_int_equal(bind(made, (struct sockaddr *)&peer_name, len), 0);
	assert_int_equal(getsockname(made, (struct sockaddr *)&peer_name, &len), 0);
	return made;
}

static int setup(void **state)
{
	struct sockaddr_in name;
	socklen_t len = sizeof(name);

	(void)state;
	calls = errors = datagrams = 0;
	what = GOES_ON;
	poller = (struct nm_poller){.user = NULL};
	peer_name = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	peer = bind_peer();
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&peer_name, sizeof(peer_name)) < 0 ||
		getsockname(fd, (struct sockaddr *)&name, &len) < 0 ||
		connect(peer, (struct sockaddr *)&name, len) < 0)
		return -1;
	uv_loop_init(&loop);
	return nm_poller_start(&poller, &loop, fd, on_readable, &poller);
}

static int teardown(void **state)
{
	(void)state;
	nm_poller_close(&poller);
	uv_run(&loop, UV_RUN_DEFAULT);
	close(fd);
	close(peer);
	return uv_loop_close(&loop);
}

static void on_patience(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

/* Until the owner was called, or nothing comes. */
static void run(uint64_t patience_ms)
{
	uv_timer_t timer;

	uv_timer_init(&loop, &timer);
	uv_timer_start(&timer, on_patience, patience_ms, 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
}

/* The peer's port is closed, so that what is sent there comes back as an error of the socket. */
static void make_error(void)
{
	close(peer);
	assert_int_equal(send(fd, "x", 1, 0), 1);
}

static void send_datagram(void)
{
	struct sockaddr_in name;
	socklen_t len = sizeof(name);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	assert_int_equal(sendto(peer, "y", 1, 0, (struct sockaddr *)&name, len), 1);
}

static void test_data(void **state)
{
	(void)state;
	send_datagram();
	run(PATIENCE_MS);
	assert_int_equal(datagrams, 1);
	assert_int_equal(errors, 0);
}

/* An error is told once, and what comes after it as if there had been none. */
static void test_after_an_error(void **state)
{
	(void)state;
	make_error();
	run(PATIENCE_MS);
	assert_int_equal(errors, 1);
	assert_int_equal(calls, 1);
	peer = bind_peer();
	send_datagram();
	run(PATIENCE_MS);
	assert_int_equal(datagrams, 1);
	assert_int_equal(calls, 2);
}

/* Whoever has enough hears no more, though it was an error that was told. */
static void test_stops(void **state)
{
	(void)state;
	what = STOPS;
	make_error();
	run(PATIENCE_MS);
	peer = bind_peer();
	send_datagram();
	run(50);
	assert_int_equal(calls, 1);
	assert_int_equal(datagrams, 0);
}

static void test_closes(void **state)
{
	(void)state;
	what = CLOSES;
	make_error();
	run(PATIENCE_MS);
	assert_true(uv_is_closing((uv_handle_t *)&poller.poll));
	peer = bind_peer();
	send_datagram();
	run(50);
	assert_int_equal(calls, 1);
}

/* A file is nothing to wait for; closing what was never started does no harm. */
static void test_refused(void **state)
{
	struct nm_poller other = {.user = NULL};
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(file >= 0);
	assert_int_equal(nm_poller_start(&other, &loop, file, on_readable, NULL), NATMUX_ESYSTEM);
	nm_poller_close(&other);
	close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_data, setup, teardown),
		cmocka_unit_test_setup_teardown(test_after_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(test_closes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
