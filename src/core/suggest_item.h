/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two halves of suggest share: suggest.c makes items of what was seen, suggest_docs.c
 * makes documents of items. */
#ifndef VW_CORE_SUGGEST_H
#define VW_CORE_SUGGEST_H

#include "vethwall/suggest.h"

enum peer_kind { PEER_SERVICE, PEER_NAME, PEER_ENTITY, PEER_ADDR };

/* A connection as one end has to allow it. Strings are the table's. */
struct item {
	const struct vw_seen *s;
	bool mirrored; /* seen at the other end's wall */
	const char *namespace_, *service;
	enum vw_direction dir;
	enum peer_kind kind;
	const char *peer_namespace, *peer;
	enum vw_entity entity;
	struct vw_addr addr;
	uint8_t proto;
	uint16_t port;
	struct vw_evidence seen;
};

int item_owner_cmp(const struct item *a, const struct item *b); /* service and direction */
int item_peer_cmp(const struct item *a, const struct item *b);
void evidence_add(struct vw_evidence *to, const struct vw_evidence *e);

/* v: sorted by owner, peer, protocol and port, none twice. Appends to ret->docs; names that others
 * have are not taken. 0, -ENOMEM, -ENOSPC. */
int suggest_docs(const struct item *v, size_t n, const struct vw_policyset *others,
		 struct vw_suggestions *ret);

#endif
