/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NM_RUN_H
#define NM_RUN_H

struct nm_config;
struct nm_options;

/*
 * Runs natmuxd until it is told to stop. Takes over `config`, which was read from the options'
 * path; that is read again at each reload. `options` is borrowed. Returns 0 after an orderly stop,
 * or what kept it from starting, which has been logged.
 */
int nm_server_run(const struct nm_options *options, struct nm_config *config);

#endif
