const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-])|(?:true|false|null)(?!\w)/y;

type Want = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or ]' | ', or }' | 'end';

/**
 * Where a text stops being JSON (RFC 8259). V8 reports a position for some faults only, and quotes the text, which may
 * hold somebody's address.
 *
 * @returns zero-based position, line and column from 1, and what was expected there; undefined for valid JSON
 */
export function jsonFault(text: string): { position: number; line: number; column: number; expected: string } | undefined {
  const stack: ('[' | '{')[] = [];
  let at = 0;
  let want: Want = 'value';
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.test(text);
    if (found) at = pattern.lastIndex;
    return found;
  };
  const inside = (): Want => {
    const open = stack.at(-1);
    return open === undefined ? 'end' : open === '[' ? ', or ]' : ', or }';
  };
  const close = (): Want => {
    at += 1;
    stack.pop();
    return inside();
  };
  for (;;) {
    take(SPACE);
    const next = text[at];
    if (want === 'end') {
      if (next === undefined) return undefined;
    } else if (want === 'value' || want === 'value or ]') {
      if (next === ']' && want === 'value or ]') want = close();
      else if (next === '[' || next === '{') {
        stack.push(next);
        at += 1;
        want = next === '[' ? 'value or ]' : 'key or }';
        continue;
      } else if (take(STRING) || take(SCALAR)) want = inside();
      else break;
      continue;
    } else if ((want === 'key' || want === 'key or }') && (next !== '}' || want === 'key')) {
      if (!take(STRING)) break;
      want = ':';
      continue;
    } else if (next === '}' && (want === 'key or }' || want === ', or }')) {
      want = close();
      continue;
    } else if (next === ']' && want === ', or ]') {
      want = close();
      continue;
    } else if (next === ':' && want === ':') {
      at += 1;
      want = 'value';
      continue;
    } else if (next === ',' && (want === ', or ]' || want === ', or }')) {
      at += 1;
      want = want === ', or ]' ? 'value' : 'key';
      continue;
    }
    break;
  }
  const before = text.slice(0, at).split('\n');
  return { position: at, line: before.length, column: (before.at(-1)?.length ?? 0) + 1, expected: want };
}
