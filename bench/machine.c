/* SPDX-License-Identifier: Apache-2.0 */
/* Description of machine, build and moment. */
#include "bench/machine.h"

#include <natmux/version.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "build-info.h"
#include "build-revision.h"

const struct nm_build nm_build = {
	.version = NATMUX_VERSION,
	.revision = NM_BUILD_REVISION,
	.compiler = NM_BUILD_COMPILER,
	.flags = NM_BUILD_FLAGS,
};

void nm_machine_cpu_model(const char *cpuinfo, char *model, unsigned int size)
{
	/* x86 and s390 on the left, some ARM and POWER kernels on the right. */
	static const char *const keys[] = {"model name", "Processor", "cpu\t", "Hardware"};

	snprintf(model, size, "unknown");
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *key = strstr(cpuinfo, keys[i]);
		const char *colon = key ? strchr(key, ':') : NULL;

		if (!colon)
			continue;
		colon += 1 + strspn(colon + 1, " \t");
		snprintf(model, size, "%.*s", (int)strcspn(colon, "\n"), colon);
		return;
	}
}

static void read_cpu(struct nm_machine *machine)
{
	char text[4096] = "";
	FILE *file = fopen("/proc/cpuinfo", "r");
	cpu_set_t cpus;

	if (file) {
		text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
		fclose(file);
	}
	nm_machine_cpu_model(text, machine->cpu, sizeof(machine->cpu));
	machine->cores = 1;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		machine->cores = (unsigned int)CPU_COUNT(&cpus);
}

void nm_machine_read(struct nm_machine *machine)
{
	time_t now = time(NULL);
	struct utsname name;
	struct tm tm;

	read_cpu(machine);
	uname(&name);
	snprintf(machine->kernel, sizeof(machine->kernel), "%.20s %.50s %.20s", name.sysname,
		name.release, name.machine);
	gmtime_r(&now, &tm);
	strftime(machine->date, sizeof(machine->date), "%Y-%m-%dT%H:%M:%SZ", &tm);
}
