/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system call filter, by libseccomp. A list of what is allowed, by names: a call that this
 * architecture or libseccomp does not have is left out.
 *
 * What is not on the list fails with EPERM instead of ending the process: a newer libc or libuv
 * tries calls that did not exist when this was written and falls back when they fail, and a gateway
 * that dies of that takes every tunnel with it.
 */
#include "daemon/process/seccomp.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <natmux/error.h>

#include "base/log.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const char *const allowed[] = {
	/* datagrams, packets of the TUN device, streams of control clients */
	"read",
	"readv",
	"recvfrom",
	"recvmsg",
	"recvmmsg",
	"recvmmsg_time64",
	"write",
	"writev",
	"sendto",
	"sendmsg",
	"sendmmsg",
	"accept",
	"accept4",
	"connect",
	"close",
	"shutdown",
	/* the loop */
	"epoll_create1",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"eventfd2",
	"pipe2",
	"poll",
	"ppoll",
	"ppoll_time64",
	"timerfd_create",
	"timerfd_settime",
	"timerfd_settime64",
	/* sockets that are open: GRO and GSO by reload, peer credentials, names */
	"getsockopt",
	"setsockopt",
	"getsockname",
	"getpeername",
	"fcntl",
	"fcntl64",
	"dup",
	"dup3",
	/* time */
	"clock_gettime",
	"clock_gettime64",
	"clock_getres",
	"clock_nanosleep",
	"clock_nanosleep_time64",
	"nanosleep",
	"gettimeofday",
	"time",
	/* the configuration file again, users, time zone; sockets' names at the end */
	"open",
	"openat",
	"lseek",
	"_llseek",
	"pread64",
	"fstat",
	"fstat64",
	"fstatat64",
	"newfstatat",
	"stat",
	"stat64",
	"lstat",
	"lstat64",
	"statx",
	"access",
	"faccessat",
	"faccessat2",
	"readlink",
	"readlinkat",
	"getcwd",
	"unlink",
	"unlinkat",
	/* memory, as libc uses it; mmap and mprotect: see add_guarded(); natmuxd's threads run by now */
	"brk",
	"mremap",
	"munmap",
	"madvise",
	/* keys of new SAs: never swapped */
	"mlock",
	"mlock2",
	"munlock",
	"futex",
	"futex_time64",
	"set_robust_list",
	"rseq",
	"sched_yield",
	"sched_getaffinity",
	"membarrier",
	"getrandom",
	/* signals, identity, the end */
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sigaltstack",
	"sigreturn",
	"restart_syscall",
	"getpid",
	"gettid",
	"getppid",
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"getuid32",
	"geteuid32",
	"getgid32",
	"getegid32",
	"tgkill",
	"uname",
	"sysinfo",
	"getrusage",
	"prlimit64",
	"ugetrlimit",
	"exit",
	"exit_group",
};

/* What the process of attach = join does: it looks at others and opens sockets, and sees no datagram. */
static const char *const allowed_joining[] = {
	/* questions and answers, the log */
	"recvfrom",
	"recvmsg",
	"sendto",
	"sendmsg",
	"write",
	"writev",
	/* /proc, users */
	"open",
	"openat",
	"read",
	"lseek",
	"_llseek",
	"pread64",
	"getdents",
	"getdents64",
	"readlink",
	"readlinkat",
	"stat",
	"stat64",
	"lstat",
	"lstat64",
	"fstat",
	"fstat64",
	"fstatat64",
	"newfstatat",
	"statx",
	"fcntl",
	"fcntl64",
	"close",
	/* sockets: theirs, and ours beside them */
	"pidfd_open",
	"pidfd_getfd",
	"bind",
	"getsockname",
	"getsockopt",
	"setsockopt",
	"fchown",
	"fchown32",
	/* time, memory, the end */
	"clock_gettime",
	"clock_gettime64",
	"gettimeofday",
	"time",
	"brk",
	"mremap",
	"munmap",
	"madvise",
	"futex",
	"futex_time64",
	"getrandom",
	"getpid",
	"gettid",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sigreturn",
	"restart_syscall",
	"exit",
	"exit_group",
};

/* Nothing natmuxd ever does, and the first thing somebody who took it over would. */
static const char *const fatal[] = {
	"execve",
	"execveat",
	"ptrace",
	"process_vm_readv",
	"process_vm_writev",
	"fork",
	"vfork",
	"kexec_load",
	"kexec_file_load",
	"init_module",
	"finit_module",
	"delete_module",
	"bpf",
	"mount",
	"umount2",
	"pivot_root",
	"chroot",
	"setns",
	"unshare",
};

static int add_list(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int call = seccomp_syscall_resolve_name(names[i]);
		int err = call == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(filter, action, call, 0);

		/* EDOM: not of this architecture. */
		if (err < 0 && err != -EDOM)
			return err;
	}
	return 0;
}

/* What one kind of process may do. */
struct rules {
	const char *const *allowed;
	size_t n;
	int (*add_guarded)(scmp_filter_ctx filter);
};

/* A call that is harmless with some arguments only. */
struct guarded {
	const char *name;
	struct scmp_arg_cmp condition;
};

static int add_guarded(scmp_filter_ctx filter, const struct guarded *guarded, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && err >= 0; i++) {
		int call = seccomp_syscall_resolve_name(guarded[i].name);

		if (call != __NR_SCMP_ERROR)
			err = seccomp_rule_add_array(
				filter, SCMP_ACT_ALLOW, call, 1, &guarded[i].condition);
		err = err == -EDOM ? 0 : err;
	}
	return err;
}

static int add_guarded_running(scmp_filter_ctx filter)
{
	const struct guarded guarded[] = {
		/* No new code. */
		{"mmap", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
		{"mmap2", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
		{"mprotect", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
		/* No new sockets but those to the service manager and user database. */
		{"socket", SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0)},
		{"ioctl", SCMP_A1(SCMP_CMP_EQ, FIONBIO, 0)},
		{"ioctl", SCMP_A1(SCMP_CMP_EQ, FIOCLEX, 0)},
		{"ioctl", SCMP_A1(SCMP_CMP_EQ, TCGETS, 0)},
		/* No more super-packets after a broken one. */
		{"ioctl", SCMP_A1(SCMP_CMP_EQ, TUNSETOFFLOAD, 0)},
		/* The number of an interface that an SA is offloaded to. */
		{"ioctl", SCMP_A1(SCMP_CMP_EQ, SIOCGIFINDEX, 0)},
	};

	return add_guarded(filter, guarded, ARRAY_SIZE(guarded));
}

static int add_guarded_joining(scmp_filter_ctx filter)
{
	const struct guarded guarded[] = {
		{"mmap", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
		{"mmap2", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
		{"mprotect", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
		/* The port, sock_diag, names of interfaces. */
		{"socket", SCMP_A0(SCMP_CMP_EQ, AF_INET, 0)},
		{"socket", SCMP_A0(SCMP_CMP_EQ, AF_INET6, 0)},
		{"socket", SCMP_A0(SCMP_CMP_EQ, AF_NETLINK, 0)},
		{"socket", SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0)},
		{"ioctl", SCMP_A1(SCMP_CMP_EQ, SIOCGIFINDEX, 0)},
		{"ioctl", SCMP_A1(SCMP_CMP_EQ, SIOCGIFNAME, 0)},
		{"ioctl", SCMP_A1(SCMP_CMP_EQ, TCGETS, 0)},
	};

	return add_guarded(filter, guarded, ARRAY_SIZE(guarded));
}

/* Wishes: a kernel without them has the filter all the same. */
static void set_attributes(scmp_filter_ctx filter)
{
	seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
}

static int make_filter(scmp_filter_ctx filter, const struct rules *rules)
{
	int err;

	set_attributes(filter);
	err = add_list(filter, SCMP_ACT_ALLOW, rules->allowed, rules->n);
	if (err == 0)
		err = add_list(filter, SCMP_ACT_KILL_PROCESS, fatal, ARRAY_SIZE(fatal));
	if (err == 0)
		err = rules->add_guarded(filter);
	return err;
}

static int tell(const struct natmux_log *log, int err)
{
	/* seccomp(2): the kernel has no filters. */
	if (err == -EINVAL || err == -ENOSYS) {
		nm_log(log, NATMUX_LOG_WARNING, "seccomp: not in this kernel; going on without");
		return 0;
	}
	nm_log(log, NATMUX_LOG_ERROR, "seccomp: %s (seccomp = no goes without)", strerror(-err));
	return NATMUX_ESYSTEM;
}

static int apply(const struct rules *rules, const struct natmux_log *log)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err;

	if (!filter)
		return NATMUX_ENOMEM;
	err = make_filter(filter, rules);
	if (err == 0)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err < 0 ? tell(log, err) : 0;
}

int nm_seccomp_apply(const struct natmux_log *log)
{
	const struct rules rules = {allowed, ARRAY_SIZE(allowed), add_guarded_running};
	int err = apply(&rules, log);

	if (err == 0)
		nm_log(log, NATMUX_LOG_INFO, "seccomp: %zu system calls and no others", rules.n);
	return err;
}

int nm_seccomp_apply_joining(const struct natmux_log *log)
{
	const struct rules rules = {
		allowed_joining, ARRAY_SIZE(allowed_joining), add_guarded_joining};

	return apply(&rules, log);
}
