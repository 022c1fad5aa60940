/*
 * A bridge is opened, used and closed while the n-th call that may fail fails, for every n: each time an errno comes
 * back, nothing leaks, and the bridge still closes. The calls are wrapped by the linker (--wrap).
 */

#include <errno.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <openssl/evp.h>
#include <pthread.h>

#include "face.h"

#define CALLS_MAX 200

static int calls, failing; /* the media thread makes none of these calls */
static const char *pins;   /* the folder of the kernel path; NULL: it is not used */

static bool fails(void)
{
    return ++calls == failing;
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

WRAP(void *, calloc, NULL, ENOMEM, (size_t count, size_t bytes), (count, bytes))
WRAP(void *, malloc, NULL, ENOMEM, (size_t bytes), (bytes))
WRAP(int, socket, -1, EMFILE, (int family, int type, int protocol), (family, type, protocol))
WRAP(int, bind, -1, EADDRNOTAVAIL, (int fd, const struct sockaddr *address, socklen_t bytes), (fd, address, bytes))
WRAP(int, epoll_create1, -1, EMFILE, (int flags), (flags))
WRAP(void *, mmap, MAP_FAILED, ENOMEM, (void *at, size_t bytes, int protection, int flags, int fd, off_t what),
     (at, bytes, protection, flags, fd, what))
WRAP(int, eventfd, -1, EMFILE, (unsigned int count, int flags), (count, flags))
WRAP(int, timerfd_create, -1, EMFILE, (int clock, int flags), (clock, flags))
WRAP(int, timerfd_settime, -1, ECANCELED,
     (int fd, int flags, const struct itimerspec *timer, struct itimerspec *before), (fd, flags, timer, before))
WRAP(ssize_t, getrandom, -1, ENOSYS, (void *room, size_t bytes, unsigned int flags), (room, bytes, flags))
WRAP(int, pthread_create, EAGAIN, EAGAIN,
     (pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument),
     (thread, attributes, start, argument))

WRAP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_new, NULL, ENOMEM, (void), ())
WRAP(EVP_MD_CTX *, EVP_MD_CTX_new, NULL, ENOMEM, (void), ())
WRAP(int, EVP_EncryptUpdate, 0, EIO,
     (EVP_CIPHER_CTX *context, unsigned char *out, int *written, const unsigned char *octets, int bytes),
     (context, out, written, octets, bytes))
WRAP(int, EVP_CipherInit_ex, 0, EIO,
     (EVP_CIPHER_CTX *context, const EVP_CIPHER *cipher, ENGINE *engine, const unsigned char *key,
      const unsigned char *iv, int encrypts),
     (context, cipher, engine, key, iv, encrypts))
WRAP(int, EVP_DigestInit_ex, 0, EIO, (EVP_MD_CTX *context, const EVP_MD *digest, ENGINE *engine),
     (context, digest, engine))

/* Only what can fail without a mistake of ours: to be forgotten by epoll cannot. */
WRAP_SOME(int, epoll_ctl, action == EPOLL_CTL_ADD, -1, ENOSPC,
          (int epoll, int action, int fd, struct epoll_event *event), (epoll, action, fd, event))
/* Without its filter a socket is slower under junk, and not less strict; it is tried again. */
WRAP_SOME(int, setsockopt, name != SO_ATTACH_FILTER, -1, ENOBUFS,
          (int fd, int level, int name, const void *value, socklen_t bytes), (fd, level, name, value, bytes))
/*
 * io_uring and BPF have no functions in the library. What the bridge's own thread asks comes later; what an earlier
 * process left is looked for here, and is not there.
 */
WRAP_SOME(long, syscall,
          number == __NR_io_uring_setup || (number == __NR_io_uring_register && b == IORING_REGISTER_PBUF_RING) ||
              (number == __NR_bpf && a != BPF_OBJ_GET),
          -1, ENOMEM, (long number, long a, long b, long c, long d, long e, long f), (number, a, b, c, d, e, f))

/* Where the flows of an owner are kept. */
WRAP_SOME(int, mkdir, pins != NULL, -1, ENOSPC, (const char *path, mode_t mode), (path, mode))
WRAP_SOME(int, mount, pins != NULL, -1, ENOMEM,
          (const char *what, const char *where, const char *kind, unsigned long flags, const void *options),
          (what, where, kind, flags, options))
WRAP_SOME(int, flock, pins != NULL, -1, ENOLCK, (int fd, int what), (fd, what))

/* The first error met, or 0. That the kernel path is not to be had is no error of the bridge's, but is said. */
static int use(uint16_t port_min, enum way way)
{
    const char *const hosts[] = {"::1", "127.0.0.1"};
    const struct bridge_plan plan = {hosts, 2, port_min, (uint16_t)(port_min + 99), 1000, 1000, 1000, 1000, 1000, way,
                                     pins != NULL, pins != NULL ? "failing" : NULL, pins};
    char why[KERNEL_WHY_BYTES];
    const struct codec codec = {"PCMU/8000", 8000, 0, 0};
    const struct far_side far_side = {"::1", 9, 0, &codec, 1, 0};
    const struct srtp_key keys[] = {{.suite = SRTP_AES_CM_128_HMAC_SHA1_80}, {.suite = SRTP_AEAD_AES_256_GCM}};
    struct play_item item = {.kind = PLAY_PROMPT};
    struct bridge *bridge = NULL;
    uint64_t a, b;
    uint16_t rtp_port;
    int error = bridge_open(&bridge, &plan);

    if (error != 0)
        return error;
    if (pins != NULL && (!bridge_kernel(bridge, why) || why[0] != 0)) {
        bridge_close(bridge);
        return ENOTSUP;
    }
    error = bridge_port_open(bridge, 0, 0, &a, &rtp_port);
    if (error == 0)
        error = bridge_port_open(bridge, 1, 0, &b, &rtp_port);
    if (error == 0)
        error = bridge_port_connect(bridge, a, &far_side);
    if (error == 0)
        error = bridge_port_secure(bridge, a, &keys[0], &keys[1], 0);
    if (error == 0)
        error = bridge_port_secure(bridge, a, &keys[1], &keys[0], 0);
    if (error == 0)
        error = prompt_open(&item.prompt, (int16_t[80]){0}, 80, 8000);
    for (int i = 0; error == 0 && i < 2; i++)
        error = bridge_port_play(bridge, a, &item, 1, true);
    prompt_release(item.prompt);
    if (error == 0)
        error = bridge_join(bridge, a, b);
    if (error == 0)
        error = bridge_port_close(bridge, b);
    bridge_close(bridge);
    return error;
}

int main(int count, char **arguments)
{
    const uint16_t port_min = (uint16_t)atoi(count > 1 ? arguments[1] : "25000");

    /* WAY_BEST would answer a failing io_uring with epoll, and not with an error. */
    const bool epoll = count > 2 && strcmp(arguments[2], "epoll") == 0;
    const enum way way = epoll || use(port_min, WAY_URING) != 0 ? WAY_EPOLL : WAY_URING;

    pins = count > 2 && !epoll ? arguments[2] : NULL;

    for (failing = 1; failing < CALLS_MAX; failing++) {
        const int error = (calls = 0, use(port_min, way));

        if (calls < failing) {
            printf("%d calls were made to fail in turn\n", failing - 1);
            return error == 0 && failing > 20 ? 0 : 1;
        }
        if (error == 0)
            return 2; /* a failure went unnoticed */
    }
    return 3;
}
