/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The forms of names that the Kubernetes API asks for (apimachinery, pkg/util/validation). Each
 * gives NULL when s is right, else what is expected, a literal. */
#ifndef CODEC_K8S_NAMES_H
#define CODEC_K8S_NAMES_H

const char *vw_k8s_dns_label_error(const char *s); /* a namespace */
const char *vw_k8s_dns_subdomain_error(const char *s); /* a NetworkPolicy's name */
const char *vw_k8s_label_key_error(const char *s);
const char *vw_k8s_label_value_error(const char *s);
const char *vw_k8s_port_name_error(const char *s); /* IANA_SVC_NAME, RFC 6335 section 5.1 */

#endif
