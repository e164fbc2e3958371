/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands, one file each, for the table in commands.c. What prints a result is apart from
 * what fetches it, so that tests can print results without a daemon.
 */
#ifndef NM_CTL_COMMANDS_H
#define NM_CTL_COMMANDS_H

#include "ctl/ctl.h"

enum nm_ctl_exit nm_ctl_status(struct nm_ctl *ctl, int argc, char **argv);
enum nm_ctl_exit nm_ctl_flows(struct nm_ctl *ctl, int argc, char **argv);
enum nm_ctl_exit nm_ctl_stats(struct nm_ctl *ctl, int argc, char **argv);
enum nm_ctl_exit nm_ctl_drops(struct nm_ctl *ctl, int argc, char **argv);
enum nm_ctl_exit nm_ctl_servers(struct nm_ctl *ctl, int argc, char **argv);
enum nm_ctl_exit nm_ctl_aliases(struct nm_ctl *ctl, int argc, char **argv);
enum nm_ctl_exit nm_ctl_events(struct nm_ctl *ctl, int argc, char **argv);
enum nm_ctl_exit nm_ctl_sa(struct nm_ctl *ctl, int argc, char **argv);
enum nm_ctl_exit nm_ctl_policy(struct nm_ctl *ctl, int argc, char **argv);
enum nm_ctl_exit nm_ctl_metrics(struct nm_ctl *ctl, int argc, char **argv);
enum nm_ctl_exit nm_ctl_reload(struct nm_ctl *ctl, int argc, char **argv);
enum nm_ctl_exit nm_ctl_capture(struct nm_ctl *ctl, int argc, char **argv);
enum nm_ctl_exit nm_ctl_version(struct nm_ctl *ctl, int argc, char **argv);
enum nm_ctl_exit nm_ctl_doctor(struct nm_ctl *ctl, int argc, char **argv);
enum nm_ctl_exit nm_ctl_help(struct nm_ctl *ctl, int argc, char **argv);

extern const char nm_ctl_capture_help[], nm_ctl_sa_help[], nm_ctl_policy_help[];

void nm_ctl_print_status(struct nm_ctl *ctl, const json_t *result);
void nm_ctl_print_flows(struct nm_ctl *ctl, const json_t *result);
void nm_ctl_print_stats(struct nm_ctl *ctl, const json_t *result);
void nm_ctl_print_rates(struct nm_ctl *ctl, const json_t *before, const json_t *result);
void nm_ctl_print_drops(struct nm_ctl *ctl, const json_t *result);
void nm_ctl_print_servers(struct nm_ctl *ctl, const json_t *result);
void nm_ctl_print_aliases(struct nm_ctl *ctl, const json_t *result);
void nm_ctl_print_sas(struct nm_ctl *ctl, const json_t *result);
void nm_ctl_print_sas_in_full(struct nm_ctl *ctl, const json_t *result);
void nm_ctl_print_export(struct nm_ctl *ctl, const json_t *result);
void nm_ctl_print_policies(struct nm_ctl *ctl, const json_t *result);
void nm_ctl_print_event(struct nm_ctl *ctl, const json_t *event);

struct nm_doctor_report;
void nm_ctl_print_report(struct nm_ctl *ctl, const struct nm_doctor_report *report);
json_t *nm_ctl_report_json(const struct nm_doctor_report *report);

/* The usage of all commands, or of one. */
void nm_ctl_print_help(struct nm_ctl *ctl, const struct nm_ctl_command *command);

#endif
