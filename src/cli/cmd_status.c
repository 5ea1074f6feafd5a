/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall status`: what the agent enforces, and what it does not, for people and for programs. */
#include <getopt.h>
#include <string.h>

#include "cli/cmds.h"
#include "cli/control_client.h"
#include "vethwall/cleanup.h"

static const char help[] =
	"Usage: vethwall status [--run-dir DIR] [--format text|json]\n"
	"Shows the agent, its runtime and policies, each workload with its interfaces and the "
	"policies on\n"
	"each direction, veths that are held, and what could not be enforced or recorded.\n\n"
	"  --run-dir DIR   the agent's folder (/run/vethwall)\n"
	"  --format F      text or json\n"
	"  -h, --help      this text\n\n"
	"Exit: 0 all is enforced, 1 something is not or is degraded, 2 no agent answers.\n\n"
	"Example:\n"
	"  vethwall status --format json | jq '.workloads[] | select(.state != \"enforced\") | "
	".name'\n";

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static long long num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static bool yes(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

/* Names that containers choose must not speak to the terminal. */
static void put(const char *s)
{
	for (; *s; s++)
		putchar((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s);
}

static void put_list(const char *label, const json_t *list)
{
	const json_t *e;
	size_t i;

	printf("  %s: ", label);
	if (!json_array_size(list))
		fputs("(no policy)", stdout);
	json_array_foreach (list, i, e) {
		if (i)
			fputs(", ", stdout);
		put(json_string_value(e));
	}
}

/* Which stored set is in force, and what is special about it. */
static void print_applied(const json_t *j)
{
	const json_t *set = json_object_get(j, "set");

	if (json_is_object(set))
		printf("in force  set %lld, %s at %.19sZ%s\n", num(set, "id"), str(set, "action"),
		       str(set, "time"), yes(set, "audit") ? ", AUDIT: it only watches" : "");
	if (yes(j, "stuck"))
		printf("          NOT CONFIRMED, and set %lld CANNOT BE RESTORED\n",
		       num(j, "previous"));
	else if (num(j, "previous"))
		printf("          NOT CONFIRMED: set %lld comes back in %.0f s\n",
		       num(j, "previous"), json_number_value(json_object_get(j, "confirm_left")));
	if (yes(j, "pinned"))
		puts("          THE POLICY FOLDER DIFFERS; 'vethwall apply' or 'vethwall reload' "
		     "puts it in force");
	if (*str(j, "error")) {
		fputs("history   ERROR: ", stdout);
		put(str(j, "error"));
		putchar('\n');
	}
}

/* What others did to the table, and that it was undone. */
static void print_tampering(const json_t *j)
{
	const json_t *last = json_object_get(j, "last"), *ms = json_object_get(last, "repaired_ms");

	if (!json_is_object(last))
		return;
	printf("          TAMPERED with %lld times%s, last %.19sZ: ", num(j, "count"),
	       yes(j, "fight") ? ", ANOTHER PROGRAM FIGHTS FOR IT" : "", str(last, "time"));
	put(str(last, "what"));
	if (json_is_real(ms))
		printf("; repaired in %.1f ms", json_real_value(ms));
	putchar('\n');
}

static void print_head(const json_t *j)
{
	const json_t *runtime = json_object_get(j, "runtime");
	const json_t *policies = json_object_get(j, "policies");
	const json_t *error = json_object_get(j, "error"), *list;
	size_t i;

	if (yes(j, "audit"))
		puts("AUDIT: nothing is refused by policy; what would be passes and is recorded");
	printf("agent     %s, pid %lld, since %s, %s\n", str(j, "version"), num(j, "pid"),
	       str(j, "since"),
	       !yes(j, "ready")	   ? "STARTING"
	       : yes(j, "healthy") ? "healthy"
				   : "DEGRADED");
	printf("table     netdev vethwall, %s\n", yes(j, "owned_table")
							  ? "owned: nobody else can change it"
							  : "NOT owned: others can change it");
	print_tampering(json_object_get(j, "tampering"));
	printf("runtime   %s: %s%s%s\n", str(runtime, "name"),
	       yes(runtime, "connected") ? "connected" : "NOT CONNECTED, what is enforced stays",
	       *str(runtime, "text") ? "; " : "", str(runtime, "text"));
	printf("policies  %lld documents of %zu files in %s, loaded %s%s; default: %s\n",
	       num(policies, "documents"), json_array_size(json_object_get(policies, "files")),
	       str(policies, "path"), str(policies, "loaded"),
	       yes(policies, "refused") ? " (A LATER RELOAD WAS REFUSED)" : "", str(j, "default"));
	print_applied(json_object_get(j, "applied"));
	json_array_foreach (json_object_get(j, "image_lists"), i, list) {
		printf("images    %s: %lld in %s", str(list, "name"), num(list, "entries"),
		       str(list, "file"));
		if (yes(list, "read"))
			printf(", read %.0f s ago", json_real_value(json_object_get(list, "age")));
		else
			printf(", NEVER READ: every image counts as not in it");
		if (*str(list, "error")) {
			fputs("; ERROR: ", stdout);
			put(str(list, "error"));
		}
		putchar('\n');
	}
	if (json_is_object(error))
		printf("error     %s (%lld times, last %s)\n", str(error, "text"),
		       num(error, "failures"), str(error, "time"));
}

static void put_names(const json_t *list, const char *none)
{
	const json_t *e;
	size_t i;

	if (!json_array_size(list))
		fputs(none, stdout);
	json_array_foreach (list, i, e) {
		if (i)
			fputs(", ", stdout);
		put(json_string_value(e));
	}
}

/* What holds unknown veths while the agent is away, and where. */
static void print_guard(const json_t *g)
{
	printf("guard     %s%s: managed bridges ",
	       yes(g, "stands") ? "stands" : "NONE: ", str(g, "reason"));
	put_names(json_object_get(g, "bridges"), "none");
	if (json_array_size(json_object_get(g, "exempt"))) {
		fputs("; exempt ", stdout);
		put_names(json_object_get(g, "exempt"), "");
	}
	printf("; refused %lld packets from veths without a wall, %lld to them\n",
	       num(g, "packets_out"), num(g, "packets_in"));
}

static void print_dns(const json_t *d)
{
	const char *error = json_string_value(json_object_get(d, "error"));

	if (error)
		printf("dns       names open nothing new: %s\n", error);
	else if (json_is_true(json_object_get(d, "listening")))
		printf("dns       %lld answers taken, %lld names in force; not believed: %lld "
		       "answers, %lld addresses\n",
		       num(d, "believed"), num(d, "names"), num(d, "unbelieved"),
		       num(d, "refused_addresses"));
}

static void print_denied(const json_t *d)
{
	printf("denied    %lld packets in %lld records", num(d, "packets"), num(d, "records"));
	if (num(d, "overflow_packets"))
		printf(", %lld packets only counted", num(d, "overflow_packets"));
	if (num(d, "samples_lost"))
		printf(", samples lost %lld times", num(d, "samples_lost"));
	if (num(d, "write_errors"))
		printf(", %lld WRITE ERRORS, %lld packets not written", num(d, "write_errors"),
		       num(d, "unwritten_packets"));
	putchar('\n');
}

static void print_iface(const json_t *i)
{
	const json_t *ips = json_object_get(i, "ips"), *ip;
	size_t n;

	printf("    %-15s %-12s ", *str(i, "veth") ? str(i, "veth") : "-", str(i, "state"));
	put(str(i, "network"));
	json_array_foreach (ips, n, ip)
		printf(" %s", json_string_value(ip));
	put_list("ingress", json_object_get(i, "ingress"));
	put_list("egress", json_object_get(i, "egress"));
	if (*str(i, "reason")) {
		fputs("  because: ", stdout);
		put(str(i, "reason"));
	}
	putchar('\n');
}

static void print_workload(const json_t *w)
{
	const json_t *list = json_object_get(w, "interfaces"), *i;
	size_t n;

	put(str(w, "namespace"));
	putchar('/');
	put(str(w, "name"));
	fputs("  service ", stdout);
	put(str(w, "service"));
	printf("  %s%s", str(w, "state"), yes(w, "paused") ? ", paused" : "");
	if (*str(w, "reason")) {
		fputs(": ", stdout);
		put(str(w, "reason"));
	}
	putchar('\n');
	json_array_foreach (list, n, i)
		print_iface(i);
}

static void print_text(const json_t *j)
{
	const json_t *counts = json_object_get(j, "counts"), *held = json_object_get(j, "held");
	const json_t *workloads = json_object_get(j, "workloads"), *e;
	size_t i;

	print_head(j);
	print_guard(json_object_get(j, "guard"));
	print_denied(json_object_get(j, "denied"));
	print_dns(json_object_get(j, "dns"));
	printf("workloads %lld: %lld interfaces enforced, %lld not enforced; %lld workloads not "
	       "enforceable; %lld veths held\n\n",
	       num(counts, "workloads"), num(counts, "enforced"), num(counts, "not_enforced"),
	       num(counts, "not_enforceable"), num(counts, "held"));
	json_array_foreach (workloads, i, e)
		print_workload(e);
	json_array_foreach (held, i, e)
		printf("held      %s (ifindex %lld) on %s for %.1f s: a managed bridge, but of no "
		       "known workload%s\n",
		       str(e, "veth"), num(e, "ifindex"), str(e, "bridge"),
		       json_real_value(json_object_get(e, "age")),
		       yes(e, "held") ? "" : "; NOT YET HELD");
}

static int show(const char *run_dir, bool json)
{
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	json_auto_t *request = json_pack("{s:s}", "cmd", "status"), *answer = NULL;

	if (vw_control_ask(run_dir, request, &answer, &d) < 0) {
		vw_diag_print(&d, stderr, isatty(STDERR_FILENO));
		return VW_EXIT_TROUBLE;
	}
	if (!json_is_true(json_object_get(answer, "ok"))) {
		vw_control_print_error(answer);
		return VW_EXIT_TROUBLE;
	}
	if (json) {
		json_object_del(answer, "ok");
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_text(answer);
	}
	return yes(answer, "healthy") ? VW_EXIT_OK : VW_EXIT_NO;
}

int vw_cmd_status(int argc, char **argv)
{
	static const struct option options[] = {
		{"run-dir", required_argument, NULL, 'r'},
		{"format", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	const char *run_dir = "/run/vethwall", *format = "text";
	int o;

	optind = 0;
	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (o) {
		case 'r':
			run_dir = optarg;
			break;
		case 'f':
			format = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return VW_EXIT_OK;
		default:
			return VW_EXIT_TROUBLE;
		}
	}
	if (optind < argc || (strcmp(format, "text") && strcmp(format, "json"))) {
		fputs("vethwall status: takes --run-dir DIR and --format text|json\n", stderr);
		return VW_EXIT_TROUBLE;
	}
	return show(run_dir, !strcmp(format, "json"));
}
