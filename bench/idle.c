/* SPDX-License-Identifier: Apache-2.0 */
/* Runs natmuxd idle for a moment and reads /proc. */
#include "bench/idle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <natmux/error.h>

#include "bench/console.h"
#include "bench/receiver.h"

enum {
	PATH_SIZE = 64,
	POLL_MS = 20,
	READY_MS = 5000, /* longest wait for its control socket */
	END_MS = 3000,   /* longest wait for its end */
};

struct idle {
	char folder[PATH_SIZE];
	char config[PATH_SIZE + 16], control[PATH_SIZE + 16], handoff[PATH_SIZE + 16];
	pid_t pid;
};

static void sleep_ms(unsigned int ms)
{
	struct timespec ts = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

/* A port that was free a moment ago. */
static int free_port(uint16_t *port)
{
	struct natmux_addr local, bound;
	int fd;

	natmux_addr_parse("127.0.0.1", 0, &local);
	fd = nm_receiver_bind(&local, &bound);
	if (fd < 0)
		return NATMUX_ESYSTEM;
	close(fd);
	*port = bound.port;
	return 0;
}

static int write_config(struct idle *idle)
{
	uint16_t port;
	FILE *file;

	if (free_port(&port) < 0)
		return NATMUX_ESYSTEM;
	file = fopen(idle->config, "w");
	if (!file)
		return NATMUX_ESYSTEM;
	fprintf(file,
		"listen = { \"127.0.0.1\" }\nport = %u\nhandoff = unix\ncontrol-socket = \"%s\"\n"
		"unix {\n\tpath = \"%s\"\n}\n",
		port, idle->control, idle->handoff);
	return fclose(file) == 0 ? 0 : NATMUX_ESYSTEM;
}

static int make_folder(struct idle *idle)
{
	const char *base = getenv("TMPDIR");

	snprintf(idle->folder, sizeof(idle->folder), "%.40s/natmux-XXXXXX", base ? base : "/tmp");
	if (!mkdtemp(idle->folder))
		return NATMUX_ESYSTEM;
	snprintf(idle->config, sizeof(idle->config), "%s/conf", idle->folder);
	snprintf(idle->control, sizeof(idle->control), "%s/control", idle->folder);
	snprintf(idle->handoff, sizeof(idle->handoff), "%s/handoff", idle->folder);
	return 0;
}

static void remove_folder(const struct idle *idle)
{
	unlink(idle->config);
	unlink(idle->control);
	unlink(idle->handoff);
	rmdir(idle->folder);
}

/* In the child. Its log is for its own measurements of nothing: only a failure is of interest. */
static _Noreturn void exec_natmuxd(const char *natmuxd, const struct idle *idle)
{
	int null = open("/dev/null", O_RDWR);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execlp(natmuxd, natmuxd, "-c", idle->config, (char *)NULL);
	_exit(127);
}

static int wait_until_ready(const struct idle *idle)
{
	struct stat st;

	for (unsigned int waited = 0; waited < READY_MS; waited += POLL_MS) {
		if (waitpid(idle->pid, NULL, WNOHANG) == idle->pid)
			return NATMUX_ESYSTEM;
		if (stat(idle->control, &st) == 0)
			return 0;
		sleep_ms(POLL_MS);
	}
	return NATMUX_ESYSTEM;
}

/* The number in a line "Key:   123 kB". */
static uint64_t read_kib(pid_t pid, const char *file, const char *key)
{
	char path[PATH_SIZE], line[256];
	unsigned long long kib = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	in = fopen(path, "r");
	while (in && fgets(line, sizeof(line), in))
		if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
			kib = strtoull(line + strlen(key) + 1, NULL, 10);
	if (in)
		fclose(in);
	return kib;
}

static void end(struct idle *idle)
{
	kill(idle->pid, SIGTERM);
	for (unsigned int waited = 0; waited < END_MS; waited += POLL_MS) {
		if (waitpid(idle->pid, NULL, WNOHANG) != 0)
			return;
		sleep_ms(POLL_MS);
	}
	kill(idle->pid, SIGKILL);
	while (waitpid(idle->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int measure_running(
	struct idle *idle, const char *natmuxd, unsigned int rest_ms, struct nm_idle_memory *memory)
{
	idle->pid = fork();
	if (idle->pid == 0)
		exec_natmuxd(natmuxd, idle);
	if (idle->pid < 0)
		return NATMUX_ESYSTEM;
	if (wait_until_ready(idle) < 0) {
		nm_console_error(
			"%s does not start: try it with -c and a configuration of yours", natmuxd);
		end(idle);
		return NATMUX_ESYSTEM;
	}
	sleep_ms(rest_ms);
	*memory = (struct nm_idle_memory){
		.resident = read_kib(idle->pid, "status", "VmRSS"),
		.anonymous = read_kib(idle->pid, "status", "RssAnon"),
		.share = read_kib(idle->pid, "smaps_rollup", "Pss"),
	};
	end(idle);
	return 0;
}

int nm_idle_measure(const char *natmuxd, unsigned int rest_ms, struct nm_idle_memory *memory)
{
	struct idle idle = {0};
	int err = make_folder(&idle);

	if (err < 0) {
		nm_console_error("cannot make a temporary folder: %s", strerror(errno));
		return err;
	}
	err = write_config(&idle);
	if (err == 0)
		err = measure_running(&idle, natmuxd, rest_ms, memory);
	remove_folder(&idle);
	return err;
}
