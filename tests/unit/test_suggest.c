/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Suggested documents against compiler and reference verdict: random worlds, other documents and
 * flows; what was suggested is printed, read back and enforced beside the others. Every flow that
 * no guardrail forbids passes, the others are denied and listed, and no rule or peer can be left
 * out. A failure prints its seed; VW_SEED=n runs that one case alone. Then single sentences:
 * ranges, replies, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vethwall/cleanup.h"
#include "vethwall/codec.h"
#include "vethwall/seen_json.h"
#include "vethwall/suggest.h"
#include "model.h"
#include "gen.h"

#define CASES 1500
#define FLOWS 12
#define TRIES 60
#define T0 1700000000000000

/* One flow, and what is known of it beforehand. */
struct flow {
	struct vw_end self, peer; /* peer.workload: who has the address, or is behind the port */
	enum vw_direction dir;
	uint8_t proto;
	uint16_t port, far_port;
	bool published, crosses;
	struct vw_seen seen;
};

struct scene {
	uint64_t seed;
	struct vw_world world;
	struct vw_policyset set; /* the others; later all */
	struct flow flows[FLOWS];
	size_t n;
	struct vw_seen_table table;
	struct vw_suggestions sug;
};

static unsigned passed, crossed, unsaid, rules_tried;

static void fail_flow(const struct scene *s, const struct flow *f, const char *what)
{
	char a[VW_ADDR_STRLEN], b[VW_ADDR_STRLEN];

	vw_vec_foreach (d, &s->sug.docs) {
		char *yaml = vw_suggested_yaml(d);

		print_error("%s", yaml);
		free(yaml);
	}
	fail_msg("VW_SEED=%llu: %s of %s (%s) %s %s proto %u port %u: %s",
		 (unsigned long long)s->seed, vw_direction_str(f->dir), f->self.workload->id,
		 f->self.workload->service, vw_addr_str(&f->self.addr, a),
		 vw_addr_str(&f->peer.addr, b), f->proto, f->port, what);
}

/* ---- flows ---- */

/* An interface and address of it, of the family if it has one. */
static struct vw_end end_of(const struct vw_workload *w, uint8_t family)
{
	struct vw_end e = {w, &w->ifaces.v[0], w->ifaces.v[0].ips.v[0]};

	vw_vec_foreach (i, &w->ifaces)
		vw_vec_foreach (a, &i->ips)
			if (a->family == family)
				return (struct vw_end){w, i, *a};
	return e;
}

/* The container behind a port of the node: false when there are two, or its address is not its own.
 */
static bool find_behind(const struct vw_world *world, struct flow *f)
{
	unsigned n = 0;
	struct vw_end at;

	vw_vec_foreach (w, &world->workloads)
		vw_vec_foreach (p, &w->published) {
			if (p->proto != f->proto || p->host_port != f->port ||
			    !(p->host_addr.family ? vw_addr_eq(&p->host_addr, &f->peer.addr)
						  : vw_world_is_host(world, &f->peer.addr)))
				continue;
			n++;
			f->published = true;
			f->far_port = p->container_port;
			f->peer.workload = w;
		}
	if (!n)
		return true;
	at = end_of(f->peer.workload, f->peer.addr.family);
	return n == 1 && vw_world_by_addr(world, &at.addr, NULL, NULL) == at.workload;
}

static bool pick_flow(struct scene *s, struct gen *g, struct flow *f)
{
	const struct vw_workload *w = &s->world.workloads.v[g_below(g, s->world.workloads.n)];
	const struct vw_iface *i = &w->ifaces.v[g_below(g, w->ifaces.n)];
	bool ambiguous, host;

	*f = (struct flow){.dir = g_chance(g, 50) ? VW_EGRESS : VW_INGRESS,
			   .self = {w, i, i->ips.v[g_below(g, i->ips.n)]},
			   .peer = {.addr = m_addr(G_PICK(g, g_addrs))}};
	g_packet(g, &f->proto, &f->port);
	f->far_port = f->port;
	if (f->peer.addr.family != f->self.addr.family)
		return false;
	f->peer.workload = vw_world_by_addr(&s->world, &f->peer.addr, &f->peer.iface, &ambiguous);
	host = vw_world_is_host(&s->world, &f->peer.addr);
	/* an address that two workloads have is nobody's, and one that is the node's as well is
	 * not of this world */
	if (vw_world_by_addr(&s->world, &f->self.addr, NULL, NULL) != w)
		return false;
	if ((host && (f->peer.workload || ambiguous)) || vw_world_is_host(&s->world, &f->self.addr))
		return false;
	if (f->dir == VW_EGRESS && !f->peer.workload && !ambiguous && !find_behind(&s->world, f))
		return false;
	return f->peer.workload != w;
}

static struct vw_policyset guardrails_of(const struct vw_policyset *set)
{
	struct vw_policyset g = {0};

	vw_vec_foreach (p, &set->list)
		if (p->tier == VW_TIER_GUARDRAIL)
			assert_int_equal(vw_vec_push(&g.list, *p, 1000), 0);
	return g;
}

static enum vw_direction other(enum vw_direction dir)
{
	return dir == VW_EGRESS ? VW_INGRESS : VW_EGRESS;
}

/* Whether the documents deny it at one of its ends. */
static bool denied(const struct vw_policyset *set, const struct vw_world *world,
		   const struct flow *f)
{
	struct vw_end peer = {.addr = f->peer.addr};
	struct vw_decision own, far;

	if (f->published)
		peer = end_of(f->peer.workload, f->peer.addr.family);
	vw_decide(set, world, false, f->dir, &f->self, &peer, f->proto, f->far_port, &own);
	if (!own.allow || !f->peer.workload || f->published)
		return !own.allow;
	vw_decide(set, world, false, other(f->dir), &f->peer,
		  &(struct vw_end){.addr = f->self.addr}, f->proto, f->port, &far);
	return !far.allow;
}

/* As the log has it: names of both ends, of the peer only where it is unique; or none. */
static void note(struct scene *s, struct gen *g, const struct flow *f)
{
	const struct vw_workload *w = f->self.workload, *p = f->peer.workload;
	char own[64], peer[64] = "world";
	struct vw_flow r = {.event = VW_FLOW_AUDITED,
			    .first_us = T0 + g_below(g, 1000) * 1000000,
			    .egress = f->dir == VW_EGRESS,
			    .ifindex = f->self.iface->ifindex,
			    .packets = 1 + g_below(g, 3)};
	const struct vw_addr *from = r.egress ? &f->self.addr : &f->peer.addr;
	const struct vw_addr *to = r.egress ? &f->peer.addr : &f->self.addr;
	enum vw_seen_as as;
	struct vw_seen seen;

	r.t = (struct vw_tuple){
		VW_CODE_AUDIT | VW_REASON_DEFAULT, *from, *to, f->proto, 40000, f->port};
	r.last_us = r.first_us + g_below(g, 1000) * 1000000;
	snprintf(own, sizeof(own), "%s/%s", w->namespace_, w->name);
	r.workload = vw_str_of(own);
	r.service = vw_str_of(w->service);
	if (g_chance(g, 50)) {
		if (p)
			snprintf(peer, sizeof(peer), "%s/%s", p->namespace_, p->name);
		r.peer = vw_str_of(peer);
		r.peer_service = vw_str_of(p ? p->service : NULL);
	}
	assert_int_equal(vw_seen_of_flow(&r, &s->world, VW_SEEN_AUDITED, &as, &seen), 0);
	assert_true(as == VW_SEEN_CONNECTION || as == VW_SEEN_REPLY);
	if (as == VW_SEEN_REPLY)
		return;
	assert_int_equal(vw_seen_note(&s->table, &seen), 0);
	s->flows[s->n] = *f;
	s->flows[s->n++].seen = seen;
}

static void scene_make(struct scene *s, uint64_t seed, bool guardrails)
{
	struct gen g = {.s = seed * 104729};
	struct vw_policyset rails;

	*s = (struct scene){.seed = seed, .world = g_world(&g)};
	if (guardrails)
		s->set = g_policies(&g);
	rails = guardrails_of(&s->set);
	for (int i = 0; i < TRIES && s->n < FLOWS; i++) {
		struct flow f;

		if (!pick_flow(s, &g, &f))
			continue;
		f.crosses = denied(&rails, &s->world, &f);
		note(s, &g, &f);
	}
	vw_vec_done(&rails.list);
	assert_int_equal(
		vw_suggest(&s->table, &s->set, &s->world, &(struct vw_suggest_options){0}, &s->sug),
		0);
}

static void scene_done(struct scene *s)
{
	vw_suggestions_done(&s->sug);
	for (size_t i = 0; i < s->n; i++)
		vw_seen_done(&s->flows[i].seen);
	vw_seen_table_done(&s->table);
	vw_policyset_done(&s->set);
	vw_world_done(&s->world);
}

/* ---- what must hold ---- */

static const struct vw_unsuggested *left(const struct scene *s, const struct flow *f)
{
	vw_vec_foreach (u, &s->sug.left)
		if (!vw_seen_cmp(&u->seen, &f->seen))
			return u;
	return NULL;
}

/* The documents as a user gets them, beside the others. */
static void add_suggested(struct scene *s)
{
	vw_vec_foreach (d, &s->sug.docs) {
		char *yaml = vw_suggested_yaml(d);
		struct vw_diag diag = {0};

		assert_non_null(yaml);
		if (vw_policy_parse(yaml, strlen(yaml), "s.yaml", &s->set, &diag)) {
			vw_diag_print(&diag, stderr, false);
			fail_msg("VW_SEED=%llu: its own check refuses\n%s",
				 (unsigned long long)s->seed, yaml);
		}
		assert_int_equal(diag.list.n, 0);
		vw_diag_done(&diag);
		free(yaml);
	}
	vw_policyset_sort(&s->set);
}

static uint32_t judge(const struct vw_compiled *c, const struct vw_end *self, enum vw_direction dir,
		      const struct vw_addr *peer, const struct flow *f)
{
	const struct vw_wall *w = vw_compiled_wall(c, self->iface->ifindex);

	assert_non_null(w);
	return vw_compiled_judge(c, w, dir, peer, f->proto, f->port);
}

static void check_flow(const struct scene *s, const struct vw_compiled *c, const struct flow *f)
{
	const struct vw_unsuggested *u = left(s, f);
	bool far = f->peer.workload && !f->published;
	bool no = judge(c, &f->self, f->dir, &f->peer.addr, f) & VW_CODE_DENY ||
		  (far && judge(c, &f->peer, other(f->dir), &f->self.addr, f) & VW_CODE_DENY);

	if (u && !u->policy) {
		unsaid++;
		assert_true(vw_proto_has_ports(f->proto) && !f->far_port);
		return;
	}
	if (no != denied(&s->set, &s->world, f))
		fail_flow(s, f, "compiler and reference differ");
	if (f->crosses && !u)
		fail_flow(s, f, "a guardrail forbids it and it is not listed");
	if (f->crosses && !no)
		fail_flow(s, f, "a guardrail forbids it and it passes");
	if (!f->crosses && no)
		fail_flow(s, f, "it was seen and is denied");
	passed += !no;
	crossed += f->crosses;
}

static void suggested_allows_what_was_seen(void **state)
{
	const char *only = getenv("VW_SEED");
	uint64_t first = only ? strtoull(only, NULL, 10) : 1, n = only ? 1 : CASES;

	(void)state;
	for (uint64_t seed = first; seed < first + n; seed++) {
		struct vw_config cfg = vw_config_default;
		struct vw_compiled c = {0};
		struct vw_diag d = {0};
		struct scene s;

		scene_make(&s, seed, true);
		add_suggested(&s);
		assert_int_equal(vw_compile(&s.set, &s.world, NULL, 0, &cfg, &c, &d), 0);
		for (size_t i = 0; i < s.n; i++)
			check_flow(&s, &c, &s.flows[i]);
		vw_diag_done(&d);
		vw_compiled_done(&c);
		scene_done(&s);
	}
	if (!only && (passed < CASES || crossed < CASES / 20 || unsaid < CASES / 20))
		fail_msg("%u passed, %u crossed, %u unsaid: too few to prove anything", passed,
			 crossed, unsaid);
}

static bool denies_one(const struct scene *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (!left(s, &s->flows[i]) && denied(&s->set, &s->world, &s->flows[i]))
			return true;
	return false;
}

/* Without any one of its peers, a flow would be denied. */
static void try_without(struct scene *s, struct vw_rule *r)
{
	for (size_t i = 0; i < r->peers.n; i++) {
		struct vw_peer p = r->peers.v[i], last = r->peers.v[--r->peers.n];

		/* an address may have been seen before and after its name was known */
		r->peers.v[i] = last;
		if (p.kind != VW_PEER_FQDN && !denies_one(s))
			fail_msg("VW_SEED=%llu: peer %zu of a rule at line %u is needless",
				 (unsigned long long)s->seed, i, r->pos.line);
		r->peers.v[r->peers.n++] = last;
		r->peers.v[i] = p;
		rules_tried++;
	}
	for (size_t i = 0; i < r->ports.n; i++) {
		struct vw_port p = r->ports.v[i];

		r->ports.v[i] = r->ports.v[--r->ports.n];
		if (!denies_one(s))
			fail_msg("VW_SEED=%llu: port %zu is needless", (unsigned long long)s->seed,
				 i);
		r->ports.n++;
		r->ports.v[i] = p;
	}
}

static void nothing_can_be_left_out(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < CASES; seed++) {
		struct scene s;

		scene_make(&s, seed, false);
		add_suggested(&s);
		assert_false(denies_one(&s));
		vw_vec_foreach (p, &s.set.list)
			for (int dir = 0; dir < _VW_DIRECTION_MAX; dir++)
				vw_vec_foreach (r, &p->rules[dir])
					try_without(&s, r);
		scene_done(&s);
	}
	assert_true(rules_tried > CASES);
}

/* ---- single sentences ---- */

/* web, api, db in shop; host 192.0.2.1, resolver 192.0.2.53. */
struct shop {
	struct vw_world world;
	struct vw_policyset set;
	struct vw_seen_table table;
	struct vw_suggestions sug;
	enum vw_seen_as as; /* of the last */
};

static int setup(void **state)
{
	static struct shop f;
	struct vw_addr dns = m_addr("192.0.2.53");

	f = (struct shop){0};
	m_put(&f.world, m_workload("shop", "web-1", "web", "net", "10.0.0.1", "fd77::1"));
	m_put(&f.world, m_workload("shop", "api-1", "api", "net", "10.0.0.2", "fd77::2"));
	m_put(&f.world, m_workload("back", "db-1", "db", "net", "10.0.0.3", NULL));
	g_host(&f.world, "192.0.2.1");
	assert_int_equal(vw_vec_push(&f.world.dns, dns, 8), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct shop *f = *state;

	vw_suggestions_done(&f->sug);
	vw_seen_table_done(&f->table);
	vw_policyset_done(&f->set);
	vw_world_done(&f->world);
	return 0;
}

/* Sent by the first, at its wall. */
static void sent(struct shop *f, const char *from, const char *to, const char *proto,
		 uint16_t sport, uint16_t dport, unsigned source)
{
	struct vw_flow r = {.egress = true, .packets = 2, .first_us = T0, .last_us = T0 + 60000000};
	struct vw_seen s;

	r.t = (struct vw_tuple){VW_CODE_EGRESS | VW_REASON_DEFAULT, m_addr(from), m_addr(to),
				(uint8_t)vw_proto_parse(proto),	    sport,	  dport};
	assert_int_equal(vw_seen_of_flow(&r, &f->world, source, &f->as, &s), 0);
	if (f->as != VW_SEEN_CONNECTION)
		return;
	assert_int_equal(vw_seen_note(&f->table, &s), 0);
	vw_seen_done(&s);
}

static char *all_yaml(struct shop *f, struct vw_suggest_options o)
{
	char *text = strdup(""), *tail, *all;

	vw_suggestions_done(&f->sug);
	f->sug = (struct vw_suggestions){0};
	assert_int_equal(vw_suggest(&f->table, &f->set, &f->world, &o, &f->sug), 0);
	vw_vec_foreach (d, &f->sug.docs) {
		char *yaml = vw_suggested_yaml(d), *sum;

		assert_true(asprintf(&sum, "%s%s", text, yaml) >= 0);
		free(yaml);
		free(text);
		text = sum;
	}
	tail = vw_unsuggested_text(&f->sug);
	assert_non_null(tail);
	assert_true(asprintf(&all, "%s%s", text, tail) >= 0);
	free(text);
	free(tail);
	return all;
}

static void has(struct shop *f, struct vw_suggest_options o, const char *const *texts)
{
	char *yaml = all_yaml(f, o);

	for (; *texts; texts++)
		if (**texts == '!' ? strstr(yaml, *texts + 1) != NULL : !strstr(yaml, *texts))
			fail_msg("%s in\n%s", *texts, yaml);
	free(yaml);
}
#define HAS(f, ...) has(f, (struct vw_suggest_options){0}, (const char *const[]){__VA_ARGS__, NULL})

static void both_ends_get_a_document(void **state)
{
	struct shop *f = *state;

	sent(f, "10.0.0.1", "10.0.0.2", "tcp", 40000, 8080, VW_SEEN_AUDITED);
	sent(f, "10.0.0.2", "10.0.0.3", "tcp", 40000, 5432, VW_SEEN_LIVE);
	HAS(f, "metadata: {name: \"db\", namespace: \"back\"}",
	    "- from: [{namespace: \"shop\", service: \"api\"}]\n      ports: [tcp/5432]",
	    "- to: [{namespace: \"back\", service: \"db\"}]", "- from: [{service: \"web\"}]",
	    "# seen 2 times, first 2023-11-14T22:13:20Z, last 2023-11-14T22:14:20Z; live\n",
	    "; audited\n", "'egress: []' would close it", "!# Seen, ");
	assert_int_equal(f->sug.docs.n, 3);
}

static void ports_become_ranges_where_all_were_seen(void **state)
{
	static const uint16_t ports[] = {8003, 8001, 9000, 8002, 8005, 8006};
	struct shop *f = *state;

	for (size_t i = 0; i < VW_ARRAY_SIZE(ports); i++)
		sent(f, "10.0.0.1", "10.0.0.2", "tcp", 40000, ports[i], VW_SEEN_AUDITED);
	sent(f, "10.0.0.1", "10.0.0.2", "icmp", 0, 0x800, VW_SEEN_AUDITED);
	sent(f, "10.0.0.1", "10.0.0.2", "icmp", 0, 0x801, VW_SEEN_AUDITED);
	sent(f, "10.0.0.1", "10.0.0.2", "99", 0, 0, VW_SEEN_AUDITED);
	HAS(f, "[icmp/8/0, icmp/8/1, tcp/8001-8003, tcp/8005-8006, tcp/9000, proto/99]");
}

static void peers_with_the_same_ports_share_a_rule(void **state)
{
	struct shop *f = *state;

	sent(f, "10.0.0.1", "10.0.0.2", "tcp", 40000, 443, VW_SEEN_AUDITED);
	sent(f, "10.0.0.1", "198.51.100.7", "tcp", 40000, 443, VW_SEEN_AUDITED);
	sent(f, "10.0.0.1", "192.0.2.1", "tcp", 40000, 443, VW_SEEN_AUDITED);
	sent(f, "10.0.0.1", "192.0.2.53", "udp", 40000, 53, VW_SEEN_AUDITED);
	sent(f, "fd77::1", "2001:db8::7", "tcp", 40000, 443, VW_SEEN_AUDITED);
	HAS(f,
	    "- to: [{service: \"api\"}, host, {cidr: \"198.51.100.7/32\"}, "
	    "{cidr: \"2001:db8::7/128\"}]\n      ports: [tcp/443]",
	    "- to: [dns]\n      ports: [udp/53]");
}

/* The node's resolver is the node: one of the two will do. */
static void a_resolver_of_the_node(void **state)
{
	struct vw_addr own = m_addr("192.0.2.2");
	struct shop *f = *state;

	g_host(&f->world, "192.0.2.2");
	assert_int_equal(vw_vec_push(&f->world.dns, own, 8), 0);
	sent(f, "10.0.0.1", "192.0.2.2", "udp", 40000, 53, VW_SEEN_AUDITED);
	HAS(f, "- to: [dns]\n      ports: [udp/53]");
	sent(f, "10.0.0.1", "192.0.2.1", "udp", 40000, 53, VW_SEEN_AUDITED);
	HAS(f, "- to: [host]\n      ports: [udp/53]", "!dns");
}

static void many_addresses_fold_to_the_world(void **state)
{
	struct vw_suggest_options o = {.fold = 3};
	struct shop *f = *state;
	char addr[32];

	for (int i = 1; i <= 4; i++) {
		snprintf(addr, sizeof(addr), "198.51.100.%d", i);
		sent(f, "10.0.0.1", addr, "tcp", 40000, 443, VW_SEEN_AUDITED);
		if (i < 4)
			sent(f, "10.0.0.1", addr, "tcp", 40000, 25, VW_SEEN_AUDITED);
	}
	has(f, o,
	    (const char *const[]){"# seen 8 times", "- to: [world]\n      ports: [tcp/443]",
				  "198.51.100.3/32", "!198.51.100.4", NULL});
}

static void replies_are_no_connections(void **state)
{
	struct shop *f = *state;

	sent(f, "10.0.0.2", "10.0.0.1", "tcp", 8080, 40000, VW_SEEN_AUDITED);
	assert_int_equal(f->as, VW_SEEN_REPLY);
	sent(f, "10.0.0.2", "10.0.0.1", "icmp", 0, 0x0303, VW_SEEN_AUDITED);
	assert_int_equal(f->as, VW_SEEN_REPLY);
	assert_int_equal(f->table.list.n, 0);
	/* of a live one it is known who opened it */
	sent(f, "10.0.0.2", "10.0.0.1", "tcp", 1023, 40000, VW_SEEN_LIVE);
	assert_int_equal(f->as, VW_SEEN_CONNECTION);
	sent(f, "10.0.0.2", "10.0.0.1", "tcp", 50000, 40000, VW_SEEN_AUDITED);
	assert_int_equal(f->as, VW_SEEN_CONNECTION);
	assert_int_equal(f->table.list.n, 1);
}

static void forged_is_not_to_be_allowed(void **state)
{
	struct shop *f = *state;
	struct vw_flow r = {.egress = true};
	struct vw_seen s;

	r.t = (struct vw_tuple){VW_CODE_DENY | VW_REASON_SPOOF,
				m_addr("10.0.0.1"),
				m_addr("10.0.0.2"),
				6,
				40000,
				80};
	assert_int_equal(vw_seen_of_flow(&r, &f->world, VW_SEEN_DENIED, &f->as, &s), 0);
	assert_int_equal(f->as, VW_SEEN_NO_POLICY);
	r.t.code = VW_CODE_DENY | VW_REASON_NODE;
	r.t.src = m_addr("203.0.113.1");
	assert_int_equal(vw_seen_of_flow(&r, &f->world, VW_SEEN_DENIED, &f->as, &s), 0);
	assert_int_equal(f->as, VW_SEEN_NOBODY);
}

static void guardrails_are_listed_or_enough(void **state)
{
	struct shop *f = *state;
	struct vw_policy no = m_policy(VW_TIER_GUARDRAIL, "GuardrailPolicy", NULL, "no-ssh", NULL);
	struct vw_policy yes =
		m_policy(VW_TIER_GUARDRAIL, "GuardrailPolicy", NULL, "probes", "api");
	struct vw_rule *r = m_rule(&no, VW_INGRESS, VW_DENY);

	r->any_peer = true;
	m_ports(r, "tcp", 22, 22);
	r = m_rule(&yes, VW_INGRESS, VW_ALLOW);
	r->any_peer = true;
	m_ports(r, "tcp", 9999, 9999);
	m_add(&f->set, no);
	m_add(&f->set, yes);
	sent(f, "10.0.0.1", "10.0.0.2", "tcp", 40000, 22, VW_SEEN_DENIED);
	sent(f, "10.0.0.1", "10.0.0.2", "tcp", 40000, 9999, VW_SEEN_AUDITED);
	HAS(f, "# Seen, and forbidden by a guardrail",
	    "#   shop/web -> shop/api tcp/22: no-ssh ingress[0]; seen 2 times", "ports: [tcp/9999]",
	    "!tcp/22]");
	assert_int_equal(f->sug.docs.n, 1); /* at api's wall the guardrail allows it already */
	assert_string_equal(f->sug.docs.v[0].policy.name, "web");
}

static void names_are_not_doubled_and_quoted(void **state)
{
	struct shop *f = *state;

	m_put(&f->world, m_workload("shop", "odd-1", "a\"b\\#:", "net", "10.0.0.9", NULL));
	m_put(&f->world, m_workload("shop", "bad-1", "x y\n- z", "net", "10.0.0.10", NULL));
	m_add(&f->set, m_policy(VW_TIER_SERVICE, "ServicePolicy", "shop", "web", "web"));
	m_add(&f->set, m_policy(VW_TIER_SERVICE, "ServicePolicy", "shop", "web-seen", "web"));
	m_add(&f->set, m_policy(VW_TIER_SERVICE, "ServicePolicy", "back", "api", "api"));
	sent(f, "10.0.0.1", "10.0.0.9", "tcp", 40000, 80, VW_SEEN_AUDITED);
	sent(f, "10.0.0.2", "10.0.0.10", "tcp", 40000, 80, VW_SEEN_AUDITED);
	sent(f, "10.0.0.2", "10.0.0.1", "tcp", 40000, 80, VW_SEEN_AUDITED);
	HAS(f, "{name: \"web-seen2\", ", "{name: \"api\", ", "service: \"a\\\"b\\\\#:\"",
	    "no policy can name it", "shop/api -> shop/x y\\u000a- z tcp/80", "!\n- z");
}

static void one_service_alone(void **state)
{
	struct shop *f = *state;

	sent(f, "10.0.0.1", "10.0.0.2", "tcp", 40000, 80, VW_SEEN_AUDITED);
	has(f, (struct vw_suggest_options){.service = "shop/api"},
	    (const char *const[]){"name: \"api\"", "!name: \"web\"", NULL});
	has(f, (struct vw_suggest_options){.service = "web"},
	    (const char *const[]){"name: \"web\"", "!name: \"api\"", NULL});
	has(f, (struct vw_suggest_options){.service = "back/api"},
	    (const char *const[]){"!name", NULL});
}

static void a_scan_has_its_share(void **state)
{
	struct vw_seen_table t = {0};
	struct vw_seen s = {.namespace_ = (char *)"shop",
			    .service = (char *)"web",
			    .dir = VW_EGRESS,
			    .kind = VW_SEEN_ADDR,
			    .addr = m_addr("10.0.0.2"),
			    .proto = 6,
			    .count = 1};

	(void)state;
	for (uint16_t p = 1; p <= VW_SEEN_SHARE + 5; p++) {
		s.port = p;
		assert_int_equal(vw_seen_note(&t, &s), p <= VW_SEEN_SHARE ? 0 : -ENOSPC);
	}
	s.service = (char *)"api";
	assert_int_equal(vw_seen_note(&t, &s), 0);
	assert_int_equal(t.list.n, VW_SEEN_SHARE + 1);
	assert_int_equal(t.over, 5);
	/* what is there goes on */
	s.count = 0;
	s.last_us = 7;
	assert_int_equal(vw_seen_note(&t, &s), 0);
	assert_int_equal(t.list.v[0].count, 1);
	vw_seen_expire(&t, 7);
	assert_int_equal(t.list.n, 1);
	vw_seen_table_done(&t);
}

/* The agent's file and answer. */
static void json_there_and_back(void **state)
{
	struct shop *f = *state;
	struct vw_seen_table back = {0};
	size_t bad;
	json_t *list;

	sent(f, "10.0.0.1", "10.0.0.2", "tcp", 40000, 8080, VW_SEEN_AUDITED);
	sent(f, "fd77::1", "2001:db8::7", "99", 0, 0, VW_SEEN_LIVE);
	f->table.list.v[0].published = true;
	list = vw_seen_json(&f->table);
	assert_int_equal(vw_seen_from_json(list, &back, &bad), 0);
	assert_int_equal(bad, 0);
	assert_int_equal(back.list.n, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct vw_seen *a = &f->table.list.v[i], *b = &back.list.v[i];

		assert_int_equal(vw_seen_cmp(a, b), 0);
		assert_true(a->first_us == b->first_us && a->last_us == b->last_us);
		assert_true(a->count == b->count && a->sources == b->sources);
		assert_true(vw_addr_eq(&a->own, &b->own) && vw_addr_eq(&a->addr, &b->addr));
	}
	vw_seen_table_done(&back);
	json_decref(list);
}

static void json_of_others_is_left_out(void **state)
{
	static const char *const good =
		"{'namespace':'n','service':'s','direction':'egress','peer_kind':'service','peer':"
		"'p','peer_namespace':'m','own':'10.0.0.1','addr':'10.0.0.2','proto':'tcp',"
		"'port':80,'first_seen':'2026-01-01T00:00:00Z','last_seen':'2026-01-01T00:00:00Z',"
		"'count':1,'sources':1}";
	static const char *const changes[][2] = {
		{"'namespace':'n',", ""},
		{"'service':'s',", "'service':'',"},
		{"'egress'", "7"},
		{"'peer_kind':'service'", "'peer_kind':'x'"},
		{"'peer':'p',", ""},
		{"'peer_namespace':'m',", ""},
		{"10.0.0.1", "10.0.0"},
		{"'tcp'", "'tcpp'"},
		{"'port':80", "'port':65536"},
		{"'port':80", "'port':-1"},
		{"'count':1", "'count':0"},
		{"'sources':1", "'sources':99"},
		{"2026-01-01T00:00:00Z", "soon"},
	};
	size_t bad;

	(void)state;
	for (size_t i = 0; i <= VW_ARRAY_SIZE(changes); i++) {
		struct vw_seen_table t = {0};
		char text[1024], *at;
		json_t *list;

		snprintf(text, sizeof(text), "[%s]", good);
		if (i < VW_ARRAY_SIZE(changes)) {
			at = strstr(text, changes[i][0]);
			assert_non_null(at);
			snprintf(text, sizeof(text), "[%.*s%s%s]", (int)(at - text - 1), good,
				 changes[i][1], good + (at - text - 1) + strlen(changes[i][0]));
		}
		for (char *c = text; *c; c++)
			*c = *c == '\'' ? '"' : *c;
		list = json_loads(text, 0, NULL);
		assert_non_null(list);
		assert_int_equal(vw_seen_from_json(list, &t, &bad), 0);
		assert_int_equal(t.list.n, i == VW_ARRAY_SIZE(changes));
		assert_int_equal(bad, i < VW_ARRAY_SIZE(changes));
		vw_seen_table_done(&t);
		json_decref(list);
	}
	assert_int_equal(vw_seen_from_json(NULL, &(struct vw_seen_table){0}, &bad), 0);
	assert_int_equal(bad, 1);
}

#define with_shop(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(suggested_allows_what_was_seen),
		cmocka_unit_test(nothing_can_be_left_out),
		with_shop(both_ends_get_a_document),
		with_shop(ports_become_ranges_where_all_were_seen),
		with_shop(peers_with_the_same_ports_share_a_rule),
		with_shop(a_resolver_of_the_node),
		with_shop(many_addresses_fold_to_the_world),
		with_shop(replies_are_no_connections),
		with_shop(forged_is_not_to_be_allowed),
		with_shop(guardrails_are_listed_or_enough),
		with_shop(names_are_not_doubled_and_quoted),
		with_shop(one_service_alone),
		with_shop(json_there_and_back),
		cmocka_unit_test(json_of_others_is_left_out),
		cmocka_unit_test(a_scan_has_its_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
