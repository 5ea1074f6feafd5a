/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When which wall's denied sets are read, in slices, so that who else waits for the loop does not
 * wait long. An NFLOG sample of a flow that is new makes its wall due
 * at once, one of a flow that was just reported when its next record is; a wall that gains is read
 * again each interval, a quiet one each minute in case news was lost. Reading and writing are in
 * denied_read.c. */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/denied_state.h"
#include "vethwall/cleanup.h"

#define CAPTURE_BUFFER (4u << 20) /* the default queue overruns above 5,000 messages/s */
#define CAPTURE_BATCHES 8 /* socket reads before others get their turn */
#define NEWS_MS 20 /* from a sample to the reading: one reading for many samples */
#define FIRST_NEWS_MS 2 /* when there was none for a while: no others are to be expected */
#define NO_NEWS_MS 50
#define SLICE_US 1000 /* of readings before others get their turn */
#define KEEP_MS 10000
#define HELD_FIRST_MS 10000 /* a veth that is held is most often somebody's by then */
#define LINGER_MS 60000 /* of a wall that is gone */
#define HELD_READINGS 2 /* of a chain whose last packets may still be on their way */
/* Packets kept of one wall, so that a flood does not push out what is known of others: at once, and
 * a second. */
#define KEEP_BURST 1024
#define KEEP_RATE 64
#define STAMP_MAX_US 2000000 /* a kernel stamp further off is not believed */

int64_t denied_now_ms(void)
{
	return vw_now_ns() / 1000000;
}

/* ---- walls ---- */

/* Index of the first wall whose ifindex is not smaller. */
static size_t wall_index(const struct vw_denied *v, unsigned ifindex)
{
	size_t lo = 0, hi = v->walls.n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (v->walls.v[mid]->ifindex < ifindex)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct denied_wall *denied_wall_get(const struct vw_denied *v, unsigned ifindex)
{
	size_t i = wall_index(v, ifindex);

	return i < v->walls.n && v->walls.v[i]->ifindex == ifindex ? v->walls.v[i] : NULL;
}

struct denied_wall *denied_wall_make(struct vw_denied *v, unsigned ifindex)
{
	static const size_t klen[2] = {24, 48};
	size_t i = wall_index(v, ifindex);
	struct denied_wall *w;

	if (i < v->walls.n && v->walls.v[i]->ifindex == ifindex)
		return v->walls.v[i];
	w = calloc(1, sizeof(*w));
	if (!w || vw_vec_push(&v->walls, w, DENIED_WALLS_MAX)) {
		free(w);
		return NULL;
	}
	memmove(&v->walls.v[i + 1], &v->walls.v[i], (v->walls.n - 1 - i) * sizeof(*v->walls.v));
	v->walls.v[i] = w;
	w->ifindex = ifindex;
	w->due_ms = DENIED_NEVER;
	for (int f = 0; f < 2; f++)
		vw_counted_init(&w->t[f], klen[f], v->seed);
	return w;
}

static void wall_free(struct vw_denied *v, struct denied_wall *w)
{
	for (int f = 0; f < 2; f++) {
		v->entries -= w->t[f].n;
		vw_counted_done(&w->t[f]);
	}
	free(w);
}

static void wall_drop(struct vw_denied *v, struct denied_wall *w)
{
	size_t i = wall_index(v, w->ifindex);

	if (v->job.w == w)
		denied_cancel(v);
	memmove(&v->walls.v[i], &v->walls.v[i + 1], (--v->walls.n - i) * sizeof(*v->walls.v));
	wall_free(v, w);
}

static bool forget_counter(struct vw_counted *c, void *arg)
{
	(void)arg;
	c->packets = c->bytes = 0;
	return !c->pending_packets;
}

void denied_forget_counters(struct vw_denied *v, struct denied_wall *w)
{
	for (int f = 0; f < 2; f++)
		v->entries -= vw_counted_sweep(&w->t[f], forget_counter, NULL);
}

struct vw_counted *denied_entry(struct vw_denied *v, struct vw_counted_table *t, const uint8_t *key)
{
	size_t room = v->entries < DENIED_ENTRIES_MAX ? SIZE_MAX : t->n, n = t->n;
	struct vw_counted *c = vw_counted_put(t, key, room);

	v->entries += t->n - n;
	return c;
}

/* ---- when ---- */

static int64_t wall_at(const struct denied_wall *w)
{
	return w->due_ms > w->rest_ms ? w->due_ms : w->rest_ms;
}

static void arm(struct vw_denied *v)
{
	int64_t now = denied_now_ms(), next = v->job.w ? now : DENIED_NEVER;

	vw_vec_foreach (p, &v->walls) {
		if ((*p)->due_ms != DENIED_NEVER && wall_at(*p) < next)
			next = wall_at(*p);
	}
	if (next == DENIED_NEVER)
		vw_timer_disarm(v->timer);
	else
		vw_timer_arm(v->timer, next > now ? next - now : 0);
}

static void make_due(struct vw_denied *v, struct denied_wall *w, int64_t at_ms)
{
	if (at_ms >= w->due_ms)
		return;
	w->due_ms = at_ms;
	if (!vw_timer_armed(v->timer) || wall_at(w) <= denied_now_ms() + NEWS_MS)
		arm(v);
}

/* The due wall that costs least: a flooded one does not hold up the others. */
static struct denied_wall *next_due(struct vw_denied *v, int64_t now)
{
	struct denied_wall *best = NULL;

	vw_vec_foreach (p, &v->walls) {
		struct denied_wall *w = *p;

		if (w->due_ms == DENIED_NEVER || wall_at(w) > now)
			continue;
		if (!best || w->cost_us < best->cost_us)
			best = w;
	}
	return best;
}

/* A wall that is gone: it is kept for a while, should it stand again, and while something could not
 * be written. */
static void retry_gone(struct vw_denied *v, struct denied_wall *w)
{
	if (denied_write_all(v, w))
		wall_drop(v, w);
	else
		w->due_ms = denied_now_ms() + 1000;
}

/* The next wall is begun, or false. */
static bool begin_next(struct vw_denied *v)
{
	struct denied_wall *w = next_due(v, denied_now_ms());

	if (!w)
		return false;
	if (w->standing)
		denied_begin(v, w);
	else
		retry_gone(v, w);
	return true;
}

static void on_timer(void *arg)
{
	struct vw_denied *v = arg;
	int64_t begin = vw_now_ns() / 1000;

	do {
		if (v->job.w)
			(void)denied_step(v);
		else if (!begin_next(v))
			break;
	} while (vw_now_ns() / 1000 - begin < SLICE_US);
	arm(v);
}

static void on_seal(void *arg)
{
	struct vw_denied *v = arg;
	unsigned held = 0;
	int r;

	denied_tell_stats(v, false);
	r = vw_store_seal(v->store);
	if (r && vw_ratelimit_ok(&v->said, 1, 60, &held))
		vw_warn("cannot seal " DENIED_LOG ": %s", strerror(-r));
	if (!vw_timer_armed(v->keep_timer))
		vw_timer_arm(v->keep_timer, KEEP_MS);
}

static void on_keep(void *arg)
{
	denied_keep(arg);
}

/* ---- news ---- */

/* When the packet was seen, monotonic. */
static int64_t sample_time(const struct vw_nflog *f)
{
	int64_t now = vw_now_ns() / 1000, age = f->time_us ? vw_wall_ns() / 1000 - f->time_us : 0;

	return age > 0 && age < STAMP_MAX_US ? now - age : now;
}

static void note_sample(struct vw_denied *v, struct denied_wall *w, const struct vw_nflog *f)
{
	struct vw_counted *c = NULL;
	uint8_t key[VW_FLOW_KEY_MAX];
	int64_t now = denied_now_ms();
	int64_t at = now + (now > w->read_ms + NO_NEWS_MS ? FIRST_NEWS_MS : NEWS_MS);
	size_t klen;

	if (f->has_tuple && w->has[f->tuple.src.family == 6]) {
		klen = vw_flow_key(&f->tuple, key);
		c = denied_entry(v, &w->t[klen != w->t[0].klen], key);
	}
	if (c) {
		if (!c->packets && !c->gone_ms)
			c->gone_ms = now + DENIED_TIMEOUT_MS;
		if (!c->sample_us)
			c->sample_us = sample_time(f);
		if (c->record_ms != INT64_MIN && c->record_ms + v->interval_ms > at)
			at = c->record_ms + v->interval_ms;
	}
	make_due(v, w, at);
}

static void keep_packet(struct vw_denied *v, const struct vw_nflog *f)
{
	struct vw_pcapng_packet k = {.time_us = f->time_us ? f->time_us : vw_wall_ns() / 1000,
				     .data = f->payload,
				     .caplen = f->payload_len,
				     .len = f->packet_len,
				     .received = f->indev != 0};
	char comment[VW_PCAPNG_COMMENT_MAX];
	struct vw_flow flow = {.t = f->tuple};
	unsigned held = 0;
	int r;

	if (!f->payload || !f->has_tuple)
		return;
	vw_flow_set_code(&flow, f->mark);
	denied_name(v, f->indev ? f->indev : f->outdev, &flow);
	k.comment = (struct vw_str){comment, vw_pcapng_comment(&flow, comment)};
	r = vw_pcap_file_write(v->pcap, &k);
	if (!r)
		return;
	v->stats.samples_unkept = vw_pcap_file_lost(v->pcap);
	if (r != -EAGAIN && vw_ratelimit_ok(&v->said_pcap, 1, 60, &held))
		vw_err("cannot write " DENIED_PCAP ": %s", strerror(-r));
}

/* Whether one more packet of the wall may be kept. */
static bool may_keep(struct denied_wall *w, int64_t now_ms)
{
	const int64_t each_ms = 1000 / KEEP_RATE, room_ms = KEEP_BURST * each_ms;

	if (w->kept_ms < now_ms - room_ms)
		w->kept_ms = now_ms - room_ms;
	if (w->kept_ms + each_ms > now_ms)
		return false;
	w->kept_ms += each_ms;
	return true;
}

static void on_frame(const uint8_t *frame, size_t n, void *arg)
{
	struct vw_denied *v = arg;
	struct denied_wall *w;
	struct vw_nflog f;

	v->stats.samples++;
	if (vw_nflog_decode(frame, n, &f))
		return;
	w = denied_wall_get(v, f.indev ? f.indev : f.outdev);
	if (!w || !w->standing)
		return;
	if (may_keep(w, denied_now_ms()))
		keep_packet(v, &f);
	else
		v->stats.samples_skipped++;
	note_sample(v, w, &f);
}

static void on_capture(int fd, uint32_t events, void *arg)
{
	struct vw_denied *v = arg;
	uint64_t overruns;
	unsigned held = 0;
	int r;

	(void)fd;
	(void)events;
	r = vw_capture_read(v->capture, CAPTURE_BATCHES, on_frame, v);
	if (r < 0 && vw_ratelimit_ok(&v->said_read, 1, 60, &held))
		vw_warn("cannot read NFLOG: %s", strerror(-r));
	(void)vw_pcap_file_flush(v->pcap);
	v->stats.samples_unkept = vw_pcap_file_lost(v->pcap);
	overruns = vw_capture_overruns(v->capture);
	if (overruns == v->overruns)
		return;
	/* Some wall's news was lost, nobody knows whose. */
	v->overruns = v->stats.samples_lost = overruns;
	vw_vec_foreach (p, &v->walls)
		make_due(v, *p, denied_now_ms() + NEWS_MS);
}

/* ---- what the agent calls ---- */

void vw_denied_wall(struct vw_denied *v, unsigned ifindex, const char *dev, bool has4, bool has6)
{
	struct denied_wall *w = denied_wall_make(v, ifindex);
	const bool has[2] = {has4, has6};

	if (!w) {
		vw_err("interface %u: no memory to record its denied flows", ifindex);
		return;
	}
	if (!w->standing && w->restored && strcmp(dev, w->iface) != 0) {
		denied_forget_counters(v, w);
		denied_owed_end(w);
		w->restored = false;
	}
	snprintf(w->iface, sizeof(w->iface), "%s", dev);
	if (!w->standing)
		denied_owed_begin(v, w, DENIED_HELD);
	for (int f = 0; f < 2; f++) {
		bool news = has[f] && !w->has[f];

		w->has[f] = has[f];
		if (news)
			denied_owed_begin(v, w, f);
	}
	w->standing = true;
	w->rest_ms = 0;
	w->held_readings = has4 || has6 ? HELD_READINGS : 0;
	w->due_ms = DENIED_NEVER;
	make_due(v, w, denied_now_ms() + (has4 || has6 ? NEWS_MS : HELD_FIRST_MS));
	if (!vw_timer_armed(v->keep_timer))
		vw_timer_arm(v->keep_timer, v->trusted ? KEEP_MS : NEWS_MS);
}

void vw_denied_wall_gone(struct vw_denied *v, unsigned ifindex)
{
	struct denied_wall *w = denied_wall_get(v, ifindex);

	if (!w)
		return;
	if (v->job.w == w)
		denied_cancel(v);
	if (w->standing)
		denied_read_all(v, w);
	w->standing = w->has[0] = w->has[1] = false;
	w->gone = true;
	denied_forget_counters(v, w);
	denied_owed_end(w);
	w->due_ms = denied_now_ms() + (denied_write_all(v, w) ? LINGER_MS : 1000);
	arm(v);
}

void vw_denied_flush(struct vw_denied *v)
{
	vw_vec_foreach (p, &v->walls) {
		if ((*p)->standing)
			denied_read_all(v, *p);
		else if ((*p)->due_ms != DENIED_NEVER)
			(*p)->due_ms = 0;
	}
	arm(v);
}

void vw_denied_stats(const struct vw_denied *v, struct vw_denied_stats *ret)
{
	*ret = v->stats;
}

static int group_of(const char *name, gid_t *ret, struct vw_diag *d)
{
	const struct group *g;

	*ret = (gid_t)-1;
	if (!name)
		return 0;
	g = getgrnam(name);
	if (!g) {
		vw_error(d, NULL, "log_group: there is no group %s", name);
		return -EINVAL;
	}
	*ret = g->gr_gid;
	return 0;
}

static int open_files(struct vw_denied *v, const struct vw_settings *s, struct vw_diag *d)
{
	char node[HOST_NAME_MAX + 1] = "";
	struct vw_store_options log = {.dir = s->log_dir,
				       .name = DENIED_LOG,
				       .segment_bytes = s->log_segment_bytes,
				       .segments = s->log_segments,
				       .segment_age_us = s->log_segment_age_ms * 1000,
				       .node = node,
				       .state_dir = s->state_dir};
	struct vw_store_options pcap = {.dir = s->log_dir,
					.name = DENIED_PCAP,
					.segment_bytes = s->pcap_segment_bytes,
					.segments = s->pcap_segments};
	int r = group_of(s->log_group, &log.gid, d);

	if (r)
		return r;
	pcap.gid = log.gid;
	(void)!gethostname(node, sizeof(node) - 1);
	r = vw_store_open(&log, &v->store, &v->cut, d);
	if (!r && v->cut)
		vw_diag_add(d, VW_WARNING, NULL, NULL,
			    "%s/" DENIED_LOG
			    ": the last record was incomplete and has been cut off (%llu bytes); "
			    "its packets are counted again",
			    s->log_dir, (unsigned long long)v->cut);
	if (!r)
		v->doubt = vw_store_doubt(v->store);
	if (v->doubt)
		vw_diag_add(d, VW_WARNING, NULL, NULL, "%s/" DENIED_LOG ": %s", s->log_dir,
			    v->doubt);
	if (!r)
		r = vw_pcap_file_open(&pcap, &v->pcap, d);
	if (r)
		return r;
	r = denied_restore(v, s->log_dir);
	if (r)
		vw_error(d, NULL, "cannot read %s/" DENIED_LOG ": %s", s->log_dir, strerror(-r));
	return r;
}

static int start(struct vw_denied *v, const struct vw_settings *s, struct vw_diag *d)
{
	int r;

	if (getrandom(v->seed, sizeof(v->seed), 0) != (ssize_t)sizeof(v->seed))
		return -EIO;
	v->buf = malloc(DENIED_BUF_BYTES);
	if (!v->buf)
		return -ENOMEM;
	v->interval_ms = s->flow_interval_ms;
	v->denied_max = s->config.denied_max;
	if (s->run_dir && asprintf(&v->keep_path, "%s/denied", s->run_dir) < 0) {
		v->keep_path = NULL;
		return -ENOMEM;
	}
	r = vw_timer_new(v->loop, on_timer, v, &v->timer);
	if (!r)
		r = vw_timer_new(v->loop, on_seal, v, &v->seal_timer);
	if (!r)
		r = vw_timer_new(v->loop, on_keep, v, &v->keep_timer);
	if (!r)
		r = open_files(v, s, d);
	if (!r)
		r = vw_capture_open(s->config.nflog_group, CAPTURE_BUFFER, &v->capture, d);
	return r ? r : vw_loop_watch(v->loop, vw_capture_fd(v->capture), EPOLLIN, on_capture, v);
}

int vw_denied_open(struct vw_loop *loop, struct vw_nft *nft, const struct vw_settings *s,
		   vw_flow_namer namer, void *arg, struct vw_denied **ret, struct vw_diag *d)
{
	_cleanup_(vw_denied_free) struct vw_denied *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return -ENOMEM;
	v->loop = loop;
	v->nft = nft;
	v->namer = namer;
	v->arg = arg;
	r = start(v, s, d);
	if (r)
		return r;
	*ret = TAKE_PTR(v);
	return 0;
}

void vw_denied_free(struct vw_denied **vp)
{
	struct vw_denied *v = *vp;

	if (!v)
		return;
	if (v->capture)
		vw_loop_unwatch(v->loop, vw_capture_fd(v->capture));
	denied_cancel(v);
	if (v->store && v->capture) { /* it was open */
		denied_tell_stats(v, true);
		(void)vw_store_seal(v->store);
		denied_keep(v);
	}
	vw_capture_free(&v->capture);
	vw_pcap_file_free(&v->pcap);
	vw_store_free(&v->store);
	vw_timer_free(&v->timer);
	vw_timer_free(&v->seal_timer);
	vw_timer_free(&v->keep_timer);
	vw_vec_foreach (p, &v->walls)
		wall_free(v, *p);
	vw_vec_done(&v->walls);
	vw_vec_done(&v->batch);
	free(v->buf);
	free(v->keep_path);
	free(v);
	*vp = NULL;
}

void vw_denied_tee(struct vw_denied *v,
		   void (*fn)(void *arg, const struct vw_flow *f, const char *line, size_t n),
		   void *arg)
{
	v->tee = fn;
	v->tee_arg = arg;
}
