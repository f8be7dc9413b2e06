#!/usr/bin/env python3
"""Seals a root key to an epoch as kms/crypto/epoch_seal.hpp says, without any code of Quietus, and
prints it as JSON. Needs python3-cryptography. The result is checked in as epoch_seal.json."""

import hashlib
import hmac
import json

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def xaes_seal(key, nonce, plaintext, associated):
    """XAES-256-GCM as C2SP publishes it."""
    blocks = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    doubled = int.from_bytes(blocks.update(bytes(16)), "big") << 1
    if doubled >> 128:
        doubled = doubled ^ (1 << 128) ^ 0x87
    k1 = doubled.to_bytes(16, "big")
    derived = b""
    for counter in (1, 2):
        block = bytes([0, counter, ord("X"), 0]) + nonce[:12]
        derived += blocks.update(bytes(a ^ b for a, b in zip(block, k1)))
    return AESGCM(derived).encrypt(nonce[12:], plaintext, associated)


def hkdf(key_material, info):
    """HKDF-SHA256 without a salt, one block."""
    extracted = hmac.new(bytes(32), key_material, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\1", hashlib.sha256).digest()


def public_key(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def seal(case):
    epoch, private, ephemeral, nonce, data, root = (
        bytes.fromhex(case[name]) for name in ("epoch", "epoch_private", "ephemeral_private",
                                               "nonce", "associated_data", "root_key"))
    recipient, sent = public_key(private), public_key(ephemeral)
    shared = X25519PrivateKey.from_private_bytes(ephemeral).exchange(
        X25519PublicKey.from_public_bytes(recipient))
    key = hkdf(shared, b"quietus/v1/epoch-seal\0" + b"\1" + epoch + sent + recipient)
    sealed = b"\1" + sent + nonce + xaes_seal(key, nonce, root,
                                              b"quietus/v1/ad/epoch-seal\0" + data)
    return dict(case, epoch_public=recipient.hex(), sealed=sealed.hex())


def sample(first, size):
    return bytes((first + i) % 256 for i in range(size)).hex()


BASE = {
    "epoch": sample(0x10, 16), "epoch_private": sample(0x20, 32),
    "ephemeral_private": sample(0x60, 32), "nonce": sample(0xA0, 24), "root_key": sample(0xE0, 32),
}

print(json.dumps([
    seal(dict(BASE, case="associated data", associated_data=sample(0x01, 21))),
    seal(dict(BASE, case="no associated data", associated_data="")),
], indent=1))
