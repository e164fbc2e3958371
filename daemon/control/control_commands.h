/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of the control protocol, for the table in control_request.c. */
#ifndef NM_CONTROL_COMMANDS_H
#define NM_CONTROL_COMMANDS_H

struct nm_control_call;

int nm_control_status(struct nm_control_call *call);
int nm_control_version(struct nm_control_call *call);
int nm_control_help(struct nm_control_call *call);
int nm_control_reload(struct nm_control_call *call);

int nm_control_flows(struct nm_control_call *call);
int nm_control_servers(struct nm_control_call *call);
int nm_control_aliases(struct nm_control_call *call);

int nm_control_stats(struct nm_control_call *call);
int nm_control_drops(struct nm_control_call *call);
int nm_control_metrics(struct nm_control_call *call);

int nm_control_sa_add(struct nm_control_call *call);
int nm_control_sa_delete(struct nm_control_call *call);
int nm_control_sa_flush(struct nm_control_call *call);
int nm_control_sa_list(struct nm_control_call *call);
int nm_control_sa_export(struct nm_control_call *call);
int nm_control_sa_move(struct nm_control_call *call);

int nm_control_policy_add(struct nm_control_call *call);
int nm_control_policy_delete(struct nm_control_call *call);
int nm_control_policy_flush(struct nm_control_call *call);
int nm_control_policy_list(struct nm_control_call *call);

int nm_control_list_events(struct nm_control_call *call);
int nm_control_begin_capture(struct nm_control_call *call);

#endif
