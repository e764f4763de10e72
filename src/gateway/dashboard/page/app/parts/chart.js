// A chart of a few lines over time, with its values in words below it.

import { el, setText } from '../dom.js';
import { NOTHING, timeOfDay } from '../format.js';

const HEIGHT = 168;

/** `series` are `{ name, label, colour, fill }`, where colour is a custom property of the style sheet. */
export class Chart {
  element;
  #plot = null;
  #place;
  #values;
  #when;
  #series;
  #format;
  #data = null;
  #at = null;

  constructor({ title, hint, series, format }) {
    this.#series = series;
    this.#format = format;
    this.#values = series.map(() => el('b', { text: NOTHING }));
    this.#when = el('span', { class: 'chart-when' });
    const legend = el(
      'ul',
      { class: 'legend' },
      series.map(({ label, colour }, index) => {
        const dash = el('i', { class: 'dash', 'aria-hidden': 'true' });
        dash.style.background = `var(${colour})`;
        return el('li', {}, dash, el('span', { text: label }), this.#values[index]);
      }),
    );
    this.#place = el('div', { class: 'chart-place', 'aria-hidden': 'true' });
    this.element = el(
      'figure',
      { class: 'panel chart' },
      el('figcaption', { class: 'panel-head' }, el('h2', { text: title, title: hint }), this.#when, legend),
      this.#place,
    );
    new ResizeObserver(() => this.#fit()).observe(this.#place);
    const again = () => this.#again();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', again);
    document.addEventListener('themechange', again);
  }

  /** Shows columns: the time in seconds, then one for each series. */
  show(columns) {
    this.#data = columns;
    if (!this.#plot) this.#draw();
    else if (columns[0].length > 0) this.#plot.setData(columns);
    this.#tell();
  }

  #tell() {
    if (!this.#data) return;
    const at = this.#at ?? this.#data[0].length - 1;
    setText(
      this.#when,
      this.#at === null || this.#data[0][at] === undefined ? '' : timeOfDay(this.#data[0][at] * 1000),
    );
    this.#values.forEach((value, index) => {
      const shown = this.#data[index + 1]?.[at];
      setText(value, shown === null || shown === undefined ? NOTHING : this.#format(shown));
    });
  }

  #fit() {
    const width = this.#place.clientWidth;
    if (width === 0) return;
    if (!this.#plot) this.#draw();
    else if (this.#plot.width !== width) this.#plot.setSize({ width, height: HEIGHT });
  }

  #again() {
    this.#plot?.destroy();
    this.#plot = null;
    this.#draw();
  }

  #draw() {
    const width = this.#place.clientWidth;
    if (width === 0 || !this.#data || this.#data[0].length === 0) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = {
      stroke: colour('--muted'),
      font: `11px ${style.fontFamily || 'sans-serif'}`,
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
    };
    const options = {
      width,
      height: HEIGHT,
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
      scales: {
        x: { range: (_, least, most) => [Math.min(least, most - 120), most] },
        y: { range: (_, least, most) => [0, most > 0 ? most * 1.15 : 1] },
      },
      axes: [
        {
          ...axis,
          space: 72,
          size: 24,
          values: (_, times) => times.map((time) => timeOfDay(time * 1000).slice(0, 5)),
          incrs: [60, 120, 300, 600],
        },
        { ...axis, size: 56, space: 34, values: (_, values) => values.map((value) => this.#format(value)) },
      ],
      series: [
        {},
        ...this.#series.map(({ colour: name, fill }) => ({
          stroke: colour(name),
          width: 1.5,
          fill: fill ? colour(fill) : undefined,
          points: { show: false },
          spanGaps: false,
        })),
      ],
      hooks: {
        setCursor: [
          (plot) => {
            this.#at = plot.cursor.idx ?? null;
            this.#tell();
          },
        ],
      },
    };
    this.#plot = new window.uPlot(options, this.#data, this.#place);
  }
}
