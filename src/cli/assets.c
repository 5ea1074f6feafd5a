/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Style sheets and the script of the pages, taken into the program as they are in these files (from
 * the top of the tree, where make runs the compiler). A NUL ends each. */
#include "cli/assets.h"

#define ASSET(name, file)                                                  \
	__asm__(".pushsection .rodata\n"                                   \
		".globl " #name "\n.type " #name ", @object\n" #name ":\n" \
		".incbin \"" file "\"\n.byte 0\n"                          \
		".size " #name ", . - " #name "\n.popsection\n")

ASSET(vw_graph_css, "src/cli/graph.css");
ASSET(vw_page_css, "src/cli/page.css");
ASSET(vw_page_js, "src/cli/page.js");
