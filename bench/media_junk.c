/*
 * A stranger at a busy port: sends junk and good-looking RTP to it at a steady rate, from connected sockets, so that an
 * answer of any kind, an ICMP error too, is seen. Arguments: host, port, seconds, datagrams a second. Prints sent, answered.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define SOURCES 4
#define BATCH 100
#define BYTES_MAX 200

int main(int count, char **arguments)
{
    static uint8_t packets[BATCH][BYTES_MAX];
    struct mmsghdr messages[BATCH] = {0};
    struct iovec contents[BATCH];
    struct sockaddr_in to = {.sin_family = AF_INET};
    int sources[SOURCES];
    long per_second, batches, sent = 0, answered = 0;
    struct timespec due;

    if (count < 5 || inet_pton(AF_INET, arguments[1], &to.sin_addr) != 1)
        return 1;
    to.sin_port = htons((uint16_t)atoi(arguments[2]));
    per_second = atol(arguments[4]);
    batches = atol(arguments[3]) * per_second / BATCH;
    for (int i = 0; i < SOURCES; i++) {
        sources[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        if (connect(sources[i], (void *)&to, sizeof to) != 0)
            return 2;
    }
    for (int i = 0; i < BATCH; i++) {
        for (int at = 0; at < BYTES_MAX; at++)
            packets[i][at] = (uint8_t)rand();
        if (i % 2 == 0)
            memcpy(packets[i], (const uint8_t[]){0x80, 0, 0, (uint8_t)i, 0, 0, 0, 0, 0xba, 0xdb, 0xad, 0}, 12);
        contents[i] = (struct iovec){packets[i], i % 2 == 0 ? 172 : (size_t)(rand() % BYTES_MAX)};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &contents[i], .msg_iovlen = 1};
    }
    clock_gettime(CLOCK_MONOTONIC, &due);
    for (long batch = 0; batch < batches; batch++) {
        uint8_t room[BYTES_MAX];
        const int source = sources[batch % SOURCES];
        const int taken = sendmmsg(source, messages, BATCH, 0);

        sent += taken > 0 ? taken : 0;
        answered += taken < 0 && errno == ECONNREFUSED;
        while (recv(source, room, sizeof room, 0) >= 0)
            answered++;
        due.tv_nsec += 1000000000L * BATCH / per_second;
        due.tv_sec += due.tv_nsec / 1000000000L;
        due.tv_nsec %= 1000000000L;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    }
    printf("%ld %ld\n", sent, answered);
    return 0;
}
