/*
 * The yardstick: an echo server on liburing in one thread. Multishot accept, multishot receive into a ring
 * of provided buffers, and sends straight from those, one at a time for each connection. A buffer of
 * 256 KiB is filled piece by piece (PBUF_RING_INC, Linux 6.12), so small messages stay in cache and large
 * ones come in one piece; it goes back when the kernel is done with it and all its pieces have been sent.
 *
 *   echo-uring [PORT] [HOST]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define ENTRIES 4096
#define BUFFERS 16
#define BUFFER_SIZE (256 * 1024)
#define GROUP 0
/* Not in the headers that Debian 12 has. */
#define PBUF_RING_INC 2
#define F_BUF_MORE (1U << 4)

enum { ACCEPT, RECEIVE, SEND };

/* Bytes that wait to be sent. */
struct piece {
	struct piece *next;
	unsigned buffer;
	unsigned from, length;
};

struct conn {
	int fd;
	int receiving, sending, ended;
	struct piece *first, *last;
	struct conn *next_starved;
};

static struct io_uring ring;
static struct io_uring_buf_ring *buf_ring;
static unsigned char *memory;
/* Of each buffer: how far it is filled, its unsent pieces, and whether the kernel still fills it. */
static unsigned filled[BUFFERS], unsent[BUFFERS], open_buffer[BUFFERS];
static struct piece *spare;
/* Connections whose receive found no buffer. */
static struct conn *starved;

static void die(const char *what, int error)
{
	fprintf(stderr, "%s: %s\n", what, strerror(error));
	exit(1);
}

static struct io_uring_sqe *entry(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	if (!sqe) {
		io_uring_submit(&ring);
		sqe = io_uring_get_sqe(&ring);
	}
	return sqe;
}

/* After the prep function, which clears it in this version. */
static void tag(struct io_uring_sqe *sqe, struct conn *c, unsigned what)
{
	io_uring_sqe_set_data64(sqe, (unsigned long)c | what);
}

static void receive(struct conn *c)
{
	struct io_uring_sqe *sqe = entry();
	io_uring_prep_recv_multishot(sqe, c->fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	tag(sqe, c, RECEIVE);
	c->receiving = 1;
}

static void send_first(struct conn *c)
{
	struct piece *p = c->first;
	struct io_uring_sqe *sqe = entry();
	io_uring_prep_send(sqe, c->fd, memory + (size_t)p->buffer * BUFFER_SIZE + p->from, p->length,
			   MSG_NOSIGNAL | MSG_WAITALL);
	tag(sqe, c, SEND);
	c->sending = 1;
}

static void recycle(unsigned buffer)
{
	filled[buffer] = 0;
	open_buffer[buffer] = 1;
	io_uring_buf_ring_add(buf_ring, memory + (size_t)buffer * BUFFER_SIZE, BUFFER_SIZE, buffer, BUFFERS - 1, 0);
	io_uring_buf_ring_advance(buf_ring, 1);
	while (starved) {
		struct conn *c = starved;
		starved = c->next_starved;
		receive(c);
	}
}

static void append(struct conn *c, unsigned buffer, unsigned from, unsigned length)
{
	struct piece *last = c->last;
	/* What lies right behind a piece that waits leaves with it. */
	if (last && !(last == c->first && c->sending) && last->buffer == buffer && last->from + last->length == from) {
		last->length += length;
		return;
	}
	struct piece *p = spare;
	if (p)
		spare = p->next;
	else
		p = malloc(sizeof(*p));
	*p = (struct piece){ .buffer = buffer, .from = from, .length = length };
	unsent[buffer]++;
	if (last)
		last->next = p;
	else
		c->first = p;
	c->last = p;
}

static void take_first(struct conn *c)
{
	struct piece *p = c->first;
	c->first = p->next;
	if (!c->first)
		c->last = NULL;
	p->next = spare;
	spare = p;
	if (--unsent[p->buffer] == 0 && !open_buffer[p->buffer])
		recycle(p->buffer);
}

static void close_if_done(struct conn *c)
{
	if (!c->ended || c->receiving || c->sending)
		return;
	while (c->first)
		take_first(c);
	struct io_uring_sqe *sqe = entry();
	io_uring_prep_close(sqe, c->fd);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	io_uring_sqe_set_data64(sqe, ~0ULL);
	free(c);
}

static void on_received(struct conn *c, int res, unsigned flags)
{
	if (flags & IORING_CQE_F_BUFFER) {
		unsigned buffer = flags >> IORING_CQE_BUFFER_SHIFT;
		if (res > 0) {
			append(c, buffer, filled[buffer], res);
			filled[buffer] += res;
		}
		if (!(flags & F_BUF_MORE)) {
			open_buffer[buffer] = 0;
			if (unsent[buffer] == 0)
				recycle(buffer);
		}
	}
	if (!(flags & IORING_CQE_F_MORE))
		c->receiving = 0;
	if (res == -ENOBUFS) {
		c->next_starved = starved;
		starved = c;
		c->receiving = 1;
	} else if (res <= 0) {
		c->ended = 1;
	} else if (!c->receiving) {
		receive(c);
	}
	if (c->first && !c->sending)
		send_first(c);
	close_if_done(c);
}

static void on_sent(struct conn *c, int res)
{
	c->sending = 0;
	if (res < 0) {
		c->ended = 1;
		if (c->receiving)
			shutdown(c->fd, SHUT_RD);
	} else if ((unsigned)res < c->first->length) {
		c->first->from += res;
		c->first->length -= res;
	} else {
		take_first(c);
	}
	if (c->first && !(res < 0))
		send_first(c);
	close_if_done(c);
}

static void accept_on(int listener)
{
	struct io_uring_sqe *sqe = entry();
	io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
	tag(sqe, NULL, ACCEPT);
}

static void on_accepted(int listener, int res, unsigned flags)
{
	if (res >= 0) {
		struct conn *c = calloc(1, sizeof(*c));
		c->fd = res;
		receive(c);
	}
	if (!(flags & IORING_CQE_F_MORE))
		accept_on(listener);
}

static void provide_buffers(void)
{
	size_t ring_bytes = 4096;
	buf_ring = mmap(NULL, ring_bytes + (size_t)BUFFERS * BUFFER_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buf_ring == MAP_FAILED)
		die("mmap", errno);
	memory = (unsigned char *)buf_ring + ring_bytes;
	io_uring_buf_ring_init(buf_ring);
	struct io_uring_buf_reg reg = { .ring_addr = (unsigned long)buf_ring, .ring_entries = BUFFERS, .bgid = GROUP };
	/* `flags` in newer headers, `pad` in older ones: the 16 bits behind the group. */
	unsigned short flags = PBUF_RING_INC;
	memcpy((char *)&reg + 14, &flags, sizeof(flags));
	int failed = io_uring_register_buf_ring(&ring, &reg, 0);
	if (failed)
		die("io_uring_register_buf_ring (Linux 6.12 or later is needed)", -failed);
	for (unsigned i = 0; i < BUFFERS; i++)
		recycle(i);
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0) };
	inet_pton(AF_INET, argc > 2 ? argv[2] : "127.0.0.1", &addr.sin_addr);
	int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* Accepted sockets inherit it. */
	setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(listener, (void *)&addr, sizeof(addr)) || listen(listener, 4096))
		die("listen", errno);
	socklen_t length = sizeof(addr);
	getsockname(listener, (void *)&addr, &length);

	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
			 IORING_SETUP_SUBMIT_ALL,
		.cq_entries = 4 * ENTRIES,
	};
	int failed = io_uring_queue_init_params(ENTRIES, &ring, &params);
	if (failed)
		die("io_uring_queue_init_params", -failed);
	io_uring_register_ring_fd(&ring);
	provide_buffers();
	accept_on(listener);
	printf("listening on %s:%d\n", inet_ntoa(addr.sin_addr), ntohs(addr.sin_port));
	fflush(stdout);

	for (;;) {
		int taken = io_uring_submit_and_wait(&ring, 1);
		if (taken < 0 && taken != -EINTR)
			die("io_uring_submit_and_wait", -taken);
		struct io_uring_cqe *cqe;
		unsigned head, count = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			count++;
			/* A close that failed: the descriptor is gone all the same. */
			if (cqe->user_data == ~0ULL)
				continue;
			struct conn *c = (struct conn *)(unsigned long)(cqe->user_data & ~3ULL);
			unsigned what = cqe->user_data & 3;
			if (what == ACCEPT)
				on_accepted(listener, cqe->res, cqe->flags);
			else if (what == RECEIVE)
				on_received(c, cqe->res, cqe->flags);
			else
				on_sent(c, cqe->res);
		}
		io_uring_cq_advance(&ring, count);
	}
}
