/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of policy texts, bounded: to policies, to one digest, to JSON and back. Where the texts come
 * from (files, the control socket, a plan file, history) is not known here. */
#include "vethwall/sources.h"

#include <sha2.h>

#include "vethwall/cleanup.h"

static void source_done(struct vw_source *s)
{
	free(s->name);
	free(s->text);
	*s = (struct vw_source){0};
}

void vw_sources_done(struct vw_sources *s)
{
	vw_vec_foreach (one, &s->list)
		source_done(one);
	vw_vec_done(&s->list);
	s->bytes = 0;
}

/* Where the name is, or belongs. Names mostly come in order, so the end is looked at first. */
static size_t place_of(const struct vw_sources *s, const char *name, bool *ret_there)
{
	size_t lo = 0, hi = s->list.n;

	*ret_there = false;
	if (hi && strcmp(s->list.v[hi - 1].name, name) < 0)
		return hi;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int order = strcmp(s->list.v[mid].name, name);

		if (order == 0) {
			*ret_there = true;
			return mid;
		}
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_utf8(const char *s)
{
	json_auto_t *j = json_string(s);

	return j;
}

static int source_copy(const char *name, const char *text, size_t len, struct vw_source *ret)
{
	struct vw_source one = {.name = strdup(name), .text = malloc(len + 1), .len = len};

	if (!one.name || !one.text) {
		source_done(&one);
		return -ENOMEM;
	}
	memcpy(one.text, text, len);
	one.text[len] = '\0';
	*ret = one;
	return 0;
}

int vw_sources_add(struct vw_sources *s, const char *name, const char *text, size_t len)
{
	struct vw_source one;
	bool there;
	size_t at;
	int r;

	if (!is_utf8(name))
		return -EILSEQ;
	at = place_of(s, name, &there);
	if (there)
		return -EEXIST;
	if (len > VW_TEXT_MAX || len > VW_SOURCES_BYTES_MAX - s->bytes ||
	    s->list.n >= VW_SOURCES_MAX)
		return -E2BIG;
	r = source_copy(name, text, len, &one);
	if (r)
		return r;
	r = vw_vec_push(&s->list, one, VW_SOURCES_MAX);
	if (r) {
		source_done(&one);
		return r;
	}
	memmove(&s->list.v[at + 1], &s->list.v[at], (s->list.n - 1 - at) * sizeof(one));
	s->list.v[at] = one;
	s->bytes += len;
	return 0;
}

int vw_sources_parse(const struct vw_sources *s, struct vw_policyset *ret, struct vw_diag *d)
{
	_cleanup_(vw_policyset_done) struct vw_policyset set = {0};
	int r = 0;

	vw_vec_foreach (one, &s->list) {
		int e = vw_policy_parse(one->text, one->len, one->name, &set, d);

		if (e == -ENOMEM)
			return e;
		r = r ? r : e;
	}
	if (r)
		return r;
	vw_policyset_sort(&set);
	*ret = set;
	set = (struct vw_policyset){0};
	return 0;
}

/* ---- digests ---- */

static void hex(const uint8_t digest[static SHA256_DIGEST_LENGTH], char ret[static VW_DIGEST_LEN])
{
	for (size_t i = 0; i < SHA256_DIGEST_LENGTH; i++)
		snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

void vw_sha256(const void *p, size_t n, char ret[static VW_DIGEST_LEN])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	SHA2_CTX ctx;

	SHA256Init(&ctx);
	SHA256Update(&ctx, p, n);
	SHA256Final(digest, &ctx);
	hex(digest, ret);
}

void vw_sources_digest(const struct vw_sources *s, char ret[static VW_DIGEST_LEN])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	SHA2_CTX ctx;

	SHA256Init(&ctx);
	vw_vec_foreach (one, &s->list) {
		const char *slash = strrchr(one->name, '/'), *name = slash ? slash + 1 : one->name;
		char part[VW_DIGEST_LEN];

		/* Names have no NUL, digests one length: no text can pass for two. */
		SHA256Update(&ctx, (const uint8_t *)name, strlen(name) + 1);
		vw_sha256(one->text, one->len, part);
		SHA256Update(&ctx, (const uint8_t *)part, sizeof(part));
	}
	SHA256Final(digest, &ctx);
	hex(digest, ret);
}

/* ---- JSON ---- */

json_t *vw_sources_json(const struct vw_sources *s)
{
	json_t *list = json_array();

	vw_vec_foreach (one, &s->list) {
		json_t *o = json_pack("{s:s, s:s%}", "name", one->name, "text", one->text,
				      (size_t)one->len);

		if (json_array_append_new(list, o) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

int vw_sources_from_json(const json_t *array, struct vw_sources *ret)
{
	_cleanup_(vw_sources_done) struct vw_sources s = {0};
	const json_t *o;
	size_t i;

	if (!json_is_array(array))
		return -EINVAL;
	json_array_foreach (array, i, o) {
		const json_t *text = json_object_get(o, "text");
		const char *name = json_string_value(json_object_get(o, "name"));
		int r;

		if (!name || !*name || !json_is_string(text))
			return -EINVAL;
		r = vw_sources_add(&s, name, json_string_value(text), json_string_length(text));
		if (r)
			return r;
	}
	*ret = s;
	s = (struct vw_sources){0};
	return 0;
}
