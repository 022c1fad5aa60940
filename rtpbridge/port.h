#pragma once
/*
 * A port: the pair of sockets (RTP, RTCP above it) that faces one far side, and all that is known of that far side.
 * Its functions do not lock: whoever calls them holds the bridge's state, or the port is in no table.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "face.h"
#include "flow.h"
#include "hooks.h"
#include "hear.h"
#include "latch.h"
#include "play.h"
#include "quality.h"
#include "recode.h"
#include "rtcp.h"
#include "rtp.h"
#include "secure.h"

#define PAYLOAD_TYPES 128
#define NO_CODEC UINT8_MAX
#define FRAME_MS_USUAL 20 /* of who names none (RFC 3551, 4.2) */

struct watch {
    bool running;              /* there is a far side */
    bool began;                /* it has sent RTP */
    bool silent;               /* and that it is silent was said */
    int64_t heard_ns;          /* last RTP, or connect */
};

/* Whose datagrams the system lets through to the sockets. */
struct fence {
    bool up;
    union address rtp[2];
    union address rtcp[2];
};

/* What a codec is to the bridge. */
struct role {
    enum voice voice;
    bool events;               /* telephone-event */
    bool comfort_noise;        /* CN (RFC 3389) */
};

/*
 * What every packet needs stands first and close together, in the order in which a packet comes to it: with many calls no port is
 * in any cache, and each further line of 64 octets is waited for.
 */
struct port {
    uint64_t id;
    size_t place;              /* in the bridge's list of open ports */
    struct port *peer;         /* NULL: not joined */
    int rtp_fd;
    int rtcp_fd;
    unsigned int requests;     /* of the media thread, that the system has still to answer */
    uint16_t rtp_port;
    bool unwatched;            /* nothing is sent any more, and what comes is let go */
    bool far_sends;
    bool far_receives;
    bool rtcp_multiplexed;
    bool rtcp_reachable;       /* rtcp_destination is known to be the far side's */
    struct latch latch;
    struct envelope envelope;            /* all NULL: plain RTP */
    struct watch watch;
    enum voice spoken;         /* by the far side, last */
    struct listener listener;            /* hear_packet() where there is a far side */
    struct rtp_receiver receiver;
    struct rtp_sender sender;
    struct flow_part flow;
    struct counters counters;  /* some are filled in when asked for */
    struct quality quality;
    struct hearing hearing;
    struct player player;
    int64_t play_ns;           /* its next frame is due */

    uint8_t codec_of[PAYLOAD_TYPES];     /* place in codecs, or NO_CODEC */
    struct role roles[CODECS_MAX];
    struct codec codecs[CODECS_MAX];
    size_t codecs_count;
    uint32_t frame_ms;                   /* 0: it named none */
    struct recoding recodings[PAYLOAD_TYPES]; /* into what the peer understands */
    struct recoder recoder;

    union address host;        /* of ours that both sockets are bound to */
    struct fence fence;
    struct secured secured;
    union address rtcp_destination;
    struct rtcp_heard rtcp_heard;
    struct rtcp_view rtcp_view;
    struct rtcp_beyond beyond;           /* of what the far side sends */
    bool reports_begun;        /* the first interval has been drawn */
    uint64_t reported_packets; /* sent when the last report went */
    int64_t report_ns;         /* the next is due */
    unsigned int seed;
    struct quality_history history; /* of this process; last, as the media thread touches it once in a window */
};

/*
 * Opens both sockets on the host; rtp_port is even. EADDRINUSE: one of the two is taken; EMFILE and ENFILE when
 * descriptors are used up. The caller frees the port with port_close().
 */
int port_open(struct port **port, const union address *host, uint16_t rtp_port);
void port_close(struct port *port);
/* See bridge_port_connect(). On an error nothing has changed. */
int port_connect(struct port *port, const struct far_side *far_side, int64_t now_ns);
/* Packets of each go to the other from now on; a tone of either ends. */
void port_join(struct port *a, struct port *b);
/* The same, of two ports that were joined before: their streams go on as they are. */
void port_rejoin(struct port *a, struct port *b);
/* Does nothing to a port that is not joined. */
void port_split(struct port *port);
/*
 * See bridge_port_play(); the first frame is due at next_ns. `list` is the port's from now on; what comes back in it is not
 * needed any more, and is the caller's to close, also after an error.
 */
int port_play(struct port *port, struct playlist **list, int64_t next_ns);
void port_stop(struct port *port);
void port_detect_inband(struct port *port, bool detects);
/* A packet of one of the far side's codecs has come, or a report of RTCP. */
void port_note(struct port *port, const struct rtp_header *header, int64_t now_ns);
void port_view(struct port *port, const uint8_t *packet, size_t packet_bytes);
/* To be called now and then, for the windows of quality.h. */
void port_judge(struct port *port, int64_t now_ns);
struct counters port_counters(const struct port *port);
void port_scores(const struct port *port, struct scores *scores);
/* See bridge_port_hold(). */
void port_hold(struct port *port, bool far_sends, bool far_receives, int64_t now_ns);
/*
 * Has the system keep strangers away from the sockets while the latch believes nobody new, and not otherwise. Asks the
 * system only when something has changed, and to keep somebody away only while fences are left in `fences_left`; where
 * there are none it is done when asked next. The latch is as strict without it.
 */
void port_fence(struct port *port, int64_t now_ns, const struct latch_rules *rules, size_t *fences_left);
/* The latch has agreed on an address; on another host than the SDP's, its RTCP must be heard before it is answered. */
void port_moved(struct port *port);
/* Sends one datagram of RTCP, if it is known where to; PACKET_TRAILER_BYTES of room are behind it. */
void port_send_rtcp(struct port *port, uint8_t *packet, size_t packet_bytes);
