import type { SlotValues, Template } from '#domain/delivery/channel.ts';
import { withoutNames } from '#domain/message/template.ts';

// These are C0, DEL and C1: a line break in a name would end a mail header, and none of them belongs in a name or a link.
const CONTROL = /[\p{Cc}\u2028\u2029]/u;

/** True when no value carries a line break or another control character. */
export function slotsAreClean(slots: SlotValues): boolean {
  for (const value of Object.values(slots)) if (CONTROL.test(value)) return false;
  return true;
}

/** A template whose literal parts were encoded once, so that only the slots are encoded for each person. */
export type Prepared = (slots: SlotValues) => string;

type Encode = (text: string) => string;

/** Prepares a template. A person without a name gets the wording of `withoutNames`; any other slot without a value is left empty. */
export function prepareTemplate(template: Template, literal: Encode = String, slot: Encode = String): Prepared {
  const named = prepareParts(template, literal, slot);
  const bare = withoutNames(template);
  if (bare === template) return named;
  const nameless = prepareParts(bare, literal, slot);
  return (slots) => (slots.name || slots.firstName ? named(slots) : nameless(slots));
}

function prepareParts(template: Template, literal: Encode, slot: Encode): Prepared {
  const parts = template.map((part) => (typeof part === 'string' ? literal(part) : part));
  const only = parts[0];
  if (parts.length === 1 && typeof only === 'string') return () => only;
  return (slots) => {
    let text = '';
    for (const part of parts) text += typeof part === 'string' ? part : slot(slots[part.slot] ?? '');
    return text;
  };
}
