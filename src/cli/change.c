/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking for a change of what is in force, and telling what became of it: for apply, confirm,
 * rollback and history. */
#include "cli/change.h"

#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "cli/cmds.h"
#include "cli/control_client.h"
#include "vethwall/cleanup.h"

static long long num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

int vw_change_ask(const char *run_dir, json_t *request, json_t **ret)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	json_auto_t *answer = NULL;
	int r = vw_control_ask(run_dir, request, &answer, &d);

	json_decref(request);
	if (r < 0) {
		if (!d.errors)
			vw_error(&d, NULL, "%s", strerror(-r));
		vw_diag_print(&d, stderr, isatty(STDERR_FILENO));
		return VW_EXIT_TROUBLE;
	}
	vw_control_print_error(answer); /* or warnings */
	if (!json_is_true(json_object_get(answer, "ok")))
		return json_is_true(json_object_get(answer, "refused")) ? VW_EXIT_NO
									: VW_EXIT_TROUBLE;
	*ret = TAKE_PTR(answer);
	return VW_EXIT_OK;
}

void vw_change_counts(const json_t *o)
{
	printf("+%lld -%lld ~%lld", num(o, "added"), num(o, "removed"), num(o, "changed"));
}

void vw_change_report(const json_t *answer, const char *run_dir)
{
	bool stored = json_is_integer(json_object_get(answer, "set"));
	bool elsewhere = strcmp(run_dir, VW_RUN_DIR) != 0;

	if (stored)
		printf("set %lld is in force", num(answer, "set"));
	else
		printf("in force");
	printf(": %lld policies of %lld files (", num(answer, "documents"), num(answer, "files"));
	vw_change_counts(answer);
	printf("), %lld operations in one transaction, %lld live flows cut\n",
	       num(answer, "operations"), num(answer, "flows_cut"));
	if (num(answer, "walls_left"))
		printf("%lld walls are still being looked through for flows to cut\n",
		       num(answer, "walls_left"));
	if (json_is_true(json_object_get(answer, "audit")))
		puts("it only watches: nothing is refused by policy (audit)");
	if (!stored)
		puts("it is not stored: a restart of the agent takes its policy folder");
	else if (json_is_true(json_object_get(answer, "pinned")))
		puts("the agent's policy folder says something else; this set stays, also over a "
		     "restart, until 'vethwall apply' or 'vethwall reload'");
	if (num(answer, "previous"))
		printf("NOT YET CONFIRMED: set %lld comes back in %lld s unless you run: vethwall "
		       "confirm%s%s\n",
		       num(answer, "previous"), (num(answer, "confirm_ms") + 999) / 1000,
		       elsewhere ? " --run-dir " : "", elsewhere ? run_dir : "");
}

void vw_change_put(const char *s)
{
	char out[VW_ESCAPE_MAX + 1];

	while (*s) {
		vw_escape_step(&s, out);
		fputs(out, stdout);
	}
}
