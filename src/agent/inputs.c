/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent reads beside the runtime: policy files, the node's addresses, its resolvers. */
#include <string.h>
#include <sys/stat.h>

#include "agent/state.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_CONF_MAX 65536
#define DNS_MAX (VW_HOST_ADDRS_MAX + 64)

void vw_agent_take_policies(struct vw_agent *a, struct vw_sources *sources,
			    struct vw_policyset *set)
{
	vw_sources_done(&a->sources);
	vw_policyset_done(&a->policies);
	a->sources = *sources;
	a->policies = *set;
	*sources = (struct vw_sources){};
	*set = (struct vw_policyset){};
	if (a->s->audit)
		vw_policyset_audit(&a->policies);
	a->policies_state.generation++;
	a->policies_state.loaded_ns = vw_wall_ns();
	a->policies_state.failed = false;
}

int vw_agent_load_policies(struct vw_agent *a, struct vw_diag *d)
{
	const char *path = a->s->policies;
	_cleanup_(vw_sources_done) struct vw_sources sources = {};
	_cleanup_(vw_policyset_done) struct vw_policyset set = {};
	struct stat st;
	int r;

	if (stat(path, &st) < 0) {
		r = -errno;
		vw_error(d, NULL,
			 "policies %s: %s; create it (an empty folder isolates nobody) or name "
			 "another with --policies",
			 path, strerror(-r));
		return r;
	}
	r = vw_sources_load(&path, 1, &sources, d);
	if (!r)
		r = vw_sources_parse(&sources, &set, d);
	if (r < 0)
		return r;
	vw_agent_take_policies(a, &sources, &set);
	return 0;
}

typedef __typeof__(((struct vw_world *)NULL)->dns) addr_list;

static int dns_add(addr_list *list, const struct vw_addr *a)
{
	vw_vec_foreach (have, list) {
		if (vw_addr_eq(have, a))
			return 0;
	}
	return vw_vec_push(list, *a, DNS_MAX);
}

/* The node's own resolvers. Those on loopback are behind a host address as a container sees them.
 */
static int dns_of_node(addr_list *list)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL;
	size_t len;
	int r = 0;

	if (vw_file_read(RESOLV_CONF, RESOLV_CONF_MAX, &text, &len) < 0)
		return 0;
	for (char *line = strtok_r(text, "\n", &save); line && !r;
	     line = strtok_r(NULL, "\n", &save)) {
		struct vw_addr addr;
		char word[64];

		if (sscanf(line, " nameserver %63s", word) == 1 && !vw_addr_parse(word, &addr) &&
		    !vw_addr_is_loopback(&addr))
			r = dns_add(list, &addr);
	}
	return r;
}

static int dns_wanted(const struct vw_agent *a, addr_list *list)
{
	size_t n = 0;
	const struct vw_addr *host = vw_links_addrs(a->links, &n);
	int r = 0;

	vw_vec_foreach (addr, &a->s->dns) {
		if (!r)
			r = dns_add(list, addr);
	}
	if (a->s->dns.n)
		return r;
	r = dns_of_node(list);
	for (size_t i = 0; i < n && !r; i++)
		r = vw_vec_push(list, host[i], DNS_MAX);
	return r;
}

static bool list_equal(const struct vw_addr *a, size_t n_a, const struct vw_addr *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (!vw_addr_eq(&a[i], &b[i]))
			return false;
	return true;
}

int vw_agent_host_addrs(struct vw_agent *a, bool *ret_changed)
{
	size_t n = 0;
	const struct vw_addr *host = vw_links_addrs(a->links, &n);
	addr_list dns = {};
	bool changed = !list_equal(host, n, a->world.host.v, a->world.host.n);
	int r;

	r = dns_wanted(a, &dns);
	if (!r && changed) {
		a->world.host.n = 0;
		for (size_t i = 0; i < n && !r; i++)
			r = vw_world_add_host(&a->world, &host[i]);
	}
	if (r < 0) {
		vw_vec_done(&dns);
		return r;
	}
	changed |= !list_equal(dns.v, dns.n, a->world.dns.v, a->world.dns.n);
	vw_vec_done(&a->world.dns);
	memcpy(&a->world.dns, &dns, sizeof(dns));
	*ret_changed = changed;
	return 0;
}
