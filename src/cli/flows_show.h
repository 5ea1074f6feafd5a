/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All about one flow, between what gathers it and what prints it. */
#ifndef VETHWALL_CLI_FLOWS_SHOW_H
#define VETHWALL_CLI_FLOWS_SHOW_H

#include <jansson.h>

#include "cli/flows.h"

/* Where the policy and rule of a record stand in the files now, or what is known instead: {file,
 * line, column, text: [lines]} or {note}. */
json_t *flows_rule_place(const char *policies, const struct vw_flow *f);
/* What the agent says of the flow and its workloads now: {verdict, workload, peer} or {note}. */
json_t *flows_now(const char *run_dir, const struct vw_flow *f);
/* For people; reads nothing but o. */
void flows_show_text(const struct flows_query *q, const json_t *o);

#endif
