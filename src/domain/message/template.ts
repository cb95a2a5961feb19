import type { SlotName, SlotValues, Template } from '#domain/delivery/channel.ts';

/** The words that a coordinator writes between double braces, and the slots that they stand for. */
export const WRITTEN_SLOTS: ReadonlyMap<string, SlotName> = new Map([
  ['name', 'name'],
  ['first_name', 'firstName'],
  ['link', 'link'],
]);

const WRITTEN = /\{\{\s*([^{}]*?)\s*\}\}/g;

/** Makes a template of a text as a coordinator wrote it. Unknown slots stay as written; `slotProblems` refuses them long before. */
export function parseTemplate(text: string): Template {
  const parts: Template[number][] = [];
  let from = 0;
  for (const match of text.matchAll(WRITTEN)) {
    const slot = WRITTEN_SLOTS.get(match[1] ?? '');
    if (!slot) continue;
    if (match.index > from) parts.push(text.slice(from, match.index));
    parts.push({ slot });
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}

/** Says what is wrong with the braces in a text: slots that nothing fills, and braces that do not close. */
export function slotProblems(text: string): { code: 'unknown_slot' | 'slot_not_closed'; detail: string }[] {
  const known = Array.from(WRITTEN_SLOTS.keys(), (name) => `{{${name}}}`).join(', ');
  const problems: { code: 'unknown_slot' | 'slot_not_closed'; detail: string }[] = [];
  for (const [whole, name] of text.matchAll(WRITTEN))
    if (!WRITTEN_SLOTS.has(name ?? '')) problems.push({ code: 'unknown_slot', detail: `${whole} is not a slot; there are ${known}` });
  const rest = text.replace(WRITTEN, '');
  if (rest.includes('{{') || rest.includes('}}')) problems.push({ code: 'slot_not_closed', detail: `"{{" and "}}" must enclose a slot: ${known}` });
  return problems;
}

export const hasSlot = (template: Template, slot: SlotName): boolean => template.some((part) => typeof part !== 'string' && part.slot === slot);

/** The commas and signs before which a comma or a space is too much, in Latin, Arabic, Chinese and Japanese. */
const COMMA = ',،、，';
const COMMA_LAST = new RegExp(`[${COMMA}]$`);
const SIGN_FIRST = new RegExp(`^[${COMMA}.!?;:\\n؛؟。！？；：]`);
const SIGN_AND_SPACE = new RegExp(`^[${COMMA}:;!؛！；：]? +|^[、，]`);

const isName = (part: Template[number]): boolean => typeof part !== 'string' && (part.slot === 'name' || part.slot === 'firstName');

/**
 * Makes the template that a person without a name reads: "Hi {{first_name}}, come" becomes "Hi, come", and
 * "{{first_name}}, come" becomes "come". No word such as "friend" takes the name's place, since it would need every
 * language's grammar.
 */
export function withoutNames(template: Template): Template {
  if (!template.some(isName)) return template;
  const kept: Template[number][] = [];
  let hole = false;
  for (const part of template) {
    const last = kept.at(-1);
    if (isName(part)) {
      hole = true;
      if (typeof last === 'string') kept[kept.length - 1] = last.replace(/ $/, '');
    } else if (!hole) kept.push(part);
    else {
      hole = false;
      // After a slot, or at the beginning, there is no literal to look at. A slot is as good as a word.
      const before = typeof last === 'string' ? last : '';
      const started = last !== undefined && typeof last !== 'string';
      if (typeof part !== 'string') kept.push(...(started || /[^\n>]$/.test(before) ? [' ', part] : [part]));
      else if (started) kept.push(part);
      else kept.splice(-1, 1, closeHole(before, part));
    }
  }
  const last = kept.at(-1);
  if (hole && typeof last === 'string') kept[kept.length - 1] = last.replace(COMMA_LAST, '');
  return kept;
}

/** Joins what stands before and after a name that is left out, so that no comma or space is left over. */
function closeHole(before: string, after: string): string {
  if (before === '' || before.endsWith('\n') || before.endsWith('>')) return before + after.replace(SIGN_AND_SPACE, '');
  if (before.endsWith(':')) return before + after.replace(SIGN_AND_SPACE, ' ');
  return (SIGN_FIRST.test(after) ? before.replace(COMMA_LAST, '') : before) + after;
}

/**
 * Puts one person's values into a template. A person without a name reads it as `withoutNames` makes it.
 * @param escape is applied to the values alone, for example to escape HTML
 */
export function fillTemplate(template: Template, values: SlotValues, escape: (value: string) => string = String): string {
  let text = '';
  for (const part of values.name || values.firstName ? template : withoutNames(template))
    text += typeof part === 'string' ? part : escape(values[part.slot] ?? '');
  return text;
}
