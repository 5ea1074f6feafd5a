/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions as people and programs put them ("shop/web to db on tcp/5432"), answered by the
 * reference verdict. An explainer is made once for a world and a set of policies and asked often:
 * it remembers which policies select a workload, so that a question costs only those. */
#ifndef VETHWALL_EXPLAIN_H
#define VETHWALL_EXPLAIN_H

#include "vethwall/verdict.h"

#define VW_WHY_MAX 512

struct vw_question {
	const char *from,
		*to; /* "namespace/name", "namespace/service", a service, a name, or an address */
	uint8_t proto;
	uint16_t port; /* as struct vw_probe */
	uint8_t family; /* 4, 6; 0: the first that both ends have, IPv4 first */
	const char *namespace_; /* where a bare service or name is looked for first, or NULL */
};

struct vw_answer {
	struct vw_probe probe; /* the ends that were chosen */
	struct vw_verdict verdict;
};

struct vw_explainer;
/* Borrows set and world, which must not change while it lives. 0 or -ENOMEM. */
int vw_explainer_new(const struct vw_policyset *set, const struct vw_world *world,
		     bool default_deny, struct vw_explainer **ret);
void vw_explainer_free(struct vw_explainer **e);
/* 0; -EINVAL with the reason in why: an end that is not there, is not unique, or has no address of
 * the family; -ENOMEM. What *ret points to lives until the explainer is freed. */
int vw_explainer_ask(struct vw_explainer *e, const struct vw_question *q, struct vw_answer *ret,
		     char why[static VW_WHY_MAX]);

/* "namespace/name", "name" or "default" into buf; the rule's name, "ingress[0]" or "default". */
#define VW_POLICY_STRLEN (2 * VW_NAME_MAX + 2)
const char *vw_policy_str(const struct vw_policy *p, char buf[static VW_POLICY_STRLEN]);
const char *vw_rule_str(const struct vw_rule *r, enum vw_direction dir,
			char buf[static VW_POLICY_STRLEN]);
/* What a peer says, for people: "service api in shop", "10.0.0.0/8 except 10.1.0.0/16". Cut to
 * size. */
void vw_peer_str(const struct vw_peer *p, char *buf, size_t size);

#endif
