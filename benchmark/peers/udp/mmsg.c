/* The peer: a UDP echo server in C with recvmmsg(2) and sendmmsg(2). `udp-mmsg [port]` */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define BATCH 64
#define SIZE 65536

static struct mmsghdr messages[BATCH];
static struct iovec iov[BATCH];
static struct sockaddr_in names[BATCH];

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 7003) };
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	socklen_t length = sizeof(addr);
	int room = 1 << 22, fd = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (bind(fd, (void *)&addr, sizeof(addr)) || getsockname(fd, (void *)&addr, &length))
		return 1;
	printf("listening on 127.0.0.1:%d\n", ntohs(addr.sin_port));
	fflush(stdout);
	for (int i = 0; i < BATCH; i++)
		iov[i].iov_base = malloc(SIZE);
	for (;;) {
		for (int i = 0; i < BATCH; i++) {
			iov[i].iov_len = SIZE;
			messages[i].msg_hdr = (struct msghdr){
				.msg_name = &names[i], .msg_namelen = sizeof(names[i]), .msg_iov = &iov[i], .msg_iovlen = 1,
			};
		}
		int got = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
		if (got <= 0)
			continue;
		for (int i = 0; i < got; i++)
			iov[i].iov_len = messages[i].msg_len;
		for (int sent = 0; sent < got;) {
			int n = sendmmsg(fd, messages + sent, got - sent, 0);
			if (n < 0)
				break;
			sent += n;
		}
	}
}
