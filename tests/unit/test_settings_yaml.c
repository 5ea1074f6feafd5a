/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vethwall.yaml and the defaults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "codec.h"

static void defaults(void **state)
{
	struct vw_settings s;

	(void)state;
	assert_int_equal(vw_settings_default(&s), 0);
	assert_string_equal(s.runtime, "docker");
	assert_string_equal(s.run_dir, "/run/vethwall");
	assert_string_equal(s.state_dir, "/var/lib/vethwall");
	assert_string_equal(s.log_dir, "/var/log/vethwall");
	assert_null(s.log_group);
	assert_true(s.hold_unknown);
	assert_false(s.config.default_deny);
	assert_false(s.audit);
	assert_int_equal(s.live_interval_ms, 15000);
	assert_false(s.config.live_counters);
	assert_int_equal(s.log_segment_bytes, 64 << 20);
	assert_int_equal(s.history, 20);
	assert_int_equal(s.config.nflog_group, vw_config_default.nflog_group);
	vw_settings_done(&s);
}

static void all_keys(void **state)
{
	const char *text = "runtime: static:/etc/w.yaml\npolicies: /p\nrun_dir: /r\nstate_dir: /s\n"
			   "log_dir: /l\nlog_group: adm\ndefault: deny\nhold_unknown: false\n"
			   "mode: audit\nlive_interval: 2s\nlive_counters: true\n"
			   "dns: [10.0.0.53, 'fd00::53']\nnflog_group: 7\nhistory: 7\n"
			   "log: {segment_size: 1GiB, segments: 3, flow_interval: 10s}\n"
			   "pcap: {segment_size: 65536B, segments: 2, snaplen: 128}\n"
			   "limits: {live_flows: 1000, denied_flows: 100}\n"
			   "timeouts: {tcp: 6h, other: 90s, closing: 1500ms}\n"
			   "guard: {bridges: [docker0, 'br-*'], exempt: [op1], when_away: pass}\n";
	struct vw_settings s;
	struct vw_diag d = {0};

	(void)state;
	assert_int_equal(vw_settings_default(&s), 0);
	assert_int_equal(vw_settings_parse(text, strlen(text), "s.yaml", &s, &d), 0);
	assert_string_equal(s.runtime, "static:/etc/w.yaml");
	assert_string_equal(s.policies, "/p");
	assert_string_equal(s.log_group, "adm");
	assert_true(s.config.default_deny);
	assert_true(s.audit);
	assert_int_equal(s.live_interval_ms, 2000);
	assert_true(s.config.live_counters);
	assert_false(s.hold_unknown);
	assert_true(s.guard_pass);
	assert_int_equal(s.guard_bridges.n, 2);
	assert_string_equal(s.guard_bridges.v[1].s, "br-*");
	assert_string_equal(s.guard_exempt.v[0].s, "op1");
	assert_int_equal(s.dns.n, 2);
	assert_int_equal(s.config.nflog_group, 7);
	assert_int_equal(s.history, 7);
	assert_int_equal(s.log_segment_bytes, 1 << 30);
	assert_int_equal(s.log_segments, 3);
	assert_int_equal(s.flow_interval_ms, 10000);
	assert_int_equal(s.pcap_segment_bytes, 65536);
	assert_int_equal(s.pcap_segments, 2);
	assert_int_equal(s.config.snaplen, 128);
	assert_int_equal(s.config.live_max, 1000);
	assert_int_equal(s.config.denied_max, 100);
	assert_int_equal(s.config.tcp_idle_ms, 6 * 3600000);
	assert_int_equal(s.config.other_idle_ms, 90000);
	assert_int_equal(s.config.closing_ms, 1500);
	vw_settings_done(&s);
}

static void absent_stays(void **state)
{
	struct vw_settings s;
	struct vw_diag d = {0};

	(void)state;
	assert_int_equal(vw_settings_default(&s), 0);
	assert_int_equal(vw_settings_parse("dns: [10.0.0.53]\n", 17, "s.yaml", &s, &d), 0);
	assert_int_equal(vw_settings_parse("log_dir: /l\n", 12, "s.yaml", &s, &d), 0);
	assert_int_equal(vw_settings_parse("", 0, "s.yaml", &s, &d), 0);
	assert_string_equal(s.log_dir, "/l");
	assert_string_equal(s.run_dir, "/run/vethwall");
	assert_int_equal(s.dns.n, 1);
	assert_int_equal(s.log_segments, 8);
	vw_settings_done(&s);
}

static void refused(void **state)
{
	static const struct {
		const char *text;
		unsigned col;
		const char *words;
	} cases[] = {
		{"runtim: docker", 1, "did you mean runtime?"},
		{"runtime: podman", 10, "docker:SOCKET or static:FILE"},
		{"runtime: 'static:'", 10, "static:FILE"},
		{"default: drop", 10, "expected allow or deny"},
		{"mode: watch", 7, "expected enforce or audit"},
		{"live_interval: 10ms", 16, "from 1s to 1h"},
		{"hold_unknown: 1", 15, "true or false"},
		{"dns: 10.0.0.1", 6, "expected a list"},
		{"dns: [x]", 7, "no IP address"},
		{"log: {segment_size: 64}", 21, "from 64KiB to 16GiB"},
		{"log: {segment_size: 64MB}", 21, "from 64KiB to 16GiB"},
		{"log: {segment_size: 1KiB}", 21, "from 64KiB to 16GiB"},
		{"log: {segment_size: 99999999999999999999GiB}", 21, "from 64KiB to 16GiB"},
		{"log: {segments: 0}", 17, "from 1 to 10000"},
		{"log: {flow_interval: 5}", 22, "from 1s to 1h"},
		{"timeouts: {tcp: 8d}", 17, "from 1s to 7d"},
		{"nflog_group: 65536", 14, "from 0 to 65535"},
		{"limits: []", 9, "expected a mapping"},
		{"run_dir: ''", 10, "empty"},
		{"guard: {bridges: ['br-*x']}", 19, "its beginning and a *"},
		{"guard: {exempt: [a-name-of-16-byte]}", 18, "the name of an interface"},
		{"guard: {when_away: drop}", 20, "expected hold or pass"},
	};
	struct vw_settings s;

	(void)state;
	assert_int_equal(vw_settings_default(&s), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vw_diag d = {0};
		char text[128];

		/* What is right beside it is not taken either. */
		snprintf(text, sizeof(text), "%s\nlog_dir: /other\n", cases[i].text);
		assert_int_equal(vw_settings_parse(text, strlen(text), "s.yaml", &s, &d), -EINVAL);
		assert_int_equal(d.errors, 1);
		c_has(&d, 1, cases[i].col, cases[i].words);
		assert_string_equal(s.log_dir, "/var/log/vethwall");
		vw_diag_done(&d);
	}
	vw_settings_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(all_keys),
		cmocka_unit_test(absent_stays),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
