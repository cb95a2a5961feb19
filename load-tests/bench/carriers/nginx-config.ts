import { join } from 'node:path';
import type { CertificateFiles } from '#testing/certificate.ts';
import type { CarrierPorts } from './carrier-ports.ts';

/** Twilio's Message resource, with the fields that its SDK reads. */
export const messageBody = (sid: string, segments: number): string =>
  JSON.stringify({
    account_sid: 'AC00000000000000000000000000000000',
    api_version: '2010-04-01',
    body: '',
    date_created: 'Thu, 24 Aug 2023 05:01:45 +0000',
    date_sent: null,
    date_updated: 'Thu, 24 Aug 2023 05:01:45 +0000',
    direction: 'outbound-api',
    error_code: null,
    error_message: null,
    from: '+12025550100',
    messaging_service_sid: null,
    num_media: '0',
    num_segments: String(segments),
    price: null,
    price_unit: 'USD',
    sid,
    status: 'queued',
    subresource_uris: {},
    to: '+12025550101',
    uri: `/2010-04-01/Accounts/AC00000000000000000000000000000000/Messages/${sid}.json`,
  });

export interface NginxOptions {
  readonly folder: string;
  readonly ports: CarrierPorts;
  /** Where calls of the witness port are written down. */
  readonly log: string;
  readonly tls: CertificateFiles | undefined;
}

/**
 * One worker process that answers from memory. `$request_id` is 16 random bytes in hex, which is the form of a SID.
 * The counter of stub_status is the carrier's own count, and the buffered access log its own record of times.
 */
export function nginxConfig({ folder, ports, log, tls }: NginxOptions): string {
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${join(folder, kind)};`).join(' ');
  const answers = `
    location / { default_type application/json; return 201 '${messageBody('SM$request_id', 1)}'; }
    location /two/ { default_type application/json; return 201 '${messageBody('SM$request_id', 2)}'; }
    location /push/ { add_header Location "/message/$request_id" always; return 201 ""; }`;
  const secure = tls
    ? `
  server {
    listen 127.0.0.1:${ports.tls} ssl backlog=1024;
    ssl_certificate ${tls.certFile};
    ssl_certificate_key ${tls.keyFile};
    ssl_protocols TLSv1.2 TLSv1.3;${answers}
  }`
    : '';
  return `daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
pid ${join(folder, 'nginx.pid')};
error_log ${join(folder, 'nginx-error.log')} warn;
events { worker_connections 4096; }
http {
  ${temp}
  access_log off;
  client_body_buffer_size 64k;
  client_max_body_size 1m;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  send_timeout 60s;
  tcp_nodelay on;
  log_format witness '$msec $request_time $content_length';
  server {
    listen 127.0.0.1:${ports.fast} backlog=1024;${answers}
  }
  server {
    listen 127.0.0.1:${ports.witness} backlog=1024;
    access_log ${log} witness buffer=64k flush=100ms;${answers}
  }
  server {
    listen 127.0.0.1:${ports.control};
    location = /status { stub_status; }
  }${secure}
}
`;
}
