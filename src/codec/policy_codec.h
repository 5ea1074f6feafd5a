/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the readers of the single document kinds share. Each kind's reader fills a policy whose
 * tier, kind and pos are set; the caller frees it when the reader's state is bad. */
#ifndef CODEC_POLICY_CODEC_H
#define CODEC_POLICY_CODEC_H

#include "codec/yaml_read.h"

/* The fields of a document, null ones as NULL. */
struct vw_doc {
	vw_node node, apiVersion, kind, metadata, spec;
};

void vw_service_read(struct vw_rd *rd, const struct vw_doc *doc, struct vw_policy *p);
void vw_netpol_read(struct vw_rd *rd, const struct vw_doc *doc, struct vw_policy *p);
void vw_guardrail_read(struct vw_rd *rd, const struct vw_doc *doc, struct vw_policy *p);
void vw_baseline_read(struct vw_rd *rd, const struct vw_doc *doc, struct vw_policy *p);

/* A Kubernetes LabelSelector. strict: keys and values must have the form that its API asks for;
 * else any text that a container label can be. n NULL or an empty mapping: no requirements. */
void vw_selector_read(struct vw_rd *rd, vw_node n, const char *what, bool strict,
		      struct vw_selector *ret);

/* ---- vethwall/v1, native.c ---- */

enum {
	VW_NATIVE_ACTIONS = 1, /* rules have an action */
	VW_NATIVE_PASS = 2, /* which may be pass */
};
/* metadata; a namespace only where namespaced (default "default"). */
void vw_native_metadata(struct vw_rd *rd, const struct vw_doc *doc, bool namespaced,
			struct vw_policy *p);
/* The parts of a predicate over workloads; those not allowed for a place are NULL. */
struct vw_native_match {
	vw_node service, namespace_, namespaceSelector, selector, project, network, image;
	vw_node imageIn, imageNotIn;
};
void vw_native_match_read(struct vw_rd *rd, const struct vw_native_match *raw,
			  struct vw_match *ret);
/* A list of rules into p->rules[dir]. */
void vw_native_rules(struct vw_rd *rd, vw_node n, enum vw_direction dir, unsigned flags,
		     struct vw_policy *p);
/* mode, log, description, expect. */
struct vw_native_common {
	vw_node mode, log, description, expect;
};
void vw_native_common_read(struct vw_rd *rd, const struct vw_native_common *raw,
			   struct vw_policy *p);

#endif
