import { code, isBrowser, isTest, type Rule } from './architecture-source.ts';

/** Rules over how a file reads: its size, its lines, its functions and its comments. */

export const size: Rule = ({ path, text }) => {
  const lines = text.replace(/\n$/, '').split('\n').length;
  const limit = isTest(path) ? 500 : 300;
  return lines > limit ? [`${path}: ${lines} lines, more than ${limit}`] : [];
};

const LINE_MAX = 140;

/** No line of services and db is wider than 140 characters, since SQL is read a clause a line. */
export const lineLength: Rule = ({ path, text }) =>
  isTest(path) || !/^src\/(services|db)\//.test(path)
    ? []
    : text.split('\n').flatMap((line, i) => ([...line].length > LINE_MAX ? [`${path}:${i + 1}: ${[...line].length} characters, more than ${LINE_MAX}`] : []));

const indentOf = (line: string): number => line.length - line.trimStart().length;

/** The line ends with the beginning of a function's body, or with the arrow before it. */
const OPENS = /(?:\)(?:: .+)?|=>) \(?[{[]$|=>(?: \()?$/;
const CONTROL = /^\s*(?:\} )?(?:else )?(?:if|for|while|switch|catch|with)\b/;

/** First and last line of every function of several lines, counted from 0. It relies on the formatter's indentation. */
export function functionsOf(text: string): { from: number; to: number }[] {
  const lines = code(text);
  return lines.flatMap((line, i) => {
    if (!OPENS.test(line) || CONTROL.test(line)) return [];
    const indent = indentOf(line);
    const same = (other: string): boolean => other.trim() !== '' && indentOf(other) === indent;
    // A list of parameters over several lines begins above the line that closes it.
    const from = line.trimStart().startsWith(')') ? lines.findLastIndex((other, at) => at < i && same(other)) : i;
    if (line.endsWith('=>')) {
      const next = lines.findIndex((other, at) => at > i && other.trim() !== '' && indentOf(other) <= indent);
      return [{ from, to: (next < 0 ? lines.length : next) - 1 }];
    }
    const to = lines.findIndex((other, at) => at > i && same(other) && /^\s*[}\])]/.test(other));
    return to < 0 ? [] : [{ from, to }];
  });
}

const FUNCTION_MAX = 60;

/**
 * A function has at most 60 lines, other than the wrapper of a browser's script. A longer one has a comment directly above it
 * with a sentence that begins with "One function" and gives the reason, such as "One function, since its steps share a lock.".
 */
export const functionLength: Rule = ({ path, text }) => {
  if (isTest(path) || isBrowser(path) || !/^(src|workers|schemas)\//.test(path)) return [];
  const above = text.split('\n');
  return functionsOf(text).flatMap(({ from, to }) => {
    const n = to - from + 1;
    if (n <= FUNCTION_MAX || /(?:^|[.!?]\s+)One function\b[^.]{10,}\./.test(commentAbove(above, from))) return [];
    return [`${path}:${from + 1}: a function of ${n} lines, more than ${FUNCTION_MAX}; split it, or say above it "One function, since …"`];
  });
};

const isComment = (line: string): boolean => /^\s*(?:\/\/|\/\*|\*)/.test(line);
const plain = (lines: readonly string[]): string =>
  lines
    .map((line) => line.replace(/^\s*(?:\/\/|\/\*+|\*(?!\/))?\s?/, '').replace(/\*\/\s*$/, ''))
    .join(' ')
    .replace(/\s+/g, ' ')
    .trim();

function commentAbove(lines: readonly string[], at: number): string {
  let from = at;
  while (from > 0 && isComment(lines[from - 1] ?? '')) from -= 1;
  return plain(lines.slice(from, at));
}

/** Comments that have lines of their own, each as one text, with the line where it begins, counted from 1. */
export function commentsOf(text: string): { line: number; text: string }[] {
  const lines = text.split('\n');
  const found: { line: number; text: string }[] = [];
  for (let i = 0; i < lines.length; i++) {
    const from = i;
    if (/^\s*\/\*/.test(lines[i] ?? '')) while (i < lines.length && !lines[i]?.includes('*/')) i += 1;
    else if (/^\s*\/\//.test(lines[i] ?? '')) while (/^\s*\/\//.test(lines[i + 1] ?? '')) i += 1;
    else continue;
    found.push({ line: from + 1, text: plain(lines.slice(from, i + 1)) });
  }
  return found;
}

/** Matches what looks like a verb, and much that is no verb, so that no sentence is taken for a fragment. */
const PERHAPS_VERB = /\b(?:is|are|was|were|be|been|has|have|had|do|did|may|might|must|can|could|cannot|will|would|should|\w+(?<!s)s|\w+ed)\b/;

/**
 * Comments are sentences with a subject. The rule holds what can be held without false alarms: no comment begins with "Of …",
 * one that begins with another preposition has something like a verb before its first stop, and people are "they".
 */
export const comments: Rule = ({ path, text }) =>
  isTest(path) || !/^(src|workers|schemas)\//.test(path)
    ? []
    : commentsOf(text).flatMap(({ line, text: words }) => {
        const [first = ''] = words.split(/[.:;]/);
        const fragment = /^(?:For|Behind|Among|Beside|Per|By|From) [a-z]/.test(words) && !PERHAPS_VERB.test(first);
        return [
          ...(/^Of [a-z]/.test(words) || fragment ? [`${path}:${line}: a fragment; give it a subject: ${words.slice(0, 60)}`] : []),
          ...(/\b(?:he|him|his|himself)\b/i.test(words) ? [`${path}:${line}: people are "they": ${words.slice(0, 60)}`] : []),
        ];
      });
