/*
 * Latency at a fixed rate: see pace.h. Messages of `size` bytes over `conns` sockets. Busy: it never sleeps. A datagram
 * starts with its number. Prints one line of JSON.
 *
 *   paced tcp|udp HOST PORT CONNS SIZE RATE SECONDS
 */
#include "client.h"
#include "pace.h"

#define ROOM (1 << 16)

struct conn {
	int fd;
	unsigned long received;	/* whole messages */
	size_t got;		/* bytes of the one that is coming */
};

static size_t size;
static unsigned nconns;
static struct pace pace;
static unsigned char *message, *in;
static struct counts counts;

/* A stream gives messages back in order: which they are follows from their number. */
static void take_stream(struct conn *c, unsigned index, size_t got, double t)
{
	for (size_t at = 0; at < got;) {
		size_t part = size - c->got < got - at ? size - c->got : got - at;
		if (memcmp(in + at, message + c->got, part))
			counts.corrupt++;
		at += part;
		c->got += part;
		if (c->got < size)
			continue;
		c->got = 0;
		count_paced(&pace, &counts, c->received++ * nconns + index, t);
	}
}

static void take_datagram(unsigned index, size_t got, double t)
{
	uint64_t nth;
	memcpy(&nth, in, sizeof(nth));
	if (got != size || nth >= pace.sent || nth % nconns != index ||
	    memcmp(in + sizeof(nth), message + sizeof(nth), size - sizeof(nth)))
		counts.corrupt++;
	else
		count_paced(&pace, &counts, nth, t);
}

/* A message there and back, which finds out that the server has the connection. */
static void exchange_first(int fd)
{
	struct timeval patience = { .tv_sec = grace() };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (send(fd, message, size, MSG_NOSIGNAL) != (ssize_t)size)
		transfer_failed("send");
	ssize_t got = recv(fd, in, size, MSG_WAITALL);
	if (got == 0)
		server_closed();
	if (got < 0 && errno != EAGAIN)
		transfer_failed("recv");
	if (got < (ssize_t)size)
		counts.lost++;
	else
		counts.corrupt += memcmp(in, message, size) != 0;
}

int main(int argc, char **argv)
{
	if (argc != 8) {
		fprintf(stderr, "usage: paced tcp|udp HOST PORT CONNS SIZE RATE SECONDS\n");
		return 2;
	}
	int datagrams = !strcmp(argv[1], "udp");
	struct sockaddr_in addr = address_of(argv[2], argv[3]);
	nconns = atoi(argv[4]);
	size = strtoul(argv[5], NULL, 10);
	double seconds = atof(argv[7]);
	pace = pace_of(atof(argv[6]), seconds);
	if (size < (datagrams ? sizeof(uint64_t) : 1) || size > ROOM) {
		fprintf(stderr, "SIZE is 1 to %d, and at least 8 for datagrams\n", ROOM);
		return 2;
	}
	message = pattern_of_length(size);
	in = malloc(ROOM);
	struct conn *conns = calloc(nconns, sizeof(*conns));
	int epfd = epoll_create1(0);
	for (unsigned i = 0; i < nconns; i++) {
		conns[i].fd = datagrams ? connect_datagrams(&addr) : connect_to(&addr, 0);
		if (!datagrams)
			close_with_reset(conns[i].fd);
		watch(epfd, EPOLL_CTL_ADD, conns[i].fd, EPOLLIN, &conns[i]);
	}
	for (unsigned i = 0; i < nconns && !datagrams && !counts.lost; i++)
		exchange_first(conns[i].fd);
	if (!counts.lost)
		established();
	double patience = grace();
	struct epoll_event evs[256];
	double start = begin(), t = start;
	pace.start = start;
	while (counts.ops < pace.total && t < start + seconds + patience && !counts.corrupt && !counts.lost) {
		while (is_due(&pace, &counts, t)) {
			uint64_t nth = pace.sent - 1;
			if (datagrams)
				memcpy(message, &nth, sizeof(nth));
			/* A full socket is a server that does not keep up, by far. */
			if (send(conns[nth % nconns].fd, message, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size)
				transfer_failed("send");
		}
		int n = epoll_wait(epfd, evs, 256, 0);
		t = now();
		for (int i = 0; i < n; i++) {
			struct conn *c = evs[i].data.ptr;
			ssize_t got = recv(c->fd, in, ROOM, MSG_DONTWAIT);
			if (got == 0)
				server_closed();
			if (got < 0)
				transfer_failed("recv");
			if (datagrams)
				take_datagram(c - conns, got, t);
			else
				take_stream(c, c - conns, got, t);
		}
	}
	counts.lost = counts.corrupt ? 0 : pace.total - counts.ops;
	counts.seconds = t - start;
	print_counts(counts);
	await_step();
	return counts.corrupt || counts.lost;
}
