/* SPDX-License-Identifier: GPL-2.0-or-later */
/* World files. A world that is taken is written as JSON, read again, and is the same. */
#include "fuzz.h"
#include "vethwall/codec.h"
#include "vethwall/world_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vw_world w = {0}, again = {0};
	struct vw_diag d = {0};
	int r = vw_world_parse((const char *)data, size, "w.yaml", &w, &d);
	json_t *one, *two;
	char *text;

	must(!r || r == -EINVAL);
	must_tell(r, &d);
	if (r)
		return 0;
	one = vw_world_json(&w);
	must(one);
	text = vw_world_text(one);
	must(text);
	must(!vw_world_parse(text, strlen(text), "w.json", &again, &d));
	two = vw_world_json(&again);
	must(two && json_equal(one, two));
	json_decref(one);
	json_decref(two);
	free(text);
	vw_world_done(&w);
	vw_world_done(&again);
	vw_diag_done(&d);
	return 0;
}
