/* An echo server on epoll, level-triggered, in one thread. `echo-epoll [PORT] [HOST]` */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM (256 * 1024)

/* What a connection could not send yet; while there is any it does not read. */
struct conn {
	int fd;
	char *unsent;
	size_t from, to;
};

static int epfd;
static char buffer[ROOM];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void watch(int op, struct conn *c, unsigned events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };
	if (epoll_ctl(epfd, op, c->fd, &ev))
		die("epoll_ctl");
}

static void drop(struct conn *c)
{
	close(c->fd);
	free(c->unsent);
	free(c);
}

static void accept_all(int listener)
{
	int fd;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));
		c->fd = fd;
		watch(EPOLL_CTL_ADD, c, EPOLLIN);
	}
}

static void on_readable(struct conn *c)
{
	ssize_t got = recv(c->fd, buffer, ROOM, 0);
	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		drop(c);
		return;
	}
	ssize_t sent = send(c->fd, buffer, got, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN) {
		drop(c);
		return;
	}
	if (sent < 0)
		sent = 0;
	if (sent == got)
		return;
	c->unsent = malloc(got - sent);
	c->from = 0;
	c->to = got - sent;
	memcpy(c->unsent, buffer + sent, c->to);
	watch(EPOLL_CTL_MOD, c, EPOLLOUT);
}

static void on_writable(struct conn *c)
{
	ssize_t sent = send(c->fd, c->unsent + c->from, c->to - c->from, MSG_NOSIGNAL);
	if (sent < 0 && errno == EAGAIN)
		return;
	if (sent < 0) {
		drop(c);
		return;
	}
	c->from += sent;
	if (c->from < c->to)
		return;
	free(c->unsent);
	c->unsent = NULL;
	watch(EPOLL_CTL_MOD, c, EPOLLIN);
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0) };
	inet_pton(AF_INET, argc > 2 ? argv[2] : "127.0.0.1", &addr.sin_addr);
	int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* Accepted sockets inherit it. */
	setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(listener, (void *)&addr, sizeof(addr)) || listen(listener, 4096))
		die("listen");
	socklen_t length = sizeof(addr);
	getsockname(listener, (void *)&addr, &length);
	printf("listening on %s:%d\n", inet_ntoa(addr.sin_addr), ntohs(addr.sin_port));
	fflush(stdout);

	epfd = epoll_create1(EPOLL_CLOEXEC);
	struct conn accepting = { .fd = listener };
	watch(EPOLL_CTL_ADD, &accepting, EPOLLIN);
	struct epoll_event evs[1024];
	for (;;) {
		int n = epoll_wait(epfd, evs, 1024, -1);
		for (int i = 0; i < n; i++) {
			struct conn *c = evs[i].data.ptr;
			if (c == &accepting)
				accept_all(listener);
			else if (c->unsent != NULL)
				on_writable(c);
			else
				on_readable(c);
		}
	}
}
