import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Parser } from '../lib/events/parser.js';

const whole = (text) => pieces([text]);
const pieces = (texts) => {
  const parser = new Parser();
  return texts.flatMap((text) => parser.take(text));
};

const STREAM =
  'retry: 700\nid: e-0\n: heartbeat\n\nid: e-1\ndata: {"a":\ndata: "ü€😀"}\n\nid: e-2\r\ndata:x\r\n\r\ndata\r\r';
const ITEMS = [
  { id: 'e-0', data: null },
  { id: 'e-1', data: '{"a":\n"ü€😀"}' },
  { id: 'e-2', data: 'x' },
  { id: 'e-2', data: '' },
];

test('events, heartbeats and every kind of line end are parsed', () => {
  const parser = new Parser();
  assert.deepEqual(parser.take(STREAM), ITEMS);
  assert.equal(parser.retry, 700);
});

test('a stream may be split anywhere', () => {
  for (let at = 0; at <= STREAM.length; at += 1)
    assert.deepEqual(pieces([STREAM.slice(0, at), STREAM.slice(at)]), ITEMS);
  assert.deepEqual(pieces([...STREAM.split('')]), ITEMS);
});

test('an event without its empty line is not an event', () => {
  assert.deepEqual(whole('id: e-1\ndata: half'), []);
});

test('comments and unknown fields are ignored, and one space after the colon', () => {
  assert.deepEqual(whole(':\n: x\nevent: y\nfoo: z\ndata:  two spaces\n\n'), [{ id: undefined, data: ' two spaces' }]);
});

test('an id lasts until the next one, and one with NUL is ignored', () => {
  assert.deepEqual(whole('id: e-1\n\nid: a\0b\ndata: x\n\n'), [
    { id: 'e-1', data: null },
    { id: 'e-1', data: 'x' },
  ]);
});

test('nothing to report is no item, and a retry that is no number is ignored', () => {
  const parser = new Parser();
  assert.deepEqual(parser.take('\ufeff\n: only a comment\n\nretry: soon\n\n'), []);
  assert.equal(parser.retry, undefined);
});

test('an event without end is refused', () => {
  const piece = 'x'.repeat(1 << 22);
  assert.throws(() => pieces(['data: ', ...Array(5).fill(piece)]), { code: 'bad-answer' });
  assert.throws(() => pieces(Array(5).fill(`data: ${piece}\n`)), { code: 'bad-answer' });
});
