/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces held by two sleeping processes, and processes inside them. */
#include "bench/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <natmux/error.h>

#include "bench/console.h"

enum { WORDS_MAX = 64, COMMAND_MAX = 1024, END_MS = 3000, POLL_MS = 10, OUTPUT_MAX = 1 << 20 };

static const char *const veth_names[NM_LAB_SIDES] = {"veth-a", "veth-b"};

static void sleep_ms(unsigned int ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&time, NULL);
}

static int system_failed(const char *what)
{
	nm_console_error("%s: %s", what, strerror(errno));
	return NATMUX_ESYSTEM;
}

/* In the holder: namespaces of its own, then nothing, until its parent is gone. */
static _Noreturn void hold(int ready)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", "/run", "tmpfs", 0, NULL) < 0 || write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static int open_namespace(pid_t pid, const char *kind)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int make_side(struct nm_lab *lab, enum nm_lab_side side)
{
	char byte;
	int ready[2], got;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return system_failed("pipe");
	lab->holders[side] = fork();
	if (lab->holders[side] == 0)
		hold(ready[1]);
	close(ready[1]);
	got = (int)read(ready[0], &byte, 1);
	close(ready[0]);
	if (lab->holders[side] < 0 || got != 1) {
		nm_console_error("cannot make namespaces: root is needed");
		return NATMUX_ESYSTEM;
	}
	lab->net[side] = open_namespace(lab->holders[side], "net");
	lab->mount[side] = open_namespace(lab->holders[side], "mnt");
	return lab->net[side] < 0 || lab->mount[side] < 0 ? system_failed("namespaces") : 0;
}

static int make_veth(struct nm_lab *lab)
{
	char command[128];
	int err;

	snprintf(command, sizeof(command), "ip link add veth-a type veth peer name veth-b netns %d",
		(int)lab->holders[NM_LAB_B]);
	err = nm_lab_run(lab, NM_LAB_A, command);
	if (err == 0)
		err = nm_lab_run(lab, NM_LAB_A, "ip addr add " NM_LAB_WIRE_A "/30 dev veth-a");
	if (err == 0)
		err = nm_lab_run(lab, NM_LAB_B, "ip addr add " NM_LAB_WIRE_B "/30 dev veth-b");
	for (unsigned int i = 0; err == 0 && i < NM_LAB_SIDES; i++) {
		snprintf(command, sizeof(command), "ip link set %s up", veth_names[i]);
		err = nm_lab_run(lab, i, command);
		if (err == 0)
			err = nm_lab_run(lab, i, "ip link set lo up");
	}
	return err;
}

int nm_lab_init(struct nm_lab *lab)
{
	const char *base = getenv("TMPDIR");
	int err;

	memset(lab, 0, sizeof(*lab));
	for (unsigned int i = 0; i < NM_LAB_SIDES; i++)
		lab->net[i] = lab->mount[i] = -1;
	snprintf(lab->folder, sizeof(lab->folder), "%.24s/natmux-XXXXXX", base ? base : "/tmp");
	if (!mkdtemp(lab->folder))
		return system_failed("mkdtemp");
	err = make_side(lab, NM_LAB_A);
	if (err == 0)
		err = make_side(lab, NM_LAB_B);
	if (err == 0)
		err = make_veth(lab);
	if (err < 0)
		nm_lab_done(lab);
	return err;
}

static bool has_ended(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) != 0;
}

/* Asks once, then insists. */
static void end_child(pid_t pid)
{
	kill(pid, SIGTERM);
	for (unsigned int waited = 0; waited < END_MS; waited += POLL_MS) {
		if (has_ended(pid))
			return;
		sleep_ms(POLL_MS);
	}
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void remove_folder(const char *folder)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", folder, (char *)NULL);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void nm_lab_done(struct nm_lab *lab)
{
	while (lab->children_len > 0)
		end_child(lab->children[--lab->children_len]);
	for (unsigned int i = 0; i < NM_LAB_SIDES; i++) {
		if (lab->holders[i] <= 0)
			continue;
		kill(lab->holders[i], SIGKILL);
		waitpid(lab->holders[i], NULL, 0);
		close(lab->net[i]);
		close(lab->mount[i]);
	}
	if (lab->folder[0] != '\0')
		remove_folder(lab->folder);
	memset(lab, 0, sizeof(*lab));
}

void nm_lab_file(
	const struct nm_lab *lab, enum nm_lab_side side, const char *name, char path[NM_LAB_FILE])
{
	snprintf(path, NM_LAB_FILE, "%s/%c-%.32s", lab->folder, 'a' + (int)side, name);
}

int nm_lab_write(
	const struct nm_lab *lab, enum nm_lab_side side, const char *name, const char *content)
{
	char path[NM_LAB_FILE];
	FILE *file;

	nm_lab_file(lab, side, name, path);
	file = fopen(path, "w");
	/* There may be keys in it. */
	if (!file || fchmod(fileno(file), 0600) < 0 || fputs(content, file) < 0 ||
		fclose(file) != 0)
		return system_failed(path);
	return 0;
}

/* In the child: into the side's namespaces, what it prints to `output` or the side's log. */
static bool enter(const struct nm_lab *lab, enum nm_lab_side side, int output)
{
	char log[NM_LAB_FILE];
	int null = open("/dev/null", O_RDONLY), fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	nm_lab_file(lab, side, "log", log);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(null, STDIN_FILENO);
	dup2(output >= 0 ? output : fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	return setns(lab->net[side], CLONE_NEWNET) == 0 &&
	       setns(lab->mount[side], CLONE_NEWNS) == 0;
}

static _Noreturn void execute(const char *command)
{
	char copy[COMMAND_MAX], *words[WORDS_MAX + 1] = {NULL}, *rest = NULL;
	size_t n = 0;

	snprintf(copy, sizeof(copy), "%s", command);
	for (char *word = strtok_r(copy, " ", &rest); word && n < WORDS_MAX;
		word = strtok_r(NULL, " ", &rest))
		words[n++] = word;
	if (n > 0)
		execvp(words[0], words);
	_exit(127);
}

static pid_t start(struct nm_lab *lab, enum nm_lab_side side, const char *command, int output)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (enter(lab, side, output))
			execute(command);
		_exit(126);
	}
	return pid;
}

static int wait_for(pid_t pid)
{
	int status = -1;

	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0 ? 0 : NATMUX_ESYSTEM;
}

int nm_lab_try(struct nm_lab *lab, enum nm_lab_side side, const char *command)
{
	return wait_for(start(lab, side, command, -1));
}

/* The last line of a side's log, for whoever has to find out. */
static void show_log(const struct nm_lab *lab, enum nm_lab_side side)
{
	char path[NM_LAB_FILE], line[512], last[512] = "";
	FILE *file;

	nm_lab_file(lab, side, "log", path);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		snprintf(last, sizeof(last), "%.*s", (int)strcspn(line, "\n"), line);
	if (file)
		fclose(file);
	if (last[0] != '\0')
		nm_console_error("its log ends with: %s", last);
}

int nm_lab_run(struct nm_lab *lab, enum nm_lab_side side, const char *command)
{
	int err = nm_lab_try(lab, side, command);

	if (err == 0)
		return 0;
	nm_console_error("this failed: %s", command);
	show_log(lab, side);
	return err;
}

int nm_lab_runf(struct nm_lab *lab, enum nm_lab_side side, const char *format, ...)
{
	char command[COMMAND_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return nm_lab_run(lab, side, command);
}

char *nm_lab_read(struct nm_lab *lab, enum nm_lab_side side, const char *command)
{
	char *text = calloc(1, OUTPUT_MAX);
	size_t len = 0;
	ssize_t got = 1;
	int out[2];
	pid_t pid;

	if (!text || pipe2(out, O_CLOEXEC) < 0) {
		free(text);
		return NULL;
	}
	pid = start(lab, side, command, out[1]);
	close(out[1]);
	while (len < OUTPUT_MAX - 1 && (got > 0 || (got < 0 && errno == EINTR))) {
		got = read(out[0], text + len, OUTPUT_MAX - 1 - len);
		len += got > 0 ? (size_t)got : 0;
	}
	close(out[0]);
	if (wait_for(pid) == 0)
		return text;
	free(text);
	return NULL;
}

static pid_t keep_child(struct nm_lab *lab, pid_t pid)
{
	if (pid < 0)
		system_failed("fork");
	else
		lab->children[lab->children_len++] = pid;
	return pid;
}

pid_t nm_lab_spawn(struct nm_lab *lab, enum nm_lab_side side, const char *command)
{
	if (lab->children_len == NM_LAB_CHILDREN_MAX)
		return -1;
	return keep_child(lab, start(lab, side, command, -1));
}

pid_t nm_lab_fork(struct nm_lab *lab, enum nm_lab_side side, int (*run)(const void *argument),
	const void *argument)
{
	pid_t pid;

	if (lab->children_len == NM_LAB_CHILDREN_MAX)
		return -1;
	pid = fork();
	if (pid == 0)
		_exit(enter(lab, side, -1) ? run(argument) : 126);
	return keep_child(lab, pid);
}

int nm_lab_wait(
	struct nm_lab *lab, enum nm_lab_side side, const char *command, unsigned int wait_ms)
{
	for (unsigned int waited = 0; waited < wait_ms && !nm_console_stopped(); waited += 50) {
		if (nm_lab_try(lab, side, command) == 0)
			return 0;
		sleep_ms(50);
	}
	nm_console_error("gave up after %u ms: %s", wait_ms, command);
	show_log(lab, side);
	return NATMUX_ESYSTEM;
}

/* The old way of ethtool(8), one feature at a time: every kernel has it. */
static int set_feature(int fd, const char *device, uint32_t command, bool is_on)
{
	struct ethtool_value value = {.cmd = command, .data = is_on};
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	request.ifr_data = (void *)&value;
	return ioctl(fd, SIOCETHTOOL, &request);
}

struct offload_order {
	const char *device;
	bool are_on;
};

static int set_offloads(const void *argument)
{
	static const uint32_t features[] = {ETHTOOL_SRXCSUM, ETHTOOL_STXCSUM, ETHTOOL_SSG,
		ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO};
	const struct offload_order *order = argument;
	int fd = socket(AF_INET, SOCK_DGRAM, 0), failed = fd < 0;

	for (size_t i = 0; !failed && i < sizeof(features) / sizeof(features[0]); i++) {
		/* GRO is off by default on veth, where all packets are large already. */
		bool is_on = order->are_on && features[i] != ETHTOOL_SGRO;

		failed = set_feature(fd, order->device, features[i], is_on) < 0;
	}
	if (failed)
		perror("SIOCETHTOOL");
	return failed;
}

int nm_lab_set_offloads(struct nm_lab *lab, bool are_on)
{
	for (unsigned int i = 0; i < NM_LAB_SIDES; i++) {
		const struct offload_order order = {veth_names[i], are_on};
		pid_t pid = fork();

		if (pid == 0)
			_exit(enter(lab, i, -1) ? set_offloads(&order) : 126);
		if (wait_for(pid) < 0) {
			nm_console_error("cannot switch the offloads of %s", veth_names[i]);
			return NATMUX_ESYSTEM;
		}
	}
	return 0;
}
