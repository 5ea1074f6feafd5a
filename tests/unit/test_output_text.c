/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records as other systems get them: hostile names must not break out of their field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "vethwall/openmetrics.h"
#include "vethwall/output_settings.h"

static char buf[VW_OUTPUT_MESSAGE_MAX + 1];

static const char hostile[] =
	"{\"timestamp\":\"2026-11-23T01:00:00.000000Z\",\"event_type\":\"denied\",\"workload\":"
	"\"a\\\"] x\\\\ \\nMESSAGE=forged\\u001b[2J\",\"packets\":7,\"list\":[1]}\n";

static const char *message(enum vw_output_kind kind, enum vw_transport transport, const char *line)
{
	struct vw_output_settings s = {.kind = kind, .transport = transport};
	size_t n = vw_output_message(&s, line, strlen(line), "node1", buf);

	buf[n] = '\0';
	return buf;
}

static void test_syslog(void **state)
{
	const char *m = message(VW_OUTPUT_SYSLOG, VW_OVER_UDP, hostile);

	(void)state;
	assert_ptr_equal(strstr(m, "<85>1 2026-11-23T01:00:00.000000Z node1 vethwall - denied "
				   "[vethwall@32473 "),
			 m);
	assert_non_null(
		strstr(m, "workload=\"a\\\"\\] x\\\\ ?MESSAGE=forged?[2J\" packets=\"7\"]"));
	for (; *m; m++)
		assert_true((unsigned char)*m >= 0x20);
}

static void test_syslog_stream(void **state)
{
	char *end;
	const char *m = message(VW_OUTPUT_SYSLOG, VW_OVER_TLS, hostile);
	unsigned long n = strtoul(m, &end, 10);

	(void)state;
	assert_int_equal(*end, ' ');
	assert_int_equal(strlen(end + 1), n);
}

/* The value with a newline goes by length, so that what follows the newline is no field. */
static void test_journal(void **state)
{
	static const char value[] = "a\"] x\\ \nMESSAGE=forged\x1b[2J";
	const char *m = message(VW_OUTPUT_JOURNALD, VW_OVER_UNIX_DGRAM, hostile);
	size_t n = vw_output_message(&(struct vw_output_settings){.kind = VW_OUTPUT_JOURNALD},
				     hostile, strlen(hostile), "", buf);
	const char *f = memmem(m, n, "VETHWALL_WORKLOAD\n", 18);

	(void)state;
	assert_non_null(f);
	assert_int_equal((uint8_t)f[18], sizeof(value) - 1);
	assert_int_equal(f[19], 0);
	assert_memory_equal(f + 26, value, sizeof(value) - 1);
	assert_int_equal(f[26 + sizeof(value) - 1], '\n');
	assert_non_null(memmem(m, n, "\nVETHWALL_PACKETS=7\n", 20));
	assert_null(memmem(m, n, "VETHWALL_LIST", 13));
}

static void test_not_records(void **state)
{
	static const char *const lines[] = {"", "[]", "{", "nonsense", "7"};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_string_equal(message(VW_OUTPUT_JSON, VW_OVER_TCP, lines[i]), "");
	assert_string_equal(message(VW_OUTPUT_JSON, VW_OVER_TCP, hostile), hostile);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{"unix:/run/x", true},	       {"unixgram:/dev/log", true},
		{"udp:10.0.0.1:514", true},    {"tls:[fd00::1]:6514", true},
		{"unix:relative", false},      {"tcp:name.example:1", false},
		{"tcp:10.0.0.1", false},       {"tcp:10.0.0.1:0", false},
		{"tcp:10.0.0.1:65536", false}, {"tcp:10.0.0.1:1x", false},
		{"ftp:10.0.0.1:1", false},     {"tcp::1", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vw_output_settings s = {0};
		char text[VW_OUTPUT_ADDRESS_MAX];
		int r = vw_output_address_parse(cases[i].text, &s);

		assert_int_equal(r == 0, cases[i].good);
		s.kind = VW_OUTPUT_JSON;
		if (!r)
			assert_string_equal(vw_output_address_str(&s, text), cases[i].text);
		vw_output_settings_done(&s);
	}
}

static void test_metrics(void **state)
{
	struct vw_om_label label = {"workload", "a\"\\\n\x01\xff\xc3\xa9"};
	struct vw_histogram h = {0};
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	vw_histogram_add(&h, 500);
	vw_histogram_add(&h, 1500);
	vw_histogram_add(&h, 3600ll * 1000000);
	vw_om_sample(f, "x_total", &label, 1, 3);
	vw_om_histogram(f, "h", &h);
	fclose(f);
	assert_ptr_equal(strstr(text, "x_total{workload=\"a\\\"\\\\\\n??\xc3\xa9\"} 3\n"), text);
	assert_non_null(strstr(text, "h_bucket{le=\"0.001\"} 1\nh_bucket{le=\"0.002\"} 2\n"));
	assert_non_null(strstr(text, "h_bucket{le=\"+Inf\"} 3\nh_count 3\n"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syslog),	  cmocka_unit_test(test_syslog_stream),
		cmocka_unit_test(test_journal),	  cmocka_unit_test(test_not_records),
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_metrics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
