"""libsrtp2, the other implementation of SRTP, as the tests ask it: one direction with one key, a packet at a time."""

from typing import Any

from cffi import FFI

ffi = FFI()
ffi.cdef("""
typedef struct srtp_ctx *srtp_t;
typedef struct {
    uint32_t cipher_type; int cipher_key_len; uint32_t auth_type; int auth_key_len; int auth_tag_len; int sec_serv;
} srtp_crypto_policy_t;
typedef struct { unsigned char *key; unsigned char *mki_id; unsigned int mki_size; } srtp_master_key_t;
typedef struct srtp_policy {
    int ssrc_type; unsigned int ssrc;
    srtp_crypto_policy_t rtp; srtp_crypto_policy_t rtcp;
    unsigned char *key;
    srtp_master_key_t **keys; unsigned long num_master_keys;
    void *deprecated_ekt;
    unsigned long window_size; int allow_repeat_tx;
    int *enc_xtn_hdr; int enc_xtn_hdr_count;
    struct srtp_policy *next;
} srtp_policy_t;
int srtp_init(void);
int srtp_create(srtp_t *session, const srtp_policy_t *policy);
int srtp_dealloc(srtp_t session);
int srtp_protect_mki(srtp_t session, void *packet, int *bytes, unsigned int use_mki, unsigned int mki_index);
int srtp_unprotect_mki(srtp_t session, void *packet, int *bytes, unsigned int use_mki);
int srtp_protect_rtcp_mki(srtp_t session, void *packet, int *bytes, unsigned int use_mki, unsigned int mki_index);
int srtp_unprotect_rtcp_mki(srtp_t session, void *packet, int *bytes, unsigned int use_mki);
void srtp_crypto_policy_set_rtp_default(srtp_crypto_policy_t *policy);
void srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(srtp_crypto_policy_t *policy);
void srtp_crypto_policy_set_aes_gcm_128_16_auth(srtp_crypto_policy_t *policy);
void srtp_crypto_policy_set_aes_gcm_256_16_auth(srtp_crypto_policy_t *policy);
""")
lib: Any = ffi.dlopen("libsrtp2.so.1")
assert lib.srtp_init() == 0

ANY_INBOUND, ANY_OUTBOUND = 2, 3
ROOM = 2000
POLICIES = {  # of RTP, of RTCP
    "AES_CM_128_HMAC_SHA1_80": (lib.srtp_crypto_policy_set_rtp_default, lib.srtp_crypto_policy_set_rtp_default),
    "AES_CM_128_HMAC_SHA1_32": (
        lib.srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32,
        lib.srtp_crypto_policy_set_rtp_default,
    ),
    "AEAD_AES_128_GCM": (lib.srtp_crypto_policy_set_aes_gcm_128_16_auth,) * 2,
    "AEAD_AES_256_GCM": (lib.srtp_crypto_policy_set_aes_gcm_256_16_auth,) * 2,
}


class Session:
    """One direction; `master` is key and salt in a row."""

    def __init__(self, suite: str, master: bytes, *, sends: bool, mki: bytes = b"") -> None:
        policy = ffi.new("srtp_policy_t *")
        self._kept = [ffi.new("unsigned char[]", master), ffi.new("unsigned char[]", mki or b"\0")]
        for fill, part in zip(POLICIES[suite], (policy.rtp, policy.rtcp), strict=True):
            fill(ffi.addressof(part))
        policy.ssrc_type = ANY_OUTBOUND if sends else ANY_INBOUND
        policy.window_size = 128
        if mki:
            key = ffi.new("srtp_master_key_t *", {"key": self._kept[0], "mki_id": self._kept[1], "mki_size": len(mki)})
            keys = ffi.new("srtp_master_key_t *[]", [key])
            self._kept += [key, keys]
            policy.keys, policy.num_master_keys = keys, 1
        else:
            policy.key = self._kept[0]
        session = ffi.new("srtp_t *")
        assert lib.srtp_create(session, policy) == 0
        self._session = ffi.gc(session[0], lib.srtp_dealloc)
        self._mki = bool(mki)

    def protect(self, packet: bytes, *, rtcp: bool = False) -> bytes:
        room = ffi.new("unsigned char[]", ROOM)
        room[0 : len(packet)] = packet
        size = ffi.new("int *", len(packet))
        call = lib.srtp_protect_rtcp_mki if rtcp else lib.srtp_protect_mki
        assert call(self._session, room, size, self._mki, 0) == 0
        return bytes(ffi.buffer(room, size[0]))

    def unprotect(self, packet: bytes, *, rtcp: bool = False) -> bytes | None:
        room = ffi.new("unsigned char[]", ROOM)
        room[0 : len(packet)] = packet
        size = ffi.new("int *", len(packet))
        call = lib.srtp_unprotect_rtcp_mki if rtcp else lib.srtp_unprotect_mki
        failed = call(self._session, room, size, self._mki)
        return None if failed else bytes(ffi.buffer(room, size[0]))
