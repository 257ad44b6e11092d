"""A TLS server that says so many messages and then a fatal alert, which is
encrypted where TLS 1.3 wants it to be."""
import ctypes
import hashlib
import hmac
import os
import ssl
import tempfile

INTERNAL_ERROR = 80
HANDSHAKE, APPLICATION = 22, 23


def expand(secret, label, length):
    """HKDF-Expand-Label (RFC 8446 7.1) of one block, with SHA-384."""
    label = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0\1"
    return hmac.new(secret, info, hashlib.sha384).digest()[:length]


def seal(key, nonce, head, text):
    """AES-256-GCM."""
    crypto = ctypes.CDLL("libcrypto.so.3")
    pointer = ctypes.c_void_p
    crypto.EVP_CIPHER_CTX_new.restype = pointer
    crypto.EVP_aes_256_gcm.restype = pointer
    ctx = pointer(crypto.EVP_CIPHER_CTX_new())
    out, tag = ctypes.create_string_buffer(64), ctypes.create_string_buffer(16)
    length = ctypes.c_int()
    fine = crypto.EVP_EncryptInit_ex(ctx, pointer(crypto.EVP_aes_256_gcm()),
                                     None, key, nonce) == 1
    for into, data in ((None, head), (out, text)):
        fine = fine and crypto.EVP_EncryptUpdate(
            ctx, into, ctypes.byref(length), data, len(data)) == 1
    fine = fine and crypto.EVP_EncryptFinal_ex(
        ctx, tag, ctypes.byref(length)) == 1
    fine = fine and crypto.EVP_CIPHER_CTX_ctrl(ctx, 16, 16, tag) == 1
    crypto.EVP_CIPHER_CTX_free(ctx)
    assert fine
    return out.raw[:len(text)] + tag.raw


def alert(secret, number):
    """In the clear without a secret; else the record of this number."""
    text = bytes([2, INTERNAL_ERROR])
    if not secret:
        return b"\x15\x03\x03\x00\x02" + text
    text += b"\x15"
    head = b"\x17\x03\x03" + (len(text) + 16).to_bytes(2, "big")
    iv = int.from_bytes(expand(secret, b"iv", 12), "big") ^ number
    return head + seal(expand(secret, b"key", 32), iv.to_bytes(12, "big"),
                       head, text)


def secret_of(log, hello):
    for line in log.read().split("\n"):
        words = line.split()
        if words[:2] == ["SERVER_HANDSHAKE_TRAFFIC_SECRET",
                         hello[11:43].hex()]:
            return bytes.fromhex(words[2])
    return None


def records(data):
    while data:
        end = 5 + int.from_bytes(data[3:5], "big")
        yield data[:end]
        data = data[end:]


def step(tls, out):
    try:
        tls.do_handshake()
    except ssl.SSLError:
        pass
    return out.read()


def serve(conn, options):
    """As many messages as --after says, then the alert."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(options.cert, options.key)
    if options.tls == "1.2":
        ctx.maximum_version = ssl.TLSVersion.TLSv1_2
    handle, name = tempfile.mkstemp()
    os.close(handle)
    ctx.keylog_filename = name
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ctx.wrap_bio(into, out, server_side=True)
    said, hello = 0, b""
    try:
        while said < options.after:
            data = conn.recv(65536)
            if not data:
                return
            hello = hello or data
            into.write(data)
            for record in records(step(tls, out)):
                if record[0] in (HANDSHAKE, APPLICATION):
                    said += 1
                conn.sendall(record)
                if said == options.after:
                    break
        with open(name, encoding="ascii") as log:
            secret = secret_of(log, hello)
        conn.sendall(alert(secret if said else None, said - 1))
        conn.recv(65536)
    finally:
        os.unlink(name)
