/* SPDX-License-Identifier: Apache-2.0 */
/* Says what a configuration is and needs, without doing anything with it. */
#include "daemon/config_show.h"

#include <natmux/error.h>

#include "daemon/config/config.h"
#include "daemon/kernel/kernel_plane.h"
#include "daemon/process/privileges.h"

static void print_needs(const struct nm_config *config, FILE *out)
{
	struct nm_privilege needed[NM_PRIVILEGES_MAX];
	size_t n = nm_privileges_needed(config, needed);

	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s %s %s\n", needed[i].is_required ? "needs" : "likes",
			needed[i].capability, needed[i].why);
	if (nm_privileges_kept(config))
		fprintf(out, "keeps %s once it runs\n", nm_privileges_kept(config));
	else
		fprintf(out, "keeps no capability once it runs\n");
	if (config->attach == NM_ATTACH_JOIN)
		fprintf(out, "a process of its own keeps CAP_SYS_PTRACE to join again\n");
}

/* Whether this machine's kernel does what the configuration wants of it. */
static enum nm_exit try_kernel(const struct nm_config *config, FILE *out, FILE *err)
{
	char why[NM_SA_PLANE_WHY] = "";
	int result;

	if (!nm_config_has_plane(config, NM_ESP_KERNEL))
		return NM_EXIT_OK;
	result = nm_kernel_plane_try(why);
	if (result == NATMUX_EUNSUPPORTED) {
		fprintf(err, "%s: esp = kernel: %s\n", config->name, why);
		return NM_EXIT_SYSTEM;
	}
	if (result < 0)
		fprintf(out, "whether this kernel has ESP is not known: %s\n", why);
	return NM_EXIT_OK;
}

enum nm_exit nm_config_show(const char *path, bool is_print, FILE *out, FILE *err)
{
	char message[NM_CONFIG_MESSAGE_SIZE];
	struct nm_config *config;
	enum nm_exit result = NM_EXIT_OK;

	if (nm_config_read(path, &config, message, sizeof(message)) < 0) {
		fprintf(err, "%s\n", message);
		return NM_EXIT_CONFIG;
	}
	if (is_print) {
		nm_config_print(config, out);
	} else {
		fprintf(out, "%s: ok\n", path);
		print_needs(config, out);
		result = try_kernel(config, out, err);
	}
	nm_config_free(config);
	return result;
}
