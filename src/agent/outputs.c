/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copies of the log's records to other systems; what each lost is counted and shown. */
#include "agent/outputs.h"

#include <string.h>
#include <unistd.h>

#include "vethwall/cleanup.h"

int vw_outputs_open(struct vw_loop *loop, const struct vw_settings *s, struct vw_outputs *ret,
		    struct vw_diag *d)
{
	*ret = (struct vw_outputs){.s = s};
	if (!s->outputs.n)
		return 0;
	ret->buf = malloc(VW_OUTPUT_MESSAGE_MAX);
	if (!ret->buf)
		return -ENOMEM;
	if (gethostname(ret->host, sizeof(ret->host) - 1) < 0)
		ret->host[0] = '\0';
	for (; ret->n < s->outputs.n; ret->n++) {
		int r = vw_output_open(loop, &s->outputs.v[ret->n], &ret->list[ret->n], d);

		if (r < 0)
			return r;
	}
	return 0;
}

void vw_outputs_done(struct vw_outputs *o)
{
	for (size_t i = 0; i < o->n; i++) {
		vw_output_flush(o->list[i]);
		vw_output_free(&o->list[i]);
	}
	free(o->buf);
	*o = (struct vw_outputs){0};
}

void vw_outputs_put(struct vw_outputs *o, const char *line, size_t n)
{
	for (size_t i = 0; i < o->n; i++) {
		size_t len = vw_output_message(&o->s->outputs.v[i], line, n, o->host, o->buf);

		if (len)
			vw_output_put(o->list[i], o->buf, len);
	}
}

json_t *vw_outputs_json(const struct vw_outputs *o)
{
	json_t *list = json_array();

	for (size_t i = 0; i < o->n; i++) {
		const struct vw_output_settings *s = &o->s->outputs.v[i];
		char address[VW_OUTPUT_ADDRESS_MAX];
		struct vw_output_stats st;

		vw_output_stats(o->list[i], &st);
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:s*}", "kind",
						vw_output_kind_str(s->kind), "address",
						vw_output_address_str(s, address), "connected",
						st.connected, "sent", (json_int_t)st.sent,
						"dropped", (json_int_t)st.dropped, "waiting",
						(json_int_t)st.waiting, "error", st.error));
	}
	return list;
}
