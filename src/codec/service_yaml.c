/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vethwall/v1 ServicePolicy: a service's owner says who may reach it and whom it may reach. The
 * language is native.c's; here is what is special to the kind: its subject, and that a direction
 * which is written down is isolated. */
#include "codec/policy_codec.h"
#include "vethwall/cleanup.h"

struct raw_spec {
	struct vw_native_match subject;
	vw_node ingress, egress;
	struct vw_native_common common;
};

#define SPEC(name, member)                                             \
	{                                                              \
		name, offsetof(struct raw_spec, member), VW_GIVES_NULL \
	}
static const struct vw_field fields[] = {
	SPEC("service", subject.service),
	SPEC("selector", subject.selector),
	SPEC("image", subject.image),
	SPEC("ingress", ingress),
	SPEC("egress", egress),
	SPEC("mode", common.mode),
	SPEC("log", common.log),
	SPEC("description", common.description),
	SPEC("expect", common.expect),
	SPEC("imageIn", subject.imageIn),
	SPEC("imageNotIn", subject.imageNotIn),
};

static void read_subject(struct vw_rd *rd, vw_node spec, const struct raw_spec *raw,
			 struct vw_policy *p)
{
	const struct vw_native_match *m = &raw->subject;

	if (!m->service == !m->selector)
		vw_rd_error(rd, m->selector ? m->selector : spec,
			    "spec: found %s, expected exactly one of service and selector",
			    m->service ? "both service and selector"
				       : "neither service nor selector");
	if (m->service && m->service->kind == VW_YAML_STRING && strchr(m->service->text, '/'))
		vw_rd_error(rd, m->service,
			    "service: found \"%.80s\", expected a name alone: "
			    "metadata.namespace says the namespace",
			    m->service->text);
	else
		vw_native_match_read(rd, m, &p->subject);
	if (!p->namespace_ || p->subject.namespace_)
		return;
	p->subject.namespace_ = strdup(p->namespace_);
	vw_rd_ok(rd, spec, p->subject.namespace_ ? 0 : -ENOMEM);
}

void vw_service_read(struct vw_rd *rd, const struct vw_doc *doc, struct vw_policy *p)
{
	struct raw_spec raw = {0};
	size_t errors = rd->d->errors;

	if (doc->metadata)
		vw_native_metadata(rd, doc, true, p);
	if (!doc->spec) {
		vw_rd_error(rd, doc->node, "ServicePolicy: spec is missing");
		return;
	}
	if (!vw_rd_fields(rd, doc->spec, "spec", fields, VW_ARRAY_SIZE(fields), &raw))
		return;
	/* With none of the two and an unknown field it is misspelt, and that was said. */
	if (raw.subject.service || raw.subject.selector || rd->d->errors == errors)
		read_subject(rd, doc->spec, &raw, p);
	if (!raw.ingress && !raw.egress)
		vw_rd_error(rd, doc->spec,
			    "spec: found neither ingress nor egress: the policy would say "
			    "nothing; expected rules, or [] to let nothing through");
	p->applies[VW_INGRESS] = raw.ingress;
	p->applies[VW_EGRESS] = raw.egress;
	vw_native_rules(rd, raw.ingress, VW_INGRESS, 0, p);
	vw_native_rules(rd, raw.egress, VW_EGRESS, 0, p);
	vw_native_common_read(rd, &raw.common, p);
}
