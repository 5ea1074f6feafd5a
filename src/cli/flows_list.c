/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall flows list` and `follow`: the records themselves. */
#include <errno.h>
#include <string.h>

#include "cli/cmds.h"
#include "cli/flows.h"
#include "cli/flows_print.h"
#include "vethwall/cleanup.h"

struct kept_line {
	char *text;
	size_t n;
};

struct list {
	struct flows_query *q;
	struct flows_printer printer;
	unsigned long limit; /* 0: all, as they come */
	struct kept_line *ring; /* limit lines, the oldest at `next` once full */
	size_t kept, next;
	char buf[VW_FLOW_LINE_MAX];
};

static void show(struct list *l, const struct vw_flow *f)
{
	l->printer.records++;
	l->printer.packets += f->packets;
	l->printer.bytes += f->bytes;
	l->printer.record(l->q->out, &l->printer, f);
}

static int keep(struct list *l, const char *line, size_t n)
{
	struct kept_line *k = &l->ring[l->next];
	char *text = realloc(k->text, n ? n : 1);

	if (!text)
		return -ENOMEM;
	memcpy(text, line, n);
	k->text = text;
	k->n = n;
	l->next = (l->next + 1) % l->limit;
	if (l->kept < l->limit)
		l->kept++;
	return 0;
}

static int record(void *arg, const struct vw_flow *f, const char *line, size_t n)
{
	struct list *l = arg;

	if (l->limit)
		return keep(l, line, n);
	show(l, f);
	return ferror(l->q->out) ? -EPIPE : 0;
}

static void show_kept(struct list *l)
{
	size_t first = l->kept < l->limit ? 0 : l->next;
	struct vw_flow f;

	for (size_t i = 0; i < l->kept; i++) {
		struct kept_line *k = &l->ring[(first + i) % l->limit];

		if (!vw_flow_json_parse(k->text, k->n, l->buf, &f))
			show(l, &f);
	}
}

static void list_done(struct list **lp)
{
	struct list *l = *lp;

	for (size_t i = 0; l && l->ring && i < l->kept; i++)
		free(l->ring[i].text);
	if (l)
		free(l->ring);
	free(l);
}

static int follow(struct list *l)
{
	int r = 0;

	l->limit = 0;
	while (!r) {
		if (fflush(l->q->out))
			return -EPIPE;
		r = flows_read_more(&l->q->reader);
	}
	return r;
}

static int start(struct list *l)
{
	struct flows_query *q = l->q;
	static const char *const names[] = {"text", "json", "csv"};

	(void)flows_printer_init(&l->printer, names[q->format]);
	l->printer.colour = q->colour;
	l->printer.utc = q->utc;
	l->printer.ids = q->ids;
	l->limit = q->limit;
	if (l->limit) {
		l->ring = calloc(l->limit, sizeof(*l->ring));
		if (!l->ring)
			return -ENOMEM;
	}
	if (access(q->reader.dir, R_OK | X_OK))
		return -errno;
	l->printer.head(q->out, &l->printer);
	return 0;
}

int flows_list(struct flows_query *q)
{
	_cleanup_(list_done) struct list *l = calloc(1, sizeof(*l));
	int r = -ENOMEM;

	if (l) {
		l->q = q;
		r = start(l);
	}
	if (r)
		return flows_cannot(q, r);
	r = flows_run(q, record, l);
	if (r || ferror(q->out))
		return r;
	if (l->limit)
		show_kept(l);
	if (q->follow)
		return flows_cannot(q, follow(l));
	l->printer.foot(q->out, &l->printer);
	return flows_end(q);
}
