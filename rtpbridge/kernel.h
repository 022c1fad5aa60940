#pragma once
/*
 * The kernel path as the bridge sees it: the program and its map, where they are pinned, the devices it is attached to.
 * What a flow means for a port is flow.c's. One process at a time holds the pins of an owner.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "face.h"
#include "slot.h"

#define KERNEL_DEVICES_MAX 64

struct kernel;

struct kernel_plan {
    const char *owner;        /* letters, digits, dots, dashes, underscores; NULL or empty: nothing is pinned */
    const char *pins;         /* a folder of bpffs, or one to mount it on; NULL or empty: where a host has it */
    uint16_t port_first;
    uint32_t pairs;
};

/*
 * Loads the program, or takes over what an earlier process of this owner left: its flows go on meanwhile. An errno where
 * the host does not permit it, and `why` says it in words; with 0, `why` is empty or says why nothing is pinned.
 */
int kernel_open(struct kernel **kernel, const struct kernel_plan *plan, char why[KERNEL_WHY_BYTES]);
/* Detaches the program and leaves nothing behind. */
void kernel_close(struct kernel *kernel);
/* Removes what an earlier process of this owner left; for a bridge that is not to use the kernel. */
void kernel_forget(const struct kernel_plan *plan);
/* That of a pair of ports. */
struct kernel_flow *kernel_flow(const struct kernel *kernel, size_t pair);
struct kernel_more *kernel_more(const struct kernel *kernel, size_t pair);
/* KERNEL_MEMORY_BYTES of the bridge's own: what the next process must know of that flow to carry on. */
void *kernel_memory(const struct kernel *kernel, size_t pair);
/* Lets the program see what comes in on a device; done before: nothing. */
int kernel_attach(struct kernel *kernel, uint32_t device);
/* After a change of links: forgets devices that are gone. */
void kernel_review(struct kernel *kernel);
