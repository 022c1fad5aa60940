#pragma once
/*
 * Where the objects of the kernel path outlive their process: a folder of bpffs for each owner. One process at a time has
 * an owner's. What the objects are is kernel.c's.
 */

#include <linux/bpf.h>

#define PINS_PATH_BYTES 512

struct pins {
    char mount[PINS_PATH_BYTES];  /* the folder of all owners */
    char folder[PINS_PATH_BYTES]; /* empty: nothing is pinned */
    int folder_fd;                /* locked while this process holds the flows */
};

/* bpf(2). */
int pins_bpf(enum bpf_cmd command, union bpf_attr *attributes);

/* In that place, or, NULL or empty, where a host has bpffs. EWOULDBLOCK: another process has it. After an error nothing is pinned. */
int pins_open(struct pins *pins, const char *place, const char *owner);
/* Takes all of the owner's pins away with their folder; what nothing else holds ends. */
void pins_close(struct pins *pins);
/* Takes the pins away, and keeps the folder. */
void pins_clear(const struct pins *pins);
int pins_put(const struct pins *pins, int fd, const char *name);
/* The object that is pinned under a name; -1: none. */
int pins_get(const struct pins *pins, const char *name);
void pins_remove(const struct pins *pins, const char *name);
