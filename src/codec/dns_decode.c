/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A DNS message to the addresses of the name that it answers for. Names are read where they are
 * needed, again each time: at most RRS_MAX records times CHAIN_MAX steps, and a compression pointer
 * only leads backwards, so the work is bounded whatever the message says. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "vethwall/dns.h"

#define HEADER_LEN 12
#define RRS_MAX 128 /* of the answer section; a name with more addresses is no name to allow by */
#define CHAIN_MAX 16 /* CNAMEs to follow; resolvers stop earlier (BIND: 16) */

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28, CLASS_IN = 1 };

struct message {
	const uint8_t *p;
	size_t n;
};

struct record {
	size_t owner, data; /* offsets */
	uint16_t type, class, len;
	uint32_t ttl;
};

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

/* Text of a name so far. odd: it has a character that no host's name has, so it is nobody's that a
 * policy could speak of. */
struct text {
	char v[VW_FQDN_LEN];
	size_t n;
	bool odd;
};

static int add_label(struct text *t, const uint8_t *label, size_t n)
{
	if (t->n + n + 1 >= sizeof(t->v))
		return -EINVAL;
	if (t->n)
		t->v[t->n++] = '.';
	for (size_t i = 0; i < n; i++) {
		char c = (char)label[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		t->odd |=
			!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_');
		t->v[t->n++] = c;
	}
	return 0;
}

/* The name at *at; *at moves behind it. RFC 1035 4.1.4: pointers lead to what stood before. */
static int read_name(const struct message *m, size_t *at, struct text *ret)
{
	struct text t = {.n = 0};
	size_t pos = *at, end = 0, low = *at;

	for (;;) {
		uint8_t len;

		if (pos >= m->n)
			return -EINVAL;
		len = m->p[pos];
		if (len >= 0xc0) {
			size_t to = pos + 1 < m->n ? be16(m->p + pos) & 0x3fff : SIZE_MAX;

			if (to >= low || to < HEADER_LEN)
				return -EINVAL;
			end = end ? end : pos + 2;
			pos = low = to;
			continue;
		}
		if (len > 63 || len > m->n - pos - 1)
			return -EINVAL;
		pos += len + 1u;
		if (!len)
			break;
		if (add_label(&t, m->p + pos - len, len))
			return -EINVAL;
	}
	t.v[t.n] = '\0';
	*at = end ? end : pos;
	*ret = t;
	return 0;
}

static int read_record(const struct message *m, size_t *at, struct record *ret)
{
	struct record r = {.owner = *at};
	struct text unused;
	const uint8_t *h;

	if (read_name(m, at, &unused) || m->n - *at < 10)
		return -EINVAL;
	h = m->p + *at;
	r.type = be16(h);
	r.class = be16(h + 2);
	/* RFC 2181 8: with the top bit set it is zero */
	r.ttl = be32(h + 4) & 0x80000000 ? 0 : be32(h + 4);
	r.len = be16(h + 8);
	r.data = *at + 10;
	if (r.len > m->n - r.data)
		return -EINVAL;
	*at = r.data + r.len;
	*ret = r;
	return 0;
}

/* QR set, opcode 0, not truncated (the client asks again by TCP, RFC 2181 9), RCODE 0, one
 * question. */
static bool is_answer(const uint8_t *h)
{
	return (h[2] & 0xfa) == 0x80 && !(h[3] & 0x0f) && be16(h + 4) == 1;
}

static bool owner_is(const struct message *m, const struct record *r, const char *name)
{
	size_t at = r->owner;
	struct text t;

	return !read_name(m, &at, &t) && !t.odd && !strcmp(t.v, name);
}

static void take_address(const struct message *m, const struct record *r, uint32_t ttl,
			 struct vw_dns_answer *ret)
{
	struct vw_dns_addr *a = &ret->addrs[ret->n];
	size_t len = r->type == TYPE_A ? 4 : 16;

	if (r->len != len || ret->n == VW_DNS_ADDRS_MAX)
		return;
	*a = (struct vw_dns_addr){.addr.family = len == 4 ? 4 : 6,
				  .ttl = ttl < r->ttl ? ttl : r->ttl};
	memcpy(a->addr.b, m->p + r->data, len);
	ret->n++;
}

/* Addresses of the name; and where it is an alias, of what: true, then *name and *ttl are those. */
static bool take_records(const struct message *m, const struct record *v, size_t n, uint16_t type,
			 char *name, uint32_t *ttl, struct vw_dns_answer *ret)
{
	const struct record *alias = NULL;
	struct text to;
	size_t at;

	for (size_t i = 0; i < n; i++) {
		bool cname = v[i].type == TYPE_CNAME && !alias;

		if (v[i].class != CLASS_IN || !(cname || v[i].type == type) ||
		    !owner_is(m, &v[i], name))
			continue;
		if (cname)
			alias = &v[i];
		else
			take_address(m, &v[i], *ttl, ret);
	}
	if (!alias)
		return false;
	at = alias->data;
	if (read_name(m, &at, &to) || at > alias->data + alias->len || to.odd)
		return false;
	if (alias->ttl < *ttl)
		*ttl = alias->ttl;
	memcpy(name, to.v, to.n + 1);
	return true;
}

static int read_answers(const struct message *m, size_t at, size_t n, uint16_t type,
			struct vw_dns_answer *ret)
{
	struct record v[RRS_MAX];
	char name[VW_FQDN_LEN];
	uint32_t ttl = UINT32_MAX;

	if (n > RRS_MAX)
		return -ENOMSG;
	for (size_t i = 0; i < n; i++)
		if (read_record(m, &at, &v[i]))
			return -EINVAL;
	memcpy(name, ret->name, sizeof(name));
	for (int i = 0; i < CHAIN_MAX; i++)
		if (!take_records(m, v, n, type, name, &ttl, ret))
			break;
	return ret->n ? 0 : -ENOMSG;
}

int vw_dns_decode(const uint8_t *p, size_t n, struct vw_dns_answer *ret)
{
	const struct message m = {p, n};
	struct vw_dns_answer a = {.n = 0};
	size_t at = HEADER_LEN;
	struct text name;
	uint16_t type;
	int r;

	if (n < HEADER_LEN)
		return -EINVAL;
	if (!is_answer(p))
		return -ENOMSG;
	if (read_name(&m, &at, &name) || n - at < 4)
		return -EINVAL;
	type = be16(p + at);
	if (name.odd || !name.n || be16(p + at + 2) != CLASS_IN ||
	    (type != TYPE_A && type != TYPE_AAAA))
		return -ENOMSG;
	memcpy(a.name, name.v, name.n + 1);
	r = read_answers(&m, at + 4, be16(p + 6), type, &a);
	if (!r)
		*ret = a;
	return r;
}

int vw_udp_payload(const uint8_t *p, size_t n, const uint8_t **ret, size_t *ret_n)
{
	size_t at, len;

	if (n < 20)
		return -EINVAL;
	if (p[0] >> 4 == 4) {
		at = (p[0] & 15) * 4u;
		if (at < 20 || p[9] != IPPROTO_UDP || be16(p + 6) & 0x3fff)
			return -EINVAL;
	} else {
		at = 40; /* extension headers have no business before an answer */
		if (p[0] >> 4 != 6 || p[6] != IPPROTO_UDP)
			return -EINVAL;
	}
	if (n < at + 8)
		return -EINVAL;
	len = be16(p + at + 4);
	if (len < 8 || len > n - at)
		return -EINVAL;
	*ret = p + at + 8;
	*ret_n = len - 8;
	return 0;
}
