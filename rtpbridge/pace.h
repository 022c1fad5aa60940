#pragma once
/* What a port does because time has passed: the next frame of its tone, the word that it is silent, its report. */

#include <stdint.h>

#include "port.h"
#include "relay.h"

#define FRAME_MS 20
#define FRAME_NS (FRAME_MS * 1000000)
#define FRAMES_CAUGHT_UP_MAX 5 /* after a longer stall the tone goes on from here */

struct pace {
    int64_t silence_ns;
    int64_t report_ns;
    char cname[RTCP_CNAME_BYTES];
};

/*
 * tick_ns: the moment on the grid of 20 ms that this call is for, at or before now_ns. Returns when it is to be called next, 0 for
 * the very next tick, unless a packet or the host program changes something: to be called now and then besides is no harm.
 */
int64_t pace_port(struct port *port, const struct pace *pace, const struct turn *turn, int64_t tick_ns);
/* Seconds since 1900, 32.32. */
uint64_t pace_ntp_now(void);
/* The last report of a port, with BYE; nothing where none was ever sent. */
void pace_goodbye(struct port *port, const struct pace *pace, int64_t now_ns);
