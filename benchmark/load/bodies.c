/*
 * Load for HTTP/1.1 servers, with large bodies: `conns` connections that stay open, each with one request under
 * way at a time for `seconds`. `get` expects a body of SIZE bytes, with its length or in chunks; `post` sends one, and
 * expects its size as decimal digits. The bodies are BLOCK over and over, and each byte that comes is compared. Prints
 * one line of JSON.
 *
 *   bodies HOST PORT CONNS get|post PATH SIZE SECONDS
 */
#include "client.h"
#include <strings.h>

#define HEAD_ROOM 16384
#define READ_ROOM (1 << 20)
#define BLOCK 65536
/* How many bytes of a request go to the socket at once. */
#define PIECE (16 * BLOCK)

static unsigned char *pieces;
static char request[1024];
static size_t head_length, up, down;
static char answer[32];
static struct counts counts;

enum state { HEAD, WHOLE, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER };

struct conn {
	int fd;
	double began;
	/* How much of the request has been sent, head and body. */
	size_t sent;
	enum state state;
	/* The head, or the line that a chunk begins with, so far. */
	char text[HEAD_ROOM + 1];
	size_t text_length;
	/* What is still to come of the body or of the chunk, and how much of the body has come. */
	size_t left, got;
	/* Whether the answer has come, and whether it was the last. */
	int done, idle;
};

static struct conn *conns;
static unsigned nconns;
static int epfd;
static unsigned char in[READ_ROOM];

static void go_on_sending(struct conn *c)
{
	while (c->sent < head_length + up) {
		const void *from = request + c->sent;
		size_t length = head_length - c->sent;
		if (c->sent >= head_length) {
			size_t at = c->sent - head_length;
			from = pieces + at % BLOCK;
			length = up - at < PIECE ? up - at : PIECE;
		}
		/* The head goes with the beginning of the body. */
		int more = up && c->sent < head_length ? MSG_MORE : 0;
		ssize_t sent = send(c->fd, from, length, MSG_NOSIGNAL | MSG_DONTWAIT | more);
		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0)
			transfer_failed("send");
		c->sent += sent;
	}
}

static void ask(struct conn *c, double t)
{
	c->began = t;
	c->sent = 0;
	c->state = HEAD;
	c->text_length = c->got = 0;
	c->done = c->idle = 0;
	go_on_sending(c);
}

/* The bytes of a body: those of the pattern, or the digits. */
static void take_body(struct conn *c, const unsigned char *bytes, size_t length)
{
	if (c->got + length > down) {
		counts.corrupt++;
		return;
	}
	for (size_t at = 0; at < length;) {
		size_t n = length - at < PIECE ? length - at : PIECE;
		const void *right = up ? (void *)(answer + c->got) : pieces + c->got % BLOCK;
		counts.corrupt += memcmp(bytes + at, right, n) != 0;
		at += n;
		c->got += n;
	}
}

/* Collects text up to and including `end`; returns how many bytes were used, and whether it is whole. */
static size_t take_text(struct conn *c, const unsigned char *bytes, size_t length, const char *end, int *whole)
{
	size_t before = c->text_length, room = HEAD_ROOM - before, n = length < room ? length : room;
	memcpy(c->text + before, bytes, n);
	c->text[before + n] = 0;
	char *found = strstr(c->text, end);
	*whole = found != NULL;
	if (!found) {
		c->text_length += n;
		counts.corrupt += c->text_length == HEAD_ROOM;
		return n;
	}
	size_t used = found + strlen(end) - c->text - before;
	c->text_length = 0;
	return used;
}

static void begin_body(struct conn *c)
{
	char *size = strcasestr(c->text, "\r\nContent-Length:");
	int chunked = strcasestr(c->text, "\r\nTransfer-Encoding: chunked") != NULL;
	if (strncmp(c->text, "HTTP/1.1 200 ", 13) || (!size && !chunked)) {
		counts.corrupt++;
		return;
	}
	c->state = size ? WHOLE : CHUNK_SIZE;
	c->left = size ? strtoul(size + 17, NULL, 10) : 0;
	counts.corrupt += size && c->left != down;
}

static void take(struct conn *c, const unsigned char *bytes, size_t length)
{
	while (length && !counts.corrupt) {
		size_t used = length;
		int whole;
		if (c->done) {
			counts.corrupt++;
			return;
		}
		switch (c->state) {
		case HEAD:
			used = take_text(c, bytes, length, "\r\n\r\n", &whole);
			if (whole)
				begin_body(c);
			break;
		case WHOLE:
		case CHUNK:
			if (used > c->left)
				used = c->left;
			take_body(c, bytes, used);
			c->left -= used;
			if (c->left)
				break;
			if (c->state == WHOLE)
				c->done = 1;
			else
				c->state = CHUNK_END;
			break;
		case CHUNK_SIZE:
			used = take_text(c, bytes, length, "\r\n", &whole);
			if (!whole)
				break;
			c->left = strtoul(c->text, NULL, 16);
			c->state = c->left ? CHUNK : TRAILER;
			break;
		case CHUNK_END:
		case TRAILER:
			used = take_text(c, bytes, length, "\r\n", &whole);
			if (whole && c->state == TRAILER)
				c->done = 1;
			else if (whole)
				c->state = CHUNK_SIZE;
			break;
		}
		bytes += used;
		length -= used;
	}
	counts.corrupt += c->done && c->got != down;
}

/* Keeps a request under way on each connection for `seconds`, and then waits for the answers. */
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
			go_on_sending(c);
			for (;;) {
				ssize_t got = recv(c->fd, in, READ_ROOM, MSG_DONTWAIT);
				if (got == 0)
					server_closed();
				if (got < 0 && errno != EAGAIN)
					transfer_failed("recv");
				if (got < 0)
					break;
				take(c, in, got);
			}
			if (!c->done || c->idle)
				continue;
			t = now();
			counts.ops++;
			count_latency(t - c->began);
			if (t < end)
				ask(c, t);
			else {
				c->idle = 1;
				under_way--;
			}
		}
	}
	counts.seconds = t - start;
	counts.lost = counts.corrupt ? 0 : under_way;
}

int main(int argc, char **argv)
{
	if (argc != 8) {
		fprintf(stderr, "usage: bodies HOST PORT CONNS get|post PATH SIZE SECONDS\n");
		return 2;
	}
	struct sockaddr_in addr = address_of(argv[1], argv[2]);
	nconns = atoi(argv[3]);
	int posts = !strcmp(argv[4], "post");
	size_t size = strtoul(argv[6], NULL, 10);
	unsigned char *block = pattern_of_length(BLOCK);
	pieces = malloc(PIECE + BLOCK);
	for (size_t i = 0; i < PIECE + BLOCK; i += BLOCK)
		memcpy(pieces + i, block, BLOCK);
	if (posts) {
		up = size;
		down = snprintf(answer, sizeof(answer), "%zu", size);
	} else
		down = size;
	head_length = snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: localhost\r\n", posts ? "POST" : "GET", argv[5]);
	head_length += posts ? sprintf(request + head_length, "Content-Length: %zu\r\n\r\n", up)
			     : sprintf(request + head_length, "\r\n");
	conns = calloc(nconns, sizeof(*conns));
	epfd = epoll_create1(0);
	for (unsigned i = 0; i < nconns; i++) {
		conns[i].fd = connect_to(&addr, 0);
		close_with_reset(conns[i].fd);
		watch(epfd, EPOLL_CTL_ADD, conns[i].fd, EPOLLIN | EPOLLOUT | EPOLLET, &conns[i]);
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
