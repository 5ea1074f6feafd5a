/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vethwall.yaml -> settings, and their defaults. Sizes and times carry their unit, so that no
 * number can be taken for another one. Knows the form of values; whether a path is there is not its
 * business. */
#include "codec/yaml_read.h"
#include "vethwall/cleanup.h"

#include <ctype.h>

#define DNS_MAX 16

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit sizes[] = {
	{"B", 1}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}, {NULL},
};
static const struct unit times[] = {
	/* milliseconds */
	{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL},
};

/* "64MiB" in the units of the table; min and max in its smallest. */
static void read_quantity(struct vw_rd *rd, vw_node n, const char *what, const struct unit *units,
			  uint64_t min, uint64_t max, const char *expected, uint64_t *ret)
{
	const char *s = n->text;
	uint64_t v = 0;

	if (n->kind == VW_YAML_STRING && isdigit((unsigned char)*s)) {
		while (isdigit((unsigned char)*s) && v <= max)
			v = v * 10 + (uint64_t)(*s++ - '0');
		for (; units->name; units++) {
			if (strcmp(units->name, s) != 0)
				continue;
			if (v > max / units->factor || v * units->factor < min)
				break;
			*ret = v * units->factor;
			return;
		}
	}
	vw_rd_expected(rd, n, what, expected);
}

/* One row a key: its group, its reader and where the value goes. */
struct key {
	const char *name;
	enum {
		KEY_PATH,
		KEY_RUNTIME,
		KEY_DEFAULT,
		KEY_MODE,
		KEY_BOOL,
		KEY_DNS,
		KEY_IMAGES,
		KEY_IFNAMES,
		KEY_AWAY,
		KEY_OUTPUTS,
		KEY_METRICS,
		KEY_SIZE,
		KEY_TIME,
		KEY_COUNT
	} type;
	size_t offset;
	unsigned width; /* bytes of the integer at offset */
	uint64_t min, max;
	const char *expected; /* of sizes and times */
};

#define AT(type, member, ...)                                                                  \
	type, offsetof(struct vw_settings, member), sizeof(((struct vw_settings *)0)->member), \
		##__VA_ARGS__

static const struct key top_keys[] = {
	{"runtime", AT(KEY_RUNTIME, runtime)},
	{"policies", AT(KEY_PATH, policies)},
	{"run_dir", AT(KEY_PATH, run_dir)},
	{"state_dir", AT(KEY_PATH, state_dir)},
	{"log_dir", AT(KEY_PATH, log_dir)},
	{"log_group", AT(KEY_PATH, log_group)},
	{"default", AT(KEY_DEFAULT, config.default_deny)},
	{"sandbox", AT(KEY_BOOL, sandbox)},
	{"mode", AT(KEY_MODE, audit)},
	{"hold_unknown", AT(KEY_BOOL, hold_unknown)},
	{"own_table", AT(KEY_BOOL, own_table)},
	{"verify_interval",
	 AT(KEY_TIME, verify_interval_ms, 1000, 86400000, "a time from 1s to 24h")},
	{"dns", AT(KEY_DNS, dns)},
	{"dns_names", AT(KEY_BOOL, config.dns_names)},
	{"image_lists", AT(KEY_IMAGES, image_lists)},
	{"outputs", AT(KEY_OUTPUTS, outputs)},
	{"metrics", AT(KEY_METRICS, metrics_port)},
	{"history", AT(KEY_COUNT, history, 2, 1000)},
	{"live_interval", AT(KEY_TIME, live_interval_ms, 1000, 3600000, "a time from 1s to 1h")},
	{"live_counters", AT(KEY_BOOL, config.live_counters)},
	{"nflog_group", AT(KEY_COUNT, config.nflog_group, 0, 65535)},
};
static const struct key log_keys[] = {
	{"segment_size",
	 AT(KEY_SIZE, log_segment_bytes, 64u << 10, 16ull << 30, "a size from 64KiB to 16GiB")},
	{"segments", AT(KEY_COUNT, log_segments, 1, 10000)},
	{"segment_age",
	 AT(KEY_TIME, log_segment_age_ms, 60000, 366 * 86400000ull, "a time from 1m to 366d")},
	{"flow_interval", AT(KEY_TIME, flow_interval_ms, 1000, 3600000, "a time from 1s to 1h")},
};
static const struct key pcap_keys[] = {
	{"segment_size",
	 AT(KEY_SIZE, pcap_segment_bytes, 64u << 10, 16ull << 30, "a size from 64KiB to 16GiB")},
	{"segments", AT(KEY_COUNT, pcap_segments, 1, 10000)},
	{"snaplen", AT(KEY_COUNT, config.snaplen, 64, 65535)},
};
static const struct key guard_keys[] = {
	{"bridges", AT(KEY_IFNAMES, guard_bridges)},
	{"exempt", AT(KEY_IFNAMES, guard_exempt)},
	{"when_away", AT(KEY_AWAY, guard_pass)},
};
static const struct key limit_keys[] = {
	{"live_flows", AT(KEY_COUNT, config.live_max, 16, 1u << 20)},
	{"denied_flows", AT(KEY_COUNT, config.denied_max, 16, 1u << 20)},
};
static const struct key timeout_keys[] = {
	{"tcp", AT(KEY_TIME, config.tcp_idle_ms, 1000, 7 * 86400000u, "a time from 1s to 7d")},
	{"other", AT(KEY_TIME, config.other_idle_ms, 1000, 7 * 86400000u, "a time from 1s to 7d")},
	{"closing", AT(KEY_TIME, config.closing_ms, 1000, 3600000, "a time from 1s to 1h")},
};

static const struct group {
	const char *name; /* NULL: the top of the file */
	const struct key *keys;
	size_t n;
} groups[] = {
	{NULL, top_keys, VW_ARRAY_SIZE(top_keys)},
	{"log", log_keys, VW_ARRAY_SIZE(log_keys)},
	{"pcap", pcap_keys, VW_ARRAY_SIZE(pcap_keys)},
	{"guard", guard_keys, VW_ARRAY_SIZE(guard_keys)},
	{"limits", limit_keys, VW_ARRAY_SIZE(limit_keys)},
	{"timeouts", timeout_keys, VW_ARRAY_SIZE(timeout_keys)},
};
#define KEYS_MAX 32 /* keys and groups on one level */
_Static_assert(VW_ARRAY_SIZE(top_keys) + VW_ARRAY_SIZE(groups) - 1 <= KEYS_MAX,
	       "room for all keys");

static void store(void *at, unsigned width, uint64_t v)
{
	if (width == 2)
		*(uint16_t *)at = (uint16_t)v;
	else if (width == 4)
		*(uint32_t *)at = (uint32_t)v;
	else
		*(uint64_t *)at = v;
}

static void read_text(struct vw_rd *rd, vw_node n, const struct key *k, char **at)
{
	if (!vw_rd_string(rd, n, k->name, at))
		return;
	if (!**at)
		vw_rd_error(rd, n, "%s: found an empty text", k->name);
	if (k->type == KEY_RUNTIME && strcmp(*at, "docker") != 0 &&
	    (strncmp(*at, "docker:", 7) != 0 || !(*at)[7]) &&
	    (strncmp(*at, "static:", 7) != 0 || !(*at)[7]))
		vw_rd_expected(rd, n, k->name, "docker, docker:SOCKET or static:FILE");
}

static void read_dns(struct vw_rd *rd, vw_node list, struct vw_settings *s)
{
	if (!vw_rd_is_list(rd, list, "dns"))
		return;
	vw_vec_foreach (n, &list->items) {
		const char *text = vw_rd_text(rd, n, "dns");
		struct vw_addr a;

		if (!text)
			continue;
		if (vw_addr_parse(text, &a))
			vw_rd_error(
				rd, n,
				"dns: \"%.60s\" is no IP address, expected one such as 10.0.0.53",
				text);
		else
			vw_rd_ok(rd, n, vw_vec_push(&s->dns, a, DNS_MAX));
	}
}

/* Names that fit the kernel's, with a '*' at the end at most. */
static bool ifname_ok(const char *s)
{
	size_t n = strlen(s);
	const char *star = strchr(s, '*');

	return n && n < IFNAMSIZ && !strpbrk(s, "/ \t\n\"") && (!star || star[1] == '\0');
}

static void read_ifnames(struct vw_rd *rd, vw_node list, const char *what, struct vw_ifnames *to)
{
	if (!vw_rd_is_list(rd, list, what))
		return;
	vw_vec_foreach (n, &list->items) {
		const char *text = vw_rd_text(rd, n, what);
		struct vw_ifname name = {0};

		if (!text)
			continue;
		if (!ifname_ok(text)) {
			vw_rd_expected(rd, n, what,
				       "the name of an interface, or its beginning and a *");
			continue;
		}
		strncpy(name.s, text, sizeof(name.s) - 1);
		vw_rd_ok(rd, n, vw_vec_push(to, name, VW_IFNAME_PATTERNS_MAX));
	}
}

struct raw_images {
	vw_node name, file, format, severity;
};

static void read_image_source(struct vw_rd *rd, vw_node n, const struct vw_settings *s,
			      struct vw_image_source *ret)
{
	static const struct vw_field fields[] = {
		{"name", offsetof(struct raw_images, name), VW_REQUIRED},
		{"file", offsetof(struct raw_images, file), VW_REQUIRED},
		{"format", offsetof(struct raw_images, format)},
		{"severity", offsetof(struct raw_images, severity)},
	};
	static const char *const formats[] = {"digests", "trivy", "grype", NULL};
	static const char *const severities[] = {"low", "medium", "high", "critical", NULL};
	struct raw_images raw = {0};
	int i = 0;

	ret->severity = VW_SEV_HIGH;
	if (!vw_rd_fields(rd, n, "image list", fields, VW_ARRAY_SIZE(fields), &raw))
		return;
	if (vw_rd_name(rd, raw.name, "name", &ret->name))
		vw_vec_foreach (o, &s->image_lists)
			if (o->name && strcmp(o->name, ret->name) == 0)
				vw_rd_error(rd, raw.name, "image list %s is there already",
					    ret->name);
	if (vw_rd_string(rd, raw.file, "file", &ret->file) && !*ret->file)
		vw_rd_error(rd, raw.file, "file: found an empty text");
	if (raw.format)
		i = vw_rd_word(rd, raw.format, "format", formats);
	ret->format = i < 0 ? VW_IMAGES_DIGESTS : (enum vw_image_format)i;
	if (raw.severity && i == VW_IMAGES_DIGESTS)
		vw_rd_error(rd, raw.severity,
			    "severity: digests have none, expected it beside trivy or grype");
	else if (raw.severity && (i = vw_rd_word(rd, raw.severity, "severity", severities)) >= 0)
		ret->severity = (enum vw_image_severity)(VW_SEV_LOW + i);
}

static void read_images(struct vw_rd *rd, vw_node list, struct vw_settings *s)
{
	if (!vw_rd_is_list(rd, list, "image_lists"))
		return;
	vw_vec_foreach (n, &list->items) {
		struct vw_image_source src = {0};

		read_image_source(rd, n, s, &src);
		if (!vw_rd_ok(rd, n, vw_vec_push(&s->image_lists, src, VW_IMAGE_LISTS_MAX)))
			vw_image_source_done(&src);
	}
}

struct raw_output {
	vw_node kind, address, ca, cert, key, name, buffer;
};

static void read_output_files(struct vw_rd *rd, const struct raw_output *raw,
			      struct vw_output_settings *ret)
{
	const struct {
		vw_node n;
		const char *what;
		char **at;
	} texts[] = {
		{raw->ca, "ca", &ret->ca},
		{raw->cert, "cert", &ret->cert},
		{raw->key, "key", &ret->key},
		{raw->name, "name", &ret->name},
	};

	for (size_t i = 0; i < VW_ARRAY_SIZE(texts); i++) {
		if (!texts[i].n)
			continue;
		if (ret->transport != VW_OVER_TLS)
			vw_rd_error(rd, texts[i].n, "%s: only tls addresses have one",
				    texts[i].what);
		else
			vw_rd_string(rd, texts[i].n, texts[i].what, texts[i].at);
	}
}

/* The journal is always at the same place; the others need to be told where. */
static void read_output_address(struct vw_rd *rd, vw_node n, const struct raw_output *raw,
				struct vw_output_settings *ret)
{
	const char *text;

	if (!raw->address) {
		ret->transport = VW_OVER_UNIX_DGRAM;
		if (ret->kind != VW_OUTPUT_JOURNALD)
			vw_rd_error(rd, n, "address: missing");
		return;
	}
	text = vw_rd_text(rd, raw->address, "address");
	if (text && vw_output_address_parse(text, ret))
		vw_rd_error(rd, raw->address,
			    "address: \"%.60s\" is none, expected unix:/PATH, unixgram:/PATH, or "
			    "udp:, tcp: or tls: with IP:PORT (names are not resolved)",
			    text);
	else if (text && ret->kind == VW_OUTPUT_JOURNALD && ret->transport != VW_OVER_UNIX_DGRAM)
		vw_rd_error(rd, raw->address, "address: the journal's is a unixgram: one");
}

static void read_output(struct vw_rd *rd, vw_node n, struct vw_output_settings *ret)
{
	static const struct vw_field fields[] = {
		{"kind", offsetof(struct raw_output, kind), VW_REQUIRED},
		{"address", offsetof(struct raw_output, address)},
		{"ca", offsetof(struct raw_output, ca)},
		{"cert", offsetof(struct raw_output, cert)},
		{"key", offsetof(struct raw_output, key)},
		{"name", offsetof(struct raw_output, name)},
		{"buffer", offsetof(struct raw_output, buffer)},
	};
	static const char *const kinds[] = {"journald", "syslog", "json", NULL};
	struct raw_output raw = {0};
	int kind;

	ret->buffer_bytes = 4u << 20;
	if (!vw_rd_fields(rd, n, "output", fields, VW_ARRAY_SIZE(fields), &raw))
		return;
	kind = raw.kind ? vw_rd_word(rd, raw.kind, "kind", kinds) : -1;
	if (kind < 0)
		return;
	ret->kind = (enum vw_output_kind)kind;
	read_output_address(rd, n, &raw, ret);
	read_output_files(rd, &raw, ret);
	if (raw.buffer)
		read_quantity(rd, raw.buffer, "buffer", sizes, 64u << 10, 1u << 30,
			      "a size from 64KiB to 1GiB", &ret->buffer_bytes);
}

static void read_outputs(struct vw_rd *rd, vw_node list, struct vw_settings *s)
{
	if (!vw_rd_is_list(rd, list, "outputs"))
		return;
	vw_vec_foreach (n, &list->items) {
		struct vw_output_settings o = {0};

		read_output(rd, n, &o);
		if (!vw_rd_ok(rd, n, vw_vec_push(&s->outputs, o, VW_OUTPUTS_MAX)))
			vw_output_settings_done(&o);
	}
}

/* Figures about the node's traffic are for the node: only loopback. */
static void read_metrics(struct vw_rd *rd, vw_node n, struct vw_settings *s)
{
	const char *text = vw_rd_text(rd, n, "metrics");
	_cleanup_(vw_output_settings_done) struct vw_output_settings o = {0};
	char tcp[96];

	if (!text)
		return;
	snprintf(tcp, sizeof(tcp), "tcp:%.80s", text);
	if (vw_output_address_parse(tcp, &o) || !vw_addr_is_loopback(&o.addr)) {
		vw_rd_error(rd, n,
			    "metrics: \"%.60s\" is no loopback address and port, expected one "
			    "such as 127.0.0.1:9273",
			    text);
		return;
	}
	s->metrics_addr = o.addr;
	s->metrics_port = o.port;
}

static void read_number(struct vw_rd *rd, vw_node n, const struct key *k, void *at)
{
	uint64_t v = k->min;
	long count;

	if (k->type == KEY_SIZE)
		read_quantity(rd, n, k->name, sizes, k->min, k->max, k->expected, &v);
	else if (k->type == KEY_TIME)
		read_quantity(rd, n, k->name, times, k->min, k->max, k->expected, &v);
	else if (vw_rd_int(rd, n, k->name, (long)k->min, (long)k->max, &count))
		v = (uint64_t)count;
	store(at, k->width, v);
}

static void read_key(struct vw_rd *rd, vw_node n, const struct key *k, struct vw_settings *s)
{
	static const char *const verdicts[] = {"allow", "deny", NULL};
	static const char *const modes[] = {"enforce", "audit", NULL};
	static const char *const away[] = {"hold", "pass", NULL};
	void *at = (char *)s + k->offset;

	switch (k->type) {
	case KEY_PATH:
	case KEY_RUNTIME:
		read_text(rd, n, k, at);
		break;
	case KEY_DEFAULT:
		*(bool *)at = vw_rd_word(rd, n, k->name, verdicts) == 1;
		break;
	case KEY_MODE:
		*(bool *)at = vw_rd_word(rd, n, k->name, modes) == 1;
		break;
	case KEY_AWAY:
		*(bool *)at = vw_rd_word(rd, n, k->name, away) == 1;
		break;
	case KEY_IFNAMES:
		read_ifnames(rd, n, k->name, at);
		break;
	case KEY_BOOL:
		vw_rd_bool(rd, n, k->name, at);
		break;
	case KEY_DNS:
		read_dns(rd, n, s);
		break;
	case KEY_IMAGES:
		read_images(rd, n, s);
		break;
	case KEY_OUTPUTS:
		read_outputs(rd, n, s);
		break;
	case KEY_METRICS:
		read_metrics(rd, n, s);
		break;
	case KEY_SIZE:
	case KEY_TIME:
	case KEY_COUNT:
		read_number(rd, n, k, at);
		break;
	}
}

static void read_group(struct vw_rd *rd, vw_node n, const struct group *g, struct vw_settings *s)
{
	struct vw_field fields[KEYS_MAX];
	vw_node raw[KEYS_MAX] = {0};
	size_t count = 0;

	for (; count < g->n; count++)
		fields[count] = (struct vw_field){g->keys[count].name, count * sizeof(vw_node)};
	for (size_t i = 1; !g->name && i < VW_ARRAY_SIZE(groups); i++, count++)
		fields[count] = (struct vw_field){groups[i].name, count * sizeof(vw_node)};
	if (!vw_rd_fields(rd, n, g->name ? g->name : "settings", fields, count, raw))
		return;
	for (size_t i = 0; i < g->n; i++)
		if (raw[i])
			read_key(rd, raw[i], &g->keys[i], s);
	for (size_t i = g->n; i < count; i++)
		if (raw[i])
			read_group(rd, raw[i], &groups[i - g->n + 1], s);
}

static void take_ifnames(struct vw_ifnames *n, struct vw_ifnames *s)
{
	if (n->n)
		return;
	*n = *s;
	*s = (struct vw_ifnames){0};
}

/* What the file did not give is taken from *s; then s becomes the new settings. */
static void take_over(struct vw_settings *s, struct vw_settings *n)
{
	for (size_t i = 0; i < VW_ARRAY_SIZE(top_keys); i++) {
		char **old = (char **)((char *)s + top_keys[i].offset);
		char **new = (char **)((char *)n + top_keys[i].offset);

		if (top_keys[i].type != KEY_PATH && top_keys[i].type != KEY_RUNTIME)
			continue;
		if (!*new)
			*new = TAKE_PTR(*old);
	}
	if (!n->dns.n) {
		n->dns.v = TAKE_PTR(s->dns.v);
		n->dns.n = s->dns.n;
		n->dns.cap = s->dns.cap;
	}
	take_ifnames(&n->guard_bridges, &s->guard_bridges);
	take_ifnames(&n->guard_exempt, &s->guard_exempt);
	if (!n->image_lists.n) {
		memcpy(&n->image_lists, &s->image_lists, sizeof(n->image_lists));
		memset(&s->image_lists, 0, sizeof(s->image_lists));
	}
	if (!n->outputs.n) {
		memcpy(&n->outputs, &s->outputs, sizeof(n->outputs));
		memset(&s->outputs, 0, sizeof(s->outputs));
	}
	vw_settings_done(s);
	*s = *n;
	*n = (struct vw_settings){0};
}

int vw_settings_parse(const char *text, size_t len, const char *file, struct vw_settings *s,
		      struct vw_diag *d)
{
	struct vw_rd rd = {.file = file, .d = d};
	_cleanup_(vw_yaml_done) struct vw_yaml y = {0};
	_cleanup_(vw_settings_done) struct vw_settings n = *s;
	int r;

	n.runtime = n.policies = n.run_dir = n.state_dir = n.log_dir = n.log_group = NULL;
	memset(&n.dns, 0, sizeof(n.dns));
	memset(&n.image_lists, 0, sizeof(n.image_lists));
	n.guard_bridges = n.guard_exempt = (struct vw_ifnames){0};
	memset(&n.outputs, 0, sizeof(n.outputs));
	r = vw_yaml_parse(text, len, file, &y, d);
	if (r)
		return r;
	rd.bad = y.bad;
	if (y.docs.n > 1)
		vw_rd_error(&rd, &y.docs.v[1], "found a second document, expected one");
	if (y.docs.n > 0)
		read_group(&rd, &y.docs.v[0], &groups[0], &n);
	r = vw_rd_result(&rd);
	if (!r)
		take_over(s, &n);
	return r;
}

void vw_image_source_done(struct vw_image_source *s)
{
	free(s->name);
	free(s->file);
	*s = (struct vw_image_source){0};
}

void vw_settings_done(struct vw_settings *s)
{
	free(s->runtime);
	free(s->policies);
	free(s->run_dir);
	free(s->state_dir);
	free(s->log_dir);
	free(s->log_group);
	vw_vec_done(&s->dns);
	vw_vec_foreach (i, &s->image_lists)
		vw_image_source_done(i);
	vw_vec_done(&s->image_lists);
	vw_vec_done(&s->guard_bridges);
	vw_vec_done(&s->guard_exempt);
	vw_vec_foreach (o, &s->outputs)
		vw_output_settings_done(o);
	vw_vec_done(&s->outputs);
	*s = (struct vw_settings){0};
}

int vw_settings_default(struct vw_settings *ret)
{
	*ret = (struct vw_settings){
		.sandbox = true,
		.hold_unknown = true,
		.own_table = true,
		.verify_interval_ms = 600000,
		.log_segment_bytes = 64u << 20,
		.log_segments = 8,
		.log_segment_age_ms = 7 * 86400000ull,
		.pcap_segment_bytes = 16u << 20,
		.pcap_segments = 4,
		.flow_interval_ms = 5000,
		.history = 20,
		.live_interval_ms = 15000,
		.config = vw_config_default,
	};
	ret->config.dns_names = true;

	ret->runtime = strdup("docker");
	ret->policies = strdup(VW_SYSCONFDIR "/policies");
	ret->run_dir = strdup("/run/vethwall");
	ret->state_dir = strdup("/var/lib/vethwall");
	ret->log_dir = strdup("/var/log/vethwall");
	if (ret->runtime && ret->policies && ret->run_dir && ret->state_dir && ret->log_dir)
		return 0;
	vw_settings_done(ret);
	return -ENOMEM;
}
