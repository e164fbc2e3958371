/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libnatmux-uv in a program of one's own: the driver has the sockets, the batches and the timer,
 * the program has the owners of IKE and ESP, and sends what they answer.
 *
 *   cc embed_uv.c $(pkg-config --cflags --libs libnatmux-uv) -o embed_uv && ./embed_uv
 *
 * Sends itself one ESP packet over loopback, whose owner sends it back, and ends.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <natmux/error.h>
#include <natmux/mux.h>
#include <natmux/uv.h>

/* What the owner of ESP works with. */
struct plane {
	struct natmux_mux *mux;
	struct natmux_uv *net;
	uv_timer_t patience;
	unsigned int received;
};

static void fill_random(void *user, void *buf, size_t len)
{
	(void)user;
	if (getrandom(buf, len, 0) != (ssize_t)len)
		abort(); /* no randomness, no security */
}

/* The end of the program: without a driver and a timer the loop has nothing to wait for. */
static void finish(struct plane *plane)
{
	natmux_uv_free(plane->net, NULL, NULL);
	uv_close((uv_handle_t *)&plane->patience, NULL);
}

static void give_up(uv_timer_t *timer)
{
	finish(timer->data);
}

/* The flow of a path opens with IKE, or when its owner sends something: natmux_mux_sent(). */
static void take_esp(void *self, uint64_t now_ms, const struct natmux_train *trains, size_t n)
{
	struct plane *plane = self;
	char from[NATMUX_ADDR_TEXT];

	for (size_t i = 0; i < n; i++) {
		printf("ESP plane: %u datagram(s), %u bytes, from %s\n",
			natmux_train_count(&trains[i]), trains[i].len,
			natmux_addr_format(&trains[i].path.remote, from));
		plane->received += natmux_train_count(&trains[i]);
	}
	/* The paths stay as they came: local is the address that was asked, remote who asked. */
	natmux_mux_sent(plane->mux, now_ms, trains, n);
	natmux_uv_send(plane->net, trains, n);
	natmux_uv_flush_output(plane->net);
	finish(plane);
}

static const struct natmux_sink_ops esp_owner = {.name = "esp", .input = take_esp};

static int open_plane(uv_loop_t *loop, struct plane *plane)
{
	const struct natmux_random random_source = {.fill = fill_random};
	struct natmux_mux_config config;
	struct natmux_uv_config net;
	struct natmux_addr local;
	int err = natmux_addr_parse("127.0.0.1", 0, &local);

	if (err < 0) /* without a port in the text it is 0: the kernel chooses */
		return err;
	natmux_mux_config_init(&config);
	err = natmux_mux_new(&config, &random_source, &plane->mux);
	if (err < 0)
		return err;
	natmux_mux_set_sink(plane->mux, NATMUX_CLASS_ESP, &esp_owner, plane);
	natmux_uv_config_init(&net);
	net.locals = &local;
	net.locals_n = 1;
	return natmux_uv_new(loop, plane->mux, &net, &plane->net);
}

static void note_port(void *user, const struct natmux_uv_socket *socket)
{
	*(struct natmux_addr *)user = socket->local;
}

/* SPI, sequence number, and what would be IV, ciphertext and ICV. */
static const uint8_t esp[36] = {0xc1, 0x5b, 0x0a, 0x01, 0, 0, 0, 1, 9, 9, 9};

static int send_esp(const struct natmux_uv *net)
{
	struct natmux_addr local;
	struct sockaddr_storage to;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	size_t len;

	natmux_uv_sockets(net, note_port, &local);
	len = natmux_addr_to_sockaddr(&local, (struct sockaddr *)&to);
	if (fd < 0 || sendto(fd, esp, sizeof(esp), 0, (struct sockaddr *)&to, (socklen_t)len) < 0)
		perror("sending");
	return fd;
}

int main(void)
{
	struct plane plane = {0};
	uint8_t echo[64];
	uv_loop_t loop;
	ssize_t len;
	int client, err;

	uv_loop_init(&loop);
	uv_timer_init(&loop, &plane.patience);
	plane.patience.data = &plane;
	err = open_plane(&loop, &plane);
	if (err < 0) {
		fprintf(stderr, "opening: %s\n", natmux_strerror(err));
		return 1;
	}
	client = send_esp(plane.net);
	uv_timer_start(&plane.patience, give_up, 5000, 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	natmux_mux_free(plane.mux); /* it has to outlive the driver */
	len = recv(client, echo, sizeof(echo), MSG_DONTWAIT);
	close(client);
	printf("came back: %zd bytes\n", len);
	return !(plane.received == 1 && len == (ssize_t)sizeof(esp));
}
