/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Refused flows summed by pairs of services, in bounded memory: who tried to reach whom, how often,
 * and at which ports. */
#include <stdio.h>

#include "core/graph_parts.h"
#include "vethwall/cleanup.h"

struct end {
	enum vw_party_kind kind;
	char name[2 * VW_FLOW_STR_MAX + 2];
};

/* "namespace/name" and its service -> "namespace/service". */
static void workload_end(struct vw_str workload, struct vw_str service, struct end *ret)
{
	const char *slash = memchr(workload.s, '/', workload.n);
	int head = slash ? (int)(slash + 1 - workload.s) : 0;

	if (!service.n)
		snprintf(ret->name, sizeof(ret->name), "%.*s", (int)workload.n, workload.s);
	else
		snprintf(ret->name, sizeof(ret->name), "%.*s%.*s", head, workload.s, (int)service.n,
			 service.s);
	ret->kind = VW_PARTY_SERVICE;
}

/* False when nothing is known of it. dns: its name, or nothing. */
static bool flow_end(struct vw_str name, struct vw_str service, struct vw_str dns, struct end *ret)
{
	if (dns.n && dns.n <= VW_FLOW_STR_MAX) {
		snprintf(ret->name, sizeof(ret->name), "%.*s", (int)dns.n, dns.s);
		ret->kind = VW_PARTY_NAME;
		return true;
	}
	if (!name.n || name.n > VW_FLOW_STR_MAX || service.n > VW_FLOW_STR_MAX)
		return false;
	if (memchr(name.s, '/', name.n)) {
		workload_end(name, service, ret);
		return true;
	}
	snprintf(ret->name, sizeof(ret->name), "%.*s", (int)name.n, name.s);
	ret->kind = !strcmp(ret->name, "host") ? VW_PARTY_HOST : VW_PARTY_OUTSIDE;
	return true;
}

static int tried_cmp(const struct vw_graph_tried *t, const struct end *from, const struct end *to)
{
	int c = strcmp(t->from, from->name);

	return c ? c : strcmp(t->to, to->name);
}

static void tried_done(struct vw_graph_tried *t)
{
	free(t->from);
	free(t->to);
}

void vw_graph_denied_done(struct vw_graph_denied *d)
{
	vw_vec_foreach (t, &d->list)
		tried_done(t);
	vw_vec_done(&d->list);
}

/* Finds or makes the pair's entry. */
static int pair(struct vw_graph_denied *d, const struct end *from, const struct end *to,
		struct vw_graph_tried **ret)
{
	struct vw_graph_tried t = {.from_kind = from->kind, .to_kind = to->kind};
	size_t lo = 0, hi = d->list.n;
	int r;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = tried_cmp(&d->list.v[mid], from, to);

		if (c == 0) {
			*ret = &d->list.v[mid];
			return 0;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	t.from = strdup(from->name);
	t.to = strdup(to->name);
	r = t.from && t.to ? vw_vec_push(&d->list, t, VW_GRAPH_DENIED_MAX) : -ENOMEM;
	if (r) {
		tried_done(&t);
		return r;
	}
	memmove(d->list.v + lo + 1, d->list.v + lo, (d->list.n - 1 - lo) * sizeof(t));
	d->list.v[lo] = t;
	*ret = &d->list.v[lo];
	return 0;
}

static void note_port(struct vw_graph_tried *t, uint8_t proto, uint16_t port)
{
	for (size_t i = 0; i < t->n_ports; i++)
		if (t->ports[i].proto == proto && t->ports[i].port == port)
			return;
	if (t->n_ports == VW_GRAPH_PORTS_MAX) {
		t->more_ports = true;
		return;
	}
	t->ports[t->n_ports++] = (struct vw_graph_port){proto, port};
}

int vw_graph_denied_add(struct vw_graph_denied *d, const struct vw_flow *f)
{
	struct end self, peer;
	struct vw_graph_tried *t;
	int r;

	if (f->event != VW_FLOW_DENIED && !vw_flow_is_sum(f->event))
		return 0;
	if (vw_flow_is_sum(f->event) ||
	    !flow_end(f->workload, f->service, (struct vw_str){0}, &self) ||
	    !flow_end(f->peer, f->peer_service, f->peer_name, &peer)) {
		d->left_out += f->packets;
		return 0;
	}
	r = pair(d, f->egress ? &self : &peer, f->egress ? &peer : &self, &t);
	if (r == -ENOSPC)
		d->left_out += f->packets;
	if (r)
		return r == -ENOSPC ? 0 : r;
	t->packets += f->packets;
	note_port(t, f->t.proto, f->t.dport);
	return 0;
}

static int by_port(const void *a, const void *b)
{
	const struct vw_graph_port *x = a, *y = b;

	return x->proto != y->proto ? x->proto - y->proto : x->port - y->port;
}

/* "tcp/22, tcp/3306 and more"; NULL without memory. Sorts the ports. */
static char *port_words(struct vw_graph_tried *t)
{
	char *text = NULL, one[VW_CONN_RANGE_STRLEN];
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	qsort(t->ports, t->n_ports, sizeof(t->ports[0]), by_port);
	for (size_t i = 0; i < t->n_ports; i++) {
		const struct vw_conn_range r = {.proto = t->ports[i].proto,
						.proto_last = t->ports[i].proto,
						.lo = t->ports[i].port,
						.hi = t->ports[i].port};

		fprintf(f, "%s%s", i ? ", " : "", vw_conn_range_str(&r, one));
	}
	if (t->more_ports)
		fputs(" and more", f);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

int vw_graph_add_denied(struct vw_graph *g, const struct vw_graph_denied *d)
{
	int r = 0;

	for (size_t i = 0; i < d->list.n && !r; i++) {
		struct vw_graph_tried t = d->list.v[i];
		_cleanup_free_ char *text = port_words(&t);
		uint32_t from, to;

		if (!text)
			return -ENOMEM;
		r = vw_graph_node(g, t.from_kind, t.from, 0, &from);
		if (!r)
			r = vw_graph_node(g, t.to_kind, t.to, 0, &to);
		if (!r)
			r = vw_graph_edge(g, from, to, VW_GRAPH_DENIED, text, t.packets);
	}
	g->cut_short |= r == -ENOSPC;
	return r == -ENOSPC ? 0 : r;
}
