/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The filters of `vethwall flows`, and how times, ports and peers are written on its command line.
 */
#include "cli/flows_filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void flows_filter_init(struct flows_filter *f)
{
	*f = (struct flows_filter){.from_us = INT64_MIN,
				   .to_us = INT64_MAX,
				   .proto = -1,
				   .direction = -1,
				   .event = -1};
}

/* "namespace/name", or the part behind the slash alone. */
static bool name_is(const struct vw_str *s, const char *want)
{
	const char *slash = s->s ? memchr(s->s, '/', s->n) : NULL;
	struct vw_str tail;

	if (vw_str_is(s, want))
		return true;
	if (!slash || strchr(want, '/'))
		return false;
	tail = (struct vw_str){slash + 1, s->n - (size_t)(slash + 1 - s->s)};
	return vw_str_is(&tail, want);
}

static bool peer_is(const struct flows_filter *f, const struct vw_flow *r)
{
	const struct vw_addr *a = r->egress ? &r->t.dst : &r->t.src;

	if (f->peer_prefix.addr.family)
		return a->family && vw_prefix_has(&f->peer_prefix, a);
	return name_is(&r->peer, f->peer) || vw_str_is(&r->peer_service, f->peer);
}

static bool port_is(const struct flows_filter *f, const struct vw_flow *r)
{
	return vw_proto_has_ports(r->t.proto) && r->t.dport >= f->port_lo &&
	       r->t.dport <= f->port_hi;
}

bool flows_filter_match(const struct flows_filter *f, const struct vw_flow *r)
{
	bool tuple = r->event != VW_FLOW_OVERFLOW;

	return r->last_us >= f->from_us && r->first_us <= f->to_us &&
	       (f->event < 0 || (int)r->event == f->event) &&
	       (f->direction < 0 || (tuple && (int)r->egress == f->direction)) &&
	       (f->proto < 0 || (tuple && r->t.proto == f->proto)) &&
	       (!f->has_port || (tuple && port_is(f, r))) &&
	       (!f->workload || name_is(&r->workload, f->workload)) &&
	       (!f->service || vw_str_is(&r->service, f->service)) &&
	       (!f->policy || name_is(&r->policy, f->policy)) && (!f->peer || peer_is(f, r));
}

int flows_duration_parse(const char *s, int64_t *ret_us)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
	unsigned long long v;
	char *end;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	v = strtoull(s, &end, 10);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (*end == units[i].unit && !end[1] && v <= 100000000) {
			*ret_us = (int64_t)v * units[i].seconds * 1000000;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_local(const char *s, int64_t now_us, int64_t *ret_us)
{
	static const char *const formats[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S",
					      "%Y-%m-%d %H:%M",	   "%Y-%m-%d",
					      "%H:%M:%S",	   "%H:%M"};
	time_t now = (time_t)(now_us / 1000000), t;
	struct tm today, tm;

	localtime_r(&now, &today);
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		const char *end;

		tm = (struct tm){
			.tm_year = today.tm_year, .tm_mon = today.tm_mon, .tm_mday = today.tm_mday};
		end = strptime(s, formats[i], &tm);
		tm.tm_isdst = -1;
		if (!end || *end || (t = mktime(&tm)) == (time_t)-1)
			continue;
		*ret_us = (int64_t)t * 1000000;
		return 0;
	}
	return -EINVAL;
}

int flows_time_parse(const char *s, int64_t now_us, int64_t *ret_us)
{
	int64_t us;

	if (!strcmp(s, "now"))
		*ret_us = now_us;
	else if (!flows_duration_parse(s, &us))
		*ret_us = now_us - us;
	else if (!vw_time_parse(s, strlen(s), &us))
		*ret_us = us;
	else
		return parse_local(s, now_us, ret_us);
	return 0;
}

static int parse_u16(const char *s, char stop, const char **ret_end, uint16_t *ret)
{
	unsigned long v;
	char *end;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	v = strtoul(s, &end, 10);
	if (v > 65535 || (*end && *end != stop))
		return -EINVAL;
	*ret = (uint16_t)v;
	*ret_end = end;
	return 0;
}

int flows_port_parse(const char *s, uint16_t *ret_lo, uint16_t *ret_hi)
{
	const char *end;
	uint16_t lo, hi;

	if (parse_u16(s, '-', &end, &lo))
		return -EINVAL;
	hi = lo;
	if (*end && parse_u16(end + 1, '\0', &end, &hi))
		return -EINVAL;
	if (hi < lo)
		return -EINVAL;
	*ret_lo = lo;
	*ret_hi = hi;
	return 0;
}

void flows_peer_set(struct flows_filter *f, const char *s)
{
	struct vw_prefix p = {0};

	f->peer = s;
	if (!vw_addr_parse(s, &p.addr))
		p.len = p.addr.family == 4 ? 32 : 128;
	else if (vw_prefix_parse(s, true, &p))
		p.addr.family = 0;
	f->peer_prefix = p;
}
