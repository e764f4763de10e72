// A position in a file.

import { open, readFile, rename } from 'node:fs/promises';

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
      // Without this check, the reader of a damaged file would begin with the next event and miss others.
      if (text?.trim() === '')
        throw new Error(`${path} is empty: write a position into the file, or delete it to begin with the next event`);
      return text === null ? null : text.trim();
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
