#!/usr/bin/env python3
"""Seals records as vault/src/record_format.hpp says, without any code of Quietus, and prints them as
JSON. Needs python3-cryptography. The result is checked in as record_format.json."""

import hashlib
import json
import struct

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


def seal(case):
    vault, scope = bytes.fromhex(case["vault"]), case["scope"]
    name, content_type = case["name"].encode(), case["content_type"].encode()
    key, nonce = bytes.fromhex(case["record_key"]), bytes.fromhex(case["nonce"])
    content = bytes.fromhex(case["content"])
    row = hashlib.blake2b(name, key=bytes.fromhex(case["name_key"]), digest_size=16).digest()
    metadata = struct.pack(">QQH", case["modified"], case["size"], len(name)) + name
    metadata += bytes([len(content_type)]) + content_type
    if "object" in case:
        metadata += bytes.fromhex(case["object"]["id"])
        metadata += struct.pack(">Q", case["object"]["sealed_size"])
        metadata += bytes.fromhex(case["object"]["header"])
        metadata += bytes.fromhex(case["object"]["origin"])
    flags = 1 if "object" in case else 0
    header = struct.pack(">BBIH", 1, flags, case["generation"], len(metadata)) + nonce

    def associated(part):
        return (b"quietus/v1/ad/record\0" + vault + struct.pack(">Q", scope) + row + bytes([part])
                + header)

    flipped = nonce[:-1] + bytes([nonce[-1] ^ 1])
    stored = header + xaes_seal(key, flipped, metadata, associated(1))
    if "object" not in case:
        stored += xaes_seal(key, nonce, content, associated(0))
    return dict(case, row=row.hex(), stored=stored.hex())


def sample(first, size):
    return bytes((first + i) % 256 for i in range(size)).hex()


BASE = {
    "vault": sample(0x10, 16), "scope": 0x0123456789ABCDEF, "generation": 1,
    "record_key": sample(0x40, 32), "name_key": sample(0x80, 32), "nonce": sample(0xC0, 24),
    "name": "profile.json", "content_type": "application/json", "modified": 1767225600123,
}

CASES = [
    dict(BASE, case="inline", content=sample(0, 33), size=33),
    dict(BASE, case="empty", content="", size=0, content_type="", generation=0x01020304),
    dict(BASE, case="object", content="", size=16384, nonce=sample(0xE1, 24),
         object={"id": sample(0xA0, 16), "sealed_size": 56 + 16384 + 32, "header": sample(7, 56),
                 "origin": sample(0x33, 24)}),
]

print(json.dumps([seal(case) for case in CASES], indent=1))
