/* SPDX-License-Identifier: GPL-2.0-or-later */
/* networking.k8s.io/v1 NetworkPolicy, to the letter of the API: decoded strictly (unknown fields
 * are errors), with the defaults of pkg/apis/networking/v1/defaults.go and the checks of
 * pkg/apis/networking/validation/validation.go. Where the API takes null, so do we. */
#include "codec/k8s_names.h"
#include "codec/policy_codec.h"
#include "vethwall/cleanup.h"

#include <netinet/in.h>

#define ANNOTATIONS_MAX (256u << 10) /* bytes, as the API's TotalAnnotationSizeLimitB */

struct raw_meta {
	vw_node name, namespace_, labels, annotations, ignored;
};

static void check_strings(struct vw_rd *rd, vw_node map, const char *what, bool label)
{
	size_t total = 0;

	if (!vw_rd_is_map(rd, map, what))
		return;
	for (size_t i = 0; i + 1 < map->items.n; i += 2) {
		vw_node key = &map->items.v[i], value = key + 1;
		const char *want = vw_k8s_label_key_error(key->text), *s = "";

		/* The API lowers an annotation's key before it looks at it. */
		if (want && label)
			vw_rd_error(rd, key, "%s: key \"%.80s\": expected %s", what, key->text,
				    want);
		if (value->kind != VW_YAML_NULL)
			s = vw_rd_text(rd, value, what);
		if (!s)
			continue;
		want = label ? vw_k8s_label_value_error(s) : NULL;
		if (want)
			vw_rd_error(rd, value, "%s: value \"%.80s\": expected %s", what, s, want);
		total += strlen(key->text) + strlen(s);
	}
	if (!label && total > ANNOTATIONS_MAX)
		vw_rd_error(rd, map, "%s: %zu bytes, at most %u are allowed", what, total,
			    ANNOTATIONS_MAX);
}

static void read_name(struct vw_rd *rd, vw_node n, const char *what,
		      const char *(*check)(const char *), char **ret)
{
	const char *want;

	if (!vw_rd_string(rd, n, what, ret))
		return;
	want = check(*ret);
	if (want)
		vw_rd_error(rd, n, "%s: found \"%.80s\", expected %s", what, *ret, want);
}

static void read_metadata(struct vw_rd *rd, vw_node n, struct vw_policy *p)
{
	/* ObjectMeta: what the server fills in is taken and means nothing here. */
	static const struct vw_field fields[] = {
		{"name", offsetof(struct raw_meta, name), VW_REQUIRED},
		{"namespace", offsetof(struct raw_meta, namespace_)},
		{"labels", offsetof(struct raw_meta, labels)},
		{"annotations", offsetof(struct raw_meta, annotations)},
		{"creationTimestamp", offsetof(struct raw_meta, ignored)},
		{"deletionGracePeriodSeconds", offsetof(struct raw_meta, ignored)},
		{"deletionTimestamp", offsetof(struct raw_meta, ignored)},
		{"finalizers", offsetof(struct raw_meta, ignored)},
		{"generateName", offsetof(struct raw_meta, ignored)},
		{"generation", offsetof(struct raw_meta, ignored)},
		{"managedFields", offsetof(struct raw_meta, ignored)},
		{"ownerReferences", offsetof(struct raw_meta, ignored)},
		{"resourceVersion", offsetof(struct raw_meta, ignored)},
		{"selfLink", offsetof(struct raw_meta, ignored)},
		{"uid", offsetof(struct raw_meta, ignored)},
	};
	struct raw_meta raw = {0};

	if (!vw_rd_fields(rd, n, "metadata", fields, VW_ARRAY_SIZE(fields), &raw))
		return;
	read_name(rd, raw.name, "metadata.name", vw_k8s_dns_subdomain_error, &p->name);
	/* The API takes an empty namespace as none. */
	if (raw.namespace_ && !(raw.namespace_->kind == VW_YAML_STRING && !*raw.namespace_->text)) {
		read_name(rd, raw.namespace_, "metadata.namespace", vw_k8s_dns_label_error,
			  &p->namespace_);
	} else {
		p->namespace_ = strdup("default");
		vw_rd_ok(rd, n, p->namespace_ ? 0 : -ENOMEM);
	}
	check_strings(rd, raw.labels, "metadata.labels", true);
	check_strings(rd, raw.annotations, "metadata.annotations", false);
}

/* ---- ports ---- */

struct raw_port {
	vw_node protocol, port, endPort;
};

static void read_end_port(struct vw_rd *rd, const struct raw_port *raw, struct vw_port *ret)
{
	long end;

	if (!vw_rd_int(rd, raw->endPort, "endPort", 1, 65535, &end))
		return;
	if (!raw->port || ret->name)
		vw_rd_error(rd, raw->endPort,
			    "endPort: expected a port that is a number beside it");
	else if (end < ret->lo)
		vw_rd_error(
			rd, raw->endPort,
			"endPort: found %ld, expected at least port %u: the range is turned round",
			end, ret->lo);
	else
		ret->hi = (uint16_t)end;
}

static void read_port_number(struct vw_rd *rd, vw_node n, struct vw_port *ret)
{
	const char *want;
	long port;

	if (n->kind == VW_YAML_STRING) {
		want = vw_k8s_port_name_error(n->text);
		if (want)
			vw_rd_error(rd, n, "port: \"%.60s\" is no port name, expected %s", n->text,
				    want);
		else
			vw_rd_string(rd, n, "port", &ret->name);
	} else if (n->kind == VW_YAML_INT) {
		if (vw_rd_int(rd, n, "port", 1, 65535, &port))
			ret->lo = ret->hi = (uint16_t)port;
	} else {
		vw_rd_expected(rd, n, "port", "a number from 1 to 65535 or a port name");
	}
}

static void read_port(struct vw_rd *rd, vw_node n, struct vw_port *ret)
{
	static const struct vw_field fields[] = {
		{"protocol", offsetof(struct raw_port, protocol)},
		{"port", offsetof(struct raw_port, port)},
		{"endPort", offsetof(struct raw_port, endPort)},
	};
	static const char *const names[] = {"TCP", "UDP", "SCTP", NULL};
	static const uint8_t numbers[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
	struct raw_port raw = {0};
	int i = 0;

	*ret = (struct vw_port){.proto = IPPROTO_TCP, .hi = 65535, .pos = vw_rd_pos(rd, n)};
	if (n->kind == VW_YAML_NULL ||
	    !vw_rd_fields(rd, n, "ports", fields, VW_ARRAY_SIZE(fields), &raw))
		return;
	if (raw.protocol)
		i = vw_rd_word(rd, raw.protocol, "protocol", names);
	ret->proto = numbers[i < 0 ? 0 : i];
	if (raw.port)
		read_port_number(rd, raw.port, ret);
	if (raw.endPort)
		read_end_port(rd, &raw, ret);
}

static void read_ports(struct vw_rd *rd, vw_node n, struct vw_rule *rule)
{
	if (!vw_rd_is_list(rd, n, "ports"))
		return;
	vw_vec_foreach (item, &n->items) {
		struct vw_port port;

		read_port(rd, item, &port);
		if (!vw_rd_ok(rd, item, vw_vec_push(&rule->ports, port, VW_PEERS_MAX)))
			free(port.name);
	}
}

/* ---- peers ---- */

static bool read_cidr(struct vw_rd *rd, vw_node n, const char *what, struct vw_prefix *ret)
{
	const char *s = vw_rd_text(rd, n, what);
	char buf[VW_PREFIX_STRLEN];

	if (!s)
		return false;
	if (vw_prefix_parse(s, true, ret)) {
		vw_rd_error(
			rd, n,
			"%s: \"%.60s\" is no CIDR, expected one such as 10.1.0.0/16 or fd00::/8",
			what, s);
		return false;
	}
	/* API servers have always masked these. */
	if (vw_prefix_parse(s, false, ret) == -EDOM)
		vw_rd_warn(rd, n, "cidr-host-bits",
			   "%s: %.60s has bits behind its prefix, it is read as %s", what, s,
			   vw_prefix_str(ret, buf));
	return true;
}

static void read_except(struct vw_rd *rd, vw_node n, struct vw_peer *peer)
{
	struct vw_prefix e;

	if (!read_cidr(rd, n, "except", &e))
		return;
	if (!vw_prefix_covers(&peer->cidr, &e) || e.len <= peer->cidr.len)
		vw_rd_error(
			rd, n,
			"except: %s is not a part of its cidr, expected a smaller block inside it",
			n->text);
	else
		vw_rd_ok(rd, n, vw_vec_push(&peer->except, e, VW_EXCEPT_MAX));
}

static void read_block(struct vw_rd *rd, vw_node n, struct vw_peer *peer)
{
	static const struct vw_field fields[] = {
		{"cidr", 0, VW_REQUIRED},
		{"except", sizeof(vw_node)},
	};
	struct {
		vw_node cidr, except;
	} raw = {0};
	bool ok;

	peer->kind = VW_PEER_CIDR;
	if (!vw_rd_fields(rd, n, "ipBlock", fields, VW_ARRAY_SIZE(fields), &raw))
		return;
	ok = raw.cidr && read_cidr(rd, raw.cidr, "cidr", &peer->cidr);
	if (vw_rd_is_list(rd, raw.except, "except") && ok)
		vw_vec_foreach (item, &raw.except->items)
			read_except(rd, item, peer);
}

struct raw_peer {
	vw_node podSelector, namespaceSelector, ipBlock;
};

static void read_peer(struct vw_rd *rd, vw_node n, const char *namespace_, struct vw_peer *peer)
{
	static const struct vw_field fields[] = {
		{"podSelector", offsetof(struct raw_peer, podSelector)},
		{"namespaceSelector", offsetof(struct raw_peer, namespaceSelector)},
		{"ipBlock", offsetof(struct raw_peer, ipBlock)},
	};
	struct raw_peer raw = {0};
	struct vw_match *m = &peer->match;
	size_t errors = rd->d->errors;

	peer->pos = vw_rd_pos(rd, n);
	if (n->kind != VW_YAML_NULL &&
	    !vw_rd_fields(rd, n, "peer", fields, VW_ARRAY_SIZE(fields), &raw))
		return;
	if (!raw.podSelector && !raw.namespaceSelector && !raw.ipBlock && rd->d->errors == errors)
		vw_rd_error(
			rd, n,
			"found an empty peer, expected podSelector, namespaceSelector or ipBlock");
	if (raw.ipBlock && (raw.podSelector || raw.namespaceSelector))
		vw_rd_error(rd, raw.ipBlock, "ipBlock cannot stand in one peer with a selector");
	m->has_labels = raw.podSelector;
	m->has_namespace_labels = raw.namespaceSelector;
	vw_selector_read(rd, raw.podSelector, "podSelector", true, &m->labels);
	vw_selector_read(rd, raw.namespaceSelector, "namespaceSelector", true,
			 &m->namespace_labels);
	if (raw.ipBlock) {
		read_block(rd, raw.ipBlock, peer);
	} else if (!raw.namespaceSelector && namespace_) {
		m->namespace_ = strdup(namespace_);
		vw_rd_ok(rd, n, m->namespace_ ? 0 : -ENOMEM);
	}
}

static void read_peers(struct vw_rd *rd, vw_node n, const char *what, const char *namespace_,
		       struct vw_rule *rule)
{
	if (!vw_rd_is_list(rd, n, what))
		return;
	vw_vec_foreach (item, &n->items) {
		_cleanup_(vw_peer_done) struct vw_peer peer = {0};

		read_peer(rd, item, namespace_, &peer);
		if (vw_rd_ok(rd, item, vw_vec_push(&rule->peers, peer, VW_PEERS_MAX)))
			peer = (struct vw_peer){0};
	}
}

/* ---- rules and spec ---- */

static void read_rule(struct vw_rd *rd, vw_node n, enum vw_direction dir, const char *namespace_,
		      struct vw_rule *rule)
{
	static const struct vw_field in_fields[] = {{"from", 0}, {"ports", sizeof(vw_node)}};
	static const struct vw_field out_fields[] = {{"to", 0}, {"ports", sizeof(vw_node)}};
	struct {
		vw_node peers, ports;
	} raw = {0};
	bool in = dir == VW_INGRESS;

	rule->pos = vw_rd_pos(rd, n);
	if (n->kind == VW_YAML_NULL || vw_rd_fields(rd, n, in ? "ingress rule" : "egress rule",
						    in ? in_fields : out_fields, 2, &raw)) {
		read_peers(rd, raw.peers, in ? "from" : "to", namespace_, rule);
		read_ports(rd, raw.ports, rule);
	}
	/* Empty or missing: all sources, all ports. */
	rule->any_peer = !raw.peers || raw.peers->items.n == 0;
	rule->any_port = !raw.ports || raw.ports->items.n == 0;
}

static void read_rules(struct vw_rd *rd, vw_node n, enum vw_direction dir, struct vw_policy *p)
{
	if (!vw_rd_is_list(rd, n, vw_direction_str(dir)))
		return;
	vw_vec_foreach (item, &n->items) {
		_cleanup_(vw_rule_done) struct vw_rule rule = {
			.action = VW_ALLOW,
			.index = (unsigned)p->rules[dir].n,
		};

		read_rule(rd, item, dir, p->namespace_, &rule);
		if (vw_rd_ok(rd, item, vw_vec_push(&p->rules[dir], rule, VW_RULES_MAX)))
			rule = (struct vw_rule){0};
	}
}

static void read_types(struct vw_rd *rd, vw_node n, struct vw_policy *p)
{
	static const char *const names[] = {[VW_INGRESS] = "Ingress", [VW_EGRESS] = "Egress", NULL};

	if (!vw_rd_is_list(rd, n, "policyTypes") || n->items.n == 0) {
		/* The default: Ingress, and Egress when there are egress rules. */
		p->applies[VW_INGRESS] = true;
		p->applies[VW_EGRESS] = p->rules[VW_EGRESS].n > 0;
		return;
	}
	if (n->items.n > 2)
		vw_rd_error(rd, n, "policyTypes: found %zu entries, expected at most 2",
			    n->items.n);
	vw_vec_foreach (item, &n->items) {
		int dir = vw_rd_word(rd, item, "policyTypes", names);

		if (dir >= 0)
			p->applies[dir] = true;
	}
}

/* NetworkPolicySpec.ingress: traffic is allowed, too, if its source is the pod's local node. */
static void allow_local_node(struct vw_rd *rd, const struct vw_doc *doc, struct vw_policy *p)
{
	struct vw_peer node = {
		.kind = VW_PEER_ENTITY, .entity = VW_ENTITY_HOST, .pos = vw_rd_pos(rd, doc->node)};
	struct vw_rule r = {.action = VW_ALLOW,
			    .index = (unsigned)p->rules[VW_INGRESS].n,
			    .any_port = true,
			    .implied = true,
			    .name = strdup("local-node"),
			    .pos = node.pos};
	int err = r.name ? vw_vec_push(&r.peers, node, VW_PEERS_MAX) : -ENOMEM;

	if (!err)
		err = vw_vec_push(&p->rules[VW_INGRESS], r, VW_RULES_MAX + 1);
	if (err)
		vw_rule_done(&r);
	vw_rd_ok(rd, doc->node, err);
}

struct raw_spec {
	vw_node podSelector, ingress, egress, policyTypes;
};

void vw_netpol_read(struct vw_rd *rd, const struct vw_doc *doc, struct vw_policy *p)
{
	static const struct vw_field fields[] = {
		{"podSelector", offsetof(struct raw_spec, podSelector)},
		{"ingress", offsetof(struct raw_spec, ingress)},
		{"egress", offsetof(struct raw_spec, egress)},
		{"policyTypes", offsetof(struct raw_spec, policyTypes)},
	};
	struct raw_spec raw = {0};

	read_metadata(rd, doc->metadata, p);
	/* A missing spec is an empty one: every pod of the namespace, isolated for ingress. */
	if (doc->spec && !vw_rd_fields(rd, doc->spec, "spec", fields, VW_ARRAY_SIZE(fields), &raw))
		return;
	if (p->namespace_)
		p->subject.namespace_ = strdup(p->namespace_);
	vw_rd_ok(rd, doc->node, p->subject.namespace_ || !p->namespace_ ? 0 : -ENOMEM);
	p->subject.has_labels = true;
	vw_selector_read(rd, raw.podSelector, "podSelector", true, &p->subject.labels);
	read_rules(rd, raw.ingress, VW_INGRESS, p);
	read_rules(rd, raw.egress, VW_EGRESS, p);
	read_types(rd, raw.policyTypes, p);
	/* Rules of a direction that policyTypes leaves out are allowed and say nothing. */
	if (p->applies[VW_INGRESS])
		allow_local_node(rd, doc, p);
}
