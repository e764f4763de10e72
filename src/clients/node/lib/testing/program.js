// Finds the program `tertulia`, and starts and stops its processes.

import { spawn } from 'node:child_process';
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';

/** The error text for a missing program: how to get it. */
export const HOW_TO_GET = `the program tertulia is missing: it is neither on the PATH nor named by TERTULIA_BIN
Install a package or an image of Tertulia, or build the program in a checkout of its repository (needs Rust):

    cargo install --path .`;

/** How many lines of a process are kept for the error that says why the process ended. */
const LINES_KEPT = 100;
/** How long a process may take to end by itself, in milliseconds. */
const STOP_WITHIN = 10_000;

/**
 * Finds the program: the file that TERTULIA_BIN names, or the first one on the PATH. The script of this package, which
 * has the same name, does not count.
 *
 * @param {Record<string, string | undefined>} [environment]
 * @returns {string | undefined}
 */
export function findProgram(environment = process.env) {
  if (environment.TERTULIA_BIN) return environment.TERTULIA_BIN;
  const name = process.platform === 'win32' ? 'tertulia.exe' : 'tertulia';
  const folders = (environment.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

/** @param {string} file */
function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return !realpathSync(file).endsWith('.js');
  } catch {
    return false;
  }
}

/** A process of the program. It also ends when this process ends, however that happens. */
export class Program {
  #process;
  #ended;
  /** @type {string[]} */
  #lines = [];
  #name;

  /**
   * @param {readonly string[]} parameters
   * @param {Record<string, string | undefined>} environment variables in addition to this process's environment
   * @param {string} folder a folder for temporary files, which is removed when this process ends
   */
  constructor(parameters, environment, folder) {
    const program = findProgram();
    if (program === undefined) throw new Error(HOW_TO_GET);
    this.#name = `tertulia ${parameters[0]}`;
    const env = { RUST_LOG: 'warn', ...process.env, ...environment };
    this.#process = spawn(program, parameters, { stdio: ['ignore', 'pipe', 'pipe'], env });
    this.#ended = new Promise((resolve, reject) => {
      this.#process.once('exit', (code, signal) => resolve(code ?? signal));
      this.#process.once('error', reject);
    });
    const watch = endWithThisProcess(this.#process, folder);
    this.#ended.then(watch, watch);
  }

  /**
   * Waits for a line of a stream.
   *
   * @template T
   * @param {'stdout' | 'stderr'} stream
   * @param {(line: string) => T | undefined} find
   * @param {number} within in milliseconds
   * @returns {Promise<T>} what `find` returned
   */
  async line(stream, find, within) {
    const lines = createInterface(this.#process[stream]);
    const found = new Promise((resolve) => {
      lines.on('line', (line) => {
        this.#lines.push(line);
        if (this.#lines.length > LINES_KEPT) this.#lines.shift();
        const value = find(line);
        if (value !== undefined) resolve(value);
      });
    });
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(this.#failure(`was not ready within ${within} ms`)), within);
    });
    const ended = this.#ended.then((code) => Promise.reject(this.#failure(`ended with ${code} before it was ready`)));
    try {
      return await Promise.race([found, late, ended]);
    } finally {
      clearTimeout(timer);
      ended.catch(() => {});
    }
  }

  /** Discards a stream that nothing reads, so that the process does not block when it writes. */
  drain(/** @type {'stdout' | 'stderr'} */ stream) {
    this.#process[stream].resume();
  }

  /** Kills the process, as a crash would. */
  async kill() {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  /** Asks the process to end, and ends it if it does not. */
  async stop() {
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_WITHIN);
    await this.#ended;
    clearTimeout(timer);
  }

  /** @param {string} what */
  #failure(what) {
    return new Error(`${this.#name} ${what}\n${this.#lines.join('\n')}`);
  }
}

/**
 * Ends `child` and removes its folder when this process ends, also if this process is killed: a shell waits for the end
 * of its input.
 *
 * @param {import('node:child_process').ChildProcess} child
 * @param {string} folder
 * @returns {() => void} to be called after the child has ended
 */
function endWithThisProcess(child, folder) {
  const end = () => void child.kill('SIGKILL');
  process.once('exit', end);
  const forget = () => void process.removeListener('exit', end);
  if (process.platform === 'win32' || child.pid === undefined) return forget;
  const script = 'read -r _; kill -9 "$1" 2>/dev/null; rm -rf "$2"';
  const parameters = ['-c', script, 'sh', String(child.pid), folder];
  const watcher = spawn('sh', parameters, { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  watcher.on('error', () => {});
  watcher.unref();
  /** @type {import('node:net').Socket} */ (watcher.stdin).unref();
  return () => {
    forget();
    watcher.kill('SIGKILL');
  };
}
