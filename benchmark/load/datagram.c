/*
 * Load for UDP echo servers: keeps `depth` datagrams of `size` bytes (at least 16) in flight on each of
 * `socks` connected sockets for `seconds`, and checks every byte that comes back. A datagram that has not
 * come back within 200 ms is counted as lost and sent anew, so that it never hangs. One thread, epoll,
 * recvmmsg and sendmmsg, no allocation after the start. Prints one line of JSON.
 *
 *   datagram HOST PORT SOCKS SIZE DEPTH SECONDS
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define LOST_AFTER 0.2

/* The start of each datagram: which it is. The pattern after it depends on the serial number. */
struct head {
	uint32_t sock;
	uint32_t place;
	uint64_t serial;
};

/* One of the datagrams that a socket has in flight. */
struct place {
	uint64_t serial;
	double sent_at;
};

struct sock {
	int fd;
	unsigned ready;			/* places whose datagram may be sent */
	unsigned *ready_places;
	struct place *places;
};

static unsigned char *pattern;
static size_t size;
static unsigned depth;
static uint64_t serial;
static struct mmsghdr in[BATCH], out[BATCH];
static struct iovec in_iov[BATCH], out_iov[BATCH];

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

static const unsigned char *pattern_of(uint64_t number)
{
	return pattern + number % 4093;
}

/* Sends what may be sent; what the kernel does not take stays ready. */
static void push(struct sock *s, uint32_t index, double t)
{
	while (s->ready) {
		unsigned count = s->ready < BATCH ? s->ready : BATCH;
		for (unsigned i = 0; i < count; i++) {
			unsigned place = s->ready_places[s->ready - 1 - i];
			struct place *p = &s->places[place];
			unsigned char *bytes = out_iov[i].iov_base;
			struct head head = { index, place, serial++ };
			p->serial = head.serial;
			p->sent_at = t;
			memcpy(bytes, &head, sizeof(head));
			memcpy(bytes + sizeof(head), pattern_of(head.serial), size - sizeof(head));
		}
		int sent = sendmmsg(s->fd, out, count, MSG_DONTWAIT);
		if (sent < 0) {
			/* ECONNREFUSED: the server is going; the timeout will tell. */
			if (errno != EAGAIN && errno != ENOBUFS && errno != ECONNREFUSED)
				die("sendmmsg");
			break;
		}
		s->ready -= sent;
		if ((unsigned)sent < count)
			break;
	}
}

int main(int argc, char **argv)
{
	if (argc != 7) {
		fprintf(stderr, "usage: datagram HOST PORT SOCKS SIZE DEPTH SECONDS\n");
		return 2;
	}
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[2])) };
	if (inet_pton(AF_INET, argv[1], &addr.sin_addr) != 1)
		die("inet_pton");
	unsigned nsocks = atoi(argv[3]);
	size = strtoul(argv[4], NULL, 10);
	depth = atoi(argv[5]);
	double seconds = atof(argv[6]);
	if (size < sizeof(struct head) || size > 65507 || nsocks == 0 || depth == 0) {
		fprintf(stderr, "SIZE is 16 to 65507, SOCKS and DEPTH at least 1\n");
		return 2;
	}
	pattern = malloc(size + 4096);
	unsigned x = 12345;
	for (size_t i = 0; i < size + 4096; i++) {
		x = x * 1103515245 + 12345;
		pattern[i] = x >> 16;
	}
	for (int i = 0; i < BATCH; i++) {
		in_iov[i] = (struct iovec){ malloc(65536), 65536 };
		out_iov[i] = (struct iovec){ malloc(size), size };
		in[i].msg_hdr = (struct msghdr){ .msg_iov = &in_iov[i], .msg_iovlen = 1 };
		out[i].msg_hdr = (struct msghdr){ .msg_iov = &out_iov[i], .msg_iovlen = 1 };
	}
	struct sock *socks = calloc(nsocks, sizeof(*socks));
	int epfd = epoll_create1(0);
	for (unsigned i = 0; i < nsocks; i++) {
		struct sock *s = &socks[i];
		int room = 1 << 22;
		s->fd = socket(AF_INET, SOCK_DGRAM, 0);
		setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
		setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
		if (s->fd < 0 || connect(s->fd, (void *)&addr, sizeof(addr)))
			die("connect");
		s->places = calloc(depth, sizeof(*s->places));
		s->ready_places = calloc(depth, sizeof(*s->ready_places));
		s->ready = depth;
		for (unsigned place = 0; place < depth; place++)
			s->ready_places[place] = place;
		struct epoll_event ev = { .events = EPOLLIN, .data.u32 = i };
		if (epoll_ctl(epfd, EPOLL_CTL_ADD, s->fd, &ev))
			die("epoll_ctl");
	}
	double start = now(), end = start + seconds, t = start, checked = start;
	unsigned long ops = 0, corrupt = 0, lost = 0, late = 0;
	for (unsigned i = 0; i < nsocks; i++)
		push(&socks[i], i, start);
	struct epoll_event evs[256];
	while (t < end && !corrupt) {
		int n = epoll_wait(epfd, evs, 256, 50);
		t = now();
		for (int i = 0; i < n; i++) {
			uint32_t index = evs[i].data.u32;
			struct sock *s = &socks[index];
			int got = recvmmsg(s->fd, in, BATCH, MSG_DONTWAIT, NULL);
			if (got < 0) {
				if (errno != EAGAIN && errno != ECONNREFUSED)
					die("recvmmsg");
				continue;
			}
			for (int m = 0; m < got; m++) {
				unsigned char *bytes = in_iov[m].iov_base;
				struct head head;
				memcpy(&head, bytes, sizeof(head));
				if (in[m].msg_len != size || head.sock != index || head.place >= depth || head.serial >= serial ||
				    memcmp(bytes + sizeof(head), pattern_of(head.serial), size - sizeof(head))) {
					corrupt++;
					continue;
				}
				struct place *p = &s->places[head.place];
				if (p->serial != head.serial || p->sent_at == 0) {
					late++;
					continue;
				}
				ops++;
				p->sent_at = 0;
				s->ready_places[s->ready++] = head.place;
			}
			push(s, index, t);
		}
		if (t - checked > 0.05) {
			checked = t;
			for (unsigned i = 0; i < nsocks; i++) {
				struct sock *s = &socks[i];
				for (unsigned place = 0; place < depth; place++) {
					struct place *p = &s->places[place];
					if (p->sent_at == 0 || t - p->sent_at < LOST_AFTER)
						continue;
					lost++;
					p->sent_at = 0;
					s->ready_places[s->ready++] = place;
				}
				push(s, i, t);
			}
		}
	}
	struct rusage ru;
	getrusage(RUSAGE_SELF, &ru);
	double cpu = ru.ru_utime.tv_sec + ru.ru_stime.tv_sec + (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
	printf("{\"ops\":%lu,\"seconds\":%.6f,\"cpu\":%.6f,\"corrupt\":%lu,\"lost\":%lu,\"late\":%lu}\n", ops, t - start,
	       cpu, corrupt, lost, late);
	return corrupt != 0;
}
