/* Answers on loopback by epoll: a good conversation of SSH's first two steps, or silence.
 *
 *     responder LISTENERS LATE_MS IDENTIFICATION_OCTETS KEXINIT_OCTETS
 *
 * Reads both from stdin, listens on 127.0.0.1, 127.0.0.2 ..., on one port of the kernel's choice,
 * prints "address port" a line, and ends when stdin does. The identification string goes out when a
 * client is accepted, KEXINIT when the client's first octets are in; of neither there is silence.
 *
 * It looks for work without sleeping while there is some: to wake it is charged to whoever sends
 * to it, as CPU time that no sender spends when the server is at the other end of a network. When
 * there was none for 20 ms, it sleeps, and from the next on it waits LATE_MS before it looks again:
 * so a server appears that is far away.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_DESCRIPTORS = 1 << 16, EVENTS = 512, BACKLOG = 4096, AWAKE_MS = 20 };

enum role { UNUSED, STDIN, LISTENER, NEW, ANSWERED };

static unsigned char roles[MOST_DESCRIPTORS];
static char identification[4096], kexinit[65536], heard[65536];
static size_t identification_octets, kexinit_octets;
static int events_of;
static useconds_t late_us;

static void require(int holds, const char *what) {
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static void watch(int fd, enum role role) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    roles[fd] = role;
    require(epoll_ctl(events_of, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

static int listen_at(int number, int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    char written[INET_ADDRSTRLEN];
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK + number);
    require(bind(fd, (struct sockaddr *)&at, size) == 0, "bind");
    require(listen(fd, BACKLOG) == 0, "listen");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* inherited */
    require(getsockname(fd, (struct sockaddr *)&at, &size) == 0, "getsockname");
    printf("%s %d\n", inet_ntop(AF_INET, &at.sin_addr, written, sizeof written), ntohs(at.sin_port));
    watch(fd, LISTENER);
    return ntohs(at.sin_port);
}

static void greet(int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0)
            return;
        watch(fd, NEW);
        if (identification_octets)
            (void)!write(fd, identification, identification_octets);
    }
}

static void answer(int fd) {
    ssize_t count = read(fd, heard, sizeof heard);
    if (count <= 0) {
        roles[fd] = UNUSED;
        close(fd);
    } else if (roles[fd] == NEW && kexinit_octets) {
        roles[fd] = ANSWERED;
        (void)!write(fd, kexinit, kexinit_octets);
    }
}

static long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int wait_awake(struct epoll_event *events) {
    long asleep_at = now_ms() + AWAKE_MS;
    do {
        int count = epoll_wait(events_of, events, EVENTS, 0);
        if (count)
            return count;
    } while (now_ms() < asleep_at);
    int count = epoll_wait(events_of, events, EVENTS, -1);
    usleep(late_us);
    return count;
}

static size_t take(char *into, size_t room, const char *count) {
    size_t octets = strtoul(count, NULL, 10);
    require(octets <= room && fread(into, 1, octets, stdin) == octets, "stdin");
    return octets;
}

int main(int argc, char **argv) {
    struct rlimit files;
    struct epoll_event events[EVENTS];
    require(argc == 5, "arguments");
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < MOST_DESCRIPTORS ? files.rlim_max : MOST_DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &files);
    setvbuf(stdin, NULL, _IONBF, 0);
    late_us = (useconds_t)strtoul(argv[2], NULL, 10) * 1000;
    identification_octets = take(identification, sizeof identification, argv[3]);
    kexinit_octets = take(kexinit, sizeof kexinit, argv[4]);
    events_of = epoll_create1(0);
    for (int number = 0, port = 0; number < atoi(argv[1]); number++)
        port = listen_at(number, port);
    fflush(stdout);
    fclose(stdout);
    watch(STDIN_FILENO, STDIN);
    for (;;) {
        int count = wait_awake(events);
        for (int index = 0; index < count; index++) {
            int fd = events[index].data.fd;
            if (roles[fd] == STDIN)
                return 0;
            if (roles[fd] == LISTENER)
                greet(fd);
            else
                answer(fd);
        }
    }
}
