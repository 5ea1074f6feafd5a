/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The three ways in which `vethwall flows` prints a record. */
#include "cli/flows_print.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "cli/flows_table.h"
#include "core/sip.h"
#include "vethwall/cleanup.h"

#define RED "\033[31m"
#define YELLOW "\033[33m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

#define END_MAX (VW_FLOW_TEXT_MAX + VW_ADDR_STRLEN + 16)

/* ---- text ---- */

const char *flows_id(const struct vw_flow *f, char buf[static FLOWS_ID_LEN])
{
	static const uint64_t key[2] = {0}; /* an ID is for everybody */
	char line[VW_FLOW_LINE_MAX], text[VW_FLOW_TEXT_MAX];

	vw_flow_text(&f->community_id, text);
	if (*text && strlen(text) < FLOWS_ID_LEN)
		memcpy(buf, text, strlen(text) + 1);
	else
		snprintf(buf, FLOWS_ID_LEN, "r%016llx",
			 (unsigned long long)vw_sip13(line, vw_flow_json(f, line), key));
	return buf;
}

static const char *time_text(const struct flows_printer *p, int64_t us,
			     char buf[static VW_TIME_STRLEN])
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;

	if (p->utc)
		return vw_time_str(us, buf);
	if (!localtime_r(&t, &tm) || !strftime(buf, VW_TIME_STRLEN, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(buf, VW_TIME_STRLEN, "?");
	return buf;
}

static void port_text(const struct vw_tuple *t, char buf[static 32])
{
	char num[4];

	if (vw_proto_has_ports(t->proto))
		snprintf(buf, 32, "%s/%u", vw_proto_str(t->proto, num), t->dport);
	else if (t->proto == IPPROTO_ICMP || t->proto == IPPROTO_ICMPV6)
		snprintf(buf, 32, "%s %u/%u", vw_proto_str(t->proto, num), (unsigned)t->dport >> 8,
			 (unsigned)t->dport & 0xff);
	else if (!t->proto && t->dport)
		snprintf(buf, 32, "ether 0x%04x", t->dport);
	else
		snprintf(buf, 32, "%s", vw_proto_str(t->proto, num));
}

/* "name (address)", or what there is of it. */
static void end_text(const struct vw_str *name, const struct vw_addr *a, char buf[static END_MAX])
{
	char text[VW_FLOW_TEXT_MAX], addr[VW_ADDR_STRLEN];

	if (name->n && a->family)
		snprintf(buf, END_MAX, "%s (%s)", vw_flow_text(name, text), vw_addr_str(a, addr));
	else if (name->n)
		snprintf(buf, END_MAX, "%s", vw_flow_text(name, text));
	else
		snprintf(buf, END_MAX, "%s", a->family ? vw_addr_str(a, addr) : "?");
}

static void text_head(FILE *out, const struct flows_printer *p)
{
	fprintf(out, "%s%-*s %-8s %-34s    %-34s %-13s %8s %10s  %s%s\n", p->colour ? DIM : "",
		p->utc ? 27 : 19, "LAST SEEN", "EVENT", "FROM", "TO", "PORT", "PACKETS", "BYTES",
		"DECIDED BY", p->colour ? PLAIN : "");
}

static void text_record(FILE *out, const struct flows_printer *p, const struct vw_flow *f)
{
	char when[VW_TIME_STRLEN], here[END_MAX], there[END_MAX], port[32] = "-";
	char policy[VW_FLOW_TEXT_MAX], rule[VW_FLOW_TEXT_MAX], id[FLOWS_ID_LEN];
	const struct vw_addr *self = f->egress ? &f->t.src : &f->t.dst;
	const struct vw_addr *other = f->egress ? &f->t.dst : &f->t.src;
	const char *colour = !p->colour			   ? ""
			     : f->event == VW_FLOW_AUDITED ? YELLOW
			     : f->event == VW_FLOW_ALLOWED ? DIM
							   : RED;

	end_text(&f->workload, self, here);
	end_text(&f->peer, other, there);
	if (!vw_flow_is_sum(f->event))
		port_text(&f->t, port);
	else
		snprintf(there, sizeof(there), "(not recorded by flow)");
	vw_flow_text(&f->policy, policy);
	vw_flow_text(&f->rule, rule);
	fprintf(out, "%s %s%-8s%s %-34s -> %-34s %-13s %8llu %10llu  %s%s%s%s%s\n",
		time_text(p, f->last_us, when), colour, vw_flow_event_str(f->event),
		p->colour ? PLAIN : "", f->egress ? here : there, f->egress ? there : here, port,
		(unsigned long long)f->packets, (unsigned long long)f->bytes, policy,
		*rule && strcmp(rule, policy) ? " " : "", strcmp(rule, policy) ? rule : "",
		p->ids ? "  " : "", p->ids ? flows_id(f, id) : "");
}

static void text_foot(FILE *out, const struct flows_printer *p)
{
	fprintf(out, "%llu record%s, %llu packet%s, %llu bytes\n", (unsigned long long)p->records,
		p->records == 1 ? "" : "s", (unsigned long long)p->packets,
		p->packets == 1 ? "" : "s", (unsigned long long)p->bytes);
}

/* ---- JSON lines: as in the log ---- */

static void json_record(FILE *out, const struct flows_printer *p, const struct vw_flow *f)
{
	char line[VW_FLOW_LINE_MAX];

	(void)p;
	fwrite(line, 1, vw_flow_json(f, line), out);
}

/* ---- CSV, RFC 4180 ---- */

static void csv_head(FILE *out, const struct flows_printer *p)
{
	(void)p;
	fputs("timestamp,event_type,direction,in_iface,src_ip,src_port,dest_ip,dest_port,proto,"
	      "icmp_type,"
	      "icmp_code,workload,service,peer,policy,rule,packets,bytes,first_seen,last_seen,"
	      "community_id,"
	      "image,peer_service,tier,peer_name,ifindex,code,total_packets,total_bytes\r\n",
	      out);
}

static void csv_text(FILE *out, const struct vw_str *s)
{
	char text[VW_FLOW_TEXT_MAX];

	flows_csv_text(out, vw_flow_text(s, text));
}

static void csv_str(FILE *out, const struct vw_str *s)
{
	putc(',', out);
	csv_text(out, s);
}

static void csv_num(FILE *out, bool there, uint64_t v)
{
	if (there)
		fprintf(out, ",%llu", (unsigned long long)v);
	else
		putc(',', out);
}

static void csv_tuple(FILE *out, const struct vw_flow *f)
{
	const struct vw_tuple *t = &f->t;
	bool there = t->src.family, ports = there && vw_proto_has_ports(t->proto);
	bool icmp = there && (t->proto == IPPROTO_ICMP || t->proto == IPPROTO_ICMPV6);
	char a[VW_ADDR_STRLEN], num[4];

	fprintf(out, ",%s", there ? vw_addr_str(&t->src, a) : "");
	csv_num(out, ports, t->sport);
	fprintf(out, ",%s", there ? vw_addr_str(&t->dst, a) : "");
	csv_num(out, ports, t->dport);
	fprintf(out, ",%s", there ? vw_proto_str(t->proto, num) : "");
	csv_num(out, icmp, t->dport >> 8);
	csv_num(out, icmp, t->dport & 0xff);
}

static void csv_record(FILE *out, const struct flows_printer *p, const struct vw_flow *f)
{
	char when[VW_TIME_STRLEN];

	(void)p;
	fprintf(out, "%s,%s,%s", vw_time_str(f->time_us, when), vw_flow_event_str(f->event),
		f->egress ? "egress" : "ingress");
	csv_str(out, &f->in_iface);
	csv_tuple(out, f);
	csv_str(out, &f->workload);
	csv_str(out, &f->service);
	csv_str(out, &f->peer);
	csv_str(out, &f->policy);
	csv_str(out, &f->rule);
	csv_num(out, true, f->packets);
	csv_num(out, true, f->bytes);
	fprintf(out, ",%s", vw_time_str(f->first_us, when));
	fprintf(out, ",%s", vw_time_str(f->last_us, when));
	csv_str(out, &f->community_id);
	csv_str(out, &f->image);
	csv_str(out, &f->peer_service);
	csv_str(out, &f->tier);
	csv_str(out, &f->peer_name);
	csv_num(out, true, f->ifindex);
	csv_num(out, true, f->t.code);
	csv_num(out, true, f->total_packets);
	csv_num(out, true, f->total_bytes);
	fputs("\r\n", out);
}

static void nothing(FILE *out, const struct flows_printer *p)
{
	(void)out;
	(void)p;
}

int flows_printer_init(struct flows_printer *p, const char *format)
{
	static const struct {
		const char *name;
		struct flows_printer printer;
	} formats[] = {
		{"text", {.head = text_head, .record = text_record, .foot = text_foot}},
		{"json", {.head = nothing, .record = json_record, .foot = nothing}},
		{"csv", {.head = csv_head, .record = csv_record, .foot = nothing}},
	};

	for (size_t i = 0; i < VW_ARRAY_SIZE(formats); i++) {
		if (strcmp(formats[i].name, format))
			continue;
		p->head = formats[i].printer.head;
		p->record = formats[i].printer.record;
		p->foot = formats[i].printer.foot;
		return 0;
	}
	return -EINVAL;
}
