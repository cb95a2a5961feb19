const SPACE = /[ \t\n\r]*/y;
// oxlint-disable-next-line no-control-regex -- RFC 8259 section 7: control characters must be escaped
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-])|(?:true|false|null)(?!\w)/y;

type Want = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or ]' | ', or }' | 'end';

const CLOSES: Partial<Record<Want, string>> = { 'value or ]': ']', ', or ]': ']', 'key or }': '}', ', or }': '}' };
/** The mark that stands between two values, and what is expected after it. */
const AFTER: Partial<Record<Want, readonly [mark: string, then: Want]>> = { ':': [':', 'value'], ', or ]': [',', 'value'], ', or }': [',', 'key'] };

/**
 * Finds where a text stops being JSON (RFC 8259). V8 tells the position of some faults only, and it quotes the text, which
 * may hold somebody's address.
 *
 * @returns zero-based position, line and column from 1, and what was expected there; undefined for valid JSON
 */
export function jsonFault(text: string): { position: number; line: number; column: number; expected: string } | undefined {
  const stack: string[] = [];
  let at = 0;
  let want: Want = 'value';
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.test(text);
    if (found) at = pattern.lastIndex;
    return found;
  };
  const within = (): Want => {
    const open = stack.at(-1);
    return open === undefined ? 'end' : open === '[' ? ', or ]' : ', or }';
  };
  for (;;) {
    take(SPACE);
    const next = text[at];
    const wantsValue = want === 'value' || want === 'value or ]';
    if (want === 'end' && next === undefined) return undefined;
    if (next !== undefined && next === CLOSES[want]) {
      at += 1;
      stack.pop();
      want = within();
    } else if (next !== undefined && AFTER[want]?.[0] === next) {
      at += 1;
      want = AFTER[want]?.[1] ?? 'end';
    } else if (wantsValue && (next === '[' || next === '{')) {
      at += 1;
      stack.push(next);
      want = next === '[' ? 'value or ]' : 'key or }';
    } else if (wantsValue && (take(STRING) || take(SCALAR))) want = within();
    else if ((want === 'key' || want === 'key or }') && take(STRING)) want = ':';
    else break;
  }
  const before = text.slice(0, at).split('\n');
  return { position: at, line: before.length, column: (before.at(-1)?.length ?? 0) + 1, expected: want };
}
