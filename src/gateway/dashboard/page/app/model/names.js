// The names of skills and agents that the platform reports to a connection's login. Without a name, the id is shown.

import { get } from '../api.js';
import { mayWrite } from '../session.js';

/** Accounts whose names are read at most. */
const MOST_ACCOUNTS = 8;
/** Names of one kind that are kept per account at most. */
const MOST_NAMES = 20_000;
/** The pause before names are requested again, also after a failed request. */
const AGAIN_AFTER = 600_000;

export class Names {
  /** By account: skills by id, agents by id and by public id, and the time of the request. */
  #accounts = new Map();
  #fleet;
  #scope;
  #onChange;

  constructor({ fleet, scope, onChange }) {
    this.#fleet = fleet;
    this.#scope = scope;
    this.#onChange = onChange;
  }

  /** The name of a skill, or its id. */
  skill(connection, id) {
    return this.#of(connection)?.skills.get(String(id)) ?? String(id);
  }

  /** The name of an agent, or null. */
  agent(connection, id) {
    return this.#of(connection)?.agents.get(String(id)) ?? null;
  }

  /** The skills and agents of a connection's account, each with its id. */
  listed(connection) {
    const names = this.#of(connection);
    const entries = (map) => [...(map ?? [])].map(([id, name]) => ({ id, name }));
    return { skills: entries(names?.skills), agents: entries(names?.agents).filter(({ id }) => id.includes('.')) };
  }

  /** Requests the names of each account from time to time, through a connection that is ready. */
  refresh() {
    // Requests to the platform's services need a token that may write.
    if (!mayWrite(this.#scope())) return;
    for (const { id, account, role, state } of this.#fleet.connections.values()) {
      if (!account || role !== 'brand' || state !== 'ready') continue;
      const known = this.#accounts.get(account);
      if (known ? Date.now() - known.at < AGAIN_AFTER : this.#accounts.size >= MOST_ACCOUNTS) continue;
      const names = known ?? { skills: new Map(), agents: new Map(), at: 0 };
      names.at = Date.now();
      this.#accounts.set(account, names);
      this.#read(id, account, names);
    }
  }

  forget() {
    this.#accounts.clear();
  }

  #of(connection) {
    return this.#accounts.get(this.#fleet.connections.get(connection)?.account);
  }

  async #read(connection, account, names) {
    const base = `v1/connections/${encodeURIComponent(connection)}/platform/accountConfigReadOnly/api/account`;
    const read = async (kind, version) => {
      const path = `${base}/${encodeURIComponent(account)}/configuration/le-users/${kind}`;
      const items = await get(path, { v: version });
      return Array.isArray(items) ? items.slice(0, MOST_NAMES) : [];
    };
    try {
      for (const { id, name } of await read('skills', '2.0')) if (name) names.skills.set(String(id), String(name));
      for (const { id, pid, fullName, nickname, loginName } of await read('users', '4.0')) {
        const name = nickname || fullName || loginName;
        if (!name) continue;
        names.agents.set(`${account}.${id}`, String(name));
        if (pid) names.agents.set(String(pid), String(name));
      }
      this.#onChange();
    } catch {
      // The login may not read the names, or the service has no such endpoint. Ids are shown instead.
    }
  }
}
