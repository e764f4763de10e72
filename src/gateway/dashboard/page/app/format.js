// Numbers, sizes and times as people read them.

const whole = new Intl.NumberFormat('en');
const oneDigit = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const clock = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hour12: false,
});

export const NOTHING = '–';

export function count(value) {
  return Number.isFinite(value) ? whole.format(value) : NOTHING;
}

/** A rate per second: exact if small, abbreviated if large. */
export function rate(value) {
  if (!Number.isFinite(value)) return NOTHING;
  if (value >= 100_000) return `${whole.format(Math.round(value / 1000))}k`;
  return value >= 100 || value === 0 ? whole.format(Math.round(value)) : oneDigit.format(value);
}

export function bytes(value) {
  if (!Number.isFinite(value)) return NOTHING;
  if (value < 1024) return `${value} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let size = value / 1024;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${size >= 100 ? Math.round(size) : oneDigit.format(size)} ${units[unit]}`;
}

/** A duration, given in seconds. */
export function took(seconds) {
  if (!Number.isFinite(seconds)) return NOTHING;
  const millis = seconds * 1000;
  if (millis < 0.1) return `${Math.round(millis * 1000)} µs`;
  if (millis < 10) return `${millis.toFixed(1)} ms`;
  if (millis < 1000) return `${Math.round(millis)} ms`;
  return seconds < 60 ? `${seconds.toFixed(1)} s` : span(seconds);
}

/** A length of time in its two largest units. */
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours, minutes, rest] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
    whole % 60,
  ];
  if (days > 0) return hours > 0 ? `${days} d ${hours} h` : `${days} d`;
  if (hours > 0) return minutes > 0 ? `${hours} h ${minutes} min` : `${hours} h`;
  if (minutes > 0) return minutes < 10 && rest > 0 ? `${minutes} min ${rest} s` : `${minutes} min`;
  return `${rest} s`;
}

/** How long ago, in few words that do not change every second. */
export function ago(millis, now = Date.now()) {
  const seconds = Math.round((now - millis) / 1000);
  if (seconds < -5) return `in ${span(-seconds)}`;
  if (seconds < 5) return 'just now';
  if (seconds < 60) return `${seconds - (seconds % 5)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** Minutes and seconds up to a deadline, or since it. */
export function countdown(millis, now = Date.now()) {
  const seconds = Math.floor(Math.abs(millis - now) / 1000);
  if (seconds >= 3600) return span(seconds);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

export function absolute(millis) {
  return moment.format(millis);
}

export function timeOfDay(millis) {
  return clock.format(millis);
}

/** Milliseconds from a number or a timestamp as text; null for anything else. */
export function millis(value) {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return null;
  const parsed = Date.parse(value);
  return Number.isNaN(parsed) ? null : parsed;
}

/** At most `length` characters; an emoji is not cut in two. */
export function cut(text, length) {
  if (text.length <= length) return text;
  return `${Array.from(text.slice(0, length * 2))
    .slice(0, length - 1)
    .join('')}…`;
}

/** The beginning of a long id, a short id whole, and the agent's part of `account.agent`. */
export function short(id) {
  const own = /^\d+\.(\d+)$/.exec(id)?.[1] ?? id;
  return own.length > 13 ? own.slice(0, 8) : own;
}
