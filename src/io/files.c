/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text files into memory, bounded, and the policies of files and folders. What the texts mean is
 * codec's business. */
#include "vethwall/cleanup.h"
#include "vethwall/sources.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#define FILES_MAX VW_SOURCES_MAX

static void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* Reads on until the end: the size of a pipe or of a file in /proc is not known before. */
static int read_all(int fd, size_t max, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *buf = NULL;
	size_t len = 0, cap = 0;

	for (;;) {
		ssize_t n;

		if (cap - len < 2) {
			char *p;

			cap = cap ? cap * 2 : 16384;
			p = realloc(buf, cap);
			if (!p)
				return -ENOMEM;
			buf = p;
		}
		n = read(fd, buf + len, cap - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return -EFBIG;
	}
	buf[len] = 0;
	*ret = TAKE_PTR(buf);
	*ret_len = len;
	return 0;
}

int vw_file_read(const char *path, size_t max, char **ret, size_t *ret_len)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : read_all(fd, max, ret, ret_len);
}

int vw_write_all(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

int vw_file_write(const char *path, const char *text, size_t len)
{
	_cleanup_free_ char *tmp = NULL;
	int fd, r;

	if (asprintf(&tmp, "%s.new", path) < 0)
		return -ENOMEM;
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = vw_write_all(fd, text, len);
	if (close(fd) && !r)
		r = -errno;
	if (!r && rename(tmp, path))
		r = -errno;
	if (r)
		(void)unlink(tmp);
	return r;
}

/* ---- policies ---- */

struct names {
	VW_VEC(char *) list;
};

static void names_done(struct names *n)
{
	vw_vec_foreach (s, &n->list)
		free(*s);
	vw_vec_done(&n->list);
}

static int cmp_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_policy_name(const char *name)
{
	static const char *const suffixes[] = {".yaml", ".yml", ".json"};
	size_t len = strlen(name);

	for (size_t i = 0; i < VW_ARRAY_SIZE(suffixes) && *name != '.'; i++) {
		size_t n = strlen(suffixes[i]);

		if (len > n && strcmp(name + len - n, suffixes[i]) == 0)
			return true;
	}
	return false;
}

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* The regular files of a folder (links followed) that may hold policies, as paths in name order. */
static int list_folder(const char *path, struct names *ret)
{
	_cleanup_(closedirp) DIR *dir = opendir(path);
	size_t n = strlen(path);
	const struct dirent *e;

	if (!dir)
		return -errno;
	while (errno = 0, (e = readdir(dir)) != NULL) {
		_cleanup_free_ char *file = NULL;
		struct stat st;
		int r;

		if (!is_policy_name(e->d_name))
			continue;
		if (fstatat(dirfd(dir), e->d_name, &st, 0) == 0 && !S_ISREG(st.st_mode))
			continue;
		if (asprintf(&file, "%s%s%s", path, n && path[n - 1] == '/' ? "" : "/", e->d_name) <
		    0) {
			file = NULL;
			return -ENOMEM;
		}
		r = vw_vec_push(&ret->list, file, FILES_MAX);
		if (r)
			return r;
		file = NULL;
	}
	if (errno)
		return -errno;
	if (ret->list.n)
		qsort(ret->list.v, ret->list.n, sizeof(*ret->list.v), cmp_names);
	return 0;
}

static int trouble(const char *path, int r, struct vw_diag *d)
{
	struct vw_pos pos = {.file = path};

	if (r == -EFBIG)
		vw_error(d, &pos, "the file is larger than %u bytes", VW_TEXT_MAX);
	else if (r == -ENOSPC)
		vw_error(d, &pos, "more than %d files in one folder", FILES_MAX);
	else
		vw_error(d, &pos, "cannot be read: %s", strerror(-r));
	return r;
}

static int refused(const char *path, int r, struct vw_diag *d)
{
	struct vw_pos pos = {.file = path};

	if (r == -EEXIST) /* the same file, named twice */
		return 0;
	if (r == -ENOMEM)
		return r;
	if (r == -EILSEQ)
		vw_error(d, &pos, "the file's name is not UTF-8");
	else
		vw_error(d, &pos, "the policies are more than %u files or %u bytes together",
			 VW_SOURCES_MAX, VW_SOURCES_BYTES_MAX);
	return -EINVAL;
}

static int read_file(const char *path, struct vw_sources *s, struct vw_diag *d)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = vw_file_read(path, VW_TEXT_MAX, &text, &len);

	if (r == -EFBIG) {
		trouble(path, r, d);
		return -EINVAL;
	}
	if (r)
		return trouble(path, r, d);
	r = vw_sources_add(s, path, text, len);
	return r ? refused(path, r, d) : 0;
}

/* Trouble in reading outweighs an invalid document. */
static int worse(int a, int b)
{
	return a == 0 || a == -EINVAL ? (b ? b : a) : a;
}

static int read_path(const char *path, struct vw_sources *s, struct vw_diag *d)
{
	_cleanup_(names_done) struct names names = {0};
	struct stat st;
	int r, ret = 0;

	if (stat(path, &st) < 0)
		return trouble(path, -errno, d);
	if (!S_ISDIR(st.st_mode))
		return read_file(path, s, d);
	r = list_folder(path, &names);
	if (r)
		return trouble(path, r, d);
	vw_vec_foreach (file, &names.list)
		ret = worse(ret, read_file(*file, s, d));
	return ret;
}

static int read_paths(const char *const *paths, size_t n, struct vw_sources *s, struct vw_diag *d)
{
	int r = 0;

	for (size_t i = 0; i < n; i++)
		r = worse(r, read_path(paths[i], s, d));
	return r;
}

int vw_sources_load(const char *const *paths, size_t n, struct vw_sources *ret, struct vw_diag *d)
{
	_cleanup_(vw_sources_done) struct vw_sources s = {0};
	int r = read_paths(paths, n, &s, d);

	if (r)
		return r;
	*ret = s;
	s = (struct vw_sources){0};
	return 0;
}

int vw_policies_load(const char *const *paths, size_t n, struct vw_policyset *ret,
		     struct vw_diag *d)
{
	_cleanup_(vw_policyset_done) struct vw_policyset set = {0};
	_cleanup_(vw_sources_done) struct vw_sources s = {0};
	int r = read_paths(paths, n, &s, d);

	/* What could be read is looked at all the same: all errors at once. */
	r = worse(r, vw_sources_parse(&s, &set, d));
	if (r)
		return r;
	*ret = set;
	set = (struct vw_policyset){0};
	return 0;
}

/* ---- image lists ---- */

#define REPORTS_MAX 4096 /* of one list */
#define REPORTS_BYTES_MAX (256u << 20) /* of them together */

static int load_images(const char *path, const struct vw_image_source *src, size_t *left,
		       struct vw_image_list *list, struct vw_diag *d)
{
	_cleanup_free_ char *text = NULL;
	struct vw_pos pos = {.file = path};
	size_t len = 0;
	int r = vw_file_read(path, VW_TEXT_MAX, &text, &len);

	if (r)
		return trouble(path, r, d);
	if (len > *left) {
		vw_error(d, &pos, "the reports of this list are larger than %u bytes together",
			 REPORTS_BYTES_MAX);
		return -EFBIG;
	}
	*left -= len;
	return vw_images_parse(text, len, path, src, list, d);
}

static int load_reports(const struct vw_image_source *src, struct vw_image_list *list,
			struct vw_diag *d)
{
	_cleanup_(names_done) struct names names = {0};
	struct vw_pos pos = {.file = src->file};
	size_t left = REPORTS_BYTES_MAX;
	int r = list_folder(src->file, &names), ret = 0;

	if (r)
		return trouble(src->file, r, d);
	if (names.list.n > REPORTS_MAX) {
		vw_error(d, &pos, "more than %d reports in one folder", REPORTS_MAX);
		return -EFBIG;
	}
	vw_vec_foreach (file, &names.list) {
		size_t n = strlen(*file);

		if (strcmp(*file + n - 5, ".json") == 0)
			ret = worse(ret, load_images(*file, src, &left, list, d));
	}
	return ret;
}

int vw_images_load(const struct vw_image_source *src, struct vw_image_list *ret, struct vw_diag *d)
{
	_cleanup_(vw_image_list_done) struct vw_image_list list = {.name = strdup(src->name)};
	size_t left = REPORTS_BYTES_MAX;
	struct stat st;
	int r;

	if (!list.name)
		return -ENOMEM;
	if (stat(src->file, &st) < 0)
		return trouble(src->file, -errno, d);
	if (S_ISDIR(st.st_mode) && src->format != VW_IMAGES_DIGESTS)
		r = load_reports(src, &list, d);
	else
		r = load_images(src->file, src, &left, &list, d);
	if (r)
		return r;
	*ret = list;
	list = (struct vw_image_list){0};
	return 0;
}
