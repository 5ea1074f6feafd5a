/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that hold JSON of ours and could have been changed by somebody: plans, the history's
 * records and state, what was seen. What is taken comes back as it was written. */
#include "fuzz.h"
#include "vethwall/applied.h"
#include "vethwall/plan_file.h"
#include "vethwall/seen_json.h"

static void plan(const char *text, size_t n)
{
	struct vw_plan_file one = {0}, two = {0};
	struct vw_diag d = {0};
	int r = vw_plan_file_parse(text, n, "plan", &one, &d);
	char *again;

	must_tell(r, &d);
	if (r)
		return;
	again = vw_plan_file_print(&one);
	must(again && !vw_plan_file_parse(again, strlen(again), "plan", &two, &d));
	must(!strcmp(one.plan, two.plan) && !strcmp(one.base, two.base));
	free(again);
	vw_plan_file_done(&one);
	vw_plan_file_done(&two);
}

static void applied(const json_t *j)
{
	struct vw_applied_state s = {0}, t = {0};
	struct vw_applied a = {0}, b = {0};
	json_t *out;

	if (!vw_applied_from_json(j, &a)) {
		out = vw_applied_json(&a);
		must(out && !vw_applied_from_json(out, &b) && a.id == b.id && a.action == b.action);
		json_decref(out);
	}
	if (!vw_applied_state_from_json(j, &s)) {
		must(vw_applied_left_ms(&s, "other", 0, 0) >= 0);
		out = vw_applied_state_json(&s);
		must(out && !vw_applied_state_from_json(out, &t) && s.enforced == t.enforced);
		json_decref(out);
	}
}

static void seen(const json_t *j)
{
	struct vw_seen_table t = {0};
	size_t bad;

	if (!vw_seen_from_json(j, &t, &bad))
		json_decref(vw_seen_json(&t));
	vw_seen_table_done(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *j = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	json_t *sealed = NULL;

	plan((const char *)data, size);
	if (!vw_sealed_parse((const char *)data, size, &sealed))
		json_decref(sealed);
	if (j) {
		applied(j);
		seen(j);
	}
	json_decref(j);
	return 0;
}
