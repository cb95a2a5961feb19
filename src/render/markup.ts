import { escapeHtml } from '#platform/escape.ts';
import type { SlotName, Template } from '#domain/delivery/channel.ts';

/** HTML with slots. `markup` alone makes it, so that nothing unescaped gets in by mistake. */
export interface Markup {
  readonly html: Template;
}

type Value = string | { readonly slot: SlotName } | Markup | readonly Markup[];

/** Tags a template literal: strings are escaped, slots stay slots, and other markup is put in as it is. */
export function markup(literals: TemplateStringsArray, ...values: Value[]): Markup {
  const parts: Template[number][] = [literals[0] ?? ''];
  for (const [i, value] of values.entries()) parts.push(...flat(value), literals[i + 1] ?? '');
  return { html: join(parts) };
}

function flat(value: Value): Template {
  if (typeof value === 'string') return [escapeHtml(value)];
  if (Array.isArray(value)) return (value as readonly Markup[]).flatMap((part) => part.html);
  return 'html' in value ? value.html : [value as { slot: SlotName }];
}

/** Joins neighbouring literals, so that filling the slots takes as few steps as possible. */
export function join(parts: Template): Template {
  const joined: Template[number][] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    if (part === '') continue;
    if (typeof part === 'string' && typeof last === 'string') joined[joined.length - 1] = last + part;
    else joined.push(part);
  }
  return joined;
}
