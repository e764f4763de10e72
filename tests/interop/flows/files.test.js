// Files: a signed URL to put one, the message that carries it, a signed URL to get it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agent } from '../agent.js';
import { DEADLINE } from '../hearing.js';
import { host } from '../platform.js';

const at = ({ relativePath, queryParams }) => `https://${host}${relativePath}?${new URLSearchParams(queryParams)}`;

test('a file that is uploaded and published is downloaded as it was', async (t) => {
  const agent = await Agent.onDuty(t, 'bot1');
  const conversation = await agent.takeConversation();
  const content = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 255]);

  const place = await agent.request('generateURLForUploadFile', { fileSize: content.length, fileType: 'PNG' });
  const signal = AbortSignal.timeout(DEADLINE);
  assert.equal((await fetch(at(place), { method: 'PUT', body: content, signal })).status, 201);

  const message = { caption: 'a picture', relativePath: place.relativePath, fileType: 'PNG' };
  await agent.publish(conversation, { type: 'ContentEvent', contentType: 'hosted/file', message });
  const published = await agent.event(conversation, ({ event }) => event.contentType === 'hosted/file');
  assert.deepEqual(published.event.message, message);

  const { relativePath } = published.event.message;
  const download = await agent.request('generateURLForDownloadFile', { relativePath });
  const file = await fetch(at(download), { signal });
  assert.deepEqual(Buffer.from(await file.arrayBuffer()), content);
  assert.equal((await fetch(`https://${host}${relativePath}`, { signal })).status, 401);
});

test('a file that is too large gets no URL', async (t) => {
  const agent = await Agent.connect(t, 'bot1');
  const asked = agent.request('generateURLForUploadFile', { fileSize: 100_000_000, fileType: 'PNG' });
  await assert.rejects(asked, { code: 400 });
});
