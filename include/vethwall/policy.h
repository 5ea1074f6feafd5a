/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy model: what documents say, as plain values, whatever their format. ServicePolicy,
 * networking.k8s.io/v1 NetworkPolicy, GuardrailPolicy and BaselinePolicy all become struct
 * vw_policy. Order of decision: guardrails by priority (first match; pass hands on), then service
 * policies (union of allows; a selected workload is isolated in that direction), then baseline,
 * then the node's default. */
#ifndef VETHWALL_POLICY_H
#define VETHWALL_POLICY_H

#include "vethwall/world.h"

#define VW_POLICIES_MAX 20000
#define VW_RULES_MAX 10000 /* per document and direction */
#define VW_PEERS_MAX 4096 /* per rule */
#define VW_EXCEPT_MAX 1024 /* per CIDR peer */

enum vw_tier {
	VW_TIER_GUARDRAIL,
	VW_TIER_SERVICE,
	VW_TIER_BASELINE,
	VW_TIER_DEFAULT,
	_VW_TIER_MAX
};
enum vw_direction { VW_INGRESS, VW_EGRESS, _VW_DIRECTION_MAX }; /* as the workload sees it */
enum vw_action { VW_ALLOW, VW_DENY, VW_PASS };

const char *vw_tier_str(enum vw_tier t); /* "guardrail", "service", "baseline", "default" */
const char *vw_direction_str(enum vw_direction d); /* "ingress", "egress" */

enum vw_op { VW_OP_IN, VW_OP_NOT_IN, VW_OP_EXISTS, VW_OP_NOT_EXISTS };

struct vw_requirement {
	char *key;
	enum vw_op op;
	VW_VEC(char *) values;
};

/* All requirements must hold; none: everything matches. NotIn holds when the key is absent
 * (apimachinery labels.Requirement.Matches). */
struct vw_selector {
	VW_VEC(struct vw_requirement) reqs;
	struct vw_pos pos;
};

/* A predicate over workload interfaces: all parts that are set must hold. */
struct vw_match {
	char *service; /* service name, or NULL */
	char *namespace_; /* exact namespace, or NULL: any */
	char *project; /* compose project, or NULL */
	char *network; /* the interface's network, or NULL */
	char *image; /* image glob, or NULL */
	char *image_in, *image_not_in; /* name of an image list, or NULL */
	bool has_labels, has_namespace_labels;
	struct vw_selector labels, namespace_labels;
};

enum vw_entity {
	VW_ENTITY_ANY, /* every address */
	VW_ENTITY_HOST, /* an address of the node, docker bridge gateways included */
	VW_ENTITY_WORLD, /* neither a workload nor the node */
	VW_ENTITY_CLUSTER, /* any workload */
	VW_ENTITY_DNS, /* world.dns; without ports in the rule only udp/53 and tcp/53 */
	VW_ENTITY_METADATA, /* 169.254.169.254, fd00:ec2::254 */
	_VW_ENTITY_MAX
};
const char *vw_entity_str(enum vw_entity e);
int vw_entity_parse(const char *s); /* -EINVAL */

enum vw_peer_kind { VW_PEER_MATCH, VW_PEER_CIDR, VW_PEER_ENTITY, VW_PEER_FQDN };

struct vw_peer {
	enum vw_peer_kind kind;
	struct vw_match match; /* VW_PEER_MATCH */
	struct vw_prefix cidr; /* VW_PEER_CIDR */
	VW_VEC(struct vw_prefix) except;
	enum vw_entity entity; /* VW_PEER_ENTITY */
	char *fqdn; /* VW_PEER_FQDN: a name, or "*." and a name */
	struct vw_pos pos;
};

/* What a rule says of protocol and port. name: a named port, resolved at the workload that
 * receives. For icmp and icmpv6, lo..hi run over type << 8 | code. */
struct vw_port {
	bool any_proto; /* every protocol: the rest is unused */
	uint8_t proto;
	uint16_t lo, hi; /* inclusive; 0..65535 is the whole protocol */
	char *name;
	struct vw_pos pos;
};

struct vw_rule {
	enum vw_action action; /* ALLOW for service policies */
	char *name; /* or NULL */
	unsigned index; /* 0-based within its document and direction */
	bool any_peer; /* no peer restriction; peers is then empty */
	VW_VEC(struct vw_peer) peers; /* empty and not any_peer: matches nobody */
	bool any_port; /* no port restriction; ports is then empty */
	VW_VEC(struct vw_port) ports;
	bool implied; /* the kind says it, nobody wrote it: lint has nothing to say of it */
	struct vw_pos pos;
};

/* A line of expect:, judged by `check --world`. */
struct vw_expect {
	enum vw_action verdict; /* ALLOW or DENY */
	char *from, *to; /* as explain takes them */
	uint8_t proto;
	uint16_t port;
	struct vw_pos pos;
};

struct vw_policy {
	enum vw_tier tier;
	char *kind; /* "ServicePolicy", "NetworkPolicy", "GuardrailPolicy", "BaselinePolicy" */
	char *namespace_; /* NULL for kinds that have none */
	char *name;
	char *description; /* or NULL */
	int priority; /* guardrails: lower decides first */
	struct vw_match subject;
	bool applies[_VW_DIRECTION_MAX]; /* service tier: subjects are isolated in this direction */
	VW_VEC(struct vw_rule) rules[_VW_DIRECTION_MAX];
	bool audit; /* mode: audit */
	bool log; /* log allowed flows as well */
	VW_VEC(struct vw_expect) expects;
	struct vw_pos pos;
};

/* All documents in force, in a fixed order: tier, priority, namespace, name. It owns the policies
 * and the names of the files that positions point to. */
struct vw_policyset {
	VW_VEC(struct vw_policy) list;
	VW_VEC(char *) files; /* sorted */
	VW_VEC(uint32_t) names; /* policy.c's index of list by identity */
	bool audit; /* see vw_policyset_audit() */
};

void vw_selector_done(struct vw_selector *s);
void vw_match_done(struct vw_match *m);
void vw_peer_done(struct vw_peer *p);
void vw_rule_done(struct vw_rule *r);
void vw_policy_done(struct vw_policy *p);
void vw_policyset_done(struct vw_policyset *s);
/* Keeps a copy of a file name for positions; NULL without memory. The same name gives the same
 * copy. */
const char *vw_policyset_file(struct vw_policyset *s, const char *file);
/* Takes *p over (zeroed) on success. -EEXIST: a document of that kind, namespace and name is there,
 * *ret_other (may be NULL) is where. */
int vw_policyset_add(struct vw_policyset *s, struct vw_policy *p, struct vw_pos *ret_other);
/* Brings the list into the order of decision; call once after the last add. */
void vw_policyset_sort(struct vw_policyset *s);

/* The whole set only watches, once all documents are in it: what they, guardrails included, and the
 * node's default would refuse passes and is recorded as audited. What is no policy (a forged
 * sender, a malformed packet, a held veth) is refused as ever. */
void vw_policyset_audit(struct vw_policyset *s);

bool vw_selector_matches(const struct vw_selector *s, const struct vw_labels *l);
/* Whether the workload (and, where m names a network, this interface of it) fits. iface may be
 * NULL: then any interface on that network will do. */
bool vw_match_matches(const struct vw_match *m, const struct vw_world *world,
		      const struct vw_workload *w, const struct vw_iface *iface);
/* image glob: "*" matches any run of characters. */
bool vw_glob(const char *pattern, const char *s);
bool vw_glob_n(const char *pattern, const char *s, size_t n);
#define VW_FQDN_LEN 254 /* of a domain name as text, with NUL (RFC 1035 2.3.4) */
/* The domain name in lower case without the dot at its end; pattern: "*." may stand before it.
 * -EINVAL with *ret_why a literal that says what is wrong. (core/fqdn.c) */
int vw_fqdn_normal(const char *s, bool pattern, char ret[static VW_FQDN_LEN], const char **ret_why);
/* Both normal. "*.x" fits every name below x, not x itself. */
bool vw_fqdn_fits(const char *pattern, const char *name);
/* Every name that fits b fits a. */
bool vw_fqdn_covers(const char *a, const char *b);
/* Appends a canonical text of the predicate to a growing string: equal texts, equal meaning. */
int vw_peer_key(const struct vw_peer *p, char **buf, size_t *len, size_t *cap);
/* A warning for each place that names an image list which the world has not. */
void vw_image_lists_check(const struct vw_policyset *set, const struct vw_world *world,
			  const char *rule, struct vw_diag *d);

#endif
