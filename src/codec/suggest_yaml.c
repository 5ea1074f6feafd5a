/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Suggested documents as YAML that `check` accepts. Every name is quoted: a container chose it, and
 * "null" or "1e3" are names too. */
#include <netinet/in.h>
#include <stdlib.h>

#include "vethwall/cleanup.h"
#include "vethwall/suggest.h"

/* Of a name that a policy can spell: it has no blanks and no controls. */
static void put_quoted(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++)
		fprintf(f, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
	fputc('"', f);
}

/* Of any name, for a comment and a terminal. */
static void put_plain(FILE *f, const char *s)
{
	struct vw_str str = vw_str_of(s);
	char buf[VW_FLOW_TEXT_MAX];

	fputs(vw_flow_text(&str, buf), f);
}

static void put_port(FILE *f, const struct vw_port *p)
{
	char num[4];

	fputs(vw_proto_str(p->proto, num), f);
	if (p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6) {
		fprintf(f, "/%d/%d", p->lo >> 8, p->lo & 0xff);
		return;
	}
	if (!vw_proto_has_ports(p->proto))
		return;
	fprintf(f, "/%u", p->lo);
	if (p->hi != p->lo)
		fprintf(f, "-%u", p->hi);
}

/* A protocol without a name is a number, which alone would be no text. */
static void put_port_item(FILE *f, const struct vw_port *p)
{
	char num[4];
	const char *name = vw_proto_str(p->proto, num);

	if (name == num)
		fputs("proto/", f);
	put_port(f, p);
}

static void put_peer(FILE *f, const struct vw_peer *p, const char *namespace_)
{
	char buf[VW_PREFIX_STRLEN];

	switch (p->kind) {
	case VW_PEER_MATCH:
		fputs("{", f);
		if (strcmp(p->match.namespace_, namespace_)) {
			fputs("namespace: ", f);
			put_quoted(f, p->match.namespace_);
			fputs(", ", f);
		}
		fputs("service: ", f);
		put_quoted(f, p->match.service);
		fputs("}", f);
		break;
	case VW_PEER_CIDR:
		fprintf(f, "{cidr: \"%s\"}", vw_prefix_str(&p->cidr, buf));
		break;
	case VW_PEER_ENTITY:
		fputs(vw_entity_str(p->entity), f);
		break;
	case VW_PEER_FQDN:
		fputs("{fqdn: ", f);
		put_quoted(f, p->fqdn);
		fputs("}", f);
		break;
	}
}

static const char *separator(size_t i)
{
	return i ? ", " : "";
}

static void put_time(FILE *f, int64_t us)
{
	char buf[VW_TIME_STRLEN];

	vw_time_str(us, buf);
	fprintf(f, "%.19sZ", buf); /* seconds are enough */
}

static void put_evidence(FILE *f, uint64_t count, int64_t first_us, int64_t last_us,
			 unsigned sources)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {{VW_SEEN_LIVE, "live"},
		     {VW_SEEN_AUDITED, "audited"},
		     {VW_SEEN_ALLOWED, "allowed"},
		     {VW_SEEN_DENIED, "denied"}};
	const char *between = "; ";

	fprintf(f, "seen %llu time%s, ", (unsigned long long)count, count == 1 ? "" : "s");
	if (first_us / 1000000 == last_us / 1000000) {
		fputs("at ", f);
	} else {
		fputs("first ", f);
		put_time(f, first_us);
		fputs(", last ", f);
	}
	put_time(f, last_us);
	for (size_t i = 0; i < VW_ARRAY_SIZE(names); i++) {
		if (!(sources & names[i].bit))
			continue;
		fprintf(f, "%s%s", between, names[i].name);
		between = ", ";
	}
}

static void put_rule(FILE *f, const struct vw_rule *r, const struct vw_evidence *e,
		     enum vw_direction dir, const char *namespace_)
{
	fputs("    # ", f);
	put_evidence(f, e->count, e->first_us, e->last_us, e->sources);
	fprintf(f, "\n    - %s: [", dir == VW_EGRESS ? "to" : "from");
	for (size_t i = 0; i < r->peers.n; i++) {
		fputs(separator(i), f);
		put_peer(f, &r->peers.v[i], namespace_);
	}
	fputs("]\n      ports: [", f);
	for (size_t i = 0; i < r->ports.n; i++) {
		fputs(separator(i), f);
		put_port_item(f, &r->ports.v[i]);
	}
	fputs("]\n", f);
}

static void put_direction(FILE *f, const struct vw_suggested *d, enum vw_direction dir)
{
	const struct vw_policy *p = &d->policy;
	const char *name = vw_direction_str(dir);

	if (!p->applies[dir]) {
		fprintf(f, "  # no %s was seen, so it is left as it is: '%s: []' would close it\n",
			name, name);
		return;
	}
	fprintf(f, "  %s:\n", name);
	for (size_t i = 0; i < p->rules[dir].n; i++)
		put_rule(f, &p->rules[dir].v[i], &d->seen[dir].v[i], dir, p->namespace_);
}

/* What the stream held, or NULL: without memory some of it is missing. */
static char *close_text(FILE *f, char **text)
{
	bool failed = ferror(f);

	if (fclose(f) || failed) {
		free(*text);
		*text = NULL;
	}
	return *text;
}

char *vw_suggested_yaml(const struct vw_suggested *d)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fputs("apiVersion: vethwall/v1\nkind: ServicePolicy\nmetadata: {name: ", f);
	put_quoted(f, d->policy.name);
	fputs(", namespace: ", f);
	put_quoted(f, d->policy.namespace_);
	fputs("}\nspec:\n  service: ", f);
	put_quoted(f, d->policy.subject.service);
	fputs("\n", f);
	put_direction(f, d, VW_INGRESS);
	put_direction(f, d, VW_EGRESS);
	return close_text(f, &text);
}

/* ---- what was left out ---- */

static void put_end(FILE *f, const char *namespace_, const char *name, const struct vw_addr *a)
{
	char buf[VW_ADDR_STRLEN];

	if (!name) {
		fputs(vw_addr_str(a, buf), f);
		return;
	}
	if (namespace_) {
		put_plain(f, namespace_);
		fputc('/', f);
	}
	put_plain(f, name);
}

static void put_left(FILE *f, const struct vw_unsuggested *u)
{
	const struct vw_seen *s = &u->seen;
	struct vw_port port = {.proto = s->proto, .lo = s->port, .hi = s->port};

	fputs("#   ", f);
	if (s->dir == VW_EGRESS)
		put_end(f, s->namespace_, s->service, NULL);
	else
		put_end(f, s->peer_namespace, s->peer, &s->addr);
	fputs(" -> ", f);
	if (s->dir == VW_EGRESS)
		put_end(f, s->peer_namespace, s->peer, &s->addr);
	else
		put_end(f, s->namespace_, s->service, NULL);
	fputc(' ', f);
	put_port(f, &port);
	fputs(": ", f);
	if (u->policy) {
		put_plain(f, u->policy->name);
		if (u->rule->name) {
			fputc(' ', f);
			put_plain(f, u->rule->name);
		} else {
			fprintf(f, " %s[%u]", vw_direction_str(u->dir), u->rule->index);
		}
		fprintf(f, "%s; ", u->partly ? ", for some of them" : "");
	}
	put_evidence(f, s->count, s->first_us, s->last_us, s->sources);
	fputc('\n', f);
}

static void put_all_left(FILE *f, const struct vw_suggestions *s, bool guardrail, const char *head)
{
	bool any = false;

	vw_vec_foreach (u, &s->left) {
		if ((u->policy != NULL) != guardrail)
			continue;
		if (!any)
			fputs(head, f);
		any = true;
		put_left(f, u);
	}
}

char *vw_unsuggested_text(const struct vw_suggestions *s)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	put_all_left(f, s, true, "# Seen, and forbidden by a guardrail: not allowed above.\n");
	put_all_left(f, s, false,
		     "# Seen, but no policy can name it: not allowed above, and denied once "
		     "these are enforced.\n");
	return close_text(f, &text);
}
