/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan file: one sealed JSON object. The seal tells a file that was cut or edited, not one that
 * somebody forged with it: what is applied is the policies in it, and the agent compiles those anew
 * and holds the result against the plan's digest. */
#include "vethwall/plan_file.h"

#include <string.h>

#include "vethwall/applied.h"
#include "vethwall/cleanup.h"
#include "vethwall/flow.h"

#define KIND "vethwall plan"

void vw_plan_file_done(struct vw_plan_file *p)
{
	free(p->version);
	free(p->plan);
	vw_sources_done(&p->sources);
	*p = (struct vw_plan_file){0};
}

char *vw_plan_file_print(const struct vw_plan_file *p)
{
	char made[VW_TIME_STRLEN], digest[VW_DIGEST_LEN];
	json_auto_t *o = NULL;

	vw_sha256(p->plan, strlen(p->plan), digest);
	o = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:b, s:o, s:s, s:s}", "kind", KIND, "format",
		      VW_PLAN_FORMAT, "version", p->version, "node", p->node, "made",
		      vw_time_str(p->made_us, made), "base", p->base, "audit", (int)p->audit,
		      "sources", vw_sources_json(&p->sources), "plan", p->plan, "plan_digest",
		      digest);
	return o ? vw_sealed_print(o) : NULL;
}

static bool hex(const json_t *o, const char *key, char *ret, size_t len)
{
	const char *s = json_string_value(json_object_get(o, key));

	if (!s || strlen(s) != len || strspn(s, "0123456789abcdef") != len)
		return false;
	memcpy(ret, s, len + 1);
	return true;
}

static bool text(const json_t *o, const char *key, char **ret)
{
	const char *s = json_string_value(json_object_get(o, key));

	*ret = s ? strdup(s) : NULL;
	return *ret;
}

/* 0, or -EINVAL: sealed as it is, but not what is written here. */
static int read_plan(const json_t *o, struct vw_plan_file *ret)
{
	const char *made = json_string_value(json_object_get(o, "made"));
	char digest[VW_DIGEST_LEN];

	if (!text(o, "version", &ret->version) || !text(o, "plan", &ret->plan) || !made ||
	    vw_time_parse(made, strlen(made), &ret->made_us) < 0 ||
	    !hex(o, "node", ret->node, VW_NODE_LEN - 1) ||
	    !hex(o, "base", ret->base, VW_DIGEST_LEN - 1) ||
	    !hex(o, "plan_digest", ret->plan_digest, VW_DIGEST_LEN - 1) ||
	    !json_is_boolean(json_object_get(o, "audit")))
		return -EINVAL;
	ret->audit = json_is_true(json_object_get(o, "audit"));
	vw_sha256(ret->plan, strlen(ret->plan), digest);
	if (strcmp(digest, ret->plan_digest) != 0)
		return -EINVAL;
	return vw_sources_from_json(json_object_get(o, "sources"), &ret->sources);
}

/* Of another kind, or of a format that is not ours. */
static int look(const char *s, size_t len, const struct vw_pos *pos, struct vw_diag *d)
{
	json_auto_t *o = json_loadb(s, len, JSON_REJECT_DUPLICATES, NULL);
	const char *kind = json_string_value(json_object_get(o, "kind"));
	json_int_t format = json_integer_value(json_object_get(o, "format"));

	if (!kind || strcmp(kind, KIND) != 0) {
		vw_error(d, pos, "is no plan; 'vethwall diff --out FILE' writes one");
		return -EINVAL;
	}
	if (format == VW_PLAN_FORMAT)
		return 0;
	vw_error(d, pos, "has format %lld, this vethwall reads %d: make the plan anew",
		 (long long)format, VW_PLAN_FORMAT);
	return -EPROTONOSUPPORT;
}

int vw_plan_file_parse(const char *s, size_t len, const char *file, struct vw_plan_file *ret,
		       struct vw_diag *d)
{
	_cleanup_(vw_plan_file_done) struct vw_plan_file p = {0};
	struct vw_pos pos = {.file = file};
	json_auto_t *o = NULL;
	int r = look(s, len, &pos, d);

	if (r)
		return r;
	if (vw_sealed_parse(s, len, &o) < 0 || read_plan(o, &p) < 0) {
		vw_error(d, &pos, "was changed since it was written: make the plan anew");
		return -EBADMSG;
	}
	*ret = p;
	p = (struct vw_plan_file){0};
	return 0;
}

int vw_plan_file_check(const struct vw_plan_file *p, const char *file, const char *version,
		       const char *node, struct vw_diag *d)
{
	struct vw_pos pos = {.file = file};

	if (strcmp(p->version, version) != 0) {
		vw_error(d, &pos, "was made by vethwall %.60s, this is %s: make the plan anew",
			 p->version, version);
		return -EPROTONOSUPPORT;
	}
	if (strcmp(p->node, node) != 0) {
		vw_error(d, &pos, "was made for another node");
		return -EXDEV;
	}
	return 0;
}
