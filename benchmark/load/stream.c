/*
 * Load for stream echo servers: keeps `depth` messages of `size` bytes in flight on each of `conns`
 * connections for `seconds`, and checks every byte that comes back. One thread, epoll, no allocation
 * after the start. Prints one line of JSON.
 *
 *   stream HOST PORT CONNS SIZE DEPTH SECONDS
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct conn {
	int fd;
	size_t unsent;		/* bytes we may still send */
	size_t sent_at;		/* position in the pattern of the next byte out, and in */
	size_t got_at;
	size_t got;		/* bytes of the current message received */
	int writing;
};

static double now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static unsigned char *pattern;
static size_t size, period;
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
				die("send");
			break;
		}
		c->unsent -= sent;
		c->sent_at = (c->sent_at + sent) % period;
	}
	int writing = c->unsent != 0;
	if (writing != c->writing) {
		struct epoll_event ev = { .events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = c };
		if (epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &ev))
			die("epoll_ctl");
		c->writing = writing;
	}
}

int main(int argc, char **argv)
{
	if (argc != 7) {
		fprintf(stderr, "usage: stream HOST PORT CONNS SIZE DEPTH SECONDS\n");
		return 2;
	}
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[2])) };
	if (inet_pton(AF_INET, argv[1], &addr.sin_addr) != 1)
		die("inet_pton");
	int nconns = atoi(argv[3]);
	size = strtoul(argv[4], NULL, 10);
	size_t depth = strtoul(argv[5], NULL, 10);
	double seconds = atof(argv[6]);

	/* A period that is prime to the message size: a message echoed in the wrong place shows. */
	period = 1 << 20;
	if (period <= size)
		period = size + 1;
	period |= 1;
	pattern = malloc(period);
	unsigned x = 12345;
	for (size_t i = 0; i < period; i++) {
		x = x * 1103515245 + 12345;
		pattern[i] = x >> 16;
	}
	size_t room = 1 << 20;
	unsigned char *in = malloc(room);
	struct conn *conns = calloc(nconns, sizeof(*conns));
	epfd = epoll_create1(0);
	for (int i = 0; i < nconns; i++) {
		struct conn *c = &conns[i];
		int one = 1;
		c->fd = socket(AF_INET, SOCK_STREAM, 0);
		if (c->fd < 0 || connect(c->fd, (void *)&addr, sizeof(addr)))
			die("connect");
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		struct linger reset = { .l_onoff = 1 };
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		c->sent_at = c->got_at = (size_t)i * 7919 % period;
		struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
		if (epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &ev))
			die("epoll_ctl");
	}
	double start = now(), end = start + seconds;
	unsigned long ops = 0, corrupt = 0;
	for (int i = 0; i < nconns; i++) {
		conns[i].unsent = size * depth;
		push(&conns[i]);
	}
	struct epoll_event evs[1024];
	double t = start;
	while (t < end && !corrupt) {
		int n = epoll_wait(epfd, evs, 1024, 100);
		for (int i = 0; i < n; i++) {
			struct conn *c = evs[i].data.ptr;
			if (evs[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
				ssize_t got = recv(c->fd, in, room, MSG_DONTWAIT);
				if (got == 0) {
					fprintf(stderr, "the server closed a connection\n");
					return 1;
				}
				if (got < 0 && errno != EAGAIN)
					die("recv");
				for (ssize_t done = 0; done < got;) {
					size_t m = period - c->got_at;
					if (m > (size_t)(got - done))
						m = got - done;
					if (memcmp(in + done, pattern + c->got_at, m))
						corrupt++;
					c->got_at = (c->got_at + m) % period;
					done += m;
				}
				if (got > 0) {
					c->got += got;
					size_t whole = c->got / size;
					c->got %= size;
					ops += whole;
					c->unsent += whole * size;
				}
			}
			push(c);
		}
		t = now();
	}
	struct rusage ru;
	getrusage(RUSAGE_SELF, &ru);
	double cpu = ru.ru_utime.tv_sec + ru.ru_stime.tv_sec + (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
	printf("{\"ops\":%lu,\"seconds\":%.6f,\"cpu\":%.6f,\"corrupt\":%lu}\n", ops, t - start, cpu, corrupt);
	return corrupt != 0;
}
