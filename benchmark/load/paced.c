/*
 * Latency at a fixed rate: every message has a time at which it is due, spread evenly over `conns`
 * connections, and its latency counts from then, whether or not it could be sent. So a server that stalls
 * is charged for all the messages that came due meanwhile (no coordinated omission). Messages of `size`
 * bytes follow each other on a connection without waiting for the answer. Busy: it never sleeps.
 * Prints one line of JSON, times in microseconds.
 *
 *   paced HOST PORT CONNS SIZE RATE SECONDS
 */
#include "client.h"
#include <stdint.h>

#define GRACE 1.0

/*
 * A histogram of nanoseconds with a relative error below 1/64: values below 64 have a bucket each, above
 * that each power of two has 64.
 */
#define SUB_BITS 6
#define SUB (1u << SUB_BITS)
static uint64_t buckets[(64 - SUB_BITS) * SUB];

static unsigned bucket_of(uint64_t value)
{
	if (value < SUB)
		return value;
	unsigned shift = 63 - __builtin_clzll(value) - SUB_BITS;
	return (shift << SUB_BITS) + (unsigned)(value >> shift);
}

/* The highest value of a bucket. */
static uint64_t highest_of(unsigned bucket)
{
	if (bucket < 2 * SUB)
		return bucket;
	unsigned shift = (bucket >> SUB_BITS) - 1;
	return ((uint64_t)((bucket & (SUB - 1)) + SUB + 1) << shift) - 1;
}

static double quantile_us(double q, uint64_t count)
{
	uint64_t rank = (uint64_t)(q * count), seen = 0;
	for (unsigned i = 0; i < sizeof(buckets) / sizeof(*buckets); i++) {
		seen += buckets[i];
		if (seen > rank || seen == count)
			return highest_of(i) / 1e3;
	}
	return 0;
}

struct conn {
	int fd;
	unsigned long received;	/* whole messages */
	size_t got;		/* bytes of the one that is coming */
};

int main(int argc, char **argv)
{
	if (argc != 7) {
		fprintf(stderr, "usage: paced HOST PORT CONNS SIZE RATE SECONDS\n");
		return 2;
	}
	struct sockaddr_in addr = address_of(argv[1], argv[2]);
	unsigned nconns = atoi(argv[3]);
	size_t size = strtoul(argv[4], NULL, 10);
	double interval = 1 / atof(argv[5]), seconds = atof(argv[6]);
	unsigned long total = seconds / interval, sent = 0, ops = 0, corrupt = 0;
	unsigned char *message = malloc(size), *in = malloc(1 << 16);
	for (size_t i = 0; i < size; i++)
		message[i] = i * 7 + 1;
	struct conn *conns = calloc(nconns, sizeof(*conns));
	int epfd = epoll_create1(0);
	for (unsigned i = 0; i < nconns; i++) {
		conns[i].fd = connect_to(&addr, 0);
		close_with_reset(conns[i].fd);
		watch(epfd, EPOLL_CTL_ADD, conns[i].fd, EPOLLIN, &conns[i]);
	}
	struct epoll_event evs[256];
	double start = now(), t = start, longest = 0;
	while (ops < total && t < start + seconds + GRACE && !corrupt) {
		for (; sent < total && start + sent * interval <= t; sent++) {
			/* A full socket is a server that does not keep up, by far. */
			if (send(conns[sent % nconns].fd, message, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size)
				die("send");
		}
		int n = epoll_wait(epfd, evs, 256, 0);
		t = now();
		for (int i = 0; i < n; i++) {
			struct conn *c = evs[i].data.ptr;
			ssize_t got = recv(c->fd, in, 1 << 16, MSG_DONTWAIT);
			if (got == 0) {
				fprintf(stderr, "the server closed a connection\n");
				return 1;
			}
			if (got < 0)
				die("recv");
			for (ssize_t at = 0; at < got;) {
				size_t part = size - c->got;
				if (part > (size_t)(got - at))
					part = got - at;
				if (memcmp(in + at, message + c->got, part))
					corrupt++;
				at += part;
				c->got += part;
				if (c->got < size)
					continue;
				c->got = 0;
				/* Its due time follows from its number. */
				unsigned long nth = c->received++ * nconns + (c - conns);
				double latency = t - (start + nth * interval);
				if (latency > longest)
					longest = latency;
				buckets[bucket_of(latency > 0 ? latency * 1e9 : 0)]++;
				ops++;
			}
		}
	}
	printf("{\"ops\":%lu,\"seconds\":%.6f,\"cpu\":%.6f,\"corrupt\":%lu,\"lost\":%lu,"
	       "\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f}\n",
	       ops, t - start, cpu_seconds(), corrupt, corrupt ? 0 : total - ops, quantile_us(0.5, ops),
	       quantile_us(0.99, ops), quantile_us(0.999, ops), longest * 1e6);
	return corrupt || ops < total;
}
