/*
 * Phones for bench/media.py: each sends a PCMU frame every 20 ms, at a moment of its own, and measures how long the frames it
 * gets were on their way, by the stamp of the kernel: until they came to its host, not until this process got a core to look at
 * them. A real phone is another host: what carries its frames does not wake it up and is not kept from a core by it. So
 * nobody here waits for a socket; a thread looks at all of them every millisecond.
 *
 * Arguments: phones, lists of destinations, parts, seconds a part has at most, and optionally `pinned`: who sends has the first core,
 * who looks the second. Prints the phones' ports, reads as many destination ports for each list, then orders, a line each:
 *
 *     list  part  milliseconds of talk that count for nothing  milliseconds of talk that count for the part
 *
 * So the same phones talk by one way and by another in turns, and what differs is the way. A list has sequence numbers of its own,
 * so that none is missed by it. After each order a line comes: frames sent, received, CPU microseconds of what counts. When there
 * are no more orders, a line for each part: the same of all its orders; packets a second; the percentiles 50, 99, 99.9 of how long
 * frames were on their way and the 99th of how late they were sent, in nanoseconds.
 */

#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
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
#define LISTS_MAX 4
#define PARTS_MAX 8
#define NO_PART UINT32_MAX
#define NS_PER_SECOND 1000000000L
#define FRAME_NS 20000000L
#define SLICES 80 /* of a frame time, 250 us each */
#define PACKET_BYTES 172
#define LOOK_NS 1000000L
#define DRAIN_NS 100000000L /* what is still on its way when an order is over comes meanwhile, and counts */
#define BATCH 16

/* Of one part of the talk. */
struct part {
    uint32_t *latencies, *delays;
    size_t room, sent;
    _Atomic size_t received;
    int64_t took_ns, cpu_us;
};

/* One way of talking: where each phone sends to, and how many frames each has sent there. */
struct list {
    struct sockaddr_in destinations[PHONES_MAX];
    int64_t frames;
};

static int phones, lists_count, parts_count, sockets[PHONES_MAX];
static struct list lists[LISTS_MAX];
static struct part parts[PARTS_MAX];
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
    if (number >= (uint32_t)parts_count)
        return; /* counts for nothing, or is of no phone: what an engine plays before both are on the line */
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

static void speak(struct list *list, int64_t milliseconds, uint32_t number)
{
    const int64_t slices = milliseconds * 1000000 / (FRAME_NS / SLICES);
    struct part *const part = number < NO_PART ? &parts[number] : NULL;
    const int64_t begin_ns = now_ns(CLOCK_MONOTONIC);
    uint8_t packet[PACKET_BYTES] = {0x80};

    for (int64_t slice = 0; slice < slices; slice++) {
        const int64_t due = begin_ns + slice * (FRAME_NS / SLICES);
        const struct timespec at = {due / NS_PER_SECOND, due % NS_PER_SECOND};
        const int64_t frame = list->frames + slice / SLICES;
        const uint16_t sequence = htons((uint16_t)frame);
        const uint32_t timestamp = htonl((uint32_t)(frame * 160));

        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        memcpy(packet + 2, &sequence, sizeof sequence);
        memcpy(packet + 4, &timestamp, sizeof timestamp);
        memcpy(packet + 12, &number, sizeof number);
        for (int i = (int)(slice % SLICES); i < phones; i += SLICES) {
            const int64_t sent_ns = now_ns(CLOCK_REALTIME);
            const struct sockaddr_in *const to = &list->destinations[i];

            memcpy(packet + 8, &i, 4);
            memcpy(packet + 16, &sent_ns, sizeof sent_ns);
            if (sendto(sockets[i], packet, sizeof packet, 0, (const void *)to, sizeof *to) > 0 && part != NULL &&
                part->sent < part->room)
                part->delays[part->sent++] = (uint32_t)(now_ns(CLOCK_MONOTONIC) - due);
        }
    }
    list->frames += slices / SLICES;
    if (part != NULL)
        part->took_ns += now_ns(CLOCK_MONOTONIC) - begin_ns;
}

static void carry_out(struct list *list, uint32_t number, int64_t idle_ms, int64_t counted_ms)
{
    const struct timespec drain = {.tv_nsec = DRAIN_NS};
    struct part *const part = &parts[number];
    const size_t sent = part->sent, received = part->received;
    int64_t used_us;

    speak(list, idle_ms, NO_PART);
    printf("begun\n");
    fflush(stdout);
    used_us = cpu_us();
    speak(list, counted_ms, number);
    nanosleep(&drain, NULL);
    used_us = cpu_us() - used_us;
    part->cpu_us += used_us;
    printf("%zu %zu %ld\n", part->sent - sent, part->received - received, (long)used_us);
    fflush(stdout);
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
    const double took_s = (double)part->took_ns / NS_PER_SECOND;
    const size_t received = part->received;

    qsort(part->latencies, received, sizeof *part->latencies, by_size);
    qsort(part->delays, part->sent, sizeof *part->delays, by_size);
    printf("%zu %zu %ld %.0f %u %u %u %u\n", part->sent, received, (long)part->cpu_us,
           took_s > 0 ? (double)part->sent / took_s : 0, percentile(part->latencies, received, 50),
           percentile(part->latencies, received, 99), percentile(part->latencies, received, 99.9),
           percentile(part->delays, part->sent, 99));
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

/* To the core, if the host has so many. */
static void pin(pthread_t thread, int core)
{
    cpu_set_t cores;

    CPU_ZERO(&cores);
    CPU_SET((size_t)core, &cores);
    pthread_setaffinity_np(thread, sizeof cores, &cores);
}

static int open_phones(int epoll)
{
    const int on = 1;

    for (int i = 0; i < phones; i++) {
        struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct epoll_event event = {.events = EPOLLIN};
        socklen_t bytes = sizeof here;

        event.data.fd = sockets[i] = socket(AF_INET, SOCK_DGRAM, 0);
        if (setsockopt(sockets[i], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0 ||
            bind(sockets[i], (void *)&here, bytes) != 0 || getsockname(sockets[i], (void *)&here, &bytes) != 0 ||
            epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[i], &event) != 0)
            return -1;
        printf("%d\n", ntohs(here.sin_port));
    }
    fflush(stdout);
    return 0;
}

static int read_destinations(struct list *list)
{
    for (int i = 0; i < phones; i++) {
        int port;

        if (scanf("%d", &port) != 1)
            return -1;
        list->destinations[i] = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    }
    return 0;
}

int main(int count, char **arguments)
{
    const int seconds = count > 4 ? atoi(arguments[4]) : 0;
    int epoll = epoll_create1(0), list, part, idle_ms, counted_ms;
    pthread_t looker;

    phones = count > 4 ? atoi(arguments[1]) : 0;
    lists_count = count > 4 ? atoi(arguments[2]) : 0;
    parts_count = count > 4 ? atoi(arguments[3]) : 0;
    if (phones <= 0 || phones > PHONES_MAX || lists_count <= 0 || lists_count > LISTS_MAX || parts_count <= 0 ||
        parts_count > PARTS_MAX || seconds <= 0)
        return 1;
    if (open_phones(epoll) != 0)
        return 2;
    for (int i = 0; i < lists_count; i++)
        if (read_destinations(&lists[i]) != 0)
            return 3;
    for (int i = 0; i < parts_count; i++)
        if (make_room(&parts[i], seconds) != 0)
            return 4;
    if (pthread_create(&looker, NULL, look, &epoll) != 0)
        return 4;
    if (count > 5 && strcmp(arguments[5], "pinned") == 0) {
        pin(pthread_self(), 0);
        pin(looker, 1);
    }
    while (scanf("%d %d %d %d", &list, &part, &idle_ms, &counted_ms) == 4) {
        if (list < 0 || list >= lists_count || part < 0 || part >= parts_count)
            return 5;
        carry_out(&lists[list], (uint32_t)part, idle_ms, counted_ms);
    }
    over = true;
    pthread_join(looker, NULL);
    for (int i = 0; i < parts_count; i++)
        report(&parts[i]);
    return 0;
}
