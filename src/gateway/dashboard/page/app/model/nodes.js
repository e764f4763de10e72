// The nodes of a cluster: which of them live, who has what, and what moved.

import { get } from '../api.js';
import { Loader } from './loader.js';

/** How old the nodes may be while another view is open, which shows only how many of them are silent. */
const EVERY_ELSEWHERE = 15_000;

export class Nodes {
  items = [];
  unassigned = [];
  moves = [];
  /** Nodes that did not say what they have taken. */
  incomplete = [];
  loader;

  constructor({ onChange }) {
    this.loader = new Loader(
      async (signal) => {
        const { items, unassigned, moves, incomplete } = await get('v1/nodes', {}, signal);
        Object.assign(this, { items, unassigned, moves, incomplete: incomplete ?? [] });
      },
      { least: 2000, onChange },
    );
  }

  /** The nodes that have shown no sign of life for long. */
  get silent() {
    return this.items.filter(({ standing }) => standing !== 'valid').length;
  }

  /** Called often while the service has several nodes. */
  look() {
    const { loader } = this;
    if (!loader.loaded || Date.now() - loader.at > EVERY_ELSEWHERE) loader.request();
  }

  forget() {
    Object.assign(this, { items: [], unassigned: [], moves: [], incomplete: [] });
    this.loader.forget();
  }
}
