/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of what was seen to JSON and back. What is read was written by an agent, and checked
 * all the same: it may be a file that somebody touched. */
#include <stdlib.h>

#include "vethwall/cleanup.h"
#include "vethwall/seen_json.h"

static json_t *one_json(const struct vw_seen *s)
{
	char own[VW_ADDR_STRLEN], addr[VW_ADDR_STRLEN], proto[4];
	char first[VW_TIME_STRLEN], last[VW_TIME_STRLEN];

	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:s?, s:s?, s:s, s:s, s:s, s:i, s:s, s:s, s:I, "
			 "s:i}",
			 "namespace", s->namespace_, "service", s->service, "direction",
			 vw_direction_str(s->dir), "peer_kind", vw_seen_kind_str(s->kind),
			 "published", s->published, "peer_namespace", s->peer_namespace, "peer",
			 s->peer, "own", vw_addr_str(&s->own, own), "addr",
			 vw_addr_str(&s->addr, addr), "proto", vw_proto_str(s->proto, proto),
			 "port", s->port, "first_seen", vw_time_str(s->first_us, first),
			 "last_seen", vw_time_str(s->last_us, last), "count", (json_int_t)s->count,
			 "sources", (int)s->sources);
}

json_t *vw_seen_json(const struct vw_seen_table *t)
{
	json_t *list = json_array();

	vw_vec_foreach (s, &t->list) {
		json_t *o = one_json(s);

		if (o && json_array_append_new(list, o) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static bool read_name(const json_t *o, const char *key, bool needed, char **ret)
{
	const char *s = json_string_value(json_object_get(o, key));

	if (!s)
		return !needed;
	if (!*s || strlen(s) > VW_FLOW_STR_MAX)
		return false;
	*ret = (char *)s; /* borrowed: a note copies it */
	return true;
}

static bool read_addr(const json_t *o, const char *key, struct vw_addr *ret)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s && !vw_addr_parse(s, ret);
}

static bool read_time(const json_t *o, const char *key, int64_t *ret)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s && !vw_time_parse(s, strlen(s), ret);
}

static bool read_kind(const json_t *o, struct vw_seen *s)
{
	const char *kind = json_string_value(json_object_get(o, "peer_kind"));
	const char *dir = json_string_value(json_object_get(o, "direction"));
	int k = 0;

	while (kind && k < _VW_SEEN_KIND_MAX && strcmp(vw_seen_kind_str(k), kind))
		k++;
	if (!kind || k == _VW_SEEN_KIND_MAX || !dir)
		return false;
	s->kind = (enum vw_seen_kind)k;
	s->dir = strcmp(dir, "egress") ? VW_INGRESS : VW_EGRESS;
	s->published = json_is_true(json_object_get(o, "published"));
	return read_name(o, "peer", k != VW_SEEN_ADDR, &s->peer) &&
	       read_name(o, "peer_namespace", k == VW_SEEN_SERVICE, &s->peer_namespace);
}

static bool read_one(const json_t *o, struct vw_seen *s)
{
	const char *proto = json_string_value(json_object_get(o, "proto"));
	json_int_t port = json_integer_value(json_object_get(o, "port"));
	json_int_t count = json_integer_value(json_object_get(o, "count"));
	json_int_t sources = json_integer_value(json_object_get(o, "sources"));
	int number = proto ? vw_proto_parse(proto) : -EINVAL;

	if (number < 0 || port < 0 || port > UINT16_MAX || count < 1 || sources < 0 || sources > 15)
		return false;
	s->proto = (uint8_t)number;
	s->port = (uint16_t)port;
	s->count = (uint64_t)count;
	s->sources = (unsigned)sources;
	return read_name(o, "namespace", true, &s->namespace_) &&
	       read_name(o, "service", true, &s->service) && read_kind(o, s) &&
	       read_addr(o, "own", &s->own) && read_addr(o, "addr", &s->addr) &&
	       read_time(o, "first_seen", &s->first_us) && read_time(o, "last_seen", &s->last_us);
}

int vw_seen_from_json(const json_t *list, struct vw_seen_table *t, size_t *ret_bad)
{
	const json_t *o;
	size_t i;

	*ret_bad = json_is_array(list) ? 0 : 1;
	json_array_foreach (list, i, o) {
		struct vw_seen s = {0};

		if (!read_one(o, &s))
			++*ret_bad;
		else if (vw_seen_note(t, &s) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}
