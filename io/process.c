/* SPDX-License-Identifier: Apache-2.0 */
/* Walks through /proc. Decides nothing: who may be joined is the judge's word, not this file's. */
#include "io/process.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 512 };

/* A number and nothing else; -1: another name. */
static int number_of(const char *name)
{
	char *end;
	long number = strtol(name, &end, 10);

	return end != name && *end == '\0' && number >= 0 && number <= INT_MAX ? (int)number : -1;
}

static bool read_name(const char *proc, int pid, char name[NM_PORT_NAME_SIZE])
{
	char path[PATH_SIZE];
	FILE *file;
	bool is_read;

	snprintf(path, sizeof(path), "%s/%d/comm", proc, pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	is_read = fgets(name, NM_PORT_NAME_SIZE, file) != NULL;
	fclose(file);
	if (is_read)
		name[strcspn(name, "\n")] = '\0';
	return is_read;
}

/* "socket:[12345]"; 0: anything else. */
static uint32_t inode_of(const char *path)
{
	char target[64];
	unsigned long inode;
	ssize_t len = readlink(path, target, sizeof(target) - 1);

	if (len <= 0)
		return 0;
	target[len] = '\0';
	return sscanf(target, "socket:[%lu]", &inode) == 1 ? (uint32_t)inode : 0;
}

static void note(struct nm_process_search *search, int pid, int fd, uint32_t inode)
{
	for (size_t i = 0; i < search->sockets_n; i++) {
		struct nm_port_holder *holder = &search->holders[search->n];

		if (inode == 0 || search->sockets[i].inode != inode)
			continue;
		if (search->n == search->max) {
			search->is_full = true;
			return;
		}
		*holder = (struct nm_port_holder){.socket = i, .pid = pid, .fd = fd};
		if (read_name(search->proc, pid, holder->name))
			search->n++;
	}
}

static void look_into(struct nm_process_search *search, int pid)
{
	char path[PATH_SIZE], file[PATH_SIZE + 16];
	struct dirent *entry;
	DIR *folder;

	snprintf(path, sizeof(path), "%s/%d/fd", search->proc, pid);
	folder = opendir(path);
	if (!folder) {
		search->closed += errno == EACCES || errno == EPERM;
		return;
	}
	while ((entry = readdir(folder)) != NULL) {
		int fd = number_of(entry->d_name);

		if (fd < 0)
			continue;
		snprintf(file, sizeof(file), "%s/%d", path, fd);
		note(search, pid, fd, inode_of(file));
	}
	closedir(folder);
}

int nm_process_find(struct nm_process_search *search)
{
	DIR *folder = opendir(search->proc);
	struct dirent *entry;

	if (!folder)
		return -1;
	search->n = 0;
	search->closed = 0;
	search->is_full = false;
	while ((entry = readdir(folder)) != NULL) {
		int pid = number_of(entry->d_name);

		if (pid > 0)
			look_into(search, pid);
	}
	closedir(folder);
	return 0;
}

static const char *find_name(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return *names;
	return NULL;
}

static bool stat_namespace(const char *proc, const char *process, struct stat *st)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%s/ns/net", proc, process);
	return stat(path, st) == 0;
}

int nm_process_elsewhere(const char *proc, const char *const *names, const char **found)
{
	struct stat ours, theirs;
	DIR *folder = opendir(proc);
	struct dirent *entry;
	int result = 0;

	if (!folder)
		return 0;
	while (result == 0 && stat_namespace(proc, "self", &ours) &&
		(entry = readdir(folder)) != NULL) {
		char name[NM_PORT_NAME_SIZE];
		int pid = number_of(entry->d_name);

		if (pid <= 0 || !read_name(proc, pid, name) || !find_name(names, name))
			continue;
		if (!stat_namespace(proc, entry->d_name, &theirs) ||
			(theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev))
			continue;
		*found = find_name(names, name);
		result = pid;
	}
	closedir(folder);
	return result;
}
