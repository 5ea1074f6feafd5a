/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Request lines on the control socket, from root and from the log group. Every line has an answer,
 * and what changes something is root's alone. */
#include "agent/control.h"
#include "fuzz.h"
#include "vethwall/sources.h"

static bool changed;

static json_t *answer(void *arg, const json_t *request, const struct vw_control_peer *peer)
{
	(void)arg;
	(void)peer;
	must(json_is_object(request));
	return json_pack("{s:b}", "ok", 1);
}

static json_t *change(void *arg, const json_t *request, const struct vw_control_peer *peer)
{
	struct vw_sources s = {0};
	struct vw_policyset set = {0};
	struct vw_diag d = {0};
	char digest[VW_DIGEST_LEN];
	json_t *again;

	(void)arg;
	must(peer->root);
	changed = true;
	if (!vw_sources_from_json(json_object_get(request, "policies"), &s)) {
		vw_sources_digest(&s, digest);
		again = vw_sources_json(&s);
		must(again);
		json_decref(again);
		must_tell(vw_sources_parse(&s, &set, &d), &d);
	}
	vw_policyset_done(&set);
	vw_sources_done(&s);
	return json_pack("{s:b}", "ok", 1);
}

static const struct vw_control_cmd cmds[] = {
	{"status", false, answer}, {"apply", true, change}, {}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int root = 0; root < 2; root++) {
		struct vw_control_peer peer = {.pid = 1, .uid = root ? 0 : 1000, .root = root};
		json_t *a;
		char *text;

		changed = false;
		a = vw_control_answer(cmds, NULL, (const char *)data, size, &peer);
		must(json_is_boolean(json_object_get(a, "ok")));
		must(root || !changed);
		text = json_dumps(a, JSON_COMPACT);
		must(text && !strchr(text, '\n'));
		free(text);
		json_decref(a);
	}
	return 0;
}
