/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records as other systems want them: fields for the journal, RFC 5424 for syslog, the line itself
 * for everybody else. Built from the line that stands in the log, so that nobody is told something
 * else than the log says. */
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "vethwall/cleanup.h"
#include "vethwall/flow.h"
#include "vethwall/output_settings.h"

#define PRIORITY 5 /* notice: normal but significant (RFC 5424 6.2.1) */
#define FACILITY 10 /* authpriv: security messages */
/* RFC 5612 gives 32473 to examples; vethwall has no number of its own. */
#define SD_ID "vethwall@32473"

struct out {
	char *p, *end;
	bool full;
};

static void put(struct out *o, const char *s, size_t n)
{
	if ((size_t)(o->end - o->p) < n) {
		o->full = true;
		return;
	}
	memcpy(o->p, s, n);
	o->p += n;
}

static void puts_(struct out *o, const char *s)
{
	put(o, s, strlen(s));
}

/* A member's value as text; numbers as they are. */
static const char *value_text(const json_t *v, char num[static 32], size_t *ret_n)
{
	if (json_is_string(v)) {
		*ret_n = json_string_length(v);
		return json_string_value(v);
	}
	*ret_n = (size_t)snprintf(num, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	return num;
}

static const char *text_of(const json_t *j, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : otherwise;
}

/* One line for people: who, what, where to, by which rule. */
static void put_summary(struct out *o, const json_t *j)
{
	char num[64];
	json_int_t port = json_integer_value(json_object_get(j, "dest_port"));

	puts_(o, text_of(j, "event_type", "flow"));
	puts_(o, " ");
	puts_(o, text_of(j, "direction", "traffic"));
	puts_(o, " at ");
	puts_(o, text_of(j, "workload", text_of(j, "in_iface", "?")));
	puts_(o, ": ");
	puts_(o, text_of(j, "src_ip", "?"));
	puts_(o, " to ");
	puts_(o, text_of(j, "dest_ip", "?"));
	puts_(o, " ");
	puts_(o, text_of(j, "proto", ""));
	if (port) {
		snprintf(num, sizeof(num), "/%" JSON_INTEGER_FORMAT, port);
		puts_(o, num);
	}
	puts_(o, " (peer ");
	puts_(o, text_of(j, "peer", "unknown"));
	puts_(o, ", by ");
	puts_(o, text_of(j, "policy", "none"));
	snprintf(num, sizeof(num), ", %" JSON_INTEGER_FORMAT " packets)",
		 json_integer_value(json_object_get(j, "packets")));
	puts_(o, num);
}

/* ---- journal: systemd's JOURNAL_NATIVE_PROTOCOL ---- */

/* A value with a newline goes by length: name, newline, 64-bit little endian size, value. */
static void put_field(struct out *o, const char *name, const char *v, size_t n)
{
	puts_(o, name);
	if (memchr(v, '\n', n)) {
		uint8_t size[8];

		for (int i = 0; i < 8; i++)
			size[i] = (uint8_t)(n >> (8 * i));
		puts_(o, "\n");
		put(o, (const char *)size, sizeof(size));
	} else {
		puts_(o, "=");
	}
	put(o, v, n);
	puts_(o, "\n");
}

static void put_journal(struct out *o, const json_t *j)
{
	char num[32], name[64] = "VETHWALL_", summary[2048];
	struct out line = {summary, summary + sizeof(summary), false};
	const char *key;
	json_t *v;

	put_summary(&line, j);
	put_field(o, "MESSAGE", summary, (size_t)(line.p - summary));
	puts_(o, "PRIORITY=5\nSYSLOG_IDENTIFIER=vethwall\nSYSLOG_FACILITY=10\n");
	json_object_foreach ((json_t *)(uintptr_t)j, key, v) {
		size_t n = 9, len;
		const char *text;

		for (const char *c = key; *c && n < sizeof(name) - 1; c++)
			name[n++] = (char)toupper((unsigned char)*c);
		name[n] = '\0';
		if (!json_is_string(v) && !json_is_integer(v))
			continue;
		text = value_text(v, num, &len);
		put_field(o, name, text, len);
	}
}

/* ---- syslog: RFC 5424 ---- */

/* 6.3.3: quote, backslash and closing bracket are escaped. Controls become '?': receivers print
 * what they get. */
static void put_param(struct out *o, const char *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = (unsigned char)v[i] < 0x20 || v[i] == 0x7f ? '?' : v[i];

		if (c == '"' || c == '\\' || c == ']')
			puts_(o, "\\");
		put(o, &c, 1);
	}
}

static void put_clean(struct out *o, const char *from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = (unsigned char)from[i] < 0x20 || from[i] == 0x7f ? '?' : from[i];

		put(o, &c, 1);
	}
}

static void put_syslog(struct out *o, const json_t *j, const char *host)
{
	char head[32], num[32], summary[2048];
	struct out line = {summary, summary + sizeof(summary), false};
	const char *key;
	json_t *v;

	snprintf(head, sizeof(head), "<%d>1 ", FACILITY * 8 + PRIORITY);
	puts_(o, head);
	puts_(o, text_of(j, "timestamp", "-"));
	puts_(o, " ");
	puts_(o, host && *host ? host : "-");
	puts_(o, " vethwall - ");
	puts_(o, text_of(j, "event_type", "-"));
	puts_(o, " [" SD_ID);
	json_object_foreach ((json_t *)(uintptr_t)j, key, v) {
		const char *text;
		size_t n;

		if (!json_is_string(v) && !json_is_integer(v))
			continue;
		text = value_text(v, num, &n);
		puts_(o, " ");
		puts_(o, key);
		puts_(o, "=\"");
		put_param(o, text, n);
		puts_(o, "\"");
	}
	puts_(o, "] ");
	put_summary(&line, j);
	put_clean(o, summary, (size_t)(line.p - summary));
}

/* ---- messages ---- */

/* RFC 6587 3.4.1, RFC 5425 4.3: on a stream each message stands behind its length. */
static size_t counted(char *buf, size_t n)
{
	char count[16];
	size_t len = (size_t)snprintf(count, sizeof(count), "%zu ", n);

	if (n + len > VW_OUTPUT_MESSAGE_MAX)
		return 0;
	memmove(buf + len, buf, n);
	memcpy(buf, count, len);
	return n + len;
}

static void unrefp(json_t **j)
{
	json_decref(*j);
}

size_t vw_output_message(const struct vw_output_settings *s, const char *line, size_t n,
			 const char *host, char buf[static VW_OUTPUT_MESSAGE_MAX])
{
	_cleanup_(unrefp) json_t *j = json_loadb(line, n, JSON_ALLOW_NUL, NULL);
	struct out o = {buf, buf + VW_OUTPUT_MESSAGE_MAX, false};

	if (!json_is_object(j))
		return 0;
	if (s->kind == VW_OUTPUT_JOURNALD)
		put_journal(&o, j);
	else if (s->kind == VW_OUTPUT_SYSLOG)
		put_syslog(&o, j, host);
	else
		put(&o, line, n);
	if (o.full)
		return 0;
	if (s->kind == VW_OUTPUT_SYSLOG && s->transport != VW_OVER_UDP &&
	    s->transport != VW_OVER_UNIX_DGRAM)
		return counted(buf, (size_t)(o.p - buf));
	return (size_t)(o.p - buf);
}

/* ---- settings ---- */

static const struct {
	const char *prefix;
	enum vw_transport transport;
} transports[] = {
	{"unix:", VW_OVER_UNIX}, {"unixgram:", VW_OVER_UNIX_DGRAM},
	{"udp:", VW_OVER_UDP},	 {"tcp:", VW_OVER_TCP},
	{"tls:", VW_OVER_TLS},
};

const char *vw_output_kind_str(enum vw_output_kind k)
{
	static const char *const names[] = {"journald", "syslog", "json"};

	return names[k];
}

/* "ADDRESS:PORT", IPv6 in brackets. */
static int host_port(const char *s, struct vw_output_settings *ret)
{
	const char *colon = strrchr(s, ':');
	char addr[64], *end;
	size_t n = colon ? (size_t)(colon - s) : 0;
	long port;

	if (n >= 2 && s[0] == '[' && s[n - 1] == ']') {
		s++;
		n -= 2;
	}
	if (!n || n >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, s, n);
	addr[n] = '\0';
	port = strtol(colon + 1, &end, 10);
	if (!isdigit((unsigned char)colon[1]) || *end || port < 1 || port > 65535)
		return -EINVAL;
	if (vw_addr_parse(addr, &ret->addr))
		return -EINVAL;
	ret->port = (uint16_t)port;
	return 0;
}

int vw_output_address_parse(const char *s, struct vw_output_settings *ret)
{
	for (size_t i = 0; i < VW_ARRAY_SIZE(transports); i++) {
		size_t n = strlen(transports[i].prefix);

		if (strncmp(s, transports[i].prefix, n) != 0)
			continue;
		ret->transport = transports[i].transport;
		if (ret->transport != VW_OVER_UNIX && ret->transport != VW_OVER_UNIX_DGRAM)
			return host_port(s + n, ret);
		if (s[n] != '/' || strlen(s + n) > 107) /* sockaddr_un.sun_path, unix(7) */
			return -EINVAL;
		ret->path = strdup(s + n);
		return ret->path ? 0 : -ENOMEM;
	}
	return -EINVAL;
}

const char *vw_output_address_str(const struct vw_output_settings *s,
				  char buf[static VW_OUTPUT_ADDRESS_MAX])
{
	const char *prefix = transports[s->transport].prefix;
	char addr[VW_ADDR_STRLEN];

	if (s->kind == VW_OUTPUT_JOURNALD && !s->path)
		snprintf(buf, VW_OUTPUT_ADDRESS_MAX, "journal");
	else if (s->path)
		snprintf(buf, VW_OUTPUT_ADDRESS_MAX, "%s%s", prefix, s->path);
	else
		snprintf(buf, VW_OUTPUT_ADDRESS_MAX, s->addr.family == 6 ? "%s[%s]:%u" : "%s%s:%u",
			 prefix, vw_addr_str(&s->addr, addr), s->port);
	return buf;
}

void vw_output_settings_done(struct vw_output_settings *s)
{
	free(s->path);
	free(s->ca);
	free(s->cert);
	free(s->key);
	free(s->name);
	*s = (struct vw_output_settings){0};
}
