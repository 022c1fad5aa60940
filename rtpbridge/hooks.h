#pragma once
/*
 * Where other files take part in a packet's way through relay.c, in the order in which it comes to them. A hook that
 * is not set costs a look at a null pointer. All are called by the media thread with the bridge's state held: no
 * allocation, no system call, no lock. A hook's owner sets it under that state, and frees its own when the port closes.
 */

#include "face.h"
#include "packet.h"

struct turn;                     /* of relay.h */

#define RECODED_MAX 6            /* packets that one may become: 120 ms in frames of 20 */

/*
 * What stands between the port and its far side (SRTP). Opening comes before anything is believed or counted: 0 and
 * the shorter size, or an errno, and the packet is dropped as unauthentic. Sealing comes last: 0 and the longer size.
 * An opened packet is plain; sealing has PACKET_TRAILER_BYTES of room.
 */
struct envelope {
    int (*open_rtp)(void *state, uint8_t *packet, size_t *bytes);
    int (*open_rtcp)(void *state, uint8_t *packet, size_t *bytes);
    int (*seal_rtp)(void *state, uint8_t *packet, size_t *bytes);
    int (*seal_rtcp)(void *state, uint8_t *packet, size_t *bytes);
    void *state;
};

/* Who listens to what the far side says: every accepted packet in the order of arrival, before it is sent on. */
struct listener {
    void (*hear)(void *state, const struct packet *packet, const struct codec *codec, const struct turn *turn);
    void *state;
};

/*
 * How packets of one payload type become the peer's. `turn` gets the packet that came as packets[0], and rooms for
 * more; it returns how many are to be sent: 0 (it gathers), 1, up to RECODED_MAX. What comes out is a source with
 * sequence and timestamp of its own, in clock_hz; the stream to the far side follows it.
 */
struct recoding {
    uint8_t payload_type;        /* the peer's number, or NO_PAYLOAD: dropped */
    uint32_t clock_hz;           /* of what comes out */
    size_t (*turn)(void *state, struct packet packets[RECODED_MAX]); /* NULL: the payload goes on as it is */
    void *state;
};
