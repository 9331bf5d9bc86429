/*
 * Load for stream echo servers: keeps `depth` messages of `size` bytes in flight on each of `conns`
 * connections for `seconds`, and checks every byte that comes back, and that all come back. One thread,
 * epoll, no allocation after the start. Prints one line of JSON.
 *
 *   stream HOST PORT CONNS SIZE DEPTH SECONDS
 */
#include "client.h"

struct conn {
	int fd;
	size_t unsent;		/* bytes we may still send */
	size_t sent_at;		/* position in the pattern of the next byte out, and in */
	size_t got_at;
	size_t got;		/* bytes of the current message received */
	int writing;
	double *due;		/* when each of the messages under way might be sent, a ring of `depth` */
	size_t first_due;
};

#define ROOM (1 << 20)

static unsigned char *pattern, *in;
static struct counts counts;
static size_t size, period, depth;
static int epfd;

/* Sends what may be sent; waits for room if there is none. */
static void push(struct conn *c)
{
	while (c->unsent) {
		size_t n = period - c->sent_at;
		if (n > c->unsent)
			n = c->unsent;
		ssize_t sent = send(c->fd, pattern + c->sent_at, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0) {
			if (errno != EAGAIN)
				transfer_failed("send");
			break;
		}
		c->unsent -= sent;
		c->sent_at = (c->sent_at + sent) % period;
	}
	int writing = c->unsent != 0;
	if (writing != c->writing) {
		watch(epfd, EPOLL_CTL_MOD, c->fd, EPOLLIN | (writing ? EPOLLOUT : 0), c);
		c->writing = writing;
	}
}

/* Counts messages that came back at `t`, and has as many follow if there is time. */
static void take(struct conn *c, size_t messages, double t, int more)
{
	for (size_t i = 0; i < messages; i++) {
		count_latency(t - c->due[c->first_due]);
		c->due[c->first_due] = t;
		c->first_due = (c->first_due + 1) % depth;
	}
	if (more)
		c->unsent += messages * size;
}

/* Keeps messages under way for `seconds`, and then waits for those that are. */
static void run(struct conn *conns, int nconns, double seconds, double patience)
{
	double start = begin(), end = start + seconds;
	unsigned long under_way = nconns * depth;
	for (int i = 0; i < nconns; i++) {
		for (size_t message = 0; message < depth; message++)
			conns[i].due[message] = start;
		conns[i].unsent = size * depth;
		push(&conns[i]);
	}
	struct epoll_event evs[1024];
	double t = start;
	/* At the end nothing new is sent, and what is under way has to come back. */
	while ((t < end || (under_way && t < end + patience)) && !counts.corrupt) {
		int n = epoll_wait(epfd, evs, 1024, 100);
		t = now();
		for (int i = 0; i < n; i++) {
			struct conn *c = evs[i].data.ptr;
			if (evs[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
				ssize_t got = recv(c->fd, in, ROOM, MSG_DONTWAIT);
				if (got == 0)
					server_closed();
				if (got < 0 && errno != EAGAIN)
					transfer_failed("recv");
				for (ssize_t done = 0; done < got;) {
					size_t m = period - c->got_at;
					if (m > (size_t)(got - done))
						m = got - done;
					if (memcmp(in + done, pattern + c->got_at, m))
						counts.corrupt++;
					c->got_at = (c->got_at + m) % period;
					done += m;
				}
				if (got > 0) {
					c->got += got;
					size_t whole = c->got / size;
					c->got %= size;
					counts.ops += whole;
					take(c, whole, t, t < end);
					if (t >= end)
						under_way -= whole;
				}
			}
			push(c);
		}
	}
	counts.seconds = t - start;
	counts.lost = counts.corrupt ? 0 : under_way;
}

int main(int argc, char **argv)
{
	if (argc != 7) {
		fprintf(stderr, "usage: stream HOST PORT CONNS SIZE DEPTH SECONDS\n");
		return 2;
	}
	struct sockaddr_in addr = address_of(argv[1], argv[2]);
	int nconns = atoi(argv[3]);
	size = strtoul(argv[4], NULL, 10);
	depth = strtoul(argv[5], NULL, 10);
	double seconds = atof(argv[6]);

	/* A period that is prime to the message size: a message echoed in the wrong place shows. */
	period = 1 << 20;
	if (period <= size)
		period = size + 1;
	period |= 1;
	pattern = pattern_of_length(period);
	in = malloc(ROOM);
	struct conn *conns = calloc(nconns, sizeof(*conns));
	epfd = epoll_create1(0);
	raise_nofile();
	for (int i = 0; i < nconns; i++) {
		struct conn *c = &conns[i];
		c->fd = connect_to(&addr, 0);
		c->due = malloc(depth * sizeof(*c->due));
		close_with_reset(c->fd);
		c->sent_at = c->got_at = (size_t)i * 7919 % period;
		watch(epfd, EPOLL_CTL_ADD, c->fd, EPOLLIN, c);
	}
	/* The first messages on each connection find out that the server has it. */
	run(conns, nconns, 0, patience_for(nconns));
	if (!counts.lost && !counts.corrupt) {
		counts = (struct counts){ 0 };
		forget_latencies();
		established();
		run(conns, nconns, seconds, grace());
	}
	print_counts(counts);
	await_step();
	return counts.corrupt || counts.lost;
}
