/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The world: what runs on this node, as plain values. Runtimes fill it in, policies are judged
 * against it. Everything in it is owned by it. */
#ifndef VETHWALL_WORLD_H
#define VETHWALL_WORLD_H

#include <net/if.h>

#include "vethwall/addr.h"
#include "vethwall/diag.h"
#include "vethwall/vec.h"

#define VW_WORKLOADS_MAX 16384
#define VW_IFACES_MAX 64 /* per workload */
#define VW_IPS_MAX 64 /* per interface */
#define VW_LABELS_MAX 1024 /* per workload or namespace */
#define VW_LABEL_KEY_MAX \
	1000 /* bytes of a key that selectors can name; YAML takes 1024 (1.2, 7.4) */
#define VW_PORTS_MAX 256 /* named or published, per workload */
#define VW_NAMESPACES_MAX 16384
#define VW_HOST_ADDRS_MAX 65536
#define VW_OWNERS_MAX (1u << 20) /* addresses of all workloads together */
#define VW_IMAGE_LISTS_MAX 64
#define VW_IMAGE_ENTRIES_MAX 65536 /* per list */
#define VW_IMAGE_REF_MAX 1024 /* bytes of an image as somebody names it */
#define VW_IMAGE_KEY_MAX (VW_IMAGE_REF_MAX + sizeof(":latest"))
#define VW_LEARNT_MAX 65536 /* names resolved, all walls together */
#define VW_LEARNT_WALL_MAX 512 /* of one wall */
#define VW_NAME_MAX 253 /* bytes of a workload, service, namespace or policy name */

struct vw_label {
	char *key, *value;
};
struct vw_labels {
	VW_VEC(struct vw_label) list; /* sorted by key, no key twice */
};

struct vw_iface {
	unsigned ifindex; /* of the host-side veth; 0: not known (yet), nothing can be attached */
	char veth[IFNAMSIZ]; /* its name, or "" */
	char *network; /* runtime network name, or NULL */
	bool has_mac;
	struct vw_mac mac; /* container side */
	VW_VEC(struct vw_addr) ips;
};

struct vw_named_port {
	char *name;
	uint8_t proto;
	uint16_t port;
};

/* A published port: host_addr:host_port on the node is container_port here. */
struct vw_published {
	struct vw_addr host_addr; /* family 0: every address of the node */
	uint8_t proto;
	uint16_t host_port, container_port;
};

struct vw_workload {
	char *id; /* runtime's id, unique in the world */
	char *name, *service, *namespace_, *project /* compose project or NULL */;
	char *image; /* as the runtime names it, or NULL */
	char *image_id; /* digest, or NULL */
	struct vw_labels labels;
	VW_VEC(struct vw_iface) ifaces;
	VW_VEC(struct vw_named_port) ports;
	VW_VEC(struct vw_published) published;
	char *unenforceable; /* why no wall can stand (host network, macvlan, ...), or NULL */
	bool paused;
};

struct vw_namespace {
	char *name;
	struct vw_labels labels; /* kubernetes.io/metadata.name is always among them */
};

/* Images that a scanner, a pipeline or the operator listed, by key: see vw_image_key. */
struct vw_image_list {
	char *name;
	VW_VEC(char *) entries; /* sorted, none twice, once it is in a world */
};

/* Who has an address: indices into workloads and its ifaces. */
struct vw_owner {
	struct vw_addr addr;
	uint32_t workload, iface;
};

/* What a workload was told by a resolver: name is at addr. Past its time it has lapsed: it opens
 * nothing any more, but the flows that it opened may go on. */
struct vw_learnt {
	unsigned ifindex; /* of the wall that the answer passed */
	struct vw_addr addr;
	char *name; /* as vw_fqdn_normal() has it */
	bool lapsed;
	int64_t until_ms; /* when that changes, and a lapsed one is forgotten: see
			     vw_learnt_expire() */
};

/* Change workloads' addresses by vw_world_put only: it keeps the index of owners. */
struct vw_world {
	VW_VEC(struct vw_workload) workloads; /* sorted by id */
	VW_VEC(struct vw_owner) owners; /* sorted by address, workload, interface */
	VW_VEC(struct vw_namespace)
	namespaces; /* sorted by name; made on demand for each workload */
	VW_VEC(struct vw_addr) host; /* addresses of the node, sorted, loopback left out */
	VW_VEC(struct vw_addr) dns; /* resolvers of the workloads */
	VW_VEC(struct vw_image_list) image_lists; /* those that could be read */
	VW_VEC(struct vw_learnt) learnt; /* sorted by ifindex, address, name */
};

void vw_labels_done(struct vw_labels *l);
/* Sets key to value, replacing: 0, -ENOMEM, -ENOSPC. */
int vw_labels_set(struct vw_labels *l, const char *key, const char *value);
/* Value of key, or NULL. */
const char *vw_labels_get(const struct vw_labels *l, const char *key);
int vw_labels_copy(const struct vw_labels *from, struct vw_labels *ret);

void vw_iface_done(struct vw_iface *i);
void vw_workload_done(struct vw_workload *w);
int vw_workload_copy(const struct vw_workload *from, struct vw_workload *ret);
bool vw_workload_equal(const struct vw_workload *a, const struct vw_workload *b);

void vw_world_done(struct vw_world *w);
/* Deep copy. */
int vw_world_copy(const struct vw_world *from, struct vw_world *ret);
/* Inserts or replaces by id; takes *w over (zeroed) on success. ret_changed (may be NULL) tells
 * whether anything differs. Makes the workload's namespace if missing. -EINVAL without id, name,
 * service or namespace. Pointers into the world are no longer valid. */
int vw_world_put(struct vw_world *world, struct vw_workload *w, bool *ret_changed);
/* Removes by id; true when it was there. A namespace that no workload is in any more and that has
 * no labels of its own goes with it, so that containers cannot grow the list by their labels. */
bool vw_world_remove(struct vw_world *world, const char *id);
struct vw_workload *vw_world_find(const struct vw_world *world, const char *id);
/* Workload that owns the address, or NULL; *ret_iface (may be NULL) is its interface. Two owners:
 * NULL, and *ret_ambiguous (may be NULL) is set. */
const struct vw_workload *vw_world_by_addr(const struct vw_world *world, const struct vw_addr *a,
					   const struct vw_iface **ret_iface, bool *ret_ambiguous);
const struct vw_namespace *vw_world_namespace(const struct vw_world *world, const char *name);
/* Creates or gets (ret may be NULL); labels get kubernetes.io/metadata.name. */
int vw_world_add_namespace(struct vw_world *world, const char *name, struct vw_namespace **ret);
/* Adds an address of the node where it belongs; loopback and what is there already are left out. */
int vw_world_add_host(struct vw_world *world, const struct vw_addr *a);
bool vw_world_is_host(const struct vw_world *world, const struct vw_addr *a);

/* "sha256:HEX" for it and for whatever ends with @sha256:HEX, else "repository:tag" (no tag:
 * latest): NULL, or a literal that says what is wrong with ref. */
const char *vw_image_key(const char *ref, char buf[VW_IMAGE_KEY_MAX]);
void vw_image_list_done(struct vw_image_list *l);
/* Appends a copy: 0, -ENOMEM, -ENOSPC. */
int vw_image_list_add(struct vw_image_list *l, const char *key);
/* Inserts or replaces by name; takes *l over (zeroed) on success. -ENOSPC, -ENOMEM. */
int vw_world_put_image_list(struct vw_world *world, struct vw_image_list *l, bool *ret_changed);
const struct vw_image_list *vw_world_image_list(const struct vw_world *world, const char *name);
int vw_image_lists_copy(const struct vw_world *from, struct vw_world *ret);
/* Whether the list has the workload's image, by its id or by its name. A list that is not there
 * has none, and an image of which nothing is known is in none. */
bool vw_image_in_list(const struct vw_world *world, const char *name, const struct vw_workload *w);

/* Whether a DNS answer may open the address at all: it is the world outside, and neither private
 * nor otherwise special. (core/learnt.c, as what follows) */
bool vw_learnt_openable(const struct vw_world *world, const struct vw_addr *a);
/* Notes an answer, or that it came again: until_ms moves on, never back. ret_news: a name that was
 * not there, or had lapsed. -ENOSPC: a bound is reached. */
int vw_learnt_put(struct vw_world *world, const struct vw_learnt *l, bool *ret_news);
/* What is past until_ms lapses and is kept for keep_ms more. True: something lapsed or went.
 * *ret_next: when to come again, INT64_MAX when nothing is there. */
bool vw_learnt_expire(struct vw_world *world, int64_t now_ms, int64_t keep_ms, int64_t *ret_next);
/* Forgets all that belongs to the wall; true when something did. */
bool vw_learnt_forget(struct vw_world *world, unsigned ifindex);
/* Index of the first entry of the wall, at this address or behind it. */
size_t vw_learnt_first(const struct vw_world *world, unsigned ifindex, const struct vw_addr *a);
/* Whether the wall knows a name at the address that fits the pattern. */
bool vw_learnt_fits(const struct vw_world *world, unsigned ifindex, const struct vw_addr *a,
		    const char *pattern, bool lapsed_too);
void vw_learnt_done(struct vw_world *world);
int vw_learnt_copy(const struct vw_world *from, struct vw_world *ret);

#endif
