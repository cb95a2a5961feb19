import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { messageBody } from './nginx-config.ts';

// It gets a few hundred calls a second at most, so a Node process is quick enough, and how it decides is easy to read.
const [port, perSecond] = process.argv.slice(2).map(Number);
process.on('disconnect', () => process.exit(0));

const calls: { at: number; status: number }[] = [];
/** Times of the calls taken within the last second. */
const taken: number[] = [];

const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
  const at = performance.timeOrigin + performance.now();
  while ((taken[0] ?? at) <= at - 1000) taken.shift();
  const status = taken.length < (perSecond ?? 1) ? 201 : 429;
  if (status === 201) taken.push(at);
  calls.push({ at, status });
  request.resume();
  request.once('end', () => {
    if (status === 201) response.writeHead(201, { 'content-type': 'application/json' }).end(messageBody(`SM${randomBytes(16).toString('hex')}`, 1));
    else
      response
        .writeHead(429, { 'content-type': 'application/json', 'retry-after': '1' })
        .end(JSON.stringify({ code: 20429, message: 'Too Many Requests', status: 429 }));
  });
});
server.listen(port, '127.0.0.1', () => process.send?.('ready'));
process.on('message', () => process.send?.(calls));
