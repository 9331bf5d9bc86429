/*
 * Short connections: connect, one round trip of `size` bytes, close. `conns` of them are under way at any
 * time for `seconds`; every byte is checked. Prints one line of JSON.
 *
 *   churn HOST PORT CONNS SIZE SECONDS
 */
#include "client.h"

struct conn {
	int fd;
	size_t got;
	int connected;
	double began;
};

static struct sockaddr_in addr;
static unsigned char *message, *in;
static size_t size;
static int epfd;

static void start(struct conn *c)
{
	int none = -1;
	c->began = now();
	c->fd = connect_to(&addr, SOCK_NONBLOCK);
	/*
	 * The server reads the end of the stream, as of any peer, but the socket does not stay in TIME_WAIT:
	 * ports would run out within seconds, and the timers of 100,000 such sockets burden the server's core.
	 */
	setsockopt(c->fd, IPPROTO_TCP, TCP_LINGER2, &none, sizeof(none));
	c->got = 0;
	c->connected = 0;
	watch(epfd, EPOLL_CTL_ADD, c->fd, EPOLLIN | EPOLLOUT, c);
}

/* Each connection has bytes of its own, so that an answer to another shows. */
static void send_first(struct conn *c)
{
	int error = 0;
	socklen_t length = sizeof(error);
	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (error) {
		errno = error;
		die("connect");
	}
	memcpy(message, &c->fd, size < sizeof(c->fd) ? size : sizeof(c->fd));
	if (send(c->fd, message, size, MSG_NOSIGNAL) != (ssize_t)size)
		transfer_failed("send");
	c->connected = 1;
	watch(epfd, EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
}

/* Takes what has come; returns whether the message is whole, or -1 if a byte was wrong. */
static int take(struct conn *c)
{
	ssize_t got = recv(c->fd, in, size - c->got, MSG_DONTWAIT);
	if (got == 0)
		server_closed();
	if (got < 0) {
		if (errno == EAGAIN)
			return 0;
		transfer_failed("recv");
	}
	memcpy(message, &c->fd, size < sizeof(c->fd) ? size : sizeof(c->fd));
	if (memcmp(in, message + c->got, got))
		return -1;
	c->got += got;
	return c->got == size;
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		fprintf(stderr, "usage: churn HOST PORT CONNS SIZE SECONDS\n");
		return 2;
	}
	addr = address_of(argv[1], argv[2]);
	unsigned nconns = atoi(argv[3]), under_way = nconns;
	size = strtoul(argv[4], NULL, 10);
	message = malloc(size);
	in = malloc(size);
	for (size_t i = 0; i < size; i++)
		message[i] = i * 7 + 1;
	struct conn *conns = calloc(nconns, sizeof(*conns));
	epfd = epoll_create1(0);
	double patience = grace();
	double began = begin(), end = began + atof(argv[5]), t = began;
	unsigned long ops = 0, corrupt = 0;
	for (unsigned i = 0; i < nconns; i++)
		start(&conns[i]);
	struct epoll_event evs[256];
	while (under_way && t < end + patience && !corrupt) {
		int n = epoll_wait(epfd, evs, 256, 100);
		t = now();
		for (int i = 0; i < n && !corrupt; i++) {
			struct conn *c = evs[i].data.ptr;
			if (!c->connected) {
				send_first(c);
				continue;
			}
			int whole = take(c);
			if (whole < 0)
				corrupt++;
			if (whole <= 0)
				continue;
			ops++;
			count_latency(t - c->began);
			close(c->fd);
			if (t < end)
				start(c);
			else
				under_way--;
		}
	}
	if (corrupt)
		under_way = 0;
	print_counts((struct counts){ .ops = ops, .seconds = t - began, .corrupt = corrupt, .lost = under_way });
	return corrupt || under_way;
}
