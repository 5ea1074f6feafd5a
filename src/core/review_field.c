/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fields of a flow record by name: one table for filters, groups and what they print. */
#include "vethwall/review.h"

#include <netinet/in.h>

static const struct field {
	const char *name, *alias;
	enum vw_field_kind kind;
} fields[_VW_FIELD_MAX] = {
	[VW_FIELD_TIMESTAMP] = {"timestamp", "time", VW_KIND_TIME},
	[VW_FIELD_FIRST_SEEN] = {"first_seen", "first", VW_KIND_TIME},
	[VW_FIELD_LAST_SEEN] = {"last_seen", "last", VW_KIND_TIME},
	[VW_FIELD_EVENT_TYPE] = {"event_type", "event", VW_KIND_TEXT},
	[VW_FIELD_DIRECTION] = {"direction", NULL, VW_KIND_TEXT},
	[VW_FIELD_IN_IFACE] = {"in_iface", "iface", VW_KIND_TEXT},
	[VW_FIELD_SRC_IP] = {"src_ip", "src", VW_KIND_ADDR},
	[VW_FIELD_SRC_PORT] = {"src_port", "sport", VW_KIND_NUMBER},
	[VW_FIELD_DEST_IP] = {"dest_ip", "dst", VW_KIND_ADDR},
	[VW_FIELD_DEST_PORT] = {"dest_port", "port", VW_KIND_NUMBER},
	[VW_FIELD_PROTO] = {"proto", NULL, VW_KIND_PROTO},
	[VW_FIELD_ETHER_TYPE] = {"ether_type", NULL, VW_KIND_NUMBER},
	[VW_FIELD_ICMP_TYPE] = {"icmp_type", NULL, VW_KIND_NUMBER},
	[VW_FIELD_ICMP_CODE] = {"icmp_code", NULL, VW_KIND_NUMBER},
	[VW_FIELD_WORKLOAD] = {"workload", NULL, VW_KIND_NAME},
	[VW_FIELD_NAMESPACE] = {"namespace", NULL, VW_KIND_TEXT},
	[VW_FIELD_SERVICE] = {"service", NULL, VW_KIND_TEXT},
	[VW_FIELD_IMAGE] = {"image", NULL, VW_KIND_TEXT},
	[VW_FIELD_WORKLOAD_IP] = {"workload_ip", NULL, VW_KIND_ADDR},
	[VW_FIELD_PEER] = {"peer", NULL, VW_KIND_PEER},
	[VW_FIELD_PEER_NAMESPACE] = {"peer_namespace", NULL, VW_KIND_TEXT},
	[VW_FIELD_PEER_SERVICE] = {"peer_service", NULL, VW_KIND_TEXT},
	[VW_FIELD_PEER_NAME] = {"peer_name", NULL, VW_KIND_TEXT},
	[VW_FIELD_PEER_IP] = {"peer_ip", NULL, VW_KIND_ADDR},
	[VW_FIELD_IP] = {"ip", NULL, VW_KIND_ADDR},
	[VW_FIELD_POLICY] = {"policy", NULL, VW_KIND_NAME},
	[VW_FIELD_RULE] = {"rule", NULL, VW_KIND_TEXT},
	[VW_FIELD_TIER] = {"tier", NULL, VW_KIND_TEXT},
	[VW_FIELD_PACKETS] = {"packets", NULL, VW_KIND_NUMBER},
	[VW_FIELD_BYTES] = {"bytes", NULL, VW_KIND_NUMBER},
	[VW_FIELD_TOTAL_PACKETS] = {"total_packets", NULL, VW_KIND_NUMBER},
	[VW_FIELD_TOTAL_BYTES] = {"total_bytes", NULL, VW_KIND_NUMBER},
	[VW_FIELD_COMMUNITY_ID] = {"community_id", "id", VW_KIND_TEXT},
	[VW_FIELD_IFINDEX] = {"ifindex", NULL, VW_KIND_NUMBER},
	[VW_FIELD_CODE] = {"code", NULL, VW_KIND_NUMBER},
};

const char *vw_field_str(enum vw_field f)
{
	return fields[f].name;
}

const char *vw_field_alias(enum vw_field f)
{
	return fields[f].alias;
}

enum vw_field_kind vw_field_kind(enum vw_field f)
{
	return fields[f].kind;
}

int vw_field_parse(const char *s, size_t n)
{
	struct vw_str name = {s, n};

	for (int f = 0; f < _VW_FIELD_MAX; f++) {
		if (vw_str_is(&name, fields[f].name) ||
		    (fields[f].alias && vw_str_is(&name, fields[f].alias)))
			return f;
	}
	return -EINVAL;
}

static void set_text(struct vw_value *v, struct vw_str s)
{
	v->kind = s.s ? VW_VALUE_TEXT : VW_VALUE_NONE;
	v->text = s;
}

static void set_number(struct vw_value *v, bool there, uint64_t n)
{
	v->kind = there ? VW_VALUE_NUMBER : VW_VALUE_NONE;
	v->number = n;
}

static void set_addr(struct vw_value *v, const struct vw_addr *a)
{
	v->kind = a->family ? VW_VALUE_ADDR : VW_VALUE_NONE;
	v->addr = *a;
}

static void set_time(struct vw_value *v, int64_t us)
{
	v->kind = VW_VALUE_TIME;
	v->time_us = us;
}

/* The part before the slash. */
static struct vw_str namespace_of(const struct vw_str *s)
{
	const char *slash = s->s ? memchr(s->s, '/', s->n) : NULL;

	return slash ? (struct vw_str){s->s, (size_t)(slash - s->s)} : (struct vw_str){0};
}

/* What is no IP is recorded as protocol 0 between no addresses, its EtherType in the port. */
static bool is_ether(const struct vw_tuple *t)
{
	static const uint8_t none[16];

	return t->src.family == 4 && !t->proto && t->dport && !memcmp(t->src.b, none, 16) &&
	       !memcmp(t->dst.b, none, 16);
}

static void set_proto(struct vw_value *v, const struct vw_tuple *t)
{
	if (!t->src.family)
		v->kind = VW_VALUE_NONE;
	else
		set_text(v, vw_str_of(is_ether(t) ? "ether" : vw_proto_str(t->proto, v->num)));
}

static bool has_ports(const struct vw_flow *r)
{
	return r->t.src.family && vw_proto_has_ports(r->t.proto);
}

static bool is_icmp(const struct vw_flow *r)
{
	return r->t.src.family && (r->t.proto == IPPROTO_ICMP || r->t.proto == IPPROTO_ICMPV6);
}

/* Members that the record has as they are. */
static const struct vw_str *text_member(enum vw_field f, const struct vw_flow *r)
{
	switch (f) {
	case VW_FIELD_IN_IFACE:
		return &r->in_iface;
	case VW_FIELD_WORKLOAD:
		return &r->workload;
	case VW_FIELD_SERVICE:
		return &r->service;
	case VW_FIELD_IMAGE:
		return &r->image;
	case VW_FIELD_PEER:
		return &r->peer;
	case VW_FIELD_PEER_SERVICE:
		return &r->peer_service;
	case VW_FIELD_PEER_NAME:
		return &r->peer_name;
	case VW_FIELD_POLICY:
		return &r->policy;
	case VW_FIELD_RULE:
		return &r->rule;
	case VW_FIELD_TIER:
		return &r->tier;
	default:
		return &r->community_id;
	}
}

static void derived_text(enum vw_field f, const struct vw_flow *r, struct vw_value *v)
{
	if (f == VW_FIELD_EVENT_TYPE)
		set_text(v, vw_str_of(vw_flow_event_str(r->event)));
	else if (f == VW_FIELD_DIRECTION)
		set_text(v, vw_str_of(r->egress ? "egress" : "ingress"));
	else if (f == VW_FIELD_NAMESPACE)
		set_text(v, namespace_of(&r->workload));
	else if (f == VW_FIELD_PEER_NAMESPACE)
		set_text(v, namespace_of(&r->peer));
	else
		set_text(v, *text_member(f, r));
}

static void number(enum vw_field f, const struct vw_flow *r, struct vw_value *v)
{
	switch (f) {
	case VW_FIELD_SRC_PORT:
		return set_number(v, has_ports(r), r->t.sport);
	case VW_FIELD_DEST_PORT:
		return set_number(v, has_ports(r), r->t.dport);
	case VW_FIELD_ETHER_TYPE:
		return set_number(v, is_ether(&r->t), r->t.dport);
	case VW_FIELD_ICMP_TYPE:
		return set_number(v, is_icmp(r), r->t.dport >> 8);
	case VW_FIELD_ICMP_CODE:
		return set_number(v, is_icmp(r), r->t.dport & 0xff);
	case VW_FIELD_PACKETS:
		return set_number(v, true, r->packets);
	case VW_FIELD_BYTES:
		return set_number(v, true, r->bytes);
	case VW_FIELD_TOTAL_PACKETS:
		return set_number(v, true, r->total_packets);
	case VW_FIELD_TOTAL_BYTES:
		return set_number(v, true, r->total_bytes);
	case VW_FIELD_IFINDEX:
		return set_number(v, true, r->ifindex);
	default:
		return set_number(v, true, r->t.code);
	}
}

static void address(enum vw_field f, const struct vw_flow *r, struct vw_value *v)
{
	bool src = f == VW_FIELD_WORKLOAD_IP ? r->egress
		   : f == VW_FIELD_PEER_IP   ? !r->egress
					     : f != VW_FIELD_DEST_IP;

	set_addr(v, src ? &r->t.src : &r->t.dst);
}

void vw_field_value(enum vw_field f, const struct vw_flow *r, struct vw_value *ret)
{
	switch (fields[f].kind) {
	case VW_KIND_TEXT:
	case VW_KIND_NAME:
	case VW_KIND_PEER:
		return derived_text(f, r, ret);
	case VW_KIND_NUMBER:
		return number(f, r, ret);
	case VW_KIND_ADDR:
		return address(f, r, ret);
	case VW_KIND_TIME:
		return set_time(ret, f == VW_FIELD_TIMESTAMP	? r->time_us
				     : f == VW_FIELD_FIRST_SEEN ? r->first_us
								: r->last_us);
	default:
		return set_proto(ret, &r->t);
	}
}
