/*
 * Load for HTTP/1.1 servers: `conns` connections that stay open, each with one `GET /` under way at a time
 * for `seconds`, or the request that is given; with DEPTH, so many at once, pipelined; with RATE, so many a second, which
 * do not wait for answers: see pace.h. Each request has a number of its own in place of the first "00000000", so that a
 * server gains nothing by remembering the last one. Every answer has to be a 200 whose body is BODY. Prints one line of
 * JSON.
 *
 *   http HOST PORT CONNS BODY SECONDS [REQUEST [DEPTH [RATE]]]
 */
#include "client.h"
#include "pace.h"
#include <strings.h>

#define ROOM 65536

#define NUMBER "00000000"

/* `depth` requests, one after the other, and the length of each. */
static char *requests;
static size_t length;
static unsigned depth = 1;
/* Where the number of the first is; NULL if it has none. */
static char *number;
static const char *body;
static struct counts counts;
static struct pace pace;

struct conn {
	int fd;
	/* How many answers are still to come, and how many have. */
	unsigned waiting;
	unsigned long received;
	size_t got;
	double began;
	char in[ROOM + 1];
};

static struct conn *conns;
static unsigned nconns;
static int epfd;

/* Sends `n` requests. */
static void send_requests(struct conn *c, unsigned n)
{
	static unsigned asked;
	for (unsigned i = 0; number && i < n; i++) {
		char digits[16];
		snprintf(digits, sizeof(digits), "%08u", ++asked % 100000000);
		memcpy(number + i * length, digits, strlen(NUMBER));
	}
	c->waiting += n;
	/* A full socket is a server that does not keep up, by far. */
	ssize_t all = n * length;
	if (send(c->fd, requests, all, MSG_NOSIGNAL | MSG_DONTWAIT) != all)
		transfer_failed("send");
}

static void ask(struct conn *c, double t)
{
	c->began = t;
	c->got = 0;
	send_requests(c, depth);
}

/* The length of the first answer, 0 if it is not whole; one that is wrong is counted. */
static size_t answered(struct conn *c)
{
	c->in[c->got] = 0;
	char *end = strstr(c->in, "\r\n\r\n");
	if (!end) {
		counts.corrupt += c->got == ROOM;
		return 0;
	}
	char *size = strcasestr(c->in, "\r\nContent-Length:");
	size_t whole = end + 4 - c->in + strlen(body);
	if (strncmp(c->in, "HTTP/1.1 200 ", 13) || !size || size > end ||
	    strtoul(size + 17, NULL, 10) != strlen(body) || (c->waiting == 1 && c->got > whole)) {
		counts.corrupt++;
		return 0;
	}
	if (c->got < whole)
		return 0;
	counts.corrupt += memcmp(end + 4, body, strlen(body)) != 0;
	return whole;
}

/* Takes the whole answers out of what has come; returns whether all have come. */
static int all_answered(struct conn *c, double t)
{
	for (size_t whole = answered(c); whole && !counts.corrupt; whole = answered(c)) {
		if (pace.total) {
			count_paced(&pace, &counts, c->received++ * nconns + (c - conns), t);
		} else {
			counts.ops++;
			count_latency(t - c->began);
		}
		c->got -= whole;
		memmove(c->in, c->in + whole, c->got);
		if (--c->waiting == 0)
			return 1;
	}
	return 0;
}

/* Receives what has come; returns whether all has that was asked for. */
static int receive(struct conn *c, double t)
{
	ssize_t got = recv(c->fd, c->in + c->got, ROOM - c->got, MSG_DONTWAIT);
	if (got == 0)
		server_closed();
	if (got < 0)
		transfer_failed("recv");
	c->got += got;
	return all_answered(c, t);
}

/* Keeps requests under way on each connection for `seconds`, and then waits for the answers. */
static void run(double seconds, double patience)
{
	double start = begin(), end = start + seconds, t = start;
	unsigned under_way = nconns;
	for (unsigned i = 0; i < nconns; i++)
		ask(&conns[i], start);
	struct epoll_event evs[256];
	while (under_way && t < end + patience && !counts.corrupt) {
		int n = epoll_wait(epfd, evs, 256, 100);
		t = now();
		for (int i = 0; i < n && !counts.corrupt; i++) {
			struct conn *c = evs[i].data.ptr;
			if (!receive(c, t))
				continue;
			if (t < end)
				ask(c, t);
			else
				under_way--;
		}
	}
	counts.seconds = t - start;
	for (unsigned i = 0; i < nconns && !counts.corrupt; i++)
		counts.lost += conns[i].waiting;
}

/* Sends each request when it is due. Busy: it never sleeps. */
static void run_paced(double seconds, double patience)
{
	struct epoll_event evs[256];
	double start = begin(), t = start;
	pace.start = start;
	while (counts.ops < pace.total && t < start + seconds + patience && !counts.corrupt) {
		while (is_due(&pace, &counts, t))
			send_requests(&conns[(pace.sent - 1) % nconns], 1);
		int n = epoll_wait(epfd, evs, 256, 0);
		t = now();
		for (int i = 0; i < n && !counts.corrupt; i++)
			receive(evs[i].data.ptr, t);
	}
	counts.lost = counts.corrupt ? 0 : pace.total - counts.ops;
	counts.seconds = t - start;
}

int main(int argc, char **argv)
{
	if (argc < 6 || argc > 9) {
		fprintf(stderr, "usage: http HOST PORT CONNS BODY SECONDS [REQUEST [DEPTH [RATE]]]\n");
		return 2;
	}
	struct sockaddr_in addr = address_of(argv[1], argv[2]);
	nconns = atoi(argv[3]);
	body = argv[4];
	const char *request = argc > 6 ? argv[6]
				       : "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\nAccept: */*\r\n"
					 "X-Request-Id: " NUMBER "\r\n\r\n";
	if (argc > 7)
		depth = atoi(argv[7]);
	length = strlen(request);
	requests = calloc(depth, length + 1);
	for (unsigned i = 0; i < depth; i++)
		memcpy(requests + i * length, request, length);
	number = strstr(requests, NUMBER);
	conns = calloc(nconns, sizeof(*conns));
	epfd = epoll_create1(0);
	for (unsigned i = 0; i < nconns; i++) {
		conns[i].fd = connect_to(&addr, 0);
		close_with_reset(conns[i].fd);
		watch(epfd, EPOLL_CTL_ADD, conns[i].fd, EPOLLIN, &conns[i]);
	}
	/* The first request on each connection finds out that the server has it. */
	run(0, patience_for(nconns));
	if (!counts.lost && !counts.corrupt) {
		counts = (struct counts){ 0 };
		forget_latencies();
		established();
		double seconds = atof(argv[5]);
		if (argc > 8) {
			pace = pace_of(atof(argv[8]), seconds);
			run_paced(seconds, grace());
		} else {
			run(seconds, grace());
		}
	}
	print_counts(counts);
	await_step();
	return counts.corrupt || counts.lost;
}
