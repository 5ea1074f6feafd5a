/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one binary. The table of subcommands is in cli/main.c; this file exists so that tests can
 * link every archive without meeting a second main(). */
#include "cli/cmds.h"

int main(int argc, char **argv)
{
	return vw_main(argc, argv);
}
