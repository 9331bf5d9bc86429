/* What the load generators share: sockets and their options, and what they print. */
#define _GNU_SOURCE
#include "clock.h"
#include "histogram.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * How long what is under way at the end may take to come back, and a datagram before it counts as lost, in
 * seconds. $UASYNC_LOAD_GRACE makes it longer, for machines that are busier than one to measure on.
 */
static inline double grace(void)
{
	const char *seconds = getenv("UASYNC_LOAD_GRACE");
	return seconds ? atof(seconds) : 1.0;
}

/* How long connections may take to be established: that of a server's queue takes its time. */
static inline double patience_for(unsigned conns)
{
	return grace() + conns * 1e-3;
}

static inline void server_closed(void)
{
	fprintf(stderr, "the server closed a connection\n");
	exit(1);
}

/* A send or a receive failed: the server has closed the connection, or something is wrong here. */
static inline void transfer_failed(const char *what)
{
	if (errno == EPIPE || errno == ECONNRESET)
		server_closed();
	die(what);
}

/* CPU seconds of this process. */
static inline double cpu_seconds(void)
{
	struct rusage ru;
	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_utime.tv_sec + ru.ru_stime.tv_sec + (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

static double cpu_began;

/* The run begins now: what it took to get here does not count. */
static inline double begin(void)
{
	cpu_began = cpu_seconds();
	return now();
}

/*
 * With $UASYNC_LOAD_STEPS a load says `ready` once its connections are established, and waits for a line before it goes
 * on, and again before it closes them. So what the server spends in between can be told from the rest.
 */
static inline void await_step(void)
{
	char c;
	while (getenv("UASYNC_LOAD_STEPS") && read(STDIN_FILENO, &c, 1) == 1 && c != '\n')
		;
}

/* The connections are established: the server has answered on each. */
static inline void established(void)
{
	if (!getenv("UASYNC_LOAD_STEPS"))
		return;
	printf("ready\n");
	fflush(stdout);
	await_step();
}

/* What a run has counted, as one line of JSON. */
struct counts {
	unsigned long ops;	/* messages, requests or connections that came back whole */
	double seconds;
	unsigned long corrupt;	/* places where a byte was not the one expected */
	unsigned long lost;	/* messages that never came back */
	unsigned long late;	/* datagrams that came back after they were given up */
	unsigned long tardy;	/* messages that left more than a millisecond after they were due */
};

static inline void print_counts(struct counts c)
{
	printf("{\"ops\":%lu,\"seconds\":%.6f,\"cpu\":%.6f,\"corrupt\":%lu,\"lost\":%lu,\"late\":%lu,\"tardy\":%lu,"
	       "\"latencies\":",
	       c.ops, c.seconds, cpu_seconds() - cpu_began, c.corrupt, c.lost, c.late, c.tardy);
	print_latencies();
	printf("}\n");
	fflush(stdout);
}

static inline struct sockaddr_in address_of(const char *host, const char *port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	if (inet_pton(AF_INET, host, &addr.sin_addr) != 1)
		die("inet_pton");
	return addr;
}

/* As many descriptors as we may have. */
static inline void raise_nofile(void)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static inline void close_with_reset(int fd)
{
	struct linger reset = { .l_onoff = 1 };
	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)))
		die("setsockopt");
}

#define SOURCES 8

/* To a server on 127/8 we come from several addresses in turn: each has ports of its own. */
static inline void bind_source(int fd, const struct sockaddr_in *to)
{
	static unsigned next;
	int one = 1;
	if (ntohl(to->sin_addr.s_addr) >> 24 != 127)
		return;
	struct sockaddr_in from = { .sin_family = AF_INET };
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + next++ % SOURCES);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(fd, (void *)&from, sizeof(from)))
		die("bind");
}

/* A connection, or one that is being made if `flags` has SOCK_NONBLOCK. */
static inline int connect_to(const struct sockaddr_in *addr, int flags)
{
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	bind_source(fd, addr);
	if (connect(fd, (void *)addr, sizeof(*addr)) && errno != EINPROGRESS)
		die("connect");
	return fd;
}

static inline int connect_datagrams(const struct sockaddr_in *addr)
{
	int room = 1 << 22;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	bind_source(fd, addr);
	if (connect(fd, (void *)addr, sizeof(*addr)))
		die("connect");
	return fd;
}

static inline void watch(int epfd, int op, int fd, unsigned events, void *ptr)
{
	struct epoll_event ev = { .events = events, .data.ptr = ptr };
	if (epoll_ctl(epfd, op, fd, &ev))
		die("epoll_ctl");
}

/* Bytes that do not repeat within themselves. */
static inline unsigned char *pattern_of_length(size_t length)
{
	unsigned char *pattern = malloc(length);
	unsigned x = 12345;
	for (size_t i = 0; i < length; i++) {
		x = x * 1103515245 + 12345;
		pattern[i] = x >> 16;
	}
	return pattern;
}
