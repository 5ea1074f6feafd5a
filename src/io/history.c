/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of policy texts on the disk. A set is written beside the others, synced, and renamed into
 * its place; the state likewise: a crash leaves what was there or what is new, never a part. One
 * agent at a time: the folder is locked. */
#include "vethwall/history.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "vethwall/cleanup.h"

#define FOLDER "applied"
#define STATE "state.json"
#define META "meta.json"
#define TEXTS "sources.json"
#define NEW ".new"
#define META_MAX 65536
#define TEXTS_MAX (6u * VW_SOURCES_BYTES_MAX) /* all of it control characters, as \u00XX */
#define ENTRIES_MAX (VW_HISTORY_MAX + 100) /* damaged ones and those in use come on top */
#define NAME_MAX_LEN 24

struct entry {
	uint64_t id;
	bool damaged; /* meta is not known */
	struct vw_applied meta;
};

struct vw_history {
	char *path; /* of the state folder, for words */
	int dir, sets; /* the folder and FOLDER in it */
	unsigned keep;
	VW_VEC(struct entry) entries; /* sorted by id */
	VW_VEC(struct vw_applied) good; /* what callers see */
	struct vw_applied_state state; /* as written last */
};

static void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int trouble(const struct vw_history *h, const char *what, int r, struct vw_diag *d)
{
	vw_error(d, NULL, "%s/%s: %s", h->path, what, strerror(-r));
	return r;
}

/* ---- reading ---- */

static void name_of(uint64_t id, char ret[static NAME_MAX_LEN])
{
	snprintf(ret, NAME_MAX_LEN, "%06llu", (unsigned long long)id);
}

/* The number that a folder's name spells the way we write it, or 0. */
static uint64_t id_of(const char *name)
{
	char again[NAME_MAX_LEN];
	uint64_t id = 0;

	if (strlen(name) > 18 || strspn(name, "0123456789") != strlen(name))
		return 0;
	id = strtoull(name, NULL, 10);
	name_of(id, again);
	return strcmp(name, again) == 0 ? id : 0;
}

static int read_at(int dir, const char *name, size_t max, char **ret, size_t *ret_len)
{
	_cleanup_(closep) int fd =
		openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	size_t len = 0;
	char *buf;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max)
		return -EBADMSG;
	buf = malloc((size_t)st.st_size + 1);
	if (!buf)
		return -ENOMEM;
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, buf + len, (size_t)st.st_size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			free(buf);
			return n < 0 ? -errno : -EBADMSG;
		}
		len += (size_t)n;
	}
	buf[len] = '\0';
	*ret = buf;
	*ret_len = len;
	return 0;
}

static int read_meta(int sets, const char *name, uint64_t id, struct vw_applied *ret)
{
	_cleanup_(closep) int dir =
		openat(sets, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	json_auto_t *j = NULL;
	size_t len;
	int r = dir < 0 ? -errno : read_at(dir, META, META_MAX, &text, &len);

	if (!r)
		r = vw_sealed_parse(text, len, &j);
	if (!r)
		r = vw_applied_from_json(j, ret);
	return r ? r : ret->id == id ? 0 : -EBADMSG;
}

static int by_id(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;

	return (a->id > b->id) - (a->id < b->id);
}

/* The list that callers see, anew. */
static int refresh(struct vw_history *h)
{
	h->good.n = 0;
	vw_vec_foreach (e, &h->entries) {
		int r = e->damaged ? 0 : vw_vec_push(&h->good, e->meta, ENTRIES_MAX);

		if (r)
			return r;
	}
	return 0;
}

static int scan(struct vw_history *h, struct vw_diag *d)
{
	int fd = openat(h->sets, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(closedirp) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *f;
	int r = 0;

	if (!dir) {
		r = -errno;
		closep(&fd);
		return trouble(h, FOLDER, r, d);
	}
	while (!r && (f = readdir(dir)) != NULL) {
		struct entry e = {.id = id_of(f->d_name)};

		if (!e.id)
			continue;
		e.damaged = read_meta(h->sets, f->d_name, e.id, &e.meta) < 0;
		if (e.damaged)
			vw_diag_add(d, VW_WARNING, NULL, NULL,
				    "%s/" FOLDER "/%s is damaged or foreign, and left out", h->path,
				    f->d_name);
		r = vw_vec_push(&h->entries, e, ENTRIES_MAX);
	}
	if (h->entries.n)
		qsort(h->entries.v, h->entries.n, sizeof(*h->entries.v), by_id);
	return r == -ENOSPC ? 0 : r ? r : refresh(h);
}

/* ---- opening ---- */

/* Texts of policies name what is worth attacking: the folder is its owner's alone. */
static int own_folder(struct vw_history *h, struct vw_diag *d)
{
	struct stat st;

	if (mkdirat(h->dir, FOLDER, 0700) < 0 && errno != EEXIST)
		return trouble(h, FOLDER, -errno, d);
	h->sets = openat(h->dir, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (h->sets < 0 || fstat(h->sets, &st) < 0)
		return trouble(h, FOLDER, -errno, d);
	if (st.st_uid != geteuid()) {
		vw_error(d, NULL, "%s/" FOLDER " belongs to uid %u", h->path, (unsigned)st.st_uid);
		return -EPERM;
	}
	if ((st.st_mode & 077) && fchmod(h->sets, 0700) < 0)
		return trouble(h, FOLDER, -errno, d);
	if (flock(h->sets, LOCK_EX | LOCK_NB) == 0)
		return 0;
	vw_error(d, NULL, "another agent keeps its sets in %s", h->path);
	return -EBUSY;
}

static void vw_history_freep(struct vw_history **h)
{
	vw_history_free(h);
}

int vw_history_open(const char *state_dir, unsigned keep, struct vw_history **ret,
		    struct vw_diag *d)
{
	_cleanup_(vw_history_freep) struct vw_history *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	h->dir = h->sets = -1;
	h->keep = keep;
	h->path = strdup(state_dir);
	if (!h->path)
		return -ENOMEM;
	if ((mkdir(state_dir, 0700) < 0 && errno != EEXIST) ||
	    (h->dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		r = -errno;
		vw_error(d, NULL, "%s: %s", state_dir, strerror(-r));
		return r;
	}
	r = own_folder(h, d);
	if (!r)
		r = scan(h, d);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(h);
	return 0;
}

void vw_history_free(struct vw_history **ph)
{
	struct vw_history *h = *ph;

	if (!h)
		return;
	closep(&h->dir);
	closep(&h->sets);
	vw_vec_done(&h->entries);
	vw_vec_done(&h->good);
	free(h->path);
	free(h);
	*ph = NULL;
}

size_t vw_history_count(const struct vw_history *h)
{
	return h->good.n;
}

const struct vw_applied *vw_history_at(const struct vw_history *h, size_t i)
{
	return i < h->good.n ? &h->good.v[i] : NULL;
}

const struct vw_applied *vw_history_last(const struct vw_history *h)
{
	return h->good.n ? &h->good.v[h->good.n - 1] : NULL;
}

const struct vw_applied *vw_history_find(const struct vw_history *h, uint64_t id)
{
	vw_vec_foreach (a, &h->good)
		if (a->id == id)
			return a;
	return NULL;
}

int vw_history_get(const struct vw_history *h, uint64_t id, struct vw_sources *ret,
		   struct vw_diag *d)
{
	_cleanup_(vw_sources_done) struct vw_sources s = {};
	const struct vw_applied *meta = vw_history_find(h, id);
	char name[NAME_MAX_LEN], path[64], digest[VW_DIGEST_LEN];
	_cleanup_free_ char *text = NULL;
	json_auto_t *j = NULL;
	size_t len;
	int r;

	if (!meta) {
		vw_error(d, NULL, "there is no set %llu", (unsigned long long)id);
		return -ENOENT;
	}
	name_of(id, name);
	snprintf(path, sizeof(path), "%s/" TEXTS, name);
	r = read_at(h->sets, path, TEXTS_MAX, &text, &len);
	if (!r) {
		j = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
		r = vw_sources_from_json(j, &s);
	}
	if (!r)
		vw_sources_digest(&s, digest);
	if (r == -ENOMEM)
		return r;
	if (r || strcmp(digest, meta->digest) != 0) {
		vw_error(d, NULL,
			 "set %llu in %s/" FOLDER " is damaged: its texts are not those that "
			 "were written",
			 (unsigned long long)id, h->path);
		return -EBADMSG;
	}
	*ret = s;
	s = (struct vw_sources){};
	return 0;
}

/* ---- writing ---- */

static int write_all(int fd, const char *s, size_t len)
{
	while (len) {
		ssize_t n = write(fd, s, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			s += n;
			len -= (size_t)n;
		}
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* A new file with this text, on the disk. */
static int write_at(int dir, const char *name, const char *text)
{
	_cleanup_(closep) int fd = -1;

	if (!text)
		return -ENOMEM;
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : write_all(fd, text, strlen(text));
}

static void remove_set(const struct vw_history *h, const char *name)
{
	_cleanup_(closep) int dir =
		openat(h->sets, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir >= 0) {
		(void)unlinkat(dir, META, 0);
		(void)unlinkat(dir, TEXTS, 0);
	}
	(void)unlinkat(h->sets, name, AT_REMOVEDIR);
}

static int write_texts(int dir, const struct vw_sources *s)
{
	json_auto_t *j = vw_sources_json(s);
	_cleanup_free_ char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

	return write_at(dir, TEXTS, text);
}

static int write_meta(int dir, const struct vw_applied *a)
{
	json_auto_t *j = vw_applied_json(a);
	_cleanup_free_ char *text = j ? vw_sealed_print(j) : NULL;

	return write_at(dir, META, text);
}

static int write_set(const struct vw_history *h, const struct vw_applied *a,
		     const struct vw_sources *s)
{
	_cleanup_(closep) int dir = -1;
	char name[NAME_MAX_LEN];
	int r;

	remove_set(h, NEW); /* of a writer that was killed */
	if (mkdirat(h->sets, NEW, 0700) < 0)
		return -errno;
	dir = openat(h->sets, NEW, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = dir < 0 ? -errno : write_texts(dir, s);
	if (!r)
		r = write_meta(dir, a);
	if (!r && fsync(dir) < 0)
		r = -errno;
	name_of(a->id, name);
	if (!r && renameat(h->sets, NEW, h->sets, name) < 0)
		r = -errno;
	if (!r && fsync(h->sets) < 0)
		r = -errno;
	if (r < 0)
		remove_set(h, NEW);
	return r;
}

static bool in_use(const struct vw_history *h, const struct entry *e)
{
	return e->id == h->state.enforced || e->id == h->state.previous;
}

/* The oldest go, damaged or not, until as many as asked for are left. */
static void prune(struct vw_history *h)
{
	size_t over = h->entries.n > h->keep ? h->entries.n - h->keep : 0, n = 0;

	for (size_t i = 0; i < h->entries.n; i++) {
		const struct entry *e = &h->entries.v[i];
		char name[NAME_MAX_LEN];

		if (over && i + 1 < h->entries.n && !in_use(h, e)) {
			name_of(e->id, name);
			remove_set(h, name);
			over--;
		} else {
			h->entries.v[n++] = *e;
		}
	}
	h->entries.n = n;
}

int vw_history_put(struct vw_history *h, struct vw_applied *a, const struct vw_sources *s,
		   struct vw_diag *d)
{
	uint64_t last = h->entries.n ? h->entries.v[h->entries.n - 1].id : 0;
	struct entry e = {.meta = *a};
	int r;

	if (last < h->state.enforced)
		last = h->state.enforced;
	e.id = e.meta.id = last + 1;
	vw_sources_digest(s, e.meta.digest);
	e.meta.files = (unsigned)s->list.n;
	r = write_set(h, &e.meta, s);
	if (r < 0)
		return trouble(h, FOLDER, r, d);
	r = vw_vec_push(&h->entries, e, ENTRIES_MAX);
	if (r < 0)
		return trouble(h, FOLDER, r, d);
	prune(h);
	r = refresh(h);
	*a = e.meta;
	return r < 0 ? trouble(h, FOLDER, r, d) : 0;
}

void vw_history_drop(struct vw_history *h, uint64_t id)
{
	size_t n = 0;

	for (size_t i = 0; i < h->entries.n; i++) {
		char name[NAME_MAX_LEN];

		if (h->entries.v[i].id != id) {
			h->entries.v[n++] = h->entries.v[i];
			continue;
		}
		name_of(id, name);
		remove_set(h, name);
	}
	h->entries.n = n;
	(void)refresh(h); /* no longer than it was */
}

/* ---- state ---- */

int vw_history_state(struct vw_history *h, struct vw_applied_state *ret, struct vw_diag *d)
{
	_cleanup_free_ char *text = NULL;
	json_auto_t *j = NULL;
	size_t len;
	int r = read_at(h->dir, STATE, META_MAX, &text, &len);

	*ret = (struct vw_applied_state){};
	if (r == -ENOENT)
		return 0;
	if (!r)
		r = vw_sealed_parse(text, len, &j);
	if (!r)
		r = vw_applied_state_from_json(j, ret);
	if (r < 0) {
		vw_error(d, NULL,
			 "%s/" STATE " is damaged or foreign: which set was in force is not "
			 "known",
			 h->path);
		return r == -ENOMEM ? r : -EBADMSG;
	}
	h->state = *ret;
	return 0;
}

int vw_history_set_state(struct vw_history *h, const struct vw_applied_state *s, struct vw_diag *d)
{
	json_auto_t *j = vw_applied_state_json(s);
	_cleanup_free_ char *text = j ? vw_sealed_print(j) : NULL;
	int r = write_at(h->dir, STATE ".new", text);

	if (!r && renameat(h->dir, STATE ".new", h->dir, STATE) < 0)
		r = -errno;
	if (!r && fsync(h->dir) < 0)
		r = -errno;
	if (r < 0)
		return trouble(h, STATE, r, d);
	h->state = *s;
	return 0;
}
