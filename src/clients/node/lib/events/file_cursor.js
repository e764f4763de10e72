// A position in a file.

import { open, readFile, rename } from 'node:fs/promises';
import { checked } from './cursor.js';

/**
 * Keeps the position in a file. The file always has a whole position, also if the process is killed or the machine
 * loses power. One reader at a time uses a file.
 *
 * @param {string} path the file; its folder must exist
 * @returns {import('./cursor.js').Cursor}
 */
export function fileCursor(path) {
  const next = `${path}.next`;
  return {
    async load() {
      const text = await readFile(path, 'utf8').catch((error) => {
        if (error.code === 'ENOENT') return null;
        throw error;
      });
      return text === null ? null : checked(text.trim(), path);
    },
    async save(position) {
      const file = await open(next, 'w');
      try {
        await file.writeFile(`${position}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(next, path);
    },
  };
}
