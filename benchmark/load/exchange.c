/*
 * Load for servers whose answer to a text is known: `conns` connections, each with `depth` REQUESTs under way for
 * `seconds`. Each request has the next number in place of every "00000000", and so has its ANSWER, every byte of which is
 * compared. Prints one line of JSON.
 *
 *   exchange HOST PORT CONNS REQUEST ANSWER DEPTH SECONDS
 */
#include "client.h"

#define NUMBER "00000000"
#define DIGITS (sizeof(NUMBER) - 1)
/* Numbers repeat after this many, which bounds what a server stores under them. */
#define NUMBERS 10000

struct conn {
	int fd;
	/* The answers that are to come, one after the other, and how much of them has. */
	char *expected;
	size_t got;
	double began;
};

static const char *request, *answer;
static size_t request_length, answer_length;
static unsigned depth;
static char *out, *in;
static struct counts counts;
static struct conn *conns;
static unsigned nconns;
static int epfd;

/* A copy of a text with a number in it; returns its end. */
static char *numbered(char *to, const char *text, const char *digits)
{
	char *end = stpcpy(to, text);
	for (char *at = strstr(to, NUMBER); at; at = strstr(at + DIGITS, NUMBER))
		memcpy(at, digits, DIGITS);
	return end;
}

static void ask(struct conn *c, double t)
{
	static unsigned asked;
	char *request_at = out, *answer_at = c->expected;
	for (unsigned i = 0; i < depth; i++) {
		char digits[16];
		snprintf(digits, sizeof(digits), "%08u", ++asked % NUMBERS);
		request_at = numbered(request_at, request, digits);
		answer_at = numbered(answer_at, answer, digits);
	}
	c->began = t;
	c->got = 0;
	if (send(c->fd, out, request_at - out, MSG_NOSIGNAL) != request_at - out)
		transfer_failed("send");
}

/* Takes what has come; returns whether all has. */
static int take(struct conn *c, double t)
{
	size_t left = depth * answer_length - c->got;
	/* One more, to see what should not come. */
	ssize_t got = recv(c->fd, in, left + 1, MSG_DONTWAIT);
	if (got == 0)
		server_closed();
	if (got < 0)
		transfer_failed("recv");
	if ((size_t)got > left || memcmp(in, c->expected + c->got, got)) {
		counts.corrupt++;
		return 0;
	}
	size_t answers = (c->got + got) / answer_length - c->got / answer_length;
	c->got += got;
	counts.ops += answers;
	while (answers--)
		count_latency(t - c->began);
	return (size_t)got == left;
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
			if (!take(c, t))
				continue;
			if (t < end)
				ask(c, t);
			else
				under_way--;
		}
	}
	counts.seconds = t - start;
	for (unsigned i = 0; i < nconns; i++)
		counts.lost += depth - conns[i].got / answer_length;
}

int main(int argc, char **argv)
{
	if (argc != 8) {
		fprintf(stderr, "usage: exchange HOST PORT CONNS REQUEST ANSWER DEPTH SECONDS\n");
		return 2;
	}
	struct sockaddr_in addr = address_of(argv[1], argv[2]);
	nconns = atoi(argv[3]);
	request = argv[4];
	answer = argv[5];
	depth = atoi(argv[6]);
	request_length = strlen(request);
	answer_length = strlen(answer);
	if (!nconns || !depth || !request_length || !answer_length) {
		fprintf(stderr, "CONNS and DEPTH are positive, REQUEST and ANSWER are not empty\n");
		return 2;
	}
	out = malloc(depth * request_length + 1);
	in = malloc(depth * answer_length + 1);
	conns = calloc(nconns, sizeof(*conns));
	epfd = epoll_create1(0);
	raise_nofile();
	for (unsigned i = 0; i < nconns; i++) {
		conns[i].fd = connect_to(&addr, 0);
		conns[i].expected = malloc(depth * answer_length + 1);
		close_with_reset(conns[i].fd);
		watch(epfd, EPOLL_CTL_ADD, conns[i].fd, EPOLLIN, &conns[i]);
	}
	/* The first request on each connection finds out that the server has it. */
	run(0, patience_for(nconns));
	if (!counts.lost && !counts.corrupt) {
		counts = (struct counts){ 0 };
		forget_latencies();
		established();
		run(atof(argv[7]), grace());
	}
	print_counts(counts);
	await_step();
	return counts.corrupt || counts.lost;
}
