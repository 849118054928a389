"""Follows the validators of a ledger with nothing but Python and docs/wire-format.md: a second reading of sections 1, 2, 4 and 7.

usage: follow-epochs.py GENESIS EPOCHS    prints "<epoch> <ids of its validators>", or the reason of a refusal with exit code 1
"""
import base64
import hashlib
import sys


# --- CBOR: arrays become lists, maps lists of pairs, so that what is read can be written again -------------------------
class Map(list):
    pass


def read(data, at):
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        return {20: False, 21: True, 22: None}[info], at
    size = 0 if info < 24 else 1 << (info - 24)
    number = int.from_bytes(data[at : at + size], "big") if size else info
    at += size
    if major < 2:
        return (number if major == 0 else -1 - number), at
    if major < 4:
        text = data[at : at + number]
        return (text if major == 2 else text.decode()), at + number
    items = [] if major == 4 else Map()
    for _ in range(number * (major - 3)):
        item, at = read(data, at)
        items.append(item)
    return items, at


def head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    size = next(i for i in range(4) if number < 1 << (8 << i))
    return bytes([major << 5 | 24 + size]) + number.to_bytes(1 << size, "big")


def write(value):
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, (bytes, str)):
        text = value if isinstance(value, bytes) else value.encode()
        return head(2 if isinstance(value, bytes) else 3, len(text)) + text
    size = len(value) // 2 if isinstance(value, Map) else len(value)
    return head(5 if isinstance(value, Map) else 4, size) + b"".join(map(write, value))


def sha256(data):
    return hashlib.sha256(data).digest()


# --- Ed25519 (RFC 8032 section 5.1), verification only ----------------------------------------------------------------
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point, scalar = add(point, point), scalar >> 1
    return result


def point_of(data):
    y, sign = int.from_bytes(data, "little") & (1 << 255) - 1, data[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P:
        raise ValueError("no point")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = point_of(bytes.fromhex("58" + "66" * 31))


def verifies(key, message, signature):
    s = int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = times(s, BASE), add(point_of(signature[:32]), times(k, point_of(key)))
    return s < L and all((left[i] * right[2] - right[i] * left[2]) % P == 0 for i in (0, 1))


# --- Cairn --------------------------------------------------------------------------------------------------------------
def fail(reason):
    print(reason)
    sys.exit(1)


def header_of(statement, validator, issued):
    ledger, epoch, height, round_, size, _root, state, next_set = statement
    issuer = "cairn:" + base64.urlsafe_b64encode(ledger[:8]).decode().rstrip("=")
    kid = sha256(write(Map([1, 1, -1, 6, -2, validator[4]])))[:8]
    claims = Map([1, issuer, 2, validator[0], 6, issued])
    signed = [ledger, epoch, height, round_, size, state, next_set]
    return write(Map([1, -19, 4, kid, 15, claims, 395, 1, -65537, signed]))


def follow(ledger, epoch, validators, proof):
    (signatures, following), _ = read(proof, 0)
    statement = signatures[0][0]
    if statement[0] != ledger or statement[1] != epoch:
        fail("another ledger or epoch")
    if sha256(write(following)) != statement[7]:
        fail("another set than the one signed")
    signers = [signer for _, signer, _, _ in signatures]
    if signers != sorted(set(signers)) or len(signers) < len(validators) - (len(validators) - 1) // 3:
        fail("too few signers")
    for claimed, signer, issued, signature in signatures:
        validator = validators[signer]
        message = write(["Signature1", header_of(statement, validator, issued), b"", statement[5]])
        if claimed != statement or not verifies(validator[4], message, signature):
            fail("a false signature of " + validator[0])
    return following


def main():
    genesis = open(sys.argv[1], "rb").read()
    fields, end = read(genesis, 0)
    validators = fields[2 * fields[::2].index(6) + 1]
    (name, version, ledger, proofs), _ = read(open(sys.argv[2], "rb").read(), 0)
    if end != len(genesis) or write(fields) != genesis or (name, version) != ("cairn-epochs", 1):
        fail("not the files expected")
    if sha256(genesis) != ledger:
        fail("another ledger")
    epoch = 1
    for proof in proofs:
        validators = follow(ledger, epoch, validators, proof)
        epoch += 1
    print(epoch, *(validator[0] for validator in validators))


main()
