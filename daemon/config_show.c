/* SPDX-License-Identifier: Apache-2.0 */
/* Says what a configuration is and needs, without doing anything with it. */
#include "daemon/config_show.h"

#include "daemon/config.h"
#include "daemon/privileges.h"

static void print_needs(const struct nm_config *config, FILE *out)
{
	struct nm_privilege needed[NM_PRIVILEGES_MAX];
	size_t n = nm_privileges_needed(config, needed);

	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s %s %s\n", needed[i].is_required ? "needs" : "likes",
			needed[i].capability, needed[i].why);
	fprintf(out, "keeps no capability once it runs\n");
}

enum nm_exit nm_config_show(const char *path, bool is_print, FILE *out, FILE *err)
{
	char message[NM_CONFIG_MESSAGE_SIZE];
	struct nm_config *config;

	if (nm_config_read(path, &config, message, sizeof(message)) < 0) {
		fprintf(err, "%s\n", message);
		return NM_EXIT_CONFIG;
	}
	if (is_print) {
		nm_config_print(config, out);
	} else {
		fprintf(out, "%s: ok\n", path);
		print_needs(config, out);
	}
	nm_config_free(config);
	return NM_EXIT_OK;
}
