/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of the log that are about the log, its chain of seals, and lines as outputs send them on.
 */
#include "fuzz.h"
#include "vethwall/note.h"
#include "vethwall/output_settings.h"

static void chain(const char *line, size_t n)
{
	char buf[VW_NOTE_LINE_MAX];
	struct vw_chain_note one = {0}, two = {0};
	enum vw_note_kind kind = vw_note_kind(line, n);
	size_t len;

	if (vw_chain_parse(line, n, &one))
		return;
	must(one.kind == kind && (kind == VW_NOTE_SEGMENT || kind == VW_NOTE_SEAL));
	len = vw_chain_line(&one, "node", buf);
	must(len <= sizeof(buf) && buf[len - 1] == '\n');
	must(!vw_chain_parse(buf, len - 1, &two));
	must(one.seq == two.seq && one.offset == two.offset && one.oldest == two.oldest &&
	     one.time_us == two.time_us && !strcmp(one.sha256, two.sha256));
}

static void output(const char *line, size_t n)
{
	static char buf[VW_OUTPUT_MESSAGE_MAX];

	for (int kind = VW_OUTPUT_JOURNALD; kind <= VW_OUTPUT_JSON; kind++)
		for (int over = VW_OVER_UNIX; over <= VW_OVER_TLS; over++) {
			struct vw_output_settings s = {.kind = kind, .transport = over};

			must(vw_output_message(&s, line, n, "node", buf) <= sizeof(buf));
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (memchr(data, '\n', size))
		return 0; /* a line has none */
	chain((const char *)data, size);
	output((const char *)data, size);
	return 0;
}
