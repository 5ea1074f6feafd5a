/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The world file and common option values, for the commands that work offline. */
#include "cli/load.h"

#include "cli/cmds.h"
#include "vethwall/cleanup.h"
#include "vethwall/world_json.h"

int vw_load_world(const char *file, struct vw_world *ret, struct vw_diag *d)
{
	struct vw_pos pos = {.file = file};
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = vw_file_read(file, VW_WORLD_TEXT_MAX, &text, &len);

	if (r == -EFBIG)
		vw_error(d, &pos, "the file is larger than %u bytes", VW_WORLD_TEXT_MAX);
	else if (r)
		vw_error(d, &pos, "cannot be read: %s", strerror(-r));
	return r ? r : vw_world_parse(text, len, file, ret, d);
}

bool vw_load_default(const char *word, bool *ret_deny)
{
	bool deny = strcmp(word, "deny") == 0;

	if (!deny && strcmp(word, "allow") != 0)
		return false;
	*ret_deny = deny;
	return true;
}

int vw_load_exit(int r)
{
	return r == 0 ? VW_EXIT_OK : r == -EINVAL ? VW_EXIT_NO : VW_EXIT_TROUBLE;
}
