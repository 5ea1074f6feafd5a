/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policy documents of any kind: which reader a document belongs to by apiVersion and kind, Lists of
 * documents, and all or nothing: a text with one error adds no policy. Knows no kind's fields. */
#include "codec/policy_codec.h"
#include "vethwall/cleanup.h"

#define NATIVE "vethwall/v1"
#define NETWORKING "networking.k8s.io/v1"

/* A kind of document; read NULL: a list of documents. */
static const struct doc_kind {
	const char *api, *kind;
	enum vw_tier tier;
	void (*read)(struct vw_rd *rd, const struct vw_doc *doc, struct vw_policy *p);
	bool items_typed; /* of lists: the items say their own kind */
} kinds[] = {
	{NATIVE, "ServicePolicy", VW_TIER_SERVICE, vw_service_read},
	{NATIVE, "GuardrailPolicy", VW_TIER_GUARDRAIL, vw_guardrail_read},
	{NATIVE, "BaselinePolicy", VW_TIER_BASELINE, vw_baseline_read},
	{NETWORKING, "NetworkPolicy", VW_TIER_SERVICE, vw_netpol_read},
	{NETWORKING, "NetworkPolicyList", .items_typed = false},
	{"v1", "List", .items_typed = true},
};

struct parsing {
	struct vw_rd rd;
	VW_VEC(struct vw_policy) list;
};

static const struct doc_kind network_policy = {NETWORKING, "NetworkPolicy", VW_TIER_SERVICE,
					       vw_netpol_read};

static void parsing_done(struct parsing *c)
{
	vw_vec_foreach (p, &c->list)
		vw_policy_done(p);
	vw_vec_done(&c->list);
}

static void unknown_kind(struct vw_rd *rd, const struct vw_doc *doc, const char *api,
			 const char *kind)
{
	const char *names[VW_ARRAY_SIZE(kinds) + 1] = {0}, *near;

	for (size_t i = 0; i < VW_ARRAY_SIZE(kinds); i++) {
		names[i] = kinds[i].kind;
		if (strcmp(kinds[i].kind, kind) == 0) {
			vw_rd_error(rd, doc->apiVersion,
				    "apiVersion: found \"%.80s\", expected %s for kind %s", api,
				    kinds[i].api, kind);
			return;
		}
	}
	near = vw_nearest(kind, names);
	vw_rd_error(rd, doc->kind,
		    "kind: found \"%.80s\", expected ServicePolicy, GuardrailPolicy or "
		    "BaselinePolicy of " NATIVE " or NetworkPolicy of " NETWORKING "%s%s%s",
		    kind, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static const struct doc_kind *find_kind(struct vw_rd *rd, const struct vw_doc *doc)
{
	const char *api, *kind;

	if (!doc->apiVersion || !doc->kind) {
		vw_rd_error(rd, doc->node, "the document has no %s",
			    doc->apiVersion ? "kind" : "apiVersion");
		return NULL;
	}
	api = vw_rd_text(rd, doc->apiVersion, "apiVersion");
	kind = vw_rd_text(rd, doc->kind, "kind");
	for (size_t i = 0; api && kind && i < VW_ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].api, api) == 0 && strcmp(kinds[i].kind, kind) == 0)
			return &kinds[i];
	if (api && kind)
		unknown_kind(rd, doc, api, kind);
	return NULL;
}

static void read_policy(struct parsing *c, const struct doc_kind *k, vw_node node)
{
	static const struct vw_field fields[] = {
		{"apiVersion", offsetof(struct vw_doc, apiVersion)},
		{"kind", offsetof(struct vw_doc, kind)},
		{"metadata", offsetof(struct vw_doc, metadata), VW_REQUIRED},
		{"spec", offsetof(struct vw_doc, spec)},
	};
	_cleanup_(vw_policy_done) struct vw_policy p = {.tier = k->tier,
							.pos = vw_rd_pos(&c->rd, node)};
	struct vw_doc doc = {.node = node};

	if (!vw_rd_fields(&c->rd, node, k->kind, fields, VW_ARRAY_SIZE(fields), &doc))
		return;
	p.kind = strdup(k->kind);
	if (!vw_rd_ok(&c->rd, node, p.kind ? 0 : -ENOMEM))
		return;
	k->read(&c->rd, &doc, &p);
	if (vw_rd_ok(&c->rd, node, vw_vec_push(&c->list, p, VW_POLICIES_MAX)))
		p = (struct vw_policy){0};
}

static void read_document(struct parsing *c, vw_node node, bool typed, unsigned lists);

static void read_list(struct parsing *c, const struct doc_kind *k, vw_node node, unsigned lists)
{
	static const struct vw_field fields[] = {
		{"apiVersion", 0},
		{"kind", sizeof(vw_node)},
		{"metadata", 2 * sizeof(vw_node)},
		{"items", 3 * sizeof(vw_node)},
	};
	struct {
		vw_node apiVersion, kind, metadata, items;
	} raw = {0};

	if (lists > 0) {
		vw_rd_error(&c->rd, node, "found a list of documents in another");
		return;
	}
	if (!vw_rd_fields(&c->rd, node, k->kind, fields, VW_ARRAY_SIZE(fields), &raw))
		return;
	vw_rd_is_map(&c->rd, raw.metadata, "metadata");
	if (vw_rd_is_list(&c->rd, raw.items, "items"))
		vw_vec_foreach (item, &raw.items->items)
			read_document(c, item, k->items_typed, lists + 1);
}

/* typed: the document must say what it is; items of a NetworkPolicyList need not. */
static void read_document(struct parsing *c, vw_node node, bool typed, unsigned lists)
{
	struct vw_doc doc = {.node = node};
	const struct doc_kind *k = &network_policy;

	if (!vw_rd_is_map(&c->rd, node, "document"))
		return;
	doc.apiVersion = vw_yaml_get(node, "apiVersion");
	doc.kind = vw_yaml_get(node, "kind");
	if (typed || doc.apiVersion || doc.kind)
		k = find_kind(&c->rd, &doc);
	if (!k)
		return;
	if (k->read)
		read_policy(c, k, node);
	else
		read_list(c, k, node, lists);
}

/* Adds all or none: documents of the same kind, namespace and name, here or in files read before,
 * are errors of this text. */
static int add_all(struct parsing *c, struct vw_policyset *set)
{
	size_t before = set->list.n;
	int r = 0;

	vw_vec_foreach (p, &c->list) {
		struct vw_pos other = {0}, pos = p->pos;

		r = vw_policyset_add(set, p, &other);
		if (r == -EEXIST) {
			vw_error(c->rd.d, &pos, "%s %s%s%s is there already, at %s:%u:%u", p->kind,
				 p->namespace_ ? p->namespace_ : "", p->namespace_ ? "/" : "",
				 p->name, other.file, other.line, other.col);
			c->rd.bad = true;
			r = 0;
		} else if (r == -ENOSPC) {
			vw_error(c->rd.d, &pos, "more than %d policies", VW_POLICIES_MAX);
			r = -EINVAL;
		}
		if (r)
			break;
	}
	if (!r)
		r = vw_rd_result(&c->rd);
	while (r && set->list.n > before)
		vw_policy_done(&set->list.v[--set->list.n]);
	if (r)
		set->names.n = 0; /* the index is made anew by the next add */
	return r;
}

int vw_policy_parse(const char *text, size_t len, const char *file, struct vw_policyset *set,
		    struct vw_diag *d)
{
	_cleanup_(parsing_done) struct parsing c = {.rd = {.d = d}};
	_cleanup_(vw_yaml_done) struct vw_yaml y = {0};
	int r;

	c.rd.file = vw_policyset_file(set, file);
	if (!c.rd.file)
		return -ENOMEM;
	r = vw_yaml_parse(text, len, c.rd.file, &y, d);
	if (r)
		return r;
	c.rd.bad = y.bad;
	vw_vec_foreach (doc, &y.docs)
		read_document(&c, doc, true, 0);
	r = vw_rd_result(&c.rd);
	return r ? r : add_all(&c, set);
}
