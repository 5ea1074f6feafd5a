/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The language that the vethwall/v1 kinds share: metadata, predicates over workloads, peers, ports,
 * rules. Nothing here is silently wider than it looks: an empty list or a key without a value,
 * which elsewhere can mean "all", is an error. Knows no single kind. */
#include "codec/policy_codec.h"
#include "vethwall/cleanup.h"

struct raw_meta {
	vw_node name, namespace_, ignored;
};

void vw_native_metadata(struct vw_rd *rd, const struct vw_doc *doc, bool namespaced,
			struct vw_policy *p)
{
	static const struct vw_field fields[] = {
		{"name", offsetof(struct raw_meta, name), VW_REQUIRED},
		{"labels", offsetof(struct raw_meta, ignored)},
		{"annotations", offsetof(struct raw_meta, ignored)},
		{"namespace", offsetof(struct raw_meta, namespace_)},
	};
	struct raw_meta raw = {0};

	if (!vw_rd_fields(rd, doc->metadata, "metadata", fields,
			  VW_ARRAY_SIZE(fields) - (namespaced ? 0 : 1), &raw))
		return;
	vw_rd_name(rd, raw.name, "metadata.name", &p->name);
	if (raw.namespace_) {
		vw_rd_name(rd, raw.namespace_, "metadata.namespace", &p->namespace_);
	} else if (namespaced) {
		p->namespace_ = strdup("default");
		vw_rd_ok(rd, doc->node, p->namespace_ ? 0 : -ENOMEM);
	}
}

/* ---- predicates ---- */

/* "api", or "shop/api" which gives the namespace too. */
static void read_service(struct vw_rd *rd, const struct vw_native_match *raw, struct vw_match *ret)
{
	const char *s = vw_rd_text(rd, raw->service, "service"), *slash = s ? strchr(s, '/') : NULL;
	struct vw_yaml_node part = *raw->service;
	_cleanup_free_ char *ns = NULL;

	if (!slash) {
		if (s)
			vw_rd_name(rd, raw->service, "service", &ret->service);
		return;
	}
	if (raw->namespace_ || raw->namespaceSelector) {
		vw_rd_error(rd, raw->service,
			    "service: \"%.80s\" names a namespace, and so does the field "
			    "beside it: expected one of the two",
			    s);
		return;
	}
	ns = strndup(s, (size_t)(slash - s));
	if (!vw_rd_ok(rd, raw->service, ns ? 0 : -ENOMEM))
		return;
	part.text = ns;
	vw_rd_name(rd, &part, "namespace", &ret->namespace_);
	part.text = raw->service->text + (slash + 1 - s);
	vw_rd_name(rd, &part, "service", &ret->service);
}

/* Images contain slashes and colons; a glob has nothing that a control character could be. */
static void read_image(struct vw_rd *rd, vw_node n, char **ret)
{
	const char *s = vw_rd_text(rd, n, "image");

	if (!s)
		return;
	if (!*s || strlen(s) > 1024) {
		vw_rd_error(rd, n, "image: found %zu characters, expected 1 to 1024", strlen(s));
		return;
	}
	for (const char *c = s; *c; c++)
		if (*c <= ' ' || *c == 0x7f) {
			vw_rd_error(rd, n, "image: found a blank or control character");
			return;
		}
	vw_rd_string(rd, n, "image", ret);
}

void vw_native_match_read(struct vw_rd *rd, const struct vw_native_match *raw, struct vw_match *ret)
{
	if (raw->service)
		read_service(rd, raw, ret);
	if (raw->namespace_ && raw->namespaceSelector)
		vw_rd_error(rd, raw->namespaceSelector,
			    "namespaceSelector: found beside namespace, expected one of the two");
	else
		vw_rd_name(rd, raw->namespace_, "namespace", &ret->namespace_);
	vw_rd_name(rd, raw->project, "project", &ret->project);
	vw_rd_name(rd, raw->network, "network", &ret->network);
	if (raw->image)
		read_image(rd, raw->image, &ret->image);
	vw_rd_name(rd, raw->imageIn, "imageIn", &ret->image_in);
	vw_rd_name(rd, raw->imageNotIn, "imageNotIn", &ret->image_not_in);
	ret->has_labels = raw->selector;
	ret->has_namespace_labels = raw->namespaceSelector;
	vw_selector_read(rd, raw->selector, "selector", false, &ret->labels);
	vw_selector_read(rd, raw->namespaceSelector, "namespaceSelector", false,
			 &ret->namespace_labels);
}

/* ---- peers ---- */

struct raw_peer {
	struct vw_native_match match;
	vw_node cidr, except, entity, entities, fqdn;
};

#define PEER(name, member)                                             \
	{                                                              \
		name, offsetof(struct raw_peer, member), VW_GIVES_NULL \
	}
static const struct vw_field peer_fields[] = {
	PEER("service", match.service),
	PEER("selector", match.selector),
	PEER("namespace", match.namespace_),
	PEER("namespaceSelector", match.namespaceSelector),
	PEER("network", match.network),
	PEER("project", match.project),
	PEER("image", match.image),
	PEER("imageIn", match.imageIn),
	PEER("imageNotIn", match.imageNotIn),
	PEER("cidr", cidr),
	PEER("except", except),
	PEER("entity", entity),
	PEER("entities", entities),
	PEER("fqdn", fqdn),
};

static void push_peer(struct vw_rd *rd, vw_node n, struct vw_peer *peer, struct vw_rule *rule)
{
	if (vw_rd_ok(rd, n, vw_vec_push(&rule->peers, *peer, VW_PEERS_MAX)))
		*peer = (struct vw_peer){0};
}

static void read_entity(struct vw_rd *rd, vw_node n, struct vw_rule *rule)
{
	const char *words[_VW_ENTITY_MAX + 1] = {0};
	struct vw_peer peer = {.kind = VW_PEER_ENTITY, .pos = vw_rd_pos(rd, n)};
	int e;

	for (int i = 0; i < _VW_ENTITY_MAX; i++)
		words[i] = vw_entity_str(i);
	e = vw_rd_word(rd, n, "entity", words);
	if (e < 0)
		return;
	peer.entity = (enum vw_entity)e;
	push_peer(rd, n, &peer, rule);
}

static bool read_prefix(struct vw_rd *rd, vw_node n, const char *what, struct vw_prefix *ret)
{
	const char *s = vw_rd_text(rd, n, what);
	char buf[VW_PREFIX_STRLEN];
	struct vw_addr a;

	if (!s)
		return false;
	switch (vw_prefix_parse(s, false, ret)) {
	case 0:
		return true;
	case -EDOM:
		vw_prefix_parse(s, true, ret);
		vw_rd_error(rd, n, "%s: %.60s has bits behind its prefix, expected %s", what, s,
			    vw_prefix_str(ret, buf));
		return false;
	default:
		break;
	}
	if (vw_addr_parse(s, &a) == 0)
		vw_rd_error(rd, n,
			    "%s: %s has no prefix length, expected %s/%d for this one address",
			    what, s, s, a.family == 4 ? 32 : 128);
	else
		vw_rd_error(
			rd, n,
			"%s: \"%.60s\" is no CIDR, expected one such as 10.1.0.0/16 or fd00::/8",
			what, s);
	return false;
}

static void read_except(struct vw_rd *rd, vw_node list, struct vw_peer *peer)
{
	if (!vw_rd_is_list(rd, list, "except"))
		return;
	vw_vec_foreach (n, &list->items) {
		struct vw_prefix e;

		if (!read_prefix(rd, n, "except", &e))
			continue;
		if (!vw_prefix_covers(&peer->cidr, &e) || e.len <= peer->cidr.len)
			vw_rd_error(
				rd, n,
				"except: %s is not a part of its cidr, expected a smaller block "
				"inside it",
				n->text);
		else
			vw_rd_ok(rd, n, vw_vec_push(&peer->except, e, VW_EXCEPT_MAX));
	}
}

static void read_cidr(struct vw_rd *rd, vw_node n, const struct raw_peer *raw, struct vw_rule *rule)
{
	_cleanup_(vw_peer_done) struct vw_peer peer = {.kind = VW_PEER_CIDR,
						       .pos = vw_rd_pos(rd, n)};

	if (!read_prefix(rd, raw->cidr, "cidr", &peer.cidr))
		return;
	read_except(rd, raw->except, &peer);
	push_peer(rd, n, &peer, rule);
}

static void read_fqdn(struct vw_rd *rd, vw_node n, struct vw_rule *rule)
{
	_cleanup_(vw_peer_done) struct vw_peer peer = {.kind = VW_PEER_FQDN,
						       .pos = vw_rd_pos(rd, n)};
	const char *s = vw_rd_text(rd, n, "fqdn"), *why;
	char name[VW_FQDN_LEN];

	if (!s)
		return;
	if (vw_fqdn_normal(s, true, name, &why)) {
		vw_rd_error(rd, n, "fqdn: found \"%.80s\": %s", s, why);
		return;
	}
	peer.fqdn = strdup(name);
	if (vw_rd_ok(rd, n, peer.fqdn ? 0 : -ENOMEM))
		push_peer(rd, n, &peer, rule);
}

static void read_match(struct vw_rd *rd, vw_node n, const struct raw_peer *raw,
		       const char *namespace_, struct vw_rule *rule)
{
	const struct vw_native_match *rm = &raw->match;
	_cleanup_(vw_peer_done) struct vw_peer peer = {.kind = VW_PEER_MATCH,
						       .pos = vw_rd_pos(rd, n)};
	struct vw_match *m = &peer.match;

	vw_native_match_read(rd, rm, m);
	/* A service or selector alone speaks of the policy's own namespace. */
	if (namespace_ && (rm->service || rm->selector) && !m->namespace_ && !rm->namespace_ &&
	    !rm->namespaceSelector && !rm->project) {
		m->namespace_ = strdup(namespace_);
		vw_rd_ok(rd, n, m->namespace_ ? 0 : -ENOMEM);
	}
	push_peer(rd, n, &peer, rule);
}

/* How many of the kinds of peer a mapping mixes. */
static unsigned kinds_in(const struct raw_peer *raw)
{
	const struct vw_native_match *m = &raw->match;
	bool match = m->service || m->selector || m->namespace_ || m->namespaceSelector ||
		     m->network || m->project || m->image || m->imageIn || m->imageNotIn;

	return match + (raw->cidr != NULL) + (raw->entity != NULL) + (raw->entities != NULL) +
	       (raw->fqdn != NULL);
}

static void read_peer(struct vw_rd *rd, vw_node n, const char *namespace_, struct vw_rule *rule)
{
	struct raw_peer raw = {0};
	size_t errors = rd->d->errors;

	if (n->kind == VW_YAML_STRING) {
		read_entity(rd, n, rule);
		return;
	}
	if (!vw_rd_fields(rd, n, "peer", peer_fields, VW_ARRAY_SIZE(peer_fields), &raw))
		return;
	if (!kinds_in(&raw) && rd->d->errors > errors)
		return; /* its one field is misspelt, and that was said */
	if (raw.except && !raw.cidr)
		vw_rd_error(rd, raw.except, "except: found without a cidr beside it");
	else if (kinds_in(&raw) != 1)
		vw_rd_error(rd, n,
			    kinds_in(&raw)
				    ? "cidr, entity, entities, fqdn and workload fields cannot "
				      "stand in one peer: expected "
				      "one entry of the list for each"
				    : "found an empty peer, expected service, selector, "
				      "namespace, network, cidr, "
				      "entity, fqdn or the like");
	else if (raw.cidr)
		read_cidr(rd, n, &raw, rule);
	else if (raw.entity)
		read_entity(rd, raw.entity, rule);
	else if (raw.fqdn)
		read_fqdn(rd, raw.fqdn, rule);
	else if (!raw.entities)
		read_match(rd, n, &raw, namespace_, rule);
	else if (vw_rd_is_list(rd, raw.entities, "entities"))
		vw_vec_foreach (e, &raw.entities->items)
			read_entity(rd, e, rule);
}

/* True when n is a list with something in it. */
static bool is_full_list(struct vw_rd *rd, vw_node n, const char *what, const char *meaning)
{
	if (!vw_rd_is_list(rd, n, what))
		return false;
	if (n->items.n == 0)
		vw_rd_error(rd, n, "%s: found an empty list: leave %s out for %s", what, what,
			    meaning);
	return n->items.n > 0;
}

/* ---- ports and rules ---- */

static bool read_port(struct vw_rd *rd, vw_node n, struct vw_port *ret)
{
	const char *why, *s;

	if (n->kind == VW_YAML_INT) {
		vw_rd_error(
			rd, n,
			"port: found the number %.20s, expected a protocol with it: tcp/%.20s, or "
			"proto/%.20s for the protocol of that number",
			n->text, n->text, n->text);
		return false;
	}
	s = vw_rd_text(rd, n, "port");
	if (!s)
		return false;
	if (vw_port_parse(s, ret, &why)) {
		vw_rd_error(rd, n, "port: found \"%.60s\": %s", s, why);
		return false;
	}
	ret->pos = vw_rd_pos(rd, n);
	return true;
}

static void read_ports(struct vw_rd *rd, vw_node list, struct vw_rule *rule)
{
	if (!is_full_list(rd, list, "ports", "every port"))
		return;
	vw_vec_foreach (n, &list->items) {
		struct vw_port port;

		if (read_port(rd, n, &port) &&
		    !vw_rd_ok(rd, n, vw_vec_push(&rule->ports, port, VW_PEERS_MAX)))
			free(port.name);
	}
}

struct raw_rule {
	vw_node name, peers, ports, action;
};

static void read_action(struct vw_rd *rd, vw_node n, const struct raw_rule *raw, unsigned flags,
			struct vw_rule *rule)
{
	static const char *const with_pass[] = {"allow", "deny", "pass", NULL};
	static const char *const without[] = {"allow", "deny", NULL};
	int a;

	rule->action = VW_ALLOW;
	if (!(flags & VW_NATIVE_ACTIONS))
		return;
	if (!raw->action) {
		vw_rd_error(rd, n, "rule: action is missing");
		return;
	}
	a = vw_rd_word(rd, raw->action, "action", flags & VW_NATIVE_PASS ? with_pass : without);
	rule->action = a < 0 ? VW_DENY : (enum vw_action)a;
}
_Static_assert(VW_ALLOW == 0 && VW_DENY == 1 && VW_PASS == 2, "the order of the words above");

/* A name opens what the workload itself resolved, so it can only stand where it sends, and only
 * allow: what a name is not resolved to says nothing that a deny could rest on. */
static void check_fqdn(struct vw_rd *rd, enum vw_direction dir, unsigned flags,
		       const struct vw_rule *rule)
{
	const char *where = NULL;

	if (dir == VW_INGRESS)
		where = "ingress rules";
	else if (rule->action != VW_ALLOW)
		where = "rules that deny or pass";
	else if (flags & VW_NATIVE_ACTIONS && !(flags & VW_NATIVE_PASS))
		where = "a BaselinePolicy";
	if (!where)
		return;
	vw_vec_foreach (p, &rule->peers) {
		const struct vw_yaml_node at = {.line = p->pos.line, .col = p->pos.col};

		if (p->kind == VW_PEER_FQDN)
			vw_rd_error(
				rd, &at,
				"fqdn: found in %s, expected only in egress rules that allow, of "
				"a ServicePolicy or GuardrailPolicy",
				where);
	}
}

static void read_rule(struct vw_rd *rd, vw_node n, enum vw_direction dir, unsigned flags,
		      const char *namespace_, struct vw_rule *rule)
{
	const char *side = dir == VW_INGRESS ? "from" : "to";
	const struct vw_field fields[] = {
		{"name", offsetof(struct raw_rule, name), VW_GIVES_NULL},
		{side, offsetof(struct raw_rule, peers), VW_GIVES_NULL},
		{"ports", offsetof(struct raw_rule, ports), VW_GIVES_NULL},
		{"action", offsetof(struct raw_rule, action), VW_GIVES_NULL},
	};
	size_t n_fields = VW_ARRAY_SIZE(fields) - (flags & VW_NATIVE_ACTIONS ? 0 : 1);
	struct raw_rule raw = {0};

	rule->pos = vw_rd_pos(rd, n);
	if (!vw_rd_fields(rd, n, dir == VW_INGRESS ? "ingress rule" : "egress rule", fields,
			  n_fields, &raw))
		return;
	vw_rd_name(rd, raw.name, "name", &rule->name);
	read_action(rd, n, &raw, flags, rule);
	rule->any_peer = !raw.peers;
	rule->any_port = !raw.ports;
	if (is_full_list(rd, raw.peers, side, "anyone"))
		vw_vec_foreach (p, &raw.peers->items)
			read_peer(rd, p, namespace_, rule);
	check_fqdn(rd, dir, flags, rule);
	read_ports(rd, raw.ports, rule);
}

void vw_native_rules(struct vw_rd *rd, vw_node list, enum vw_direction dir, unsigned flags,
		     struct vw_policy *p)
{
	if (!vw_rd_is_list(rd, list, vw_direction_str(dir)))
		return;
	vw_vec_foreach (n, &list->items) {
		_cleanup_(vw_rule_done) struct vw_rule rule = {.index = (unsigned)p->rules[dir].n};

		read_rule(rd, n, dir, flags, p->namespace_, &rule);
		if (vw_rd_ok(rd, n, vw_vec_push(&p->rules[dir], rule, VW_RULES_MAX)))
			rule = (struct vw_rule){0};
	}
}

/* ---- mode, log, description, expect ---- */

struct raw_expect {
	vw_node from, to, port, verdict;
};

static void read_expect_port(struct vw_rd *rd, vw_node n, struct vw_expect *e)
{
	const char *s = vw_rd_text(rd, n, "port"), *why;

	if (s && vw_probe_port_parse(s, &e->proto, &e->port, &why))
		vw_rd_error(rd, n, "port: found \"%.60s\": %s", s, why);
}

static void expect_done(struct vw_expect *e)
{
	free(e->from);
	free(e->to);
}

static void read_expect(struct vw_rd *rd, vw_node n, struct vw_policy *p)
{
	static const struct vw_field fields[] = {
		{"from", offsetof(struct raw_expect, from), VW_REQUIRED},
		{"to", offsetof(struct raw_expect, to), VW_REQUIRED},
		{"port", offsetof(struct raw_expect, port), VW_REQUIRED},
		{"verdict", offsetof(struct raw_expect, verdict), VW_REQUIRED},
	};
	static const char *const verdicts[] = {[VW_ALLOW] = "allow", [VW_DENY] = "deny", NULL};
	_cleanup_(expect_done) struct vw_expect e = {.pos = vw_rd_pos(rd, n)};
	struct raw_expect raw = {0};

	if (!vw_rd_fields(rd, n, "expect", fields, VW_ARRAY_SIZE(fields), &raw))
		return;
	vw_rd_string(rd, raw.from, "from", &e.from);
	vw_rd_string(rd, raw.to, "to", &e.to);
	if (raw.port)
		read_expect_port(rd, raw.port, &e);
	e.verdict = raw.verdict && vw_rd_word(rd, raw.verdict, "verdict", verdicts) == 0 ? VW_ALLOW
											 : VW_DENY;
	if (vw_rd_ok(rd, n, vw_vec_push(&p->expects, e, VW_RULES_MAX)))
		e = (struct vw_expect){0};
}

void vw_native_common_read(struct vw_rd *rd, const struct vw_native_common *raw,
			   struct vw_policy *p)
{
	static const char *const modes[] = {"enforce", "audit", NULL};

	if (raw->mode)
		p->audit = vw_rd_word(rd, raw->mode, "mode", modes) == 1;
	vw_rd_bool(rd, raw->log, "log", &p->log);
	vw_rd_string(rd, raw->description, "description", &p->description);
	if (vw_rd_is_list(rd, raw->expect, "expect"))
		vw_vec_foreach (n, &raw->expect->items)
			read_expect(rd, n, p);
}
