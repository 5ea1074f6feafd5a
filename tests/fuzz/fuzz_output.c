/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of the log on their way to outputs: what is no record is not sent, and a message fits. */
#include "fuzz.h"
#include "vethwall/output_settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char buf[VW_OUTPUT_MESSAGE_MAX];

	for (int kind = VW_OUTPUT_JOURNALD; kind <= VW_OUTPUT_JSON; kind++)
		for (int over = VW_OVER_UNIX; over <= VW_OVER_TLS; over++) {
			struct vw_output_settings s = {.kind = kind, .transport = over};

			must(vw_output_message(&s, (const char *)data, size, "node", buf) <=
			     sizeof(buf));
		}
	return 0;
}
