/* The least a server can do: accept, linger 0, close.  One thread, epoll, level-triggered.
 *
 * Prints its port and serves until its standard input ends.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    struct linger abort_on_close = {.l_onoff = 1, .l_linger = 0};
    int epoll = epoll_create1(0);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0)
        fail("bind");
    if (listen(listener, 4096) < 0)
        fail("listen");
    getsockname(listener, (struct sockaddr *)&address, &length);
    watch(epoll, listener);
    watch(epoll, STDIN_FILENO);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    for (;;) {
        struct epoll_event events[64];
        int count = epoll_wait(epoll, events, 64, -1);

        if (count < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == STDIN_FILENO)
                return 0;
            for (;;) {
                int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

                if (client < 0 && errno == ECONNABORTED)
                    continue;
                if (client < 0)
                    break;
                setsockopt(client, SOL_SOCKET, SO_LINGER, &abort_on_close,
                           sizeof abort_on_close);
                close(client);
            }
        }
    }
}
