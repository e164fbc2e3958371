/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NM_RUN_H
#define NM_RUN_H

struct nm_config;

/*
 * Runs natmuxd until it is told to stop. Takes over `config`; `config_path` is borrowed and read
 * again at each reload. Returns 0 after an orderly stop, or what kept it from starting, which has
 * been logged.
 */
int nm_server_run(const char *config_path, struct nm_config *config);

#endif
