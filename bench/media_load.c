/*
 * Phones for bench/media.py: each sends a PCMU frame every 20 ms, at a moment of its own, and measures how long the frames it
 * gets were on their way, by the stamp of the kernel: until they came to its host, not until this process got a core to look at
 * them. A real phone is another host: what carries its frames does not wake it up and is not kept from a core by it. So
 * nobody here waits for a socket; a thread looks at all of them every millisecond.
 *
 * Arguments: phones, seconds of the beginning, seconds to measure. Prints the phones' ports, reads as many destination
 * ports, talks, and prints a line once the beginning is over and a line at the end: frames sent, received, CPU
 * microseconds of that part; packets a second; the percentiles 50, 99, 99.9 of how long they were on their way and the 99th of
 * how late they were sent, in nanoseconds.
 */

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define PHONES_MAX 8000
#define NS_PER_SECOND 1000000000L
#define FRAME_NS 20000000L
#define SLICES 80 /* of a frame time, 250 us each */
#define PACKET_BYTES 172
#define LOOK_NS 1000000L
#define DRAIN_NS 200000000L
#define BATCH 16

/* Of one part of the talk. */
struct part {
    uint32_t *latencies, *delays;
    size_t room, sent, received;
    int64_t begin_ns, end_ns, cpu_us;
};

static int phones, sockets[PHONES_MAX];
static struct sockaddr_in destinations[PHONES_MAX];
static struct part parts[2];
static _Atomic bool over;

static int64_t now_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

static int64_t cpu_us(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000L + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

/* A frame has behind its header: the part it is of, when it was sent (CLOCK_REALTIME, of which the stamps are). */
static void note(struct msghdr *message, const uint8_t *packet)
{
    const struct cmsghdr *const stamp = CMSG_FIRSTHDR(message);
    struct timespec came;
    struct part *part;
    uint32_t number;
    int64_t sent_ns;

    memcpy(&number, packet + 12, sizeof number);
    memcpy(&sent_ns, packet + 16, sizeof sent_ns);
    if (number >= sizeof parts / sizeof *parts)
        return; /* of no phone: what an engine plays before both are on the line */
    part = &parts[number];
    if (stamp == NULL || stamp->cmsg_type != SCM_TIMESTAMPNS || part->received == part->room)
        return;
    memcpy(&came, CMSG_DATA(stamp), sizeof came);
    part->latencies[part->received++] = (uint32_t)(came.tv_sec * NS_PER_SECOND + came.tv_nsec - sent_ns);
}

static void take(int fd)
{
    static uint8_t packets[BATCH][2048];
    static uint8_t stamps[BATCH][CMSG_SPACE(sizeof(struct timespec))] __attribute__((aligned(8)));
    struct mmsghdr messages[BATCH] = {0};
    struct iovec rooms[BATCH];
    int count;

    for (int i = 0; i < BATCH; i++) {
        rooms[i] = (struct iovec){packets[i], sizeof packets[i]};
        messages[i].msg_hdr = (struct msghdr){
            .msg_iov = &rooms[i], .msg_iovlen = 1, .msg_control = stamps[i], .msg_controllen = sizeof stamps[i]};
    }
    count = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++)
        if (messages[i].msg_len == PACKET_BYTES) /* RTCP has ports of its own, but may be among them */
            note(&messages[i].msg_hdr, packets[i]);
}

static void *look(void *epoll)
{
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    struct epoll_event events[64];

    while (!over) {
        const int ready = epoll_wait(*(int *)epoll, events, 64, 0);

        for (int i = 0; i < ready; i++)
            take(events[i].data.fd);
        if (ready == 0)
            nanosleep(&pause, NULL);
    }
    return NULL;
}

static void speak(int seconds, uint32_t number)
{
    struct part *const part = &parts[number];
    static int64_t frames; /* of all parts */
    uint8_t packet[PACKET_BYTES] = {0x80};

    part->cpu_us = cpu_us();
    part->begin_ns = now_ns(CLOCK_MONOTONIC);
    for (int64_t slice = 0; slice < seconds * 50L * SLICES; slice++) {
        const int64_t due = part->begin_ns + slice * (FRAME_NS / SLICES);
        const struct timespec at = {due / NS_PER_SECOND, due % NS_PER_SECOND};
        const uint16_t sequence = htons((uint16_t)(frames + slice / SLICES));
        const uint32_t timestamp = htonl((uint32_t)((frames + slice / SLICES) * 160));

        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        memcpy(packet + 2, &sequence, sizeof sequence);
        memcpy(packet + 4, &timestamp, sizeof timestamp);
        memcpy(packet + 12, &number, sizeof number);
        for (int i = (int)(slice % SLICES); i < phones; i += SLICES) {
            const int64_t sent_ns = now_ns(CLOCK_REALTIME);

            memcpy(packet + 8, &i, 4);
            memcpy(packet + 16, &sent_ns, sizeof sent_ns);
            if (sendto(sockets[i], packet, sizeof packet, 0, (void *)&destinations[i], sizeof destinations[i]) > 0)
                part->delays[part->sent++] = (uint32_t)(now_ns(CLOCK_MONOTONIC) - due);
        }
    }
    frames += seconds * 50L;
    part->end_ns = now_ns(CLOCK_MONOTONIC);
    part->cpu_us = cpu_us() - part->cpu_us;
}

static int by_size(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static uint32_t percentile(const uint32_t *sorted, size_t count, double percent)
{
    return count > 0 ? sorted[(size_t)((double)(count - 1) * percent / 100)] : 0;
}

static void report(struct part *part)
{
    const double took_s = (double)(part->end_ns - part->begin_ns) / NS_PER_SECOND;

    qsort(part->latencies, part->received, sizeof *part->latencies, by_size);
    qsort(part->delays, part->sent, sizeof *part->delays, by_size);
    printf("%zu %zu %ld %.0f %u %u %u %u\n", part->sent, part->received, (long)part->cpu_us, (double)part->sent / took_s,
           percentile(part->latencies, part->received, 50), percentile(part->latencies, part->received, 99),
           percentile(part->latencies, part->received, 99.9), percentile(part->delays, part->sent, 99));
}

static int make_room(struct part *part, int seconds)
{
    part->room = (size_t)phones * (size_t)seconds * 50;
    part->latencies = malloc(part->room * sizeof *part->latencies);
    part->delays = malloc(part->room * sizeof *part->delays);
    if (part->latencies == NULL || part->delays == NULL)
        return -1;
    memset(part->latencies, 1, part->room * sizeof *part->latencies); /* the pages are there before anything is measured */
    memset(part->delays, 1, part->room * sizeof *part->delays);
    return 0;
}

int main(int count, char **arguments)
{
    const int beginning = count > 3 ? atoi(arguments[2]) : 0, seconds = count > 3 ? atoi(arguments[3]) : 0;
    const struct timespec drain = {.tv_nsec = DRAIN_NS};
    int epoll = epoll_create1(0);
    const int on = 1;
    pthread_t looker;

    phones = count > 1 ? atoi(arguments[1]) : 0;
    if (phones <= 0 || phones > PHONES_MAX || beginning <= 0 || seconds <= 0)
        return 1;
    for (int i = 0; i < phones; i++) {
        struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct epoll_event event = {.events = EPOLLIN};
        socklen_t bytes = sizeof here;

        event.data.fd = sockets[i] = socket(AF_INET, SOCK_DGRAM, 0);
        if (setsockopt(sockets[i], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0 ||
            bind(sockets[i], (void *)&here, bytes) != 0 || getsockname(sockets[i], (void *)&here, &bytes) != 0 ||
            epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[i], &event) != 0)
            return 2;
        printf("%d\n", ntohs(here.sin_port));
    }
    fflush(stdout);
    for (int i = 0; i < phones; i++) {
        int port;

        if (scanf("%d", &port) != 1)
            return 3;
        destinations[i] = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    }
    if (make_room(&parts[0], beginning) != 0 || make_room(&parts[1], seconds) != 0 ||
        pthread_create(&looker, NULL, look, &epoll) != 0)
        return 4;
    speak(beginning, 0);
    printf("begun\n");
    fflush(stdout);
    speak(seconds, 1);
    nanosleep(&drain, NULL);
    printf("ended\n");
    fflush(stdout);
    over = true;
    pthread_join(looker, NULL);
    report(&parts[0]);
    report(&parts[1]);
    return 0;
}
