import type { SlotName, SlotValues, Template } from './channel.ts';

/** What a coordinator writes between double braces, and the slot it stands for. */
export const WRITTEN_SLOTS: ReadonlyMap<string, SlotName> = new Map([
  ['name', 'name'],
  ['first_name', 'firstName'],
  ['link', 'link'],
]);

const WRITTEN = /\{\{\s*([^{}]*?)\s*\}\}/g;

/** Text as a coordinator wrote it -> template. Unknown slots stay as written; `slotErrors` refuses them long before. */
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

/** What is wrong with the braces in a text: slots nobody fills, and braces that do not close. */
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

const same = (text: string): string => text;
const isName = (slot: SlotName): boolean => slot === 'name' || slot === 'firstName';

/**
 * Puts one person's values into a template.
 *
 * A missing name leaves no hole: "Hi {{first_name}}, come" becomes "Hi, come", and "{{first_name}}, come" becomes
 * "come". No stand-in word such as "friend" is used, since it would need every language's grammar.
 *
 * @param escape applied to values alone, for example HTML escaping
 */
export function fillTemplate(template: Template, values: SlotValues, escape: (value: string) => string = same): string {
  let text = '';
  let hole = false;
  for (const part of template) {
    if (typeof part === 'string') {
      text = hole ? closeHole(text, part) : text + part;
      hole = false;
      continue;
    }
    const value = values[part.slot] ?? '';
    if (value === '' && isName(part.slot)) {
      hole = true;
      text = text.replace(/ $/, '');
    } else {
      if (hole && text !== '' && !text.endsWith('\n')) text += ' ';
      hole = false;
      text += escape(value);
    }
  }
  return hole ? text.replace(/,$/, '') : text;
}

/** Joins what stands before and after an empty name: no comma or space is left over. */
function closeHole(before: string, after: string): string {
  if (before === '' || before.endsWith('\n') || before.endsWith('>')) return before + after.replace(/^[,:;!]? +/, '');
  if (before.endsWith(':')) return before + after.replace(/^[,:;!]? +/, ' ');
  return (/^[,.!?;:\n]/.test(after) ? before.replace(/,$/, '') : before) + after;
}
