/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TLS by OpenSSL, 1.2 or later; the receiver's certificate is always verified: against the file
 * that the settings name or the system's, and for the name or the address that they give. */
#include "io/output_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "vethwall/cleanup.h"

struct vw_tls {
	const struct vw_output_settings *s;
	SSL_CTX *ctx;
	SSL *ssl;
	bool wants_write;
};

static const char *reason(void)
{
	const char *s = ERR_reason_error_string(ERR_peek_last_error());

	return s ? s : "unknown error";
}

static int refused(const char *file, struct vw_diag *d)
{
	vw_error(d, NULL, "outputs: %s: %s", file, reason());
	ERR_clear_error();
	return -EINVAL;
}

static int load(struct vw_tls *t, struct vw_diag *d)
{
	const struct vw_output_settings *s = t->s;

	if (s->ca && SSL_CTX_load_verify_locations(t->ctx, s->ca, NULL) != 1)
		return refused(s->ca, d);
	if (!s->ca && SSL_CTX_set_default_verify_paths(t->ctx) != 1)
		return refused("the system's certificates", d);
	if (s->cert && SSL_CTX_use_certificate_chain_file(t->ctx, s->cert) != 1)
		return refused(s->cert, d);
	if (s->cert &&
	    SSL_CTX_use_PrivateKey_file(t->ctx, s->key ? s->key : s->cert, SSL_FILETYPE_PEM) != 1)
		return refused(s->key ? s->key : s->cert, d);
	return 0;
}

int vw_tls_new(const struct vw_output_settings *s, struct vw_tls **ret, struct vw_diag *d)
{
	struct vw_tls *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->s = s;
	t->ctx = SSL_CTX_new(TLS_client_method());
	r = t->ctx ? 0 : -ENOMEM;
	if (!r) {
		SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
		SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_mode(t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
						 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
		r = load(t, d);
	}
	if (r < 0) {
		vw_tls_free(&t);
		return r;
	}
	*ret = t;
	return 0;
}

void vw_tls_reset(struct vw_tls *t)
{
	SSL_free(t->ssl);
	t->ssl = NULL;
}

void vw_tls_free(struct vw_tls **t)
{
	if (!*t)
		return;
	vw_tls_reset(*t);
	SSL_CTX_free((*t)->ctx);
	free(*t);
	*t = NULL;
}

bool vw_tls_begun(const struct vw_tls *t)
{
	return t->ssl != NULL;
}

int vw_tls_begin(struct vw_tls *t, int fd)
{
	char addr[VW_ADDR_STRLEN];
	X509_VERIFY_PARAM *param;
	int ok;

	t->ssl = SSL_new(t->ctx);
	if (!t->ssl)
		return -ENOMEM;
	param = SSL_get0_param(t->ssl);
	if (t->s->name)
		ok = X509_VERIFY_PARAM_set1_host(param, t->s->name, 0) == 1 &&
		     SSL_set_tlsext_host_name(t->ssl, t->s->name) == 1;
	else
		ok = X509_VERIFY_PARAM_set1_ip_asc(param, vw_addr_str(&t->s->addr, addr)) == 1;
	if (!ok || SSL_set_fd(t->ssl, fd) != 1)
		return -EINVAL;
	SSL_set_connect_state(t->ssl);
	return 0;
}

bool vw_tls_wants_write(const struct vw_tls *t)
{
	return !t->ssl || t->wants_write;
}

int vw_tls_handshake(struct vw_tls *t, char *why, size_t size)
{
	long verified;
	int r;

	ERR_clear_error();
	r = SSL_do_handshake(t->ssl);
	if (r == 1)
		return 1;
	r = SSL_get_error(t->ssl, r);
	t->wants_write = r == SSL_ERROR_WANT_WRITE;
	if (r == SSL_ERROR_WANT_READ || r == SSL_ERROR_WANT_WRITE)
		return 0;
	verified = SSL_get_verify_result(t->ssl);
	snprintf(why, size, "TLS: %s",
		 verified == X509_V_OK ? reason() : X509_verify_cert_error_string(verified));
	return -EPROTO;
}

ssize_t vw_tls_write(struct vw_tls *t, const char *p, size_t n)
{
	size_t done = 0;
	int r;

	ERR_clear_error();
	if (SSL_write_ex(t->ssl, p, n, &done) == 1)
		return (ssize_t)done;
	r = SSL_get_error(t->ssl, 0);
	return r == SSL_ERROR_WANT_WRITE || r == SSL_ERROR_WANT_READ ? 0 : -EPIPE;
}

int vw_tls_drain(struct vw_tls *t)
{
	char buf[4096];
	int r;

	ERR_clear_error();
	do
		r = SSL_read(t->ssl, buf, sizeof(buf));
	while (r > 0);
	r = SSL_get_error(t->ssl, r);
	return r == SSL_ERROR_WANT_READ || r == SSL_ERROR_WANT_WRITE ? 0 : -EPIPE;
}
