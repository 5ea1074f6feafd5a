/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Predicates over workloads: label selectors, image globs, matches. The words and corner cases are
 * those of k8s.io/apimachinery (labels.Requirement.Matches). Knows nothing of addresses. */
#include <string.h>

#include "text.h"
#include "vethwall/policy.h"

static bool requirement_has(const struct vw_requirement *r, const char *value)
{
	vw_vec_foreach (v, &r->values)
		if (strcmp(*v, value) == 0)
			return true;
	return false;
}

static bool requirement_matches(const struct vw_requirement *r, const struct vw_labels *l)
{
	const char *value = vw_labels_get(l, r->key);

	switch (r->op) {
	case VW_OP_IN:
		return value && requirement_has(r, value);
	case VW_OP_NOT_IN:
		return !value || !requirement_has(r, value);
	case VW_OP_EXISTS:
		return value;
	case VW_OP_NOT_EXISTS:
		return !value;
	}
	return false;
}

bool vw_selector_matches(const struct vw_selector *s, const struct vw_labels *l)
{
	vw_vec_foreach (r, &s->reqs)
		if (!requirement_matches(r, l))
			return false;
	return true;
}

bool vw_glob_n(const char *pattern, const char *s, size_t n)
{
	const char *star = NULL, *resume = NULL, *end = s + n;

	/* Only the last star is tried again: an earlier one that takes more gains nothing. */
	while (s < end) {
		if (*pattern == '*') {
			star = pattern++;
			resume = s;
		} else if (*pattern && *pattern == *s) {
			pattern++;
			s++;
		} else if (star) {
			pattern = star + 1;
			s = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

bool vw_glob(const char *pattern, const char *s)
{
	return vw_glob_n(pattern, s, strlen(s));
}

/* An image goes by the name it was started under and by its digest. */
static bool image_matches(const char *glob, const struct vw_workload *w)
{
	return (w->image && vw_glob(glob, w->image)) || (w->image_id && vw_glob(glob, w->image_id));
}

static bool network_matches(const char *network, const struct vw_workload *w,
			    const struct vw_iface *iface)
{
	if (iface)
		return vw_text_eq(iface->network, network);
	vw_vec_foreach (i, &w->ifaces)
		if (vw_text_eq(i->network, network))
			return true;
	return false;
}

static bool namespace_labels_match(const struct vw_selector *s, const struct vw_world *world,
				   const struct vw_workload *w)
{
	const struct vw_namespace *ns = vw_world_namespace(world, w->namespace_);

	return ns && vw_selector_matches(s, &ns->labels);
}

bool vw_match_matches(const struct vw_match *m, const struct vw_world *world,
		      const struct vw_workload *w, const struct vw_iface *iface)
{
	if (m->namespace_ && !vw_text_eq(m->namespace_, w->namespace_))
		return false;
	if (m->service && !vw_text_eq(m->service, w->service))
		return false;
	if (m->project && !vw_text_eq(m->project, w->project))
		return false;
	if (m->network && !network_matches(m->network, w, iface))
		return false;
	if (m->image && !image_matches(m->image, w))
		return false;
	if (m->image_in && !vw_image_in_list(world, m->image_in, w))
		return false;
	if (m->image_not_in && vw_image_in_list(world, m->image_not_in, w))
		return false;
	if (m->has_labels && !vw_selector_matches(&m->labels, &w->labels))
		return false;
	return !m->has_namespace_labels || namespace_labels_match(&m->namespace_labels, world, w);
}
