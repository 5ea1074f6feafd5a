/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A keyed hash, for tables whose keys an outsider chooses. */
#ifndef VW_CORE_SIP_H
#define VW_CORE_SIP_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-1-3 (Aumasson, Bernstein 2012) of n bytes under a random key. */
uint64_t vw_sip13(const void *p, size_t n, const uint64_t key[static 2]);

#endif
