import { readFileSync } from 'node:fs';

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');

const MANIFEST = {
  name: 'Muster',
  short_name: 'Muster',
  description: 'Messages that ask for an answer',
  start_url: '/',
  scope: '/',
  display: 'standalone',
  background_color: '#1d4f91',
  theme_color: '#1d4f91',
  icons: [{ src: '/icon.svg', sizes: 'any', type: 'image/svg+xml', purpose: 'any' }],
};

export interface PublicFile {
  readonly path: string;
  readonly type: string;
  readonly text: string;
}

/** The few files that public pages load. They are read once and come from our own origin, without a build. */
export const publicFiles = (): PublicFile[] => [
  { path: '/sw.js', type: 'text/javascript; charset=utf-8', text: read('./service-worker.js') },
  { path: '/s.js', type: 'text/javascript; charset=utf-8', text: read('./share-script.js') },
  { path: '/icon.svg', type: 'image/svg+xml', text: read('../assets/icon.svg') },
  { path: '/manifest.webmanifest', type: 'application/manifest+json', text: JSON.stringify(MANIFEST) },
];
