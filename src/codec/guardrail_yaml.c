/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vethwall/v1 GuardrailPolicy and BaselinePolicy: the platform's word before and after the
 * services' own. Not namespaced: a peer or subject without a namespace is one of any namespace. */
#include "codec/policy_codec.h"
#include "vethwall/cleanup.h"

#define PRIORITY_MAX 1000 /* as AdminNetworkPolicy */

struct raw_spec {
	vw_node priority, subjects, ingress, egress;
	struct vw_native_common common;
};

#define SPEC(name, member)                                             \
	{                                                              \
		name, offsetof(struct raw_spec, member), VW_GIVES_NULL \
	}
static const struct vw_field spec_fields[] = {
	SPEC("priority", priority),
	SPEC("subjects", subjects),
	SPEC("ingress", ingress),
	SPEC("egress", egress),
	SPEC("mode", common.mode),
	SPEC("log", common.log),
	SPEC("description", common.description),
	SPEC("expect", common.expect),
};

#define SUBJECT(name, member)                                                 \
	{                                                                     \
		name, offsetof(struct vw_native_match, member), VW_GIVES_NULL \
	}
static const struct vw_field subject_fields[] = {
	SUBJECT("namespace", namespace_),  SUBJECT("namespaceSelector", namespaceSelector),
	SUBJECT("selector", selector),	   SUBJECT("service", service),
	SUBJECT("image", image),	   SUBJECT("network", network),
	SUBJECT("project", project),	   SUBJECT("imageIn", imageIn),
	SUBJECT("imageNotIn", imageNotIn),
};

static void read_subjects(struct vw_rd *rd, vw_node n, struct vw_policy *p)
{
	struct vw_native_match raw = {0};

	if (!n ||
	    !vw_rd_fields(rd, n, "subjects", subject_fields, VW_ARRAY_SIZE(subject_fields), &raw))
		return;
	vw_native_match_read(rd, &raw, &p->subject);
}

static void read_priority(struct vw_rd *rd, vw_node spec, vw_node n, struct vw_policy *p)
{
	long priority = 0;

	if (!n && p->tier == VW_TIER_GUARDRAIL)
		vw_rd_error(rd, spec, "spec: priority is missing, expected 0 (decides first) to %d",
			    PRIORITY_MAX);
	vw_rd_int(rd, n, "priority", 0, PRIORITY_MAX, &priority);
	p->priority = (int)priority;
}

static void read_tier(struct vw_rd *rd, const struct vw_doc *doc, unsigned flags,
		      struct vw_policy *p)
{
	struct raw_spec raw = {0};

	if (doc->metadata)
		vw_native_metadata(rd, doc, false, p);
	if (!doc->spec) {
		vw_rd_error(rd, doc->node, "%s: spec is missing", p->kind);
		return;
	}
	if (!vw_rd_fields(rd, doc->spec, "spec", spec_fields, VW_ARRAY_SIZE(spec_fields), &raw))
		return;
	read_priority(rd, doc->spec, raw.priority, p);
	read_subjects(rd, raw.subjects, p);
	vw_native_rules(rd, raw.ingress, VW_INGRESS, flags, p);
	vw_native_rules(rd, raw.egress, VW_EGRESS, flags, p);
	if (!raw.ingress && !raw.egress)
		vw_rd_error(rd, doc->spec,
			    "spec: found neither ingress nor egress: the policy would say "
			    "nothing");
	p->applies[VW_INGRESS] = p->rules[VW_INGRESS].n > 0;
	p->applies[VW_EGRESS] = p->rules[VW_EGRESS].n > 0;
	vw_native_common_read(rd, &raw.common, p);
}

void vw_guardrail_read(struct vw_rd *rd, const struct vw_doc *doc, struct vw_policy *p)
{
	read_tier(rd, doc, VW_NATIVE_ACTIONS | VW_NATIVE_PASS, p);
}

void vw_baseline_read(struct vw_rd *rd, const struct vw_doc *doc, struct vw_policy *p)
{
	read_tier(rd, doc, VW_NATIVE_ACTIONS, p);
}
