/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that became part of the program: see assets.c. */
#ifndef VETHWALL_CLI_ASSETS_H
#define VETHWALL_CLI_ASSETS_H

extern const char vw_graph_css[], vw_page_css[], vw_page_js[];

#endif
