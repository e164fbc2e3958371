/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first process of tests/qemu/run.sh's machine, alone in its initial RAM disk: loads the modules
 * that lie there, in the order of their names, and goes over to the host's files and the program that
 * the kernel's command line names (natmux_init=PATH; the kernel makes an environment of it).
 */
#include <fcntl.h>
#include <glob.h>
#include <linux/module.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel panics when we end, and run.sh sees that. */
static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static void load(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", MODULE_INIT_COMPRESSED_FILE) != 0)
		die(path);
	close(fd);
}

int main(void)
{
	char *program = getenv("natmux_init");
	glob_t modules;

	if (!program)
		die("natmux_init");
	if (glob("/modules/*", 0, NULL, &modules) == 0)
		for (size_t i = 0; i < modules.gl_pathc; i++)
			load(modules.gl_pathv[i]);
	mkdir("/root", 0755);
	if (mount("root", "/root", "9p", MS_RDONLY,
		    "trans=virtio,version=9p2000.L,cache=loose,msize=512000") != 0)
		die("mount");
	if (chdir("/root") != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0 ||
		chdir("/") != 0)
		die("chroot");
	execl(program, program, (char *)NULL);
	die(program);
}
