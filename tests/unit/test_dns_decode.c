/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS answers, honest and hostile. The fuzzer's corpus and mutations of it are replayed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>

#include "vethwall/cleanup.h"
#include "vethwall/dns.h"
#include "../fuzz/fuzz_dns.c"

#define CORPUS "tests/fuzz/corpus/dns"
#define MUTATIONS 3000 /* of each file */

enum { A = 1, NS = 2, CNAME = 5, AAAA = 28 };

/* ---- messages ---- */

struct msg {
	uint8_t v[4096];
	size_t n;
};

static void put16(struct msg *m, unsigned v)
{
	m->v[m->n++] = (uint8_t)(v >> 8);
	m->v[m->n++] = (uint8_t)v;
}

static void put_name(struct msg *m, const char *s)
{
	while (*s) {
		size_t n = strcspn(s, ".");

		m->v[m->n++] = (uint8_t)n;
		memcpy(m->v + m->n, s, n);
		m->n += n;
		s += n + (s[n] == '.');
	}
	m->v[m->n++] = 0;
}

static struct msg question(const char *name, unsigned type, unsigned answers)
{
	struct msg m = {.n = 0};
	const unsigned head[] = {0x1234, 0x8180, 1, answers, 0, 0};

	for (size_t i = 0; i < 6; i++)
		put16(&m, head[i]);
	put_name(&m, name);
	put16(&m, type);
	put16(&m, 1);
	return m;
}

/* owner NULL: a pointer to the question */
static void record(struct msg *m, const char *owner, unsigned type, uint32_t ttl)
{
	if (owner)
		put_name(m, owner);
	else
		put16(m, 0xc00c);
	put16(m, type);
	put16(m, 1);
	put16(m, ttl >> 16);
	put16(m, ttl & 0xffff);
}

static void record_a(struct msg *m, const char *owner, uint32_t ttl, uint8_t last)
{
	const uint8_t addr[] = {192, 0, 2, last};

	record(m, owner, A, ttl);
	put16(m, 4);
	memcpy(m->v + m->n, addr, 4);
	m->n += 4;
}

static void record_cname(struct msg *m, const char *owner, uint32_t ttl, const char *to)
{
	size_t at;

	record(m, owner, CNAME, ttl);
	at = m->n;
	put16(m, 0);
	put_name(m, to);
	m->v[at + 1] = (uint8_t)(m->n - at - 2);
}

static int decode(const struct msg *m, struct vw_dns_answer *ret)
{
	/* a copy without a byte too many, for the sanitizer */
	_cleanup_free_ uint8_t *copy = malloc(m->n ? m->n : 1);

	assert_non_null(copy);
	memcpy(copy, m->v, m->n);
	return vw_dns_decode(copy, m->n, ret);
}

static void refused(const struct msg *m, int want)
{
	struct vw_dns_answer a = {.n = 99};

	assert_int_equal(decode(m, &a), want);
	assert_int_equal(a.n, 99);
}

/* ---- honest ones ---- */

static void addresses(void **state)
{
	struct msg m = question("API.Example.org", A, 3);
	struct vw_dns_answer a;

	(void)state;
	record_a(&m, NULL, 300, 1);
	record_a(&m, "api.EXAMPLE.org", 60, 2);
	record_a(&m, "other.example.org", 60, 3); /* not what was asked */
	assert_int_equal(decode(&m, &a), 0);
	assert_string_equal(a.name, "api.example.org");
	assert_int_equal(a.n, 2);
	assert_int_equal(a.addrs[0].addr.b[3], 1);
	assert_int_equal(a.addrs[0].ttl, 300);
	assert_int_equal(a.addrs[1].ttl, 60);

	m = question("v6.test", AAAA, 2);
	record(&m, NULL, AAAA, 5);
	put16(&m, 16);
	for (unsigned i = 0; i < 16; i++)
		m.v[m.n++] = (uint8_t)i;
	record_a(&m, NULL, 300, 1); /* of the other type */
	assert_int_equal(decode(&m, &a), 0);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.addrs[0].addr.family, 6);
	assert_int_equal(a.addrs[0].addr.b[15], 15);
}

static void aliases(void **state)
{
	struct msg m = question("www.test", A, 4);
	struct vw_dns_answer a;

	(void)state;
	/* in any order; the least time on the way counts */
	record_a(&m, "c.test", 500, 1);
	record_cname(&m, "b.test", 70, "c.test");
	record_cname(&m, NULL, 100, "b.test");
	record_cname(&m, "x.test", 1, "y.test");
	assert_int_equal(decode(&m, &a), 0);
	assert_string_equal(a.name, "www.test");
	assert_int_equal(a.n, 1);
	assert_int_equal(a.addrs[0].ttl, 70);

	m = question("www.test", A, 2);
	record_cname(&m, NULL, 100, "b.test");
	record_cname(&m, "b.test", 100, "www.test"); /* a loop */
	refused(&m, -ENOMSG);
}

static void negative_time_is_none(void **state)
{
	struct msg m = question("a.test", A, 1);
	struct vw_dns_answer a;

	(void)state;
	record_a(&m, NULL, 0x80000001, 1);
	assert_int_equal(decode(&m, &a), 0);
	assert_int_equal(a.addrs[0].ttl, 0);
}

/* ---- no answers ---- */

static void not_an_answer(void **state)
{
	static const struct {
		unsigned at;
		uint8_t value;
	} changes[] = {
		{2, 0x01}, /* a query */
		{2, 0x83}, /* truncated */
		{2, 0xa8}, /* not a standard query */
		{3, 0x83}, /* NXDOMAIN */
		{5, 0},	   {5, 2}, /* questions */
	};
	struct msg good = question("a.test", A, 1), m;
	struct vw_dns_answer a;

	(void)state;
	record_a(&good, NULL, 60, 1);
	assert_int_equal(decode(&good, &a), 0);
	for (size_t i = 0; i < VW_ARRAY_SIZE(changes); i++) {
		m = good;
		m.v[changes[i].at] = changes[i].value;
		refused(&m, -ENOMSG);
	}
	m = question("a.test", NS, 1);
	record_a(&m, NULL, 60, 1);
	refused(&m, -ENOMSG);
	m = question("a.test", A, 0);
	refused(&m, -ENOMSG);
	m = question("", A, 1);
	record_a(&m, "", 60, 1);
	refused(&m, -ENOMSG);
	m = question("a b.test", A, 1);
	record_a(&m, NULL, 60, 1);
	refused(&m, -ENOMSG);
}

static void dots_in_labels_are_no_dots(void **state)
{
	struct msg m = question("", A, 1);

	(void)state;
	/* one label "a.test" is not the name a.test */
	m.n = 12;
	m.v[m.n++] = 6;
	memcpy(m.v + m.n, "a.test", 7);
	m.n += 7;
	put16(&m, A);
	put16(&m, 1);
	record_a(&m, NULL, 60, 1);
	refused(&m, -ENOMSG);
}

/* ---- hostile ---- */

static void cut_anywhere(void **state)
{
	struct msg m = question("www.test", A, 2);
	struct vw_dns_answer a;

	(void)state;
	record_cname(&m, NULL, 100, "b.test");
	record_a(&m, "b.test", 100, 1);
	assert_int_equal(decode(&m, &a), 0);
	for (size_t n = m.n; n-- > 0;) {
		struct msg cut = m;

		cut.n = n;
		refused(&cut, -EINVAL);
	}
}

static void pointers(void **state)
{
	struct msg m;

	(void)state;
	for (unsigned to = 0; to < 0x3fff; to += to < 64 ? 1 : 61) {
		struct vw_dns_answer a;

		m = question("a.test", A, 1);
		m.v[m.n++] = 1;
		m.v[m.n++] = 'x';
		put16(&m, 0xc000 | to); /* also to itself, forward, into the header */
		record(&m, NULL, A, 60);
		(void)decode(&m, &a);
	}
	m = question("a.test", A, 1);
	put16(&m, 0xc000 | (unsigned)m.n); /* to itself */
	m.n += 10;
	refused(&m, -EINVAL);
	m = question("a.test", A, 1);
	put16(&m, 0xc000); /* into the header */
	m.n += 10;
	refused(&m, -EINVAL);
	m = question("a.test", A, 1);
	m.v[12] = 0x41; /* reserved label type */
	refused(&m, -EINVAL);
}

static void too_long(void **state)
{
	char name[400] = "";
	struct vw_dns_answer a;
	struct msg m;

	(void)state;
	memset(name, 'a', 253);
	for (int i = 60; i < 253; i += 61)
		name[i] = '.';
	m = question(name, A, 1);
	record_a(&m, NULL, 60, 1);
	assert_int_equal(decode(&m, &a), 0);
	assert_string_equal(a.name, name);
	memset(name, 'a', 255);
	for (int i = 60; i < 255; i += 61)
		name[i] = '.';
	m = question(name, A, 1);
	record_a(&m, NULL, 60, 1);
	refused(&m, -EINVAL);
}

static void too_many(void **state)
{
	struct msg m = question("a.test", A, 100);
	struct vw_dns_answer a;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		record_a(&m, NULL, 60, (uint8_t)i);
	assert_int_equal(decode(&m, &a), 0);
	assert_int_equal(a.n, VW_DNS_ADDRS_MAX);
	m.v[6] = 0xff; /* 65,000 promised */
	refused(&m, -ENOMSG);
}

/* ---- UDP ---- */

static void payload(void **state)
{
	uint8_t p[64] = {0x45, [9] = 17, [20] = 0, 53, 0x12, 0x34, 0, 12, 0, 0, 'd', 'a', 't', 'a'};
	uint8_t p6[64] = {0x60, [6] = 17, [40] = 0, 53, 0x12, 0x34, 0, 9, 0, 0, 'x'};
	const uint8_t *q;
	size_t n;

	(void)state;
	assert_int_equal(vw_udp_payload(p, 32, &q, &n), 0);
	assert_int_equal(n, 4);
	assert_memory_equal(q, "data", 4);
	assert_int_equal(vw_udp_payload(p, 31, &q, &n), -EINVAL); /* not all there */
	p[6] = 0x20;
	assert_int_equal(vw_udp_payload(p, 32, &q, &n), -EINVAL); /* a fragment */
	p[6] = 0;
	p[9] = 6;
	assert_int_equal(vw_udp_payload(p, 32, &q, &n), -EINVAL);
	p[9] = 17;
	p[0] = 0x44;
	assert_int_equal(vw_udp_payload(p, 32, &q, &n), -EINVAL);
	p[0] = 0x4f;
	assert_int_equal(vw_udp_payload(p, 32, &q, &n), -EINVAL);
	assert_int_equal(vw_udp_payload(p6, 49, &q, &n), 0);
	assert_int_equal(n, 1);
	p6[6] = 60;
	assert_int_equal(vw_udp_payload(p6, 49, &q, &n), -EINVAL);
	p6[6] = 17;
	p6[45] = 7; /* less than its header */
	assert_int_equal(vw_udp_payload(p6, 49, &q, &n), -EINVAL);
}

/* ---- the corpus ---- */

static uint64_t seed = 1;

static uint32_t next(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33);
}

static void replay(const uint8_t *v, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, v, n);
	LLVMFuzzerTestOneInput(copy, n);
	for (int i = 0; i < MUTATIONS && n; i++) {
		copy[next() % n] = (uint8_t)next();
		LLVMFuzzerTestOneInput(copy, n - (next() % 4 ? 0 : next() % n));
		if (!(i % 8))
			memcpy(copy, v, n);
	}
	free(copy);
}

static void corpus(void **state)
{
	DIR *dir = opendir(CORPUS);
	unsigned files = 0;

	(void)state;
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		char path[512];
		uint8_t buf[4096];
		size_t n;
		FILE *f;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), CORPUS "/%s", e->d_name);
		f = fopen(path, "r");
		assert_non_null(f);
		n = fread(buf, 1, sizeof(buf), f);
		fclose(f);
		replay(buf, n);
		files++;
	}
	closedir(dir);
	assert_true(files >= 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(aliases),
		cmocka_unit_test(negative_time_is_none),
		cmocka_unit_test(not_an_answer),
		cmocka_unit_test(dots_in_labels_are_no_dots),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(pointers),
		cmocka_unit_test(too_long),
		cmocka_unit_test(too_many),
		cmocka_unit_test(payload),
		cmocka_unit_test(corpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
