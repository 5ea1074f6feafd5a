/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets that were in force, and the state of the one that is, as JSON. Files carry a digest of
 * themselves, so that half a write, a flipped bit or another program's file is seen. */
#include "vethwall/applied.h"

#include "vethwall/cleanup.h"
#include "vethwall/flow.h"

static const char *const actions[] = {
	[VW_APPLIED_START] = "start",	  [VW_APPLIED_RELOAD] = "reload",
	[VW_APPLIED_APPLY] = "apply",	  [VW_APPLIED_ROLLBACK] = "rollback",
	[VW_APPLIED_EXPIRED] = "expired",
};
_Static_assert(VW_ARRAY_SIZE(actions) == _VW_APPLIED_MAX, "a word for each");

const char *vw_applied_action_str(enum vw_applied_action a)
{
	return actions[a];
}

int64_t vw_applied_left_ms(const struct vw_applied_state *s, const char *boot_id, int64_t boot_ms,
			   int64_t real_ms)
{
	bool same = strcmp(s->boot_id, boot_id) == 0;
	int64_t left = same ? s->deadline_boot_ms - boot_ms : s->deadline_real_ms - real_ms;

	if (left > s->confirm_ms)
		left = s->confirm_ms;
	return left > 0 ? left : 0;
}

/* ---- files that differ ---- */

static const char *last_part(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

static int by_last_part(const void *pa, const void *pb)
{
	const struct vw_source *const *a = pa, *const *b = pb;

	return strcmp(last_part((*a)->name), last_part((*b)->name));
}

typedef VW_VEC(const struct vw_source *) source_refs;

static int refs_of(const struct vw_sources *s, source_refs *ret)
{
	vw_vec_foreach (one, &s->list) {
		int r = vw_vec_push(ret, (const struct vw_source *)one, VW_SOURCES_MAX);

		if (r < 0)
			return r;
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_last_part);
	return 0;
}

static void count(struct vw_applied *a, const source_refs *before, const source_refs *now)
{
	size_t i = 0, j = 0;

	while (i < before->n || j < now->n) {
		int order = i == before->n ? 1
			    : j == now->n  ? -1
					   : by_last_part(&before->v[i], &now->v[j]);

		if (order < 0)
			a->removed++;
		else if (order > 0)
			a->added++;
		else if (before->v[i]->len != now->v[j]->len ||
			 memcmp(before->v[i]->text, now->v[j]->text, now->v[j]->len) != 0)
			a->changed++;
		i += order <= 0;
		j += order >= 0;
	}
}

void vw_applied_count(struct vw_applied *a, const struct vw_sources *before,
		      const struct vw_sources *now)
{
	source_refs x = {}, y = {};

	a->added = a->removed = a->changed = 0;
	if (refs_of(before, &x) == 0 && refs_of(now, &y) == 0)
		count(a, &x, &y);
	vw_vec_done(&x);
	vw_vec_done(&y);
}

/* ---- sets ---- */

static json_t *asker_json(const struct vw_asker *by)
{
	json_t *j;

	if (!by->known)
		return json_null();
	j = json_pack("{s:I, s:I, s:s}", "uid", (json_int_t)by->uid, "pid", (json_int_t)by->pid,
		      "comm", by->comm);
	if (!j) /* a process may call itself anything */
		j = json_pack("{s:I, s:I, s:s}", "uid", (json_int_t)by->uid, "pid",
			      (json_int_t)by->pid, "comm", "?");
	json_object_set_new(j, "login_uid",
			    by->login_uid == VW_UID_NONE ? json_null()
							 : json_integer(by->login_uid));
	return j;
}

json_t *vw_applied_json(const struct vw_applied *a)
{
	char time[VW_TIME_STRLEN];

	return json_pack("{s:I, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:b, s:s}", "id",
			 (json_int_t)a->id, "time", vw_time_str(a->time_ns / 1000, time), "action",
			 vw_applied_action_str(a->action), "by", asker_json(&a->by), "of",
			 a->of ? json_integer((json_int_t)a->of) : json_null(), "files",
			 (json_int_t)a->files, "documents", (json_int_t)a->documents, "added",
			 (json_int_t)a->added, "removed", (json_int_t)a->removed, "changed",
			 (json_int_t)a->changed, "audit", a->audit, "digest", a->digest);
}

/* A number from 0 to max. */
static bool number(const json_t *o, const char *key, int64_t max, int64_t *ret)
{
	const json_t *j = json_object_get(o, key);
	json_int_t v = json_integer_value(j);

	if (!json_is_integer(j) || v < 0 || v > max)
		return false;
	*ret = v;
	return true;
}

static bool text(const json_t *o, const char *key, char *ret, size_t size)
{
	const char *s = json_string_value(json_object_get(o, key));

	if (!s || strlen(s) >= size)
		return false;
	strcpy(ret, s);
	return true;
}

static bool digest(const json_t *o, const char *key, char ret[static VW_DIGEST_LEN])
{
	return text(o, key, ret, VW_DIGEST_LEN) && strlen(ret) == VW_DIGEST_LEN - 1 &&
	       strspn(ret, "0123456789abcdef") == VW_DIGEST_LEN - 1;
}

static bool asker_from_json(const json_t *j, struct vw_asker *ret)
{
	int64_t uid, pid, login = VW_UID_NONE;

	if (json_is_null(j))
		return true;
	if (!number(j, "uid", UINT32_MAX, &uid) || !number(j, "pid", INT32_MAX, &pid) ||
	    !text(j, "comm", ret->comm, sizeof(ret->comm)))
		return false;
	if (!json_is_null(json_object_get(j, "login_uid")) &&
	    !number(j, "login_uid", UINT32_MAX, &login))
		return false;
	ret->known = true;
	ret->uid = (uint32_t)uid;
	ret->pid = (int32_t)pid;
	ret->login_uid = (uint32_t)login;
	return true;
}

static bool counts_from_json(const json_t *j, struct vw_applied *a)
{
	const struct {
		const char *key;
		unsigned *at;
		unsigned max;
	} counts[] = {
		{"files", &a->files, VW_SOURCES_MAX},	  {"documents", &a->documents, UINT32_MAX},
		{"added", &a->added, VW_SOURCES_MAX},	  {"removed", &a->removed, VW_SOURCES_MAX},
		{"changed", &a->changed, VW_SOURCES_MAX},
	};

	for (size_t i = 0; i < VW_ARRAY_SIZE(counts); i++) {
		int64_t n;

		if (!number(j, counts[i].key, counts[i].max, &n))
			return false;
		*counts[i].at = (unsigned)n;
	}
	return true;
}

static bool action_from_json(const json_t *j, enum vw_applied_action *ret)
{
	const char *word = json_string_value(json_object_get(j, "action"));

	for (int i = 0; word && i < _VW_APPLIED_MAX; i++) {
		if (strcmp(actions[i], word) != 0)
			continue;
		*ret = (enum vw_applied_action)i;
		return true;
	}
	return false;
}

int vw_applied_from_json(const json_t *j, struct vw_applied *ret)
{
	const char *time = json_string_value(json_object_get(j, "time"));
	const json_t *audit = json_object_get(j, "audit");
	struct vw_applied a = {};
	int64_t id, us, of = 0;

	if (!number(j, "id", INT64_MAX, &id) || !id || !time ||
	    vw_time_parse(time, strlen(time), &us) < 0 || us < 0 || us > INT64_MAX / 1000 ||
	    !json_is_boolean(audit) || !action_from_json(j, &a.action) ||
	    !counts_from_json(j, &a) || !digest(j, "digest", a.digest) ||
	    !asker_from_json(json_object_get(j, "by"), &a.by))
		return -EINVAL;
	if (!json_is_null(json_object_get(j, "of")) && !number(j, "of", INT64_MAX, &of))
		return -EINVAL;
	a.id = (uint64_t)id;
	a.of = (uint64_t)of;
	a.time_ns = us * 1000;
	a.audit = json_is_true(audit);
	*ret = a;
	return 0;
}

/* ---- state ---- */

json_t *vw_applied_state_json(const struct vw_applied_state *s)
{
	return json_pack("{s:I, s:b, s:I, s:I, s:I, s:I, s:s}", "enforced", (json_int_t)s->enforced,
			 "pinned", s->pinned, "previous", (json_int_t)s->previous,
			 "deadline_boot_ms", (json_int_t)s->deadline_boot_ms, "deadline_real_ms",
			 (json_int_t)s->deadline_real_ms, "confirm_ms", (json_int_t)s->confirm_ms,
			 "boot_id", s->boot_id);
}

int vw_applied_state_from_json(const json_t *j, struct vw_applied_state *ret)
{
	const json_t *pinned = json_object_get(j, "pinned");
	struct vw_applied_state s = {};
	int64_t enforced, previous;

	if (!json_is_boolean(pinned) || !number(j, "enforced", INT64_MAX, &enforced) ||
	    !number(j, "previous", INT64_MAX, &previous) ||
	    !number(j, "deadline_boot_ms", INT64_MAX, &s.deadline_boot_ms) ||
	    !number(j, "deadline_real_ms", INT64_MAX, &s.deadline_real_ms) ||
	    !number(j, "confirm_ms", INT64_MAX, &s.confirm_ms) ||
	    !text(j, "boot_id", s.boot_id, sizeof(s.boot_id)))
		return -EINVAL;
	s.enforced = (uint64_t)enforced;
	s.previous = (uint64_t)previous;
	s.pinned = json_is_true(pinned);
	*ret = s;
	return 0;
}

/* ---- seals ---- */

#define SEAL "seal"
#define FORM (JSON_COMPACT | JSON_SORT_KEYS) /* one text for one object */

static int seal_of(const json_t *object, char ret[static VW_DIGEST_LEN])
{
	_cleanup_free_ char *s = json_dumps(object, FORM);

	if (!s)
		return -ENOMEM;
	vw_sha256(s, strlen(s), ret);
	return 0;
}

char *vw_sealed_print(json_t *object)
{
	char seal[VW_DIGEST_LEN];

	if (seal_of(object, seal) < 0 || json_object_set_new(object, SEAL, json_string(seal)) < 0)
		return NULL;
	return json_dumps(object, JSON_INDENT(2));
}

int vw_sealed_parse(const char *s, size_t len, json_t **ret)
{
	json_auto_t *j = json_loadb(s, len, JSON_REJECT_DUPLICATES, NULL);
	char is[VW_DIGEST_LEN], said[VW_DIGEST_LEN];

	if (!json_is_object(j) || !digest(j, SEAL, said))
		return -EBADMSG;
	json_object_del(j, SEAL);
	if (seal_of(j, is) < 0 || strcmp(is, said) != 0)
		return -EBADMSG;
	*ret = TAKE_PTR(j);
	return 0;
}
