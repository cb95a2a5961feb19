import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { Hono } from 'hono';

const require = createRequire(import.meta.url);
const own = (name: string): Buffer => readFileSync(new URL(name, import.meta.url));
const packaged = (path: string): Buffer => readFileSync(require.resolve(path));

/** Every file that a console page may load. Nothing comes from another origin. */
const SOURCES = {
  'console.css': () => own('./console.css'),
  'console.js': () => own('./console.js'),
  'board.js': () => own('./board.js'),
  // Both are one file: htmx starts in a timer, and it never asks an extension that is loaded after that about the page.
  'htmx.js': () => Buffer.concat([packaged('htmx.org/dist/htmx.min.js'), Buffer.from(';\n'), packaged('htmx.org/dist/ext/hx-sse.min.js')]),
  'uplot.js': () => packaged('uplot/dist/uPlot.iife.min.js'),
  'uplot.css': () => packaged('uplot/dist/uPlot.min.css'),
  'icon.svg': () => own('./icon.svg'),
} as const;
export type AssetName = keyof typeof SOURCES;

const TYPES: Record<string, string> = { css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8', svg: 'image/svg+xml' };

interface Asset {
  readonly path: string;
  readonly type: string;
  readonly plain: Buffer;
  readonly gzip: Buffer;
  readonly brotli: Buffer;
}

let loaded: Map<AssetName, Asset> | undefined;

function assets(): Map<AssetName, Asset> {
  loaded ??= new Map(Object.entries(SOURCES).map(([name, read]) => [name as AssetName, prepare(name, read())]));
  return loaded;
}

function prepare(name: string, bytes: Buffer): Asset {
  const dot = name.lastIndexOf('.');
  const hash = createHash('sha256').update(bytes).digest('base64url').slice(0, 12);
  return {
    path: `/assets/${name.slice(0, dot)}.${hash}${name.slice(dot)}`,
    type: TYPES[name.slice(dot + 1)] ?? 'application/octet-stream',
    plain: bytes,
    gzip: gzipSync(bytes, { level: 9 }),
    brotli: brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }),
  };
}

/** Tells the address of an asset. It holds a hash of the content, so that the asset may be cached for ever. */
export function assetPath(name: AssetName): string {
  const asset = assets().get(name);
  if (!asset) throw new Error(`no asset ${name}`);
  return asset.path;
}

/** `GET /assets/:file`. Each asset is compressed once per process and never changes. */
export function assetRoutes(): Hono {
  const byPath = new Map([...assets().values()].map((asset) => [asset.path, asset]));
  return new Hono().get('/assets/:file', (c) => {
    const asset = byPath.get(c.req.path);
    if (!asset) return c.text('Not found', 404);
    const accepts = c.req.header('accept-encoding') ?? '';
    const encoding = /\bbr\b/.test(accepts) ? 'brotli' : /\bgzip\b/.test(accepts) ? 'gzip' : 'plain';
    c.header('content-type', asset.type);
    c.header('cache-control', 'public, max-age=31536000, immutable');
    c.header('x-content-type-options', 'nosniff');
    c.header('vary', 'accept-encoding');
    if (encoding !== 'plain') c.header('content-encoding', encoding === 'brotli' ? 'br' : 'gzip');
    return c.body(new Uint8Array(asset[encoding]));
  });
}
