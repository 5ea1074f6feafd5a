/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A container runtime as a source of workloads. */
#ifndef VETHWALL_RUNTIME_H
#define VETHWALL_RUNTIME_H

#include "vethwall/link.h"
#include "vethwall/world.h"

struct vw_loop;

struct vw_runtime_sink {
	/* A workload is there or has changed. Interfaces carry network, MAC and IPs; ifindex is 0
	 * where the runtime does not know it (the agent finds it), pid is the process to find it by
	 * (0 unknown). */
	void (*put)(void *arg, struct vw_workload *w /* taken over */, int pid);
	void (*gone)(void *arg, const char *id);
	void (*namespaces)(void *arg, const struct vw_namespace *v,
			   size_t n); /* static runtime only */
	void (*networks)(void *arg, const struct vw_network *v, size_t n);
	/* Everything that exists has been reported; with lost = true the sink forgot nothing and
	 * compares: whatever was not put since the last begin() is gone. */
	void (*begin)(void *arg);
	void (*synced)(void *arg);
	/* Connection state, for status and log: ok or not, and why. */
	void (*state)(void *arg, bool ok, const char *text);
	void *arg;
};

struct vw_runtime;
struct vw_runtime_ops {
	const char *name;
	/* The sink could not take in what it was told: soon, all of it anew. From within a callback
	 * too. */
	void (*again)(struct vw_runtime *r);
	void (*free)(struct vw_runtime *r);
};
struct vw_runtime {
	const struct vw_runtime_ops *ops;
};

/* Starts following; callbacks come from the loop only. Reconnects by itself with backoff. */
int vw_docker_open(struct vw_loop *loop, const char *socket, const struct vw_runtime_sink *sink,
		   struct vw_runtime **ret, struct vw_diag *d);
int vw_static_open(struct vw_loop *loop, const char *file, const struct vw_runtime_sink *sink,
		   struct vw_runtime **ret, struct vw_diag *d);
void vw_runtime_free(struct vw_runtime **r);

#endif
