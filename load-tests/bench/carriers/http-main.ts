import { randomBytes } from 'node:crypto';
import { createWriteStream, readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { CertificateFiles } from '#testing/certificate.ts';
import type { CarrierPorts } from './carrier-ports.ts';
import { messageBody } from './nginx-config.ts';

// This process stands in for nginx where nginx is not installed: it gives the same answers and keeps the same counter and log.
const { ports, log, tls } = JSON.parse(process.argv[2] ?? '{}') as { ports: CarrierPorts; log: string; tls?: CertificateFiles };
process.on('disconnect', () => process.exit(0));

let requests = 0;
const templates = [1, 2].map((segments) => messageBody('@', segments).split('@'));
const written = createWriteStream(log, { flags: 'a' });

const answer =
  (witness: boolean): RequestListener =>
  (request, response) => {
    const at = Date.now();
    requests += 1;
    request.resume();
    request.once('end', () => {
      const id = randomBytes(16).toString('hex');
      if (request.url?.startsWith('/push/')) response.writeHead(201, { location: `/message/${id}` }).end();
      else {
        const body = templates[request.url?.startsWith('/two/') ? 1 : 0]?.join(`SM${id}`) ?? '';
        response.writeHead(201, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
      }
      if (witness) written.write(`${(at / 1000).toFixed(3)} 0.000 ${request.headers['content-length'] ?? 0}\n`);
    });
  };

const keepAlive = { keepAliveTimeout: 600_000, requestTimeout: 0 };
createServer(keepAlive, answer(false)).listen(ports.fast, '127.0.0.1');
createServer(keepAlive, answer(true)).listen(ports.witness, '127.0.0.1');
if (tls) createSecureServer({ ...keepAlive, cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) }, answer(false)).listen(ports.tls, '127.0.0.1');
createServer((_request, response) => {
  requests += 1;
  response.end(`Active connections: 1 \nserver accepts handled requests\n ${requests} ${requests} ${requests} \n`);
}).listen(ports.control, '127.0.0.1');
