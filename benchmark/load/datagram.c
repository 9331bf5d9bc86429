/*
 * Load for UDP echo servers: keeps `depth` datagrams of `size` bytes in flight on each of `socks` connected
 * sockets for `seconds`, and checks every byte that comes back. A datagram that has not come back within
 * a second is counted as lost and sent anew, so that it never hangs. At the end what is under way comes back
 * or is lost: an answer must not reach a later run that has the same port. One thread, epoll, recvmmsg and
 * sendmmsg, no allocation after the start. Prints one line of JSON.
 *
 *   datagram HOST PORT SOCKS SIZE DEPTH SECONDS
 */
#include "client.h"

#define BATCH 64

/*
 * The start of each datagram: which it is. The pattern after it depends on the serial number. One that is
 * too short for this carries what fits, and then only one may be under way on a socket.
 */
struct head {
	uint64_t serial;	/* within its socket */
	uint32_t sock;
	uint32_t place;
};

/* One of the datagrams that a socket has in flight. */
struct place {
	uint64_t serial;
	double sent_at;		/* 0: none */
};

struct sock {
	int fd;
	uint64_t serial;
	unsigned long lost;
	unsigned ready;			/* places whose datagram may be sent */
	unsigned *ready_places;
	struct place *places;
};

static unsigned char *pattern;
static size_t size;
static unsigned depth;
static struct counts counts;
static unsigned long under_way;
static double end;
static struct mmsghdr in[BATCH], out[BATCH];
static struct iovec in_iov[BATCH], out_iov[BATCH];

static size_t head_length(void)
{
	return size < sizeof(struct head) ? size : sizeof(struct head);
}

static void fill(unsigned char *bytes, const struct head *head)
{
	memcpy(bytes, head, head_length());
	memcpy(bytes + head_length(), pattern + (head->serial + head->sock) % 4093, size - head_length());
}

/* Sends what may be sent; what the kernel does not take stays ready. */
static void push(struct sock *s, uint32_t index, double t)
{
	while (s->ready && t < end) {
		unsigned count = s->ready < BATCH ? s->ready : BATCH;
		for (unsigned i = 0; i < count; i++) {
			unsigned place = s->ready_places[s->ready - 1 - i];
			struct head head = { s->serial++, index, place };
			s->places[place] = (struct place){ head.serial, t };
			fill(out_iov[i].iov_base, &head);
		}
		int sent = sendmmsg(s->fd, out, count, MSG_DONTWAIT);
		if (sent < 0) {
			/* ECONNREFUSED: the server is going; the timeout will tell. */
			if (errno != EAGAIN && errno != ENOBUFS && errno != ECONNREFUSED)
				die("sendmmsg");
			sent = 0;
		}
		for (unsigned i = sent; i < count; i++)
			s->places[s->ready_places[s->ready - 1 - i]].sent_at = 0;
		s->ready -= sent;
		under_way += sent;
		if ((unsigned)sent < count)
			break;
	}
}

static void give_back(struct sock *s, unsigned place)
{
	s->places[place].sent_at = 0;
	s->ready_places[s->ready++] = place;
	under_way--;
}

/* Compares a datagram with the one it says it is. */
static void take(struct sock *s, uint32_t index, const unsigned char *bytes, size_t length, double t)
{
	static unsigned char expected[65536];
	struct head head = { s->places[0].serial, index, 0 };
	if (length >= sizeof(head))
		memcpy(&head, bytes, sizeof(head));
	fill(expected, &head);
	int same = length == size && head.sock == index && head.place < depth && head.serial < s->serial &&
		   !memcmp(bytes, expected, size);
	struct place *p = &s->places[same ? head.place : 0];
	if (!same && (size >= sizeof(head) || !s->lost)) {
		counts.corrupt++;
	} else if (!same || p->serial != head.serial || p->sent_at == 0) {
		/* A short one that is not the expected one may be one that was given up. */
		counts.late++;
	} else {
		counts.ops++;
		count_latency(t - p->sent_at);
		give_back(s, head.place);
	}
}

static void give_up_lost(struct sock *s, double t, double patience)
{
	for (unsigned place = 0; place < depth; place++) {
		if (s->places[place].sent_at == 0 || t - s->places[place].sent_at < patience)
			continue;
		counts.lost++;
		s->lost++;
		give_back(s, place);
	}
}

static struct sock *open_sockets(unsigned count, const struct sockaddr_in *addr, int epfd)
{
	struct sock *socks = calloc(count, sizeof(*socks));
	for (unsigned i = 0; i < count; i++) {
		struct sock *s = &socks[i];
		s->fd = connect_datagrams(addr);
		s->places = calloc(depth, sizeof(*s->places));
		s->ready_places = calloc(depth, sizeof(*s->ready_places));
		for (unsigned place = 0; place < depth; place++)
			s->ready_places[s->ready++] = place;
		watch(epfd, EPOLL_CTL_ADD, s->fd, EPOLLIN, s);
	}
	return socks;
}

int main(int argc, char **argv)
{
	if (argc != 7) {
		fprintf(stderr, "usage: datagram HOST PORT SOCKS SIZE DEPTH SECONDS\n");
		return 2;
	}
	struct sockaddr_in addr = address_of(argv[1], argv[2]);
	unsigned nsocks = atoi(argv[3]);
	size = strtoul(argv[4], NULL, 10);
	depth = atoi(argv[5]);
	if (size == 0 || size > 65507 || nsocks == 0 || depth == 0 || (size < sizeof(struct head) && depth > 1)) {
		fprintf(stderr, "SIZE is 1 to 65507, and at least 16 unless DEPTH is 1\n");
		return 2;
	}
	pattern = pattern_of_length(size + 4096);
	for (int i = 0; i < BATCH; i++) {
		in_iov[i] = (struct iovec){ malloc(65536), 65536 };
		out_iov[i] = (struct iovec){ malloc(size), size };
		in[i].msg_hdr = (struct msghdr){ .msg_iov = &in_iov[i], .msg_iovlen = 1 };
		out[i].msg_hdr = (struct msghdr){ .msg_iov = &out_iov[i], .msg_iovlen = 1 };
	}
	int epfd = epoll_create1(0);
	raise_nofile();
	struct sock *socks = open_sockets(nsocks, &addr, epfd);
	double patience = grace();
	double start = begin(), t = start, checked = start, last = start;
	end = start + atof(argv[6]);
	for (unsigned i = 0; i < nsocks; i++)
		push(&socks[i], i, start);
	struct epoll_event evs[256];
	while ((t < end || under_way) && !counts.corrupt) {
		int n = epoll_wait(epfd, evs, 256, 50);
		t = now();
		for (int i = 0; i < n; i++) {
			struct sock *s = evs[i].data.ptr;
			int got = recvmmsg(s->fd, in, BATCH, MSG_DONTWAIT, NULL);
			if (got < 0 && errno != EAGAIN && errno != ECONNREFUSED)
				die("recvmmsg");
			for (int m = 0; m < got; m++)
				take(s, s - socks, in_iov[m].iov_base, in[m].msg_len, t);
			last = t;
			push(s, s - socks, t);
		}
		if (t - checked < 0.05)
			continue;
		checked = t;
		for (unsigned i = 0; i < nsocks; i++) {
			give_up_lost(&socks[i], t, patience);
			push(&socks[i], i, t);
		}
	}
	/* To wait for what is lost took no one's time. */
	counts.seconds = last - start;
	print_counts(counts);
	return counts.corrupt != 0;
}
