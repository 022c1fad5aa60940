#pragma once
/* Which way the kernel would send to an address, asked by rtnetlink (rtnetlink(7)), and whether that may have changed. */

#include <stdbool.h>
#include <stdint.h>

#include "address.h"

#define ROUTES_KNOWN 64 /* a power of two: most calls go to few hosts */

struct route {
    union address from;
    union address to;         /* no family: no route */
    uint32_t device;          /* index; 0: the address is this host's own */
};

/* What was asked lately. It is as old as the flows that were laid by it: both are given up when something has changed. */
struct routes {
    int fd;                   /* to ask on */
    struct route known[ROUTES_KNOWN];
};

int routes_open(struct routes *routes);
void routes_close(struct routes *routes);
void routes_forget(struct routes *routes);
/* EHOSTUNREACH: no way; ENOTSUP: by a device that is no Ethernet, which frames are not for the program to read. */
int routes_find(struct routes *routes, uint32_t *device, const union address *from, const union address *to);
/* A socket that is readable after links, addresses, routes or rules have changed; -1 and errno. */
int route_watch(void);
/* Reads it empty; true: something has changed. */
bool route_changed(int fd);
