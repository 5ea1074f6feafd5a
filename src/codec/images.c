/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Image lists as they are written: one image a line, or a vulnerability report of Trivy (schema 2,
 * pkg/types/report.go) or Grype (its json presenter), which speaks of one image. A report that is
 * not understood is refused: what it may have said must not be lost. Knows no policies. */
#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "codec/docker_json_read.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"

struct reading {
	struct vw_pos pos;
	const struct vw_image_source *src;
	struct vw_image_list *list;
	struct vw_diag *d;
	int r; /* -ENOMEM, or 0 */
};

#define complain(c, ...) vw_error((c)->d, &(c)->pos, __VA_ARGS__)

static bool add(struct reading *c, const char *key)
{
	int r = vw_image_list_add(c->list, key);

	if (r == -ENOSPC)
		complain(c, "found more than %d images in one list", VW_IMAGE_ENTRIES_MAX);
	else if (r < 0)
		c->r = r;
	return !r;
}

/* ---- one a line ---- */

/* False when the list is full. */
static bool read_line(struct reading *c, char *line)
{
	char *s = line + strspn(line, " \t"), key[VW_IMAGE_KEY_MAX];
	size_t n = strcspn(s, "#");
	const char *why;

	while (n && strchr(" \t\r", s[n - 1]))
		n--;
	s[n] = '\0';
	if (!n)
		return true;
	c->pos.col = (unsigned)(s - line) + 1;
	why = vw_image_key(s, key);
	if (!why)
		return add(c, key);
	complain(c, "found \"%.80s\", %s", s, why);
	return true;
}

static void read_lines(struct reading *c, const char *text, size_t len)
{
	const char *end = text + len;
	bool ok = true;

	for (c->pos.line = 1; ok && text < end; c->pos.line++) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((nl ? nl : end) - text);
		_cleanup_free_ char *line = malloc(n + 1);

		c->pos.col = 1;
		if (line)
			*(char *)mempcpy(line, text, n) = '\0';
		if (!line)
			c->r = -ENOMEM;
		else if (strlen(line) != n)
			complain(c, "found a NUL byte, expected text");
		ok = line && strlen(line) == n && read_line(c, line);
		text += n + (nl ? 1 : 0);
	}
}

/* ---- reports ---- */

/* Above all: not a word for one of them is -1. */
static int severity_of(const json_t *v)
{
	static const char *const words[_VW_SEV_MAX] = {"unknown", "negligible", "low",
						       "medium",  "high",	"critical"};
	const char *s = json_string_value(v);

	if (!v || json_is_null(v) || (s && !*s))
		return VW_SEV_UNKNOWN;
	for (int i = 0; s && i < _VW_SEV_MAX; i++)
		if (strcasecmp(s, words[i]) == 0)
			return i;
	return -1;
}

static int higher(struct reading *c, const json_t *severity, int than)
{
	int s = severity_of(severity);

	if (s < 0)
		complain(c,
			 "severity: found %s%.40s, expected unknown, negligible, low, medium, "
			 "high or critical",
			 json_is_string(severity) ? "" : "no text ",
			 json_is_string(severity) ? json_string_value(severity) : "");
	return s > than ? s : than;
}

/* A list that may be left out or null. */
static const json_t *list_of(struct reading *c, const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	if (!v || json_is_null(v))
		return NULL;
	if (!json_is_array(v))
		complain(c, "%s: expected a list", key);
	return v;
}

static size_t add_ref(struct reading *c, const json_t *v, bool free_text)
{
	const char *s = json_string_value(v), *why;
	char key[VW_IMAGE_KEY_MAX];

	if (!v || json_is_null(v) || (s && !*s))
		return 0;
	why = s ? vw_image_key(s, key) : "expected text";
	if (!why)
		return add(c, key);
	/* What somebody typed may be the path of an archive. */
	if (!free_text)
		complain(c, "image: found \"%.80s\", %s", s ? s : "", why);
	return 0;
}

static size_t add_refs(struct reading *c, const json_t *list)
{
	const json_t *e;
	size_t i, n = 0;

	json_array_foreach (list, i, e)
		n += add_ref(c, e, false);
	return n;
}

static void read_trivy(struct reading *c, const json_t *o)
{
	const json_t *meta = json_object_get(o, "Metadata"), *results, *vulns, *res, *v;
	const char *type = vw_json_text(o, "ArtifactType");
	size_t i, k, n;
	int worst = -1;

	if (json_integer_value(json_object_get(o, "SchemaVersion")) != 2 || !type ||
	    strcmp(type, "container_image") != 0) {
		complain(c, "expected Trivy's report on an image: SchemaVersion 2 and ArtifactType "
			    "container_image");
		return;
	}
	results = list_of(c, o, "Results");
	json_array_foreach (results, i, res) {
		vulns = list_of(c, res, "Vulnerabilities");
		json_array_foreach (vulns, k, v)
			worst = higher(c, json_object_get(v, "Severity"), worst);
	}
	if (worst < (int)c->src->severity)
		return;
	n = add_ref(c, json_object_get(meta, "ImageID"), false) +
	    add_refs(c, list_of(c, meta, "RepoDigests")) +
	    add_ref(c, json_object_get(o, "ArtifactName"), true);
	if (!n)
		complain(c, "the report names no image: expected Metadata.ImageID or RepoDigests");
}

static void read_grype(struct reading *c, const json_t *o)
{
	const json_t *source = json_object_get(o, "source"), *m;
	const json_t *target = json_object_get(source, "target"), *matches;
	const char *type = vw_json_text(source, "type");
	size_t i, n;
	int worst = -1;

	if (!json_is_array(json_object_get(o, "matches")) || !type || strcmp(type, "image") != 0 ||
	    !json_is_object(target)) {
		complain(c, "expected Grype's report on an image: matches, and a source of type "
			    "image");
		return;
	}
	matches = json_object_get(o, "matches");
	json_array_foreach (matches, i, m)
		worst = higher(c, json_object_get(json_object_get(m, "vulnerability"), "severity"),
			       worst);
	if (worst < (int)c->src->severity)
		return;
	n = add_ref(c, json_object_get(target, "imageID"), false) +
	    add_ref(c, json_object_get(target, "manifestDigest"), false) +
	    add_refs(c, list_of(c, target, "repoDigests")) +
	    add_ref(c, json_object_get(target, "userInput"), true);
	if (!n)
		complain(c, "the report names no image: expected source.target.imageID");
}

static void read_report(struct reading *c, const char *text, size_t len)
{
	json_error_t e;
	_cleanup_(vw_json_unref) json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);

	if (!o) {
		c->pos.line = e.line > 0 ? (unsigned)e.line : 1;
		c->pos.col = e.column > 0 ? (unsigned)e.column : 1;
		complain(c, "no JSON: %s", e.text);
	} else if (c->src->format == VW_IMAGES_TRIVY) {
		read_trivy(c, o);
	} else {
		read_grype(c, o);
	}
}

int vw_images_parse(const char *text, size_t len, const char *file,
		    const struct vw_image_source *src, struct vw_image_list *list,
		    struct vw_diag *d)
{
	struct reading c = {.pos = {.file = file}, .src = src, .list = list, .d = d};
	size_t had = list->entries.n, errors = d->errors;

	if (src->format == VW_IMAGES_DIGESTS)
		read_lines(&c, text, len);
	else
		read_report(&c, text, len);
	if (!c.r && d->errors == errors)
		return 0;
	while (list->entries.n > had)
		free(list->entries.v[--list->entries.n]);
	return c.r ? c.r : -EINVAL;
}
