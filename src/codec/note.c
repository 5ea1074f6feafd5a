/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines about the log itself: made, told apart from records of flows, and those of the chain read
 * back. What is read may have been written by anybody, so every step is bounded by the line. */
#include "vethwall/note.h"
#include "vethwall/cleanup.h"
#include "vethwall/flow.h"
#include "vethwall/version.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NODE_MAX 64 /* HOST_NAME_MAX */
#define KIND_AT 200 /* event_type stands in these first bytes of a line of ours */

static const char *const kinds[] = {
	[VW_NOTE_SEGMENT] = "segment",
	[VW_NOTE_SEAL] = "seal",
	[VW_NOTE_STATS] = "stats",
	[VW_NOTE_GAP] = "gap",
};

/* What stands behind "name": in the line. */
static struct vw_str value(const char *line, size_t n, const char *name)
{
	char key[32];
	int len = snprintf(key, sizeof(key), "\"%s\":", name);
	const char *at = memmem(line, n, key, (size_t)len);

	if (!at)
		return (struct vw_str){0};
	at += len;
	return (struct vw_str){at, n - (size_t)(at - line)};
}

static struct vw_str quoted(const char *line, size_t n, const char *name)
{
	struct vw_str s = value(line, n, name);
	const char *end;

	if (!s.n || *s.s != '"')
		return (struct vw_str){0};
	end = memchr(++s.s, '"', --s.n);
	if (!end)
		return (struct vw_str){0};
	s.n = (size_t)(end - s.s);
	return s;
}

static int number(const char *line, size_t n, const char *name, uint64_t *ret)
{
	struct vw_str s = value(line, n, name);
	uint64_t v = 0;
	size_t i = 0;

	for (; i < s.n && s.s[i] >= '0' && s.s[i] <= '9'; i++) {
		if (v > (UINT64_MAX - 9) / 10)
			return -EINVAL;
		v = v * 10 + (uint64_t)(s.s[i] - '0');
	}
	if (!i)
		return -EINVAL;
	*ret = v;
	return 0;
}

enum vw_note_kind vw_note_kind(const char *line, size_t n)
{
	struct vw_str s = quoted(line, n < KIND_AT ? n : KIND_AT, "event_type");

	if (!n || *line != '{' || !s.s)
		return VW_NOTE_NONE;
	for (size_t k = VW_NOTE_SEGMENT; k < VW_ARRAY_SIZE(kinds); k++) {
		if (vw_str_is(&s, kinds[k]))
			return (enum vw_note_kind)k;
	}
	return VW_NOTE_NONE;
}

static size_t begin(enum vw_note_kind kind, int64_t time_us, char buf[static VW_NOTE_LINE_MAX])
{
	char t[VW_TIME_STRLEN];

	return (size_t)snprintf(buf, VW_NOTE_LINE_MAX,
				"{\"timestamp\":\"%s\",\"event_type\":\"%s\"",
				vw_time_str(time_us, t), kinds[kind]);
}

/* A name of this machine as every reader can take it. */
static const char *plain(const char *node, char ret[static NODE_MAX + 1])
{
	size_t i = 0;

	for (; i < NODE_MAX && node[i]; i++) {
		char c = node[i];

		ret[i] = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
					 (c >= '0' && c <= '9') || c == '-' || c == '.'
				 ? c
				 : '_';
	}
	ret[i] = '\0';
	return ret;
}

size_t vw_chain_line(const struct vw_chain_note *n, const char *node,
		     char buf[static VW_NOTE_LINE_MAX])
{
	size_t at = begin(n->kind, n->time_us, buf);
	char name[NODE_MAX + 1];

	if (n->kind == VW_NOTE_SEGMENT)
		at += (size_t)snprintf(buf + at, VW_NOTE_LINE_MAX - at,
				       ",\"seq\":%llu,\"oldest\":%llu,\"previous_sha256\":\"%s\","
				       "\"node\":\"%s\",\"version\":\"%.64s\"}\n",
				       (unsigned long long)n->seq, (unsigned long long)n->oldest,
				       n->sha256, plain(node, name), vw_version);
	else
		at += (size_t)snprintf(buf + at, VW_NOTE_LINE_MAX - at,
				       ",\"seq\":%llu,\"offset\":%llu,\"sha256\":\"%s\"}\n",
				       (unsigned long long)n->seq, (unsigned long long)n->offset,
				       n->sha256);
	return at;
}

static int hash(const struct vw_str *s, bool may_be_empty, char ret[static VW_SHA256_HEX])
{
	if (!s->s || (s->n != VW_SHA256_HEX - 1 && (s->n || !may_be_empty)))
		return -EINVAL;
	for (size_t i = 0; i < s->n; i++) {
		if (!strchr("0123456789abcdef", s->s[i]) || !s->s[i])
			return -EINVAL;
	}
	memcpy(ret, s->s, s->n);
	ret[s->n] = '\0';
	return 0;
}

int vw_chain_parse(const char *line, size_t n, struct vw_chain_note *ret)
{
	struct vw_chain_note c = {.kind = vw_note_kind(line, n)};
	bool first = c.kind == VW_NOTE_SEGMENT;
	struct vw_str time, sum;

	if ((!first && c.kind != VW_NOTE_SEAL) || n > VW_NOTE_LINE_MAX)
		return -EINVAL;
	time = quoted(line, n, "timestamp");
	sum = quoted(line, n, first ? "previous_sha256" : "sha256");
	if (!time.s || vw_time_parse(time.s, time.n, &c.time_us) ||
	    number(line, n, "seq", &c.seq) || hash(&sum, first, c.sha256) ||
	    number(line, n, first ? "oldest" : "offset", first ? &c.oldest : &c.offset))
		return -EINVAL;
	*ret = c;
	return 0;
}

static size_t put_time(const char *name, int64_t us, char *p, size_t room)
{
	char t[VW_TIME_STRLEN];

	return us ? (size_t)snprintf(p, room, ",\"%s\":\"%s\"", name, vw_time_str(us, t)) : 0;
}

static size_t put_word(const char *name, const char *s, char *p, size_t room)
{
	return s ? (size_t)snprintf(p, room, ",\"%s\":\"%.100s\"", name, s) : 0;
}

size_t vw_note_line(const struct vw_note *n, char buf[static VW_NOTE_LINE_MAX])
{
	size_t at = begin(n->kind, n->time_us, buf);

	at += put_word("cause", n->cause, buf + at, VW_NOTE_LINE_MAX - at);
	at += put_word("text", n->text, buf + at, VW_NOTE_LINE_MAX - at);
	at += put_time("first_seen", n->first_us, buf + at, VW_NOTE_LINE_MAX - at);
	at += put_time("last_seen", n->last_us, buf + at, VW_NOTE_LINE_MAX - at);
	for (size_t i = 0; i < VW_ARRAY_SIZE(n->counts) && n->counts[i].name; i++)
		at += (size_t)snprintf(buf + at, VW_NOTE_LINE_MAX - at, ",\"%.24s\":%llu",
				       n->counts[i].name, (unsigned long long)n->counts[i].v);
	return at + (size_t)snprintf(buf + at, VW_NOTE_LINE_MAX - at, "}\n");
}
