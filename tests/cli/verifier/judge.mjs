// usage: judge.mjs CERTIFICATE ISSUER_PEM SCHEMA
// The second verifier must accept the certificate and refuse it with any byte changed; its payload must
// keep to the JSON Schema, and no longer do so with a member taken away, added or of another type.
import { readFileSync } from "node:fs";
import Ajv from "ajv/dist/2020.js";
import { verify } from "./verify.mjs";

const [file, pem, schema] = process.argv.slice(2).map((path) => readFileSync(path, "utf8"));
const claims = verify(file, pem);

function refused(changed) {
  try {
    verify(changed, pem);
  } catch {
    return true;
  }
  return false;
}

const line = file.trimEnd();
for (let i = 0; i < line.length; ++i) {
  const other = String.fromCharCode(line.charCodeAt(i) ^ 1);
  if (!refused(line.slice(0, i) + other + line.slice(i + 1))) throw new Error(`byte ${i} may be changed`);
}

const valid = new Ajv({ strict: true, allErrors: true }).compile(JSON.parse(schema));
const faults = (document) => (valid(document) ? [] : valid.errors);
if (faults(claims).length) throw new Error(JSON.stringify(faults(claims)));

// Every object of the payload, with the members that lead to it.
function* objects(value, path = []) {
  if (value === null || typeof value !== "object") return;
  if (!Array.isArray(value)) yield path;
  for (const name of Object.keys(value)) yield* objects(value[name], [...path, name]);
}
const at = (document, path) => path.reduce((value, name) => value[name], document);
let tried = 0;
for (const path of objects(claims)) {
  const changes = Object.keys(at(claims, path)).flatMap((name) => [
    (object) => delete object[name],
    (object) => (object[name] = { other: "type" }),
  ]);
  for (const change of [...changes, (object) => (object.added = 1)]) {
    const document = structuredClone(claims);
    change(at(document, path));
    if (!faults(document).length) throw new Error(`the schema allows a change at ${path.join(".")}`);
    ++tried;
  }
}
console.log(`accepted; ${line.length} bytes and ${tried} members changed, all refused`);
