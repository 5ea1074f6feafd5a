/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines about the log itself, as anybody may have written them. What is understood can be written
 * again and is understood the same. */
#include <stdlib.h>
#include <string.h>

#include "vethwall/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char line[VW_NOTE_LINE_MAX];
	struct vw_chain_note n, back;
	enum vw_note_kind kind = vw_note_kind((const char *)data, size);
	size_t len;

	if (vw_chain_parse((const char *)data, size, &n))
		return 0;
	if (n.kind != kind)
		abort();
	len = vw_chain_line(&n, "node", line);
	if (len >= sizeof(line) || vw_chain_parse(line, len, &back) || back.seq != n.seq ||
	    back.offset != n.offset || strcmp(back.sha256, n.sha256) != 0)
		abort();
	return 0;
}
