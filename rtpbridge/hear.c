#include "hear.h"

#include "port.h"
#include "relay.h"

static void tell(const struct port *port, const struct turn *turn, const struct dtmf_digit *digit)
{
    ring_put(turn->ring, (struct event){port->id, turn->now_ns, EVENT_DIGIT, digit->duration_ms, digit->digit});
}

/* What is played gives way to the first key (barge-in). */
static void interrupt(struct port *port, const struct turn *turn)
{
    if (!port->player.playing || !port->player.list->barge_in)
        return;
    port_stop(port);
    ring_put(turn->ring, (struct event){port->id, turn->now_ns, EVENT_STOPPED, 0, 0});
}

static void take(struct port *port, const struct turn *turn, const struct dtmf_told *told)
{
    for (size_t i = 0; i < told->ended_count; i++)
        tell(port, turn, &told->ended[i]);
    if (told->began)
        interrupt(port, turn);
}

/* The peer's far side cannot be sent the event: it hears the key, for as long as it is pressed. */
static void sound_key(const struct port *port, const struct turn *turn, const struct dtmf_told *told)
{
    struct port *const peer = port->peer;

    if (peer == NULL || peer->player.event_payload != PLAY_NO_EVENTS || peer->player.encoder.voice == VOICE_NONE)
        return;
    if (told->began && !peer->player.playing) {
        if (!player_is_busy(&peer->player)) {
            peer->play_ns = turn->now_ns;
            rtp_sender_switch(&peer->sender);
        }
        player_press(&peer->player, dtmf_digit_of(port->hearing.events.event));
        turn_rouse(turn, peer);
    }
    if (!port->hearing.events.pressed)
        player_release(&peer->player);
}

static void hear_event(struct port *port, const struct packet *packet, const struct turn *turn)
{
    struct hearing *const hearing = &port->hearing;
    struct dtmf_told told;

    if (dtmf_take(&hearing->events, &packet->header, packet->octets + packet->header.payload_begin, packet->clock_hz,
                  turn->now_ns, &told) != 0)
        return;
    hearing->has_events = hearing->has_events || told.began;
    if (told.began)
        turn_rouse(turn, port);
    take(port, turn, &told);
    sound_key(port, turn, &told);
}

static void hear_voice(struct port *port, const struct packet *packet, enum voice voice, const struct turn *turn)
{
    struct hearing *const hearing = &port->hearing;
    int16_t samples[PACKET_BYTES_MAX];
    struct dtmf_told told;

    if (hearing->decoder.voice != voice)
        voice_decoder_begin(&hearing->decoder, voice);
    voice_decode(&hearing->decoder, packet->octets + packet->header.payload_begin, packet->header.payload_bytes,
                 samples);
    inband_hear(&hearing->inband, samples, packet->header.payload_bytes, &told);
    take(port, turn, &told);
}

void hear_packet(void *state, const struct packet *packet, const struct codec *codec, const struct turn *turn)
{
    struct port *const port = state;

    const struct role *const role = &port->roles[codec - port->codecs];

    if (role->events)
        hear_event(port, packet, turn);
    else if (port->hearing.detects_inband && !port->hearing.has_events)
        hear_voice(port, packet, role->voice, turn);
}

void hear_time(struct port *port, const struct turn *turn)
{
    const struct dtmf_told nothing = {0};
    struct dtmf_digit digit;

    if (!dtmf_expire(&port->hearing.events, turn->now_ns, &digit))
        return;
    tell(port, turn, &digit);
    sound_key(port, turn, &nothing);
}
