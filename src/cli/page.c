/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all pages are made of. The content security policy allows the one style sheet and the one
 * script that are in the page, by their hashes, and nothing else from anywhere: even if a text of
 * others came to stand there as markup, it could neither run nor call out. */
#include "cli/page.h"

#include <inttypes.h>
#include <sha2.h>
#include <string.h>

#include "cli/assets.h"
#include "codec/base64.h"
#include "codec/markup.h"
#include "vethwall/version.h"

#define HASH_LEN VW_BASE64_LEN(SHA256_DIGEST_LENGTH)

static void hash(const char *const *parts, size_t n, char ret[static HASH_LEN])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	SHA2_CTX ctx;

	SHA256Init(&ctx);
	for (size_t i = 0; i < n; i++)
		SHA256Update(&ctx, (const uint8_t *)parts[i], strlen(parts[i]));
	SHA256Final(digest, &ctx);
	vw_base64(digest, sizeof(digest), ret);
}

void vw_page_begin(FILE *f, const char *title)
{
	const char *const sheets[] = {vw_graph_css, vw_page_css}, *const scripts[] = {vw_page_js};
	char style[HASH_LEN], script[HASH_LEN];

	hash(sheets, 2, style);
	hash(scripts, 1, script);
	fprintf(f,
		"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"style-src 'sha256-%s'; script-src 'sha256-%s'; base-uri 'none'; "
		"form-action 'none'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width\">\n"
		"<meta name=\"referrer\" content=\"no-referrer\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
		style, script);
	vw_markup(f, title);
	fprintf(f, "</title>\n<style>%s%s</style>\n</head>\n<body>\n", vw_graph_css, vw_page_css);
	fputs("<button type=\"button\" class=\"theme\">Light or dark</button>\n<h1>", f);
	vw_markup(f, title);
	fputs("</h1>\n", f);
}

void vw_page_end(FILE *f)
{
	fprintf(f, "<p class=\"muted\">vethwall %s</p>\n<script>%s</script>\n</body>\n</html>\n",
		vw_version, vw_page_js);
}

/* ---- facts ---- */

void vw_page_facts_begin(FILE *f)
{
	fputs("<dl class=\"about\">\n", f);
}

void vw_page_facts_end(FILE *f)
{
	fputs("</dl>\n", f);
}

void vw_page_fact(FILE *f, const char *name, const char *value)
{
	if (!value)
		return;
	fprintf(f, "<dt>%s</dt><dd>", name);
	vw_markup(f, value);
	fputs("</dd>\n", f);
}

void vw_page_fact_time(FILE *f, const char *name, int64_t us)
{
	char when[VW_TIME_STRLEN];

	vw_page_fact(f, name, vw_time_str(us, when));
}

/* ---- tables ---- */

void vw_page_table_begin(FILE *f, const char *id, const char *const *heads, size_t n)
{
	fprintf(f,
		"<div class=\"bar\" data-for=\"%s\"><label>Filter <input type=\"search\" "
		"placeholder=\"words\"></label><span class=\"count muted\"></span></div>\n"
		"<div class=\"wide\"><table class=\"sorts\" id=\"%s\"><thead><tr>",
		id, id);
	for (size_t i = 0; i < n; i++) {
		bool measure = heads[i][0] == '#' || heads[i][0] == '@';

		fprintf(f, "<th scope=\"col\"%s>", measure ? " data-first=\"descending\"" : "");
		vw_markup(f, heads[i] + measure);
		fputs("</th>", f);
	}
	fputs("</tr></thead>\n<tbody>\n", f);
}

void vw_page_table_end(FILE *f)
{
	fputs("</tbody></table></div>\n", f);
}

void vw_page_row(FILE *f)
{
	fputs("<tr>", f);
}

void vw_page_row_end(FILE *f)
{
	fputs("</tr>\n", f);
}

void vw_page_cell(FILE *f, const char *text)
{
	fputs("<td>", f);
	vw_markup(f, text);
	fputs("</td>", f);
}

void vw_page_number(FILE *f, uint64_t n)
{
	fprintf(f, "<td class=\"number\" data-v=\"%" PRIu64 "\">%" PRIu64 "</td>", n, n);
}

/* To the millisecond: the column stays narrow, the whole is in data-v. */
void vw_page_time(FILE *f, int64_t us)
{
	char when[VW_TIME_STRLEN];

	vw_time_str(us, when);
	fprintf(f, "<td class=\"time\" data-v=\"%" PRId64 "\">%.10s %.12s</td>", us, when,
		when + strcspn(when, "T") + 1);
}

void vw_page_kind(FILE *f, const char *kind, const char *words)
{
	fprintf(f, "<td class=\"kind %s\">%s</td>", kind, words);
}
