#!/usr/bin/env node
// Runs the program `tertulia` with the same parameters: `npx tertulia emulate`.

import { spawn } from 'node:child_process';
import { HOW_TO_GET, findProgram } from '../lib/testing/program.js';

const program = findProgram();
if (program === undefined) {
  console.error(HOW_TO_GET);
  process.exitCode = 1;
} else {
  const child = spawn(program, process.argv.slice(2), { stdio: 'inherit' });
  child.once('error', (error) => {
    console.error(`${program} cannot be run: ${error.message}`);
    process.exitCode = 1;
  });
  // A terminal sends Ctrl-C to the program, too.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('exit', (code, signal) => {
    process.exitCode = code ?? 1;
    if (signal !== null) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    }
  });
}
