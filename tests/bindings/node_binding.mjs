// What the tests of the Node.js binding share: the package from the build folder that the command line
// names, and a place with a vault.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

const folder = process.env.QUIETUS_NODE_PACKAGE;
if (!folder) {
  console.error('QUIETUS_NODE_PACKAGE must name the folder of the package');
  process.exit(1);
}
export const PACKAGE = path.resolve(folder);
export const quietus = createRequire(import.meta.url)(PACKAGE);

export const SANITIZED = /lib[at]san/.test(process.env.LD_PRELOAD ?? '');

const MEMORY = '/dev/shm';  // vaults sync very often

function temporary() {
  try {
    fs.accessSync(MEMORY, fs.constants.W_OK);
    return MEMORY;
  } catch {
    return os.tmpdir();
  }
}

export function newFolder() {
  return fs.mkdtempSync(path.join(temporary(), 'quietus-'));
}

// A new folder with a key file and an open vault.
export class Place {
  static async make() {
    const place = new Place();
    place.folder = newFolder();
    place.key = place.path('key');
    await quietus.newKeyFile(place.key);
    place.vault = await place.create('vault', { keyFile: place.key });
    return place;
  }

  path(name) {
    return path.join(this.folder, name);
  }

  create(name, unlock) {
    return quietus.Vault.create(this.path(name), {
      rootFolder: this.path('roots'), acceptUnknownMedium: true, ...unlock });
  }

  open(name = 'vault', how = {}) {
    return quietus.Vault.open(this.path(name), { keyFile: this.key, ...how });
  }

  async remove() {
    await this.vault?.close();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}
