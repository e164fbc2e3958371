/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into User-Mode Linux on processors with AMX. Its kernel (6.1) keeps a fixed 2.7 KB for
 * a process's extended registers, but ptrace takes back nothing shorter than all of them, 11 KB
 * there: every process would die with "ptrace set fp regs failed". This passes on the part that
 * UML keeps and leaves the rest, AMX tiles that nobody in there uses, as the host has it.
 */
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { XSTATE_MAX = 64 * 1024 };

typedef long ptrace_function(int request, pid_t pid, void *addr, void *data);

static long xstate_get(ptrace_function *real, pid_t pid, void *addr, struct iovec *part)
{
	static uint8_t whole[XSTATE_MAX];
	struct iovec all = {whole, sizeof(whole)};
	long result = real(PTRACE_GETREGSET, pid, addr, &all);

	if (result < 0)
		return result;
	if (part->iov_len > all.iov_len)
		part->iov_len = all.iov_len;
	memcpy(part->iov_base, whole, part->iov_len);
	return result;
}

static long xstate_set(ptrace_function *real, pid_t pid, void *addr, struct iovec *part)
{
	static uint8_t whole[XSTATE_MAX];
	struct iovec all = {whole, sizeof(whole)};
	long result = real(PTRACE_GETREGSET, pid, addr, &all);

	if (result < 0)
		return result;
	memcpy(whole, part->iov_base, part->iov_len < all.iov_len ? part->iov_len : all.iov_len);
	return real(PTRACE_SETREGSET, pid, addr, &all);
}

/* In place of libc's. */
long ptrace(enum __ptrace_request request, ...);
long ptrace(enum __ptrace_request request, ...)
{
	static ptrace_function *real;
	va_list args;
	pid_t pid;
	void *addr, *data;

	va_start(args, request);
	pid = va_arg(args, pid_t);
	addr = va_arg(args, void *);
	data = va_arg(args, void *);
	va_end(args);
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "ptrace");
	if (addr == (void *)(uintptr_t)NT_X86_XSTATE && request == PTRACE_GETREGSET)
		return xstate_get(real, pid, addr, data);
	if (addr == (void *)(uintptr_t)NT_X86_XSTATE && request == PTRACE_SETREGSET)
		return xstate_set(real, pid, addr, data);
	return real((int)request, pid, addr, data);
}
