/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walls that the kernel refuses. One transaction holds all changes, so a wall that never goes
 * through would keep everybody else's from the kernel. Refused twice, its veth is held instead
 * (nothing passes); if even that is refused it is left out, told in status, and tried anew from
 * time to time. */
#include <string.h>

#include "agent/state.h"
#include "vethwall/log.h"

#define TRIES 2
#define ANEW_MIN_MS 1000 /* then twice as long each time, up to: */
#define ANEW_MAX_MS 60000
#define REFUSED_MAX 1024

static struct refused *find(struct vw_agent *a, unsigned ifindex)
{
	vw_vec_foreach (f, &a->refused) {
		if (f->ifindex == ifindex)
			return f;
	}
	return NULL;
}

bool vw_refused_is(const struct vw_agent *a, unsigned ifindex, enum vw_refused_stage stage)
{
	const struct refused *f = find((struct vw_agent *)a, ifindex);

	return f && f->times / TRIES >= (int)stage;
}

const char *vw_refused_why(const struct vw_agent *a, unsigned ifindex)
{
	return vw_refused_is(a, ifindex, VW_REFUSED_HELD)
		       ? find((struct vw_agent *)a, ifindex)->text
		       : NULL;
}

/* in_7, d4_7: of the wall on ifindex 7; po_1234: a class. */
static unsigned wall_of(const struct vw_op_ir *op)
{
	const char *name = op->set ? op->set->name : op->chain ? op->chain->name : "";
	const char *number = strrchr(name, '_');
	char *end;
	unsigned long n;

	if (!number || !strncmp(name, "po_", 3) || !strncmp(name, "pi_", 3))
		return 0;
	n = strtoul(number + 1, &end, 10);
	return end > number + 1 && !*end && n <= INT32_MAX ? (unsigned)n : 0;
}

void vw_refused_note(struct vw_agent *a, const struct vw_planned *p, const struct vw_diag *d)
{
	size_t i = vw_nft_refused(a->nft);
	unsigned ifindex = i < p->ops.list.n ? wall_of(&p->ops.list.v[i]) : 0;
	const struct vw_link *l = ifindex ? vw_links_get(a->links, ifindex) : NULL;
	struct refused *f = find(a, ifindex);

	/* Of a link that has gone since an event will tell. */
	if (!l || !vw_compiled_wall(&p->now, ifindex))
		return;
	if (!f) {
		if (vw_vec_push(&a->refused, (struct refused){.ifindex = ifindex}, REFUSED_MAX) < 0)
			return;
		f = &a->refused.v[a->refused.n - 1];
	}
	f->times++;
	if (f->times == TRIES) {
		f->wait_ms = !f->wait_ms ? ANEW_MIN_MS : 2 * f->wait_ms;
		f->wait_ms = f->wait_ms < ANEW_MAX_MS ? f->wait_ms : ANEW_MAX_MS;
		f->times = f->left_out ? 2 * TRIES : TRIES;
	}
	f->until_ns = vw_now_ns() + f->wait_ms * 1000000;
	memcpy(f->dev, l->name, sizeof(f->dev));
	snprintf(f->text, sizeof(f->text), "%s", d->list.n ? d->list.v[0].text : "refused");
	if (f->times == TRIES && f->wait_ms == ANEW_MIN_MS)
		vw_err("%s: its wall is refused by the kernel; it is held, the others go on",
		       l->name);
}

/* Its time has come: one more refusal, and it is where it was. */
static void try_anew(struct refused *f)
{
	f->left_out |= f->times >= 2 * TRIES;
	f->times = TRIES - 1;
}

void vw_refused_review(struct vw_agent *a, bool committed)
{
	int64_t now = vw_now_ns(), next = INT64_MAX;
	size_t n = 0;

	for (size_t i = 0; i < a->refused.n; i++) {
		struct refused f = a->refused.v[i];

		if (!vw_links_get(a->links, f.ifindex) || (committed && f.times < TRIES))
			continue;
		if (!committed && f.times >= TRIES && f.until_ns <= now)
			try_anew(&f);
		if (f.until_ns < next)
			next = f.until_ns;
		a->refused.v[n++] = f;
	}
	a->refused.n = n;
	if (committed && n && !vw_timer_armed(a->reconcile_timer))
		vw_timer_arm(a->reconcile_timer, next > now ? (next - now) / 1000000 + 1 : 0);
}

/* The other way round, the same again: what hide swapped out is swapped back. */
static void swap(struct vw_agent *a)
{
	vw_vec_foreach (f, &a->refused) {
		unsigned keep;

		if (!f->hidden)
			continue;
		keep = f->hidden->ifindex;
		f->hidden->ifindex = f->hidden_ifindex;
		f->hidden_ifindex = keep;
	}
}

void vw_refused_hide(struct vw_agent *a)
{
	vw_vec_foreach (f, &a->refused) {
		f->hidden = NULL;
		f->hidden_ifindex = 0;
	}
	vw_vec_foreach (w, &a->world.workloads) {
		vw_vec_foreach (i, &w->ifaces) {
			if (i->ifindex && vw_refused_is(a, i->ifindex, VW_REFUSED_HELD))
				find(a, i->ifindex)->hidden = i;
		}
	}
	swap(a);
}

void vw_refused_show(struct vw_agent *a)
{
	swap(a);
}
