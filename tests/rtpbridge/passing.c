/*
 * Two phones talk through a bridge that has the kernel path, while the n-th system call that it needs fails, for every n:
 * the voice comes by one path or the other, why it is not the kernel's is said, nothing leaks, and nothing is left pinned.
 * The calls are wrapped by the linker (--wrap). Arguments: the lowest port, a folder for bpffs.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "face.h"

#define CALLS_MAX 200
#define FRAMES 12

static int calls, failing; /* by the bridge's thread too */

static bool fails(void)
{
    return __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) == failing;
}

#define WRAP_SOME(type, name, which, refused, error, parameters, arguments) \
    type __real_##name parameters;                                           \
    type __wrap_##name parameters;                                           \
    type __wrap_##name parameters                                            \
    {                                                                        \
        if ((which) && fails()) {                                            \
            errno = error;                                                   \
            return refused;                                                  \
        }                                                                    \
        return __real_##name arguments;                                      \
    }
#define WRAP(type, name, refused, error, parameters, arguments) \
    WRAP_SOME(type, name, true, refused, error, parameters, arguments)

WRAP_SOME(long, syscall, number == SYS_bpf, -1, EPERM,
          (long number, long a, long b, long c, long d, long e, long f), (number, a, b, c, d, e, f))
WRAP(int, mkdir, -1, EACCES, (const char *path, mode_t mode), (path, mode))
WRAP(int, mount, -1, EPERM, (const char *source, const char *place, const char *kind, unsigned long flags, const void *more),
     (source, place, kind, flags, more))
WRAP(int, flock, -1, ENOLCK, (int fd, int operation), (fd, operation))
/* That of the map: what io_uring asks for, and the library, are told by other flags. */
WRAP_SOME(void *, mmap, flags == MAP_SHARED, MAP_FAILED, ENOMEM, (void *at, size_t bytes, int protection, int flags, int fd, off_t offset),
     (at, bytes, protection, flags, fd, offset))
WRAP(ssize_t, send, -1, ENOBUFS, (int fd, const void *what, size_t bytes, int flags), (fd, what, bytes, flags))

struct phone {
    int fd;
    uint16_t port;
    uint64_t port_id;
    uint16_t bridge_port;
};

static void call(struct phone *phone, struct bridge *bridge)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    const struct timeval patience = {.tv_sec = 5};
    const struct codec codec = {"PCMU/8000", 8000, 0, 0};
    struct far_side far_side = {.host = "127.0.0.1", .codecs = &codec, .codecs_count = 1};

    phone->fd = socket(AF_INET, SOCK_DGRAM, 0);
    bind(phone->fd, (struct sockaddr *)&address, bytes);
    getsockname(phone->fd, (struct sockaddr *)&address, &bytes);
    setsockopt(phone->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    far_side.rtp_port = phone->port = ntohs(address.sin_port);
    if (bridge_port_open(bridge, 0, 0, &phone->port_id, &phone->bridge_port) != 0 ||
        bridge_port_connect(bridge, phone->port_id, &far_side) != 0)
        exit(4);
}

/*
 * True: the frame came to the other phone. The io_uring of the bridge before this one is taken down some time after it was closed, by
 * work that interrupts the thread that made it: this one. What waits with a limit is not resumed by the kernel after that.
 */
static bool say(const struct phone *from, const struct phone *to, unsigned int number)
{
    uint8_t packet[172] = {0x80, 0, 0, (uint8_t)number, 0, 0, (uint8_t)(160 * number >> 8), (uint8_t)(160 * number)};
    uint8_t heard[1500];
    ssize_t came;
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        .sin_port = htons(from->bridge_port),
    };

    memset(packet + 12, (int)number, sizeof packet - 12);
    sendto(from->fd, packet, sizeof packet, 0, (const struct sockaddr *)&address, sizeof address);
    do
        came = recv(to->fd, heard, sizeof heard, 0);
    while (came < 0 && errno == EINTR);
    return came == sizeof packet && heard[12] == number;
}

static void talk(struct bridge *bridge, uint64_t *by_kernel)
{
    struct phone a, b;
    struct counters counters;
    struct kernel_entry entries[4];

    call(&a, bridge);
    call(&b, bridge);
    if (bridge_join(bridge, a.port_id, b.port_id) != 0 ||
        bridge_set_deadline(bridge, a.port_id, b.port_id, INT64_MAX - 1) != 0)
        exit(5);
    for (unsigned int number = 1; number <= FRAMES; number++) {
        if (!say(&a, &b, number) || !say(&b, &a, number))
            exit(6);
        usleep(1000); /* the thread ends its turn */
    }
    bridge_kernel_entries(bridge, 0, entries, 4);
    if (bridge_port_counters(bridge, a.port_id, &counters) != 0 || counters.received_packets != FRAMES)
        exit(7);
    *by_kernel += counters.kernel_packets;
    bridge_split(bridge, a.port_id, b.port_id);
    close(a.fd);
    close(b.fd);
}

int main(int count, char **arguments)
{
    const uint16_t port_min = (uint16_t)atoi(count > 1 ? arguments[1] : "27000");
    const char *const hosts[] = {"127.0.0.1"};
    const struct bridge_plan plan = {
        .hosts = hosts,
        .hosts_count = 1,
        .port_min = port_min,
        .port_max = (uint16_t)(port_min + 99),
        .silence_ms = 1000,
        .latch_ms = 1000,
        .relearn_ms = 1000,
        .report_ms = 1000,
        .kernel = true,
        .kernel_owner = "passing",
        .kernel_pins = count > 2 ? arguments[2] : NULL,
    };
    int refused = 0;

    for (failing = 1; failing < CALLS_MAX; failing++) {
        char why[KERNEL_WHY_BYTES];
        uint64_t by_kernel = 0;
        struct bridge *bridge;

        calls = 0;
        if (bridge_open(&bridge, &plan) != 0)
            return 2;
        if (!bridge_kernel(bridge, why)) {
            refused++;
            if (why[0] == 0)
                return 3;
        }
        talk(bridge, &by_kernel);
        bridge_close(bridge);
        if (calls < failing) {
            printf("%d calls were made to fail in turn, %d of them kept the kernel out\n", failing - 1, refused);
            return by_kernel > 0 && failing > 12 && refused > 3 ? 0 : 8;
        }
    }
    return 9;
}
