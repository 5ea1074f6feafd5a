/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts <-> model. Pure: the caller has read the bytes. Every parser reports all errors of a text,
 * then refuses it whole (-EINVAL, outputs untouched). Limits on size, nesting, aliases and counts
 * are in codec/yaml_tree.h. */
#ifndef VETHWALL_CODEC_H
#define VETHWALL_CODEC_H

#include "vethwall/policy.h"
#include "vethwall/settings.h"

#define VW_TEXT_MAX (8u << 20) /* bytes of one document file */

/* Policy documents of any kind in one YAML or JSON text are added to set. On error the set is as
 * before. */
int vw_policy_parse(const char *text, size_t len, const char *file, struct vw_policyset *set,
		    struct vw_diag *d);
/* The world file of the design page. Workload ids become "namespace/name". */
int vw_world_parse(const char *text, size_t len, const char *file, struct vw_world *ret,
		   struct vw_diag *d);
/* vethwall.yaml: keys are those of struct vw_settings; what is absent stays as it is in *s. */
int vw_settings_parse(const char *text, size_t len, const char *file, struct vw_settings *s,
		      struct vw_diag *d);
/* The images of one text in the source's format are added to list. Of a report (Trivy, Grype) that
 * is its one image, when it has a vulnerability of at least the source's severity. */
int vw_images_parse(const char *text, size_t len, const char *file,
		    const struct vw_image_source *src, struct vw_image_list *list,
		    struct vw_diag *d);
/* "tcp/5432", "udp/53", "tcp/8000-8100", "icmp/echo-request", "sctp", "any", "tcp/http" (named).
 * -EINVAL with *ret_why a literal that says what is wrong. */
int vw_port_parse(const char *s, struct vw_port *ret, const char **ret_why);
/* The same for a single packet: one protocol and port, as struct vw_probe has them. An ICMP type
 * without a code stands for its code 0; protocols without ports have port 0. */
int vw_probe_port_parse(const char *s, uint8_t *ret_proto, uint16_t *ret_port,
			const char **ret_why);

/* Reads a file of at most max bytes: 0, -EFBIG, -errno. (io/files.c) */
int vw_file_read(const char *path, size_t max, char **ret, size_t *ret_len);
/* All bytes to the descriptor, or -errno with some of them there. (io/files.c) */
int vw_write_all(int fd, const void *p, size_t n);
/* Puts a small file in the place of what was there, all at once; for its owner alone. 0, -errno.
 * (io/files.c) */
int vw_file_write(const char *path, const char *text, size_t len);
/* Loads files, and of folders every *.yaml, *.yml and *.json in name order (dot files left out),
 * into a sorted set; errors are gathered over all files and refuse the whole. (io/files.c) */
int vw_policies_load(const char *const *paths, size_t n, struct vw_policyset *ret,
		     struct vw_diag *d);
/* Reads the source's file, or every *.json of its folder; errors refuse the whole. (io/files.c) */
int vw_images_load(const struct vw_image_source *src, struct vw_image_list *ret, struct vw_diag *d);

#endif
