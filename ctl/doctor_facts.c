/* SPDX-License-Identifier: Apache-2.0 */
/* Reads /proc, /sys, /etc and program folders. Reports what is there; judges nothing. */
#include "ctl/doctor.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Longest name of a file below `root` that is looked at. */
enum { PATH_SIZE = 4096, LINE_SIZE = 512 };

static FILE *open_below(const char *root, const char *path)
{
	char full[PATH_SIZE];

	if (snprintf(full, sizeof(full), "%s%s", root, path) >= (int)sizeof(full))
		return NULL;
	return fopen(full, "re");
}

static bool exists_below(const char *root, const char *path)
{
	char full[PATH_SIZE];

	if (snprintf(full, sizeof(full), "%s%s", root, path) >= (int)sizeof(full))
		return false;
	return access(full, F_OK) == 0;
}

/* What a walk through a folder carries along. */
struct walk {
	struct nm_doctor_facts *facts;
	const char *root;
	char folder[128]; /* below the root */
	int pid;          /* of the process whose files are looked at */
	char name[16];    /* of it; the kernel keeps 15 bytes */
};

/* Calls `each` with the name of every entry of the folder, in the order of their names. */
static void for_each_entry(struct walk *walk, void (*each)(struct walk *walk, const char *name))
{
	char full[PATH_SIZE];
	struct dirent **entries;
	int n;

	if (snprintf(full, sizeof(full), "%s%s", walk->root, walk->folder) >= (int)sizeof(full))
		return;
	n = scandir(full, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		each(walk, entries[i]->d_name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

/* First line of a file without its newline; false when there is none. */
static bool read_line(const char *root, const char *path, char *line, size_t size)
{
	FILE *file = open_below(root, path);
	bool found;

	if (!file)
		return false;
	found = fgets(line, (int)size, file) != NULL;
	fclose(file);
	if (found)
		line[strcspn(line, "\n")] = '\0';
	return found;
}

static long read_number(const char *root, const char *path)
{
	char line[64], *end;
	long number;

	if (!read_line(root, path, line, sizeof(line)))
		return -1;
	number = strtol(line, &end, 10);
	return end == line || *end ? -1 : number;
}

static int read_rp_filter(const char *root, const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", name);
	return (int)read_number(root, path);
}

/*
 * "0100007F" or 32 digits: 32-bit words as the machine has them in memory, which is network order
 * read in host order (proc(5)).
 */
static bool parse_hex_ip(const char *text, size_t len, uint8_t ip[16])
{
	for (size_t i = 0; i < len; i += 8) {
		char word[9] = {0}, *end;
		uint32_t value;

		memcpy(word, text + i, 8);
		value = (uint32_t)strtoul(word, &end, 16);
		if (*end)
			return false;
		memcpy(ip + i / 2, &value, sizeof(value));
	}
	return true;
}

/* One row of /proc/net/udp or udp6: its local address and its inode. */
static bool parse_socket(const char *line, struct nm_doctor_holder *holder)
{
	char address[40], state[8];
	unsigned int port;
	size_t len;

	if (sscanf(line, " %*d: %39[0-9A-Fa-f]:%x %*s %7s %*s %*s %*s %*u %*u %lu", address, &port,
		    state, &holder->inode) != 4 ||
		port > UINT16_MAX)
		return false;
	len = strlen(address);
	if ((len != 8 && len != 32) || !parse_hex_ip(address, len, holder->local.ip))
		return false;
	holder->local.port = (uint16_t)port;
	holder->local.family = len == 8 ? NATMUX_FAMILY_IPV4 : NATMUX_FAMILY_IPV6;
	return true;
}

static void read_sockets(struct nm_doctor_facts *facts, const char *root, const char *path)
{
	FILE *file = open_below(root, path);
	char line[LINE_SIZE];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file) && facts->holders_n < NM_DOCTOR_HOLDERS) {
		struct nm_doctor_holder holder = {0};

		if (parse_socket(line, &holder) && (holder.local.port == facts->port ||
							   holder.local.port == NM_DOCTOR_IKE_PORT))
			facts->holders[facts->holders_n++] = holder;
	}
	fclose(file);
}

/* An open file of a process: is it a socket that holds one of the ports? */
static void read_fd(struct walk *walk, const char *name)
{
	struct nm_doctor_facts *facts = walk->facts;
	char path[PATH_SIZE], target[64];
	unsigned long inode;
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s%s/%s", walk->root, walk->folder, name) >=
		(int)sizeof(path))
		return;
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return;
	target[n] = '\0';
	if (sscanf(target, "socket:[%lu]", &inode) != 1)
		return;
	for (size_t i = 0; i < facts->holders_n; i++) {
		struct nm_doctor_holder *holder = &facts->holders[i];

		if (holder->inode != inode || holder->pid != 0)
			continue;
		holder->pid = walk->pid;
		memcpy(holder->name, walk->name, sizeof(holder->name));
	}
}

/* Of the processes of a daemon, as iked has four, the one with the port. */
static void note_daemon(struct nm_doctor_facts *facts, int pid, const char *name)
{
	for (size_t i = 0; i < NM_DOCTOR_DAEMONS; i++)
		if (strcmp(facts->daemons[i].name, name) == 0 &&
			(facts->daemons[i].pid == 0 || nm_doctor_has_port(facts, pid)))
			facts->daemons[i].pid = pid;
}

/* An entry of /proc: those with a number for a name are processes. */
static void read_process(struct walk *walk, const char *name)
{
	char *end, path[64];
	long pid = strtol(name, &end, 10);
	struct walk fds = {.facts = walk->facts, .root = walk->root};

	if (pid <= 0 || pid > INT_MAX || *end)
		return;
	snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
	if (!read_line(walk->root, path, fds.name, sizeof(fds.name)))
		return;
	fds.pid = (int)pid;
	snprintf(fds.folder, sizeof(fds.folder), "/proc/%ld/fd", pid);
	if (walk->facts->holders_n > 0)
		for_each_entry(&fds, read_fd);
	note_daemon(walk->facts, fds.pid, fds.name);
}

/* Where distributions put them: Debian, Fedora, and the projects' own defaults. */
static void find_programs(struct nm_doctor_facts *facts, const char *root)
{
	static const struct {
		size_t daemon;
		const char *path;
	} places[] = {
		{NM_DOCTOR_NATMUXD, "/usr/sbin/natmuxd"},
		{NM_DOCTOR_NATMUXD, "/usr/bin/natmuxd"},
		{NM_DOCTOR_NATMUXD, "/usr/local/sbin/natmuxd"},
		{NM_DOCTOR_NATMUXD, "/usr/local/bin/natmuxd"},
		{NM_DOCTOR_CHARON, "/usr/lib/ipsec/charon"},
		{NM_DOCTOR_CHARON, "/usr/libexec/ipsec/charon"},
		{NM_DOCTOR_CHARON, "/usr/libexec/strongswan/charon"},
		{NM_DOCTOR_CHARON, "/usr/local/libexec/ipsec/charon"},
		{NM_DOCTOR_CHARON_SYSTEMD, "/usr/sbin/charon-systemd"},
		{NM_DOCTOR_PLUTO, "/usr/libexec/ipsec/pluto"},
		{NM_DOCTOR_PLUTO, "/usr/lib/ipsec/pluto"},
		{NM_DOCTOR_PLUTO, "/usr/local/libexec/ipsec/pluto"},
		{NM_DOCTOR_IKED, "/usr/sbin/iked"},
		{NM_DOCTOR_IKED, "/usr/local/sbin/iked"},
	};
	static const char *const names[NM_DOCTOR_DAEMONS] = {[NM_DOCTOR_NATMUXD] = "natmuxd",
		[NM_DOCTOR_CHARON] = "charon",
		[NM_DOCTOR_CHARON_SYSTEMD] = "charon-systemd",
		[NM_DOCTOR_PLUTO] = "pluto",
		[NM_DOCTOR_IKED] = "iked"};

	for (size_t i = 0; i < NM_DOCTOR_DAEMONS; i++)
		facts->daemons[i] = (struct nm_doctor_daemon){.name = names[i]};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct nm_doctor_daemon *daemon = &facts->daemons[places[i].daemon];

		if (!daemon->path && exists_below(root, places[i].path))
			daemon->path = places[i].path;
	}
}

/*
 * modprobe.d(5): "blacklist esp4" only hides its aliases, and by an alias is how the kernel asks
 * for it; "install esp4 /bin/false" forbids it altogether.
 */
static void read_blacklist_line(
	struct nm_doctor_facts *facts, const char *file, int number, const char *line)
{
	char word[16], module[32], *place;

	if (sscanf(line, " %15s %31s", word, module) != 2 ||
		(strcmp(word, "blacklist") != 0 && strcmp(word, "install") != 0))
		return;
	if (strcmp(module, "esp4") == 0)
		place = facts->blacklisted_esp4;
	else if (strcmp(module, "esp6") == 0)
		place = facts->blacklisted_esp6;
	else
		return;
	if (!*place)
		snprintf(place, sizeof(facts->blacklisted_esp4), "%.80s:%d", file, number);
}

static void read_blacklist(struct walk *walk, const char *name)
{
	char path[PATH_SIZE], line[LINE_SIZE];
	size_t len = strlen(name);
	FILE *file;

	if (len < 6 || strcmp(name + len - 5, ".conf") != 0 ||
		snprintf(path, sizeof(path), "%s/%s", walk->folder, name) >= (int)sizeof(path))
		return;
	file = open_below(walk->root, path);
	if (!file)
		return;
	for (int number = 1; fgets(line, sizeof(line), file); number++)
		read_blacklist_line(walk->facts, path, number, line);
	fclose(file);
}

/* Uid and effective capabilities of this process. */
static void read_self(struct nm_doctor_facts *facts, const char *root)
{
	FILE *file = open_below(root, "/proc/self/status");
	char line[LINE_SIZE];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		unsigned long long caps;
		int uid;

		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			facts->capabilities = caps;
		if (sscanf(line, "Uid: %*d %d", &uid) == 1)
			facts->uid = uid;
	}
	fclose(file);
}

static void read_settings(struct nm_doctor_facts *facts, const char *root)
{
	char path[64];

	if (!read_line(root, "/proc/sys/kernel/osrelease", facts->kernel, sizeof(facts->kernel)))
		strcpy(facts->kernel, "unknown");
	facts->rmem_max = read_number(root, "/proc/sys/net/core/rmem_max");
	facts->wmem_max = read_number(root, "/proc/sys/net/core/wmem_max");
	facts->rp_filter_all = read_rp_filter(root, "all");
	facts->rp_filter_default = read_rp_filter(root, "default");
	facts->rp_filter_tun = read_rp_filter(root, facts->tun);
	facts->disable_ipv6 = (int)read_number(root, "/proc/sys/net/ipv6/conf/all/disable_ipv6");
	facts->has_ipv6 = exists_below(root, "/proc/net/if_inet6");
	facts->has_xfrm = exists_below(root, "/proc/net/xfrm_stat");
	snprintf(path, sizeof(path), "/sys/class/net/%s", facts->tun);
	facts->has_tun = exists_below(root, path);
}

static void walk_folder(struct nm_doctor_facts *facts, const char *root, const char *folder,
	void (*each)(struct walk *walk, const char *name))
{
	struct walk walk = {.facts = facts, .root = root};

	snprintf(walk.folder, sizeof(walk.folder), "%s", folder);
	for_each_entry(&walk, each);
}

void nm_doctor_read_files(struct nm_doctor_facts *facts, const char *root)
{
	read_self(facts, root);
	read_settings(facts, root);
	find_programs(facts, root);
	read_sockets(facts, root, "/proc/net/udp");
	read_sockets(facts, root, "/proc/net/udp6");
	walk_folder(facts, root, "/proc", read_process);
	walk_folder(facts, root, "/etc/modprobe.d", read_blacklist);
	walk_folder(facts, root, "/run/modprobe.d", read_blacklist);
	walk_folder(facts, root, "/usr/lib/modprobe.d", read_blacklist);
	walk_folder(facts, root, "/lib/modprobe.d", read_blacklist);
}
