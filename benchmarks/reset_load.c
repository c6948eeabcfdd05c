/* Connections that wait to be reset: a constant number of them at a time, until COUNT were.
 *
 * usage: reset_load PORT COUNT CONCURRENCY; prints the seconds that it took.
 * Written in C so that the servers are measured, and not their client.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in address = {.sin_family = AF_INET};
static int epoll;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void open_one(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (fd < 0)
        fail("socket");
    /* A reset may come before connect() returns; the event tells. */
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS &&
        errno != ECONNRESET)
        fail("connect");
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
}

int main(int argc, char **argv)
{
    struct timespec start, end;
    long started = 0, ended = 0, count, concurrency;

    if (argc != 4) {
        fprintf(stderr, "usage: %s PORT COUNT CONCURRENCY\n", argv[0]);
        return 2;
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((unsigned short)atoi(argv[1]));
    count = atol(argv[2]);
    concurrency = atol(argv[3]);
    epoll = epoll_create1(0);

    clock_gettime(CLOCK_MONOTONIC, &start);
    while (started < count && started < concurrency) {
        open_one();
        started++;
    }
    while (ended < count) {
        struct epoll_event events[64];
        int ready = epoll_wait(epoll, events, 64, 10000);

        if (ready == 0) {
            fprintf(stderr, "no reset within 10 s, %ld of %ld came\n", ended, count);
            return 1;
        }
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            char byte;
            ssize_t got = recv(fd, &byte, 1, 0);

            if (got >= 0 || (errno != ECONNRESET && errno != EAGAIN)) {
                fprintf(stderr, "not a reset: %zd\n", got);
                return 1;
            }
            if (errno == EAGAIN)
                continue;
            close(fd);
            ended++;
            if (started < count) {
                open_one();
                started++;
            }
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.9f\n", (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9);
    return 0;
}
