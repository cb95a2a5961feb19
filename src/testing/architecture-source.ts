/** What the rules of the house look at, and how they read it. */

export interface SourceFile {
  /** Path from the root of the checkout, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** A rule gives back one line for each violation. */
export type Rule = (file: SourceFile) => string[];

export const isTest = (path: string): boolean => path.startsWith('src/testing/') || path.startsWith('load-tests/') || path.endsWith('.test.ts');

/** True for files that run in a browser, which has neither our clock nor our modules. */
export const isBrowser = (path: string): boolean => path.startsWith('src/web/assets/');

/** The lines of a file without their comments, so that line numbers stay. */
export const code = (text: string): string[] =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, (block) => block.replace(/[^\n]/g, ' '))
    .split('\n')
    .map((line) => line.replace(/(^|\s)\/\/.*$/, ''));

export const matches = (file: SourceFile, pattern: RegExp, why: string): string[] =>
  code(file.text).flatMap((line, i) => (pattern.test(line) ? [`${file.path}:${i + 1}: ${why}`] : []));

/** Every module specifier of a file: static, type-only, side-effect and dynamic imports, and re-exports. */
export function importsOf(text: string): string[] {
  const body = code(text).join('\n');
  return [
    ...body.matchAll(/(?:^|\n)\s*(?:import|export)\b[^'";]*?from\s*['"]([^'"]+)['"]|(?:^|\n)\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/g),
  ].map((m) => m[1] ?? m[2] ?? m[3] ?? '');
}
