/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules as nft(8) writes them. nft has expressions where the kernel has registers, so a rule is
 * read from the left with a note on what each register holds; a comparison, look-up or statement
 * then prints it. Only what our own rules contain is turned back; the rest is named as raw payload.
 */
#include "core/nft_text.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "vethwall/addr.h"
#include "vethwall/cleanup.h"

#define REGS 16
#define TEXT_MAX 224

/* How a value is written. */
enum form {
	F_NUMBER, /* big endian, as a number */
	F_MARK,
	F_IP4,
	F_IP6,
	F_PROTO,
	F_PORT,
	F_IFINDEX,
	F_MAC,
	F_ETHERTYPE,
	F_IFNAME, /* of an interface, a bridge or a kind of them */
	F_EXISTS, /* of an extension header: 1 or 0 */
};

/* What a register holds, or "" for nothing that we know. */
struct cell {
	char text[TEXT_MAX];
	enum form form;
	uint8_t len;
	bool masked; /* an operation: comparisons need their == */
	bool constant; /* takes the type of its place */
};

struct reader {
	FILE *f;
	struct cell regs[REGS];
	nft_text_set find;
	void *arg;
	const char *raw; /* why nft could not load the rule, or NULL */
	bool begun; /* something is printed: a space goes before the next */
};

static const struct {
	const char *type;
	enum form form;
} ftypes[_VW_F_MAX] = {
	[VW_F_MARK] = {"mark", F_MARK},		[VW_F_IP4] = {"ipv4_addr", F_IP4},
	[VW_F_IP6] = {"ipv6_addr", F_IP6},	[VW_F_PROTO] = {"inet_proto", F_PROTO},
	[VW_F_PORT] = {"inet_service", F_PORT}, [VW_F_IFINDEX] = {"iface_index", F_IFINDEX},
	[VW_F_IFNAME] = {"ifname", F_IFNAME},
};

static const struct {
	uint8_t base;
	uint16_t offset;
	uint8_t len;
	enum form form;
	const char *text;
} fields[] = {
	{NFT_PAYLOAD_LL_HEADER, 0, 6, F_MAC, "ether daddr"},
	{NFT_PAYLOAD_LL_HEADER, 6, 6, F_MAC, "ether saddr"},
	{NFT_PAYLOAD_LL_HEADER, 12, 2, F_ETHERTYPE, "ether type"},
	{NFT_PAYLOAD_NETWORK_HEADER, 6, 1, F_PROTO, "ip6 nexthdr"},
	{NFT_PAYLOAD_NETWORK_HEADER, 9, 1, F_PROTO, "ip protocol"},
	{NFT_PAYLOAD_NETWORK_HEADER, 12, 4, F_IP4, "ip saddr"},
	{NFT_PAYLOAD_NETWORK_HEADER, 16, 4, F_IP4, "ip daddr"},
	{NFT_PAYLOAD_NETWORK_HEADER, 8, 16, F_IP6, "ip6 saddr"},
	{NFT_PAYLOAD_NETWORK_HEADER, 24, 16, F_IP6, "ip6 daddr"},
	{NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, F_PORT, "th sport"},
	{NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, F_PORT, "th dport"},
};

static const struct {
	uint8_t key, len;
	enum form form;
	const char *text;
} metas[] = {
	{NFT_META_LEN, 4, F_IFINDEX, "meta length"},
	{NFT_META_PROTOCOL, 2, F_ETHERTYPE, "meta protocol"},
	{NFT_META_MARK, 4, F_MARK, "meta mark"},
	{NFT_META_IIF, 4, F_IFINDEX, "meta iif"},
	{NFT_META_OIF, 4, F_IFINDEX, "meta oif"},
	{NFT_META_IIFNAME, IFNAMSIZ, F_IFNAME, "meta iifname"},
	{NFT_META_OIFNAME, IFNAMSIZ, F_IFNAME, "meta oifname"},
	{NFT_META_IIFKIND, IFNAMSIZ, F_IFNAME, "meta iifkind"},
	{NFT_META_OIFKIND, IFNAMSIZ, F_IFNAME, "meta oifkind"},
	{NFT_META_BRI_IIFNAME, IFNAMSIZ, F_IFNAME, "meta ibrname"},
	{NFT_META_BRI_OIFNAME, IFNAMSIZ, F_IFNAME, "meta obrname"},
	{NFT_META_L4PROTO, 1, F_PROTO, "meta l4proto"},
	{NFT_META_PKTTYPE, 1, F_NUMBER, "meta pkttype"},
};

static void put_number(FILE *f, const uint8_t *v, size_t len)
{
	fputs("0x", f);
	for (size_t i = 0; i < len; i++)
		fprintf(f, "%02x", v[i]);
}

static void put_address(FILE *f, uint8_t family, const uint8_t *v)
{
	struct vw_addr a = {.family = family};
	char buf[VW_ADDR_STRLEN];

	memcpy(a.b, v, vw_addr_len(&a));
	fputs(vw_addr_str(&a, buf), f);
}

static void put_ethertype(FILE *f, const uint8_t *v)
{
	static const struct {
		uint16_t type;
		const char *name;
	} names[] = {{0x0800, "ip"}, {0x0806, "arp"}, {0x86dd, "ip6"}};

	for (size_t i = 0; i < VW_ARRAY_SIZE(names); i++) {
		if (names[i].type == (v[0] << 8 | v[1])) {
			fputs(names[i].name, f);
			return;
		}
	}
	put_number(f, v, 2);
}

static void put_value(FILE *f, enum form form, const uint8_t *v, size_t len)
{
	static const uint8_t size[] = {
		[F_MARK] = 4,	 [F_IP4] = 4, [F_IP6] = 16,	 [F_PROTO] = 1, [F_PORT] = 2,
		[F_IFINDEX] = 4, [F_MAC] = 6, [F_ETHERTYPE] = 2, [F_EXISTS] = 1};
	char buf[VW_MAC_STRLEN];
	struct vw_mac mac;
	uint32_t host;

	if (form == F_IFNAME) {
		fprintf(f, "\"%.*s%s\"", (int)strnlen((const char *)v, len), (const char *)v,
			len < IFNAMSIZ ? "*" : "");
		return;
	}
	if (form == F_NUMBER || len != size[form]) {
		put_number(f, v, len);
		return;
	}
	memcpy(&host, v, len < sizeof(host) ? len : sizeof(host));
	switch (form) {
	case F_MARK:
		fprintf(f, "0x%08" PRIx32, host);
		break;
	case F_IP4:
	case F_IP6:
		put_address(f, form == F_IP4 ? 4 : 6, v);
		break;
	case F_PROTO:
		fputs(vw_proto_str(v[0], buf), f);
		break;
	case F_PORT:
		fprintf(f, "%d", v[0] << 8 | v[1]);
		break;
	case F_IFINDEX:
		fprintf(f, "%" PRIu32, host);
		break;
	case F_MAC:
		memcpy(mac.b, v, sizeof(mac.b));
		fputs(vw_mac_str(&mac, buf), f);
		break;
	case F_EXISTS:
		fputs(v[0] ? "exists" : "missing", f);
		break;
	case F_ETHERTYPE:
		put_ethertype(f, v);
		break;
	default:
		put_number(f, v, len);
	}
}

static struct cell *set_cell(struct reader *rd, uint8_t reg, enum form form, uint8_t len)
{
	struct cell *c = &rd->regs[reg % REGS];

	/* What it covers is no longer what it was. */
	for (unsigned i = reg; i < REGS && i < reg + (len + 3u) / 4; i++)
		rd->regs[i].text[0] = '\0';
	c->form = form;
	c->len = len;
	c->masked = false;
	c->constant = false;
	return c;
}

static const char *gap(struct reader *rd)
{
	bool first = !rd->begun;

	rd->begun = true;
	return first ? "" : " ";
}

static void read_payload(struct reader *rd, const struct vw_expr *e)
{
	static const char *const base[] = {"ll", "nh", "th", "ih"};
	struct cell *c = set_cell(rd, e->reg, F_NUMBER, e->len);

	for (size_t i = 0; i < VW_ARRAY_SIZE(fields); i++) {
		if (fields[i].base != e->base || fields[i].offset != e->offset ||
		    fields[i].len != e->len)
			continue;
		c->form = fields[i].form;
		snprintf(c->text, sizeof(c->text), "%s", fields[i].text);
		return;
	}
	snprintf(c->text, sizeof(c->text), "@%s,%u,%u", base[e->base % VW_ARRAY_SIZE(base)],
		 e->offset * 8u, e->len * 8u);
}

static const char *meta_text(uint8_t key, size_t *ret_i)
{
	for (size_t i = 0; i < VW_ARRAY_SIZE(metas); i++) {
		if (metas[i].key == key) {
			*ret_i = i;
			return metas[i].text;
		}
	}
	return NULL;
}

static void read_meta(struct reader *rd, const struct vw_expr *e)
{
	size_t i = 0;
	const char *text = meta_text(e->base, &i);
	struct cell *c =
		set_cell(rd, e->reg, text ? metas[i].form : F_NUMBER, text ? metas[i].len : 4);

	if (text) {
		snprintf(c->text, sizeof(c->text), "%s", text);
		return;
	}
	snprintf(c->text, sizeof(c->text), "meta key %u", e->base);
	rd->raw = "meta key";
}

/* Only the words for fragments: nft's others name fields that no rule of ours reads. */
static void read_exthdr(struct reader *rd, const struct vw_expr *e)
{
	enum { FRAGMENT = 44 }; /* IPPROTO_FRAGMENT */
	bool present = e->op & NFT_EXTHDR_F_PRESENT;
	struct cell *c = set_cell(rd, e->reg, present ? F_EXISTS : F_NUMBER, e->len);
	const char *text = e->base != FRAGMENT		   ? NULL
			   : present			   ? "exthdr frag"
			   : e->offset == 0 && e->len == 1 ? "frag nexthdr"
			   : e->offset == 2 && e->len == 2 ? "frag frag-off"
			   : e->offset == 4 && e->len == 4 ? "frag id"
							   : NULL;

	if (text) {
		snprintf(c->text, sizeof(c->text), "%s", text);
		return;
	}
	snprintf(c->text, sizeof(c->text), "exthdr %u @%u,%u", e->base, e->offset * 8u,
		 e->len * 8u);
	rd->raw = "part of an extension header";
}

/* Prints into a cell's text. */
static void text_of(char *ret, size_t size, const struct cell *c, const uint8_t *v, enum form form,
		    const char *join)
{
	char *value = NULL;
	size_t n;
	FILE *f = open_memstream(&value, &n);

	if (f) {
		put_value(f, form, v, c->len);
		fclose(f);
	}
	snprintf(ret, size, "%.150s%s%.60s", c->text, join, value ? value : "?");
	free(value);
}

static void read_imm(struct reader *rd, const struct vw_expr *e)
{
	enum form form = e->len == 4 ? F_MARK : e->len == 2 ? F_PORT : F_NUMBER;
	struct cell *c = set_cell(rd, e->reg, form, e->len), none = {.len = e->len};

	text_of(c->text, sizeof(c->text), &none, e->data, form, "");
	c->constant = true;
}

static void read_bitwise(struct reader *rd, const struct vw_expr *e)
{
	static const uint8_t zero[16], frag_off[2] = {0xff, 0xf8};
	const struct cell from = rd->regs[e->reg % REGS];
	struct cell *c, with = from;

	with.len = e->len;
	c = set_cell(rd, e->dreg, from.form, e->len);
	/* nft's frag-off is the 13 bits alone. */
	if (!strcmp(from.text, "frag frag-off") && !memcmp(e->data, frag_off, 2)) {
		memcpy(c->text, from.text, sizeof(c->text));
		return;
	}
	if (e->len <= sizeof(zero) && !memcmp(e->data, zero, e->len)) {
		/* a constant: all that nft takes for one in the key of a look-up */
		snprintf(with.text, sizeof(with.text), "(%.150s & 0x0", from.text);
		text_of(c->text, sizeof(c->text), &with, e->data + e->len, F_NUMBER, " | ");
		strncat(c->text, ")", sizeof(c->text) - strlen(c->text) - 1);
		return;
	}
	c->form = from.form == F_MARK ? F_MARK : F_NUMBER;
	c->masked = true;
	text_of(c->text, sizeof(c->text), &with, e->data, c->form, " & ");
	if (memcmp(e->data + e->len, zero, e->len)) {
		with = *c;
		text_of(c->text, sizeof(c->text), &with, e->data + e->len, c->form, " ^ ");
	}
}

/* Whether nft takes such a value for that field; of an unknown set, for any that sets have. */
static bool fits_field(const struct vw_set *s, unsigned field, enum form form)
{
	if (s)
		return field >= VW_FIELDS_MAX || form == ftypes[s->fields[field] % _VW_F_MAX].form;
	for (size_t i = 0; i < VW_ARRAY_SIZE(ftypes); i++)
		if (ftypes[i].type && ftypes[i].form == form)
			return true;
	return false;
}

/* "a . b . c": the registers that make a set's key. nft wants each part to have the field's very
 * type. */
static void key_text(struct reader *rd, const struct vw_expr *e, char *ret, size_t size)
{
	const struct vw_set *s = rd->find ? rd->find(rd->arg, e->name) : NULL;
	size_t end = s ? e->reg + vw_set_klen(s) / 4 : REGS, n = 0;
	unsigned field = 0;

	snprintf(ret, size, "?");
	for (size_t i = e->reg; i < end && i < REGS && rd->regs[i].text[0] && n < size;) {
		const struct cell *c = &rd->regs[i];

		n += snprintf(ret + n, size - n, "%s%s", n ? " . " : "", c->text);
		if (c->constant ? e->type == VW_E_LOOKUP : !fits_field(s, field, c->form))
			rd->raw = c->constant ? "constant in a key" : "mix of types in a key";
		field++;
		i += (c->len + 3u) / 4;
	}
}

static void read_lookup(struct reader *rd, const struct vw_expr *e)
{
	char key[TEXT_MAX];
	struct cell *c;

	key_text(rd, e, key, sizeof(key));
	if (!e->len) {
		fprintf(rd->f, "%s%s%s @%s", gap(rd), key, e->op ? " !=" : "", e->name);
		return;
	}
	c = set_cell(rd, e->dreg, F_MARK, 4);
	snprintf(c->text, sizeof(c->text), "%.180s map @%s", key, e->name);
}

static void read_dynset(struct reader *rd, const struct vw_expr *e)
{
	static const char *const op[] = {"add", "update", "delete"};
	char key[TEXT_MAX];

	key_text(rd, e, key, sizeof(key));
	fprintf(rd->f, "%s%s @%s { %s", gap(rd), op[e->op % VW_ARRAY_SIZE(op)], e->name, key);
	if (e->num) {
		fputs(" timeout ", rd->f);
		nft_text_time(rd->f, e->num);
	}
	fputs(e->num2 ? " counter }" : " }", rd->f);
}

/* nft puts it in by itself where a key wants it. */
static void read_byteorder(struct reader *rd, const struct vw_expr *e)
{
	(void)rd;
	(void)e;
}

static void read_cmp(struct reader *rd, const struct vw_expr *e)
{
	static const char *const op[] = {"==", "!=", "<", "<=", ">", ">="};
	const struct cell *c = &rd->regs[e->reg % REGS];
	bool prefix = (c->form == F_IP4 || c->form == F_IP6) && e->len < c->len;
	uint8_t v[16] = {0};

	fprintf(rd->f, "%s%s", gap(rd), c->text[0] ? c->text : "?");
	if (e->op != NFT_CMP_EQ || c->masked)
		fprintf(rd->f, " %s", op[e->op % VW_ARRAY_SIZE(op)]);
	fputc(' ', rd->f);
	memcpy(v, e->data, e->len < sizeof(v) ? e->len : sizeof(v));
	put_value(rd->f, c->form, v, prefix ? c->len : e->len);
	if (prefix)
		fprintf(rd->f, "/%u", e->len * 8u);
}

static void read_meta_set(struct reader *rd, const struct vw_expr *e)
{
	size_t i;
	const char *text = meta_text(e->base, &i);
	const struct cell *c = &rd->regs[e->reg % REGS];

	fprintf(rd->f, "%s%s set %s", gap(rd), text ? text : "meta ?", c->text[0] ? c->text : "?");
}

static void read_verdict(struct reader *rd, const struct vw_expr *e)
{
	const char *word = e->verdict == NF_ACCEPT	? "accept"
			   : e->verdict == NF_DROP	? "drop"
			   : e->verdict == NFT_RETURN	? "return"
			   : e->verdict == NFT_CONTINUE ? "continue"
			   : e->verdict == NFT_JUMP	? "jump"
							: "goto";

	fprintf(rd->f, "%s%s", gap(rd), word);
	if (e->verdict == NFT_JUMP || e->verdict == NFT_GOTO)
		fprintf(rd->f, " %s", e->name);
}

static void read_counter(struct reader *rd, const struct vw_expr *e)
{
	(void)e;
	fprintf(rd->f, "%scounter", gap(rd));
}

static void read_limit(struct reader *rd, const struct vw_expr *e)
{
	fprintf(rd->f, "%slimit rate %" PRIu32 "/second burst %" PRIu32 " packets", gap(rd), e->num,
		e->num2);
}

static void read_log(struct reader *rd, const struct vw_expr *e)
{
	fprintf(rd->f, "%slog group %u", gap(rd), e->offset);
	if (e->num)
		fprintf(rd->f, " snaplen %" PRIu32, e->num);
}

static void read_reject(struct reader *rd, const struct vw_expr *e)
{
	static const char *const code[] = {"no-route", "port-unreachable", "host-unreachable",
					   "admin-prohibited"};

	if (e->base == NFT_REJECT_TCP_RST)
		fprintf(rd->f, "%sreject with tcp reset", gap(rd));
	else if (e->base == NFT_REJECT_ICMPX_UNREACH)
		fprintf(rd->f, "%sreject with icmpx type %s", gap(rd),
			code[e->op % VW_ARRAY_SIZE(code)]);
	else
		fprintf(rd->f, "%sreject with icmp type %u", gap(rd), e->op);
}

static void (*const readers[_VW_E_MAX])(struct reader *rd, const struct vw_expr *e) = {
	[VW_E_PAYLOAD] = read_payload,
	[VW_E_META] = read_meta,
	[VW_E_META_SET] = read_meta_set,
	[VW_E_EXTHDR] = read_exthdr,
	[VW_E_IMM] = read_imm,
	[VW_E_VERDICT] = read_verdict,
	[VW_E_CMP] = read_cmp,
	[VW_E_BITWISE] = read_bitwise,
	[VW_E_BYTEORDER] = read_byteorder,
	[VW_E_LOOKUP] = read_lookup,
	[VW_E_DYNSET] = read_dynset,
	[VW_E_COUNTER] = read_counter,
	[VW_E_LIMIT] = read_limit,
	[VW_E_LOG] = read_log,
	[VW_E_REJECT] = read_reject,
};

bool nft_text_rule(FILE *f, const struct vw_nftrule *r, nft_text_set find, void *arg)
{
	struct reader rd = {.f = f, .find = find, .arg = arg};

	vw_vec_foreach (e, &r->exprs)
		if (e->type < _VW_E_MAX)
			readers[e->type](&rd, e);
	if (r->what)
		fprintf(f, "%scomment \"%.127s\"", gap(&rd), r->what);
	if (rd.raw)
		fprintf(f, " # nft has no words for this %s", rd.raw);
	return !rd.raw;
}

static void put_field(FILE *f, const struct vw_set *s, unsigned i, const uint8_t *key)
{
	size_t off = vw_set_field_offset(s, i), len = vw_ftype_len(s->fields[i]);
	uint32_t mark;

	if (s->fields[i] != VW_F_MARK) {
		put_value(f, ftypes[s->fields[i] % _VW_F_MAX].form, key + off, len);
		return;
	}
	memcpy(&mark, key + off, sizeof(mark));
	fprintf(f, "0x%08" PRIx32, vw_set_mark(s, mark));
}

void nft_text_elem(FILE *f, const struct vw_set *s, const struct vw_elem *e)
{
	for (unsigned i = 0; i < VW_FIELDS_MAX && s->fields[i]; i++) {
		size_t off = vw_set_field_offset(s, i), len = vw_ftype_len(s->fields[i]);

		if (i)
			fputs(" . ", f);
		put_field(f, s, i, e->key);
		if (s->flags & VW_SET_INTERVAL && memcmp(e->key + off, e->key_end + off, len)) {
			fputc('-', f);
			put_field(f, s, i, e->key_end);
		}
	}
	if (s->flags & VW_SET_MAP)
		fprintf(f, " : 0x%08" PRIx32, e->data);
}

void nft_text_type(FILE *f, const struct vw_set *s)
{
	for (unsigned i = 0; i < VW_FIELDS_MAX && s->fields[i]; i++)
		fprintf(f, "%s%s", i ? " . " : "", ftypes[s->fields[i] % _VW_F_MAX].type);
	if (!s->fields[0])
		fputs("?", f);
	if (s->flags & VW_SET_MAP)
		fputs(" : mark", f);
}

void nft_text_time(FILE *f, uint32_t ms)
{
	if (ms % 1000)
		fprintf(f, "%" PRIu32 "ms", ms);
	else
		fprintf(f, "%" PRIu32 "s", ms / 1000);
}
