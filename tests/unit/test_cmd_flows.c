/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall flows` on logs made here: what each filter lets through, order over segments, what a
 * hostile name does to the output, and lines that are no records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmds.h"
#include "cli/flows_filter.h"
#include "vethwall/cleanup.h"
#include "vethwall/flow.h"

static char dir[64];
static char out[65536], err[4096];

static int setup(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	strcpy(dir, "/tmp/vethwall-flows-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

static void add(const char *file, const char *text, size_t n)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "a");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	fclose(f);
}

struct entry {
	const char *file;
	int64_t second; /* of 2026-11-22T12:00:00Z on */
	uint32_t code;
	const char *src, *dst;
	uint8_t proto;
	uint16_t port;
	const char *workload, *service, *peer, *policy;
};

#define NOON 1795348800
#define OUT (VW_CODE_DENY | VW_CODE_EGRESS | VW_REASON_DEFAULT)
#define IN (VW_CODE_DENY | 256)

static const struct entry entries[] = {
	{"denied.jsonl.2", 1, OUT, "10.0.0.1", "8.8.8.8", 17, 53, "shop/api-1", "api", "world",
	 "default"},
	{"denied.jsonl.1", 2, IN, "10.0.0.1", "10.0.0.2", 6, 5432, "shop/db-1", "db", "shop/api-1",
	 "shop/db"},
	{"denied.jsonl.1", 3, VW_CODE_AUDIT | 257, "fd00::1", "fd00::2", 58, 128 << 8, "shop/db-1",
	 "db", "host", "shop/db"},
	{"denied.jsonl", 4, OUT, "10.0.0.1", "10.9.9.9", 6, 8080, "test/api-1", "api", "world",
	 "default"},
};

static void write_log(void)
{
	static char line[VW_FLOW_LINE_MAX];

	for (size_t i = 0; i < VW_ARRAY_SIZE(entries); i++) {
		const struct entry *e = &entries[i];
		struct vw_flow f = {
			.time_us = (NOON + e->second) * 1000000,
			.packets = 1u << i,
			.bytes = 10u << i,
			.workload = vw_str_of(e->workload),
			.service = vw_str_of(e->service),
			.peer = vw_str_of(e->peer),
			.policy = vw_str_of(e->policy),
			.rule = vw_str_of("r"),
		};

		f.first_us = f.last_us = f.time_us;
		f.t.proto = e->proto;
		f.t.sport = f.t.dport = e->port;
		assert_int_equal(vw_addr_parse(e->src, &f.t.src), 0);
		assert_int_equal(vw_addr_parse(e->dst, &f.t.dst), 0);
		vw_flow_set_code(&f, e->code);
		add(e->file, line, vw_flow_json(&f, line));
	}
}

static void slurp(FILE *f, char *to, size_t cap)
{
	size_t n;

	rewind(f);
	n = fread(to, 1, cap - 1, f);
	to[n] = '\0';
	fclose(f);
}

/* Runs the command with up to six arguments; what it printed is in out and err. */
static int flows(const char *a, const char *b, const char *c, const char *d)
{
	const char *argv[8] = {"flows", "--log-dir", dir};
	const char *more[] = {a, b, c, d};
	int argc = 3, o = dup(STDOUT_FILENO), e = dup(STDERR_FILENO), r;
	FILE *sout = tmpfile(), *serr = tmpfile();

	for (size_t i = 0; i < VW_ARRAY_SIZE(more) && more[i]; i++)
		argv[argc++] = more[i];
	fflush(NULL);
	dup2(fileno(sout), STDOUT_FILENO);
	dup2(fileno(serr), STDERR_FILENO);
	r = vw_cmd_flows(argc, (char **)argv);
	fflush(NULL);
	dup2(o, STDOUT_FILENO);
	dup2(e, STDERR_FILENO);
	close(o);
	close(e);
	slurp(sout, out, sizeof(out));
	slurp(serr, err, sizeof(err));
	return r;
}

/* The sum of packets tells which records were shown. */
static unsigned shown(const char *option, const char *value)
{
	const char *p;

	assert_int_equal(flows(option, value, NULL, NULL), VW_EXIT_OK);
	assert_string_equal(err, "");
	p = strstr(out, " records, ");
	if (!p)
		p = strstr(out, " record, ");
	assert_non_null(p);
	return (unsigned)atoi(strchr(p, ',') + 2);
}

static void filters(void **state)
{
	static const struct {
		const char *option, *value;
		unsigned packets;
	} t[] = {
		{NULL, NULL, 15},
		{"--since", "2026-11-22T12:00:03Z", 12},
		{"--from", "2026-11-22 12:00:02", 14},
		{"--to", "2026-11-22T14:00:02+02:00", 3},
		{"--workload", "api-1", 9},
		{"--workload", "shop/api-1", 1},
		{"--workload", "api", 0},
		{"--service", "db", 6},
		{"--peer", "world", 9},
		{"--peer", "api-1", 2},
		{"--peer", "10.9.0.0/16", 8},
		{"--peer", "10.0.0.1", 2},
		{"--peer", "fd00::/8", 4},
		{"--port", "53", 1},
		{"--port", "5000-9000", 10},
		{"--proto", "icmpv6", 4},
		{"--proto", "6", 10},
		{"--direction", "ingress", 6},
		{"--policy", "shop/db", 6},
		{"--policy", "default", 9},
		{"--event", "audited", 4},
		{"--limit", "2", 12},
		{"--limit", "100", 15},
	};

	(void)state;
	write_log();
	for (size_t i = 0; i < VW_ARRAY_SIZE(t); i++) {
		if (shown(t[i].option, t[i].value) != t[i].packets)
			fail_msg("%s %s:\n%s", t[i].option, t[i].value, out);
	}
}

static void formats(void **state)
{
	(void)state;
	write_log();
	assert_int_equal(flows("--format", "json", "--port", "5432"), VW_EXIT_OK);
	assert_non_null(strstr(out, "\"dest_port\":5432,"));
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
	assert_int_equal(flows("--format", "csv", "--port", "5432"), VW_EXIT_OK);
	assert_non_null(strstr(
		out, "\r\n2026-11-22T12:00:02.000000Z,denied,ingress,,10.0.0.1,5432,10.0.0.2,5432,"
		     "tcp,,,\"shop/db-1\",db,\"shop/api-1\",shop/db,r,2,20,"));
	assert_int_equal(flows("--utc", NULL, NULL, NULL), VW_EXIT_OK);
	assert_true(strstr(out, "udp/53") < strstr(out, "tcp/5432")); /* oldest first */
	assert_true(strstr(out, "icmpv6 128/0") < strstr(out, "tcp/8080"));
	assert_non_null(strstr(out, "shop/api-1 (10.0.0.1)"));
}

/* Neither a name in a record nor a line that is none reaches the terminal with its controls. */
static void hostile(void **state)
{
	static char line[VW_FLOW_LINE_MAX];
	struct vw_flow f = {.time_us = 1, .first_us = 1, .last_us = 1, .packets = 1};

	(void)state;
	assert_int_equal(vw_addr_parse("10.0.0.1", &f.t.src), 0);
	f.t.dst = f.t.src;
	vw_flow_set_code(&f, OUT);
	f.workload = vw_str_of("\x1b[2J\n\xc2\x9b=1,\"x");
	f.service = vw_str_of("=cmd()");
	add("denied.jsonl", line, vw_flow_json(&f, line));
	add("denied.jsonl", "{\"\x1b]0;x\a\"\n", 10);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(flows("--format",
				       i == 0	? "text"
				       : i == 1 ? "json"
						: "csv",
				       NULL, NULL),
				 VW_EXIT_OK);
		assert_null(strchr(out, '\x1b'));
		assert_null(strstr(out, "\xc2\x9b"));
		assert_null(strchr(err, '\x1b'));
		assert_non_null(strstr(err, "denied.jsonl:2: not a flow record"));
	}
	assert_non_null(strstr(out, ",\"'=cmd()\","));
	assert_non_null(strstr(out, "=1,\"\"x\""));
}

static void torn_and_missing(void **state)
{
	(void)state;
	write_log();
	add("denied.jsonl", "{\"timestamp\"", 12);
	assert_int_equal(flows(NULL, NULL, NULL, NULL), VW_EXIT_OK);
	assert_non_null(strstr(out, "4 records, 15 packets"));
	assert_non_null(strstr(err, "incomplete"));
	assert_int_equal(flows("--log-dir", "/nonexistent/log", NULL, NULL), VW_EXIT_TROUBLE);
	assert_non_null(strstr(err, "/nonexistent/log"));
}

static void usage(void **state)
{
	static const char *const bad[][2] = {
		{"--since", "yesterday"}, {"--port", "70000"},	   {"--port", "9-1"},
		{"--proto", "xyz"},	  {"--limit", "0"},	   {"--limit", "-1"},
		{"--event", "what"},	  {"--direction", "both"}, {"--format", "xml"},
		{"--nonsense", NULL},	  {"stray", NULL},	   {"--port", NULL},
	};

	(void)state;
	for (size_t i = 0; i < VW_ARRAY_SIZE(bad); i++) {
		assert_int_equal(flows(bad[i][0], bad[i][1], NULL, NULL), VW_EXIT_TROUBLE);
		assert_string_equal(out, "");
		assert_non_null(strstr(err, "--help"));
	}
	assert_int_equal(flows("--help", NULL, NULL, NULL), VW_EXIT_OK);
	assert_non_null(strstr(out, "Examples:"));
}

static void times(void **state)
{
	int64_t us;

	(void)state;
	assert_int_equal(flows_time_parse("2h", NOON * 1000000LL, &us), 0);
	assert_int_equal(us, (NOON - 7200) * 1000000LL);
	assert_int_equal(flows_time_parse("14:30", NOON * 1000000LL, &us), 0);
	assert_int_equal(us, (NOON + 9000) * 1000000LL);
	assert_int_equal(flows_time_parse("2026-11-22", NOON * 1000000LL, &us), 0);
	assert_int_equal(us, (NOON - 43200) * 1000000LL);
	assert_int_not_equal(flows_time_parse("2x", 0, &us), 0);
	assert_int_not_equal(flows_time_parse("-2h", 0, &us), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(filters), T(formats), T(hostile), T(torn_and_missing), T(usage), T(times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
