import { unescapeMarkup } from '#platform/escape.ts';

/** A submit button of a form. */
export interface Button {
  readonly name: string;
  readonly value: string;
}

/** A form as a browser without scripts sees it. */
export interface Form {
  readonly method: string;
  /** Address as it is written; '' means the page itself. */
  readonly action: string;
  /** Values that are sent without anybody doing anything: hidden fields, defaults, checked boxes. */
  readonly fields: Readonly<Record<string, string>>;
  /** Names of all fields that a person may fill in. */
  readonly inputs: readonly string[];
  readonly buttons: readonly Button[];
}

function attributesOf(tag: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [, name = '', double, single, bare] of tag.matchAll(/([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+)))?/g))
    if (!found.has(name.toLowerCase())) found.set(name.toLowerCase(), unescapeMarkup(double ?? single ?? bare ?? ''));
  return found;
}

interface Draft {
  method: string;
  action: string;
  fields: Record<string, string>;
  inputs: string[];
  buttons: Button[];
}

/** Reads enough of HTML for pages that are written by hand and closed properly. */
export function formsIn(html: string): Form[] {
  const forms: Draft[] = [];
  let open: Draft | undefined;
  for (const [, close = '', name = '', rest = ''] of html
    .replace(/<!--[\s\S]*?-->/g, '')
    .matchAll(/<(\/?)(form|input|button|textarea|select|option)\b((?:"[^"]*"|'[^']*'|[^>"'])*)>/gi)) {
    const attributes = attributesOf(rest);
    if (name.toLowerCase() === 'form') {
      open = close
        ? undefined
        : { method: (attributes.get('method') ?? 'get').toLowerCase(), action: attributes.get('action') ?? '', fields: {}, inputs: [], buttons: [] };
      if (open) forms.push(open);
    } else if (open && !close) addControl(open, name.toLowerCase(), attributes);
  }
  return forms;
}

function addControl(form: Draft, tag: string, attributes: ReadonlyMap<string, string>): void {
  const name = attributes.get('name') ?? '';
  const value = attributes.get('value') ?? '';
  const type = (attributes.get('type') ?? (tag === 'button' ? 'submit' : 'text')).toLowerCase();
  if (attributes.has('disabled')) return;
  if (type === 'submit' && (tag === 'button' || tag === 'input')) form.buttons.push({ name, value });
  else if (name === '' || type === 'button' || type === 'reset') return;
  else if (type === 'hidden') form.fields[name] = value;
  else {
    form.inputs.push(name);
    if (type === 'checkbox' || type === 'radio') {
      if (attributes.has('checked')) form.fields[name] = value || 'on';
    } else form.fields[name] = value;
  }
}

/** What a page tells people to text: elements with data-join-text and data-join-number, as value or as content. */
export function joinTextIn(html: string): { body: string; to: string } | undefined {
  const body = dataOf(html, 'data-join-text');
  const to = dataOf(html, 'data-join-number')?.replace(/[^\d+]/g, '');
  return body && to ? { body, to } : undefined;
}

function dataOf(html: string, attribute: string): string | undefined {
  const match = new RegExp(`<[^<>]*\\b${attribute}(?:\\s*=\\s*"([^"]*)")?[^<>]*>([^<]*)`).exec(html);
  const text = match?.[1] || match?.[2];
  return text === undefined ? undefined : unescapeMarkup(text).trim();
}

/** What the share page's script reads: the data- attributes of the element that has data-share. */
export function shareDataIn(html: string): { path: string; nonce: string; vapid: string } | undefined {
  const tag = /<[a-z]+\b(?:"[^"]*"|[^>"])*\bdata-share=(?:"[^"]*"|[^>"])*>/.exec(html)?.[0];
  const attributes = tag === undefined ? undefined : attributesOf(tag.replace(/^<[a-z]+/, ''));
  const path = attributes?.get('data-share');
  return path ? { path, nonce: attributes?.get('data-nonce') ?? '', vapid: attributes?.get('data-vapid') ?? '' } : undefined;
}

export interface Links {
  /** The responder's page. */
  readonly answer: string | undefined;
  readonly share: string | undefined;
  readonly confirm: string | undefined;
  readonly unsubscribe: string | undefined;
  readonly all: readonly string[];
}

/** The installation's own links in a text or page; people here open no others. */
export function linksIn(text: string, publicUrl: string): Links {
  const base = publicUrl.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const found = [...text.matchAll(new RegExp(`(?:${base}|(?<=(?:href|action)="))/[rsu]/[A-Za-z0-9_~/-]+`, 'g'))].map(([link]) =>
    link.startsWith('/') ? publicUrl + link : link,
  );
  const all = [...new Set(found)].filter((link) => !link.includes('/r/beacon/'));
  const first = (pattern: RegExp): string | undefined => all.find((link) => pattern.test(link.slice(publicUrl.length)));
  return { answer: first(/^\/r\/[^/]+$/), share: first(/^\/s\/[^/]+$/), confirm: first(/^\/s\/confirm\/[^/]+$/), unsubscribe: first(/^\/u\/[^/]+$/), all };
}
