import type { Context as HonoContext } from 'hono';
import type { Problem } from '#platform/errors.ts';
import { sentencePage } from '#web/public/layout.ts';
import { pageWords, tooManyText } from '#web/public/words.ts';
import type { AppEnv, Deps } from './env.ts';
import { localeOfBrowser, show, type ShowOptions } from './public-page.ts';

type C = HonoContext<AppEnv>;
type Status = NonNullable<ShowOptions['status']>;

/** Chooses what is said to a person, who knows nothing of codes and fields. */
function wordsOf(status: number): { status: Status; words: 'notFound' | 'tooMany' | 'unreadable' | 'notNow' } {
  if (status === 404 || status === 405) return { status, words: 'notFound' };
  if (status === 429) return { status, words: 'tooMany' };
  if (status >= 500) return { status: status === 503 ? 503 : 500, words: 'notNow' };
  return { status: status === 413 ? 413 : 400, words: 'unreadable' };
}

/** Browsers that show a page name text/html; programs and our own scripts do not. The API and the hooks are for programs alone. */
const isPerson = (c: C): boolean => /\btext\/html\b/.test(c.req.header('accept') ?? '') && !/^\/(?:v1|hooks)(?:\/|$)/.test(c.req.path);

/**
 * Answers with a sentence in the reader's language where a person looks at it; undefined where a program does.
 * @param headers those of the Problem's own answer
 */
export function problemPage(c: C, deps: Pick<Deps, 'config'>, problem: Problem, headers: Headers): Promise<Response> | undefined {
  if (!isPerson(c)) return undefined;
  const { status, words } = wordsOf(problem.status);
  const locale = localeOfBrowser(c);
  const own = ['retry-after', 'allow', 'connection'].flatMap((name) => (headers.has(name) ? [[name, headers.get(name) ?? '']] : []));
  const sentence = words === 'tooMany' ? tooManyText(locale, Number(headers.get('retry-after') ?? 60)) : pageWords(locale)[words];
  return show(c, deps, sentencePage(locale, sentence), { status, headers: Object.fromEntries(own) as Record<string, string> });
}
