/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall history`: the sets of policies that were in force, when, and who put them there. */
#include <getopt.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/change.h"
#include "cli/cmds.h"

static const char help[] =
	"Usage: vethwall history [SET] [--run-dir DIR] [--format text|json]\n"
	"Lists the sets of policies that were put in force, the youngest first: by whom, how, and "
	"how many\n"
	"files came (+), went (-) and changed (~). '*' marks the one in force. With the number of "
	"a set its\n"
	"policy files are printed (root only).\n\n"
	"  --run-dir DIR   the agent's folder (/run/vethwall)\n"
	"  --format F      text or json\n"
	"  -h, --help      this text\n\n"
	"Exit: 0 listed, 2 no agent, no history or no such set.\n\n"
	"Example:\n"
	"  vethwall history --format json | jq '.sets[] | select(.by.uid != 0)'\n"
	"  sudo vethwall history 12 >policies-of-set-12.yaml\n";

static long long num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static void put_user(long long uid)
{
	const struct passwd *p = getpwuid((uid_t)uid);

	if (p)
		vw_change_put(p->pw_name);
	else
		printf("uid %lld", uid);
}

static void put_asker(const json_t *by)
{
	const json_t *login = json_object_get(by, "login_uid");

	if (!json_is_object(by)) {
		fputs("the agent", stdout);
		return;
	}
	put_user(num(by, "uid"));
	fputs(" (", stdout);
	if (json_is_integer(login) && json_integer_value(login) != num(by, "uid")) {
		fputs("logged in as ", stdout);
		put_user(json_integer_value(login));
		fputs(", ", stdout);
	}
	vw_change_put(str(by, "comm"));
	printf(" %lld)", num(by, "pid"));
}

static void put_set(const json_t *e)
{
	printf("%c %5lld  %.19sZ  %-9s", json_is_true(json_object_get(e, "enforced")) ? '*' : ' ',
	       num(e, "id"), str(e, "time"), str(e, "action"));
	printf("%4lld policies of %3lld files (", num(e, "documents"), num(e, "files"));
	vw_change_counts(e);
	fputs(")  ", stdout);
	put_asker(json_object_get(e, "by"));
	if (num(e, "of"))
		printf(", as set %lld", num(e, "of"));
	puts(json_is_true(json_object_get(e, "audit")) ? ", audit" : "");
}

static void print_list(const json_t *answer)
{
	const json_t *state = json_object_get(answer, "state"), *e;
	size_t i;

	json_array_foreach (json_object_get(answer, "sets"), i, e)
		put_set(e);
	if (num(state, "previous"))
		printf("the set in force is NOT CONFIRMED: set %lld comes back in %.0f s\n",
		       num(state, "previous"),
		       json_number_value(json_object_get(state, "confirm_left")));
	if (json_is_true(json_object_get(state, "pinned")))
		puts("the agent's policy folder says something else than the set in force");
}

/* One YAML stream: each file is a document of its own, or several. */
static void print_texts(const json_t *answer)
{
	const json_t *e;
	size_t i;

	json_array_foreach (json_object_get(answer, "sources"), i, e) {
		const char *text = str(e, "text");
		size_t n = strlen(text);

		fputs("--- # ", stdout);
		vw_change_put(str(e, "name"));
		printf("\n%s%s", text, n && text[n - 1] == '\n' ? "" : "\n");
	}
}

static int show(const char *run_dir, const char *set, bool json)
{
	json_t *request = json_pack("{s:s}", "cmd", "history");
	json_auto_t *answer = NULL;
	int r;

	if (set)
		json_object_set_new(request, "set", json_integer(strtoll(set, NULL, 10)));
	r = vw_change_ask(run_dir, request, &answer);
	if (r != VW_EXIT_OK)
		return VW_EXIT_TROUBLE;
	json_object_del(answer, "ok");
	if (json) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (set) {
		print_texts(answer);
	} else {
		print_list(answer);
	}
	return VW_EXIT_OK;
}

int vw_cmd_history(int argc, char **argv)
{
	static const struct option options[] = {
		{"run-dir", required_argument, NULL, 'r'},
		{"format", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	const char *run_dir = VW_RUN_DIR, *format = "text", *set;
	int o;

	optind = 0;
	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (o == 'h') {
			fputs(help, stdout);
			return VW_EXIT_OK;
		}
		if (o == 'r')
			run_dir = optarg;
		else if (o == 'f')
			format = optarg;
		else
			return VW_EXIT_TROUBLE;
	}
	set = optind < argc ? argv[optind++] : NULL;
	if (optind < argc || (strcmp(format, "text") && strcmp(format, "json")) ||
	    (set && (strlen(set) > 17 || strspn(set, "0123456789") != strlen(set) || !*set))) {
		fputs("vethwall history: takes the number of a set, --run-dir DIR and --format "
		      "text|json\n",
		      stderr);
		return VW_EXIT_TROUBLE;
	}
	return show(run_dir, set, !strcmp(format, "json"));
}
