// A second verifier of erasure certificates, written from docs/format.md alone: node and nothing else.
// verify(file, pem) returns the payload, or throws what does not hold.
import { createHash, createPublicKey, verify as verifySignature } from "node:crypto";

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();
const leafHash = (entry) => sha256(Buffer.of(0), entry);
const nodeHash = (left, right) => sha256(Buffer.of(1), left, right);

function must(holds, what) {
  if (!holds) throw new Error(what);
}

function decode64(text, kind) {
  const bytes = Buffer.from(text, kind);
  must(bytes.toString(kind) === text, `${kind} that is not canonical`);
  return bytes;
}

const ed25519Key = (raw) =>
  createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") } });

// RFC 7515 and 8037, the one form of this product.
function openJws(file, pem) {
  const parts = /^\{"payload":"([\w-]+)","protected":"([\w-]+)","signature":"([\w-]{86})"\}\n?$/.exec(file);
  must(parts, "not a flattened JWS in its one form");
  const [payload, header, signature] = parts.slice(1);
  const key = createPublicKey(pem);
  const { x } = key.export({ format: "jwk" });
  const kid = sha256(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).toString("base64url");
  const wanted = `{"alg":"EdDSA","kid":"${kid}","typ":"quietus-erasure-cert+jws"}`;
  must(decode64(header, "base64url").toString() === wanted, "another header");
  must(verifySignature(null, Buffer.from(`${header}.${payload}`), key, decode64(signature, "base64url")),
    "the signature is not the issuer's");
  return { kid, text: decode64(payload, "base64url").toString() };
}

// C2SP signed note and checkpoint, under the key of a vkey.
function openCheckpoint(note, vkey, origin) {
  const [name, id, key] = vkey.split("+", 2).concat(vkey.slice(vkey.indexOf("+", vkey.indexOf("+") + 1) + 1));
  const typed = decode64(key, "base64");
  must(name === origin && typed[0] === 1, "the log's key is another's");
  must(sha256(name, "\n", typed).subarray(0, 4).toString("hex") === id, "the log key's id is another's");
  const end = note.indexOf("\n\n");
  const text = note.slice(0, end + 1);
  const line = new RegExp(`^\\u2014 ${name} ([A-Za-z0-9+/=]+)$`, "m").exec(note.slice(end + 2));
  must(line, "the log did not sign the checkpoint");
  const signature = decode64(line[1], "base64");
  must(signature.subarray(0, 4).toString("hex") === id, "signed by another key of the log");
  must(verifySignature(null, Buffer.from(text), ed25519Key(typed.subarray(1)), signature.subarray(4)),
    "the checkpoint's signature does not hold");
  const [first, size, root] = text.split("\n");
  must(first === origin, "a checkpoint of another log");
  return { size: Number(size), root: decode64(root, "base64") };
}

// RFC 9162, 2.1.3.2.
function includes(hash, index, size, proof, root) {
  must(index < size, "an index beyond the tree");
  let [at, last] = [index, size - 1];
  for (const sibling of proof) {
    must(last !== 0, "a proof that is too long");
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(sibling, hash);
      while (at % 2 === 0 && at !== 0) [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
    } else hash = nodeHash(hash, sibling);
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  must(last === 0 && hash.equals(root), "a leaf that is not in the tree");
}

function openProof({ entry, proof, kind }, log) {
  const split = proof.indexOf("\n\n");
  const [magic, index, ...hashes] = proof.slice(0, split).split("\n");
  must(magic === "c2sp.org/tlog-proof@v1" && /^index \d+$/.test(index), "not a tlog-proof");
  const bytes = decode64(entry, "base64");
  const { size, root } = openCheckpoint(proof.slice(split + 2), log.vkey, log.origin);
  const at = Number(index.slice(6));
  includes(leafHash(bytes), at, size, hashes.map((text) => decode64(text, "base64")), root);
  const fact = JSON.parse(bytes);
  must(fact.kind === kind, "a proof that is labelled as another");
  return { ...fact, at };
}

// A scope that was erased in a batch: its statement is in the tree that the log names.
function checkBatch({ batch, erasure_id, reason, targets, unreadable }, gone) {
  must(batch && targets.length === 1 && batch.scopes === gone.scopes, "a batch of another form");
  const statement = JSON.stringify({ statement_id: batch.statement_id, erasure_id, reason, target: targets[0], unreadable });
  const proof = batch.proof.map((hash) => decode64(hash, "hex"));
  includes(leafHash(statement), batch.index, batch.scopes, proof, decode64(gone.statements, "hex"));
}

export function verify(file, pem) {
  const { kid, text } = openJws(file, pem);
  const claims = JSON.parse(text);
  must(JSON.stringify(claims) === text.replaceAll("\\u2014", "\u2014"), "a payload in another form");
  must(claims.issuer.kid === kid && claims.version === 1, "another issuer or version");
  const facts = claims.log.proofs.map((proof) => openProof(proof, claims.log));
  const [gone, destroyed, ...made] = facts;
  const batched = gone.kind === "batch-unreachable";
  must((batched || gone.kind === "keys-unreachable") && destroyed.kind === "slot-destroyed", "an entry is missing");
  must(batched === "batch" in claims, "logged otherwise than claimed");
  must([gone, destroyed].every((fact) => fact.erasure === claims.erasure_id), "of another erasure");
  must(gone.at < destroyed.at, "destroyed before unreachable");
  must(claims.root.slots_destroyed.every((slot) => destroyed.slots.includes(slot.slot_id)), "another slot");
  const keys = claims.targets.flatMap((target) => target.keys.map((key) => ({ ...key, scope: target.scope_id })));
  must(keys.length === made.length, "a key without its creation");
  keys.forEach((key, i) => {
    const { kind, key: id, scope, commitment, at } = made[i];
    must(kind === "key-created" && id === key.key_id && scope === key.scope, "created otherwise");
    must(commitment === key.commitment && at < gone.at, "another commitment");
    must(batched || gone.keys.includes(id), "a key that did not become unreachable");
  });
  if (batched) checkBatch(claims, gone);
  const whole = claims.root.slots_destroyed.every((slot) => slot.overwritten && slot.read_back && slot.gone);
  const waiting = claims.key_snapshots.some((snapshot) => !snapshot.attested);
  must((claims.phase === "live") === waiting, "a phase that the key snapshots do not carry");
  must(claims.status === "partial" || (claims.status === "pending-snapshots") === waiting, "a status of another phase");
  const { instances } = claims;
  must(instances.every(({ instance_id: id }, i) => i === 0 || instances[i - 1].instance_id < id), "instances out of order");
  const receipts = instances.map((other) => other.receipt).filter((receipt) => receipt !== "");
  must(new Set([claims.certificate_id, ...claims.supersedes, ...receipts]).size === 1 + claims.supersedes.length + receipts.length,
    "a receipt that is of this instance, or of two");
  const alone = receipts.length === instances.length && claims.instances_known;
  const elsewhere = alone ? "destroyed" : "unknown";
  const others = receipts.length < instances.length ? "not-covered" : instances.length || !claims.instances_known ? elsewhere : "never-existed";
  const held = claims.key_snapshots.length ? (waiting ? "ages-out" : "destroyed") : "never-existed";
  const states = Object.fromEntries(claims.copies.map(({ copy, state }) => [copy, state]));
  must(states["key-snapshots"] === held && states["restored-instances"] === others, "a state of a copy that the facts do not carry");
  must(claims.status === "partial" || (whole && claims.root.assurance_known && claims.exports_known && alone),
    "a status that the facts do not carry");
  return claims;
}
