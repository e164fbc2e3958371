/* SPDX-License-Identifier: Apache-2.0 */
/* The control server on a real socket: who is let in, what is bounded, how streams behave. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <natmux/error.h>
#include "daemon/control/control.h"
#include "daemon/control/control_client.h"
#include "tests/fakes/fake_server.h"

static uv_loop_t loop;
static struct fake_server fake;
static struct nm_control *control;
static char folder[64], path[108], message[512];
static int closed_calls;

/* Clients whose time is over are looked for where a test says so, however slow the machine is. */
static void turn(void)
{
	for (int i = 0; i < 10; i++) {
		uv_run(&loop, UV_RUN_NOWAIT);
		uv_timer_stop(&control->sweep);
	}
}

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/natmux-control-XXXXXX");
	if (!mkdtemp(folder) || uv_loop_init(&loop) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/control.sock", folder);
	fake_server_init(&fake, &loop);
	closed_calls = 0;
	return nm_control_new(fake_server_of(&fake), path, &control, message, sizeof(message));
}

static void on_closed(void *user)
{
	assert_ptr_equal(user, &closed_calls);
	closed_calls++;
}

static int teardown(void **state)
{
	struct stat st;

	(void)state;
	nm_control_free(control, on_closed, &closed_calls);
	assert_int_equal(closed_calls, 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(closed_calls, 1);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_null(fake.tap);
	assert_true(stat(path, &st) < 0 && errno == ENOENT);
	return rmdir(folder);
}

static int dial(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Writes all, turning the loop while the socket is full; false when the server hung up. */
static bool say_bytes(int fd, const char *text, size_t len)
{
	for (int i = 0; len > 0 && i < 10000; i++) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
		turn();
	}
	return len == 0;
}

static void say(int fd, const char *text)
{
	assert_true(say_bytes(fd, text, strlen(text)));
}

/* One line without its newline; NULL at the end of the connection. Turns the loop. */
static char *hear(int fd)
{
	static char text[1 << 22];
	size_t len = 0;

	for (int i = 0; i < 10000 && len < sizeof(text); i++) {
		ssize_t n = recv(fd, text + len, sizeof(text) - len, MSG_PEEK);
		char *newline = n > 0 ? memchr(text + len, '\n', (size_t)n) : NULL;

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return NULL;
		if (newline)
			n = newline + 1 - (text + len);
		if (n > 0) {
			/* What was looked at is taken, but nothing of the next line. */
			assert_int_equal(recv(fd, text + len, (size_t)n, 0), n);
			len += (size_t)n;
			i = 0;
		}
		if (newline) {
			*newline = '\0';
			return text;
		}
		turn();
	}
	fail_msg("no line came");
	return NULL;
}

static bool is_silent(int fd)
{
	char c;

	turn();
	return read(fd, &c, 1) < 0 && errno == EAGAIN;
}

static void expect_part(int fd, const char *part)
{
	const char *line = hear(fd);

	if (!line || !strstr(line, part))
		fail_msg("%s does not hold %s", line ? line : "(end)", part);
}

static void expect_end(int fd)
{
	assert_null(hear(fd));
	close(fd);
}

static void test_mode_is_private(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_umask_is_kept(void **state)
{
	mode_t before = umask(0);
	struct nm_control_socket another;
	char other[120];
	struct stat st;

	(void)state;
	snprintf(other, sizeof(other), "%s/o", folder);
	assert_int_equal(nm_control_socket_open(other, &another, message, sizeof(message)), 0);
	assert_int_equal(umask(before), 0);
	assert_int_equal(stat(other, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	nm_control_socket_unlink(&another, other);
	close(another.fd);
}

/* Should somebody open the file's mode: the kernel says who asks, and that is what counts. */
static void test_strangers_are_denied(void **state)
{
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip(); /* only root can be somebody else for a moment */
	assert_int_equal(chmod(folder, 0755) | chmod(path, 0666), 0);
	assert_int_equal(seteuid(65534), 0);
	fd = dial();
	assert_int_equal(seteuid(0), 0);
	say(fd, "{\"command\":\"version\"}\n");
	expect_part(fd, "\"code\":\"denied\"");
	expect_end(fd);
	assert_int_equal(control->clients_n, 0);
}

static void test_answers_in_order(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "{\"command\":\"version\"}\n\n\r\n{\"command\":\"nonsense\"}\r\nrubbish\n"
		"{\"command\":\"ser");
	expect_part(fd, "{\"ok\":true,\"result\":{\"natmuxd\":\"");
	expect_part(fd, "\"code\":\"unknown-command\"");
	expect_part(fd, "\"code\":\"bad-request\"");
	assert_true(is_silent(fd));
	say(fd, "vers\"}\n");
	expect_part(fd, "\"servers\":[");
	close(fd);
}

static void test_half_closed_client_gets_its_answers(void **state)
{
	int fd = dial();

	(void)state;
	say(fd, "{\"command\":\"version\"}\n{\"command\":\"drops\"}\n{\"command\":");
	shutdown(fd, SHUT_WR);
	expect_part(fd, "natmuxd");
	expect_part(fd, "\"drops\"");
	expect_end(fd);
}

static void test_many_requests_at_once(void **state)
{
	static const char request[] = "{\"command\":\"flows\"}\n";
	static char text[500 * sizeof(request)];
	int fd = dial();

	(void)state;
	fake.flows_n = 200;
	for (int i = 0; i < 500; i++)
		strcat(text, request);
	assert_true(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	for (int i = 0; i < 500; i++)
		expect_part(fd, "\"total\":200}");
	assert_true(is_silent(fd));
	close(fd);
}

static void test_too_long_a_line(void **state)
{
	static char text[NM_CONTROL_LINE_MAX + 1];
	int fd = dial();

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "{\"command\":\"version\"}", 21);
	text[NM_CONTROL_LINE_MAX] = '\n';
	assert_true(say_bytes(fd, text, sizeof(text)));
	expect_part(fd, "\"ok\":true");
	text[NM_CONTROL_LINE_MAX] = ' ';
	say_bytes(fd, text, sizeof(text));
	expect_part(fd, "\"code\":\"too-long\"");
	expect_end(fd);
}

static void test_floods_of_bytes(void **state)
{
	static char text[1 << 16];
	int fd;

	(void)state;
	memset(text, '\n', sizeof(text));
	fd = dial();
	for (int i = 0; i < 20; i++)
		assert_true(say_bytes(fd, text, sizeof(text)));
	assert_true(is_silent(fd));
	say(fd, "{\"command\":\"version\"}\n");
	expect_part(fd, "natmuxd");
	close(fd);
	/* NULs, and all bytes there are: errors, then the end, and others are served. */
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)i;
	fd = dial();
	say_bytes(fd, text, sizeof(text));
	expect_part(fd, "bad-request");
	close(fd);
	memset(text, 0, sizeof(text));
	fd = dial();
	say_bytes(fd, text, sizeof(text));
	say_bytes(fd, text, sizeof(text));
	expect_part(fd, "too-long");
	expect_end(fd);
	turn();
	assert_int_equal(control->clients_n, 0);
}

static void test_clients_are_bounded(void **state)
{
	int fds[NM_CONTROL_CLIENTS], extra;

	(void)state;
	for (int i = 0; i < NM_CONTROL_CLIENTS; i++) {
		fds[i] = dial();
		turn();
	}
	extra = dial();
	expect_part(extra, "\"code\":\"busy\"");
	expect_end(extra);
	close(fds[3]);
	turn();
	fds[3] = dial();
	say(fds[3], "{\"command\":\"version\"}\n");
	expect_part(fds[3], "natmuxd");
	for (int i = 0; i < NM_CONTROL_CLIENTS; i++)
		close(fds[i]);
	turn();
	assert_int_equal(control->clients_n, 0);
}

/* A client that does not read: the next request waits, then the client is closed. */
static void test_unread_answers(void **state)
{
	static const char request[] = "{\"command\":\"flows\"}\n";
	struct nm_control_client *client;
	int fd = dial();

	(void)state;
	fake.flows_n = 4096;
	for (int i = 0; i < 100; i++)
		if (write(fd, request, strlen(request)) < 0)
			break;
	turn();
	client = control->clients;
	assert_non_null(client);
	assert_true(client->pending > 0 && client->pending < 8 << 20);
	client->active_ms -= NM_CONTROL_UNREAD_MS;
	control->sweep.timer_cb(&control->sweep);
	turn();
	assert_int_equal(control->clients_n, 0);
	close(fd);
}

static void test_idle_client_leaves(void **state)
{
	int idle = dial(), follower = dial();

	(void)state;
	say(follower, "{\"command\":\"events\",\"follow\":true}\n");
	expect_part(follower, "\"replayed\":0");
	/* The loop's clock stands still between its turns, whatever the machine does. */
	for (struct nm_control_client *c = control->clients; c; c = c->next)
		c->active_ms = uv_now(&loop) - NM_CONTROL_IDLE_MS + 1;
	control->sweep.timer_cb(&control->sweep);
	assert_int_equal(control->clients_n, 2);
	for (struct nm_control_client *c = control->clients; c; c = c->next)
		c->active_ms--;
	control->sweep.timer_cb(&control->sweep);
	expect_end(idle);
	assert_int_equal(control->clients_n, 1);
	close(follower);
}

static void send_event(const char *name)
{
	struct natmux_event event = {.type = NATMUX_EVENT_SERVER_LOST, .name = name};

	nm_control_event(control, &event);
}

static void test_events_are_replayed_and_followed(void **state)
{
	int fd = dial(), late = dial();

	(void)state;
	nm_control_event(NULL, NULL);
	send_event("one");
	say(fd, "{\"command\":\"events\",\"follow\":true}\n");
	expect_part(fd, "{\"ok\":true,\"result\":{\"replayed\":1}}");
	expect_part(fd, "{\"event\":{\"number\":1,");
	send_event("two");
	expect_part(fd, "\"name\":\"two\"");
	for (int i = 3; i <= 100; i++)
		send_event("more");
	for (int i = 3; i <= 100; i++)
		expect_part(fd, "more");
	say(late, "{\"command\":\"events\",\"follow\":true}\n");
	expect_part(late, "\"replayed\":64");
	expect_part(late, "\"number\":37,");
	/* Whatever a follower says ends its stream. */
	say(fd, "{\"command\":\"version\"}\n");
	expect_end(fd);
	close(late);
	turn();
	send_event("to nobody");
}

static void test_slow_follower_is_told_what_it_lost(void **state)
{
	struct nm_control_client *client;
	int fd = dial();
	unsigned long long got = 0, lost = 0, n;

	(void)state;
	say(fd, "{\"command\":\"events\",\"follow\":true}\n");
	expect_part(fd, "replayed");
	for (int i = 0; i < 20000; i++)
		send_event("flood");
	client = control->clients;
	assert_true(client->pending < NM_CONTROL_PENDING_MAX + 1024);
	while (got + lost < 20000) {
		const char *line = hear(fd);

		assert_non_null(line);
		if (sscanf(line, "{\"lost\":{\"events\":%llu}}", &n) == 1)
			lost += n;
		else if (strncmp(line, "{\"event\":", 9) == 0)
			got++;
	}
	assert_int_equal(got + lost, 20000);
	assert_true(lost > 0 && got >= NM_CONTROL_EVENTS);
	assert_true(is_silent(fd));
	close(fd);
}

static struct natmux_train train_of(const uint8_t *data, uint32_t len)
{
	return (struct natmux_train){.data = data,
		.len = len,
		.path = {fake_addr("192.0.2.1:4500"), fake_addr("198.51.100.7:1027")}};
}

static void test_capture(void **state)
{
	static const uint8_t data[300];
	struct natmux_train train = train_of(data, sizeof(data));
	int fd = dial(), second = dial();

	(void)state;
	say(fd, "{\"command\":\"capture\",\"classes\":[\"ike\"],\"count\":3,\"snaplen\":3}\n");
	expect_part(fd, "{\"ok\":true,\"result\":{\"snaplen\":3,\"count\":3}}");
	assert_int_equal(fake.tap_mask, 1 << NATMUX_CLASS_IKE);
	say(second, "{\"command\":\"capture\"}\n");
	expect_part(second, "\"code\":\"busy\"");
	for (int i = 0; i < 5; i++) {
		fake_server_tap(&fake, NATMUX_CLASS_IKE, false, &train);
		fake_server_tap(&fake, NATMUX_CLASS_ESP, false, &train);
	}
	for (int i = 0; i < 3; i++)
		expect_part(fd, "\"length\":300,\"data\":\"AAAA\"}}");
	expect_part(fd, "{\"end\":{\"captured\":3,\"lost\":0}}");
	assert_null(fake.tap);
	/* The connection goes on, and the next capture may come. */
	say(fd, "{\"command\":\"version\"}\n");
	expect_part(fd, "natmuxd");
	say(second, "{\"command\":\"capture\"}\n");
	expect_part(second, "\"ok\":true");
	close(second);
	turn();
	assert_null(fake.tap);
	assert_false(nm_capture_is_running(&control->capture));
	close(fd);
}

static void test_slow_capture_is_told_what_it_lost(void **state)
{
	static const uint8_t data[50000];
	struct natmux_train train = train_of(data, sizeof(data));
	unsigned long long got = 0, lost = 0, n;
	int fd = dial();

	(void)state;
	say(fd, "{\"command\":\"capture\"}\n");
	expect_part(fd, "\"ok\":true");
	for (int i = 0; i < 500; i++) {
		fake_server_tap(&fake, NATMUX_CLASS_ESP, true, &train);
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	while (got + lost < 500) {
		const char *line = hear(fd);

		assert_non_null(line);
		if (sscanf(line, "{\"lost\":{\"datagrams\":%llu}}", &n) == 1)
			lost += n;
		else if (strncmp(line, "{\"datagram\":", 12) == 0)
			got++;
	}
	assert_int_equal(got + lost, 500);
	assert_true(lost > 0 && got > 80);
	close(fd);
	turn();
	assert_null(fake.tap);
}

/* teardown ends the server while clients stream: nothing leaks, nothing is touched after. */
static void test_ends_with_clients(void **state)
{
	int follower = dial(), capturer = dial(), idle = dial();

	(void)state;
	say(follower, "{\"command\":\"events\",\"follow\":true}\n");
	say(capturer, "{\"command\":\"capture\"}\n");
	fake.flows_n = 4096;
	for (int i = 0; i < 20; i++)
		(void)!write(idle, "{\"command\":\"flows\"}\n", 20);
	turn();
	assert_int_equal(control->clients_n, 3);
	close(follower);
	close(capturer);
	close(idle);
}

static int try_open(const char *where)
{
	struct nm_control *another = NULL;
	int error =
		nm_control_new(fake_server_of(&fake), where, &another, message, sizeof(message));

	assert_null(another);
	return error;
}

static void test_refuses_paths(void **state)
{
	static const char *const bad[] = {"", "/nowhere/at/all/control.sock",
		"/tmp/"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"};
	char file[120];
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(try_open(bad[0]), NATMUX_EINVAL);
	assert_int_equal(try_open(bad[1]), NATMUX_ESYSTEM);
	assert_non_null(strstr(message, "No such file"));
	assert_int_equal(try_open(bad[2]), NATMUX_EINVAL);
	assert_non_null(strstr(message, "1 to 107 bytes"));
	/* Ours is alive; it stays. */
	assert_int_equal(try_open(path), NATMUX_EEXISTS);
	assert_non_null(strstr(message, "answers there"));
	assert_int_equal(stat(path, &st), 0);
	/* A file is never removed. */
	snprintf(file, sizeof(file), "%s/file", folder);
	fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(try_open(file), NATMUX_EEXISTS);
	assert_non_null(strstr(message, "is no socket"));
	assert_int_equal(unlink(file), 0);
}

static void test_stale_socket_is_replaced(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct nm_control_socket socket_of_ours;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/stale", folder);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(
		nm_control_socket_open(address.sun_path, &socket_of_ours, message, sizeof(message)),
		0);
	/* Someone else's file at our path is left alone at the end. */
	assert_int_equal(unlink(address.sun_path), 0);
	fd = open(address.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	nm_control_socket_unlink(&socket_of_ours, address.sun_path);
	assert_int_equal(unlink(address.sun_path), 0);
	close(socket_of_ours.fd);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(test_mode_is_private),
		WITH_SERVER(test_umask_is_kept),
		WITH_SERVER(test_strangers_are_denied),
		WITH_SERVER(test_answers_in_order),
		WITH_SERVER(test_half_closed_client_gets_its_answers),
		WITH_SERVER(test_many_requests_at_once),
		WITH_SERVER(test_too_long_a_line),
		WITH_SERVER(test_floods_of_bytes),
		WITH_SERVER(test_clients_are_bounded),
		WITH_SERVER(test_unread_answers),
		WITH_SERVER(test_idle_client_leaves),
		WITH_SERVER(test_events_are_replayed_and_followed),
		WITH_SERVER(test_slow_follower_is_told_what_it_lost),
		WITH_SERVER(test_capture),
		WITH_SERVER(test_slow_capture_is_told_what_it_lost),
		WITH_SERVER(test_ends_with_clients),
		WITH_SERVER(test_refuses_paths),
		WITH_SERVER(test_stale_socket_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
