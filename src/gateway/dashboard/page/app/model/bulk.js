// The bulk jobs, and the actions on them.

import { list, post } from '../api.js';
import { Loader } from './loader.js';

const MOST = 100;

export class BulkJobs {
  jobs = [];
  loader;

  constructor({ onChange }) {
    this.loader = new Loader(
      async (signal) => {
        this.jobs = (await list('v1/bulk', {}, MOST, signal, { page: MOST })).items;
      },
      { least: 1000, onChange },
    );
  }

  /** `act` is `pause`, `resume` or `cancel`. */
  async act(id, act) {
    const changed = await post(`v1/bulk/${encodeURIComponent(id)}/${act}`);
    this.jobs = this.jobs.map((job) => (job.id === id ? changed : job));
    this.loader.request();
  }

  forget() {
    this.jobs = [];
    this.loader.forget();
  }
}
