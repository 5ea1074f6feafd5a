/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Classes: the policies that select a workload in one direction, compiled to tables over
 * identities. Internal to the compiler. */
#ifndef VETHWALL_CORE_CLASS_H
#define VETHWALL_CORE_CLASS_H

#include "core/identity.h"
#include "core/rows.h"

/* A rule of a document in one direction, ready for rows. A rule that names `dns` without ports
 * gives two: one for its other peers, one for port 53 of the resolvers. */
struct flat_rule {
	struct row_rule r;
	bool any_peer;
	struct id_list preds;
};

struct flat_policy {
	size_t first[_VW_DIRECTION_MAX], n[_VW_DIRECTION_MAX]; /* in flats */
	uint64_t hash; /* of kind, namespace and name */
	bool named[_VW_DIRECTION_MAX]; /* some rule names a port */
	bool fqdn[_VW_DIRECTION_MAX]; /* some rule has a peer by domain name */
};

struct flat_set {
	VW_VEC(struct flat_rule) rules;
	VW_VEC(struct flat_policy) policies; /* parallel to the policy set's list */
	VW_VEC(struct vw_ruleref) refs; /* rules that a code can name, sorted by number */
};

int flat_set_build(const struct vw_policyset *set, const struct id_table *ids,
		   struct flat_set *ret);
void flat_set_done(struct flat_set *f);

/* Compiles one class. policies: indices into the set, ascending. named: whose port names count for
 * ingress rules, or NULL. */
int class_build(const struct vw_policyset *set, const struct flat_set *flats,
		const struct id_table *ids, const struct id_list *policies, enum vw_direction dir,
		const struct vw_workload *named, bool default_deny, struct vw_class *ret);
void class_done(struct vw_class *c);

#endif
