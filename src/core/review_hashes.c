/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bounded set of hashes: who was seen already, in eight bytes each. Two things of one hash are
 * taken for one; at 64 bits under a random key nobody meets such a pair. */
#include <netinet/in.h>

#include "core/sip.h"
#include "vethwall/review.h"

#define SLOTS_MIN 16

/* The slot of the hash, or the free one where it belongs. 0 marks a free slot, and is no hash. */
static uint64_t *probe(const struct vw_hashes *s, uint64_t hash)
{
	size_t i = hash & (s->slots - 1);

	while (s->v[i] && s->v[i] != hash)
		i = (i + 1) & (s->slots - 1);
	return &s->v[i];
}

static int grow(struct vw_hashes *s)
{
	struct vw_hashes bigger = {.slots = s->slots ? s->slots * 2 : SLOTS_MIN};

	bigger.v = calloc(bigger.slots, sizeof(*bigger.v));
	if (!bigger.v)
		return -ENOMEM;
	for (size_t i = 0; i < s->slots; i++) {
		if (s->v[i])
			*probe(&bigger, s->v[i]) = s->v[i];
	}
	free(s->v);
	s->v = bigger.v;
	s->slots = bigger.slots;
	return 0;
}

int vw_hashes_add(struct vw_hashes *s, uint64_t hash)
{
	uint64_t *slot;

	hash += !hash;
	if (s->n * 4 >= s->slots * 3) {
		int r;

		if (s->slots && *probe(s, hash))
			return 0;
		r = s->n >= s->max ? -ENOSPC : grow(s);
		if (r)
			return r;
	}
	slot = probe(s, hash);
	if (*slot)
		return 0;
	if (s->n >= s->max)
		return -ENOSPC;
	*slot = hash;
	s->n++;
	return 1;
}

bool vw_hashes_has(const struct vw_hashes *s, uint64_t hash)
{
	return s->slots && *probe(s, hash + !hash);
}

void vw_hashes_done(struct vw_hashes *s)
{
	free(s->v);
	*s = (struct vw_hashes){.max = s->max};
}

uint64_t vw_flow_hash(const struct vw_tuple *t, const uint64_t seed[static 2])
{
	uint8_t key[VW_FLOW_KEY_MAX];
	struct vw_tuple plain = *t;

	plain.code = 0;
	return vw_sip13(key, vw_flow_key(&plain, key), seed);
}
