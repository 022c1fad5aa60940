/*
 * The whole C face of the RTP bridge, on one page; cffi reads this file as it stands.
 *
 * Our own files include it through face.h. Every function that returns int returns 0 or an errno.
 * A port is named by its id, never by a pointer: the id of a closed port is answered with EBADF and is never given
 * again. Strings and arrays handed in belong to the caller and are copied. All calls may be made from any thread.
 */

#define PORT_PAIRS_MAX 32767     /* RTP ports of one bridge, each with its RTCP port beside it */
#define HOSTS_MAX 8              /* addresses of this host that ports may bind */
#define CODECS_MAX 16            /* codecs of one far side */
#define NO_PAYLOAD 255           /* in place of a far side's number: a codec that is understood from it and never sent to it */
#define CODEC_NAME_BYTES 32      /* encoding name and clock as in a=rtpmap, with the closing zero */
#define PROMPT_SECONDS_MAX 300
#define RATE_HZ_MIN 4000
#define RATE_HZ_MAX 48000
#define PLAY_ITEMS_MAX 64
#define PLAY_MS_MAX 600000       /* of a tone, a pause, a digit */
#define FRAME_MS_MIN 10
#define FRAME_MS_MAX 120
#define TONE_FREQUENCIES_MAX 4
#define TONE_CADENCE_MAX 16      /* on, off, on, off ... */
#define TONE_CADENCE_MS_MAX 60000
#define SRTP_KEY_BYTES_MAX 32
#define SRTP_SALT_BYTES_MAX 14
#define SRTP_MKI_BYTES_MAX 16    /* RFC 4568, 6.1 allows 128; 1 to 4 are in use */
#define KERNEL_WHY_BYTES 256     /* a reason in words, with the closing zero */
#define EVENTS_MAX 4096          /* events waiting to be read; more are counted as lost */

struct bridge;

/* How datagrams come and go: io_uring costs half, epoll is everywhere. */
enum way { WAY_BEST, WAY_URING, WAY_EPOLL };

struct bridge_plan {
    const char *const *hosts;    /* IPv4 and IPv6 literals of this host; a port binds one of them */
    size_t hosts_count;          /* 1 to HOSTS_MAX */
    uint16_t port_min;
    uint16_t port_max;
    uint32_t silence_ms;         /* a far side that sends no RTP for so long is silent */
    uint32_t latch_ms;           /* the address of the SDP must be silent so long before another is believed */
    uint32_t relearn_ms;         /* who was believed must be silent so long before a neighbour is, twice as long for others */
    uint32_t report_ms;          /* mean time between two RTCP reports of a port (RFC 3550, 6.2) */
    uint32_t gather_us;          /* after packets came the next are let gather so long at most: less CPU, that much more latency */
    enum way way;                /* WAY_BEST: io_uring where the host permits it */
    bool kernel;                 /* joined pairs pass through the kernel where they may and the host permits it */
    const char *kernel_owner;    /* whose flows outlive the process, and are taken over by the next; NULL: nobody's */
    const char *kernel_pins;     /* a folder for them; NULL: where bpffs is mounted, or /run/webcb-bpf */
};

struct codec {
    char name[CODEC_NAME_BYTES]; /* "PCMU/8000"; compared without regard to case (RFC 8866, 6.6) */
    uint32_t clock_hz;
    uint8_t payload_type;        /* 0 to 127: the far side's number for it, which what we send carries; or NO_PAYLOAD */
    uint8_t our_payload_type;    /* the number our own SDP gave it, which what we receive carries (RFC 3264, 5.1) */
};

struct far_side {
    const char *host;            /* connection address of its SDP, a literal of the port's family */
    uint16_t rtp_port;
    uint16_t rtcp_port;          /* 0: the port above; equal to rtp_port: multiplexed (RFC 5761) */
    const struct codec *codecs;  /* in its order of preference */
    size_t codecs_count;
    uint32_t frame_ms;           /* its a=ptime, FRAME_MS_MIN to FRAME_MS_MAX; 0: it named none, frames go as they come */
};

/* The crypto suites of SDES (RFC 4568, 6.2; RFC 7714, 14.2). */
enum srtp_suite {
    SRTP_AES_CM_128_HMAC_SHA1_80,
    SRTP_AES_CM_128_HMAC_SHA1_32,
    SRTP_AEAD_AES_128_GCM,
    SRTP_AEAD_AES_256_GCM
};

/* What a=crypto says of one direction: the octets beyond the suite's own lengths are not read. */
struct srtp_key {
    enum srtp_suite suite;
    uint8_t master_key[SRTP_KEY_BYTES_MAX];
    uint8_t master_salt[SRTP_SALT_BYTES_MAX];
    uint8_t mki[SRTP_MKI_BYTES_MAX];
    size_t mki_bytes;            /* 0: packets carry none */
};

struct tone_plan {
    double frequencies_hz[TONE_FREQUENCIES_MAX];
    size_t frequencies_count;
    uint32_t cadence_ms[TONE_CADENCE_MAX];
    size_t cadence_count;        /* even; 0: the tone is never broken */
    double level_dbm0;           /* of each frequency */
};

struct counters {
    uint64_t received_packets;   /* RTP accepted from the far side; octets are of payload, as in a sender report */
    uint64_t received_octets;
    uint64_t kernel_packets;     /* those of received_packets that passed through the kernel */
    uint64_t sent_packets;
    uint64_t sent_octets;
    uint64_t dropped_strangers;  /* from an address that is not the far side's */
    uint64_t dropped_by_system;  /* strangers kept away from the socket, and what found no room in its buffer */
    uint64_t dropped_unauthentic; /* from the far side's address, but not sealed as agreed */
    uint64_t dropped_payload;    /* of a codec the other side does not have */
    uint64_t dropped_malformed;
    uint64_t dropped_late;       /* older than the join: their numbers were spent on what came before it */
    uint64_t dropped_unsent;     /* the system did not take it */
    uint64_t dropped_deadline;   /* came after the join's deadline */
    uint64_t received_rtcp;
    uint64_t sent_rtcp;
    int64_t lost_packets;        /* by sequence number; 0 or more */
    int64_t last_received_ns;    /* CLOCK_MONOTONIC; 0: never */
    double jitter_ms;            /* RFC 3550, A.8 */
    uint64_t duplicate_packets;
    uint64_t reordered_packets;
    uint64_t burst_lost_packets; /* fewer than 16 packets after or before another loss (RFC 3611, 4.7.2) */
    uint64_t comfort_noise_packets; /* RFC 3389 */
    int64_t silent_ms;           /* pauses over 200 ms that no comfort noise or talkspurt explains */
    bool one_way;                /* for 5 s we have sent and heard nothing */
    bool was_one_way;            /* it was so at any time while it was joined */
    double score;                /* mean opinion score of the last 5 s by the E-model, 1 to 4.5; 0: not known yet */
    double score_min;
    double score_mean;
    int64_t far_lost_packets;    /* of our stream, as the far side reports it; 0 or more */
    double far_jitter_ms;
    double round_trip_ms;        /* by its reports; 0: not known */
};

#define SCORES_MAX 720           /* an hour of 5 s; of a longer call each stands for 10 s, 20 s ... */

/* The mean opinion scores of a port in order, each of the same time. */
struct scores {
    int64_t begun_ns;            /* CLOCK_MONOTONIC; 0: none has begun */
    uint32_t window_ms;
    uint32_t count;
    uint8_t fiftieths[SCORES_MAX]; /* of a point; 0: there was nothing to judge */
};

/* What the kernel forwards from one port's far side to another's; of this process, or left by an earlier one. */
struct kernel_entry {
    uint16_t rtp_port;
    uint16_t peer_rtp_port;
    bool held;                   /* by an open port of this bridge */
    int64_t deadline_ns;
    uint64_t packets;
    int64_t last_ns;             /* CLOCK_MONOTONIC */
};

enum event_kind {
    EVENT_MEDIA_BEGAN,
    EVENT_SILENT,
    EVENT_RESUMED,
    EVENT_DIGIT,                 /* a key was pressed and released */
    EVENT_PLAYED,                /* all that was to be played has been */
    EVENT_STOPPED                /* a digit cut it off */
};

struct event {
    uint64_t port_id;
    int64_t at_ns;               /* CLOCK_MONOTONIC */
    enum event_kind kind;
    uint32_t duration_ms;        /* of a digit */
    char digit;                  /* 0 to 9, *, #, A to D */
};

/* Samples of 16 bits that many ports can play at once. */
struct prompt;

enum play_kind { PLAY_PROMPT, PLAY_TONE, PLAY_PAUSE, PLAY_DIGIT };

struct play_item {
    enum play_kind kind;
    struct prompt *prompt;       /* is held until it is not played any more */
    struct tone_plan tone;
    uint32_t duration_ms;        /* of a tone, 0: without an end, and the last; of a pause; of a digit, 20 or more */
    char digit;
};

/* Starts the thread. EINVAL: no literal, or a range without a pair; EADDRNOTAVAIL: a host is not ours; ENOSYS, EPERM: no io_uring here. */
int bridge_open(struct bridge **bridge, const struct bridge_plan *plan);
/* Closes every port, stops the thread and frees the bridge. */
void bridge_close(struct bridge *bridge);
/* Which way was taken: WAY_URING or WAY_EPOLL. */
enum way bridge_way(const struct bridge *bridge);
/* An eventfd, readable while events wait; it belongs to the bridge. */
int bridge_event_fd(const struct bridge *bridge);
/* Takes up to events_max events, oldest first, and returns how many; for one reader at a time. */
size_t bridge_events(struct bridge *bridge, struct event *events, size_t events_max);
/* How many events were lost since the start because nobody read them. */
uint64_t bridge_events_lost(const struct bridge *bridge);

/*
 * Binds the host of that place in the plan's list. rtp_port 0 draws one at random. EADDRINUSE: it, or all of them, are
 * taken; EINVAL: odd or out of the range, or no such host.
 */
int bridge_port_open(struct bridge *bridge, size_t host, uint16_t rtp_port, uint64_t *port_id,
                     uint16_t *rtp_port_opened);
/* Sends RTCP BYE, splits the port and closes its sockets. */
int bridge_port_close(struct bridge *bridge, uint64_t port_id);
/*
 * May be called again. EINVAL: no literal, port 0, codecs out of their limits; EAFNOSUPPORT: not of the port's family;
 * ELOOP: it is an open port of this bridge.
 */
int bridge_port_connect(struct bridge *bridge, uint64_t port_id, const struct far_side *far_side);
/*
 * SRTP from now on, and nothing else: what we send is under `ours`, what comes must be under `theirs`; both NULL: plain RTP.
 * Again with other keys rekeys, with the same ones changes nothing. rollovers_max: how often the sequence of a stream that
 * began before we came may have wrapped. EINVAL: one key alone, or out of its limits; ENOMEM, EIO (OpenSSL): nothing changed.
 */
int bridge_port_secure(struct bridge *bridge, uint64_t port_id, const struct srtp_key *ours,
                       const struct srtp_key *theirs, uint32_t rollovers_max);
/* What the far side's SDP says of it: whether it sends, whether it receives (RFC 3264, 8.4). */
int bridge_port_hold(struct bridge *bridge, uint64_t port_id, bool far_sends, bool far_receives);
/* Copies the samples, of 8 or 16 kHz. EINVAL: another clock, none, or more than PROMPT_SECONDS_MAX; ENOMEM. */
int prompt_open(struct prompt **prompt, const int16_t *samples, size_t samples_count, uint32_t clock_hz);
/* The caller's hold ends; who plays it has his own. NULL is no fault. */
void prompt_release(struct prompt *prompt);
/* The samples at another rate, both RATE_HZ_MIN to RATE_HZ_MAX; as many as there is room for. EINVAL: another rate; ENOMEM. */
int rate_change(const int16_t *samples, size_t samples_count, uint32_t from_hz, int16_t *changed, size_t changed_count,
                uint32_t to_hz);
/*
 * Plays the items in a row instead of what is played; to a port that is joined, instead of what its peer says. Digits go as
 * telephone events (RFC 4733) where the far side has them, else as tones. barge_in: a digit of the far side ends it.
 * ENOTCONN: no far side; EBUSY: joined, and it has no end; ENOTSUP: the far side has neither PCMU, PCMA nor G.722; EINVAL:
 * an item's limits; ENOMEM.
 */
int bridge_port_play(struct bridge *bridge, uint64_t port_id, const struct play_item *items, size_t count,
                     bool barge_in);
/* Whether digits are sought among the tones of the voice, until telephone events come. */
int bridge_port_detect_inband(struct bridge *bridge, uint64_t port_id, bool detects);
int bridge_port_stop(struct bridge *bridge, uint64_t port_id);
int bridge_port_counters(struct bridge *bridge, uint64_t port_id, struct counters *counters);
int bridge_port_scores(struct bridge *bridge, uint64_t port_id, struct scores *scores);
/* EBUSY: one of them is joined to a third; EINVAL: they are one. A tone that plays at either ends. */
int bridge_join(struct bridge *bridge, uint64_t port_a, uint64_t port_b);
/* ENOTCONN: they are not joined to each other. */
int bridge_split(struct bridge *bridge, uint64_t port_a, uint64_t port_b);
/*
 * From that moment of CLOCK_MONOTONIC on, what comes to either of two joined ports is not sent on, by the kernel neither,
 * though this process be dead. A join begins without a deadline; INT64_MAX is none. ENOTCONN as in bridge_split().
 */
int bridge_set_deadline(struct bridge *bridge, uint64_t port_a, uint64_t port_b, int64_t deadline_ns);
/*
 * Joins two ports, connected and not joined, as an earlier process had them joined: the flows that it left in the kernel go
 * on, and the streams with their numbers. ENOENT: it left none; ENOTCONN: not connected; EBUSY: joined.
 */
int bridge_adopt(struct bridge *bridge, uint64_t port_a, uint64_t port_b);
/* True: the kernel is used. `why` says why not, or with what limit; empty: with none. */
bool bridge_kernel(const struct bridge *bridge, char why[KERNEL_WHY_BYTES]);
/* Takes up to entries_max flows, by port, from the one after `after`, and returns how many; 0: there are no more. */
size_t bridge_kernel_entries(struct bridge *bridge, uint16_t after, struct kernel_entry *entries, size_t entries_max);
/* Ends what an earlier process left for that port. ENOENT: nothing; EBUSY: an open port holds it. */
int bridge_kernel_remove(struct bridge *bridge, uint16_t rtp_port);
/* Tries all that the kernel path needs and takes it back; the answer is that of bridge_kernel(). */
bool bridge_kernel_try(char why[KERNEL_WHY_BYTES]);
